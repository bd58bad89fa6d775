package judge

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"

	"k8s.io/kubernetes/pkg/capabilities"
	podsecuritypolicy "k8s.io/pod-security-admission/policy"
)

// Judge answers requests. It keeps the cluster of the last one that had any, and
// what it compiled.
type Judge struct {
	cluster  *cluster
	compiled *compiler
	security podsecuritypolicy.Evaluator
}

// New returns a judge without a cluster.
func New() (*Judge, error) {
	// As with the server's flag; without, it refuses each privileged pod.
	capabilities.Setup(true, 0)
	evaluator, err := podsecuritypolicy.NewEvaluator(podsecuritypolicy.DefaultChecks(), nil)
	if err != nil {
		return nil, fmt.Errorf("starting Pod Security admission: %w", err)
	}
	return &Judge{compiled: newCompiler(), security: evaluator}, nil
}

// Answer answers one request. Pods are judged in parallel; requests are not.
func (j *Judge) Answer(request Request) Answer {
	answer := Answer{Name: request.Name}
	if err := j.answer(request, &answer); err != nil {
		answer.Error = err.Error()
	}
	return answer
}

func (j *Judge) answer(request Request, answer *Answer) error {
	if request.Cluster != nil {
		j.cluster = nil // a broken cluster judges nothing
		c, objects, err := j.newCluster(*request.Cluster)
		answer.Objects = objects
		if err != nil {
			return fmt.Errorf("setting up the cluster: %w", err)
		}
		j.cluster = c
	}
	if len(request.Pods) == 0 {
		return nil
	}
	if j.cluster == nil {
		return errors.New("judging pods: there is no cluster")
	}
	answer.Pods = make([]Verdict, len(request.Pods))
	var next atomic.Int64
	var workers sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(request.Pods)) {
		workers.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(request.Pods)); i = next.Add(1) - 1 {
				answer.Pods[i] = j.cluster.judge(request.Pods[i], request.ReturnPods)
			}
		})
	}
	workers.Wait()
	return nil
}
