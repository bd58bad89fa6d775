package manifest

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Objects of any kind are visited in order, and items of Lists for themselves.
func TestVisit(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"a.yaml": "apiVersion: v1\nkind: Pod\nmetadata: {name: pod}\n---\napiVersion: policy/v1beta1\nkind: PodSecurityPolicyList\nitems:\n- metadata: {name: item}\n",
		"b.json": `{"apiVersion":"v1","kind":"List","items":[{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"map"}}]}`,
		"c.txt":  "no manifest",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	visit := func(o Object) error {
		var meta struct {
			metav1.ObjectMeta `json:"metadata"`
		}
		err := o.Decode(&meta)
		got = append(got, o.Type.Kind+" "+meta.Name)
		return err
	}
	if err := Visit(t.Context(), []string{dir}, Options{}, visit); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"Pod pod", "PodSecurityPolicy item", "ConfigMap map"}, got); diff != "" {
		t.Errorf("objects (-want +got):\n%s", diff)
	}
	err := Visit(t.Context(), []string{filepath.Join(dir, "a.yaml")}, Options{}, func(o Object) error {
		if o.Type.Kind == "Pod" {
			return nil
		}
		return errors.New("wrong")
	})
	if err == nil || !strings.Contains(err.Error(), "a.yaml: document 2 (line 4): items[0]: wrong") {
		t.Errorf("error %v", err)
	}
}
