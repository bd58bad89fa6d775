package fleet

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// podTemplate makes up what a user has written and the server has defaulted.
func (w *workload) podTemplate(r *rand.Rand, namespace, account string) corev1.PodTemplateSpec {
	grace, restart := int64(30), corev1.RestartPolicyAlways
	if w.kind == "Job" {
		restart = corev1.RestartPolicyNever
	}
	t := corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: namespace,
			Labels: map[string]string{
				"app.kubernetes.io/name": w.name, "app.kubernetes.io/instance": namespace + "-" + w.name, "app.kubernetes.io/part-of": namespace,
				"app.kubernetes.io/version": fmt.Sprintf("1.%d.%d", r.IntN(40), r.IntN(9)), "team": namespace,
			},
			Annotations: map[string]string{
				"checksum/config":      fmt.Sprintf("%016x%016x%016x%016x", r.Uint64(), r.Uint64(), r.Uint64(), r.Uint64()),
				"prometheus.io/scrape": "true", "prometheus.io/port": "9090", "prometheus.io/path": "/metrics",
				"kubectl.kubernetes.io/restartedAt": at(r.Uint64()).Format("2006-01-02T15:04:05Z"),
			},
		},
	}
	s := &t.Spec
	s.RestartPolicy = restart
	s.ServiceAccountName, s.DeprecatedServiceAccount = account, account
	s.TerminationGracePeriodSeconds, s.DNSPolicy, s.SchedulerName = &grace, corev1.DNSClusterFirst, corev1.DefaultSchedulerName
	s.ImagePullSecrets = []corev1.LocalObjectReference{{Name: "registry-credentials"}}
	s.SecurityContext = &corev1.PodSecurityContext{}
	s.Affinity = &corev1.Affinity{PodAntiAffinity: &corev1.PodAntiAffinity{PreferredDuringSchedulingIgnoredDuringExecution: []corev1.WeightedPodAffinityTerm{{
		Weight: 100, PodAffinityTerm: corev1.PodAffinityTerm{LabelSelector: w.selector(), TopologyKey: corev1.LabelHostname},
	}}}}
	s.TopologySpreadConstraints = []corev1.TopologySpreadConstraint{{
		MaxSkew: 1, TopologyKey: corev1.LabelTopologyZone, WhenUnsatisfiable: corev1.ScheduleAnyway, LabelSelector: w.selector(),
	}}
	s.Volumes = []corev1.Volume{
		{Name: "config", VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: corev1.LocalObjectReference{Name: w.name + "-config"}, DefaultMode: new(int32(0o644))}}},
		{Name: "tmp", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}},
	}
	s.Containers = []corev1.Container{w.mainContainer(r, namespace)}
	if r.IntN(2) == 0 {
		s.Containers = append(s.Containers, small(r, "proxy", "registry.example.com/mesh/proxy", 16))
	}
	if r.IntN(4) == 0 {
		s.InitContainers = append(s.InitContainers, small(r, "migrate", "registry.example.com/"+namespace+"/"+w.name+"-migrate", 12))
	}
	secure(r, s)
	return t
}

// secure makes up what policies are about.
func secure(r *rand.Rand, s *corev1.PodSpec) {
	yes, no := true, false
	main := &s.Containers[0]
	if r.IntN(2) == 0 {
		user, group := int64(1000+r.IntN(20)), int64(2000+r.IntN(5))
		s.SecurityContext.RunAsUser, s.SecurityContext.RunAsNonRoot, s.SecurityContext.FSGroup = &user, &yes, &group
	}
	if r.IntN(2) == 0 {
		s.SecurityContext.SeccompProfile = &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault}
	}
	for i := range s.Containers {
		if r.IntN(3) > 0 {
			s.Containers[i].SecurityContext = &corev1.SecurityContext{
				AllowPrivilegeEscalation: &no, ReadOnlyRootFilesystem: &yes, Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
			}
		}
	}
	if c := main.SecurityContext; c != nil && r.IntN(5) == 0 {
		c.Capabilities.Add = []corev1.Capability{[]corev1.Capability{"NET_BIND_SERVICE", "CHOWN", "SYS_TIME", "NET_ADMIN"}[r.IntN(4)]}
	}
	if r.IntN(12) == 0 {
		path := []string{"/var/log", "/etc/ssl/certs", "/var/lib/agent", "/dev/shm"}[r.IntN(4)]
		s.Volumes = append(s.Volumes, corev1.Volume{Name: "host", VolumeSource: corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: path}}})
		main.VolumeMounts = append(main.VolumeMounts, corev1.VolumeMount{Name: "host", MountPath: "/host" + path, ReadOnly: r.IntN(2) == 0})
	}
	if r.IntN(40) == 0 {
		s.HostNetwork = true
		for i := range main.Ports {
			main.Ports[i].HostPort = main.Ports[i].ContainerPort
		}
	}
	if r.IntN(60) == 0 {
		main.SecurityContext = &corev1.SecurityContext{Privileged: &yes}
	}
}

// mainContainer makes up a container with the configuration of a service.
func (w *workload) mainContainer(r *rand.Rand, namespace string) corev1.Container {
	c := small(r, "app", "registry.example.com/"+namespace+"/"+w.name, 40)
	for _, secret := range []string{"DATABASE_PASSWORD", "API_TOKEN", "SIGNING_KEY"} {
		c.Env = append(c.Env, corev1.EnvVar{Name: secret, ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{
			LocalObjectReference: corev1.LocalObjectReference{Name: w.name + "-secrets"}, Key: strings.ToLower(secret),
		}}})
	}
	c.Env = append(c.Env, corev1.EnvVar{Name: "POD_NAME", ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{APIVersion: "v1", FieldPath: "metadata.name"}}})
	c.Args = []string{"--config=/etc/" + w.name + "/config.yaml", "--log-format=json", "--listen-address=:8080"}
	c.Ports = []corev1.ContainerPort{{Name: "http", ContainerPort: 8080, Protocol: corev1.ProtocolTCP}, {Name: "metrics", ContainerPort: 9090, Protocol: corev1.ProtocolTCP}}
	probe := func(path string, failures int32) *corev1.Probe {
		return &corev1.Probe{
			ProbeHandler:        corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: path, Port: port(8080), Scheme: corev1.URISchemeHTTP}},
			InitialDelaySeconds: 5, TimeoutSeconds: 3, PeriodSeconds: 10, SuccessThreshold: 1, FailureThreshold: failures,
		}
	}
	c.LivenessProbe, c.ReadinessProbe, c.StartupProbe = probe("/healthz", 3), probe("/readyz", 3), probe("/healthz", 30)
	c.VolumeMounts = []corev1.VolumeMount{{Name: "config", MountPath: "/etc/" + w.name, ReadOnly: true}, {Name: "tmp", MountPath: "/tmp"}}
	return c
}

var variables = []string{
	"LOG_LEVEL", "DATABASE_HOST", "DATABASE_PORT", "DATABASE_NAME", "CACHE_ENDPOINT", "QUEUE_ENDPOINT", "TRACING_ENDPOINT", "REGION", "ENVIRONMENT",
	"FEATURE_FLAGS", "HTTP_TIMEOUT", "MAX_CONNECTIONS", "WORKER_THREADS", "PUBLIC_URL", "METRICS_PREFIX", "ALLOWED_ORIGINS", "RETRY_POLICY", "BATCH_SIZE",
	"STORAGE_BUCKET", "JAVA_TOOL_OPTIONS", "OTEL_RESOURCE_ATTRIBUTES", "SMTP_HOST",
}

// small makes up a container with that many plain variables.
func small(r *rand.Rand, name, image string, env int) corev1.Container {
	c := corev1.Container{
		Name: name, Image: fmt.Sprintf("%s:1.%d.%d", image, r.IntN(40), r.IntN(9)), ImagePullPolicy: corev1.PullIfNotPresent,
		Resources: corev1.ResourceRequirements{
			Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("100m"), corev1.ResourceMemory: resource.MustParse("256Mi")},
			Limits:   corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("512Mi")},
		},
		TerminationMessagePath: corev1.TerminationMessagePathDefault, TerminationMessagePolicy: corev1.TerminationMessageReadFile,
	}
	for i := range env {
		variable := variables[i%len(variables)]
		if i >= len(variables) {
			variable = "SECONDARY_" + variable
		}
		value := fmt.Sprintf("https://%s-%s.internal.example.com:8443/v%d?timeout=30s&retries=5", strings.ToLower(variable[:3]), suffix(r.Uint64(), 6), r.IntN(4))
		if i%3 == 0 {
			value = fmt.Sprint(r.IntN(10_000))
		}
		c.Env = append(c.Env, corev1.EnvVar{Name: variable, Value: value})
	}
	return c
}

// podName returns the name that the controller gives to a replica.
func (w *workload) podName(replica int) string {
	if w.kind == "StatefulSet" {
		return fmt.Sprintf("%s-%d", w.name, replica)
	}
	return w.owner.Name + "-" + suffix(w.first+uint64(replica)*1_234_577, 5) //nolint:gosec // never negative
}

// pod returns a replica as it is in a cluster: after admission, scheduled and running.
func (w *workload) pod(replica int) *corev1.Pod {
	r := w.random(replica)
	p := &corev1.Pod{ObjectMeta: w.meta(w.podName(replica), uid(r), &w.owner), Spec: w.template.Spec}
	p.Generation, p.Annotations = 0, w.template.Annotations
	p.ResourceVersion = version(r.Uint64())
	switch w.owner.Kind {
	case "ReplicaSet":
		p.GenerateName, p.Labels = w.owner.Name+"-", with(p.Labels, appsv1.DefaultDeploymentUniqueLabelKey, w.hash)
	case "StatefulSet":
		p.GenerateName, p.Labels = w.name+"-", with(with(p.Labels, appsv1.StatefulSetPodNameLabel, p.Name), appsv1.ControllerRevisionHashLabelKey, w.name+"-"+w.hash)
	case "DaemonSet":
		p.GenerateName, p.Labels = w.name+"-", with(with(p.Labels, "pod-template-generation", "3"), appsv1.ControllerRevisionHashLabelKey, w.hash)
	case "Job":
		p.GenerateName, p.Labels = w.owner.Name+"-", with(with(p.Labels, "job-name", w.owner.Name), "controller-uid", string(w.owner.UID))
	}
	node := r.IntN(nodes)
	p.Spec.NodeName = fmt.Sprintf("node-%03d.example.internal", node)
	admit(p, "kube-api-access-"+suffix(r.Uint64(), 5))
	w.run(p, r, node)
	return p
}

// admit makes what admission plugins change: the token volume with its mounts, the
// tolerations and the priority.
func admit(p *corev1.Pod, token string) {
	s := &p.Spec
	seconds, priority, preemption, links, lifetime := int64(300), int32(0), corev1.PreemptLowerPriority, true, int64(3607)
	s.Priority, s.PreemptionPolicy, s.EnableServiceLinks = &priority, &preemption, &links
	for _, key := range []string{corev1.TaintNodeNotReady, corev1.TaintNodeUnreachable} {
		s.Tolerations = append(s.Tolerations, corev1.Toleration{Key: key, Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoExecute, TolerationSeconds: &seconds})
	}
	s.Volumes = append(slices.Clone(s.Volumes), corev1.Volume{Name: token, VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{
		DefaultMode: new(int32(0o644)),
		Sources: []corev1.VolumeProjection{
			{ServiceAccountToken: &corev1.ServiceAccountTokenProjection{ExpirationSeconds: &lifetime, Path: "token"}},
			{ConfigMap: &corev1.ConfigMapProjection{LocalObjectReference: corev1.LocalObjectReference{Name: "kube-root-ca.crt"}, Items: []corev1.KeyToPath{{Key: "ca.crt", Path: "ca.crt"}}}},
			{DownwardAPI: &corev1.DownwardAPIProjection{Items: []corev1.DownwardAPIVolumeFile{{Path: "namespace", FieldRef: &corev1.ObjectFieldSelector{APIVersion: "v1", FieldPath: "metadata.namespace"}}}}},
		},
	}}})
	mount := corev1.VolumeMount{Name: token, ReadOnly: true, MountPath: "/var/run/secrets/kubernetes.io/serviceaccount"}
	for _, containers := range []*[]corev1.Container{&s.Containers, &s.InitContainers} {
		*containers = slices.Clone(*containers)
		for i := range *containers {
			c := &(*containers)[i]
			c.VolumeMounts = append(slices.Clone(c.VolumeMounts), mount)
		}
	}
}

// run makes up the status that a kubelet writes.
func (w *workload) run(p *corev1.Pod, r *rand.Rand, node int) {
	start := at(w.first)
	s := corev1.PodStatus{
		Phase: corev1.PodRunning, StartTime: &start, QOSClass: corev1.PodQOSBurstable,
		HostIP: fmt.Sprintf("10.0.%d.%d", node/200, node%200+10), PodIP: fmt.Sprintf("10.%d.%d.%d", 64+r.IntN(64), r.IntN(256), r.IntN(254)+1),
	}
	s.PodIPs = []corev1.PodIP{{IP: s.PodIP}}
	for _, c := range []corev1.PodConditionType{corev1.PodInitialized, corev1.PodReady, corev1.ContainersReady, corev1.PodScheduled} {
		s.Conditions = append(s.Conditions, corev1.PodCondition{Type: c, Status: corev1.ConditionTrue, LastTransitionTime: start})
	}
	started := true
	statuses := func(containers []corev1.Container) (all []corev1.ContainerStatus) {
		for _, c := range containers {
			all = append(all, corev1.ContainerStatus{
				Name: c.Name, Ready: true, Started: &started, Image: c.Image, RestartCount: int32(r.IntN(3)), //nolint:gosec // small
				ImageID:     fmt.Sprintf("%s@sha256:%016x%016x%016x%016x", c.Image[:strings.LastIndex(c.Image, ":")], w.first, w.first, w.first, w.first),
				ContainerID: fmt.Sprintf("containerd://%016x%016x%016x%016x", r.Uint64(), r.Uint64(), r.Uint64(), r.Uint64()),
				State:       corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: start}},
			})
		}
		return all
	}
	s.ContainerStatuses = statuses(p.Spec.Containers)
	s.InitContainerStatuses = statuses(p.Spec.InitContainers)
	for i := range s.InitContainerStatuses {
		s.InitContainerStatuses[i].State = corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{Reason: "Completed", StartedAt: start, FinishedAt: start}}
	}
	p.Status = s
}

// managedFields has about the size of what the server keeps about the writers of a pod.
func managedFields(containers []corev1.Container, owner string) []metav1.ManagedFieldsEntry {
	var spec strings.Builder
	fmt.Fprintf(&spec, `{"f:metadata":{"f:labels":{".":{},"f:team":{}},"f:ownerReferences":{".":{},"k:{\"uid\":\"%s\"}":{}}},"f:spec":{"f:containers":{`, owner)
	for i, c := range containers {
		if i > 0 {
			spec.WriteString(",")
		}
		fmt.Fprintf(&spec, `"k:{\"name\":\"%s\"}":{".":{},"f:env":{".":{}`, c.Name)
		for _, e := range c.Env {
			if spec.Len() < managedFieldsBytes-700 {
				fmt.Fprintf(&spec, `,"k:{\"name\":\"%s\"}":{".":{},"f:name":{},"f:value":{}}`, e.Name)
			}
		}
		spec.WriteString(`},"f:image":{},"f:imagePullPolicy":{},"f:name":{}}`)
	}
	spec.WriteString(`},"f:dnsPolicy":{},"f:restartPolicy":{},"f:schedulerName":{}}}`)
	const status = `{"f:status":{"f:conditions":{"k:{\"type\":\"ContainersReady\"}":{".":{},"f:lastProbeTime":{},"f:lastTransitionTime":{},"f:status":{},"f:type":{}},` +
		`"k:{\"type\":\"Initialized\"}":{".":{},"f:lastProbeTime":{},"f:lastTransitionTime":{},"f:status":{},"f:type":{}},` +
		`"k:{\"type\":\"Ready\"}":{".":{},"f:lastProbeTime":{},"f:lastTransitionTime":{},"f:status":{},"f:type":{}}},` +
		`"f:containerStatuses":{},"f:hostIP":{},"f:phase":{},"f:podIP":{},"f:podIPs":{".":{},"k:{\"ip\":\"10.64.0.1\"}":{".":{},"f:ip":{}}},"f:startTime":{}}}`
	created, updated := at(0), at(30)
	return []metav1.ManagedFieldsEntry{
		{Manager: "kube-controller-manager", Operation: metav1.ManagedFieldsOperationUpdate, APIVersion: "v1", Time: &created, FieldsType: "FieldsV1", FieldsV1: metav1.NewFieldsV1(spec.String())},
		{Manager: "kubelet", Operation: metav1.ManagedFieldsOperationUpdate, APIVersion: "v1", Time: &updated, FieldsType: "FieldsV1", FieldsV1: metav1.NewFieldsV1(status), Subresource: "status"},
	}
}
