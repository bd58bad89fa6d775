package cel

// NoMirrorPod is the condition under which a policy judges a pod. A static pod runs
// whether its mirror is admitted or not. Anyone may set the annotation, but only a node
// is in the group.
const NoMirrorPod = `!("system:nodes" in request.userInfo.?groups.orValue([])
  && "kubernetes.io/config.mirror" in object.metadata.?annotations.orValue({}))`

// Validation is an expression that is false for a pod that breaks the policy, and what
// the creator of the pod reads then. Its expressions use the variables of the core.
type Validation struct {
	Expression, Message, MessageExpression string
}

// The validations of a policy. A pod breaks one of them at most.
var (
	// Known is about pods of accounts without permits.
	Known = Validation{
		Expression:        "variables.known",
		Message:           "the service account may not have pods in this namespace: none was observed",
		MessageExpression: `"service account " + variables.account + " may not have pods in namespace " + object.metadata.namespace + ": none was observed"`,
	}
	// Beyond is about pods that go beyond the permits of their account.
	Beyond = Validation{
		Expression:        "!variables.known || variables.admitted",
		Message:           "the pod asks for more than its service account is permitted",
		MessageExpression: `"service account " + variables.account + " may not: " + variables.excess`,
	}
)
