// Package privilege says which privileges a pod asks for, and whether one set of
// privileges permits another.
//
// Input is a pod (Of); output is a set of lines. A line names one thing beyond the
// least that a pod can have: "hostNetwork", "capability NET_ADMIN", "write hostPath
// /var/log", "no seccomp profile". A Set permits a line if it has the line, or one
// that the line is under: "hostPath /var/log/pods" is under "hostPath /var/log",
// reading is under writing, "user 1000" is under "image user". A pod is permitted if
// every line that it asks for is. So less privilege is never refused, the union of
// pods is the union of their sets, and an escalation is a difference of sets.
//
// Each file has one family of lines and opens with the fields that they are made of.
// Between two readings of a field it takes the one that never calls an escalation
// harmless. Laws, each tested:
//   - Of depends on nothing but the pod, which it does not change.
//   - Set is a canonical form: sets that permit the same lines are equal.
//   - Union is commutative, associative and idempotent, permits what its arguments
//     permit, and Empty is its identity.
//   - a.Permits(b) exactly when Union(a, b) equals a; Excess is empty exactly then.
//   - Permits is reflexive and transitive.
//   - A pod with any field of the table tightened by one step asks for nothing that it
//     has not asked for before.
//   - Whatever strings a pod has, a line is one line, and two different values never
//     have the same line.
//
// What has no line: what a pod may do with the API server (RBAC decides), secrets in
// environment variables, the devices of resources and claims, placement, whether a
// mount below a read-only hostPath is writable, and the GMSA credential spec of a
// Windows pod: the webhook of windows-gmsa asks RBAC whether its service account may use
// the named one, and writes the contents itself. Where that webhook is not installed,
// anyone can write contents, and the kubelet takes them as they are
// (pkg/kubelet/kuberuntime/kuberuntime_sandbox.go, v1.37.2).
package privilege

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// Ask is a line that a pod asks for.
type Ask struct {
	Line string
	// Container that asks; empty if the pod as a whole does.
	Container string
}

// asker collects what a pod asks for.
type asker struct {
	pod   *corev1.Pod
	podSC *corev1.PodSecurityContext
	// linux is false if the pod says that it is for Windows, where a kubelet of Linux
	// refuses it (pkg/kubelet/lifecycle/predicate.go, rejectPodAdmissionBasedOnOSField).
	// What only Linux knows is no privilege there, as in Pod Security Admission.
	linux bool
	// containers that ask.
	containers []container
	asks       []Ask
}

// container is a container of a pod.
type container struct {
	*corev1.Container
	// sc is never nil: an absent context is an empty one.
	sc *corev1.SecurityContext
}

// Of returns what the pod asks for, as the API server would store it: absent fields
// have their default. The order is that of the fields. With ephemeral, its ephemeral
// containers ask like any other; a recreated pod has none.
func Of(pod *corev1.Pod, ephemeral bool) []Ask {
	a := &asker{
		pod: pod, podSC: pod.Spec.SecurityContext, linux: pod.Spec.OS == nil || pod.Spec.OS.Name != corev1.Windows,
		asks: make([]Ask, 0, 16), // most pods have no more
	}
	if a.podSC == nil {
		a.podSC = &corev1.PodSecurityContext{}
	}
	for _, list := range [][]corev1.Container{pod.Spec.Containers, pod.Spec.InitContainers} {
		for i := range list {
			a.addContainer(&list[i])
		}
	}
	if ephemeral {
		for i := range pod.Spec.EphemeralContainers {
			// EphemeralContainerCommon has the fields of a Container.
			a.addContainer((*corev1.Container)(&pod.Spec.EphemeralContainers[i].EphemeralContainerCommon))
		}
	}
	a.namespaces()
	a.sysctls()
	a.podGroups()
	a.podConfinement()
	a.volumes()
	for _, c := range a.containers {
		a.powers(c)
		a.capabilities(c)
		a.hostPorts(c)
		a.user(c)
		a.group(c)
		a.confinement(c)
		a.windows(c)
		a.mounts(c)
		a.probes(c)
	}
	return a.asks
}

func (a *asker) addContainer(c *corev1.Container) {
	sc := c.SecurityContext
	if sc == nil {
		sc = &corev1.SecurityContext{}
	}
	a.containers = append(a.containers, container{c, sc})
}

// ask adds a line; by is empty for the pod as a whole.
func (a *asker) ask(by, line string) { a.asks = append(a.asks, Ask{line, by}) }

// askIf adds a line if a condition holds.
func (a *asker) askIf(condition bool, by, line string) {
	if condition {
		a.ask(by, line)
	}
}

// Quote makes a string of a pod a part of a line: it never ends the line, and two
// different strings never become the same.
func Quote(s string) string { return quoter.Replace(s) }

var quoter = strings.NewReplacer(`\`, `\\`, "\n", `\n`)

// quoteWord is Quote for a string that a space ends.
func quoteWord(s string) string { return wordQuoter.Replace(s) }

var wordQuoter = strings.NewReplacer(`\`, `\\`, "\n", `\n`, " ", `\ `)

// either returns the container's own setting, else the pod's.
func either[T any](own, pods *T) *T {
	if own != nil {
		return own
	}
	return pods
}

// is reports whether an optional field is set to a value.
func is[T comparable](field *T, value T) bool { return field != nil && *field == value }
