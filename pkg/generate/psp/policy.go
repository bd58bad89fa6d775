package psp

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// The fields of policy/v1beta1 (k8s.io/api v0.24) that a generated policy can have.
// Fields that give pods privileges or defaults are missing on purpose.

type podSecurityPolicy struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              policySpec `json:"spec"`
}

type policySpec struct {
	Privileged               bool                   `json:"privileged,omitempty"`
	RequiredDropCapabilities []corev1.Capability    `json:"requiredDropCapabilities,omitempty"`
	AllowedCapabilities      []corev1.Capability    `json:"allowedCapabilities,omitempty"`
	Volumes                  []string               `json:"volumes,omitempty"`
	HostNetwork              bool                   `json:"hostNetwork,omitempty"`
	HostPorts                []idRange              `json:"hostPorts,omitempty"`
	HostPID                  bool                   `json:"hostPID,omitempty"`
	HostIPC                  bool                   `json:"hostIPC,omitempty"`
	SELinux                  seLinuxRule            `json:"seLinux"`
	RunAsUser                idRule                 `json:"runAsUser"`
	RunAsGroup               idRule                 `json:"runAsGroup"`
	SupplementalGroups       idRule                 `json:"supplementalGroups"`
	FSGroup                  idRule                 `json:"fsGroup"`
	ReadOnlyRootFilesystem   bool                   `json:"readOnlyRootFilesystem,omitempty"`
	AllowPrivilegeEscalation bool                   `json:"allowPrivilegeEscalation"` // absent means true
	AllowedHostPaths         []allowedHostPath      `json:"allowedHostPaths,omitempty"`
	AllowedFlexVolumes       []allowedFlexVolume    `json:"allowedFlexVolumes,omitempty"`
	AllowedCSIDrivers        []allowedCSIDriver     `json:"allowedCSIDrivers,omitempty"`
	AllowedUnsafeSysctls     []string               `json:"allowedUnsafeSysctls,omitempty"`
	ForbiddenSysctls         []string               `json:"forbiddenSysctls,omitempty"`
	AllowedProcMountTypes    []corev1.ProcMountType `json:"allowedProcMountTypes,omitempty"`
	RuntimeClass             runtimeClassRule       `json:"runtimeClass"` // absent allows any
}

// The rules that a generated policy can have.
const (
	mustRunAs        = "MustRunAs"
	mustRunAsNonRoot = "MustRunAsNonRoot"
	mayRunAs         = "MayRunAs"
	runAsAny         = "RunAsAny"
)

// idRule is the rule of a user or of groups.
type idRule struct {
	Rule   string    `json:"rule"`
	Ranges []idRange `json:"ranges,omitempty"`
}

type seLinuxRule struct {
	Rule           string                 `json:"rule"`
	SELinuxOptions *corev1.SELinuxOptions `json:"seLinuxOptions,omitempty"`
}

type allowedHostPath struct {
	PathPrefix string `json:"pathPrefix"`
	ReadOnly   bool   `json:"readOnly,omitempty"`
}

type allowedFlexVolume struct {
	Driver string `json:"driver"`
}

type allowedCSIDriver struct {
	Name string `json:"name"`
}

type runtimeClassRule struct {
	AllowedRuntimeClassNames []string `json:"allowedRuntimeClassNames"`
}
