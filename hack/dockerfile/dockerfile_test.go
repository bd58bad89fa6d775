// Package dockerfile_test reads the repository's Dockerfile as BuildKit does.
package dockerfile_test

import (
	"os"
	"regexp"
	"testing"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

// pinned is an image whose content cannot change.
var pinned = regexp.MustCompile(`^[a-z.]+:[a-z0-9.]+@sha256:[0-9a-f]{64}$`)

func TestDockerfile(t *testing.T) {
	file, err := os.Open("../../Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	parsed, err := parser.Parse(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range parsed.Warnings {
		t.Errorf("warning: %s", w.Short)
	}
	stages, arguments, err := instructions.Parse(parsed.AST, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(stages) != 2 || stages[0].BaseName != "${GO_IMAGE}" || stages[0].Platform != "$BUILDPLATFORM" || stages[1].BaseName != "scratch" {
		t.Errorf("stages are %+v, want one that builds for every platform, and the image from scratch", stages)
	}
	if len(arguments) != 1 || len(arguments[0].Args) != 1 || arguments[0].Args[0].Key != "GO_IMAGE" {
		t.Fatalf("arguments before the stages are %+v, want GO_IMAGE", arguments)
	}
	if image := arguments[0].Args[0].ValueString(); !pinned.MatchString(image) {
		t.Errorf("GO_IMAGE is %s, want one pinned by digest", image)
	}
}
