// Package image writes container images without a container engine. The path of
// one static Go binary enters, and an archive in the layout of `docker save`
// leaves, which every engine and registry client imports.
//
//   - The image holds the binary as its entry point and nothing else.
//   - Its platform is the one that the binary was built for.
//   - Equal images are written as equal bytes: nothing in them is a time.
//
// The layout takes three files. A library for images would do the same, but the
// tests of the main module write images, and its dependencies would be those of
// the advisor.
package image

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// Image is a container image that holds one static binary.
type Image struct {
	// Name is what pods write as their image.
	Name string
	// Binary is the path of the Go executable that becomes the entry point.
	Binary string
	// User that it runs as, such as "65532:65532". Empty means root.
	User string
	// Labels of the image's configuration.
	Labels map[string]string
}

// WriteTo writes the archive.
func (i Image) WriteTo(w io.Writer) (int64, error) {
	goos, goarch, err := platform(i.Binary)
	if err != nil {
		return 0, err
	}
	binary, err := os.ReadFile(i.Binary)
	if err != nil {
		return 0, fmt.Errorf("reading the binary of image %s: %w", i.Name, err)
	}
	name := filepath.Base(i.Binary)
	var layer bytes.Buffer
	if err := writeTar(&layer, file{name, 0o755, binary}); err != nil {
		return 0, fmt.Errorf("writing the layer of image %s: %w", i.Name, err)
	}
	config, err := json.Marshal(map[string]any{
		"architecture": goarch,
		"os":           goos,
		"config":       map[string]any{"Entrypoint": []string{"/" + name}, "User": i.User, "Labels": i.Labels},
		"rootfs":       map[string]any{"type": "layers", "diff_ids": []string{fmt.Sprintf("sha256:%x", sha256.Sum256(layer.Bytes()))}},
	})
	if err != nil {
		return 0, fmt.Errorf("encoding the configuration of image %s: %w", i.Name, err)
	}
	manifest, err := json.Marshal([]map[string]any{{
		"Config": "config.json", "RepoTags": []string{i.Name}, "Layers": []string{"layer.tar"},
	}})
	if err != nil {
		return 0, fmt.Errorf("encoding the manifest of image %s: %w", i.Name, err)
	}
	var archive bytes.Buffer
	err = writeTar(&archive,
		file{"manifest.json", 0o644, manifest}, file{"config.json", 0o644, config}, file{"layer.tar", 0o644, layer.Bytes()})
	if err != nil {
		return 0, fmt.Errorf("writing image %s: %w", i.Name, err)
	}
	return archive.WriteTo(w)
}

// platform reads from a Go binary what it was built for.
func platform(binary string) (goos, goarch string, err error) {
	info, err := buildinfo.ReadFile(binary)
	if err != nil {
		return "", "", fmt.Errorf("reading the platform of %s: %w", binary, err)
	}
	for _, setting := range info.Settings {
		switch setting.Key {
		case "GOOS":
			goos = setting.Value
		case "GOARCH":
			goarch = setting.Value
		}
	}
	if goos != "linux" {
		return "", "", fmt.Errorf("reading the platform of %s: it is for %s/%s: build it with GOOS=linux", binary, goos, goarch)
	}
	return goos, goarch, nil
}

type file struct {
	name string
	mode int64
	data []byte
}

func writeTar(w io.Writer, files ...file) error {
	archive := tar.NewWriter(w)
	for _, f := range files {
		if err := archive.WriteHeader(&tar.Header{Name: f.name, Mode: f.mode, Size: int64(len(f.data))}); err != nil {
			return fmt.Errorf("writing the header of %s: %w", f.name, err)
		}
		if _, err := archive.Write(f.data); err != nil {
			return fmt.Errorf("writing %s: %w", f.name, err)
		}
	}
	return archive.Close()
}
