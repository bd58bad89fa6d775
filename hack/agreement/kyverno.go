package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/psp-advisor/psp-advisor/pkg/generate"
	"github.com/psp-advisor/psp-advisor/pkg/generate/kyverno"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// kyvernoEngine is judged by Kyverno's command line, which compiles the policy again
// for each pod, 0.1 s, and knows no subresources. Its report says which pods fail, not what
// validationActions do about them (pkg/engine/api/engineresponse.go,
// GetValidationFailureAction, v1.19.1).
var kyvernoEngine = engine{
	name: "kyverno",
	build: func(v variant) generate.Engine {
		return kyverno.Engine(kyverno.Options{Enforcement: v.enforcement, UnknownAccounts: v.unknown})
	},
	sample: 150,
	silent: true,
	judge:  judgeByKyverno,
}

func judgeByKyverno(ctx context.Context, root string, outputs []generate.Output, cases []testCase) (map[string]string, error) {
	var policies, namespaces []any
	for _, output := range outputs {
		for _, object := range output.Objects() {
			if _, ok := object.Value.(*metav1.PartialObjectMetadata); ok {
				namespaces = append(namespaces, object.Value)
			} else {
				policies = append(policies, object.Value)
			}
		}
	}
	got := map[string]string{}
	byUser := map[string][]testCase{}
	for _, c := range cases {
		key := ""
		if c.user != nil {
			key = c.user.Username
		}
		byUser[key] = append(byUser[key], c)
	}
	for _, same := range byUser {
		if err := applyKyverno(ctx, root, policies, namespaces, same, got); err != nil {
			return nil, err
		}
	}
	return got, nil
}

// applyKyverno adds to got what Kyverno says about cases of one user.
func applyKyverno(ctx context.Context, root string, policies, namespaces []any, cases []testCase, got map[string]string) error {
	args := []string{"apply", "policy.yaml", "--resource", "pods.yaml", "--values-file", "values.yaml", "--policy-report", "--output-format", "json"}
	var info []any
	if user := cases[0].user; user != nil {
		args = append(args, "--userinfo", "user.yaml")
		info = append(info, map[string]any{
			"apiVersion": "cli.kyverno.io/v1alpha1", "kind": "UserInfo", "metadata": map[string]any{"name": "user"},
			"userInfo": map[string]any{"username": user.Username, "groups": user.Groups},
		})
	}
	out, err := program(ctx, root, "kyverno", map[string][]any{
		"policy.yaml": policies,
		"pods.yaml":   podsOf(cases),
		"user.yaml":   info,
		"values.yaml": {map[string]any{
			"apiVersion": "cli.kyverno.io/v1alpha1", "kind": "Values", "metadata": map[string]any{"name": "values"},
			"namespaces": namespaces,
		}},
	}, args...)
	if err != nil {
		return err
	}
	var report struct {
		Results []struct {
			Result, Message string
			Resources       []struct{ Name string }
		}
	}
	if err := json.Unmarshal(out, &report); err != nil {
		return fmt.Errorf("reading the report of kyverno: %w: %.200s", err, out)
	}
	for _, r := range report.Results {
		for _, pod := range r.Resources {
			switch r.Result {
			case "pass", "skip": // by the condition about mirror pods
				got[pod.Name] += "" // judged
			case "fail":
				got[pod.Name] = strings.TrimPrefix(got[pod.Name]+"; "+r.Message, "; ")
			default:
				got[pod.Name] += r.Result + ": " + r.Message
			}
		}
	}
	return nil
}
