package cel

import (
	"fmt"
	"slices"
	"strings"
)

// AnnotationText returns the variable of the text of the permits in the annotation of
// a Namespace, as variables.text.
func AnnotationText() []Variable {
	return []Variable{{Name: "text", Expression: `namespaceObject.metadata.?annotations[?` + Quote(Key) + `].orValue("")`}}
}

// maxLiteral is the largest part of a text in one expression, in characters: an
// expression may have 100,000 code points (the limit of CEL's parser), and a quoted
// character takes ten at most.
const maxLiteral = 9_000

// LiteralText returns the variables of the text of a table that is in the policy
// itself: parts of it, and the whole as variables.text. The comments would only make it
// longer: the objects of the namespaces name the workloads.
func LiteralText(t Table) []Variable {
	var variables []Variable
	var names []string
	for part := range slices.Chunk([]rune(t.Text(false)), maxLiteral) {
		name := textName(len(variables))
		variables = append(variables, Variable{Name: name, Expression: Quote(string(part))})
		names = append(names, "variables."+name)
	}
	if len(names) == 0 {
		names = []string{`""`}
	}
	return append(variables, Variable{Name: "text", Expression: strings.Join(names, " + ")})
}

// textName is the name of the variable of a part of the text.
func textName(part int) string { return fmt.Sprintf("text%d", part) }
