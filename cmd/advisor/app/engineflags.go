package app

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// autoEngine is the value of --engine that stands for an engine by the server.
const autoEngine = "auto"

// engineFlags say which engines generate policies, for which server, and what the
// policies do; inspect, publish and controller share them.
type engineFlags struct {
	names           []string
	serverVersion   string
	enforcement     string
	unknownAccounts string
	params          string
}

func (f *engineFlags) addTo(cmd *cobra.Command, env environment) {
	flags := cmd.Flags()
	flags.StringSliceVar(&f.names, "engine", []string{autoEngine}, "kinds of policies to generate: "+strings.Join(env.engineList(), ", ")+"; auto chooses by the server")
	flags.StringVar(&f.serverVersion, "server-version", "", "version of Kubernetes that the policies are for, such as 1.30 (default that of the server)")
	flags.StringVar(&f.enforcement, "enforcement", enforcements[0], "what a server does about pods that are not permitted: "+orList(enforcements))
	flags.StringVar(&f.unknownAccounts, "unknown-accounts", unknownAccounts[0], "what policies do about pods of accounts that were not observed: "+orList(unknownAccounts))
	flags.StringVar(&f.params, "params", paramStores[0], "where policies keep what they permit in a namespace: "+orList(paramStores))
	env.completeWords(cmd, "engine", env.engineChoices()...)
	env.completeWords(cmd, "server-version", serverVersions()...)
	env.completeWords(cmd, "enforcement", enforcements...)
	env.completeWords(cmd, "unknown-accounts", unknownAccounts...)
	env.completeWords(cmd, "params", paramStores...)
}

// engineList returns the names of the engines to choose from.
func (env environment) engineList() []string {
	names := make([]string, len(env.engines))
	for i, e := range env.engines {
		names[i] = e.name
	}
	return names
}

// engineChoices returns the values of --engine.
func (env environment) engineChoices() []string {
	return append([]string{autoEngine}, env.engineList()...)
}

// checkEngines returns an error for each name that is not one of those known.
func checkEngines(names, known []string) error {
	var errs []error
	for _, name := range names {
		if !slices.Contains(known, name) {
			errs = append(errs, fmt.Errorf("--engine: unknown engine %q: want %s", name, orList(known)))
		}
	}
	if len(names) == 0 {
		errs = append(errs, fmt.Errorf("--engine: must not be empty: want %s", orList(known)))
	}
	return errors.Join(errs...)
}

// choice checks the flags and returns what they choose from the table of engines, or
// all that is wrong with them.
func (f *engineFlags) choice(env environment, given *pflag.FlagSet) (engineChoice, error) {
	minor, err := parseServerVersion(f.serverVersion)
	unknown := checkEngines(f.names, env.engineChoices())
	errs := []error{
		unknown, err,
		checkWord("enforcement", f.enforcement, enforcements),
		checkWord("unknown-accounts", f.unknownAccounts, unknownAccounts),
		checkWord("params", f.params, paramStores),
	}
	c := engineChoice{table: env.engines, names: f.names, options: engineOptions{
		minor: minor, enforcement: f.enforcement, unknownAccounts: f.unknownAccounts, params: f.params,
	}}
	for _, flag := range engineSpecific(env.engines) {
		if given.Changed(flag) {
			c.given = append(c.given, flag)
		}
	}
	var contrary []string // flags that an engine does not allow: nothing more is wrong with them
	for _, e := range env.engines {
		for flag, want := range e.fixed {
			got := given.Lookup(flag).Value.String()
			if slices.Contains(f.names, e.name) && got != want && !slices.Contains(contrary, flag) {
				errs = append(errs, fmt.Errorf("--%s: %s cannot be combined with --engine %s, which requires %s", flag, got, e.name, want))
				contrary = append(contrary, flag)
			}
		}
	}
	if unknown == nil && !slices.Contains(f.names, autoEngine) {
		for _, flag := range unread(env.engines, f.names, c.given) {
			if !slices.Contains(contrary, flag) {
				errs = append(errs, fmt.Errorf("--%s: requires --engine %s", flag, orList(readers(env.engines, flag))))
			}
		}
	}
	return c, errors.Join(errs...)
}

// checkWord returns an error if the value of a flag is not one of the words.
func checkWord(flag, value string, words []string) error {
	if slices.Contains(words, value) {
		return nil
	}
	return fmt.Errorf("--%s: unknown value %q: want %s", flag, value, orList(words))
}

// engineSpecific returns the flags that only some engines read, in order.
func engineSpecific(table []engine) []string {
	var flags []string
	for _, e := range table {
		flags = append(flags, e.flags...)
	}
	slices.Sort(flags)
	return slices.Compact(flags)
}

// readers returns the names of the engines that read a flag.
func readers(table []engine, flag string) []string {
	var names []string
	for _, e := range table {
		if slices.Contains(e.flags, flag) {
			names = append(names, e.name)
		}
	}
	return names
}

// unread returns those of the flags that none of the named engines reads.
func unread(table []engine, names, flags []string) []string {
	return slices.DeleteFunc(slices.Clone(flags), func(flag string) bool {
		return slices.ContainsFunc(readers(table, flag), func(name string) bool { return slices.Contains(names, name) })
	})
}
