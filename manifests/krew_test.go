package manifests_test

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"text/template"

	gocmp "github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"
)

// plugin is krew's v1alpha2 Plugin, of which it requires all but the caveats.
type plugin struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Metadata   struct {
		Name string `json:"name"`
	} `json:"metadata"`
	Spec struct {
		Version          string     `json:"version"`
		Homepage         string     `json:"homepage"`
		ShortDescription string     `json:"shortDescription"`
		Description      string     `json:"description"`
		Caveats          string     `json:"caveats"`
		Platforms        []platform `json:"platforms"`
	} `json:"spec"`
}

type platform struct {
	Selector struct {
		MatchLabels map[string]string `json:"matchLabels"`
	} `json:"selector"`
	URI    string `json:"uri"`
	SHA256 string `json:"sha256"`
	Bin    string `json:"bin"`
	Files  []struct {
		From string `json:"from"`
		To   string `json:"to"`
	} `json:"files"`
}

// release is what .goreleaser.yaml says of the archives.
type release struct {
	Builds []struct {
		Binary string   `json:"binary"`
		GOOS   []string `json:"goos"`
		GOARCH []string `json:"goarch"`
	} `json:"builds"`
	Archives []struct {
		Formats         []string `json:"formats"`
		FormatOverrides []struct {
			GOOS    string   `json:"goos"`
			Formats []string `json:"formats"`
		} `json:"format_overrides"`
		NameTemplate string `json:"name_template"`
		Files        []struct {
			Src string `json:"src"`
		} `json:"files"`
		WrapInDirectory bool `json:"wrap_in_directory"`
	} `json:"archives"`
}

// TestKrew: the plugin's manifest names the archives that a release has, and the
// files in them.
func TestKrew(t *testing.T) {
	data, err := os.ReadFile("krew/advisor.yaml")
	if err != nil {
		t.Fatal(err)
	}
	p := decode[plugin](t, data)
	if p.APIVersion != "krew.googlecontainertools.github.com/v1alpha2" || p.Kind != "Plugin" || p.Metadata.Name != "advisor" {
		t.Errorf("got %s %s %s, want the plugin advisor", p.APIVersion, p.Kind, p.Metadata.Name)
	}
	if !regexp.MustCompile(`^v\d+\.\d+\.\d+$`).MatchString(p.Spec.Version) {
		t.Errorf("version is %q", p.Spec.Version)
	}
	if p.Spec.Homepage == "" || p.Spec.Description == "" || p.Spec.ShortDescription == "" || len(p.Spec.ShortDescription) > 50 {
		t.Errorf("krew requires a home page, a description, and one of at most 50 characters: %q, %q, %q",
			p.Spec.Homepage, p.Spec.Description, p.Spec.ShortDescription)
	}

	data, err = os.ReadFile("../.goreleaser.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var r release
	if err := yaml.Unmarshal(data, &r); err != nil {
		t.Fatal(err)
	}
	if len(r.Builds) != 1 || len(r.Archives) != 1 || r.Archives[0].WrapInDirectory {
		t.Fatalf("the release has %d builds and %d archives, want one each, with the files at the top", len(r.Builds), len(r.Archives))
	}
	build, archive := r.Builds[0], r.Archives[0]
	name := template.Must(template.New("").Parse(archive.NameTemplate))
	inArchive := []string{build.Binary, build.Binary + ".exe"}
	for _, f := range archive.Files {
		inArchive = append(inArchive, f.Src)
	}

	type row struct{ os, arch, uri, bin string }
	var want, got []row
	for _, goos := range build.GOOS {
		for _, goarch := range build.GOARCH {
			format, bin := archive.Formats[0], build.Binary
			for _, o := range archive.FormatOverrides {
				if o.GOOS == goos {
					format = o.Formats[0]
				}
			}
			if goos == "windows" {
				bin += ".exe"
			}
			var file strings.Builder
			if err := name.Execute(&file, map[string]string{"Os": goos, "Arch": goarch}); err != nil {
				t.Fatal(err)
			}
			want = append(want, row{goos, goarch, fmt.Sprintf(
				"https://github.com/psp-advisor/psp-advisor/releases/download/%s/%s.%s", p.Spec.Version, &file, format), bin})
		}
	}
	for _, platform := range p.Spec.Platforms {
		labels := platform.Selector.MatchLabels
		got = append(got, row{labels["os"], labels["arch"], platform.URI, platform.Bin})
		if !regexp.MustCompile(`^[0-9a-f]{64}$`).MatchString(platform.SHA256) {
			t.Errorf("sha256 of %s is %q", platform.URI, platform.SHA256)
		}
		var taken []string
		for _, f := range platform.Files {
			if !slices.Contains(inArchive, f.From) || f.To != "." {
				t.Errorf("%s has no file %s to take to %q", platform.URI, f.From, f.To)
			}
			taken = append(taken, f.From)
		}
		if !slices.Contains(taken, platform.Bin) || !slices.Contains(taken, "LICENSE") {
			t.Errorf("of %s, krew takes %q, want the binary and the license", platform.URI, taken)
		}
	}
	if d := gocmp.Diff(want, got, gocmp.AllowUnexported(row{})); d != "" {
		t.Errorf("platforms (-release +krew):\n%s", d)
	}
}
