// Package advisor_test holds what must be true of the repository as a whole.
package advisor_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/psp-advisor/psp-advisor/"

// imports says what each package may import besides the standard library: the
// packages named, and what lies below them. Data flows one way, from what
// observes to what writes. The last element * stands for any package there that has
// no row of its own.
var imports = map[string][]string{
	"pkg/printable":       {},
	"pkg/podsecurity":     {"k8s.io/api/core/v1", "k8s.io/apimachinery/pkg/apis/meta/v1", "k8s.io/pod-security-admission"},
	"pkg/privilege":       {"k8s.io/api/core/v1"},
	"pkg/profile":         {module + "pkg/podsecurity", module + "pkg/privilege", "k8s.io/api/core/v1", "sigs.k8s.io/json"},
	"pkg/profile/podtest": {"k8s.io/api/core/v1", "k8s.io/apimachinery"},
	"pkg/aggregate":       {module + "pkg/profile"},
	"pkg/finding": {
		module + "pkg/aggregate", module + "pkg/privilege", module + "pkg/profile", "k8s.io/apimachinery/pkg/runtime/schema",
	},
	"pkg/image": {
		module + "pkg/printable", module + "pkg/privilege",
		"github.com/google/go-containerregistry/pkg", "github.com/klauspost/compress/zstd", "github.com/moby/buildkit/frontend/dockerfile",
	},
	"pkg/apierror": {"k8s.io/apimachinery/pkg/api/errors", "k8s.io/apimachinery/pkg/util/net"},
	"pkg/observe": {
		module + "pkg/aggregate", module + "pkg/apierror", module + "pkg/podsecurity", module + "pkg/printable", module + "pkg/privilege", module + "pkg/profile",
		"k8s.io/api", "k8s.io/apimachinery", "k8s.io/pod-security-admission/api", "sigs.k8s.io/json",
	},
	"pkg/observe/manifest": {
		module + "pkg/aggregate", module + "pkg/observe", module + "pkg/profile",
		"go.yaml.in/yaml/v2", "go.yaml.in/yaml/v3", "k8s.io/api", "k8s.io/apimachinery",
		"sigs.k8s.io/json", "sigs.k8s.io/kustomize", "sigs.k8s.io/yaml",
	},
	"pkg/observe/cluster/wire": {"google.golang.org/protobuf/encoding/protowire", "k8s.io/apimachinery/pkg/apis/meta/v1", "k8s.io/apimachinery/pkg/runtime"},
	"pkg/observe/cluster": {
		module + "pkg/aggregate", module + "pkg/apierror", module + "pkg/observe", module + "pkg/observe/cluster/wire", module + "pkg/profile",
		"github.com/klauspost/compress/gzip", "k8s.io/api", "k8s.io/apimachinery", "k8s.io/client-go",
	},
	"pkg/generate": {
		module + "pkg/aggregate", module + "pkg/printable", module + "pkg/profile",
		"go.yaml.in/yaml/v3", "k8s.io/apimachinery/pkg/apis/meta/v1", "k8s.io/apimachinery/pkg/runtime", "k8s.io/apimachinery/pkg/util/validation", "sigs.k8s.io/json",
	},
	"pkg/generate/psp": {
		module + "pkg/aggregate", module + "pkg/generate", module + "pkg/printable", module + "pkg/privilege", module + "pkg/profile",
		"k8s.io/api", "k8s.io/apimachinery",
	},
	"pkg/generate/cel": {
		"k8s.io/api/admissionregistration/v1", "k8s.io/apimachinery/pkg/apis/meta/v1",
		module + "pkg/aggregate", module + "pkg/generate", module + "pkg/privilege", module + "pkg/profile",
	},
	"pkg/generate/cel/celtest": {
		module + "pkg/aggregate", module + "pkg/generate", module + "pkg/profile", module + "pkg/profile/podtest", "k8s.io/api/core/v1",
	},
	// The engines around the core of package cel: never each other.
	"pkg/generate/*": {
		module + "pkg/aggregate", module + "pkg/generate", module + "pkg/generate/cel",
		"k8s.io/api/admissionregistration/v1", "k8s.io/apimachinery",
	},
	"pkg/generate/psa": {
		module + "pkg/aggregate", module + "pkg/generate", module + "pkg/podsecurity", module + "pkg/privilege", module + "pkg/profile",
		"k8s.io/api/core/v1", "k8s.io/apimachinery", "k8s.io/pod-security-admission/api",
	},
	"pkg/tree": {
		module + "pkg/generate", module + "pkg/printable",
		"github.com/rogpeppe/go-internal/diff", "sigs.k8s.io/yaml",
	},
	"pkg/diff": {
		module + "pkg/aggregate", module + "pkg/observe", module + "pkg/printable", module + "pkg/privilege", module + "pkg/profile", module + "pkg/sarif",
	},
	"pkg/sarif": {
		module + "pkg/printable", module + "pkg/privilege",
		"github.com/owenrumney/go-sarif/v3/pkg/report/v210/sarif",
	},
	"pkg/report": {
		module + "pkg/aggregate", module + "pkg/finding", module + "pkg/generate", module + "pkg/image", module + "pkg/observe", module + "pkg/podsecurity", module + "pkg/printable",
		module + "pkg/privilege", module + "pkg/profile", module + "pkg/sarif", "golang.org/x/text/width", "k8s.io/apimachinery/pkg/runtime/schema", "k8s.io/apimachinery/pkg/util/validation",
	},
	"pkg/report/html": {
		module + "pkg/finding", module + "pkg/printable", module + "pkg/privilege", module + "pkg/profile", module + "pkg/report",
	},
	"pkg/publish": {
		module + "pkg/aggregate", module + "pkg/apierror", module + "pkg/generate", module + "pkg/observe", module + "pkg/printable", module + "pkg/report",
		"k8s.io/api", "k8s.io/apimachinery", "k8s.io/client-go",
	},
	"pkg/apitest": {"k8s.io/api", "k8s.io/apimachinery", "k8s.io/client-go/rest", "sigs.k8s.io/yaml"},
	"pkg/controller": {
		module + "pkg/aggregate", module + "pkg/observe", module + "pkg/publish", module + "pkg/report",
		"github.com/prometheus/client_golang/prometheus", "k8s.io/client-go", "k8s.io/klog/v2",
	},
	"cmd/advisor": {module + "cmd/advisor/app"},
	"cmd/advisor/app": {
		module + "pkg/diff", module + "pkg/aggregate", module + "pkg/apierror", module + "pkg/controller", module + "pkg/generate", module + "pkg/generate/*", module + "pkg/observe", module + "pkg/observe/cluster", module + "pkg/observe/manifest",
		module + "pkg/finding", module + "pkg/image", module + "pkg/printable", module + "pkg/privilege", module + "pkg/profile", module + "pkg/publish", module + "pkg/report", module + "pkg/report/html", module + "pkg/tree",
		"github.com/klauspost/compress/s2", "github.com/spf13/cobra", "github.com/spf13/pflag", "golang.org/x/term",
		"k8s.io/apimachinery", "k8s.io/cli-runtime", "k8s.io/client-go", "k8s.io/klog/v2", "sigs.k8s.io/yaml",
	},
}

// exact are packages that hold for themselves alone, not for what lies below
// them: nobody but the command knows an engine.
var exact = []string{module + "pkg/generate", module + "pkg/observe", module + "pkg/profile", module + "pkg/publish"}

// forTests are packages that only tests import, and each other.
var forTests = []string{"pkg/profile/podtest", "pkg/apitest", "pkg/generate/cel/celtest"}

func TestImports(t *testing.T) {
	for file, imported := range sources(t) {
		folder := path.Dir(file)
		if !strings.HasPrefix(folder, "pkg/") && !strings.HasPrefix(folder, "cmd/") {
			continue // tools of the repository
		}
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		allowed, ok := imports[folder]
		if !ok {
			allowed, ok = imports[path.Dir(folder)+"/*"]
		}
		if !ok {
			t.Errorf("%s has no row in the table of imports", folder)
			continue
		}
		for _, p := range imported {
			if !standard(p) && !slices.ContainsFunc(allowed, func(a string) bool {
				return p == a || path.Dir(p)+"/*" == a || below(p, a) && !slices.Contains(exact, a)
			}) {
				t.Errorf("%s must not import %s", file, p)
			}
			if slices.Contains(forTests, strings.TrimPrefix(p, module)) && !slices.Contains(forTests, folder) {
				t.Errorf("%s must not import %s, which is for tests", file, p)
			}
		}
	}
}

// What holds for tests and tools too.
func TestImportsEverywhere(t *testing.T) {
	for file, imported := range sources(t) {
		for _, p := range imported {
			switch {
			case (below(p, "github.com/spf13/cobra") || below(p, "github.com/spf13/pflag")) && strings.HasPrefix(file, "pkg/"):
				t.Errorf("%s imports %s: commands live in cmd", file, p)
			case below(p, "github.com/stretchr/testify"), below(p, "github.com/onsi"):
				t.Errorf("%s imports %s: tests say what they mean in Go", file, p)
			case below(p, module+"hack") && !strings.HasPrefix(file, "hack/"):
				t.Errorf("%s imports %s: the tools need the program, not the other way round", file, p)
			}
		}
	}
}

func TestPackageNames(t *testing.T) {
	for file := range sources(t) {
		for part := range strings.SplitSeq(path.Dir(file), "/") {
			if slices.Contains([]string{"util", "utils", "common", "types", "helpers", "misc"}, part) {
				t.Errorf("%s: the name %s says nothing", file, part)
			}
		}
	}
}

// sources returns the imports of each Go file of the repository.
func sources(t *testing.T) map[string][]string {
	t.Helper()
	files := map[string][]string{}
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && name != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata"):
			return fs.SkipDir
		case d.IsDir() || filepath.Ext(name) != ".go":
			return nil
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		slash := filepath.ToSlash(name)
		files[slash] = []string{}
		for _, i := range parsed.Imports {
			p, err := strconv.Unquote(i.Path.Value)
			if err != nil {
				return err
			}
			files[slash] = append(files[slash], p)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 50 {
		t.Fatalf("found %d Go files only", len(files))
	}
	return files
}

// standard reports whether p is of the standard library: the others begin with
// the name of a host.
func standard(p string) bool {
	first, _, _ := strings.Cut(p, "/")
	return !strings.Contains(first, ".")
}

// below reports whether p is parent or lies below it.
func below(p, parent string) bool { return p == parent || strings.HasPrefix(p, parent+"/") }
