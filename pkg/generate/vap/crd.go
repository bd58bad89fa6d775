package vap

import (
	"github.com/psp-advisor/psp-advisor/pkg/generate"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// The kind of the objects with the permits of a namespace. No default role allows to
// write them: the API server adds the resources of a kind to edit and admin only if a
// ClusterRole says so.
const (
	group       = "psp-advisor.github.io"
	version     = "v1"
	kind        = "PodPermits"
	plural      = "podpermits"
	permitsName = "permits"
)

// maxObject is the largest text of an object in bytes, below the 1.5 MiB of a request
// to etcd and the 1,000,000 units that CEL may cost in one expression.
const maxObject = 1 << 20

type podPermits struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`

	Spec podPermitsSpec `json:"spec"`
}

type podPermitsSpec struct {
	Permits string `json:"permits"`
}

// definition returns the CustomResourceDefinition of the kind. Its type is in a module
// that brings much more than this object.
func definition() generate.Object {
	text := map[string]any{
		"type":        "string",
		"maxLength":   int64(maxObject),
		"description": "A block of lines for each alternative, apart by empty lines: the service account in brackets, then a privilege per line. Lines that start with # are comments.",
	}
	spec := map[string]any{"type": "object", "required": []any{"permits"}, "properties": map[string]any{"permits": text}}
	return generate.Object{
		Title: "the kind of the permits; wait until it is established before applying those",
		Value: &map[string]any{
			"apiVersion": "apiextensions.k8s.io/v1",
			"kind":       "CustomResourceDefinition",
			"metadata":   map[string]any{"name": plural + "." + group, "labels": map[string]any{generate.ManagedByLabel: generate.ManagedBy}},
			"spec": map[string]any{
				"group": group,
				"scope": "Namespaced",
				"names": map[string]any{"kind": kind, "listKind": kind + "List", "plural": plural, "singular": plural},
				"versions": []any{map[string]any{
					"name": version, "served": true, "storage": true,
					"schema": map[string]any{"openAPIV3Schema": map[string]any{
						"type":        "object",
						"description": "What the pods of each service account of a namespace may ask for.",
						"required":    []any{"spec"},
						"properties":  map[string]any{"spec": spec},
					}},
				}},
			},
		},
	}
}
