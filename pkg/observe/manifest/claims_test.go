package manifest

import (
	"slices"
	"strings"
	"testing"

	"github.com/psp-advisor/psp-advisor/pkg/aggregate"
)

func TestStatefulSetClaims(t *testing.T) {
	manifest := `
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db}
spec:
  volumeClaimTemplates: [{metadata: {name: data}}]
  template:
    spec:
      automountServiceAccountToken: false
      containers: [{name: c, image: x}]
      volumes:
      - {name: data, hostPath: {path: /var/lib/db}}
      - {name: config, configMap: {name: x}}
`
	obs, err := readStream(strings.NewReader(manifest), everything, strict)
	if err != nil {
		t.Fatal(err)
	}
	groups := aggregate.Groups(obs.Members, aggregate.ByWorkload, nil)
	if len(groups) != 1 {
		t.Fatalf("got %d groups, want 1", len(groups))
	}
	var got []string
	for _, v := range groups[0].Profile().Volumes.Values() {
		got = append(got, string(v))
	}
	slices.Sort(got)
	if want := []string{"configMap", "persistentVolumeClaim"}; !slices.Equal(got, want) {
		t.Errorf("got volumes %v, want %v", got, want)
	}
}
