//go:build e2e

package cluster_test

import (
	"context"
	"os/exec"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/psp-advisor/psp-advisor/hack/e2e/cluster"
)

func TestStart(t *testing.T) {
	for _, tc := range []struct {
		name    string
		options cluster.Options
	}{
		{"with PodSecurityPolicy", cluster.Options{
			AdmissionPlugins: []string{"PodSecurityPolicy"},
			Controllers:      true,
		}},
		{"current release", cluster.Options{Release: cluster.CurrentRelease}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			ctx := t.Context()
			begin := time.Now()
			c, err := cluster.Start(ctx, tc.options)
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := c.Stop(); err != nil {
					t.Error(err)
				}
			}()
			t.Logf("started in %s", time.Since(begin).Round(time.Millisecond))

			admin, err := c.Admin()
			if err != nil {
				t.Fatal(err)
			}
			want := tc.options.Release
			if want == "" {
				want = cluster.PSPRelease
			}
			if version := serverVersion(t, admin); version != string(want) {
				t.Errorf("server is %s, want %s", version, want)
			}

			nobody, err := c.Config("nobody")
			if err != nil {
				t.Fatal(err)
			}
			if err := listPods(ctx, nobody); !apierrors.IsForbidden(err) {
				t.Errorf("a user without rights lists pods: %v", err)
			}

			kubeconfig, err := c.AdminKubeconfig()
			if err != nil {
				t.Fatal(err)
			}
			output, err := exec.CommandContext(ctx, c.Kubectl(), "--kubeconfig", kubeconfig, "get", "namespaces", "-o", "name").CombinedOutput()
			if err != nil || !strings.Contains(string(output), "namespace/default") {
				t.Errorf("kubectl: %v\n%s", err, output)
			}

			if err := c.StopServer(); err != nil {
				t.Fatal(err)
			}
			if err := listPods(ctx, admin); err == nil {
				t.Error("a stopped server answers")
			}
			if err := c.StartServer(ctx); err != nil {
				t.Fatal(err)
			}
			if err := listPods(ctx, admin); err != nil {
				t.Errorf("after a restart: %v", err)
			}
		})
	}
}

func serverVersion(t *testing.T, config *rest.Config) string {
	t.Helper()
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	version, err := client.Discovery().ServerVersion()
	if err != nil {
		t.Fatal(err)
	}
	return version.GitVersion
}

func listPods(ctx context.Context, config *rest.Config) error {
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	_, err = client.CoreV1().Pods(metav1.NamespaceAll).List(ctx, metav1.ListOptions{})
	return err
}
