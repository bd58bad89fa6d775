package image_test

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/psp-advisor/psp-advisor/hack/image"
)

func TestWriteTo(t *testing.T) {
	own, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	binary, err := os.ReadFile(own)
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name     string
		old, new string // in the binary's build information, of equal length
		arch     string
		err      string
	}{
		{name: "own platform", arch: runtime.GOARCH},
		{name: "another architecture", old: "GOARCH=" + runtime.GOARCH, new: "GOARCH=mips9", arch: "mips9"},
		{name: "another system", old: "GOOS=linux", new: "GOOS=plan9", err: "it is for plan9/" + runtime.GOARCH + ": build it with GOOS=linux"},
		{name: "no Go binary", old: "\xff Go buildinf:", new: "\xff No buildinf:", err: "reading the platform of"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if len(tc.old) != len(tc.new) {
				t.Skipf("NOT RUN: %q cannot stand in place of %q", tc.new, tc.old)
			}
			path := filepath.Join(t.TempDir(), "program")
			data := binary
			if tc.old != "" {
				data = bytes.ReplaceAll(binary, []byte(tc.old), []byte(tc.new))
			}
			if err := os.WriteFile(path, data, 0o600); err != nil {
				t.Fatal(err)
			}
			i := image.Image{Name: "program:test", Binary: path, User: "1:2", Labels: map[string]string{"a": "b"}}
			var archive, again bytes.Buffer
			_, err := i.WriteTo(&archive)
			if tc.err != "" {
				if err == nil || !strings.Contains(err.Error(), tc.err) {
					t.Fatalf("got error %v, want %q", err, tc.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if _, err := i.WriteTo(&again); err != nil || !bytes.Equal(archive.Bytes(), again.Bytes()) {
				t.Errorf("written again, the image differs: %v", err)
			}
			files := untar(t, archive.Bytes())
			layer := untar(t, files["layer.tar"])
			if !bytes.Equal(layer["program"], data) || len(layer) != 1 {
				t.Errorf("the layer holds %d files, want the program only", len(layer))
			}
			want := map[string]any{
				"architecture": tc.arch,
				"os":           "linux",
				"config":       map[string]any{"Entrypoint": []any{"/program"}, "User": "1:2", "Labels": map[string]any{"a": "b"}},
				"rootfs":       map[string]any{"type": "layers", "diff_ids": []any{fmt.Sprintf("sha256:%x", sha256.Sum256(files["layer.tar"]))}},
			}
			if d := cmp.Diff(want, decode[map[string]any](t, files["config.json"])); d != "" {
				t.Errorf("configuration (-want +got):\n%s", d)
			}
			manifest := []map[string]any{{"Config": "config.json", "RepoTags": []any{"program:test"}, "Layers": []any{"layer.tar"}}}
			if d := cmp.Diff(manifest, decode[[]map[string]any](t, files["manifest.json"])); d != "" {
				t.Errorf("manifest (-want +got):\n%s", d)
			}
		})
	}
}

// TestDockerfile: the image of `make image` is the one that the Dockerfile
// describes.
func TestDockerfile(t *testing.T) {
	text, err := os.ReadFile("../../Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	i := image.Advisor("psp-advisor:latest", "bin/advisor", "${VERSION}", "${REVISION}")
	labels := map[string]string{}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(line), "LABEL "), ` \`)
		if key, value, ok := strings.Cut(line, "="); ok && strings.HasPrefix(key, "org.opencontainers.") {
			labels[key] = strings.Trim(value, `"`)
		}
	}
	if d := cmp.Diff(i.Labels, labels); d != "" {
		t.Errorf("labels (-image +Dockerfile):\n%s", d)
	}
	for _, line := range []string{"USER " + i.User, fmt.Sprintf("ENTRYPOINT [%q]", "/"+filepath.Base(i.Binary)), "FROM scratch"} {
		if !strings.Contains(string(text), "\n"+line+"\n") {
			t.Errorf("the Dockerfile has no line %q", line)
		}
	}
}

func untar(t *testing.T, archive []byte) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	reader := tar.NewReader(bytes.NewReader(archive))
	for {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		if files[header.Name], err = io.ReadAll(reader); err != nil {
			t.Fatal(err)
		}
	}
}

func decode[T any](t *testing.T, data []byte) T {
	t.Helper()
	var value T
	if err := json.Unmarshal(data, &value); err != nil {
		t.Fatal(err)
	}
	return value
}
