package tree

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"
)

const kustomization = "kustomization.yaml"

func isKustomization(file string) bool {
	return file == kustomization || strings.HasSuffix(file, "/"+kustomization)
}

// kustomizationFile is a kustomization.yaml.
type kustomizationFile struct {
	APIVersion string   `json:"apiVersion"`
	Kind       string   `json:"kind"`
	Resources  []string `json:"resources,omitempty"`
	Components []string `json:"components,omitempty"`
	Patches    []patch  `json:"patches,omitzero"` // an empty list is written
}

type patch struct {
	Path string `json:"path"`
}

// addKustomizations adds a kustomization.yaml to the top and to each directory, which
// lists the other files and directories there: as resources, or as patches of a
// component, which other kustomizations include. The component at the top is there even if
// it has none, because who includes it fails without it.
func addKustomizations(files Files, patches bool) error {
	in, below := map[string][]string{}, map[string]bool{}
	for file := range files {
		dir, name, inDir := strings.Cut(file, "/")
		if !inDir {
			dir, name = "", file
		} else {
			below[dir] = true
		}
		in[dir] = append(in[dir], name)
	}
	dirs := slices.Sorted(maps.Keys(below))
	for _, dir := range append(dirs, "") {
		list := in[dir]
		slices.Sort(list)
		k := kustomizationFile{APIVersion: "kustomize.config.k8s.io/v1beta1", Kind: "Kustomization", Resources: list}
		if patches {
			k = kustomizationFile{APIVersion: "kustomize.config.k8s.io/v1alpha1", Kind: "Component"}
			for _, name := range list {
				k.Patches = append(k.Patches, patch{name})
			}
		}
		file := dir + "/" + kustomization
		if dir == "" {
			file = kustomization
			if patches {
				k.Components = dirs
			} else {
				k.Resources = append(k.Resources, dirs...)
				slices.Sort(k.Resources)
			}
		}
		if len(k.Resources)+len(k.Components)+len(k.Patches) == 0 {
			if !patches {
				continue
			}
			k.Patches = []patch{} // kustomize rejects a file without a list
		}
		doc, err := yaml.Marshal(k)
		if err != nil {
			return fmt.Errorf("writing kustomization: %w", err)
		}
		files[file] = append([]byte(mark), doc...)
	}
	return nil
}
