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
