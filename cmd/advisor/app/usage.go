package app

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// helpWidth is how many columns help has.
const helpWidth = 100

// exitCodesKey is the annotation of a command that lists its exit codes.
const exitCodesKey = "exit-codes"

func exitCodes(lines ...string) map[string]string {
	return map[string]string{exitCodesKey: "  " + strings.Join(lines, "\n  ")}
}

// connectionKey is the annotation of the flags that say how to reach the cluster.
const connectionKey = "connection"

// usage prints how a command is used. A command's own flags stand before those of
// the connection, which it shares with kubectl.
func usage(cmd *cobra.Command) error {
	var text strings.Builder
	text.WriteString("Usage:\n")
	if cmd.Runnable() && !cmd.HasSubCommands() {
		text.WriteString("  " + cmd.UseLine() + "\n")
	}
	if cmd.HasAvailableSubCommands() {
		text.WriteString("  " + cmd.CommandPath() + " COMMAND [flags]\n")
	}
	section := func(title, body string) {
		if body = strings.TrimRight(body, "\n"); body != "" {
			text.WriteString("\n" + title + ":\n" + body + "\n")
		}
	}
	section("Examples", cmd.Example)
	section("Commands", subcommands(cmd))
	own, connection := pflag.NewFlagSet("", pflag.ContinueOnError), pflag.NewFlagSet("", pflag.ContinueOnError)
	cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
		if _, ok := f.Annotations[connectionKey]; ok {
			connection.AddFlag(f)
			return
		}
		own.AddFlag(f)
	})
	section("Flags", own.FlagUsagesWrapped(helpWidth))
	section("Connection flags, as in kubectl", connection.FlagUsagesWrapped(helpWidth))
	section("Exit codes", cmd.Annotations[exitCodesKey])
	if cmd.HasAvailableSubCommands() {
		text.WriteString("\nHelp about a command: " + cmd.CommandPath() + " COMMAND --help\n")
	}
	_, err := fmt.Fprint(cmd.OutOrStderr(), text.String())
	return err //nolint:wrapcheck // cobra prints it
}

func subcommands(cmd *cobra.Command) string {
	var text strings.Builder
	for _, sub := range cmd.Commands() {
		if sub.IsAvailableCommand() || sub.Name() == "help" {
			fmt.Fprintf(&text, "  %-*s %s\n", sub.NamePadding(), sub.Name(), sub.Short)
		}
	}
	return text.String()
}
