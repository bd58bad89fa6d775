package tree

import (
	"fmt"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"
)

const kustomization = "kustomization.yaml"

func isKustomization(file string) bool {
	return file == kustomization || strings.HasSuffix(file, "/"+kustomization)
}

// addKustomizations adds a kustomization.yaml to the top and to each directory, which
// lists the other files and directories there.
func addKustomizations(files Files) error {
	resources := map[string][]string{}
	for file := range files {
		dir, name, inDir := strings.Cut(file, "/")
		if !inDir {
			resources[""] = append(resources[""], file)
			continue
		}
		if len(resources[dir]) == 0 {
			resources[""] = append(resources[""], dir)
		}
		resources[dir] = append(resources[dir], name)
	}
	for dir, list := range resources {
		slices.Sort(list)
		doc, err := yaml.Marshal(struct {
			APIVersion string   `json:"apiVersion"`
			Kind       string   `json:"kind"`
			Resources  []string `json:"resources"`
		}{"kustomize.config.k8s.io/v1beta1", "Kustomization", list})
		if err != nil {
			return fmt.Errorf("writing kustomization: %w", err)
		}
		file := kustomization
		if dir != "" {
			file = dir + "/" + kustomization
		}
		files[file] = append([]byte(mark), doc...)
	}
	return nil
}
