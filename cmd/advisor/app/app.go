// Package app is the command line: one file per command. Each command turns its
// flags into options and runs them; data goes to standard output, everything
// else to standard error.
//
// Input is arguments and streams; output is an exit code. Laws:
//   - All problems of the flags are reported at once, one line each, and exit with 2.
//   - Wrong flags and input that cannot be read print no data.
//   - A stream that cannot be written exits with 3.
//   - Whatever strings the input holds, a line of output stays one line, without
//     control characters.
//   - An observation gives the same policies as the cluster or the manifests that it
//     was made from, byte for byte, by the same engines for the same version.
//   - Except in the controller, libraries log nothing but warnings about manifests.
package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"path/filepath"
	"slices"
	"strings"

	"github.com/psp-advisor/psp-advisor/pkg/printable"
	"github.com/spf13/cobra"
	"k8s.io/client-go/rest"
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
	exitDrift   = 1 // --check found a difference; a report is missing, stale or partial
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

// printErr writes one line to standard error, with control characters escaped.
func printErr(errOut io.Writer, line string) error {
	if _, err := fmt.Fprintln(errOut, oneLine(line)); err != nil {
		return failureError(fmt.Errorf("writing to standard error: %w", err))
	}
	return nil
}

// printLines writes lines to standard error.
func printLines(errOut io.Writer, lines []string) error {
	for _, line := range lines {
		if err := printErr(errOut, line); err != nil {
			return err
		}
	}
	return nil
}

// warnings prints what libraries log without klog, as kustomize does: each entry is a
// line, whatever strings of a manifest it quotes.
type warnings struct{ errOut io.Writer }

func (w warnings) Write(entry []byte) (int, error) {
	return len(entry), printErr(w.errOut, "warning: "+string(entry))
}

// environment is what the commands share beside their flags.
type environment struct {
	Streams
	// name that the advisor was called by, such as "kubectl advisor".
	name string
	// engines are those to choose from.
	engines []engine
	// wrap, if set, completes the connection.
	wrap func(*rest.Config) *rest.Config
	// setLog, if set, makes a logger that of the whole process.
	setLog func(klog.Logger)
	// completing says that a shell asks for words to choose from.
	completing bool
}

// Run runs the command line args and returns the exit code. Each error is reported
// on standard error in one line. program is the name or path that the advisor was
// called by; as kubectl-advisor it is a plugin of kubectl.
func Run(ctx context.Context, program string, args []string, streams Streams) int {
	name := "advisor"
	if strings.HasPrefix(filepath.Base(program), "kubectl-") {
		name = "kubectl advisor"
	}
	env := environment{Streams: streams, name: name, engines: engines(), setLog: setProcessLog}
	// Only the controller has a log; other commands return errors.
	env.log(klog.Logger{})
	log.SetFlags(0)
	log.SetOutput(warnings{streams.Err})
	return env.run(ctx, args)
}

func setProcessLog(logger klog.Logger) {
	klog.SetLoggerWithOptions(logger, klog.ContextualLogger(true))
}

// log makes a logger that of the whole process, unless a test has several commands
// in one.
func (env environment) log(logger klog.Logger) {
	if env.setLog != nil {
		env.setLog(logger)
	}
}

func (env environment) run(ctx context.Context, args []string) int {
	env.completing = len(args) > 0 && slices.Contains([]string{cobra.ShellCompRequestCmd, cobra.ShellCompNoDescRequestCmd}, args[0])
	root := newRootCommand(env) //nolint:contextcheck // cobra hands ctx to the command
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	for _, problem := range problems(err) {
		fmt.Fprintln(env.Err, env.name+":", oneLine(problem.Error())) //nolint:errcheck // there is nowhere left to report it
	}
	if coded, ok := errors.AsType[codedError](err); ok {
		return coded.code
	}
	// What is left comes from cobra: unknown commands and flags.
	return exitUsage
}

// problems splits joined errors.
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

func newRootCommand(env environment) *cobra.Command {
	root := &cobra.Command{
		Use:   "advisor",
		Short: "Write the least-privilege policies of the pods in a cluster",
		Long: `advisor observes the pods of a cluster, or the pods that manifests create, and generates the
tightest policies that admit them unchanged.`,
		Version:           thisBuild().Version,
		SilenceUsage:      true,
		SilenceErrors:     true,
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
		Annotations:       map[string]string{cobra.CommandDisplayNameAnnotation: env.name},
		Args:              cobra.NoArgs,
		RunE:              func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetIn(env.In)
	root.SetOut(env.Out)
	root.SetErr(env.Err)
	root.SetUsageFunc(usage)
	root.SetHelpCommand(newHelpCommand())
	root.AddCommand(newInspectCommand(env), newReportCommand(env), newDiffCommand(env), newPublishCommand(env), newControllerCommand(env), newGetReportCommand(env), newCompletionCommand(env), newVersionCommand(env))
	for _, cmd := range root.Commands() {
		cmd.Example = strings.ReplaceAll(cmd.Example, "  advisor ", "  "+env.name+" ")
	}
	return root
}

// newHelpCommand is cobra's own, except that it fails for an unknown command.
func newHelpCommand() *cobra.Command {
	return &cobra.Command{
		Use:         "help [command]",
		Short:       "Help about a command",
		Long:        "help prints what a command does, with its flags, examples and exit codes.",
		Example:     "  advisor help inspect",
		Annotations: exitCodes("0  done", "2  there is no such command"),
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
