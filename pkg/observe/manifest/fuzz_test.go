package manifest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/psp-advisor/psp-advisor/pkg/aggregate"
	"github.com/psp-advisor/psp-advisor/pkg/observe"
)

// signature is all that an observation says, but for the errors' texts.
func signature(t *testing.T, obs *observe.Observation) string {
	t.Helper()
	groups, err := json.Marshal(aggregate.Groups(obs.Members, aggregate.ByWorkload, nil))
	if err != nil {
		t.Fatal(err)
	}
	unread := ""
	for _, u := range obs.Unread {
		unread += fmt.Sprintf("%d %s, %d with pods; ", u.Objects, u, len(u.Places))
	}
	return fmt.Sprintf("%s\n%d pods, %d templates, unread %s, %d skipped, %d warnings, namespaces %q, unknown owners %q",
		groups, obs.Pods(), obs.Templates(), unread, len(obs.Skipped), len(obs.Warnings), obs.Namespaces(), obs.UnknownOwners)
}

func FuzzFiles(f *testing.F) {
	for _, s := range []string{
		podText("a") + "--- # x\n" + podText("b"), jsonPod + jsonPod, "\ufeff" + podText("a"), "a: [\n---\n" + podText("a"), "{a: 1} {b: 2}", "...\n---\n--- x\n", "{", "\x00",
		owned(podText("p"), "apps/v1", "ReplicaSet", "r") + "---\n" + owned(templateText("apps/v1", "ReplicaSet", "r"), "apps/v1", "Deployment", "d") + "---\n" + templateText("apps/v1", "ReplicaSet", "r"),
		"apiVersion: v1\nkind: PodList\nitems: [{metadata: {name: x}, spec: {containers: [{name: c}]}}, 7, {kind: List, apiVersion: v1, items: [{}]}]\n",
		"apiVersion: batch/v1beta1\nkind: CronJob\nmetadata: {name: j}\nspec: {jobTemplate: {spec: {template: {spec: {hostNetwork: true, containers: [{name: c, ports: [{containerPort: 80}]}]}}}}}\n",
		"apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: default}\nautomountServiceAccountToken: false\n---\n" + podText("p"),
		"apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: s}\nspec: {volumeClaimTemplates: [{metadata: {name: v}}], template: {spec: {containers: [{name: c}], volumes: [{name: v, hostPath: {path: /}}]}}}\n",
		podText("a", "  hostPid: true\n  hostIPC: true\n  hostIPC: false\n"), podText("a") + "%YAML 1.1\n", "a: &x [1]\nb: *x\n",
		customText("argoproj.io/v1alpha1", "Rollout", "{template: "+templateSpec+"}") + "---\n" + customText("ray.io/v1", "RayCluster", "{workerGroupSpecs: [{template: "+templateSpec+"}]}"),
		podText("a", "  securityContext: {runAsUser: -1}\n  volumes: [{name: v, hostPath: {path: ..}}]\n"), "metadata: {name: {{ .Release.Name }}}\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		checkModes(t, data)
		read := func(data []byte, skipInvalid bool) (*observe.Observation, error) {
			return readStream(bytes.NewReader(data), everything, skipInvalid)
		}
		whole, strictErr := read(data, strict)
		if (whole == nil) == (strictErr == nil) {
			t.Fatalf("an observation and an error, or neither: %v", strictErr)
		}
		skipping, err := read(data, lenient)
		if err != nil {
			t.Fatalf("skipping what is invalid fails: %v", err)
		}
		if (len(skipping.Skipped) > 0) != (strictErr != nil) {
			t.Fatalf("%d skipped, but the error is %v", len(skipping.Skipped), strictErr)
		}
		if strictErr != nil && skipping.Skipped[0].Error() != strictErr.Error() {
			t.Fatalf("the first one skipped: %v\nthe error: %v", skipping.Skipped[0], strictErr)
		}
		for _, err := range skipping.Skipped {
			if !strings.HasPrefix(err.Error(), "reading stdin: ") {
				t.Fatalf("an error without its file: %v", err)
			}
		}
		want := signature(t, skipping)
		if strictErr == nil && signature(t, whole) != want {
			t.Fatalf("skipping changes what is valid:\n%s\n%s", signature(t, whole), want)
		}
		again, err := read(data, lenient)
		if err != nil || signature(t, again) != want {
			t.Fatalf("reading twice: %v\n%s\n%s", err, want, signature(t, again))
		}
		backwards := reversed(data)
		if backwards == nil {
			return
		}
		other, err := read(backwards, lenient)
		if err != nil || signature(t, other) != want {
			t.Fatalf("documents in another order: %v\n%s\n%s", err, want, signature(t, other))
		}
	})
}

// checkModes reads a stream in the other ways to read it, and expects what they have
// in common.
func checkModes(t *testing.T, data []byte) {
	t.Helper()
	with := func(o Options) *observe.Observation {
		o.SkipInvalid, o.In = true, bytes.NewReader(data)
		obs, err := Read(t.Context(), []string{Stdin}, o, everything)
		if err != nil {
			t.Fatalf("skipping what is invalid fails: %v", err)
		}
		return obs
	}
	warned, ignored, refused := with(Options{}), with(Options{Validation: ValidateIgnore}), with(Options{Validation: ValidateStrict})
	if len(ignored.Warnings) > 0 || len(refused.Warnings) > 0 || (len(warned.Warnings) > 0) != (len(refused.Skipped) > len(ignored.Skipped)) {
		t.Fatalf("%d warnings; %d skipped, of which not for their fields: %d", len(warned.Warnings), len(refused.Skipped), len(ignored.Skipped))
	}
	ignored.Warnings = warned.Warnings
	if a, b := signature(t, warned), signature(t, ignored); a != b {
		t.Fatalf("a warning changes what is observed:\n%s\n%s", a, b)
	}
	named, found := 0, with(Options{UnknownKinds: ReadUnknown})
	for _, u := range warned.Unread {
		named += len(u.Places)
	}
	if more := found.Templates() - warned.Templates(); more < 0 || more > 0 && named == 0 {
		t.Fatalf("%d templates of kinds that are not read, and %d objects of them", more, named)
	}
}

// reversed returns the documents of a stream from last to first, or nil where
// they cannot be split.
func reversed(data []byte) []byte {
	var docs [][]byte
	for _, d := range documents(data, &position{}) {
		if d.err != nil || isMarker(d.text) {
			return nil
		}
		docs = append(docs, d.text)
	}
	if len(docs) == 0 {
		return nil
	}
	slices.Reverse(docs)
	return append([]byte("---\n"), bytes.Join(docs, []byte("\n---\n"))...)
}
