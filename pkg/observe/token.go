package observe

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// Token says whether admission adds a service-account token volume.
type Token int8

const (
	// NoToken : none is added, or the pod has it already.
	NoToken Token = iota
	// TokenByAccount : one is added unless the account opts out.
	TokenByAccount
	// TokenAlways : the pod asks for it, whatever the account says.
	TokenAlways
)

// tokenMountPath is where a container expects its token; one that mounts
// something there itself gets none.
const tokenMountPath = "/var/run/secrets/kubernetes.io/serviceaccount" //nolint:gosec // a path, no credential

// tokenVolumePrefix starts the name of a volume that admission takes for the
// token's, whatever it holds.
const tokenVolumePrefix = "kube-api-access-"

// tokenOf says whether admission adds a token volume: when some init or regular
// container has nothing at the token's path and no volume has a token volume's
// name, unless automount is off on the pod or, where the pod does not say, on
// its account
// (plugin/pkg/admission/serviceaccount/admission.go, mountServiceAccountToken).
func tokenOf(spec *corev1.PodSpec) Token {
	hasMount := func(c corev1.Container) bool {
		return slices.ContainsFunc(c.VolumeMounts, func(m corev1.VolumeMount) bool { return m.MountPath == tokenMountPath })
	}
	needs := func(c corev1.Container) bool { return !hasMount(c) }
	named := func(v corev1.Volume) bool { return strings.HasPrefix(v.Name, tokenVolumePrefix) }
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
