package tree

import (
	"slices"
	"strings"
)

// Scope says what the files are, and limits which of the advisor's files may be removed.
type Scope struct {
	// Namespaces that were observed; none means all. Files of other namespaces stay.
	Namespaces []string
	// Excluded namespaces, which were not observed. Their files stay.
	Excluded []string
	// Keep all files, because the observation is not complete.
	Keep bool
	// Patches is true if the files are patches of existing objects, so that the
	// kustomizations are components.
	Patches bool
}

func (s Scope) removes(file string) bool {
	if s.Keep {
		return false
	}
	namespace, _, inNamespace := strings.Cut(file, "/")
	if !inNamespace {
		return len(s.Namespaces) == 0 && len(s.Excluded) == 0
	}
	return !slices.Contains(s.Excluded, namespace) && (len(s.Namespaces) == 0 || slices.Contains(s.Namespaces, namespace))
}
