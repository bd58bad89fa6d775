// Command judge asks the code of Kubernetes 1.24.17 whether pods are admitted
// unchanged under generated policies, and whether a policy could be tighter.
//
//	judge -f objects.yaml... -p policies.yaml...   judges files; 1 on a fault, 2 on bad input
//	judge serve                                    answers requests, a JSON value per line
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"k8s.io/klog/v2"

	"github.com/psp-advisor/psp-advisor/hack/kube124/judge"
)

func main() {
	switch err := run(os.Args[1:], os.Stdin, os.Stdout); {
	case errors.Is(err, errFaults):
		os.Exit(1)
	case err != nil:
		fmt.Fprintln(os.Stderr, "judge:", err)
		os.Exit(2)
	}
}

// errFaults says that the verdict, already printed, has faults.
var errFaults = errors.New("the policies have faults")

func run(args []string, in io.Reader, out io.Writer) error {
	klog.SetOutput(io.Discard) // admission logs what the verdict says anyway
	klog.LogToStderr(false)
	if len(args) == 1 && args[0] == "serve" {
		return serve(in, out)
	}

	var objects, policies, members paths
	var request judge.Request
	var asJSON bool
	flags := flag.NewFlagSet("judge", flag.ContinueOnError)
	flags.Var(&objects, "f", "`file` with pods, workloads and service accounts; repeatable, - is stdin")
	flags.Var(&policies, "p", "`file` with policies and their grants; repeatable")
	flags.Var(&members, "m", "JSON `file` from policy names to the workloads they were made for")
	flags.BoolVar(&request.SkipInvalid, "skip-invalid", false, "report objects that do not decode instead of stopping")
	flags.BoolVar(&asJSON, "json", false, "print the verdict as JSON")
	if err := flags.Parse(args); err != nil {
		return fmt.Errorf("reading flags: %w", err)
	}
	// Files may follow one -f or -p; the last flag's list takes what is left.
	rest := &objects
	if len(policies) > 0 {
		rest = &policies
	}
	*rest = append(*rest, flags.Args()...)

	verdict, err := judgeFiles(request, objects, policies, members, in)
	if err != nil {
		return err
	}
	if asJSON {
		err = json.NewEncoder(out).Encode(verdict)
	} else {
		err = verdict.Print(out)
	}
	switch {
	case err != nil:
		return fmt.Errorf("printing: %w", err)
	case verdict.Error != "":
		return errors.New("bad input")
	case !verdict.OK:
		return errFaults
	}
	return nil
}

func judgeFiles(request judge.Request, objects, policies, members paths, in io.Reader) (judge.Verdict, error) {
	if len(objects) == 0 || len(policies) == 0 {
		return judge.Verdict{}, errors.New("give objects (-f) and policies (-p)")
	}
	var err error
	if request.Objects, err = objects.read(in); err != nil {
		return judge.Verdict{}, err
	}
	if request.Policies, err = policies.read(in); err != nil {
		return judge.Verdict{}, err
	}
	for _, path := range members {
		text, err := paths{path}.read(in)
		if err != nil {
			return judge.Verdict{}, err
		}
		if err := json.Unmarshal([]byte(text), &request.Members); err != nil {
			return judge.Verdict{}, fmt.Errorf("reading %s: %w", path, err)
		}
	}
	return judge.Judge(request), nil
}

// serve answers each request with one line, in order, until the input ends.
func serve(in io.Reader, out io.Writer) error {
	requests, verdicts := json.NewDecoder(in), json.NewEncoder(out)
	for {
		var request judge.Request
		if err := requests.Decode(&request); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("reading a request: %w", err)
		}
		if err := verdicts.Encode(judge.Judge(request)); err != nil {
			return fmt.Errorf("writing a verdict: %w", err)
		}
	}
}

// paths is a repeatable flag of file names.
type paths []string

func (p *paths) String() string { return strings.Join(*p, ",") }

// Set adds one file.
func (p *paths) Set(path string) error {
	*p = append(*p, path)
	return nil
}

// read joins the files into one stream of YAML documents; JSON text is YAML.
func (p paths) read(in io.Reader) (string, error) {
	var all strings.Builder
	for _, path := range p {
		var text []byte
		var err error
		if path == "-" {
			text, err = io.ReadAll(in)
		} else {
			text, err = os.ReadFile(path) //nolint:gosec // reading the files that the user names is the purpose
		}
		if err != nil {
			return "", fmt.Errorf("reading %s: %w", path, err)
		}
		all.Write(text)
		all.WriteString("\n---\n")
	}
	return all.String(), nil
}
