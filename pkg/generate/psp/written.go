package psp

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// writtenPolicy is a PodSecurityPolicy that somebody wrote, with all fields of
// policy/v1beta1 (k8s.io/api v0.24) that admission reads. Absent is not the same as
// empty in those with a pointer.
type writtenPolicy struct {
	metav1.ObjectMeta `json:"metadata"`
	Spec              writtenSpec `json:"spec"`
}

type writtenSpec struct {
	Privileged                      bool                   `json:"privileged"`
	DefaultAddCapabilities          []corev1.Capability    `json:"defaultAddCapabilities"`
	RequiredDropCapabilities        []corev1.Capability    `json:"requiredDropCapabilities"`
	AllowedCapabilities             []corev1.Capability    `json:"allowedCapabilities"`
	Volumes                         []string               `json:"volumes"`
	HostNetwork                     bool                   `json:"hostNetwork"`
	HostPorts                       []idRange              `json:"hostPorts"`
	HostPID                         bool                   `json:"hostPID"`
	HostIPC                         bool                   `json:"hostIPC"`
	SELinux                         seLinuxRule            `json:"seLinux"`
	RunAsUser                       idRule                 `json:"runAsUser"`
	RunAsGroup                      *idRule                `json:"runAsGroup"` // absent means RunAsAny
	SupplementalGroups              idRule                 `json:"supplementalGroups"`
	FSGroup                         idRule                 `json:"fsGroup"`
	ReadOnlyRootFilesystem          bool                   `json:"readOnlyRootFilesystem"`
	DefaultAllowPrivilegeEscalation *bool                  `json:"defaultAllowPrivilegeEscalation"`
	AllowPrivilegeEscalation        *bool                  `json:"allowPrivilegeEscalation"` // absent means true
	AllowedHostPaths                []allowedHostPath      `json:"allowedHostPaths"`         // empty allows every path
	AllowedFlexVolumes              []allowedFlexVolume    `json:"allowedFlexVolumes"`       // empty allows every driver
	AllowedCSIDrivers               []allowedCSIDriver     `json:"allowedCSIDrivers"`        // empty allows every driver
	AllowedUnsafeSysctls            []string               `json:"allowedUnsafeSysctls"`
	ForbiddenSysctls                []string               `json:"forbiddenSysctls"`
	AllowedProcMountTypes           []corev1.ProcMountType `json:"allowedProcMountTypes"` // empty allows Default
	RuntimeClass                    *writtenRuntimeClass   `json:"runtimeClass"`          // absent allows every class
}

type writtenRuntimeClass struct {
	AllowedRuntimeClassNames []string `json:"allowedRuntimeClassNames"`
	DefaultRuntimeClassName  *string  `json:"defaultRuntimeClassName"`
}

// allowsEscalation reports what allowPrivilegeEscalation is once it is stored
// (pkg/apis/policy/v1beta1/defaults.go).
func (s *writtenSpec) allowsEscalation() bool {
	return s.AllowPrivilegeEscalation == nil || *s.AllowPrivilegeEscalation
}
