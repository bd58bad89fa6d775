package podsecurity

import "k8s.io/pod-security-admission/api"

// Level returns the tightest level that refuses nothing in a minor. anyVerdict reports
// whether some verdict satisfies a condition.
func Level(minor int, anyVerdict func(func(Verdict) bool) bool) api.Level {
	for _, level := range []api.Level{api.LevelRestricted, api.LevelBaseline} {
		if !anyVerdict(func(v Verdict) bool { return v.Refuses(level, minor) }) {
			return level
		}
	}
	return api.LevelPrivileged
}

// Stricter returns the level that is one step tighter; empty if there is none.
func Stricter(level api.Level) api.Level {
	switch level {
	case api.LevelPrivileged:
		return api.LevelBaseline
	case api.LevelBaseline:
		return api.LevelRestricted
	default:
		return ""
	}
}

// Change is a minor of Kubernetes that changes the level of pods.
type Change struct {
	// Minor is the first one with the level After.
	Minor         int
	Before, After api.Level
}

// Changes returns the minors after from, and up to to, that change the level.
func Changes(from, to int, anyVerdict func(func(Verdict) bool) bool) []Change {
	var list []Change
	for minor := from + 1; minor <= to; minor++ {
		before, after := Level(minor-1, anyVerdict), Level(minor, anyVerdict)
		if before != after {
			list = append(list, Change{minor, before, after})
		}
	}
	return list
}

// Refused returns the tighter of both levels, and the minor in which it refuses pods.
func (c Change) Refused() (level api.Level, minor int) {
	if api.CompareLevels(c.After, c.Before) > 0 {
		return c.After, c.Minor - 1
	}
	return c.Before, c.Minor
}
