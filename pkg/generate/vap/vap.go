// Package vap generates one ValidatingAdmissionPolicy for the cluster, and for each
// namespace the permits that it reads: what the pods of each service account may ask
// for.
//
// Input is members; output is a generate.Output for the cluster, with the policy and
// its binding, and one for each namespace, with data only. The policy depends on the
// options, but on no pod (except at cluster level, where it holds the permits), so a
// server compiles it once, and it never changes with what runs. Laws, checked with
// the admission code of Kubernetes:
//   - sound: every observed pod is admitted under its service account;
//   - minimal: without any one line of the permits, some observed pod is refused;
//   - a pod that asks for one more line is refused, one that asks for less is not;
//   - namespaces without the label of covered ones are untouched;
//   - a tenant who may not write Namespaces, nor objects of our kind, cannot change
//     what is permitted.
//
// Identity at admission is the namespace and the service account, nothing else: labels
// and owner references are the pod creator's to choose. So what single pods of one
// account ask for are alternatives, and a pod must fit one of them whole. Whoever may
// create pods in a namespace may use any of its accounts, as the API server has it.
package vap

import (
	"github.com/psp-advisor/psp-advisor/pkg/aggregate"
	"github.com/psp-advisor/psp-advisor/pkg/generate"
	"github.com/psp-advisor/psp-advisor/pkg/generate/cel"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// inObject is the value of the label of namespaces whose permits are in an object.
const inObject = "object"

// Engine returns the engine of ValidatingAdmissionPolicy.
func Engine(o Options) generate.Engine {
	return generate.Engine{
		Name:            "vap",
		Resource:        schema.GroupVersionResource{Group: "admissionregistration.k8s.io", Version: "v1", Resource: "validatingadmissionpolicies"},
		Note:            "Kubernetes 1.30 was the first release that served them",
		WholeNamespaces: true,
		Outputs:         o.outputs,
		Findings:        o.findings,
		Inexpressible:   cel.Inexpressible(),
	}
}

func (o Options) findings(outputs []generate.Output) []generate.Finding {
	if o.Params == CRD {
		return cel.Findings(outputs, "")
	}
	return cel.Findings(outputs, "--params crd holds more")
}

func (o Options) outputs(members []aggregate.Member, level aggregate.Level) []generate.Output {
	if o.Params != CRD {
		return cel.Outputs(members, level, cel.AnnotationText(), cel.InAnnotation, o.policies, cel.Annotated)
	}
	text := []cel.Variable{{Name: "text", Expression: "params.spec.permits"}}
	return cel.Outputs(members, level, text, inObject, o.policies, inObjects)
}

// inObjects returns the objects of a namespace with its permits in one of them, and
// what they give up.
func inObjects(t cel.Table) ([]generate.Object, string) {
	text, compromise := t.Fit(maxObject)
	permits := &podPermits{
		TypeMeta:   metav1.TypeMeta{APIVersion: group + "/" + version, Kind: kind},
		ObjectMeta: metav1.ObjectMeta{Namespace: t.Group.Namespace, Name: permitsName, Labels: generate.Labels()},
		Spec:       podPermitsSpec{Permits: text},
	}
	return []generate.Object{
		{Value: permits, Title: generate.For(t.Group), Text: []string{"spec.permits"}},
		cel.Covered(t.Group, inObject, nil),
	}, compromise
}
