package browser_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// axe-core is fetched by the client of its registry, since it is of no use elsewhere.
const (
	axeVersion = "4.14.1"
	axeArchive = "e6b0ce02b84d892e2e33e403485e7f3d6c29e2be6df65daf44d89ba564139745"
)

// axe returns the script of axe-core.
func axe(t *testing.T) string {
	t.Helper()
	if browser == nil {
		t.Skip("NOT RUN: axe-core, since there is no Chromium")
	}
	cache, err := filepath.Abs("../../.cache/axe")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(cache, "axe-core-"+axeVersion+".tgz")
	if _, err := os.Stat(file); err != nil {
		if err := os.MkdirAll(cache, 0o755); err != nil {
			t.Fatal(err)
		}
		command := exec.CommandContext(t.Context(), "npm", "pack", "--silent", "--pack-destination", cache, "axe-core@"+axeVersion)
		command.Dir = cache
		if out, err := command.CombinedOutput(); err != nil {
			t.Logf("%s", out)
			t.Skip("NOT RUN: axe-core, which npm cannot fetch")
		}
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprintf("%x", sha256.Sum256(data)); got != axeArchive {
		t.Fatalf("the SHA-256 of %s is %s, want %s", file, got, axeArchive)
	}
	unzipped, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	for archive := tar.NewReader(unzipped); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			t.Fatal("the archive has no axe.min.js")
		}
		if err != nil {
			t.Fatal(err)
		}
		if header.Name == "package/axe.min.js" {
			script, err := io.ReadAll(archive)
			if err != nil {
				t.Fatal(err)
			}
			return string(script)
		}
	}
}
