package judge

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
	podutil "k8s.io/kubernetes/pkg/api/pod"
	api "k8s.io/kubernetes/pkg/apis/core"
	psputil "k8s.io/kubernetes/pkg/security/podsecuritypolicy/util"
	"k8s.io/kubernetes/pkg/securitycontext"
)

// usage collects the values that the pods of one policy use. It only suggests
// tightenings: each is tried on the pods, so a wrong suggestion finds nothing
// and a missing one hides slack.
type usage struct {
	drops, adds         map[string]bool
	ports, uids, gids   map[int64]bool
	fsGroups, groups    map[int64]bool
	volumes             map[string]bool
	hostPaths           map[string]bool
	flex, csi           map[string]bool
	sysctls, classes    map[string]bool
	seccomps, appArmors map[string]bool
	selinuxes           []*api.SELinuxOptions
}

func usageOf(pods []arrival) usage {
	u := usage{
		drops: map[string]bool{}, adds: map[string]bool{},
		ports: map[int64]bool{}, uids: map[int64]bool{}, gids: map[int64]bool{},
		fsGroups: map[int64]bool{}, groups: map[int64]bool{},
		volumes: map[string]bool{}, hostPaths: map[string]bool{},
		flex: map[string]bool{}, csi: map[string]bool{},
		sysctls: map[string]bool{}, classes: map[string]bool{},
		seccomps: map[string]bool{}, appArmors: map[string]bool{},
	}
	for _, a := range pods {
		u.pod(a.plain)
	}
	return u
}

func (u *usage) pod(pod *api.Pod) {
	for key, value := range pod.Annotations {
		if key == api.SeccompPodAnnotationKey || strings.HasPrefix(key, api.SeccompContainerAnnotationKeyPrefix) {
			u.seccomps[value] = true
		}
		if strings.HasPrefix(key, corev1.AppArmorBetaContainerAnnotationKeyPrefix) {
			u.appArmors[value] = true
		}
	}
	if pod.Spec.RuntimeClassName != nil {
		u.classes[*pod.Spec.RuntimeClassName] = true
	}
	level := securitycontext.NewPodSecurityContextAccessor(pod.Spec.SecurityContext)
	if sc := pod.Spec.SecurityContext; sc != nil {
		u.selinux(sc.SELinuxOptions)
		for _, sysctl := range sc.Sysctls {
			u.sysctls[sysctl.Name] = true
		}
		if sc.FSGroup != nil {
			u.fsGroups[*sc.FSGroup] = true
		}
		for _, group := range sc.SupplementalGroups {
			u.groups[group] = true
		}
	}
	for _, volume := range pod.Spec.Volumes {
		if fsType, err := psputil.GetVolumeFSType(volume); err == nil {
			u.volumes[string(fsType)] = true
		}
		switch {
		case volume.HostPath != nil:
			u.hostPaths[volume.HostPath.Path] = true
		case volume.FlexVolume != nil:
			u.flex[volume.FlexVolume.Driver] = true
		case volume.CSI != nil:
			u.csi[volume.CSI.Driver] = true
		}
	}
	podutil.VisitContainers(&pod.Spec, podutil.AllContainers, func(c *api.Container, _ podutil.ContainerType) bool {
		sc := securitycontext.NewEffectiveContainerSecurityContextAccessor(level, securitycontext.NewContainerSecurityContextMutator(c.SecurityContext))
		if uid := sc.RunAsUser(); uid != nil {
			u.uids[*uid] = true
		}
		if gid := sc.RunAsGroup(); gid != nil {
			u.gids[*gid] = true
		}
		u.selinux(sc.SELinuxOptions())
		if caps := sc.Capabilities(); caps != nil {
			for _, c := range caps.Add {
				u.adds[string(c)] = true
			}
			for _, c := range caps.Drop {
				u.drops[string(c)] = true
			}
		}
		for _, port := range c.Ports {
			if port.HostPort > 0 {
				u.ports[int64(port.HostPort)] = true
			}
		}
		return true
	})
}

func (u *usage) selinux(options *api.SELinuxOptions) {
	if options == nil {
		return
	}
	for _, known := range u.selinuxes {
		if *known == *options {
			return
		}
	}
	u.selinuxes = append(u.selinuxes, options)
}
