package cluster

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
)

// Image is a container image that holds one static binary and nothing else.
type Image struct {
	// Name is what pods write as their image. They must not pull it:
	// imagePullPolicy has to be Never or IfNotPresent.
	Name string
	// Binary is the path of the executable that becomes the entry point.
	Binary string
	// User that it runs as, such as "65532:65532". Empty means root.
	User string
}

// WriteTo writes the image in the layout of `docker save`, which every
// container engine imports.
func (i Image) WriteTo(w io.Writer) (int64, error) {
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
		"architecture": runtime.GOARCH,
		"os":           "linux",
		"config":       map[string]any{"Entrypoint": []string{"/" + name}, "User": i.User},
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
