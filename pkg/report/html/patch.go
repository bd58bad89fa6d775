package html

import (
	"cmp"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/psp-advisor/psp-advisor/pkg/finding"
	"github.com/psp-advisor/psp-advisor/pkg/printable"
)

var (
	// dnsName matches names that need no quotes in a path.
	dnsName = regexp.MustCompile(`^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$`)
	// plainScalar matches strings that YAML reads as strings without quotes, but for keywords.
	plainScalar = regexp.MustCompile(`^[A-Za-z/$][A-Za-z0-9._/-]*$`)
	// keyword matches what YAML 1.1 takes for other types.
	keyword = regexp.MustCompile(`(?i)^(y|n|yes|no|on|off|true|false|null)$`)
)

func valid(name string) bool { return dnsName.MatchString(name) }

// patch returns the patch of a pod template as YAML, without the names; nil if there is
// none, or it holds what cannot be shown as it is.
func (n names) patch(p finding.Patch, prefix string) []segment {
	if p == nil || n.container != "" && !valid(n.container) {
		return nil
	}
	for field := range strings.SplitSeq(strings.TrimSuffix(prefix, "."), ".") {
		if field == "" {
			continue
		}
		inner, ok := p[field].(finding.Patch)
		if !ok || len(p) != 1 {
			return nil
		}
		p = inner
	}
	y := &yamlWriter{names: n}
	y.object(p, "", "")
	if y.hidden {
		return nil
	}
	y.flush()
	return y.out
}

// yamlWriter writes a patch.
type yamlWriter struct {
	names names
	out   []segment
	text  strings.Builder
	// hidden is true if something cannot be shown as it is.
	hidden bool
}

func (y *yamlWriter) flush() {
	if y.text.Len() > 0 {
		y.out = append(y.out, segment{Text: y.text.String()})
		y.text.Reset()
	}
}

func (y *yamlWriter) variable(name string) {
	y.flush()
	y.out = append(y.out, segment{Var: name})
}

// object writes the fields of an object, which is that of a field, or an item of its list.
func (y *yamlWriter) object(p finding.Patch, field, indent string) {
	for i, key := range slices.SortedFunc(maps.Keys(p), compareFields) {
		if i > 0 || !strings.HasSuffix(indent, "- ") {
			y.text.WriteString(strings.ReplaceAll(indent, "-", " "))
		} else {
			y.text.WriteString(indent)
		}
		inner := strings.ReplaceAll(indent, "-", " ")
		y.key(key)
		switch x := p[key].(type) {
		case finding.Patch:
			if len(x) == 0 {
				y.text.WriteString(" {}\n")
				continue
			}
			y.text.WriteString("\n")
			y.object(x, key, inner+"  ")
		case []any:
			if len(x) == 0 {
				y.text.WriteString(" []\n")
				continue
			}
			y.text.WriteString("\n")
			y.list(x, key, inner)
		case string:
			y.text.WriteString(" ")
			variable, known := y.names.variable(x)
			beforeSecret, ofSecret := y.names.secret(x)
			switch {
			case known && key == "name" && strings.HasSuffix(field, "ontainers"):
				y.variable(variable)
			case key == "serviceAccountName" && x != "" && x == y.names.account:
				y.variable(varAccount)
			case ofSecret && slices.Contains([]string{"name", "mountPath", "secretName"}, key):
				y.text.WriteString(beforeSecret)
				y.variable(y.names.own.Variable)
			default:
				y.string(x)
			}
			y.text.WriteString("\n")
		default:
			y.text.WriteString(" " + jsonOf(x) + "\n")
		}
	}
}

func (y *yamlWriter) list(items []any, field, indent string) {
	for _, item := range items {
		switch x := item.(type) {
		case finding.Patch:
			if len(x) > 0 {
				y.object(x, field, indent+"- ")
				continue
			}
			y.text.WriteString(indent + "- {}\n")
		case string:
			y.text.WriteString(indent + "- ")
			y.string(x)
			y.text.WriteString("\n")
		default:
			y.text.WriteString(indent + "- " + jsonOf(x) + "\n")
		}
	}
}

func (y *yamlWriter) key(key string) {
	slash := strings.LastIndex(key, "/") + 1
	if variable, known := y.names.variable(key[slash:]); known && slash > 0 && plainScalar.MatchString(key[:slash]) {
		y.text.WriteString(key[:slash])
		y.variable(variable)
	} else {
		y.string(key)
	}
	y.text.WriteString(":")
}

func (y *yamlWriter) string(s string) {
	if printable.Text(s) != s || len(s) > textLimit {
		y.hidden = true
		return
	}
	if plainScalar.MatchString(s) && !keyword.MatchString(s) {
		y.text.WriteString(s)
		return
	}
	y.text.WriteString(jsonOf(s))
}

// compareFields orders what names an item first.
func compareFields(a, b string) int {
	first := []string{"name", "mountPath", "containerPort", "protocol", "$patch"}
	at := func(field string) int {
		if i := slices.Index(first, field); i >= 0 {
			return i
		}
		return len(first)
	}
	return cmp.Or(at(a)-at(b), strings.Compare(a, b))
}
