package fleet

import (
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/psp-advisor/psp-advisor/pkg/privilege"
	corev1 "k8s.io/api/core/v1"
)

// noLine are the fields of a pod, and of each of its containers, that no line is about,
// with what lies below them; only what lies below, if they end in a dot.
var noLine = []string{
	// Where and when it runs, and what it is called.
	"activeDeadlineSeconds", "affinity", "evictionResponders", "nodeName", "nodeSelector", "preemptionPolicy", "priority", "priorityClassName",
	"readinessGates", "restartPolicy", "schedulerName", "schedulingGates", "schedulingGroup", "terminationGracePeriodSeconds", "tolerations",
	"topologySpreadConstraints", "dnsConfig", "dnsPolicy", "enableServiceLinks", "hostAliases", "hostname", "hostnameOverride",
	"setHostnameAsFQDN", "subdomain",
	// What it gets besides privileges.
	"imagePullSecrets", "overhead", "resourceClaims", "resources",
	// How slowly its volumes change owners.
	"securityContext.fsGroupChangePolicy", "securityContext.seLinuxChangePolicy",
	// Which account of a domain it has: RBAC decides, see package privilege.
	"securityContext.windowsOptions.gmsaCredentialSpec", "securityContext.windowsOptions.gmsaCredentialSpecName",
	// Of volumes with lines of their own; of the others, the kind is the line.
	"volumes.hostPath.type", "volumes.csi.fsType", "volumes.csi.nodePublishSecretRef", "volumes.csi.readOnly", "volumes.csi.volumeAttributes",
	"volumes.flexVolume.fsType", "volumes.flexVolume.options", "volumes.flexVolume.readOnly", "volumes.flexVolume.secretRef",
	// Of projections, where only what makes one the volume of a token counts.
	"volumes.projected.defaultMode", "volumes.projected.defaultUser",
	"volumes.projected.sources.serviceAccountToken.expirationSeconds", "volumes.projected.sources.serviceAccountToken.user",
	"volumes.projected.sources.configMap.items", "volumes.projected.sources.configMap.optional",
	"volumes.projected.sources.downwardAPI.items.mode", "volumes.projected.sources.downwardAPI.items.resourceFieldRef",
	"volumes.projected.sources.downwardAPI.items.user",
	"volumes.projected.sources.secret.", "volumes.projected.sources.clusterTrustBundle.", "volumes.projected.sources.podCertificate.",
}

// noLineOfContainer are those below a container.
var noLineOfContainer = []string{
	"args", "command", "env", "envFrom", "resizePolicy", "resources", "restartPolicy", "restartPolicyRules", "stdin", "stdinOnce",
	"targetContainerName", "terminationMessagePath", "tty", "workingDir", "ports.name", "lifecycle.stopSignal",
	// Devices and parts of volumes that have lines, and what mounts of them are denied.
	"volumeDevices", "volumeMounts.bindMountOptions", "volumeMounts.recursiveReadOnly", "volumeMounts.subPath", "volumeMounts.subPathExpr",
	"securityContext.windowsOptions.gmsaCredentialSpec", "securityContext.windowsOptions.gmsaCredentialSpecName",
}

// ofProbe are the fields of probes and hooks that no line is about.
var ofProbe = []string{
	"exec", "failureThreshold", "grpc", "initialDelaySeconds", "periodSeconds", "sleep", "successThreshold", "terminationGracePeriodSeconds",
	"timeoutSeconds", "httpGet.httpHeaders", "httpGet.protocol", "httpGet.path", "httpGet.scheme",
}

// TestEveryFieldIsDrawn: random pods have every field that a line can be about. A field
// that is new in Kubernetes fails until somebody decides whether one is. No other field
// makes a difference to the lines.
func TestEveryFieldIsDrawn(t *testing.T) {
	declared, drawn := map[string]bool{}, map[string]bool{}
	declare(reflect.TypeFor[corev1.PodSpec](), "", declared)
	r := rand.New(rand.NewPCG(1, 0)) // the same pods each time: some fields are drawn for few
	tried := map[string]bool{}
	for i := range 16_000 {
		pod := CurrentPod(r)
		draw(reflect.ValueOf(pod.Spec), "", drawn)
		if i < 500 {
			changeNothing(t, pod, tried)
		}
	}
	for path := range declared {
		if i := strings.LastIndex(path, "."); plain(path) && (i < 0 || !plain(path[:i])) && !tried[path] && !refused(path) {
			t.Errorf("%s was never changed: it may make a difference", path)
		}
		if !drawn[path] && !plain(path) && !refused(path) {
			t.Errorf("%s is never drawn, nor is it one of those without a line", path)
		}
	}
	for _, field := range noLine {
		if !declared[strings.TrimSuffix(field, ".")] {
			t.Errorf("%s is not a field of pods", field)
		}
	}
	for _, field := range noLineOfContainer {
		if !declared["ephemeralContainers."+field] {
			t.Errorf("%s is not a field of containers", field)
		}
	}
}

// changeNothing changes each field of a pod that no line is about, and expects the lines to
// be the same.
func changeNothing(t *testing.T, pod *corev1.Pod, tried map[string]bool) {
	t.Helper()
	want := privilege.Of(pod, true)
	each(reflect.ValueOf(&pod.Spec).Elem(), "", func(path string, field reflect.Value) {
		if !plain(path) {
			return
		}
		tried[path] = true
		was := reflect.New(field.Type()).Elem()
		was.Set(field)
		for _, filled := range []bool{false, true} {
			field.SetZero()
			if filled {
				fill(field)
			}
			if got := privilege.Of(pod, true); !slices.Equal(want, got) {
				t.Errorf("%s makes a difference: %s", path, cmp.Diff(want, got))
			}
		}
		field.Set(was)
	})
}

// fill sets all that lies in a value.
func fill(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem())
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0))
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				fill(v.Field(i))
			}
		}
	case reflect.String:
		v.SetString("x")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int32, reflect.Int64:
		v.SetInt(1)
	default: // maps, and bytes within what the API of pods uses
	}
}

// refused reports whether a server refuses a field, so that pods cannot have it.
func refused(path string) bool {
	// The last one unless the other containers have it.
	field, debugging := strings.CutPrefix(path, "ephemeralContainers.")
	return debugging && within(field, []string{"ports", "lifecycle", "livenessProbe", "readinessProbe", "startupProbe", "securityContext.windowsOptions.hostProcess"})
}

// plain reports whether no line is about a field.
func plain(path string) bool {
	if source, ok := strings.CutPrefix(path, "volumes."); ok {
		kind, _, below := strings.Cut(source, ".")
		own := slices.Contains([]string{"hostPath", "csi", "flexVolume", "projected"}, kind)
		return below && !own || within(path, noLine)
	}
	list, field, _ := strings.Cut(path, ".")
	if list != "containers" && list != "initContainers" && list != "ephemeralContainers" {
		return within(path, noLine)
	}
	for _, probe := range []string{"livenessProbe.", "readinessProbe.", "startupProbe.", "lifecycle.postStart.", "lifecycle.preStop."} {
		if rest, ok := strings.CutPrefix(field, probe); ok && within(rest, ofProbe) {
			return true
		}
	}
	return within(field, noLineOfContainer)
}

// within reports whether a path is one of the fields, or lies below one.
func within(path string, fields []string) bool {
	return slices.ContainsFunc(fields, func(f string) bool {
		return path == f || strings.HasPrefix(path, strings.TrimSuffix(f, ".")+".")
	})
}

// declare adds the paths of the fields of a type.
func declare(typ reflect.Type, at string, into map[string]bool) {
	for typ.Kind() == reflect.Pointer || typ.Kind() == reflect.Slice {
		typ = typ.Elem()
	}
	if !ofPods(typ) {
		return
	}
	for field := range typ.Fields() {
		path := pathOf(field, at)
		if path != at {
			into[path] = true
		}
		declare(field.Type, path, into)
	}
}

// draw adds the paths of the fields that are set.
func draw(v reflect.Value, at string, into map[string]bool) {
	each(v, at, func(path string, field reflect.Value) {
		if !field.IsZero() {
			into[path] = true
		}
	})
}

// each calls visit for each field of a value, with its path, and for those below that are
// set.
func each(v reflect.Value, at string, visit func(path string, field reflect.Value)) {
	switch {
	case v.Kind() == reflect.Pointer && !v.IsNil():
		each(v.Elem(), at, visit)
	case v.Kind() == reflect.Slice:
		for i := range v.Len() {
			each(v.Index(i), at, visit)
		}
	case ofPods(v.Type()):
		for i := range v.NumField() {
			path := pathOf(v.Type().Field(i), at)
			if path != at {
				visit(path, v.Field(i))
			}
			each(v.Field(i), path, visit)
		}
	}
}

// ofPods reports whether a type is one of the pod API, not of what it uses.
func ofPods(typ reflect.Type) bool {
	return typ.Kind() == reflect.Struct && typ.PkgPath() == reflect.TypeFor[corev1.Pod]().PkgPath()
}

// pathOf returns the path of a field in JSON; one that is embedded has that of its parent.
func pathOf(f reflect.StructField, at string) string {
	if f.Anonymous {
		return at
	}
	name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	return strings.TrimPrefix(at+"."+name, ".")
}
