package app

import (
	"bytes"
	"context"
	"os"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/psp-advisor/psp-advisor/pkg/apitest"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	corev1 "k8s.io/api/core/v1"
)

// commands returns the root command and those below it.
func commands() []*cobra.Command {
	root := newRootCommand(environment{name: "advisor", engines: engines()})
	root.InitDefaultHelpCmd()
	return append(root.Commands(), root)
}

// TestHelpExamples runs each command line that the help shows, as it stands but for
// the cluster, which is a server in this process.
func TestHelpExamples(t *testing.T) {
	manifest, err := os.ReadFile("../../../examples/web-shop/input.yaml")
	if err != nil {
		t.Fatal(err)
	}
	server, config := apitest.Serve(t, objects(t, "examples/web-shop/input.yaml")...)
	c := newClient(config)
	t.Chdir(t.TempDir())
	if err := os.WriteFile("deployment.yaml", manifest, 0o644); err != nil {
		t.Fatal(err)
	}
	written := `
apiVersion: policy/v1beta1
kind: PodSecurityPolicy
metadata:
  name: written
  annotations: {seccomp.security.alpha.kubernetes.io/allowedProfileNames: '*'}
spec:
  privileged: true
  hostNetwork: true
  hostPID: true
  hostPorts: [{min: 1, max: 65535}]
  volumes: ['*']
  allowedCapabilities: ['*']
  seLinux: {rule: RunAsAny}
  runAsUser: {rule: RunAsAny}
  fsGroup: {rule: RunAsAny}
  supplementalGroups: {rule: RunAsAny}
`
	if err := os.WriteFile("written.yaml", []byte(written), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("changed.yaml", bytes.ReplaceAll(manifest, []byte("image: "), []byte("image: mirror.example/")), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("Dockerfile", []byte("FROM scratch\nUSER 1000\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	c.run(t.Context(), "publish", "--report-namespace", "psp-advisor").expect(t, exitOK)
	for _, cmd := range commands() {
		if !cmd.HasParent() {
			continue
		}
		lines := commandLines(cmd)
		if len(lines) == 0 {
			t.Errorf("%s has no example", cmd.Name())
		}
		for _, line := range lines {
			t.Run(line, func(t *testing.T) {
				ours, theirs, _ := strings.Cut(line, " | ")
				if strings.HasPrefix(theirs, "kubectl apply ") && !strings.Contains(theirs, "--server-side --field-manager=psp-advisor") {
					t.Errorf("what is applied to Namespaces of others removes what they have set: %s", theirs)
				}
				ours, _, _ = strings.Cut(ours, " >")
				args := strings.Fields(ours)[1:]
				if cmd.Flags().Lookup("server") == nil || slices.Contains(args, "-f") {
					if r := run(t, "", args...).expect(t, exitOK); r.out == "" && !slices.Contains(args, "--output-dir") {
						t.Errorf("nothing is printed: %s", r)
					}
					return
				}
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				if cmd.Name() == "controller" {
					// Until the reports are back.
					server.Remove("configmaps", "psp-advisor", "psp-advisor-index")
					server.AfterWrite = func(write string, _ map[string]*corev1.ConfigMap) {
						if write == "patch psp-advisor-index" {
							cancel()
						}
					}
					args = append(args, "--listen-address", "127.0.0.1:0")
				}
				c.run(ctx, args...).expect(t, exitOK)
			})
		}
	}
}

// commandLines returns the lines of a command's examples that call the advisor.
func commandLines(cmd *cobra.Command) []string {
	var lines []string
	for line := range strings.Lines(cmd.Example) {
		if line = strings.TrimSpace(line); strings.HasPrefix(line, "advisor ") {
			lines = append(lines, line)
		}
	}
	return lines
}

// TestHelp: each command says what it does, shows examples and lists its exit codes;
// each flag has a description; and all of it fits a terminal.
func TestHelp(t *testing.T) {
	for _, cmd := range commands() {
		t.Run(cmd.Name(), func(t *testing.T) {
			if cmd.Short == "" || cmd.Long == "" {
				t.Error("no description")
			}
			if cmd.HasParent() && (cmd.Example == "" || cmd.Annotations[exitCodesKey] == "") {
				t.Error("no examples or no exit codes")
			}
			cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
				if f.Usage == "" {
					t.Errorf("--%s has no description", f.Name)
				}
			})
			args := []string{"help"}
			if cmd.HasParent() {
				args = append(args, cmd.Name())
			}
			text := run(t, "", args...).expect(t, exitOK).out
			for line := range strings.Lines(text) {
				if line = strings.TrimSuffix(line, "\n"); utf8.RuneCountInString(line) > helpWidth {
					t.Errorf("%d columns: %s", utf8.RuneCountInString(line), line)
				}
			}
			if own, connection := strings.Index(text, "\nFlags:\n"), strings.Index(text, "\nConnection flags"); cmd.Flags().Lookup("kubeconfig") != nil &&
				(own < 0 || own > connection || strings.Contains(text[:connection], "--kubeconfig")) {
				t.Errorf("the command's own flags do not stand before those of the connection:\n%s", text)
			}
		})
	}
}

// TestPlugin: as a plugin of kubectl, the advisor goes by that name.
func TestPlugin(t *testing.T) {
	for _, tc := range []struct{ program, name string }{
		{"/usr/local/bin/advisor", "advisor"},
		{"/root/.krew/bin/kubectl-advisor", "kubectl advisor"},
		{"advisor.test", "advisor"},
	} {
		t.Run(tc.program, func(t *testing.T) {
			runAs := func(args ...string) result {
				var out, errs strings.Builder
				code := Run(t.Context(), tc.program, args, Streams{In: strings.NewReader(""), Out: &out, Err: &errs})
				return result{code, out.String(), errs.String()}
			}
			help := runAs("inspect", "--help").expect(t, exitOK).out
			for _, want := range []string{"Usage:\n  " + tc.name + " inspect [flags]\n", "  " + tc.name + " inspect --namespace shop\n"} {
				if !strings.Contains(help, want) {
					t.Errorf("help does not hold %q:\n%s", want, help)
				}
			}
			if r := runAs("no-such-command").expect(t, exitUsage); r.errs != tc.name+": unknown command \"no-such-command\" for \""+tc.name+"\"\n" {
				t.Errorf("standard error is %q", r.errs)
			}
		})
	}
}
