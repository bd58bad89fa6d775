package cel

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/psp-advisor/psp-advisor/pkg/privilege"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Written are the permits in the objects that the engines around Core write. The zero
// Written has none. Each engine reads the objects that it writes.
type Written struct {
	// alternatives by namespace; those of the cluster are under "".
	alternatives map[string][]Alternative
	// namespaces that were read, with the value of their label.
	namespaces map[string]string
}

// Add adds the permits of namespaces. It is an error if the text is not one of permits.
func (w *Written) Add(text string, namespaces ...string) error {
	list, err := parse(text)
	if err != nil {
		return err
	}
	if w.alternatives == nil {
		w.alternatives = map[string][]Alternative{}
	}
	for _, n := range namespaces {
		w.alternatives[n] = append(w.alternatives[n], list...)
	}
	return nil
}

// ReadNamespace reads what Covered and Annotated wrote. Several engines may have: a
// Namespace is read once.
func (w *Written) ReadNamespace(decode func(into any) error) error {
	var o metav1.PartialObjectMetadata
	if err := decode(&o); err != nil {
		return err
	}
	if w.namespaces == nil {
		w.namespaces = map[string]string{}
	}
	where, known := o.Labels[Key], false
	if _, known = w.namespaces[o.Name]; known || where == "" {
		return nil
	}
	w.namespaces[o.Name] = where
	if where != InAnnotation {
		return nil
	}
	if err := w.Add(o.Annotations[Key], o.Name); err != nil {
		return fmt.Errorf("the Namespace %q: %w", o.Name, err)
	}
	return nil
}

// ReadPolicy reads what LiteralText wrote into a policy, if it is one of ours at cluster
// level.
func (w *Written) ReadPolicy(decode func(into any) error) error {
	var o struct {
		Metadata struct {
			Name string `json:"name"`
		} `json:"metadata"`
		Spec struct {
			Variables []Variable `json:"variables"`
		} `json:"spec"`
	}
	if err := decode(&o); err != nil {
		return err
	}
	if o.Metadata.Name != PolicyName && o.Metadata.Name != AccountsName {
		return nil
	}
	variables := map[string]string{}
	for _, v := range o.Spec.Variables {
		variables[v.Name] = v.Expression
	}
	if whole := variables["text"]; whole != `""` && !strings.HasPrefix(whole, "variables.text0") {
		return nil // the permits are elsewhere
	}
	if _, known := w.alternatives[""]; known {
		return nil // several policies may have the permits
	}
	var text strings.Builder
	for i := 0; variables[textName(i)] != ""; i++ {
		part, err := strconv.Unquote(variables[textName(i)])
		if err != nil {
			return fmt.Errorf("policy %q: spec.variables: %s: want a literal", o.Metadata.Name, textName(i))
		}
		text.WriteString(part)
	}
	return w.Add(text.String(), "")
}

// parse reads a text that Text wrote, as Core does.
func parse(text string) ([]Alternative, error) {
	var list []Alternative
	for block := range strings.SplitSeq(text, "\n\n") {
		if block == "" {
			continue
		}
		first, rest, _ := strings.Cut(block, "\n")
		account, opened := strings.CutPrefix(first, "[")
		account, closed := strings.CutSuffix(account, "]")
		if !opened || !closed || account == "" {
			return nil, fmt.Errorf("permits: %q: want a service account in brackets", first)
		}
		var lines []string
		for line := range strings.SplitSeq(rest, "\n") {
			switch {
			case line == "" || strings.HasPrefix(line, "#"):
			case !privilege.Valid(line):
				return nil, fmt.Errorf("permits: [%s]: %q is no privilege", account, line)
			default:
				lines = append(lines, line)
			}
		}
		list = append(list, Alternative{Account: account, Permits: privilege.SetOf(lines...)})
	}
	return list, nil
}

// Empty reports whether no permits were read.
func (w *Written) Empty() bool { return len(w.alternatives) == 0 }

// Check returns an error if a namespace refers to permits that were not read.
func (w *Written) Check() error {
	_, known := w.alternatives[""]
	for _, n := range slices.Sorted(maps.Keys(w.namespaces)) {
		if w.namespaces[n] == InPolicy && !known {
			return fmt.Errorf("the Namespace %q: its permits are in a policy that was not read", n)
		}
	}
	return nil
}

// Permits returns what the pods of a service account may ask for in a namespace, as
// alternatives; none if there are no permits for them.
func (w *Written) Permits(namespace, account string) []privilege.Set {
	list := w.alternatives[namespace]
	if w.namespaces[namespace] == InPolicy {
		list = slices.Concat(list, w.alternatives[""])
	}
	return Table{Alternatives: list}.Permits(account)
}
