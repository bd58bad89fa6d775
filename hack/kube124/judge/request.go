package judge

// Request is what is judged together: the objects of a cluster and the
// policies generated for them.
type Request struct {
	Name string `json:"name,omitempty"`
	// Objects are pods, workloads and service accounts, as YAML or JSON text.
	Objects string `json:"objects"`
	// Policies are PodSecurityPolicies and the RBAC objects which grant them.
	Policies string `json:"policies"`
	// Members names, per policy, the workloads or pods it was made for, each
	// as "NAMESPACE/KIND/NAME", or "NAMESPACE/KIND/NAME@ACCOUNT" for those of
	// its pods that run under one account (none for a mirror pod, which is also
	// known by its name without the node's). A policy that is not named here is judged on
	// the pods for which admission chose it.
	Members map[string][]string `json:"members,omitempty"`
	// SkipInvalid reports documents that do not decode instead of refusing
	// the request.
	SkipInvalid bool `json:"skipInvalid,omitempty"`
}

// Outcome is what becomes of one pod.
type Outcome string

// The outcomes, best first.
const (
	// Unchanged: admitted, and stored as it would be without any policy.
	Unchanged Outcome = "unchanged"
	// Neutral: stored differently, but running the same.
	Neutral Outcome = "changed neutrally"
	// Changed: runs differently.
	Changed Outcome = "changed"
	// Stuck: admitted, but an update of its metadata is refused.
	Stuck Outcome = "update refused"
	// Denied: no policy granted to it admits it.
	Denied Outcome = "denied"
	// Ungranted: neither its account nor its creator may use any policy.
	Ungranted Outcome = "no policy granted"
	// Refused: Kubernetes 1.24 refuses it without any policy; not counted.
	Refused Outcome = "refused without policies"
)

// Pod is the verdict on one form of one pod.
type Pod struct {
	// Pod is "NAMESPACE/KIND/NAME" of the pod or of the workload whose
	// template it was made from.
	Pod string `json:"pod"`
	// Form is "template", "manifest", "stored" or "re-created".
	Form    string  `json:"form"`
	Outcome Outcome `json:"outcome"`
	// Policy is the one admission chose.
	Policy string `json:"policy,omitempty"`
	Detail string `json:"detail,omitempty"`
}

// Slack is a one-step tightening which every pod of the policy survives.
type Slack struct {
	Field  string `json:"field"`
	Change string `json:"change"`
}

// Policy is the verdict on one policy, or on the objects that grant it.
type Policy struct {
	Name string `json:"name"`
	// Pods is how many pod forms it was judged on.
	Pods int `json:"pods"`
	// Invalid says why the API or admission would not have it.
	Invalid string `json:"invalid,omitempty"`
	// Unused: no pod was found that it was made for.
	Unused bool    `json:"unused,omitempty"`
	Slack  []Slack `json:"slack,omitempty"`
}

// Verdict answers one Request.
type Verdict struct {
	Name string `json:"name,omitempty"`
	// OK: every pod unchanged, no policy invalid, unused or slack.
	OK bool `json:"ok"`
	// Error says why the request could not be judged at all.
	Error string `json:"error,omitempty"`
	// Counts has the number of pod forms per outcome.
	Counts map[Outcome]int `json:"counts"`
	// Judged is the number of policies.
	Judged int `json:"judged"`
	// SlackTotal and InvalidTotal sum over all policies and grants.
	SlackTotal   int `json:"slackTotal"`
	InvalidTotal int `json:"invalidTotal"`
	// Pods holds all pods but the unchanged ones.
	Pods []Pod `json:"pods,omitempty"`
	// Policies holds those with a fault.
	Policies []Policy `json:"policies,omitempty"`
	// Skipped lists the documents that do not decode.
	Skipped []string `json:"skipped,omitempty"`
}
