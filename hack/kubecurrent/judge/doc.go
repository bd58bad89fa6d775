// Package judge reports what a current API server does with pods, by asking the
// code of Kubernetes 1.37.2 itself: its codecs and defaulting, its ServiceAccount
// admission plugin, its pod strategy and validation, its dispatcher of
// ValidatingAdmissionPolicies with the CEL environment and cost budgets of the
// real plugin, and its Pod Security admission. Nothing here repeats a rule; what
// the package adds is the questions, and what the API does not show: costs, and
// the difference between a denial and an evaluation that failed.
//
// # Protocol
//
// A Request sets up a cluster, asks about pods, or both. A cluster holds until
// another replaces it, with its policies compiled, so that a stream of requests
// with some hundred pods each is judged fast:
//
//	{"cluster": {"objects": "apiVersion: v1\nkind: Namespace\n..."}}
//	{"pods": [{"id": "1", "namespace": "shop", "object": {"apiVersion": "v1", "kind": "Pod", ...}}]}
//	{"pods": [{"id": "2", "object": "apiVersion: apps/v1\nkind: Deployment\n..."}]}
//
// Cluster.Objects holds YAML documents (JSON is YAML) in any order: policies,
// bindings, namespaces, service accounts, CustomResourceDefinitions, and
// parameters of any kind. Each goes through the validation that it meets when it is
// created. Answer.Objects lists what the server refuses or warns about; where it
// refuses something, no pod is judged, since a policy that does not exist admits
// everything. Namespaces and service accounts that are not among the objects exist
// as if made by name alone. A kind of parameter exists when the server has it,
// when a CustomResourceDefinition among the objects declares it, or when one of the
// objects is of it.
//
// Pods come as JSON, or as a string of YAML. A workload stands for the pod that
// its controller makes. Each pod is judged alone: its verdict has the same place in
// the answer. A verdict is "admitted", "denied", "refused" (by a server without
// any policy: not judged), or "failed" (the question makes no sense).
//
// Cluster.Evaluate adds the values of CEL variables to each verdict, from the
// environment which policies are compiled in. Request.ReturnPods adds the pod as
// admission sees it, so that another model of it can be compared.
package judge
