package podsecurity

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"k8s.io/pod-security-admission/api"
)

// Verdict is the verdict of one check on a pod: refused, in a range of minors. A
// verdict without a check says for which minors the pod was judged; every pod has one,
// so that a pod that nothing refuses differs from one that was never judged.
type Verdict struct {
	// Level of the check.
	Level api.Level `json:"level,omitempty"`
	// Check is upstream's name of it.
	Check string `json:"check,omitempty"`
	// From is the first minor, but for older ones, which are not judged.
	From int `json:"from"`
	// To is the last minor; 0 is the last one that the pod was judged for.
	To int `json:"to,omitempty"`
}

// Judged reports whether v says for which minors the pod was judged.
func (v Verdict) Judged() bool { return v.Check == "" }

// Refuses reports whether v refuses the pod at a level in a minor that the pod was
// judged for. A check of the level baseline holds for restricted too, unless a stricter
// check replaces it there.
func (v Verdict) Refuses(level api.Level, minor int) bool {
	if v.Judged() || minor < v.From || v.To != 0 && minor > v.To || api.CompareLevels(level, v.Level) < 0 {
		return false
	}
	return level == v.Level || !slices.ContainsFunc(overridden[v.Check], func(s span) bool { return s.has(minor) })
}

// Compare orders by level, check and range; Judged comes first.
func (v Verdict) Compare(o Verdict) int {
	return cmp.Or(
		strings.Compare(string(v.Level), string(o.Level)), strings.Compare(v.Check, o.Check),
		cmp.Compare(v.From, o.From), cmp.Compare(v.To, o.To),
	)
}

// Append appends the text of the verdict.
func (v Verdict) Append(b []byte) []byte {
	if v.Judged() {
		b = append(b, "judged"...)
	} else {
		b = append(b, v.Level...)
	}
	b = appendMinor(append(b, " from "...), v.From)
	if v.To != 0 {
		b = appendMinor(append(b, " to "...), v.To)
	}
	if !v.Judged() {
		b = append(append(b, ": "...), v.Check...)
	}
	return b
}

func (v Verdict) String() string { return string(v.Append(nil)) }

// Minor returns a minor of Kubernetes as text, such as "1.24".
func Minor(n int) string { return string(appendMinor(nil, n)) }

func appendMinor(b []byte, n int) []byte { return strconv.AppendInt(append(b, "1."...), int64(n), 10) }
