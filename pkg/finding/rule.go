package finding

import (
	"slices"

	"github.com/psp-advisor/psp-advisor/pkg/privilege"
)

// Rule is a best practice that workloads break.
type Rule struct {
	// ID is stable, in kebab case.
	ID string `json:"id"`
	// Title says in a few words what is wrong.
	Title string `json:"title"`
	// Severity of the worst findings.
	Severity privilege.Severity `json:"severity"`
	// PodSecurity is the check of the Pod Security Standards that the rule belongs to,
	// by its name in k8s.io/pod-security-admission; empty if there is none.
	PodSecurity string `json:"podSecurity,omitempty"`
	// CIS is the control of the CIS Kubernetes Benchmark (section 5, from version 1.8
	// on); that of the CIS Docker Benchmark for rules about images.
	CIS string `json:"cis,omitempty"`
	// Hadolint are the rules of hadolint about the same, for rules about images.
	Hadolint []string `json:"hadolint,omitempty"`
	// Attribute that the rule reads, as in an observation.
	Attribute string `json:"attribute,omitempty"`
	// Why says what breaking the rule opens.
	Why string `json:"why"`
	// Remedy says how to mend it.
	Remedy string `json:"remedy"`

	// implied is true if a privileged container breaks the rule anyway: there its remedy
	// changes nothing, or the API server refuses it.
	implied bool
	find    func(s *subject, found func(Finding))
}

// rules is the only table of rules, sorted by ID.
var rules = []Rule{
	{
		ID: "apparmor-unconfined", Title: "AppArmor is off", Severity: privilege.High,
		PodSecurity: "appArmorProfile", CIS: "5.7.3", Attribute: "appArmor", implied: true, find: appArmor,
		Why:    "No AppArmor profile keeps a container that was taken over from mounts, files of the kernel and other processes.",
		Remedy: "Use the runtime's profile.",
	},
	{
		ID: "bidirectional-mount", Title: "mounts spread to the host", Severity: privilege.High,
		CIS: "5.7.3", Attribute: "mountPropagation", find: bidirectional,
		Why:    "What the container mounts appears on the host and in other containers.",
		Remedy: "Let mounts of the host reach the container only.",
	},
	{
		ID: "capability-added", Title: "a capability is added", Severity: privilege.Critical,
		PodSecurity: "capabilities_baseline", CIS: "5.2.9", Attribute: "addedCapabilities", implied: true, find: addedCapabilities,
		Why:    "The container may do what else only root of the host may; how much depends on the capability.",
		Remedy: "Do not add it.",
	},
	{
		ID: "debug-container", Title: "a debug container was left behind", Severity: privilege.Low,
		CIS: "5.7.3", Attribute: "ephemeralContainers", find: debugContainers,
		Why:    "It keeps its tools and privileges in reach of whoever takes the pod over.",
		Remedy: "Delete the pod: the new one has no debug container.",
	},
	{
		ID: "default-account", Title: "runs as the default service account", Severity: privilege.Low,
		CIS: "5.1.5", find: defaultAccount,
		Why:    "What is granted to the default account is granted to every pod that names none.",
		Remedy: "Give the workload a service account of its own.",
	},
	{
		ID: "default-account-token", Title: "the token of the default account is mounted", Severity: privilege.Low,
		CIS: "5.1.6", Attribute: "volumes", find: defaultToken,
		Why:    "Whoever takes the container over can call the API server, and nothing says that the workload has to.",
		Remedy: "Do not mount the token.",
	},
	{
		ID: "default-capabilities", Title: "default capabilities are kept", Severity: privilege.Medium,
		PodSecurity: "capabilities_restricted", CIS: "5.2.10", Attribute: "droppedCapabilities", implied: true, find: keptCapabilities,
		Why:    "The runtime gives 14 capabilities to a container: NET_RAW makes up packets, DAC_OVERRIDE reads any file, MKNOD makes devices.",
		Remedy: "Drop ALL, and add what is needed.",
	},
	{
		ID: "host-ipc", Title: "shares the IPC namespace of the host", Severity: privilege.High,
		PodSecurity: "hostNamespaces", CIS: "5.2.4", Attribute: "hostIPC", find: hostNamespace("hostIPC"),
		Why:    "The shared memory of the host's processes can be read and changed.",
		Remedy: "Use an IPC namespace of its own.",
	},
	{
		ID: "host-network", Title: "uses the network of the host", Severity: privilege.High,
		PodSecurity: "hostNamespaces", CIS: "5.2.5", Attribute: "hostNetwork", find: hostNamespace("hostNetwork"),
		Why:    "Services that listen on localhost of the node can be reached, traffic can be seen, and network policies do not hold.",
		Remedy: "Use the network of the pod.",
	},
	{
		ID: "host-path", Title: "reads files of the host", Severity: privilege.Critical,
		PodSecurity: "hostPathVolumes", CIS: "5.2.12", Attribute: "hostPaths", find: readHostPath,
		Why:    "Files of the node, and through them keys, sockets and other pods, are within reach; how much depends on the path.",
		Remedy: "Use a volume of the cluster, such as a ConfigMap, emptyDir or a claim.",
	},
	{
		ID: "host-path-write", Title: "writes files of the host", Severity: privilege.Critical,
		PodSecurity: "hostPathVolumes", CIS: "5.2.12", Attribute: "hostPaths", find: writeHostPath,
		Why:    "Who changes files of the node can take it over; how easily depends on the path.",
		Remedy: "Mount it read-only, or not at all where a read-only mount changes nothing.",
	},
	{
		ID: "host-pid", Title: "shares the processes of the host", Severity: privilege.High,
		PodSecurity: "hostNamespaces", CIS: "5.2.3", Attribute: "hostPID", find: hostNamespace("hostPID"),
		Why:    "Processes of the node and of other pods can be seen and signalled, with their environment and files.",
		Remedy: "Use a process namespace of its own.",
	},
	{
		ID: "host-port", Title: "opens a port of the host", Severity: privilege.Medium,
		PodSecurity: "hostPorts", CIS: "5.2.13", Attribute: "hostPorts", find: hostPorts,
		Why:    "Whoever reaches the node reaches the container, whatever network policies say.",
		Remedy: "Publish the port by a Service.",
	},
	{
		ID: "host-process", Title: "is a process of the Windows host", Severity: privilege.Critical,
		PodSecurity: "windowsHostProcess", CIS: "5.2.11", Attribute: "hostProcess", find: hostProcess,
		Why:    "It runs on the node, outside any container.",
		Remedy: "Run it in a container.",
	},
	{
		ID: "image-tag", Title: "the image may change", Severity: privilege.Low,
		CIS: "5.5.1", Attribute: "containers", find: mutableTag,
		Why:    "Without a tag, or by the tag latest, another image runs after the next restart, without a change of the manifest.",
		Remedy: "Name the image by version or digest.",
	},
	{
		ID: "privilege-escalation", Title: "privilege escalation is not disabled", Severity: privilege.Medium,
		PodSecurity: "allowPrivilegeEscalation", CIS: "5.2.6", Attribute: "allowPrivilegeEscalation", implied: true, find: escalation,
		Why:    "A process can gain more privileges than its parent, by setuid programs or file capabilities.",
		Remedy: "Disable it.",
	},
	{
		ID: "privileged", Title: "is privileged", Severity: privilege.Critical,
		PodSecurity: "privileged", CIS: "5.2.2", Attribute: "privileged", find: privileged,
		Why:    "The container has every capability and device of the node, and no confinement: it is root there.",
		Remedy: "Add the capabilities that it needs instead.",
	},
	{
		ID: "proc-mount", Title: "/proc is not masked", Severity: privilege.High,
		PodSecurity: "procMount", CIS: "5.7.3", Attribute: "procMount", implied: true, find: procMount,
		Why:    "Files of the kernel in /proc, which runtimes hide, can be read and written.",
		Remedy: "Use the default.",
	},
	{
		ID: "root-user", Title: "runs as root", Severity: privilege.High,
		PodSecurity: "runAsUser", CIS: "5.2.7", Attribute: "runAsUser", find: rootUser,
		Why:    "A way out of the container leads to root of the node.",
		Remedy: "Run as another user.",
	},
	{
		ID: "run-as-non-root", Title: "nothing keeps it from running as root", Severity: privilege.Medium,
		PodSecurity: "runAsNonRoot", CIS: "5.2.7", Attribute: "runAsUser", find: nonRoot,
		Why:    "The image decides whether the container is root, and the next image may decide otherwise.",
		Remedy: "Set runAsNonRoot, so that the kubelet refuses root.",
	},
	{
		ID: "seccomp-unconfined", Title: "seccomp is off", Severity: privilege.High,
		PodSecurity: "seccompProfile_baseline", CIS: "5.7.2", Attribute: "seccompProfile", implied: true, find: seccompUnconfined,
		Why:    "Every system call of the kernel can be attacked.",
		Remedy: "Use the runtime's profile.",
	},
	{
		ID: "seccomp-unset", Title: "no seccomp profile", Severity: privilege.Medium,
		PodSecurity: "seccompProfile_restricted", CIS: "5.7.2", Attribute: "seccompProfile", implied: true, find: seccompUnset,
		Why:    "Unless the kubelet has a default, every system call of the kernel can be attacked.",
		Remedy: "Use the runtime's profile.",
	},
	{
		ID: "secret-env", Title: "a Secret is in the environment", Severity: privilege.Low,
		CIS: "5.4.1", Attribute: "secretEnv", find: secretEnv,
		Why:    "Logs, child processes and crash reports often have the environment.",
		Remedy: "Mount the Secret as a file, and read it there.",
	},
	{
		ID: "shared-account", Title: "shares a service account with workloads that ask for less", Severity: privilege.Medium,
		CIS: "5.1.5", find: sharedAccount,
		Why:    "Policies and rights are by service account, so that the others may ask for as much.",
		Remedy: "Give the workload a service account of its own.",
	},
	{
		ID: "shared-process-namespace", Title: "containers share their processes", Severity: privilege.Low,
		CIS: "5.7.3", Attribute: "shareProcessNamespace", find: sharedProcesses,
		Why:    "A container that was taken over sees the processes of the others, their environment and files.",
		Remedy: "Give each container a process namespace of its own.",
	},
	{
		ID: "sysctl", Title: "sets an unsafe sysctl", Severity: privilege.High,
		PodSecurity: "sysctls", CIS: "5.7.3", Attribute: "sysctls", find: unsafeSysctls,
		Why:    "It may have an effect on the node or on other pods.",
		Remedy: "Do not set it.",
	},
	{
		ID: "writable-root", Title: "the root file system is writable", Severity: privilege.Low,
		CIS: "5.7.3", Attribute: "readOnlyRootFilesystem", find: writableRoot,
		Why:    "Whoever takes the container over can change its programs and bring others.",
		Remedy: "Make it read-only, and mount an emptyDir where it writes.",
	},
}

// Rules returns the table of rules, sorted by ID.
func Rules() []Rule { return slices.Clone(rules) }

// RuleOf returns the rule with an ID.
func RuleOf(id string) (Rule, bool) {
	i := slices.IndexFunc(rules, func(r Rule) bool { return r.ID == id })
	if i < 0 {
		return Rule{}, false
	}
	return rules[i], true
}
