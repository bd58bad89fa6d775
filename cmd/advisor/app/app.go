// Package app is the command line: one file per command. Each command turns its
// flags into options and runs them; data goes to standard output, everything
// else to standard error.
package app

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/psp-advisor/psp-advisor/pkg/printable"
	"github.com/spf13/cobra"
	"k8s.io/klog/v2"
)

// Streams are the standard streams of a command.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
}

// The exit codes.
const (
	exitOK      = 0
	exitDrift   = 1 // findings, drift, or a partial observation that was published
	exitUsage   = 2 // wrong flags or bad input
	exitFailure = 3 // the server or the file system failed
)

// codedError is an error that decides the exit code.
type codedError struct {
	code int
	error
}

func (e codedError) Unwrap() error { return e.error }

func usageError(err error) error   { return codedError{exitUsage, err} }
func failureError(err error) error { return codedError{exitFailure, err} }

// Run runs the command line args and returns the exit code. An error is told on
// standard error in one line; of wrong flags, each in one.
func Run(ctx context.Context, args []string, streams Streams) int {
	// The libraries' logs are for the controller, which sets its own; elsewhere
	// an error says it all.
	klog.LogToStderr(false)
	klog.SetOutput(io.Discard)

	root := newRootCommand(streams) //nolint:contextcheck // cobra hands ctx to the command
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	for _, problem := range problems(err) {
		fmt.Fprintln(streams.Err, "advisor:", oneLine(problem.Error())) //nolint:errcheck // there is no one left to tell
	}
	if coded, ok := errors.AsType[codedError](err); ok {
		return coded.code
	}
	// What is left comes from cobra: unknown commands and flags.
	return exitUsage
}

// problems takes apart what errors.Join joined.
func problems(err error) []error {
	var joined interface{ Unwrap() []error }
	if !errors.As(err, &joined) {
		return []error{err}
	}
	list := joined.Unwrap()
	if errors.Join(list...).Error() != err.Error() {
		// Something is said around them.
		return []error{err}
	}
	var all []error
	for _, e := range list {
		all = append(all, problems(e)...)
	}
	return all
}

// maxLine keeps a text readable whatever strings it quotes.
const maxLine = 1000

// oneLine is the text in one line that leaves a terminal as it is.
func oneLine(text string) string { return printable.Line(text, maxLine) }

func newRootCommand(streams Streams) *cobra.Command {
	root := &cobra.Command{
		Use:   "advisor",
		Short: "Write the least-privilege policies of the pods in a cluster",
		Long: `advisor looks at the pods of a cluster, or of manifests, and writes the tightest
PodSecurityPolicy and RBAC that admit them unchanged.`,
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          cobra.NoArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetIn(streams.In)
	root.SetOut(streams.Out)
	root.SetErr(streams.Err)
	root.CompletionOptions.HiddenDefaultCmd = true
	root.SetHelpCommand(newHelpCommand())
	root.AddCommand(newInspectCommand(streams), newPublishCommand(streams), newControllerCommand(streams))
	return root
}

// newHelpCommand is cobra's own, but that it fails for what there is not.
func newHelpCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "help [command]",
		Short: "Help about a command",
		RunE: func(cmd *cobra.Command, args []string) error {
			target, rest, err := cmd.Root().Find(args)
			if err != nil {
				return err
			}
			if len(rest) > 0 {
				return fmt.Errorf("unknown command %q for %q", rest[0], target.CommandPath())
			}
			return target.Help()
		},
	}
}
