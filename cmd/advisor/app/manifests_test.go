package app

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/psp-advisor/psp-advisor/pkg/observe"
)

// The dump that README.md shows has all kinds that are read from a cluster: all
// that are read from files but PodTemplate, of which no controller makes pods.
func TestReadmeDump(t *testing.T) {
	text, err := os.ReadFile("../../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	match := regexp.MustCompile(`kubectl get ([a-z,]+) --namespace shop --output yaml \| advisor inspect -f -`).FindSubmatch(text)
	if match == nil {
		t.Fatal("README.md shows no dump")
	}
	got := strings.Split(string(match[1]), ",")
	slices.Sort(got)
	var want []string
	for _, kind := range observe.Kinds() {
		if kind != "PodTemplate" {
			want = append(want, strings.ToLower(kind)+"s")
		}
	}
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("kinds in the dump (-want +got):\n%s", diff)
	}
}
