package app

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

// TestReadmeFlags: README.md names every flag of the commands, but those of the
// connection, and no other.
func TestReadmeFlags(t *testing.T) {
	text, err := os.ReadFile("../../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	named := map[string]bool{}
	for _, match := range regexp.MustCompile("`--([a-z-]+)`").FindAllSubmatch(text, -1) {
		named[string(match[1])] = false // until a command has it
	}
	for _, cmd := range commands() {
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			if _, ok := named[f.Name]; ok {
				named[f.Name] = true
				return
			}
			_, connection := f.Annotations[connectionKey]
			if !connection && !slices.Contains([]string{"help", "version"}, f.Name) {
				t.Errorf("README.md does not name `--%s` of %s", f.Name, cmd.Name())
			}
		})
	}
	for name, exists := range named {
		if !exists && !strings.HasPrefix(name, "no-such-") {
			t.Errorf("README.md names `--%s`, which no command has", name)
		}
	}
}
