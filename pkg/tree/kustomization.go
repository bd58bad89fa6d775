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

// addKustomizations adds a kustomization.yaml to the top and to each folder,
// which lists what stands beside it.
func addKustomizations(files Files) error {
	resources := map[string][]string{}
	for file := range files {
		folder, name, inFolder := strings.Cut(file, "/")
		if !inFolder {
			resources[""] = append(resources[""], file)
			continue
		}
		if len(resources[folder]) == 0 {
			resources[""] = append(resources[""], folder)
		}
		resources[folder] = append(resources[folder], name)
	}
	for folder, list := range resources {
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
		if folder != "" {
			file = folder + "/" + kustomization
		}
		files[file] = append([]byte(mark), doc...)
	}
	return nil
}
