package app

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/psp-advisor/psp-advisor/pkg/apitest"
	"github.com/spf13/cobra"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/klog/v2"
	"k8s.io/klog/v2/textlogger"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

// right is a single right; an empty namespace or name stands for all.
type right struct{ verb, group, resource, namespace, name string }

// missing is how a server puts that a right is missing.
func (r right) missing() string {
	if r.verb == "create" && r.resource == "configmaps" {
		return `cannot create resource "configmaps"` // 1.24 itself says nothing
	}
	return fmt.Sprintf("cannot %s resource %q", r.verb, r.resource)
}

func (r right) allows(q apitest.Request) bool {
	return r.verb == q.Verb && r.group == q.GroupVersion.Group && r.resource == q.Resource &&
		(r.namespace == "" || r.namespace == q.Namespace) && (r.name == "" || r.name == q.Name)
}

// only lets a server allow what the rights do.
func only(rights []right) func(apitest.Request) bool {
	return func(q apitest.Request) bool {
		return slices.ContainsFunc(rights, func(r right) bool { return r.allows(q) })
	}
}

func rightsOf(namespace string, rules []rbacv1.PolicyRule) []right {
	var rights []right
	for _, rule := range rules {
		names := rule.ResourceNames
		if len(names) == 0 {
			names = []string{""}
		}
		for _, group := range rule.APIGroups {
			for _, resource := range rule.Resources {
				for _, verb := range rule.Verbs {
					for _, name := range names {
						rights = append(rights, right{verb, group, resource, namespace, name})
					}
				}
			}
		}
	}
	return rights
}

// shipped is how the advisor runs by a manifest.
type shipped struct {
	rights []right
	// args and namespace of the pod, where there is one.
	args      []string
	namespace string
}

func roleFile(t *testing.T, file string) shipped {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("../../../manifests", file))
	if err != nil {
		t.Fatal(err)
	}
	var role rbacv1.ClusterRole // a Role has the same rules
	if err := yaml.Unmarshal(data, &role); err != nil {
		t.Fatal(err)
	}
	return shipped{rights: rightsOf(role.Namespace, role.Rules)}
}

func overlay(t *testing.T, name string) shipped {
	t.Helper()
	resources, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), "../../../manifests/overlays/"+name)
	if err != nil {
		t.Fatal(err)
	}
	var s shipped
	for _, r := range resources.Resources() {
		data, err := r.AsYAML()
		if err != nil {
			t.Fatal(err)
		}
		var object struct {
			rbacv1.ClusterRole
			Spec struct {
				appsv1.DeploymentSpec
				batchv1.CronJobSpec
			}
		}
		if err := yaml.Unmarshal(data, &object); err != nil {
			t.Fatal(err)
		}
		for _, spec := range []corev1.PodSpec{object.Spec.Template.Spec, object.Spec.JobTemplate.Spec.Template.Spec} {
			if len(spec.Containers) > 0 {
				s.args, s.namespace = spec.Containers[0].Args, r.GetNamespace()
			}
		}
		s.rights = append(s.rights, rightsOf(r.GetNamespace(), object.Rules)...)
	}
	return s
}

// everyKind is an object of each kind that is observed, in the namespace shop; the
// ReplicaSet and the Job have no controller, so they are read whole.
func everyKind() []runtime.Object {
	meta := func(name string) metav1.ObjectMeta { return metav1.ObjectMeta{Namespace: "shop", Name: name} }
	template := corev1.PodTemplateSpec{Spec: runningPod("shop", "web").Spec}
	return []runtime.Object{
		runningPod("shop", "web"),
		&appsv1.ReplicaSet{ObjectMeta: meta("set"), Spec: appsv1.ReplicaSetSpec{Template: template}},
		&batchv1.Job{ObjectMeta: meta("job"), Spec: batchv1.JobSpec{Template: template}},
	}
}

// changed is the pod web with another need.
func changedPod() *corev1.Pod {
	p := runningPod("shop", "web")
	p.Spec.HostNetwork = true
	return p
}

// TestRights: with the rights of the shipped manifests the commands do all of their
// work, and without any one of them they say which one is missing.
func TestRights(t *testing.T) {
	cronjob, single := overlay(t, "cronjob"), overlay(t, "single-namespace")
	for _, tc := range []struct {
		name string
		shipped
		// run does all that a command does: what it says, and whether all went well.
		run func(*testing.T, *apitest.Server, client) (said string, well bool)
	}{
		{"inspect/clusterrole.yaml", roleFile(t, "inspect/clusterrole.yaml"), inspectOnce()},
		{"inspect/role.yaml", roleFile(t, "inspect/role.yaml"), inspectOnce("--namespace", "shop")},
		{"get-report/role.yaml", roleFile(t, "get-report/role.yaml"), getReports},
		{"overlays/cronjob", cronjob, publishTwice(cronjob)},
		{"overlays/single-namespace", single, publishTwice(single)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if len(tc.rights) == 0 {
				t.Fatal("no rights")
			}
			attempt := func(rights []right) (string, bool) {
				server, config := apitest.Serve(t, everyKind()...)
				server.Authorize = only(rights)
				return tc.run(t, server, newClient(config))
			}
			if said, well := attempt(tc.rights); !well {
				t.Fatalf("with all rights: %s", said)
			}
			for i, r := range tc.rights {
				if said, well := attempt(slices.Delete(slices.Clone(tc.rights), i, i+1)); well || !strings.Contains(said, r.missing()) {
					t.Errorf("without %+v, well is %t: %s", r, well, said)
				}
			}
		})
	}
}

func inspectOnce(args ...string) func(*testing.T, *apitest.Server, client) (string, bool) {
	return func(t *testing.T, _ *apitest.Server, c client) (string, bool) {
		r := c.run(t.Context(), append([]string{"inspect"}, args...)...)
		return r.errs, r.code == exitOK
	}
}

func getReports(t *testing.T, server *apitest.Server, c client) (string, bool) {
	allowed := server.Authorize
	server.Authorize = nil
	c.run(t.Context(), "publish", "--report-namespace", "psp-advisor").expect(t, exitOK)
	server.Authorize = allowed
	table, one := c.run(t.Context(), "get-report"), c.run(t.Context(), "get-report", "--namespace", "shop")
	return table.errs + one.errs, table.code == exitOK && one.code == exitOK
}

// publishTwice publishes as the pod does, with a change between that makes it create,
// compare, replace and delete.
func publishTwice(s shipped) func(*testing.T, *apitest.Server, client) (string, bool) {
	return func(t *testing.T, server *apitest.Server, c client) (string, bool) {
		args := append(slices.Clone(s.args), "--report-namespace", s.namespace)
		first := c.run(t.Context(), args...)
		server.Put(changedPod())
		second := c.run(t.Context(), args...)
		return first.errs + second.errs, first.code == exitOK && second.code == exitOK
	}
}

// TestControllerRights is TestRights for the controller, which tries again: its log
// says what is missing.
func TestControllerRights(t *testing.T) {
	s := overlay(t, "controller")
	attempt := func(t *testing.T, rights []right, done func(log string) bool) (log string, ok bool) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			server, config := apitest.Serve(t, everyKind()...)
			server.Authorize = only(rights)
			log, ok = runController(t, server, newClient(config), s, done)
		})
		return log, ok
	}
	quiet := func(log string) bool {
		return strings.Count(log, `"Published"`) == 2 && !strings.Contains(log, "cannot") && !strings.Contains(log, "forbidden")
	}
	if log, ok := attempt(t, s.rights, quiet); !ok {
		t.Fatalf("with all rights:\n%s", log)
	}
	for i, r := range s.rights {
		logged := func(log string) bool { return strings.Contains(log, r.missing()) }
		if log, ok := attempt(t, slices.Delete(slices.Clone(s.rights), i, i+1), logged); !ok {
			t.Errorf("without %+v:\n%s", r, log)
		}
	}
}

// runController runs the controller for some minutes, in which a pod changes, and
// returns its log, without what quotes the quotes in it.
func runController(t *testing.T, server *apitest.Server, c client, s shipped, done func(log string) bool) (string, bool) {
	t.Helper()
	var log lockedLog
	f := &controllerFlags{publishFlags: newPublishFlags(c.environment(Streams{}))}
	cmd := &cobra.Command{}
	f.addTo(cmd)
	if err := cmd.ParseFlags(append(s.args[1:], "--server", c.config.Host)); err != nil {
		t.Fatal(err)
	}
	o, err := f.options(cmd.Flags())
	if err != nil {
		t.Fatal(err)
	}
	config, err := f.restConfig()
	if err != nil {
		t.Fatal(err)
	}
	chosen, err := o.chooseEngines(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	o.controller.Publish.Engines = chosen.build()
	controller, err := o.prepare(config, s.namespace)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(klog.NewContext(t.Context(), textlogger.NewLogger(textlogger.NewConfig(textlogger.Output(&log)))))
	ended := make(chan error, 1)
	go func() { ended <- controller.Run(ctx) }()
	ok := false
	for minute := range 5 {
		time.Sleep(time.Minute)
		synctest.Wait()
		if ok = done(log.String()); ok {
			break
		}
		if minute == 0 {
			server.Put(changedPod())
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	return log.String(), ok
}

// lockedLog is a log that may be read while it is written to.
type lockedLog struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements io.Writer.
func (l *lockedLog) Write(data []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(data)
}

func (l *lockedLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.ReplaceAll(l.text.String(), `\`, "")
}
