package manifest

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Mistakes that other generators make in what they read. Those in what they
// write are beside the generator.
func TestMistakesOfOthers(t *testing.T) {
	for _, tc := range []struct {
		name, stream, attribute string
		want                    []string
	}{
		{
			"the ports of a template with the host's network overlooked",
			"apiVersion: apps/v1\nkind: DaemonSet\nmetadata: {name: d}\nspec: {template: {spec: {hostNetwork: true, containers: [{name: c, ports: [{containerPort: 9100}]}]}}}\n",
			"hostPorts",
			[]string{"9100"},
		},
		{"a token for a pod that wants none", podText("p", "  automountServiceAccountToken: false\n"), "volumes", nil},
		{"pods with a controller excluded", owned(podText("p", "  hostPID: true\n"), "apps/v1", "ReplicaSet", "r"), "hostPID", []string{"true"}},
		{
			"static pods excluded",
			strings.Replace(owned(podText("p", "  hostPID: true\n"), "v1", "Node", "n1"), "metadata:\n", "metadata:\n  annotations: {kubernetes.io/config.mirror: x}\n", 1),
			"hostPID",
			[]string{"true"},
		},
		{
			"CronJobs of batch/v1beta1 excluded",
			"apiVersion: batch/v1beta1\nkind: CronJob\nmetadata: {name: j}\nspec: {jobTemplate: {spec: {template: {spec: {hostPID: true, containers: [{name: c}]}}}}}\n",
			"hostPID",
			[]string{"true"},
		},
		{"unknown fields that end the run", podText("p", "  hostPID: true\n  fieldOfTomorrow: 1\n"), "hostPID", []string{"true"}},
		{
			"a document cut at a marker inside a string",
			podText("p", "  containers: [{name: c, command: [sh, -c, \"cat\n    ---\n    x\"]}]\n  hostPID: true\n"), "hostPID",
			[]string{"true"},
		},
		{
			"a document cut at a marker inside a block",
			podText("p", "  containers:\n  - name: c\n    args:\n    - |\n      ---\n      x\n  hostPID: true\n"), "hostPID",
			[]string{"true"},
		},
		{"Lists excluded", "apiVersion: v1\nkind: List\nitems: [{apiVersion: v1, kind: Pod, metadata: {name: p}, spec: {hostPID: true, containers: [{name: c}]}}]\n", "hostPID", []string{"true"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			stream := tc.stream
			if strings.Count(stream, "containers:") > 1 {
				stream = strings.Replace(stream, "  containers: [{name: c, image: x}]\n", "", 1)
			}
			if diff := cmp.Diff(tc.want, attribute(read(t, stream, everything), tc.attribute)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.attribute, diff)
			}
		})
	}
}
