package app

import (
	"fmt"
	"testing"

	"github.com/psp-advisor/psp-advisor/pkg/aggregate"
	"github.com/psp-advisor/psp-advisor/pkg/generate"
	"github.com/psp-advisor/psp-advisor/pkg/profile"
	"github.com/psp-advisor/psp-advisor/pkg/profile/podtest"
	corev1 "k8s.io/api/core/v1"
)

// distinct returns n workloads in n/100 namespaces, no two of which use the same:
// each has a host path, a port, a user and a sysctl to itself.
func distinct(n int) []aggregate.Member {
	var f aggregate.Fleet
	for i := range n {
		pod := podtest.Pod(
			podtest.Security(func(sc *corev1.SecurityContext) { sc.RunAsUser = new(int64(2 * i)) }),
			podtest.PodSecurity(func(sc *corev1.PodSecurityContext) {
				sc.Sysctls = []corev1.Sysctl{{Name: fmt.Sprintf("kernel.x%d", i), Value: "1"}}
			}),
			podtest.Container(func(c *corev1.Container) { c.Ports = []corev1.ContainerPort{{HostPort: int32(1 + i%65535)}} }),
			podtest.Volume("v", podtest.HostPath(fmt.Sprintf("/data/%d/%d", i%100, i)), &corev1.VolumeMount{ReadOnly: i%2 == 0}),
		)
		f.Add(aggregate.Pod{
			Workload:       aggregate.Workload{Namespace: fmt.Sprintf("team-%d", i%max(1, n/100)), Group: "apps", Kind: "Deployment", Name: fmt.Sprintf("web-%d", i)},
			ServiceAccount: fmt.Sprintf("account-%d", i%3),
			Profile:        profile.Of(pod, profile.Options{}),
		})
	}
	return f.Members()
}

// BenchmarkGenerate makes the policies of workloads that have nothing in common, with each
// engine, with their findings and their YAML. It is linear: see ns/workload.
func BenchmarkGenerate(b *testing.B) {
	for _, n := range []int{1_000, 20_000} {
		members := distinct(n)
		for _, e := range engines() {
			engine := e.build(engineOptions{})
			for _, level := range aggregate.Levels() {
				b.Run(fmt.Sprintf("%s/%s/%d", e.name, level, n), func(b *testing.B) {
					for b.Loop() {
						result := generate.Run([]generate.Engine{engine}, members, level)[0]
						result.Findings()
						if _, err := generate.YAML(result.Outputs, true); err != nil {
							b.Fatal(err)
						}
					}
					b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/workload")
				})
			}
		}
	}
}
