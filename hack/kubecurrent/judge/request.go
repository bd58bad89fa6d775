package judge

import (
	"encoding/json"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
)

// Request sets up a cluster, or asks about pods, or both.
type Request struct {
	Name string `json:"name,omitempty"`
	// Cluster replaces the one of the requests before.
	Cluster *Cluster `json:"cluster,omitempty"`
	Pods    []Pod    `json:"pods,omitempty"`
	// ReturnPods asks for each pod as admission sees it.
	ReturnPods bool `json:"returnPods,omitempty"`
}

// Cluster is what pods are judged in.
type Cluster struct {
	// Objects are YAML documents: policies and their bindings, parameters,
	// CustomResourceDefinitions, namespaces and service accounts.
	Objects string `json:"objects"`
	// Minor is the oldest version whose CEL must be enough for the policies,
	// such as "1.30", which is the default.
	Minor string `json:"minor,omitempty"`
	// Unstructured hands objects to CEL by way of JSON, as servers before 1.37
	// do, which must give the same result.
	Unstructured bool `json:"unstructured,omitempty"`
	// Evaluate asks for the values of CEL variables.
	Evaluate *Evaluate `json:"evaluate,omitempty"`
}

// Evaluate names CEL variables whose values are wanted for each pod.
type Evaluate struct {
	// Policy names one of the objects, whose variables and kind of parameters
	// are taken; without, they are given here.
	Policy    string                             `json:"policy,omitempty"`
	Variables []admissionregistrationv1.Variable `json:"variables,omitempty"`
	ParamKind *admissionregistrationv1.ParamKind `json:"paramKind,omitempty"`
	// ParamRef finds the parameter, as in a binding.
	ParamRef *admissionregistrationv1.ParamRef `json:"paramRef,omitempty"`
	// Values are the names of the variables to return.
	Values []string `json:"values"`
}

// Pod is one request to the API server.
type Pod struct {
	// ID comes back in the verdict; the default is "NAMESPACE/KIND/NAME".
	ID string `json:"id,omitempty"`
	// Namespace overrides the object's.
	Namespace string `json:"namespace,omitempty"`
	// Object is a pod or a workload, as JSON, or as a JSON string of YAML.
	Object json.RawMessage `json:"object"`
	// Subresource is empty for a creation, or "ephemeralcontainers" for an update
	// that sets those of Object.
	Subresource string `json:"subresource,omitempty"`
	// Update says that Object is an update of OldObject, of the pod itself.
	Update bool `json:"update,omitempty"`
	// OldObject is the pod before an update; with the subresource, the default is
	// Object without ephemeral containers.
	OldObject json.RawMessage `json:"oldObject,omitempty"`
	// User sends the request; the default is a user without any rights.
	User *User `json:"user,omitempty"`
}

// User sends a request. Each is in the group system:authenticated, too.
type User struct {
	Username string   `json:"username"`
	Groups   []string `json:"groups,omitempty"`
}

// Outcome is what becomes of one pod.
type Outcome string

// The outcomes.
const (
	// Admitted by the policies and by Pod Security.
	Admitted Outcome = "admitted"
	// Denied by one of them.
	Denied Outcome = "denied"
	// Refused by a server without any policy, if only because it cannot read it.
	Refused Outcome = "refused"
	// Failed: the object makes no pod, or a variable could not be evaluated.
	Failed Outcome = "failed"
)

// Answer answers one Request.
type Answer struct {
	Name string `json:"name,omitempty"`
	// Error says why the request could not be answered.
	Error string `json:"error,omitempty"`
	// Objects holds the objects of a new cluster that the server refuses or
	// warns about.
	Objects []Object `json:"objects,omitempty"`
	// Pods has a verdict for each pod, in their order.
	Pods []Verdict `json:"pods,omitempty"`
}

// Object is the verdict on an object of the cluster.
type Object struct {
	Kind string `json:"kind"`
	Name string `json:"name"`
	// Refused says why the server does not store it.
	Refused string `json:"refused,omitempty"`
	// Warnings are those of type checking, which the server writes into the status
	// of a policy, and those of its creation.
	Warnings []string `json:"warnings,omitempty"`
	// Newer lists expressions that need CEL of a later version than
	// Cluster.Minor, with the reasons.
	Newer []string `json:"newer,omitempty"`
}

// Verdict is the verdict on one pod.
type Verdict struct {
	ID       string  `json:"id"`
	Outcome  Outcome `json:"outcome"`
	Admitted bool    `json:"admitted"`
	// Reason is why the pod is refused, or the question failed.
	Reason string `json:"reason,omitempty"`
	// Message is the error of the policies, as the client sees it.
	Message string `json:"message,omitempty"`
	// PodSecurity is the error of Pod Security admission, as the client sees it.
	PodSecurity string `json:"podSecurity,omitempty"`
	// Denials are the validations that do not hold, whatever their bindings do
	// about it.
	Denials []Denial `json:"denials,omitempty"`
	// Errors are evaluations that failed, and bindings that could not be used.
	Errors []EvaluationError `json:"errors,omitempty"`
	// Warnings and AuditAnnotations come from both kinds of policies.
	Warnings         []string          `json:"warnings,omitempty"`
	AuditAnnotations map[string]string `json:"auditAnnotations,omitempty"`
	// Costs has the cost per policy that was evaluated.
	Costs map[string]Cost `json:"costs,omitempty"`
	// Values has the wanted variables.
	Values map[string]Value `json:"values,omitempty"`
	// ValuesCost is what they cost together.
	ValuesCost int64 `json:"valuesCost,omitempty"`
	// Pod is as admission sees it.
	Pod *corev1.Pod `json:"pod,omitempty"`
}

// Denial is a validation that does not hold.
type Denial struct {
	Policy  string `json:"policy"`
	Binding string `json:"binding"`
	// Validation is its index in the policy.
	Validation int    `json:"validation"`
	Message    string `json:"message"`
	Reason     string `json:"reason,omitempty"`
	// MessageError says why messageExpression did not make the message.
	MessageError string `json:"messageError,omitempty"`
}

// EvaluationError is an evaluation that failed, or a binding that could not be
// used.
type EvaluationError struct {
	Policy  string `json:"policy"`
	Binding string `json:"binding,omitempty"`
	Message string `json:"message"`
	// CostExceeded: the budget or the limit of an expression is used up.
	CostExceeded bool `json:"costExceeded,omitempty"`
	// Configuration: the parameter or its kind is not found, or alike.
	Configuration bool `json:"configuration,omitempty"`
}

// Cost is what evaluating a policy costs in CEL's units.
type Cost struct {
	// Total is the sum over all bindings, parameters and expressions. The budget is
	// 10,000,000 per binding and parameter.
	Total uint64 `json:"total"`
	// Worst is the costliest expression: the limit of each one, variables too, is
	// 1,000,000.
	Worst      uint64 `json:"worst"`
	Expression string `json:"expression"`
}

// Value is the value of a CEL variable.
type Value struct {
	JSON  any    `json:"json"`
	Error string `json:"error,omitempty"`
}
