package app

import (
	"bytes"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/psp-advisor/psp-advisor/pkg/apitest"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// complete returns what a shell is offered after args, and the directive to it.
func (c client) complete(t *testing.T, args ...string) (words []string, directive string) {
	t.Helper()
	var out, errs bytes.Buffer
	if args[0] != "version" && args[0] != "completion" {
		args = slices.Insert(args, 1, "--server", c.config.Host)
	}
	code := c.environment(Streams{In: strings.NewReader(""), Out: &out, Err: &errs}).run(t.Context(), append([]string{"__completeNoDesc"}, args...))
	if code != exitOK {
		t.Fatalf("exit code %d: %s", code, &errs)
	}
	lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	last := len(lines) - 1
	return lines[:last], lines[last]
}

// The directives to a shell (cobra, ShellCompDirective).
const (
	anyFile     = ":0"
	noFiles     = ":4"
	extensions  = ":8"
	directories = ":16"
)

func TestCompletion(t *testing.T) {
	namespace := func(name string) *corev1.Namespace {
		return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
	}
	server, config := apitest.Serve(t, namespace("monitoring"), namespace("shop"), namespace("shop-advisor"), runningPod("shop", "web"))
	c, env := newClient(config), environment{engines: engines()}
	c.run(t.Context(), "publish", "--report-namespace", "psp-advisor").expect(t, exitOK)
	kubeconfig := filepath.Join(t.TempDir(), "config")
	err := os.WriteFile(kubeconfig, []byte(`apiVersion: v1
kind: Config
clusters: [{name: east, cluster: {}}, {name: west, cluster: {}}]
contexts: [{name: at-home, context: {cluster: east, user: me}}, {name: at-work, context: {cluster: west, user: you}}]
users: [{name: me, user: {}}, {name: you, user: {}}]
`), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		line      string
		want      []string
		directive string
	}{
		{"inspect --level ", []string{"workload", "serviceaccount", "namespace", "cluster"}, noFiles},
		{"inspect --level n", []string{"namespace"}, noFiles},
		{"publish --source ", []string{"pods", "templates"}, noFiles},
		{"publish --source pods,", []string{"pods,templates"}, noFiles},
		{"controller --engine ", env.engineChoices(), noFiles},
		{"get-report --engine ", env.engineList(), noFiles},
		{"inspect --server-version 1.3", []string{"1.37", "1.36", "1.35", "1.34", "1.33", "1.32", "1.31", "1.30"}, noFiles},
		{"publish --enforcement ", []string{"warn", "audit", "deny"}, noFiles},
		{"inspect --unknown-accounts ", []string{"deny", "warn", "allow"}, noFiles},
		{"controller --params ", []string{"annotation", "crd"}, noFiles},
		{"inspect -o ", formats, noFiles},
		{"version -o ", []string{"json", "yaml"}, noFiles},
		{"get-report -o ", outputsOfReports, noFiles},
		{"inspect -n ", []string{"monitoring", "shop", "shop-advisor"}, noFiles},
		{"inspect --namespace monitoring,sh", []string{"monitoring,shop", "monitoring,shop-advisor"}, noFiles},
		{"inspect --exclude-namespaces m", []string{"monitoring"}, noFiles},
		{"publish --report-namespace shop-", []string{"shop-advisor"}, noFiles},
		{"get-report --report-namespace shop-", []string{"shop-advisor"}, noFiles},
		{"get-report -n ", []string{"shop"}, noFiles},
		{"inspect --kubeconfig " + kubeconfig + " --context ", []string{"at-home", "at-work"}, noFiles},
		{"publish --kubeconfig " + kubeconfig + " --cluster w", []string{"west"}, noFiles},
		{"get-report --kubeconfig " + kubeconfig + " --user ", []string{"me", "you"}, noFiles},
		{"inspect -f ", []string{"yaml", "yml", "json"}, extensions},
		{"inspect --output-dir ", nil, directories},
		{"inspect --cache-dir ", nil, directories},
		{"inspect --output-file ", nil, anyFile},
		{"inspect --kubeconfig ", nil, anyFile},
		{"completion z", []string{"zsh"}, noFiles},
	} {
		t.Run(tc.line, func(t *testing.T) {
			words, directive := c.complete(t, strings.Split(tc.line, " ")...)
			if diff := cmp.Diff(tc.want, slices.DeleteFunc(words, func(s string) bool { return s == "" })); len(tc.want) > 0 && diff != "" {
				t.Errorf("words (-want +got):\n%s", diff)
			}
			if directive != tc.directive {
				t.Errorf("directive %s, want %s", directive, tc.directive)
			}
		})
	}
	// A server that does not let namespaces be listed offers none, without a word.
	server.Intercept(func(w http.ResponseWriter, _ apitest.Request) bool {
		apitest.Refuse(w, apitest.Status(http.StatusForbidden))
		return true
	})
	for _, args := range [][]string{{"inspect", "-n", ""}, {"get-report", "-n", ""}} {
		if words, directive := c.complete(t, args...); len(words) > 0 || directive != noFiles {
			t.Errorf("%v: words %v, directive %s", args, words, directive)
		}
	}
}

// TestCompletionScripts: the shells that are installed read what is printed for them.
func TestCompletionScripts(t *testing.T) {
	for shell, check := range map[string][]string{
		"bash": {"bash", "-n", "/dev/stdin"}, "zsh": {"zsh", "-n", "/dev/stdin"}, "fish": {"fish", "--no-execute", "/dev/stdin"}, "powershell": nil,
	} {
		script := run(t, "", "completion", shell).expect(t, exitOK).out
		if !strings.Contains(script, "advisor") {
			t.Errorf("%s: %s", shell, script)
		}
		if len(check) == 0 {
			continue
		}
		if _, err := exec.LookPath(check[0]); err != nil {
			t.Logf("NOT RUN: there is no %s here to read its script", check[0])
			continue
		}
		cmd := exec.CommandContext(t.Context(), check[0], check[1:]...)
		cmd.Stdin = strings.NewReader(script)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s does not read it: %v\n%s", shell, err, out)
		}
	}
	for _, args := range [][]string{{"completion"}, {"completion", "tcsh"}, {"completion", "bash", "zsh"}} {
		if r := run(t, "", args...).expect(t, exitUsage); r.errs != "advisor: name one shell: bash, fish, powershell, zsh\n" {
			t.Errorf("%v: %s", args, r)
		}
	}
}
