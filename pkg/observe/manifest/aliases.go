package manifest

import (
	"errors"
	"regexp"

	yamlv3 "go.yaml.in/yaml/v3"
)

// A document with its aliases expanded may be expandedFactor times as large as
// its text, and expandedSize more. The parser itself bounds the number of values
// but not their size.
const (
	expandedFactor = 10
	expandedSize   = 16 << 20
)

// anchored and aliased find what may be an anchor and an alias; few documents
// have both.
var (
	anchored = regexp.MustCompile(`&[0-9A-Za-z_-]`)
	aliased  = regexp.MustCompile(`\*[0-9A-Za-z_-]`)
)

// checkAliases returns an error for a document that is too large with its aliases
// expanded. It does not expand them: the size of what an anchor names is computed
// once.
func checkAliases(text []byte) error {
	if !aliased.Match(text) || !anchored.Match(text) {
		return nil
	}
	var document yamlv3.Node
	if err := yamlv3.Unmarshal(text, &document); err != nil {
		return err
	}
	limit := expandedFactor*len(text) + expandedSize
	if (expansion{limit: limit, sizes: map[*yamlv3.Node]int{}}).size(&document) > limit {
		return errors.New("the aliases make the document too large")
	}
	return nil
}

// expansion computes sizes up to a limit, which none exceeds by more than 1.
type expansion struct {
	limit int
	// sizes are those of the values that have an anchor.
	sizes map[*yamlv3.Node]int
}

func (e expansion) size(n *yamlv3.Node) int {
	if n.Kind == yamlv3.AliasNode {
		// An anchor stands before its aliases, so its size is known; of a value
		// that contains itself it is not, and the parser refuses that.
		return e.sizes[n.Alias]
	}
	total := 1 + len(n.Value)
	for _, child := range n.Content {
		total = min(total+e.size(child), e.limit+1)
	}
	if n.Anchor != "" {
		e.sizes[n] = total
	}
	return total
}
