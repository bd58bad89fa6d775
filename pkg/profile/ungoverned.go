package profile

import (
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

/*
Fields that PodSecurityPolicy cannot restrict.

Observed fields:

	spec.containers[*].securityContext.windowsOptions.{hostProcess,runAsUserName}
	spec.securityContext.windowsOptions.{hostProcess,runAsUserName}
	spec.containers[*].volumeMounts[*].mountPropagation
	spec.containers[*].{liveness,readiness,startup}Probe.{httpGet,tcpSocket}.host
	spec.containers[*].lifecycle.{postStart,preStop}.{httpGet,tcpSocket}.host
	spec.containers[*].env[*].valueFrom.secretKeyRef.name
	spec.containers[*].envFrom[*].secretRef.name
	spec.hostUsers
	spec.shareProcessNamespace
	spec.securityContext.supplementalGroupsPolicy
	spec.ephemeralContainers[*].name
	status.containerStatuses[*].user.linux

Values: what is set; unset is no value.
*/

// addUngoverned adds the fields of a container.
func (p *Profile) addUngoverned(c container) {
	if w := c.windows(); w != nil {
		if w.HostProcess != nil {
			p.HostProcess.add(flagOf(w.HostProcess), c.Name)
		}
		if w.RunAsUserName != nil {
			p.WindowsUser.add(Name(*w.RunAsUserName), c.Name)
		}
	}
	for _, m := range c.VolumeMounts {
		if m.MountPropagation != nil {
			p.MountPropagation.add(Name(*m.MountPropagation), c.Name)
		}
	}
	for _, h := range c.handlers() {
		if host := handlerHost(h); host != "" {
			p.ProbeHosts.add(host, c.Name)
		}
	}
	for _, e := range c.EnvFrom {
		if e.SecretRef != nil {
			p.SecretEnv.add(Name(e.SecretRef.Name), c.Name)
			p.Variables.add(Variable{Secret: e.SecretRef.Name}, c.Name)
		}
	}
	for _, e := range c.Env {
		if e.ValueFrom != nil && e.ValueFrom.SecretKeyRef != nil {
			ref := e.ValueFrom.SecretKeyRef
			p.SecretEnv.add(Name(ref.Name), c.Name)
			p.Variables.add(Variable{e.Name, ref.Name, ref.Key}, c.Name)
		}
	}
}

// windows returns the effective Windows options, field by field.
func (c container) windows() *corev1.WindowsSecurityContextOptions {
	own, pods := c.sc.WindowsOptions, c.podSC.WindowsOptions
	if own == nil || pods == nil {
		return either(own, pods)
	}
	return &corev1.WindowsSecurityContextOptions{
		HostProcess:   either(own.HostProcess, pods.HostProcess),
		RunAsUserName: either(own.RunAsUserName, pods.RunAsUserName),
	}
}

// handler has the actions that probes and lifecycle hooks share.
type handler struct {
	http *corev1.HTTPGetAction
	tcp  *corev1.TCPSocketAction
}

func (c container) handlers() []handler {
	var list []handler
	for _, p := range []*corev1.Probe{c.LivenessProbe, c.ReadinessProbe, c.StartupProbe} {
		if p != nil {
			list = append(list, handler{p.HTTPGet, p.TCPSocket})
		}
	}
	if c.Lifecycle != nil {
		for _, l := range []*corev1.LifecycleHandler{c.Lifecycle.PostStart, c.Lifecycle.PreStop} {
			if l != nil {
				list = append(list, handler{l.HTTPGet, l.TCPSocket})
			}
		}
	}
	return list
}

func handlerHost(h handler) Name {
	switch {
	case h.http != nil:
		return Name(h.http.Host)
	case h.tcp != nil:
		return Name(h.tcp.Host)
	default:
		return ""
	}
}

// addUngovernedPod adds the fields of the pod.
func (p *Profile) addUngovernedPod(pod *corev1.Pod, podSC *corev1.PodSecurityContext) {
	if pod.Spec.HostUsers != nil {
		p.HostUsers.add(flagOf(pod.Spec.HostUsers), "")
	}
	if pod.Spec.ShareProcessNamespace != nil {
		p.ShareProcessNamespace.add(flagOf(pod.Spec.ShareProcessNamespace), "")
	}
	if podSC.SupplementalGroupsPolicy != nil {
		p.SupplementalGroupsPolicy.add(Name(*podSC.SupplementalGroupsPolicy), "")
	}
	for _, e := range pod.Spec.EphemeralContainers {
		p.EphemeralContainers.add(Name(e.Name), "")
	}
	for _, list := range [][]corev1.ContainerStatus{pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses} {
		for _, s := range list {
			if s.User != nil && s.User.Linux != nil {
				p.RuntimeUser.add(runtimeUser(s.User.Linux), s.Name)
			}
		}
	}
}

func runtimeUser(u *corev1.LinuxContainerUser) Name {
	groups := slices.Clone(u.SupplementalGroups)
	slices.Sort(groups)
	text := "uid " + strconv.FormatInt(u.UID, 10) + " gid " + strconv.FormatInt(u.GID, 10)
	if len(groups) > 0 {
		list := make([]string, len(groups))
		for i, g := range groups {
			list[i] = strconv.FormatInt(g, 10)
		}
		text += " groups " + strings.Join(list, " ")
	}
	return Name(text)
}
