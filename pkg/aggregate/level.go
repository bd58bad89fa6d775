package aggregate

import (
	"fmt"
	"slices"
)

// Level is what the pods of a group have in common.
type Level string

// The levels, from the tightest policies to the fewest policies.
const (
	ByWorkload       Level = "workload"
	ByServiceAccount Level = "serviceaccount"
	ByNamespace      Level = "namespace"
	ByCluster        Level = "cluster"
)

// Levels returns the levels, tightest policies first.
func Levels() []Level { return []Level{ByWorkload, ByServiceAccount, ByNamespace, ByCluster} }

// ParseLevel returns the level with that name.
func ParseLevel(name string) (Level, error) {
	if l := Level(name); slices.Contains(Levels(), l) {
		return l, nil
	}
	return "", fmt.Errorf("unknown level %q: want %s, %s, %s or %s", name, ByWorkload, ByServiceAccount, ByNamespace, ByCluster)
}
