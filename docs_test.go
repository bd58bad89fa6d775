package advisor_test

import (
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^#+ (.+)$`)
	made    = regexp.MustCompile("(?m)(?:`|^    )make ([a-z0-9-]+)")
	target  = regexp.MustCompile(`(?m)^([a-z0-9-]+):[^=].*?(## .*)?$`)
)

// TestDocuments: each relative link leads to a file, and to a heading in it where
// it names one; each `make X` is a target.
func TestDocuments(t *testing.T) {
	targets := targets(t)
	documents := documents(t)
	if len(documents) < 10 {
		t.Fatalf("found %d documents only", len(documents))
	}
	for _, name := range documents {
		text := read(t, name)
		for _, match := range link.FindAllStringSubmatch(text, -1) {
			u, err := url.Parse(match[1])
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			if u.Scheme != "" {
				continue // nothing outside is asked for
			}
			file := name
			if u.Path != "" {
				file = filepath.Join(filepath.Dir(name), filepath.FromSlash(u.Path))
			}
			if _, err := os.Stat(file); err != nil {
				t.Errorf("%s: the link %s leads nowhere: %v", name, match[1], err)
				continue
			}
			if u.Fragment != "" && !slices.Contains(anchors(read(t, file)), u.Fragment) {
				t.Errorf("%s: %s has no heading %q", name, file, u.Fragment)
			}
		}
		for _, match := range made.FindAllStringSubmatch(text, -1) {
			if _, ok := targets[match[1]]; !ok {
				t.Errorf("%s: the Makefile has no target %s", name, match[1])
			}
		}
	}
}

// TestHelp: `make help` lists every target, and no target is taken for a file.
func TestHelp(t *testing.T) {
	names := words(t, ".PHONY:")
	for name, help := range targets(t) {
		if help == "" {
			t.Errorf("target %s says nothing in make help", name)
		}
		if !slices.Contains(names, name) {
			t.Errorf("target %s is not in .PHONY", name)
		}
	}
	for _, name := range names {
		if _, ok := targets(t)[name]; !ok {
			t.Errorf(".PHONY names %s, which is no target", name)
		}
	}
}

// targets returns the targets of the Makefile and what help says of each.
func targets(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, match := range target.FindAllStringSubmatch(read(t, "Makefile"), -1) {
		all[match[1]] = match[2]
	}
	if len(all) < 5 {
		t.Fatalf("found %d targets only", len(all))
	}
	return all
}

// words returns the words of the line of the Makefile that begins so.
func words(t *testing.T, beginning string) []string {
	t.Helper()
	for line := range strings.Lines(read(t, "Makefile")) {
		if rest, ok := strings.CutPrefix(line, beginning+" "); ok {
			return strings.Fields(rest)
		}
	}
	t.Fatalf("the Makefile has no line %s", beginning)
	return nil
}

// documents are the Markdown files of the repository.
func documents(t *testing.T) []string {
	t.Helper()
	var names []string
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && slices.Contains([]string{".git", ".cache", "dist", "testdata"}, d.Name()) {
			return fs.SkipDir
		}
		if filepath.Ext(name) == ".md" {
			names = append(names, name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// anchors are the fragments that lead to the headings of a document.
func anchors(text string) []string {
	var list []string
	for _, match := range heading.FindAllStringSubmatch(text, -1) {
		anchor := strings.Map(func(r rune) rune {
			switch {
			case r == ' ' || r == '-':
				return '-'
			case r == '_' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z':
				return r
			}
			return -1
		}, strings.ToLower(match[1]))
		list = append(list, anchor)
	}
	return list
}

func read(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
