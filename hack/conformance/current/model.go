package main

import (
	"cmp"
	"slices"
	"strings"
	"unicode"

	"github.com/psp-advisor/psp-advisor/pkg/privilege"
	corev1 "k8s.io/api/core/v1"
)

// asks are the lines that a pod asks for, as CEL groups them: volumes belong to the pod.
type asks struct {
	pod        []string
	containers map[string][]string
}

func asksOf(pod *corev1.Pod) asks {
	a := asks{containers: map[string][]string{}}
	for _, ask := range privilege.Of(pod, true) {
		if ask.Container == "" || ofVolumes(ask.Line) {
			a.pod = append(a.pod, ask.Line)
		} else {
			a.containers[ask.Container] = append(a.containers[ask.Container], ask.Line)
		}
	}
	return a
}

// ofVolumes reports whether a line is about a volume: Go names the containers that mount
// it.
func ofVolumes(line string) bool {
	return slices.ContainsFunc([]string{"volume ", "csi ", "flexVolume ", "hostPath ", "write hostPath "}, func(p string) bool { return strings.HasPrefix(line, p) })
}

func (a asks) set() privilege.Set {
	lines := slices.Clone(a.pod)
	for _, own := range a.containers {
		lines = append(lines, own...)
	}
	return privilege.SetOf(lines...)
}

// beyond returns the lines that an alternative does not permit, longest first.
func (a asks) beyond(permits privilege.Set) []string {
	var lines []string
	excess := func(own []string) {
		for _, line := range own {
			if !permits.Permits(privilege.SetOf(line)) {
				lines = append(lines, line)
			}
		}
	}
	excess(a.pod)
	for _, own := range a.containers {
		excess(own)
	}
	slices.SortFunc(lines, func(a, b string) int { return cmp.Or(cmp.Compare(len(b), len(a)), strings.Compare(a, b)) })
	return slices.Compact(lines)
}

// explains reports whether a message names exactly what goes beyond an alternative, for
// the alternative that is nearest in one sense or another: none goes beyond by a part
// of that only.
func (a asks) explains(message, account string, sets []privilege.Set) bool {
	_, text, found := strings.Cut(message, "service account "+account+" may not: ")
	if !found {
		return false
	}
	if strings.HasSuffix(text, "…") {
		return true // the rest was cut off
	}
	var all [][]string
	for _, s := range sets {
		all = append(all, a.beyond(s))
	}
	for _, lines := range all {
		nearest := !slices.ContainsFunc(all, func(o []string) bool {
			return len(o) < len(lines) && !slices.ContainsFunc(o, func(line string) bool { return !slices.Contains(lines, line) })
		})
		if nearest && a.namesExactly(text, lines) {
			return true
		}
	}
	return false
}

// namesExactly reports whether a text has each of the lines, which are longest first,
// and but for the names of containers nothing else.
func (a asks) namesExactly(text string, lines []string) bool {
	const gap = "\x01"
	for _, line := range lines {
		// A server trims messages.
		if trimmed := strings.TrimRightFunc(line, unicode.IsSpace); trimmed != line && strings.HasSuffix(text, trimmed) {
			text += line[len(trimmed):]
		}
	}
	for _, line := range lines {
		if !strings.Contains(text, line) {
			return false
		}
		text = strings.ReplaceAll(text, line, gap)
	}
	for name := range a.containers {
		text = strings.ReplaceAll(text, " (container "+name+")", "")
	}
	return strings.Trim(text, gap+",; ") == ""
}
