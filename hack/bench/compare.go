package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/psp-advisor/psp-advisor/hack/bench/replay"
	e2e "github.com/psp-advisor/psp-advisor/hack/e2e/cluster"
)

// bench is one run of the harness.
type bench struct {
	rounds int
	pods   int
	only   *regexp.Regexp
	// phase is how long a controller is watched, idle and under events.
	phase time.Duration
	// self and advisor are programs, dir is for what is not needed afterwards.
	self, advisor, dir string
}

// way is one way to do what a section is about.
type way struct {
	name string
	// args are the command. {kubeconfig} is replaced.
	args []string
	// run, if set, runs the way instead.
	run func(ctx context.Context, t target, args []string) (sample, error)
}

// section compares ways against the same server, or on the same files.
type section struct {
	name, title string
	// reference is the way that the others are compared with.
	reference string
	ways      []way
	results   map[string]sample
}

// target is where a section runs.
type target struct {
	kubeconfig string
	// address is that of a replaying server.
	address string
	counts  func(context.Context) (counts, error)
}

func compare(ctx context.Context, args []string) (err error) {
	runtime.LockOSThread() // see command
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	b := &bench{}
	flags.IntVar(&b.rounds, "rounds", 5, "rounds; each runs every way once")
	flags.IntVar(&b.pods, "pods", 20_000, "number of pods")
	only := flags.String("only", "", "regular expression for the ways to run, such as ^cluster/(raw|loop|inspect)$")
	live := flags.Bool("live", true, "read a real API server, not only replayed pages")
	flags.DurationVar(&b.phase, "phase", 20*time.Second, "how long to watch a controller, idle and under events")
	growth := flags.String("growth", "1000,5000,20000,50000,150000", "numbers of pods to compare growth at")
	out := flags.String("out", "", "file for the table; standard output, if empty")
	flags.StringVar(&b.advisor, "advisor", "", "the advisor's binary; built from the sources, if empty")
	if err := flags.Parse(args); err != nil {
		return fmt.Errorf("parsing flags: %w", err)
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("unknown command %q: without one, everything is compared", flags.Arg(0))
	}
	if b.only, err = regexp.Compile(*only); err != nil {
		return fmt.Errorf("-only: %w", err)
	}
	sizes, err := parseSizes(*growth)
	if err != nil {
		return err
	}
	if err := b.prepare(ctx); err != nil {
		return err
	}
	defer os.RemoveAll(b.dir) //nolint:errcheck // a leftover in the temporary directory
	report, err := b.report(ctx, sizes, *live)
	if err != nil {
		return err
	}
	if *out == "" {
		_, err = fmt.Fprint(os.Stdout, report)
		return err //nolint:wrapcheck // of standard output
	}
	return insert(*out, report)
}

func parseSizes(list string) (sizes []int, err error) {
	for _, text := range strings.FieldsFunc(list, func(r rune) bool { return r == ',' }) {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			return nil, fmt.Errorf("-growth: invalid number %q", text)
		}
		sizes = append(sizes, n)
	}
	return sizes, nil
}

// prepare finds or builds the programs.
func (b *bench) prepare(ctx context.Context) (err error) {
	if b.self, err = os.Executable(); err != nil {
		return fmt.Errorf("finding this program: %w", err)
	}
	if b.dir, err = os.MkdirTemp("", "bench-"); err != nil {
		return fmt.Errorf("creating a directory: %w", err)
	}
	if b.advisor != "" {
		return nil
	}
	linked := filepath.Join(b.dir, "linked")
	build := command(ctx, "go", "build", "-o", linked, "./cmd/advisor")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if output, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("building the advisor: %w\n%s", err, output)
	}
	// As it is installed: of a file that the linker has just written, the kernel maps half
	// as much again.
	b.advisor = filepath.Join(b.dir, "advisor")
	program, err := os.ReadFile(linked) //nolint:gosec // just built
	if err == nil {
		err = os.WriteFile(b.advisor, program, 0o700) //nolint:gosec // a program
	}
	if err != nil {
		return fmt.Errorf("copying the advisor: %w", err)
	}
	return nil
}

// report runs all sections.
func (b *bench) report(ctx context.Context, sizes []int, live bool) (string, error) {
	r := report{machine: machine(), rounds: b.rounds}
	cluster := b.cluster()
	if live {
		r.kubernetes = string(e2e.PSPRelease)
		cluster.title += ", real API server"
	} else {
		cluster.title += ", replayed"
	}
	r.sections = append(r.sections, cluster)
	if err := b.readCluster(ctx, cluster, live); err != nil {
		return "", err
	}
	for _, n := range sizes {
		s := b.growth(n)
		if err := b.replayed(ctx, s, n); err != nil {
			return "", err
		}
		r.growth = append(r.growth, grown{n, s})
	}
	for _, n := range slices.Compact([]int{b.pods, max(b.pods, slices.Max(append(sizes, 0)))}) {
		s := b.controllers(n)
		r.sections = append(r.sections, s)
		if err := b.replayed(ctx, s, n); err != nil {
			return "", err
		}
	}
	for _, form := range []string{formJSON, formYAML, formStream, formDir} {
		s, err := b.files(ctx, form)
		if err != nil {
			return "", err
		}
		r.sections = append(r.sections, s)
	}
	return r.markdown(), nil
}

func (b *bench) readCluster(ctx context.Context, s *section, live bool) error {
	if live {
		return b.live(ctx, s)
	}
	return b.replayed(ctx, s, b.pods)
}

// files runs the section of a form of dumps. The dump is removed then.
func (b *bench) files(ctx context.Context, form string) (*section, error) {
	path := filepath.Join(b.dir, "dump-"+form)
	s := b.fileSection(form, path)
	if !b.selects(s) {
		return s, nil
	}
	defer os.RemoveAll(path) //nolint:errcheck // a leftover in the temporary directory
	if _, err := b.measure(ctx, b.self, "dump", "-form", form, "-path", path, "-pods", strconv.Itoa(b.pods)); err != nil {
		return nil, err
	}
	return s, b.run(ctx, s, target{})
}

// replayed runs a section against a server of its own.
func (b *bench) replayed(ctx context.Context, s *section, pods int) error {
	if !b.selects(s) {
		return nil
	}
	kubeconfig := filepath.Join(b.dir, "replay.kubeconfig")
	server, err := startServer(ctx, b.self, "serve", "-pods", strconv.Itoa(pods), "-kubeconfig", kubeconfig)
	if err != nil {
		return err
	}
	defer server.stop()
	return b.run(ctx, s, target{kubeconfig, server.address, server.counts})
}

// counts asks a replaying server.
func (s *server) counts(ctx context.Context) (counts, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.address+replay.CountsPath, nil)
	if err != nil {
		return counts{}, fmt.Errorf("asking for counts: %w", err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return counts{}, fmt.Errorf("asking for counts: %w", err)
	}
	defer response.Body.Close() //nolint:errcheck // it is read only
	var c replay.Counts
	if err := json.NewDecoder(response.Body).Decode(&c); err != nil {
		return counts{}, fmt.Errorf("reading counts: %w", err)
	}
	return counts{c.Requests, c.Bytes, c.Writes, c.Events}, nil
}

// selects keeps the ways that are wanted, and what they are compared with.
func (b *bench) selects(s *section) bool {
	var kept []way
	wanted := false
	for _, w := range s.ways {
		match := b.only.MatchString(s.name + "/" + w.name)
		wanted = wanted || match
		if match || w.name == s.reference {
			kept = append(kept, w)
		}
	}
	s.ways = kept
	return wanted
}

// run runs the ways of a section in rounds. Each round begins with another way, so that
// none always runs after the same one.
func (b *bench) run(ctx context.Context, s *section, t target) error {
	samples := map[string][]sample{}
	for round := range b.rounds {
		for i := range s.ways {
			w := s.ways[(round+i)%len(s.ways)]
			one, err := b.runOnce(ctx, w, t)
			if err != nil {
				return fmt.Errorf("%s/%s: %w", s.name, w.name, err)
			}
			fmt.Fprintf(os.Stderr, "%d/%d %s/%s: %.2fs user, %.2fs wall, %d MiB; %d requests, %d MiB sent\n",
				round+1, b.rounds, s.name, w.name, one.user.Seconds(), one.wall.Seconds(), one.peak>>20, one.requests, one.bytes>>20)
			samples[w.name] = append(samples[w.name], one)
		}
	}
	s.results = map[string]sample{}
	for name, all := range samples {
		s.results[name] = median(all)
	}
	return nil
}

// runOnce runs a way once.
func (b *bench) runOnce(ctx context.Context, w way, t target) (sample, error) {
	var args []string
	for _, a := range w.args {
		args = append(args, strings.ReplaceAll(a, "{kubeconfig}", t.kubeconfig))
	}
	run := w.run
	if run == nil {
		run = func(ctx context.Context, _ target, args []string) (sample, error) { return b.measure(ctx, args...) }
	}
	if t.counts == nil {
		return run(ctx, t, args)
	}
	before, err := t.counts(ctx)
	if err != nil {
		return sample{}, err
	}
	one, err := run(ctx, t, args)
	if err != nil {
		return sample{}, err
	}
	after, err := t.counts(ctx)
	one.counts = after.since(before)
	return one, err
}
