package app

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/psp-advisor/psp-advisor/pkg/profile"
)

// README.md shows how each engine restricts each attribute of pods, and the help names
// what they cannot restrict.
func TestRestrictions(t *testing.T) {
	text, err := os.ReadFile("../../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	table := restrictionTable(engines())
	if !strings.Contains(string(text), table) {
		t.Errorf("README.md does not show this table:\n%s", table)
	}
	for _, cell := range []string{exact, wider, notAtAll} {
		if !strings.Contains(table, "| "+cell+" |") {
			t.Errorf("nothing is restricted %q", cell)
		}
	}
	for attribute := range titles {
		if !slices.Contains(profile.Attributes(), attribute) {
			t.Errorf("%s is no attribute", attribute)
		}
	}
	help := limits(engines())
	for _, e := range engines() {
		for _, attribute := range e.build(engineOptions{}).Inexpressible {
			if !strings.Contains(strings.Join(strings.Fields(help), " "), titleOf(attribute)) {
				t.Errorf("the help does not name %s of %s", attribute, e.name)
			}
		}
	}
	for line := range strings.Lines(help) {
		if len(line) > 101 {
			t.Errorf("the help has a line of %d characters", len(line))
		}
	}
	if n := strings.Count(table, "\n"); n != len(profile.Attributes())+2 {
		t.Errorf("the table has %d lines", n)
	}
}
