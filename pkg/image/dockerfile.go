package image

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/buildkit/frontend/dockerfile/shell"

	"github.com/psp-advisor/psp-advisor/pkg/printable"
)

// Limits of what is read from a Dockerfile.
const (
	maxDockerfile = 1 << 20
	maxVariable   = 1 << 10 // longer values are unknown, so that values cannot double forever
)

// IsDockerfile reports whether a file is a Dockerfile by its name: Dockerfile,
// Containerfile, either with a suffix after a dot, or either as a suffix.
func IsDockerfile(filename string) bool {
	base := path.Base(filepath.ToSlash(filename))
	if strings.HasSuffix(base, ".dockerignore") {
		return false
	}
	for _, n := range []string{"Dockerfile", "Containerfile"} {
		lower := strings.ToLower(n)
		if base == n || base == lower || strings.HasPrefix(base, n+".") ||
			strings.HasSuffix(base, "."+n) || strings.HasSuffix(base, "."+lower) {
			return true
		}
	}
	return false
}

// Dockerfile returns the rules that a Dockerfile breaks, as BuildKit reads it. User and
// health check are those of the last stage, with what it inherits from other stages; ADD,
// secrets and base images are those of all stages. What only the build knows, such as
// the user of a base image, is taken as not set; the detail says so.
func Dockerfile(data []byte) ([]Result, error) {
	if len(data) > maxDockerfile {
		return nil, fmt.Errorf("reading a Dockerfile: it has more than %d bytes", maxDockerfile)
	}
	parsed, err := parser.Parse(bytes.NewReader(data))
	if err != nil {
		return nil, unreadable(err)
	}
	list, meta, err := instructions.Parse(parsed.AST, nil)
	if err != nil {
		return nil, unreadable(err)
	}
	if len(list) == 0 {
		return nil, errors.New("reading a Dockerfile: it has no FROM")
	}
	f := file{lex: shell.NewLex(parsed.EscapeToken), global: variables{}}
	for i := range meta {
		f.at = lineOf(meta[i].Location())
		f.arguments(meta[i].Args, f.global, nil)
	}
	for i := range list {
		f.stage(&list[i])
	}
	f.final()
	return sorted(f.results), nil
}

// unreadable makes an error of BuildKit printable: it may quote the file. What it suggests
// differs from call to call.
func unreadable(err error) error {
	text, _, _ := strings.Cut(err.Error(), " (did you mean ")
	return errors.New("reading a Dockerfile: " + printable.Line(text, 200))
}

// file is a Dockerfile that is being read.
type file struct {
	lex     *shell.Lex
	global  variables // build arguments before the first FROM
	stages  []stage
	at      int // the line of the instruction
	results []Result
}

// stage is what a stage leaves to those that are built from it.
type stage struct {
	name, base string // base is empty if it is known: another stage, or scratch
	line       int    // of FROM
	user       setting
	health     setting
	env        variables
	onbuild    []instructions.Command
	onbuildAt  []int
}

// setting is a value and the line that sets it, which is 0 if none does.
type setting struct {
	value   string
	unknown bool // the value has variables that the file does not set
	line    int
}

// variables are those whose value is known.
type variables map[string]string

func (v variables) Get(name string) (string, bool) { value, ok := v[name]; return value, ok }
func (v variables) Keys() []string                 { return slices.Sorted(maps.Keys(v)) }

func (v variables) set(name, value string, known bool) {
	if known && len(value) <= maxVariable {
		v[name] = value
	} else {
		delete(v, name)
	}
}

// reference is a variable in a word, with the operator of a default.
var reference = regexp.MustCompile(`\$(?:\{(\w+)(:?-)?|(\w+))`)

// expand returns a word with its variables replaced, and whether all that have no default
// were known.
func (f *file) expand(word string, known variables) (string, bool) {
	result, unmatched, err := f.lex.ProcessWord(word, known)
	if err != nil {
		return word, false
	}
	for _, m := range reference.FindAllStringSubmatch(word, -1) {
		if _, ok := unmatched[m[1]+m[3]]; ok && m[2] == "" {
			return word, false
		}
	}
	return result, true
}

func (f *file) add(list ...Result) {
	for _, r := range list {
		r.Line = f.at
		f.results = append(f.results, r)
	}
}

// lineOf returns the line where an instruction begins.
func lineOf(location []parser.Range) int { return location[0].Start.Line }

// stage reads one stage.
func (f *file) stage(in *instructions.Stage) {
	f.at = lineOf(in.Location)
	base, known := f.expand(in.BaseName, f.global)
	s := stage{name: in.Name, line: f.at, env: variables{}}
	parent := f.find(base)
	first := false // whether the next layer is the first one
	switch {
	case known && parent != nil:
		s.base, s.user, s.health = parent.base, parent.user, parent.health
		s.env = maps.Clone(parent.env)
	case known && base == "scratch":
		first = true
	case known:
		s.base = short(base)
		if mutable(base) {
			f.add(Result{Rule: Tag, Detail: "FROM " + s.base})
		}
	default:
		s.base = short(base)
	}
	args := maps.Clone(s.env) // with those of the stage, which its children do not inherit
	if known && parent != nil {
		for i, c := range parent.onbuild {
			f.at = parent.onbuildAt[i]
			f.command(c, &s, args, &first)
		}
	}
	for _, c := range in.Commands {
		f.at = lineOf(c.Location())
		if on, ok := c.(*instructions.OnbuildCommand); ok {
			f.trigger(on, &s)
			continue
		}
		f.command(c, &s, args, &first)
	}
	f.stages = append(f.stages, s)
}

// find returns the last stage of a name; stages have no names that differ in case only.
func (f *file) find(name string) *stage {
	for i := range slices.Backward(f.stages) {
		if f.stages[i].name != "" && strings.EqualFold(f.stages[i].name, name) {
			return &f.stages[i]
		}
	}
	return nil
}

// mutable reports whether a base image has no tag or digest, or the tag latest.
func mutable(base string) bool {
	ref, err := name.ParseReference(base)
	if err != nil {
		return false // BuildKit will refuse it
	}
	tag, ok := ref.(name.Tag)
	return ok && tag.TagStr() == name.DefaultTag
}

// trigger reads ONBUILD: its ADD and secrets as those of the stage; all of it applies to
// stages that are built from it.
func (f *file) trigger(on *instructions.OnbuildCommand, s *stage) {
	parsed, err := parser.Parse(strings.NewReader(on.Expression))
	if err != nil || len(parsed.AST.Children) != 1 {
		return // BuildKit refuses it as well, when it is used
	}
	c, err := instructions.ParseCommand(parsed.AST.Children[0])
	if err != nil {
		return
	}
	s.onbuild, s.onbuildAt = append(s.onbuild, c), append(s.onbuildAt, f.at)
	layer := false
	f.command(c, &stage{env: variables{}}, maps.Clone(s.env), &layer)
}

// command reads one instruction of a stage.
func (f *file) command(c instructions.Command, s *stage, args variables, first *bool) {
	wasFirst := *first
	switch c := c.(type) {
	case *instructions.UserCommand:
		value, known := f.expand(c.User, args)
		s.user = setting{value, !known, f.at}
	case *instructions.HealthCheckCommand:
		value := "NONE"
		if c.Health != nil && len(c.Health.Test) > 0 {
			value = c.Health.Test[0]
		}
		s.health = setting{value, false, f.at}
	case *instructions.EnvCommand:
		f.environment(c.Env, s.env, args)
	case *instructions.ArgCommand:
		f.arguments(c.Args, args, s.env)
	case *instructions.AddCommand:
		*first = false
		f.add(addResults(c.SourcePaths, c.DestPath, wasFirst && len(c.SourceContents) == 0)...)
		for _, inline := range c.SourceContents {
			f.contents("ADD", inline.Data)
		}
	case *instructions.CopyCommand:
		*first = false
		for _, inline := range c.SourceContents {
			f.contents("COPY", inline.Data)
		}
	case *instructions.WorkdirCommand:
		*first = false
	case *instructions.RunCommand:
		*first = false
		f.contents("RUN", strings.Join(c.CmdLine, " "))
		for _, inline := range c.Files {
			f.contents("RUN", inline.Data)
		}
	}
}

// contents reads a command, or a file that an instruction has inline.
func (f *file) contents(instruction, text string) {
	if privateKey.MatchString(text) {
		f.add(keyResult(instruction))
	}
}

// environment reads ENV, whose values see the variables before it.
func (f *file) environment(list instructions.KeyValuePairs, env, args variables) {
	before := maps.Clone(args)
	for _, kv := range list {
		if secretEnv(kv.Key, kv.Value) {
			f.add(envResult(kv.Key))
		}
		value, known := f.expand(kv.Value, before)
		env.set(kv.Key, value, known)
		args.set(kv.Key, value, known)
	}
}

// arguments reads ARG. One without a default has that of the same argument before the
// first FROM, and ENV wins over both.
func (f *file) arguments(list []instructions.KeyValuePairOptional, args, env variables) {
	for _, kv := range list {
		if secretArg(kv.Key, kv.Value) {
			f.add(argResult(kv.Key))
		}
		if _, ok := env[kv.Key]; ok {
			continue
		}
		value, known := f.global[kv.Key]
		if kv.Value != nil {
			value, known = f.expand(*kv.Value, args)
		}
		args.set(kv.Key, value, known)
	}
}

// final reads user and health check of the last stage.
func (f *file) final() {
	s := f.stages[len(f.stages)-1]
	_, _, root := runsAs(s.user.value)
	switch f.at = s.user.line; {
	case s.user.line == 0:
		f.at = s.line
		f.add(Result{Rule: RootUser, Detail: "no USER" + unless(s.base, "another user")})
	case s.user.unknown:
		f.add(Result{Rule: RootUser, Detail: "USER " + short(s.user.value) + ", which may be root: the file does not set the variable"})
	case root:
		f.add(Result{Rule: RootUser, Detail: "USER " + short(s.user.value)})
	}
	switch f.at = s.health.line; {
	case s.health.line == 0:
		f.at = s.line
		f.add(Result{Rule: Healthcheck, Detail: "no HEALTHCHECK" + unless(s.base, "one")})
	case s.health.value == "NONE":
		f.add(Result{Rule: Healthcheck, Detail: "HEALTHCHECK NONE"})
	}
}

// unless says what a base image that is not in the file may set.
func unless(base, what string) string {
	if base == "" {
		return ""
	}
	return "; the base image " + base + " may set " + what
}
