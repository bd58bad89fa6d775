package profile

import (
	"github.com/psp-advisor/psp-advisor/pkg/podsecurity"
	corev1 "k8s.io/api/core/v1"
)

/*
Observed fields: those that Pod Security admission reads.

Values: the verdicts of its checks on the whole pod, which the other attributes do not
determine, since a check may depend on several fields at once: a pod in a user
namespace may run as root, another one of the same workload may not.
*/

func (p *Profile) addPodSecurity(pod *corev1.Pod, o Options) {
	spec := &pod.Spec
	if len(spec.EphemeralContainers) > 0 && !o.EphemeralContainers {
		without := *spec
		without.EphemeralContainers = nil
		spec = &without
	}
	for verdict, container := range podsecurity.Judge(&pod.ObjectMeta, spec) {
		p.PodSecurity.add(verdict, container)
	}
}
