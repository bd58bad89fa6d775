package privilege

import (
	"slices"
	"strings"
)

// Forms are the lines that there are: whole lines, and the beginnings, which end in a
// space, of lines with a value.
var Forms = []string{
	"allowPrivilegeEscalation", "appArmor ", "capability ", "csi ", "default capabilities", "default runtimeClass",
	"flexVolume ", "fsGroup ", "group ", "hostIPC", "hostNetwork", "hostPID", "hostPath ", "hostPort ", "hostUsers",
	"image group", "image groups", "image user", "image user root", "mountPropagation ", "no seccomp profile",
	"privileged", "probe host ", "procMount ", "root group", "root user", "runtimeClass ", "seLinux", "seLinux ",
	"seccomp ", "shareProcessNamespace", "supplementalGroup ", "sysctl ", "user ", "volume ", "windows hostProcess",
	"windows user ", "writable root file system", "write hostPath ",
}

// Valid reports whether a text is a line that some pod can ask for.
func Valid(line string) bool {
	return !strings.Contains(line, "\n") && slices.ContainsFunc(Forms, func(form string) bool {
		return line == form && !strings.HasSuffix(form, " ") || strings.HasSuffix(form, " ") && strings.HasPrefix(line, form)
	})
}
