package manifest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	goyaml "go.yaml.in/yaml/v2"
	corev1 "k8s.io/api/core/v1"
	kjson "sigs.k8s.io/json"
	"sigs.k8s.io/yaml"
)

// servedPod is a pod of a real size as a server returns it: most of it is what no
// profile reads.
func servedPod(tb testing.TB) []byte {
	tb.Helper()
	var pod map[string]any
	if err := yaml.Unmarshal([]byte(strings.ReplaceAll(podOf(0), "u-0", "0b8c8a3e-6d9f-4c52-9d8a-1f2e3d4c5b6a")), &pod); err != nil {
		tb.Fatal(err)
	}
	at := func(keys ...string) map[string]any {
		value := pod
		for _, key := range keys {
			value = value[key].(map[string]any)
		}
		return value
	}
	var env []any
	owned := map[string]any{".": map[string]any{}}
	for i := range 22 {
		name := fmt.Sprintf("SERVICE_SETTING_%d", i)
		env = append(env, map[string]any{"name": name, "value": fmt.Sprintf("https://service-%d.shop.svc.cluster.local:8443/api", i)})
		owned[`k:{"name":"`+name+`"}`] = map[string]any{}
	}
	container := at("spec")["containers"].([]any)[0].(map[string]any)
	container["env"] = env
	container["readinessProbe"], container["startupProbe"] = container["livenessProbe"], container["livenessProbe"]
	fields := map[string]any{"f:spec": map[string]any{"f:containers": map[string]any{`k:{"name":"web"}`: map[string]any{"f:env": owned, "f:image": map[string]any{}}}}}
	at("metadata")["annotations"] = map[string]any{"checksum/config": strings.Repeat("0f", 32), "prometheus.io/scrape": "true"}
	at("metadata")["managedFields"] = []any{
		map[string]any{"apiVersion": "v1", "fieldsType": "FieldsV1", "fieldsV1": fields, "manager": "kube-controller-manager", "operation": "Update", "time": "2026-01-01T00:00:00Z"},
		map[string]any{"apiVersion": "v1", "fieldsType": "FieldsV1", "fieldsV1": map[string]any{"f:status": map[string]any{"f:conditions": map[string]any{}, "f:podIP": map[string]any{}}}, "manager": "kubelet", "operation": "Update", "subresource": "status", "time": "2026-01-01T00:00:00Z"},
	}
	var conditions []any
	for _, c := range []string{"Initialized", "Ready", "ContainersReady", "PodScheduled"} {
		conditions = append(conditions, map[string]any{"lastProbeTime": nil, "lastTransitionTime": "2026-01-01T00:00:00Z", "status": "True", "type": c})
	}
	at("status")["conditions"] = conditions
	data, err := json.MarshalIndent(pod, "        ", "    ")
	if err != nil {
		tb.Fatal(err)
	}
	return data
}

// dump is a number of pods as kubectl prints them.
type dump struct{ json, yaml []byte }

// dumps returns a List of pods, and the pods one after the other.
func dumps(tb testing.TB, n int) (list, stream dump) {
	tb.Helper()
	podJSON := servedPod(tb)
	podYAML, err := yaml.JSONToYAML(podJSON)
	if err != nil {
		tb.Fatal(err)
	}
	item := append([]byte("- "), bytes.TrimSpace(bytes.ReplaceAll(podYAML, []byte("\n"), []byte("\n  ")))...)
	list.json = append(list.json, "{\n    \"apiVersion\": \"v1\",\n    \"items\": [\n        "...)
	list.yaml = append(list.yaml, "apiVersion: v1\nitems:\n"...)
	for i := range n {
		name := func(text []byte) []byte {
			return bytes.ReplaceAll(text, []byte("web-0"), []byte("web-"+strconv.Itoa(i)))
		}
		if i > 0 {
			list.json = append(list.json, ",\n        "...)
		}
		list.json = append(list.json, name(podJSON)...)
		list.yaml = append(append(list.yaml, name(item)...), '\n')
		stream.json = append(append(stream.json, name(podJSON)...), '\n')
		stream.yaml = append(append(stream.yaml, "---\n"...), name(podYAML)...)
	}
	list.json = append(list.json, "\n    ],\n    \"kind\": \"List\",\n    \"metadata\": {\n        \"resourceVersion\": \"\"\n    }\n}\n"...)
	list.yaml = append(list.yaml, "kind: List\nmetadata:\n  resourceVersion: \"\"\n"...)
	return list, stream
}

// userTime returns the CPU time that the process has taken, in nanoseconds: that of the
// wall depends on what else runs.
func userTime(tb testing.TB) int64 {
	tb.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		tb.Fatal(err)
	}
	return usage.Utime.Nano()
}

// BenchmarkDump reads what kubectl prints of many pods, beside the one pass that
// nothing does without: JSON decoded into pods, YAML parsed.
func BenchmarkDump(b *testing.B) {
	n := 2000
	if s := os.Getenv("DUMP_PODS"); s != "" {
		n, _ = strconv.Atoi(s)
	}
	list, stream := dumps(b, n)
	dir := b.TempDir()
	for i, pod := range bytes.Split(stream.yaml, []byte("---\n"))[1:] {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%d.yaml", i)), pod, 0o600); err != nil {
			b.Fatal(err)
		}
	}
	observed := func(paths []string) func() error {
		return func() error {
			obs, err := Read(b.Context(), paths, Options{}, everything)
			if err == nil && obs.Pods() != n {
				return fmt.Errorf("%d pods", obs.Pods())
			}
			return err
		}
	}
	parsed := func(text []byte) func() error {
		return func() error {
			decoder := goyaml.NewDecoder(bytes.NewReader(text))
			for {
				var value any
				if err := decoder.Decode(&value); err != nil {
					return nil //nolint:nilerr // the end
				}
			}
		}
	}
	decoded := func() error {
		var pods struct {
			Items []corev1.Pod `json:"items"`
		}
		return kjson.UnmarshalCaseSensitivePreserveInts(list.json, &pods)
	}
	fileOf := func(name string, text []byte) []string {
		path := filepath.Join(b.TempDir(), name)
		if err := os.WriteFile(path, text, 0o600); err != nil {
			b.Fatal(err)
		}
		return []string{path}
	}
	for _, bc := range []struct {
		name string
		size int
		run  func() error
	}{
		{"json-list/read", len(list.json), observed(fileOf("list.json", list.json))},
		{"json-list/decode-once", len(list.json), decoded},
		{"json-stream/read", len(stream.json), observed(fileOf("stream.json", stream.json))},
		{"yaml-list/read", len(list.yaml), observed(fileOf("list.yaml", list.yaml))},
		{"yaml-list/parse-once", len(list.yaml), parsed(list.yaml)},
		{"yaml-stream/read", len(stream.yaml), observed(fileOf("stream.yaml", stream.yaml))},
		{"yaml-stream/parse-once", len(stream.yaml), parsed(stream.yaml)},
		{"directory/read", len(stream.yaml), observed([]string{dir})},
	} {
		b.Run(bc.name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(bc.size))
			before := userTime(b)
			for b.Loop() {
				if err := bc.run(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(userTime(b)-before)/1e6/float64(b.N), "cpu-ms/op")
		})
	}
}
