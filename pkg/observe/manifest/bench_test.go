package manifest

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

// podOf is a pod as a server returns it, with what a profile reads and what it
// does not.
func podOf(i int) string {
	return fmt.Sprintf(`apiVersion: v1
kind: Pod
metadata:
  name: web-%[1]d
  namespace: shop-%[2]d
  uid: u-%[1]d
  labels: {app: web, pod-template-hash: "7d4b9c"}
  ownerReferences:
  - {apiVersion: apps/v1, kind: ReplicaSet, name: web-7d4b9c, uid: r-%[2]d, controller: true}
spec:
  serviceAccountName: web
  nodeName: node-%[2]d
  containers:
  - name: web
    image: registry.example/web:1.2.3
    env:
    - {name: LEVEL, value: info}
    - {name: ADDRESS, value: "0.0.0.0:8080"}
    ports: [{containerPort: 8080, protocol: TCP}]
    resources: {requests: {cpu: 100m, memory: 128Mi}, limits: {memory: 256Mi}}
    livenessProbe: {httpGet: {path: /healthz, port: 8080}, periodSeconds: 10}
    securityContext:
      runAsUser: 1000
      allowPrivilegeEscalation: false
      capabilities: {drop: [ALL]}
    volumeMounts: [{name: config, mountPath: /etc/web}]
  volumes:
  - {name: config, configMap: {name: web}}
status:
  phase: Running
  podIP: 10.0.0.1
  containerStatuses:
  - {name: web, image: registry.example/web:1.2.3, ready: true, restartCount: 0, state: {running: {startedAt: "2026-01-01T00:00:00Z"}}}
`, i, i%50)
}

// BenchmarkRead reads a stream of documents, and one List as kubectl prints it.
func BenchmarkRead(b *testing.B) {
	var stream bytes.Buffer
	for i := range 20000 {
		stream.WriteString("---\n" + podOf(i))
	}
	var yamlList, jsonList, jsonStream bytes.Buffer
	yamlList.WriteString("apiVersion: v1\nkind: List\nitems:\n")
	jsonList.WriteString(`{"apiVersion": "v1", "kind": "List", "items": [`)
	for i := range 5000 {
		for n, line := range bytes.Split(bytes.TrimSpace([]byte(podOf(i))), []byte("\n")) {
			yamlList.WriteString([]string{"- ", "  "}[min(n, 1)] + string(line) + "\n")
		}
		data, _, err := textDocument(podOf(i)).toJSON()
		if err != nil {
			b.Fatal(err)
		}
		if i > 0 {
			jsonList.WriteString(",\n")
		}
		jsonList.Write(data)
		jsonStream.Write(data)
		jsonStream.WriteByte('\n')
	}
	jsonList.WriteString("]}\n")
	for _, bc := range []struct {
		name string
		text []byte
	}{
		{"20000 documents", stream.Bytes()},
		{"a YAML List of 5000 pods", yamlList.Bytes()},
		{"a JSON List of 5000 pods", jsonList.Bytes()},
		{"20000 JSON documents", bytes.Repeat(jsonStream.Bytes(), 4)},
		{"lines ended by carriage returns", []byte(strings.ReplaceAll(podOf(0), "\n", "\r") + strings.Repeat("#\r", 1<<20))},
	} {
		b.Run(bc.name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(bc.text)))
			for b.Loop() {
				if _, err := readStream(bytes.NewReader(bc.text), everything, strict); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
