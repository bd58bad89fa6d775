package generate

import (
	"maps"
	"slices"

	"github.com/psp-advisor/psp-advisor/pkg/aggregate"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// The annotations of a Namespace that keep GitOps tools from deleting it with the
// file that it is in, and from removing what others have set on it: Argo CD
// (sync options) and Flux (kustomize-controller's prune and ssa).
var keepNamespace = map[string]string{
	"argocd.argoproj.io/sync-options":   "Prune=false,Delete=false,ServerSideApply=true",
	"kustomize.toolkit.fluxcd.io/prune": "disabled",
	"kustomize.toolkit.fluxcd.io/ssa":   "Merge",
	"helm.sh/resource-policy":           "keep",
}

// Namespace returns labels and annotations of a Namespace that belongs to others. It
// does not have the labels of generated objects: who prunes by them would delete the
// namespace. It must be applied on the server's side, since kubectl's own apply
// removes what an earlier one has set.
func Namespace(name string, labels, annotations map[string]string) *metav1.PartialObjectMetadata {
	all := maps.Clone(keepNamespace)
	maps.Copy(all, annotations)
	return &metav1.PartialObjectMetadata{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Namespace"},
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels, Annotations: all},
	}
}

// ForNamespace is For, as the title of what Namespace returns.
func ForNamespace(g aggregate.Group) string {
	return For(g) + "; apply with --server-side, for the Namespace belongs to others"
}

// Merge joins the objects of several engines for one Namespace: with the results in
// one stream, a later object would replace the fields of an earlier one. The first
// result that has the Namespace gets what the later ones set. The results themselves
// do not change.
func Merge(results []Result) []Result {
	if len(results) < 2 {
		return results // an engine sets what it sets on a Namespace at once
	}
	first, joined := map[string]place{}, map[string]Object{}
	for r, result := range results {
		for o, output := range result.Outputs {
			for i, object := range output.Objects() {
				switch name, ok := namespaceOf(object); {
				case !ok:
				case joined[name].Value == nil:
					first[name], joined[name] = place{r, o, i}, object
				default:
					joined[name] = mergeObjects(joined[name], object)
				}
			}
		}
	}
	merged := slices.Clone(results)
	for r := range merged {
		merged[r].Outputs = slices.Clone(merged[r].Outputs)
		for o := range merged[r].Outputs {
			output := &merged[r].Outputs[o]
			objects := output.Objects
			output.Objects = func() []Object {
				var kept []Object
				for i, object := range objects() {
					name, ok := namespaceOf(object)
					switch {
					case !ok:
						kept = append(kept, object)
					case first[name] == place{r, o, i}:
						kept = append(kept, joined[name])
					}
				}
				return kept
			}
		}
	}
	return merged
}

// place is where an object is among those of results.
type place struct{ result, output, object int }

// namespaceOf returns the name of the Namespace that an object is, if it is one.
func namespaceOf(o Object) (string, bool) {
	ns, ok := o.Value.(*metav1.PartialObjectMetadata)
	if !ok {
		return "", false
	}
	return ns.Name, true
}

func mergeObjects(a, b Object) Object {
	ours, theirs := a.Value.(*metav1.PartialObjectMetadata), b.Value.(*metav1.PartialObjectMetadata)
	joined := Namespace(ours.Name, mergeMaps(ours.Labels, theirs.Labels), mergeMaps(ours.Annotations, theirs.Annotations))
	title := a.Title
	if b.Title != "" && b.Title != title {
		title += "; " + b.Title
	}
	return Object{Value: joined, Title: title, Reasons: mergeMaps(a.Reasons, b.Reasons), Text: slices.Concat(a.Text, b.Text)}
}

// mergeMaps returns the entries of both maps; nil if there are none.
func mergeMaps[M ~map[string]V, V any](a, b M) M {
	if len(a)+len(b) == 0 {
		return nil
	}
	all := M{}
	maps.Copy(all, a)
	maps.Copy(all, b)
	return all
}
