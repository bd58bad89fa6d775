// Command judge asks the code of Kubernetes 1.24.17 whether pods are admitted
// unchanged under generated policies, and whether a policy could be tighter. It
// reads requests from standard input and writes a verdict for each to standard
// output, in order, as a JSON value per line, until the input ends.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"k8s.io/klog/v2"

	"github.com/psp-advisor/psp-advisor/hack/kube124/judge"
)

func main() {
	klog.SetOutput(io.Discard) // admission logs what the verdict says anyway
	klog.LogToStderr(false)
	if err := serve(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "judge:", err)
		os.Exit(3)
	}
}

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
