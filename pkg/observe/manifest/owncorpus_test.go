package manifest

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/psp-advisor/psp-advisor/pkg/aggregate"
	"github.com/psp-advisor/psp-advisor/pkg/observe"
	"github.com/psp-advisor/psp-advisor/pkg/profile"
)

var update = flag.Bool("update", false, "rewrite testdata/observed")

// TestOwnCorpus compares what is observed of the manifests in testdata/corpus with
// the documents in testdata/observed.
func TestOwnCorpus(t *testing.T) {
	files, err := filepath.Glob("testdata/corpus/*")
	if err != nil || len(files) < 12 {
		t.Fatalf("%d manifests, %v", len(files), err)
	}
	var goldens []string
	for _, file := range files {
		name := filepath.Base(file)
		golden := filepath.Join("testdata", "observed", strings.TrimSuffix(name, filepath.Ext(name))+".json")
		goldens = append(goldens, golden)
		t.Run(name, func(t *testing.T) {
			obs, err := Read(t.Context(), []string{file}, Options{SkipInvalid: true}, everything)
			if err != nil {
				t.Fatal(err)
			}
			got, err := observe.Encode(obs)
			if err != nil {
				t.Fatal(err)
			}
			if *update {
				if err := os.WriteFile(golden, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(got)); diff != "" {
				t.Errorf("observed, run go test ./pkg/observe/manifest -update (-want +got):\n%s", diff)
			}
		})
	}
	existing, err := filepath.Glob("testdata/observed/*")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(goldens, existing); diff != "" {
		t.Errorf("documents of manifests (-want +existing):\n%s", diff)
	}
}

// Of each attribute of a profile, the manifests have a value that is set.
func TestOwnCorpusIsComplete(t *testing.T) {
	obs, err := Read(t.Context(), []string{"testdata/corpus"}, Options{SkipInvalid: true}, everything)
	if err != nil {
		t.Fatal(err)
	}
	all := aggregate.Groups(obs.Members, aggregate.ByCluster, nil)[0].Profile()
	for _, name := range profile.Attributes() {
		values := slices.DeleteFunc(all.Text(name), func(text string) bool {
			return slices.Contains([]string{"unset", "none", "false", "pod unset; containers unset"}, text)
		})
		if len(values) == 0 {
			t.Errorf("%s is set nowhere", name)
		}
	}
}
