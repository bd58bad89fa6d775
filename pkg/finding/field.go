package finding

import (
	"slices"
	"strings"

	"github.com/psp-advisor/psp-advisor/pkg/aggregate"
	"github.com/psp-advisor/psp-advisor/pkg/profile"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// fields are the fields that lines of package privilege follow from: whole lines, and
// beginnings of lines. A field of the security context is that of the container, or of
// the pod if the pod asks.
var fields = []struct{ line, field string }{
	{"allowPrivilegeEscalation", "securityContext.allowPrivilegeEscalation"},
	{"appArmor ", "securityContext.appArmorProfile"},
	{"capability ", "securityContext.capabilities"},
	{"csi ", "volumes"},
	{"default capabilities", "securityContext.capabilities.drop"},
	{"default runtimeClass", "runtimeClassName"},
	{"flexVolume ", "volumes"},
	{"fsGroup ", "securityContext.fsGroup"},
	{"group ", "securityContext.runAsGroup"},
	{"hostIPC", "hostIPC"},
	{"hostNetwork", "hostNetwork"},
	{"hostPID", "hostPID"},
	{"hostPath ", "volumes"},
	{"hostPort ", "ports"},
	{"hostUsers", "hostUsers"},
	{"image groups", "securityContext.supplementalGroupsPolicy"},
	{"image group", "securityContext.runAsGroup"},
	{"image user", "securityContext.runAsUser"},
	{"mountPropagation ", "volumeMounts"},
	{"no seccomp profile", "securityContext.seccompProfile"},
	{"privileged", "securityContext.privileged"},
	{"probe host ", "livenessProbe, readinessProbe, startupProbe, lifecycle"},
	{"procMount ", "securityContext.procMount"},
	{"root group", "securityContext.runAsGroup"},
	{"root user", "securityContext.runAsUser"},
	{"runtimeClass ", "runtimeClassName"},
	{"seLinux", "securityContext.seLinuxOptions"},
	{"seccomp ", "securityContext.seccompProfile"},
	{"shareProcessNamespace", "shareProcessNamespace"},
	{"supplementalGroup ", "securityContext.supplementalGroups"},
	{"sysctl ", "securityContext.sysctls"},
	{"user ", "securityContext.runAsUser"},
	{"volume ", "volumes"},
	{"windows hostProcess", "securityContext.windowsOptions.hostProcess"},
	{"windows user ", "securityContext.windowsOptions.runAsUserName"},
	{"writable root file system", "securityContext.readOnlyRootFilesystem"},
	{"write hostPath ", "volumes"},
}

// Field returns the path of the field of a manifest that a line follows from, for a
// container of a kind, or for the pod as a whole if the container is empty. A container
// that mounts a volume asks for it.
func Field(w aggregate.Workload, container string, kind profile.Kind, line string) string {
	i := slices.IndexFunc(fields, func(f struct{ line, field string }) bool { return strings.HasPrefix(line, f.line) })
	if i < 0 {
		return ""
	}
	at := slices.Concat(templates[schema.GroupKind{Group: w.Group, Kind: w.Kind}], []string{"spec"})
	field := fields[i].field
	if container != "" {
		list, known := lists[kind]
		if !known {
			list = lists[profile.Regular]
		}
		at = append(at, list+"[name="+word(container)+"]")
		if field == "volumes" {
			field = "volumeMounts"
		}
	}
	return strings.Join(append(at, field), ".")
}
