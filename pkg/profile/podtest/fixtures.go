package podtest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/yaml"
)

// Fixture is a pod of the tests of k8s.io/pod-security-admission.
type Fixture struct {
	// Name is its path.
	Name string
	// Level and Minor that the verdict is for.
	Level string
	Minor int
	// Admitted is upstream's verdict.
	Admitted bool
	Pod      *corev1.Pod
}

// Fixtures returns the fixtures for the minors from first on, in the order of their
// names.
func Fixtures(t testing.TB, first int) []Fixture {
	t.Helper()
	const module = "k8s.io/pod-security-admission"
	dir, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", module).Output()
	if err != nil {
		t.Fatalf("looking for the module %s: %v", module, err)
	}
	files, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(dir)), "test", "testdata", "*", "*", "*", "*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var list []Fixture
	for _, file := range files {
		parts := strings.Split(filepath.ToSlash(file), "/")
		parts = parts[len(parts)-4:] // LEVEL/vVERSION/pass/NAME
		f := Fixture{Name: strings.Join(parts, "/"), Level: parts[0], Admitted: parts[2] == "pass", Pod: &corev1.Pod{}}
		if _, err := fmt.Sscanf(parts[1], "v1.%d", &f.Minor); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		if f.Minor < first {
			continue
		}
		data, err := os.ReadFile(file) //nolint:gosec // a file of the module
		if err != nil {
			t.Fatal(err)
		}
		if err := yaml.UnmarshalStrict(data, f.Pod); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		list = append(list, f)
	}
	if len(list) < 1000 {
		t.Fatalf("%d fixtures only", len(list))
	}
	return list
}
