package manifest

import (
	"fmt"
	"slices"
	"strings"

	yamlv3 "go.yaml.in/yaml/v3"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	kjson "sigs.k8s.io/json"
)

// Validation says what becomes of fields that an object of a kind that is read
// should not have: the API does not know them, or they are given twice.
type Validation string

// The values of kubectl's --validate.
const (
	// ValidateWarn makes warnings of them. The zero value does, too.
	ValidateWarn Validation = "warn"
	// ValidateStrict makes them errors.
	ValidateStrict Validation = "strict"
	// ValidateIgnore makes nothing of them.
	ValidateIgnore Validation = "ignore"
)

// maxFields is how many fields of one object are reported.
const maxFields = 10

// checkFields records what is wrong with the fields of an object.
func (r *reader) checkFields(o object, kind string, problems []string) error {
	if len(problems) == 0 || r.options.Validation == ValidateIgnore {
		return nil
	}
	slices.Sort(problems)
	problems = slices.Compact(problems)
	if more := len(problems) - maxFields; more > 0 {
		problems = append(problems[:maxFields:maxFields], fmt.Sprintf("and %d more", more))
	}
	name := describe(kind, o.data)
	if r.options.Validation == ValidateStrict {
		return fmt.Errorf("%s: %s", name, strings.Join(problems, ", "))
	}
	for _, p := range problems {
		r.warn(o.at, name+": "+p)
	}
	return nil
}

// decode reads an object and returns what is wrong with its fields.
func (r *reader) decode(o object, into metav1.Object) (fields []string, err error) {
	if r.options.Validation == ValidateIgnore {
		return decode(o.data, into)
	}
	fields, err = decode(o.data, into, strictly...)
	return append(fields, o.duplicateFields()...), err
}

// unmarshal is decode without the search for the field that cannot be decoded.
func (r *reader) unmarshal(o object, into metav1.Object) (fields []string, field, problem string) {
	if r.options.Validation == ValidateIgnore {
		return unmarshal(o.data, into)
	}
	fields, field, problem = unmarshal(o.data, into, strictly...)
	return append(fields, o.duplicateFields()...), field, problem
}

// strictly is how the fields of an object are checked.
var strictly = []kjson.StrictOption{kjson.DisallowUnknownFields, kjson.DisallowDuplicateFields}

// duplicateFields are the problems of what is given twice and is not any more in data.
func (o object) duplicateFields() (problems []string) {
	for _, d := range o.duplicates {
		problems = append(problems, duplicateField(d))
	}
	return problems
}

// olderFields are those of older versions that newer ones lack; a test compares
// them.
var olderFields = []string{`unknown field "spec.rollbackTo"`, `unknown field "spec.templateGeneration"`}

// currentFields returns the problems without those of fields that an older version
// has.
func currentFields(problems []string, t metav1.TypeMeta, kind schema.GroupKind) []string {
	if t.APIVersion == kind.WithVersion("v1").GroupVersion().String() {
		return problems
	}
	return slices.DeleteFunc(problems, func(p string) bool { return slices.Contains(olderFields, p) })
}

// duplicateField is the problem of a field that is given twice. Servers take the
// last one.
func duplicateField(path string) string {
	return fmt.Sprintf("duplicate field %q: the last one is used", path)
}

// maxDuplicates is how many duplicates of a document are looked for, as many as
// sigs.k8s.io/json does.
const maxDuplicates = 100

// duplicates returns the paths of the keys that a YAML document gives twice.
func duplicates(text []byte) []string {
	var document yamlv3.Node
	if yamlv3.Unmarshal(text, &document) != nil {
		return nil
	}
	var paths []string
	var visit func(n *yamlv3.Node, path string)
	visit = func(n *yamlv3.Node, path string) {
		if len(paths) >= maxDuplicates {
			return
		}
		switch n.Kind {
		case yamlv3.DocumentNode:
			visit(n.Content[0], path)
		case yamlv3.SequenceNode:
			for i, item := range n.Content {
				visit(item, fmt.Sprintf("%s[%d]", path, i))
			}
		case yamlv3.MappingNode:
			seen := map[string]bool{}
			for i := 0; i+1 < len(n.Content); i += 2 {
				key := n.Content[i]
				if key.Kind == yamlv3.AliasNode {
					key = key.Alias
				}
				child := strings.TrimPrefix(path+"."+key.Value, ".")
				if seen[key.Value] && key.Value != "<<" {
					paths = append(paths, child)
				}
				seen[key.Value] = true
				visit(n.Content[i+1], child)
			}
		case yamlv3.ScalarNode, yamlv3.AliasNode: // have no keys
		}
	}
	visit(&document, "")
	return paths
}
