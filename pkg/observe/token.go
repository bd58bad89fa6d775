package observe

import (
	"slices"
	"strings"

	"github.com/psp-advisor/psp-advisor/pkg/profile"
	corev1 "k8s.io/api/core/v1"
)

// Token says whether admission adds a service-account token volume.
type Token int8

const (
	// NoToken : no volume is added, or the pod already has it.
	NoToken Token = iota
	// TokenByAccount : a volume is added unless the service account opts out.
	TokenByAccount
	// TokenAlways : a volume is added because the pod requests it.
	TokenAlways
)

// tokenMountPath is where a token volume is mounted. A container that mounts another
// volume there gets no token.
const tokenMountPath = "/var/run/secrets/kubernetes.io/serviceaccount" //nolint:gosec // a path, no credential

// tokenOf returns whether admission adds a token volume: if some init or regular
// container mounts nothing at the token's path and no volume has the name of a token
// volume, unless automountServiceAccountToken is false on the pod or, if unset there, on
// the service account
// (plugin/pkg/admission/serviceaccount/admission.go, mountServiceAccountToken).
func tokenOf(spec *corev1.PodSpec) Token {
	hasMount := func(c corev1.Container) bool {
		return slices.ContainsFunc(c.VolumeMounts, func(m corev1.VolumeMount) bool { return m.MountPath == tokenMountPath })
	}
	needs := func(c corev1.Container) bool { return !hasMount(c) }
	named := func(v corev1.Volume) bool { return strings.HasPrefix(v.Name, profile.TokenVolumePrefix) }
	switch automount := spec.AutomountServiceAccountToken; {
	case slices.ContainsFunc(spec.Volumes, named):
		return NoToken
	case !slices.ContainsFunc(spec.InitContainers, needs) && !slices.ContainsFunc(spec.Containers, needs):
		return NoToken
	case automount == nil:
		return TokenByAccount
	case *automount:
		return TokenAlways
	default:
		return NoToken
	}
}
