package profile

import (
	corev1 "k8s.io/api/core/v1"
)

// Options of Of.
type Options struct {
	// EphemeralContainers includes debug containers. Default false: a recreated
	// pod has none.
	EphemeralContainers bool
	// Template says that the pod is the manifest of its workload, or made from it: each
	// of its containers is in the manifest.
	Template bool
}

// container is one container of a pod with the pod-level settings that it
// inherits.
type container struct {
	*corev1.Container
	kind Kind
	pod  *corev1.Pod
	// sc and podSC are never nil: an absent context is an empty one.
	sc    *corev1.SecurityContext
	podSC *corev1.PodSecurityContext
}

// Of returns the profile of the pod as the API server would store it: absent fields
// have their default.
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
		p.Containers.add(Container{Kind: c.kind, Image: c.Image, Template: o.Template && c.kind != DebugContainer}, c.Name)
	}
	p.HostNetwork.add(presence(pod.Spec.HostNetwork), "")
	p.HostPID.add(presence(pod.Spec.HostPID), "")
	p.HostIPC.add(presence(pod.Spec.HostIPC), "")
	p.RuntimeClass.add(nameOf(pod.Spec.RuntimeClassName), "")
	for _, s := range podSC.Sysctls {
		p.Sysctls.add(Name(s.Name), "")
		p.Settings.add(Setting{s.Name, s.Value}, "")
	}
	p.addGroups(podSC)
	p.addVolumes(pod, containers)
	p.SELinux.add(seLinuxOf(podSC, containers), "")
	p.Seccomp.add(seccompOf(pod, containers), "")
	p.SeccompField.add(seccompFieldOf(podSC, containers), "")
	p.addUngovernedPod(pod, podSC)
	p.addMounts(pod, containers, o)
	p.addPrivileges(pod, o)
	p.addPodSecurity(pod, o)
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
	add := func(c *corev1.Container, kind Kind) {
		sc := c.SecurityContext
		if sc == nil {
			sc = &corev1.SecurityContext{}
		}
		list = append(list, container{Container: c, kind: kind, pod: pod, sc: sc, podSC: podSC})
	}
	for i := range spec.InitContainers {
		add(&spec.InitContainers[i], InitContainer)
	}
	for i := range spec.Containers {
		add(&spec.Containers[i], Regular)
	}
	if o.EphemeralContainers {
		for i := range spec.EphemeralContainers {
			// EphemeralContainerCommon has the fields of a Container
			// (k8s.io/api/core/v1/types.go; upstream converts it in the same way).
			add((*corev1.Container)(&spec.EphemeralContainers[i].EphemeralContainerCommon), DebugContainer)
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

// presence returns the value of a boolean field that defaults to false.
func presence(b bool) Flag { return flagOf(&b) }

// nameOf returns the value of an optional string.
func nameOf[S ~string](s *S) Name {
	if s == nil {
		return ""
	}
	return Name(*s)
}
