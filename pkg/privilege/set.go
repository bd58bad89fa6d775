package privilege

import (
	"slices"
	"strings"
)

// Set is a set of privileges in canonical form: lines, sorted, none of them under
// another one. The zero Set permits nothing. Operations return new sets.
type Set struct{ lines []string }

// SetOf returns the set that permits the lines.
func SetOf(lines ...string) Set {
	all := slices.Compact(slices.Sorted(slices.Values(lines)))
	if !slices.ContainsFunc(DefaultCapabilities, func(c string) bool {
		_, found := slices.BinarySearch(all, "capability "+c)
		return !found
	}) {
		all = append(all, defaultCapabilities)
		slices.Sort(all)
		all = slices.Compact(all)
	}
	kept := make([]string, 0, len(all))
	for _, line := range all {
		if !isUnder(line, all) {
			kept = append(kept, line)
		}
	}
	return Set{kept}
}

// isUnder reports whether a line is under another one of a sorted list. It looks for
// those that may permit it: to compare it with each would take quadratic time for a set.
func isUnder(line string, list []string) bool {
	permits := func(o string) bool {
		_, found := slices.BinarySearch(list, o)
		return found && o != line && Under(line, o)
	}
	for o := range Implied {
		if permits(o) {
			return true
		}
	}
	if permits(defaultCapabilities) || permits("write "+line) {
		return true
	}
	// A line that permits it otherwise is how it begins: the path of a directory, with or
	// without the slash, or a port without the address.
	for i := range len(line) {
		switch {
		case line[i] == '/' && (permits(line[:i]) || permits(line[:i+1]) || permits("write "+line[:i]) || permits("write "+line[:i+1])),
			line[i] == ' ' && permits(line[:i]):
			return true
		}
	}
	return false
}

// Lines returns the lines in order. The caller must not change them.
func (s Set) Lines() []string { return s.lines }

// Equal reports whether both sets permit the same.
func (s Set) Equal(o Set) bool { return slices.Equal(s.lines, o.lines) }

// Permits reports whether the set permits everything that o does.
func (s Set) Permits(o Set) bool {
	return !slices.ContainsFunc(o.lines, func(line string) bool { return !s.has(line) })
}

// Excess returns the lines of o that the set does not permit, sorted. Of "default
// capabilities" it names those that are not permitted.
func (s Set) Excess(o Set) []string {
	var excess []string
	for _, line := range o.lines {
		switch {
		case s.has(line):
		case line == defaultCapabilities && slices.ContainsFunc(DefaultCapabilities, func(c string) bool { return s.has("capability " + c) }):
			for _, c := range DefaultCapabilities {
				if capability := "capability " + c; !s.has(capability) {
					excess = append(excess, capability)
				}
			}
		default:
			excess = append(excess, line)
		}
	}
	slices.Sort(excess)
	return excess
}

// Nearest returns which of several permits o goes beyond by the fewest lines, the first
// of those; the zero one if there are none.
func Nearest[P interface{ Excess(o Set) []string }](permits []P, o Set) P {
	var nearest P
	least := -1
	for _, p := range permits {
		if n := len(p.Excess(o)); least < 0 || n < least {
			nearest, least = p, n
		}
	}
	return nearest
}

func (s Set) has(line string) bool {
	if _, found := slices.BinarySearch(s.lines, line); found {
		return true
	}
	return isUnder(line, s.lines)
}

// Union returns the set that permits what any of the sets permits.
func Union(sets ...Set) Set {
	var all []string
	for _, s := range sets {
		all = append(all, s.lines...)
	}
	return SetOf(all...)
}

// Implied are the lines that permit others: each with the beginnings of what is under
// it. A beginning that ends in a space or a slash stands for all lines with it.
//
// A privileged container has every capability and no confinement (containerd's
// internal/cri/opts and pkg/oci, WithPrivileged; k8s.io/kubernetes/pkg/securitycontext).
// SELinux options are not among them: they may be those of another workload.
var Implied = map[string][]string{
	"privileged": {
		"capability ", defaultCapabilities, "allowPrivilegeEscalation", "procMount ",
		"seccomp unconfined", "seccomp localhost/", "no seccomp profile", "appArmor unconfined", "appArmor localhost/",
	},
	"capability ALL":                 {"capability ", defaultCapabilities},
	"image user root":                {"image user", "user "},
	"image user":                     {"user "},
	"image group":                    {"group "},
	"seccomp unconfined":             {"no seccomp profile", "seccomp localhost/"},
	"appArmor unconfined":            {"appArmor localhost/"},
	"volume projected":               {"volume serviceAccountToken"},
	"mountPropagation Bidirectional": {"mountPropagation HostToContainer"},
}

// Under reports whether what a line asks for is permitted by another line.
func Under(line, permitted string) bool {
	if line == permitted {
		return true
	}
	for _, beginning := range Implied[permitted] {
		if line == beginning || strings.HasSuffix(beginning, " ") && strings.HasPrefix(line, beginning) ||
			strings.HasSuffix(beginning, "/") && strings.HasPrefix(line, beginning) {
			return true
		}
	}
	switch {
	case permitted == defaultCapabilities:
		name, ok := strings.CutPrefix(line, "capability ")
		return ok && slices.Contains(DefaultCapabilities, name)
	case strings.HasPrefix(permitted, "hostPath "):
		return strings.HasPrefix(line, slashed(permitted))
	case strings.HasPrefix(permitted, "write hostPath "):
		read := strings.TrimPrefix(permitted, "write ")
		return line == read || strings.HasPrefix(line, slashed(permitted)) || strings.HasPrefix(line, slashed(read))
	case strings.HasPrefix(permitted, "hostPort "):
		return strings.HasPrefix(line, permitted+" on ")
	default:
		return false
	}
}

// slashed is the beginning of the lines of paths below the path that ends the line:
// "/var/logs" is not below "/var/log".
func slashed(line string) string {
	if strings.HasSuffix(line, "/") {
		return line
	}
	return line + "/"
}
