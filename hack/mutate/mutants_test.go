package main

import (
	"path/filepath"
	"testing"
)

// TestMutantsFit: every fault still fits the code that it breaks. Whether the
// conformance run catches it takes minutes; this takes none.
func TestMutantsFit(t *testing.T) {
	var all []mutant
	for _, t := range targets {
		all = append(all, t.mutants...)
	}
	for _, m := range all {
		if _, err := m.apply(filepath.Join("..", "..", m.file)); err != nil {
			t.Errorf("%s, %s: %v", m.family, m.what, err)
		}
		if m.old == m.new {
			t.Errorf("%s, %s: changes nothing", m.family, m.what)
		}
	}
}

func TestFirstFault(t *testing.T) {
	for _, tc := range []struct{ name, out, want string }{
		{"a fleet that fails", "random fleets\nFAIL fleet 3\n  denied: by policy\nFAIL fleet 4\n  changed\n", "denied: by policy"},
		{"a test that fails", "=== RUN\n--- FAIL: TestA (0.1s)\n    --- FAIL: TestA/b (0.1s)\n        a_test.go:1: random seed: run again with -seed=1\n        a_test.go:2: refused\nFAIL\n", "a_test.go:2: refused"},
		{"none", "took 3s\n", "an exit code of 1"},
		{"cut off", "FAIL fleet 3", "an exit code of 1"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := firstFault(tc.out); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}
