package manifest

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
)

func TestDecode(t *testing.T) {
	const quantity = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
	for _, tc := range []struct{ name, object, want string }{
		{"a quantity", `{"spec": {"containers": [{}, {"resources": {"limits": {"cpu": "foo", "memory": "1Gi"}}}]}}`, "spec.containers[1].resources.limits.cpu: " + quantity},
		{
			"a time", `{"metadata": {"name": "x", "creationTimestamp": "yesterday"}}`,
			`metadata.creationTimestamp: parsing time "yesterday" as "2006-01-02T15:04:05Z07:00": cannot parse "yesterday" as "2006"`,
		},
		{"the first of two alike", `{"spec": {"containers": [{}, {"tty": 1}, {"tty": 2}]}}`, "spec.containers[1].tty: want a boolean, found a number"},
		{"one of two that differ", `{"spec": {"containers": [{"name": "c", "tty": 1}, {"stdin": "2"}]}}`, "spec.containers[0].tty: want a boolean, found a number"},
		{"in lists of lists", `{"spec": {"containers": [{"ports": [{}, {"hostPort": 1.50}]}]}}`, "spec.containers[0].ports[1].hostPort: want a number of type int32, found a number 1.50"},
		{"in a map", `{"metadata": {"labels": {"a": "b", "Tier": 7}}}`, "metadata.labels.Tier: want a string, found a number"},
		{"in an embedded struct", `{"spec": {"volumes": [{"fc": {"lun": "1"}}]}}`, "spec.volumes[0].fc.lun: want a number of type int32, found a string"},
		{"an object for a list", `{"spec": {"containers": [{"command": {"a": "b"}}]}}`, "spec.containers[0].command: want a list, found an object"},
		{"a list for an object", `{"spec": [{"containers": []}]}`, "spec: want an object, found a list"},
		{"no object", `[{"spec": 7}]`, "cannot unmarshal array into Go value of type v1.Pod"},
		{
			"one too large to search", `{"spec": {"containers": [{"tty": 1, "command": ["` + strings.Repeat("x", maxLocated) + `"]}]}}`,
			"spec.containers.tty: want a boolean, found a number",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := decode([]byte(tc.object), &corev1.Pod{})
			if err == nil {
				t.Fatal("no error")
			}
			if diff := cmp.Diff(tc.want, err.Error()); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
		})
	}
}
