package gatekeeper

import (
	"strings"

	"github.com/psp-advisor/psp-advisor/pkg/generate"
	"github.com/psp-advisor/psp-advisor/pkg/generate/cel"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	templates       = "templates.gatekeeper.sh"
	version         = "v1"
	constraintGroup = "constraints.gatekeeper.sh"
	// Kind of the constraints.
	Kind = "AdvisorPodPermits"
	// TemplateName is the name of the template: Gatekeeper wants the kind in lower case.
	TemplateName = "advisorpodpermits"
)

// The words of parameters.judges: what a constraint judges.
const (
	accounts   = "accounts"
	privileges = "privileges"
)

// description says in the template itself what Gatekeeper takes from what it promises.
const description = "A pod may ask for what the permits of its namespace list for its service account, and for less. " +
	"Unlike a ValidatingAdmissionPolicy, this template admits pods unjudged while Gatekeeper does not answer, unless its webhook has failurePolicy Fail, " +
	"and in namespaces that are exempt from Gatekeeper. " +
	"It has a tenth of the CEL budget, 1,000,000 units, and refuses a pod that takes more, such as one with 400 host paths, or with 100 containers of 100 mounts each. " +
	"Audits do not know who created a pod, and list mirror pods as violations."

// template is a ConstraintTemplate. Its type is in a module that brings much more than
// this object (github.com/open-policy-agent/frameworks/constraint/pkg/apis/templates/v1).
type template struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`

	Spec templateSpec `json:"spec"`
}

type templateSpec struct {
	CRD     crd      `json:"crd"`
	Targets []target `json:"targets"`
}

type crd struct {
	Spec crdSpec `json:"spec"`
}

type crdSpec struct {
	Names      crdNames      `json:"names"`
	Validation crdValidation `json:"validation"`
}

type crdNames struct {
	Kind string `json:"kind"`
}

type crdValidation struct {
	OpenAPIV3Schema map[string]any `json:"openAPIV3Schema"`
}

type target struct {
	Target string `json:"target"`
	Code   []code `json:"code"`
}

type code struct {
	Engine string `json:"engine"`
	Source source `json:"source"`
}

// source is what the engine K8sNativeValidation reads
// (pkg/drivers/k8scel/schema in Gatekeeper).
type source struct {
	FailurePolicy string         `json:"failurePolicy"`
	Conditions    []condition    `json:"matchCondition"`
	Variables     []cel.Variable `json:"variables"`
	Validations   []validation   `json:"validations"`
}

type condition struct {
	Name       string `json:"name"`
	Expression string `json:"expression"`
}

type validation struct {
	Expression        string `json:"expression"`
	Message           string `json:"message"`
	MessageExpression string `json:"messageExpression"`
}

// podOrDebugger: Gatekeeper's webhook gets every update, but of a pod that exists
// nothing else that asks for something can change. Audits name no operation.
const podOrDebugger = `request.?subResource.orValue("") == "ephemeralcontainers"
  || request.?subResource.orValue("") == "" && request.?operation.orValue("") in ["", "CREATE"]`

// constraintTemplate returns the template. It depends on nothing: which pods are judged
// by what is in the constraints.
func constraintTemplate() generate.Object {
	variables := cel.Core(cel.Source{Object: "variables.anyObject", Text: "string(variables.params.permits)"})
	t := &template{
		TypeMeta:   metav1.TypeMeta{APIVersion: templates + "/" + version, Kind: "ConstraintTemplate"},
		ObjectMeta: metav1.ObjectMeta{Name: TemplateName, Labels: generate.Labels(), Annotations: map[string]string{"description": description}},
		Spec: templateSpec{
			CRD: crd{crdSpec{crdNames{Kind}, crdValidation{parameters()}}},
			Targets: []target{{
				Target: "admission.k8s.gatekeeper.sh",
				Code: []code{{
					Engine: "K8sNativeValidation",
					Source: source{
						FailurePolicy: "Fail",
						Conditions:    []condition{{"pod-or-debugger", podOrDebugger}, {"no-mirror-pod", cel.NoMirrorPod}},
						Variables:     variables,
						Validations: []validation{{
							Expression: `!("accounts" in variables.params.judges) || ` + cel.Known.Expression,
							Message:    cel.Known.Message, MessageExpression: cel.Known.MessageExpression,
						}, {
							Expression: `!("privileges" in variables.params.judges) || ` + cel.Beyond.Expression,
							Message:    cel.Beyond.Message,
							// The messages of admitted pods are evaluated too, and share the budget.
							MessageExpression: "variables.admitted ? \"\" : " + cel.Beyond.MessageExpression,
						}},
					},
				}},
			}},
		},
	}
	const path = "spec.targets[0].code[0].source"
	object := generate.Object{
		Value: t,
		Title: "one for all namespaces; wait until its kind is established before applying constraints",
		Text:  []string{path + ".matchCondition[0].expression", path + ".matchCondition[1].expression"},
	}
	for i, v := range variables {
		if strings.Contains(v.Expression, "\n") {
			object.Text = append(object.Text, generate.Item(path+".variables", i)+".expression")
		}
	}
	return object
}

// parameters returns the schema of the parameters of a constraint.
func parameters() map[string]any {
	return map[string]any{
		"type": "object",
		"properties": map[string]any{
			"judges": map[string]any{
				"type":        "array",
				"description": "Whether the constraint judges service accounts without permits, and what pods of the others ask for.",
				"items":       map[string]any{"type": "string", "enum": []any{accounts, privileges}},
			},
			"permits": map[string]any{
				"type":        "string",
				"description": "A block of lines for each alternative, apart by empty lines: the service account in brackets, then a privilege per line. Lines that start with # are comments.",
			},
		},
	}
}
