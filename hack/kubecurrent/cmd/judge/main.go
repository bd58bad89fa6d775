// Command judge asks the code of Kubernetes 1.37.2 what becomes of pods under
// ValidatingAdmissionPolicies and Pod Security labels. It reads requests from
// standard input and writes an answer for each to standard output, in order, as a
// JSON value per line, until the input ends. Package judge describes both.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"k8s.io/klog/v2"

	"github.com/psp-advisor/psp-advisor/hack/kubecurrent/judge"
)

func main() {
	klog.SetLogger(klog.New(nil)) // admission logs what the answer says anyway
	if err := serve(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "judge:", err)
		os.Exit(3)
	}
}

func serve(in io.Reader, out io.Writer) error {
	j, err := judge.New()
	if err != nil {
		return err
	}
	requests := json.NewDecoder(bufio.NewReaderSize(in, 1<<20))
	for {
		var request judge.Request
		if err := requests.Decode(&request); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("reading a request: %w", err)
		}
		answer := bufio.NewWriterSize(out, 1<<20)
		encoder := json.NewEncoder(answer)
		encoder.SetEscapeHTML(false)
		if err := encoder.Encode(j.Answer(request)); err != nil {
			return fmt.Errorf("writing an answer: %w", err)
		}
		if err := answer.Flush(); err != nil {
			return fmt.Errorf("writing an answer: %w", err)
		}
	}
}
