package fleet

import (
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// noLine are the fields of a pod, and of each of its containers, that no line is about,
// with what lies below them.
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
	// Which account of a domain it has is for who may use a GMSACredentialSpec.
	"securityContext.windowsOptions.gmsaCredentialSpec", "securityContext.windowsOptions.gmsaCredentialSpecName",
	// Of volumes with lines of their own; of the others, the kind is the line.
	"volumes.hostPath.type", "volumes.csi.fsType", "volumes.csi.nodePublishSecretRef", "volumes.csi.readOnly", "volumes.csi.volumeAttributes",
	"volumes.flexVolume.fsType", "volumes.flexVolume.options", "volumes.flexVolume.readOnly", "volumes.flexVolume.secretRef",
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
// that is new in Kubernetes fails until somebody decides whether one is.
func TestEveryFieldIsDrawn(t *testing.T) {
	declared, drawn := map[string]bool{}, map[string]bool{}
	declare(reflect.TypeFor[corev1.PodSpec](), "", declared)
	r := rand.New(rand.NewPCG(1, 0)) // the same pods each time: some fields are drawn for few
	for range 16_000 {
		draw(reflect.ValueOf(CurrentPod(r).Spec), "", drawn)
	}
	for path := range declared {
		if !drawn[path] && !plain(path) {
			t.Errorf("%s is never drawn, nor is it one of those without a line", path)
		}
	}
	for _, field := range noLine {
		if !declared[field] {
			t.Errorf("%s is not a field of pods", field)
		}
	}
	for _, field := range noLineOfContainer {
		if !declared["ephemeralContainers."+field] {
			t.Errorf("%s is not a field of containers", field)
		}
	}
}

// plain reports whether no line is about a field.
func plain(path string) bool {
	within := func(path string, fields []string) bool {
		return slices.ContainsFunc(fields, func(f string) bool { return path == f || strings.HasPrefix(path, f+".") })
	}
	if source, ok := strings.CutPrefix(path, "volumes."); ok {
		kind, _, below := strings.Cut(source, ".")
		own := kind == "hostPath" || kind == "csi" || kind == "flexVolume"
		return below && !own || within(path, noLine)
	}
	list, field, _ := strings.Cut(path, ".")
	if list != "containers" && list != "initContainers" && list != "ephemeralContainers" {
		return within(path, noLine)
	}
	if list == "ephemeralContainers" && within(field, []string{"ports", "lifecycle", "livenessProbe", "readinessProbe", "startupProbe", "securityContext.windowsOptions.hostProcess"}) {
		return true // the server refuses them, the last one unless the others have it
	}
	for _, probe := range []string{"livenessProbe.", "readinessProbe.", "startupProbe.", "lifecycle.postStart.", "lifecycle.preStop."} {
		if rest, ok := strings.CutPrefix(field, probe); ok && within(rest, ofProbe) {
			return true
		}
	}
	return within(field, noLineOfContainer)
}

// declare adds the paths of the fields of a type.
func declare(typ reflect.Type, at string, into map[string]bool) {
	for typ.Kind() == reflect.Pointer || typ.Kind() == reflect.Slice {
		typ = typ.Elem()
	}
	if !ofPods(typ) {
		return
	}
	for i := range typ.NumField() {
		path := pathOf(typ.Field(i), at)
		if path != at {
			into[path] = true
		}
		declare(typ.Field(i).Type, path, into)
	}
}

// draw adds the paths of the fields that are set.
func draw(v reflect.Value, at string, into map[string]bool) {
	switch {
	case v.Kind() == reflect.Pointer && !v.IsNil():
		draw(v.Elem(), at, into)
	case v.Kind() == reflect.Slice:
		for i := range v.Len() {
			draw(v.Index(i), at, into)
		}
	case ofPods(v.Type()):
		for i := range v.NumField() {
			if v.Field(i).IsZero() {
				continue
			}
			path := pathOf(v.Type().Field(i), at)
			into[path] = true
			draw(v.Field(i), path, into)
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
