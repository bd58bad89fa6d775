package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// request and verdict are the wire format of hack/kube124/judge, whose module
// cannot be imported beside a current k8s.io/api.
type request struct {
	Name        string              `json:"name"`
	Objects     string              `json:"objects"`
	Policies    string              `json:"policies"`
	Members     map[string][]string `json:"members"`
	SkipInvalid bool                `json:"skipInvalid"`
}

type verdict struct {
	OK           bool            `json:"ok"`
	Error        string          `json:"error"`
	Counts       map[string]int  `json:"counts"`
	Judged       int             `json:"judged"`
	SlackTotal   int             `json:"slackTotal"`
	InvalidTotal int             `json:"invalidTotal"`
	Pods         []podVerdict    `json:"pods"`
	Policies     []policyVerdict `json:"policies"`
	Skipped      []string        `json:"skipped"`
}

type podVerdict struct {
	Pod     string `json:"pod"`
	Form    string `json:"form"`
	Outcome string `json:"outcome"`
	Policy  string `json:"policy"`
	Detail  string `json:"detail"`
}

type policyVerdict struct {
	Name    string `json:"name"`
	Invalid string `json:"invalid"`
	Unused  bool   `json:"unused"`
	Slack   []struct {
		Field  string `json:"field"`
		Change string `json:"change"`
	} `json:"slack"`
}

// The outcomes of a pod that are no fault.
const (
	unchanged = "unchanged"
	refused   = "refused without policies"
)

// faults names what is wrong, one key per kind of fault.
func (v verdict) faults() map[string]string {
	faults := map[string]string{}
	if v.Error != "" {
		faults["error"] = v.Error
	}
	for _, p := range v.Pods {
		if p.Outcome != refused {
			faults[p.Outcome] = fmt.Sprintf("%s (%s): %s by %q: %s", p.Pod, p.Form, p.Outcome, p.Policy, p.Detail)
		}
	}
	for _, p := range v.Policies {
		if p.Invalid != "" {
			faults["invalid"] = p.Name + ": invalid: " + p.Invalid
		}
		if p.Unused {
			faults["unused"] = p.Name + ": unused"
		}
		for _, s := range p.Slack {
			faults["slack "+s.Field] = fmt.Sprintf("%s: slack: %s: %s", p.Name, s.Field, s.Change)
		}
	}
	return faults
}

// buildJudge builds the judge into the cache of the repository; the Go tool
// knows whether that is needed.
func buildJudge(ctx context.Context, root string) (string, error) {
	root, err := filepath.Abs(root)
	if err != nil {
		return "", fmt.Errorf("finding the repository: %w", err)
	}
	binary := filepath.Join(root, ".cache", "judge")
	build := exec.CommandContext(ctx, "go", "build", "-tags", "providerless", "-o", binary, "./cmd/judge") //nolint:gosec // our own arguments
	build.Dir = filepath.Join(root, "hack", "kube124")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		return "", fmt.Errorf("building the judge: %w", err)
	}
	return binary, nil
}

// judge is a running judge process; it answers one request at a time.
type judge struct {
	cmd      *exec.Cmd
	in       io.WriteCloser
	requests *json.Encoder
	verdicts *json.Decoder
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
	return &judge{cmd: cmd, in: in, requests: json.NewEncoder(in), verdicts: json.NewDecoder(out)}, nil
}

// stop ends the process; it leaves when its input ends.
func (j *judge) stop() error {
	if err := j.in.Close(); err != nil {
		return fmt.Errorf("stopping the judge: %w", err)
	}
	if err := j.cmd.Wait(); err != nil {
		return fmt.Errorf("stopping the judge: %w", err)
	}
	return nil
}

func (j *judge) ask(r request) (verdict, error) {
	var v verdict
	if err := j.requests.Encode(r); err != nil {
		return v, fmt.Errorf("asking the judge: %w", err)
	}
	if err := j.verdicts.Decode(&v); err != nil {
		return v, fmt.Errorf("reading the verdict on %s: %w", r.Name, err)
	}
	return v, nil
}

// summary is a verdict in one line.
func (v verdict) summary() string {
	var faults []string
	for _, key := range sortedKeys(v.Counts) {
		if key != unchanged {
			faults = append(faults, fmt.Sprintf("%d %s", v.Counts[key], key))
		}
	}
	return fmt.Sprintf("%d unchanged, %s%d policies, slack %d, invalid %d",
		v.Counts[unchanged], strings.Join(append(faults, ""), ", "), v.Judged, v.SlackTotal, v.InvalidTotal)
}
