package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"

	corev1 "k8s.io/api/core/v1"
)

// The wire format of hack/kubecurrent/judge, as far as it is needed here: that module
// holds all of Kubernetes.
type request struct {
	Cluster    *clusterRequest `json:"cluster,omitempty"`
	Pods       []podRequest    `json:"pods,omitempty"`
	ReturnPods bool            `json:"returnPods,omitempty"`
}

type clusterRequest struct {
	Objects string `json:"objects"`
}

type podRequest struct {
	Object      json.RawMessage `json:"object"`
	Subresource string          `json:"subresource,omitempty"`
	User        *user           `json:"user,omitempty"`
}

type user struct {
	Username string   `json:"username"`
	Groups   []string `json:"groups,omitempty"`
}

type answer struct {
	Error   string `json:"error"`
	Objects []struct {
		Kind, Name, Refused string
	} `json:"objects"`
	Pods []struct {
		Outcome string `json:"outcome"`
		Reason  string `json:"reason"`
		Denials []struct {
			Message string `json:"message"`
		} `json:"denials"`
		Errors []struct {
			Message string `json:"message"`
		} `json:"errors"`
		Costs map[string]struct {
			Total uint64 `json:"total"`
		} `json:"costs"`
		Pod *corev1.Pod `json:"pod"`
	} `json:"pods"`
}

// judge is a running judge of Kubernetes; it answers one request at a time.
type judge struct {
	cmd      *exec.Cmd
	in       io.WriteCloser
	requests *json.Encoder
	answers  *json.Decoder
}

func startJudge(ctx context.Context, binary string) (*judge, error) {
	cmd := exec.CommandContext(ctx, binary)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("starting the judge: %w", err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("starting the judge: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting the judge: %w", err)
	}
	return &judge{cmd: cmd, in: in, requests: json.NewEncoder(in), answers: json.NewDecoder(out)}, nil
}

// stop ends the process; it leaves when its input ends.
func (j *judge) stop() error {
	if err := errors.Join(j.in.Close(), j.cmd.Wait()); err != nil {
		return fmt.Errorf("stopping the judge: %w", err)
	}
	return nil
}

// ask returns the answer, or an error if there is none, or if the server refuses an
// object of the cluster.
func (j *judge) ask(r request) (answer, error) {
	var a answer
	if err := j.requests.Encode(r); err != nil {
		return a, fmt.Errorf("asking the judge: %w", err)
	}
	if err := j.answers.Decode(&a); err != nil {
		return a, fmt.Errorf("reading an answer of the judge: %w", err)
	}
	if a.Error != "" {
		return a, fmt.Errorf("judging: %s", a.Error)
	}
	for _, o := range a.Objects {
		if o.Refused != "" {
			return a, fmt.Errorf("the server refuses %s %s: %s", o.Kind, o.Name, o.Refused)
		}
	}
	return a, nil
}
