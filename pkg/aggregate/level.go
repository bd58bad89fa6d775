package aggregate

import (
	"fmt"
	"slices"
)

// Level is how far pods are taken together.
type Level string

// The levels, from the tightest policies to the fewest.
const (
	ByWorkload       Level = "workload"
	ByServiceAccount Level = "serviceaccount"
	ByNamespace      Level = "namespace"
	ByCluster        Level = "cluster"
)

// Levels lists the levels, tightest policies first.
func Levels() []Level { return []Level{ByWorkload, ByServiceAccount, ByNamespace, ByCluster} }

// ParseLevel returns the level of that name.
func ParseLevel(name string) (Level, error) {
	if l := Level(name); slices.Contains(Levels(), l) {
		return l, nil
	}
	return "", fmt.Errorf("unknown level %q: want %s, %s, %s or %s", name, ByWorkload, ByServiceAccount, ByNamespace, ByCluster)
}
