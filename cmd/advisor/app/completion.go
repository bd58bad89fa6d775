package app

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// completionTimeout is how long a shell waits for a cluster's namespaces.
const completionTimeout = 2 * time.Second

// maxCompletions is how many names a server is asked for.
const maxCompletions = 500

// shells are those that completions can be written for.
var shells = []string{"bash", "fish", "powershell", "zsh"}

func newCompletionCommand(env environment) *cobra.Command {
	return &cobra.Command{
		Use:   "completion SHELL",
		Short: "Print the completions for a shell: " + strings.Join(shells, ", "),
		Long: `completion prints a script that lets a shell complete commands, flags and their values:
namespaces of the cluster, contexts of the kubeconfig, formats, levels and files.

As a kubectl plugin, the advisor needs an executable named kubectl_complete-advisor on the PATH:

  #!/bin/sh
  exec kubectl advisor __complete "$@"`,
		Example: `  # For this shell
  source <(advisor completion bash)

  # For each new one
  advisor completion zsh > "${fpath[1]}/_advisor"
  advisor completion fish > ~/.config/fish/completions/advisor.fish
  advisor completion powershell >> $PROFILE`,
		Annotations: exitCodes("0  done", "2  no shell is named, or an unknown one"),
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 || !slices.Contains(shells, args[0]) {
				return fmt.Errorf("name one shell: %s", strings.Join(shells, ", "))
			}
			return nil
		},
		ValidArgsFunction: words(shells...),
		RunE: func(cmd *cobra.Command, args []string) error {
			root := cmd.Root()
			generate := map[string]func() error{
				"bash":       func() error { return root.GenBashCompletionV2(env.Out, true) },
				"fish":       func() error { return root.GenFishCompletion(env.Out, true) },
				"powershell": func() error { return root.GenPowerShellCompletionWithDesc(env.Out) },
				"zsh":        func() error { return root.GenZshCompletion(env.Out) },
			}[args[0]]
			if err := generate(); err != nil {
				return failureError(fmt.Errorf("writing output: %w", err))
			}
			return nil
		},
	}
}

// complete has the values of a flag completed. cobra keeps what is registered for as
// long as the program runs, so it is done only where a shell asks.
func (env environment) complete(cmd *cobra.Command, flag string, values cobra.CompletionFunc) {
	if env.completing {
		_ = cmd.RegisterFlagCompletionFunc(flag, values) // fails for a flag that does not exist: a test completes each
	}
}

// completeWords completes a flag from words.
func (env environment) completeWords(cmd *cobra.Command, flag string, list ...string) {
	env.complete(cmd, flag, words(list...))
}

// completeFiles completes a flag from files whose names end so; from all, if no
// extension is given.
func (env environment) completeFiles(cmd *cobra.Command, flag string, extensions ...string) {
	directive := cobra.ShellCompDirectiveFilterFileExt
	if len(extensions) == 0 {
		directive = cobra.ShellCompDirectiveDefault
	}
	env.complete(cmd, flag, func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return extensions, directive
	})
}

// completeDirectories completes a flag from directories.
func (env environment) completeDirectories(cmd *cobra.Command, flag string) {
	env.complete(cmd, flag, func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return nil, cobra.ShellCompDirectiveFilterDirs
	})
}

// words completes from a fixed list, also the last item of a list that is separated
// by commas.
func words(list ...string) cobra.CompletionFunc {
	return func(_ *cobra.Command, _ []string, toComplete string) ([]string, cobra.ShellCompDirective) {
		return itemsOf(list, toComplete), cobra.ShellCompDirectiveNoFileComp
	}
}

// itemsOf returns what may stand for toComplete: each word that begins so, after the
// items of a list that are complete already.
func itemsOf(list []string, toComplete string) []string {
	before := toComplete[:strings.LastIndex(toComplete, ",")+1]
	given := strings.Split(before, ",")
	var items []string
	for _, word := range list {
		if strings.HasPrefix(before+word, toComplete) && !slices.Contains(given, word) {
			items = append(items, before+word)
		}
	}
	return items
}

// completeNamespaces completes a flag from the namespaces of the cluster. A cluster
// that does not answer has none.
func (f *connectionFlags) completeNamespaces(cmd *cobra.Command, flag string) {
	f.complete(cmd, flag, func(cmd *cobra.Command, _ []string, toComplete string) ([]string, cobra.ShellCompDirective) {
		return itemsOf(f.namespaces(cmd.Context()), toComplete), cobra.ShellCompDirectiveNoFileComp
	})
}

func (f *connectionFlags) namespaces(ctx context.Context) []string {
	config, err := f.restConfig()
	if err != nil {
		return nil
	}
	client, err := corev1client.NewForConfig(config)
	if err != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, completionTimeout)
	defer cancel()
	list, err := client.Namespaces().List(ctx, metav1.ListOptions{Limit: maxCompletions})
	if err != nil {
		return nil
	}
	var names []string
	for i := range list.Items {
		names = append(names, list.Items[i].Name)
	}
	return names
}

// completeConnection completes the flags of the connection from the kubeconfig.
func (f *connectionFlags) completeConnection(cmd *cobra.Command) {
	for flag, names := range map[string]func(clientcmdapi.Config) []string{
		"context": func(c clientcmdapi.Config) []string { return slices.Sorted(maps.Keys(c.Contexts)) },
		"cluster": func(c clientcmdapi.Config) []string { return slices.Sorted(maps.Keys(c.Clusters)) },
		"user":    func(c clientcmdapi.Config) []string { return slices.Sorted(maps.Keys(c.AuthInfos)) },
	} {
		f.complete(cmd, flag, func(_ *cobra.Command, _ []string, toComplete string) ([]string, cobra.ShellCompDirective) {
			raw, err := f.ToRawKubeConfigLoader().RawConfig()
			if err != nil {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return itemsOf(names(raw), toComplete), cobra.ShellCompDirectiveNoFileComp
		})
	}
	f.completeDirectories(cmd, "cache-dir")
}
