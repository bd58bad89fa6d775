package app

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/psp-advisor/psp-advisor/pkg/profile/podtest"
)

// fleet returns the documents of all examples.
func fleet(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("../../../examples/*/input.yaml")
	if err != nil || len(files) < 8 {
		t.Fatalf("%d examples, %v", len(files), err)
	}
	var documents []string
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		documents = append(documents, strings.Split(string(data), "\n---\n")...)
	}
	return documents
}

// treeOf writes the tree of the documents to dir and returns its files.
func treeOf(t *testing.T, dir string, documents []string, flags ...string) map[string]string {
	t.Helper()
	run(t, strings.Join(documents, "\n---\n"), append([]string{"inspect", "-f", "-", "--output-dir", dir}, flags...)...).expect(t, exitOK)
	return readTree(t, dir)
}

// changed returns the paths whose content differs.
func changed(before, after map[string]string) []string {
	var paths []string
	for path := range before {
		if before[path] != after[path] {
			paths = append(paths, path)
		}
	}
	for path := range after {
		if _, ok := before[path]; !ok {
			paths = append(paths, path)
		}
	}
	slices.Sort(paths)
	return paths
}

// TestTreeChanges edits one manifest of the fleet and expects exactly the files
// of that workload to change.
func TestTreeChanges(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name     string
		old, new string
		want     []string
	}{
		{
			"a privileged container is added",
			"      - name: nginx\n", "      - name: debug\n        image: example/debug:1\n        securityContext: {privileged: true}\n      - name: nginx\n",
			[]string{"shop/deployment.frontend.yaml"},
		},
		{"a new image tag", "example/api:1.4.0", "example/api:1.5.0", nil},
		{"more replicas", "replicas: 3", "replicas: 5", nil},
		{"a new environment variable", "value: db.shop.svc", "value: db2.shop.svc", nil},
		{"a workload under a new name", "  name: frontend\n  namespace: shop\n  labels:", "  name: front\n  namespace: shop\n  labels:", []string{"shop/deployment.front.yaml", "shop/deployment.frontend.yaml", "shop/kustomization.yaml"}},
		{"a capability of one CronJob", "                  drop:\n                  - ALL\n                readOnlyRootFilesystem", "                  add: [CHOWN]\n                  drop:\n                  - ALL\n                readOnlyRootFilesystem", []string{"database/cronjob.nightly-dump.yaml"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "policies")
			documents := fleet(t)
			before := treeOf(t, dir, documents)
			edits := 0
			for i, doc := range documents {
				// The first one only, of a workload.
				if strings.Contains(doc, tc.old) && strings.Contains(doc, "image:") && edits == 0 {
					documents[i] = strings.ReplaceAll(doc, tc.old, tc.new)
					edits++
				}
			}
			if edits == 0 {
				t.Fatal("no example has what is to change")
			}
			after := treeOf(t, dir, documents)
			if diff := cmp.Diff(tc.want, changed(before, after), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("changed files (-want +got):\n%s", diff)
			}
		})
	}
}

// TestTreeOfAnyOrder gives the documents in other orders, and some of them twice.
func TestTreeOfAnyOrder(t *testing.T) {
	t.Parallel()
	r := podtest.Rand(t)
	for _, level := range []string{"workload", "serviceaccount", "namespace", "cluster"} {
		t.Run(level, func(t *testing.T) {
			documents := fleet(t)
			want := treeOf(t, filepath.Join(t.TempDir(), "policies"), documents, "--level", level)
			for range 10 {
				r.Shuffle(len(documents), func(i, j int) { documents[i], documents[j] = documents[j], documents[i] })
				again := append(slices.Clone(documents), documents[:3]...)
				if diff := cmp.Diff(want, treeOf(t, filepath.Join(t.TempDir(), "policies"), again, "--level", level)); diff != "" {
					t.Fatalf("another order, another tree (-first +now):\n%s", diff)
				}
			}
		})
	}
}
