package profile

import corev1 "k8s.io/api/core/v1"

// Options says what Of takes into account.
type Options struct {
	// EphemeralContainers makes debug containers count like any other. Default
	// off: a pod that is created again has none.
	EphemeralContainers bool
}

// container is one container of a pod together with the pod-level settings that
// it falls back to.
type container struct {
	*corev1.Container
	pod *corev1.Pod
	// sc and podSC are never nil: an absent context is one that sets nothing.
	sc    *corev1.SecurityContext
	podSC *corev1.PodSecurityContext
}

// Of returns what the pod uses, as the API server would store it: absent fields
// count as what they default to.
func Of(pod *corev1.Pod, o Options) *Profile {
	podSC := podSecurityContext(pod)
	containers := containersOf(pod, podSC, o)
	p := &Profile{}
	for _, c := range containers {
		p.Privileged.add(flagOf(c.sc.Privileged), c.Name)
		p.AllowPrivilegeEscalation.add(flagOf(c.sc.AllowPrivilegeEscalation), c.Name)
		p.ReadOnlyRootFilesystem.add(flagOf(c.sc.ReadOnlyRootFilesystem), c.Name)
		p.RunAsUser.add(c.user(), c.Name)
		p.RunAsGroup.add(idOf(either(c.sc.RunAsGroup, podSC.RunAsGroup)), c.Name)
		p.ProcMount.add(c.procMount(), c.Name)
		p.addHostPorts(c)
		p.addCapabilities(c)
		p.addAppArmor(c)
		p.addUngoverned(c)
	}
	p.HostNetwork.add(presence(pod.Spec.HostNetwork), "")
	p.HostPID.add(presence(pod.Spec.HostPID), "")
	p.HostIPC.add(presence(pod.Spec.HostIPC), "")
	p.RuntimeClass.add(nameOf(pod.Spec.RuntimeClassName), "")
	for _, s := range podSC.Sysctls {
		p.Sysctls.add(Name(s.Name), "")
	}
	p.addGroups(podSC)
	p.addVolumes(pod, containers)
	p.SELinux.add(seLinuxOf(podSC, containers), "")
	p.Seccomp.add(seccompOf(pod, containers), "")
	p.SeccompField.add(seccompFieldOf(podSC, containers), "")
	p.addUngovernedPod(pod, podSC)
	return p
}

func podSecurityContext(pod *corev1.Pod) *corev1.PodSecurityContext {
	if pod.Spec.SecurityContext == nil {
		return &corev1.PodSecurityContext{}
	}
	return pod.Spec.SecurityContext
}

func containersOf(pod *corev1.Pod, podSC *corev1.PodSecurityContext, o Options) []container {
	spec := &pod.Spec
	list := make([]container, 0, len(spec.InitContainers)+len(spec.Containers))
	add := func(c *corev1.Container) {
		sc := c.SecurityContext
		if sc == nil {
			sc = &corev1.SecurityContext{}
		}
		list = append(list, container{Container: c, pod: pod, sc: sc, podSC: podSC})
	}
	for i := range spec.InitContainers {
		add(&spec.InitContainers[i])
	}
	for i := range spec.Containers {
		add(&spec.Containers[i])
	}
	if o.EphemeralContainers {
		for i := range spec.EphemeralContainers {
			// EphemeralContainerCommon has the fields of a Container by
			// construction (k8s.io/api/core/v1/types.go, converted upstream too).
			add((*corev1.Container)(&spec.EphemeralContainers[i].EphemeralContainerCommon))
		}
	}
	return list
}

// either returns the container's own setting, else the pod's.
func either[T any](own, pods *T) *T {
	if own != nil {
		return own
	}
	return pods
}

// presence is the state of a boolean field whose absence means false.
func presence(b bool) Flag { return flagOf(&b) }

// nameOf returns an optional string.
func nameOf[S ~string](s *S) Name {
	if s == nil {
		return ""
	}
	return Name(*s)
}
