package faults_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/psp-advisor/psp-advisor/hack/faults"
	"github.com/psp-advisor/psp-advisor/pkg/apitest"
	"github.com/psp-advisor/psp-advisor/pkg/publish"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/rest"
)

const reports = "reports"

// published is what publish requests.
var published = faults.Requests{
	faults.List: append([]string{"configmaps", "configmaps", "configmaps", "configmaps"}, listed...), faults.Get: {"replicasets", "jobs", "configmaps", "configmaps"},
	faults.Write: {"configmaps"}, faults.Discovery: {"version", "apis"},
}

// contents are the ConfigMaps by name, without what a server adds.
type contents map[string]content

type content struct {
	Data       map[string]string
	BinaryData map[string][]byte
}

func contentsOf(configMaps map[string]*corev1.ConfigMap) contents {
	all := contents{}
	for name, cm := range configMaps {
		all[name] = content{cm.Data, cm.BinaryData}
	}
	return all
}

// publication runs publish with faults, and checks what readers find.
type publication struct {
	*advisor
	// again says that there are reports of an earlier state of the cluster.
	again bool
	// before are the reports of that state; after are those without faults: of the
	// server, and of the same one with another version.
	before contents
	after  []contents
	hits   map[faults.Kind]int
	codes  map[int]int
}

func newPublication(t *testing.T, a *advisor, again bool) *publication {
	t.Helper()
	p := &publication{advisor: a, again: again, hits: map[faults.Kind]int{}, codes: map[int]int{}}
	upgraded := faults.Schedule{{Kind: faults.Upgraded, Verb: faults.Discovery, Times: faults.Always}}
	for _, s := range []faults.Schedule{nil, upgraded} {
		p.inBubble(t, func(t *testing.T, server *apitest.Server) {
			p.before = contentsOf(server.ConfigMaps())
			if r := p.publish(t.Context(), server, s); r.code != 0 {
				t.Fatal(r)
			}
			p.after = append(p.after, contentsOf(server.ConfigMaps()))
		})
	}
	return p
}

// inBubble runs f with a server that was changed since its reports were published.
func (p *publication) inBubble(t *testing.T, f func(t *testing.T, server *apitest.Server)) {
	t.Helper()
	inBubble(t, fleet("shop", "shop-a", "team"), func(t *testing.T, server *apitest.Server) {
		server.Put(pod("gone", "last", "default", 7))
		if p.again {
			if r := p.publish(t.Context(), server, nil); r.code != 0 {
				t.Fatal(r)
			}
		}
		server.Remove("pods", "gone", "last")
		server.Put(pod("new", "first", "default", 8))
		server.Put(deployment("shop", "web-0", 9))
		f(t, server)
	})
}

// publish runs the command, and counts the faults that occurred.
func (p *publication) publish(ctx context.Context, server *apitest.Server, s faults.Schedule) result {
	way := faults.NewTransport(server, s)
	way.PageSize = pageSize
	r := p.run(ctx, way, "publish", "--report-namespace", reports)
	for n, hits := range way.Hits() {
		p.hits[s[n].Kind] += hits
	}
	return r
}

// check runs the command with a schedule, and once more without. It returns what is
// wrong.
func (p *publication) check(t *testing.T, s faults.Schedule) (err error) {
	t.Helper()
	p.inBubble(t, func(t *testing.T, server *apitest.Server) {
		r := p.publish(t.Context(), server, s)
		p.codes[r.code]++
		if err = p.checkResult(r, s, contentsOf(server.ConfigMaps())); err != nil {
			return
		}
		if err = p.checkReports(t.Context(), server); err != nil {
			err = fmt.Errorf("%w: after %s", err, r)
			return
		}
		if again := p.publish(t.Context(), server, nil); again.code != 0 {
			err = fmt.Errorf("the next run without faults fails: %s\nafter %s", again, r)
		} else if diff := cmp.Diff(p.after[0], contentsOf(server.ConfigMaps())); diff != "" {
			err = fmt.Errorf("the next run without faults leaves something else (-want +got):\n%.2000s\nafter %s", diff, r)
		}
	})
	return err
}

func (p *publication) checkResult(r result, s faults.Schedule, got contents) error {
	switch {
	case r.code == 0 && (cmp.Equal(p.after[0], got) || cmp.Equal(p.after[1], got)):
		return nil
	case r.code == 0:
		return fmt.Errorf("other ConfigMaps (-want +got):\n%.2000s\n%s", cmp.Diff(p.after[0], got), r)
	case r.code != 3 && r.code != 1:
		return fmt.Errorf("the exit code is neither 1 nor 3: %s", r)
	case !s.NamedIn(r.errs):
		return fmt.Errorf("nothing says what is missing: %s", r)
	default:
		return nil
	}
}

// checkReports reads everything as a reader does. What claims to be complete must be
// the reports of the cluster as it is, or those of before, if nothing was written.
func (p *publication) checkReports(ctx context.Context, server *apitest.Server) error {
	reader, err := publish.NewReader(&rest.Config{Host: "http://api.example", Transport: server}, reports)
	if err != nil {
		return err
	}
	index, err := reader.Index(ctx)
	if errors.Is(err, publish.ErrNoReport) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading the index: %w", err)
	}
	whole := func(c contents) bool {
		return cmp.Equal(c[publish.IndexName], contentsOf(server.ConfigMaps())[publish.IndexName])
	}
	if index.Coverage.Complete && !whole(p.before) && !whole(p.after[0]) && !whole(p.after[1]) {
		return errors.New("the index claims to be complete, and is neither that of before nor that of now")
	}
	for _, e := range index.Reports {
		if _, _, err := reader.Report(ctx, e.Namespace); err != nil {
			return fmt.Errorf("reading the report of %s: %w", e.Namespace, err)
		}
		if e.Stale != nil || e.Partial {
			continue
		}
		for _, name := range e.ConfigMaps {
			_, before := p.before[name]
			_, after := p.after[0][name]
			_, upgraded := p.after[1][name]
			if !before && !after && !upgraded {
				return fmt.Errorf("the report of %s claims to be complete, and is neither that of before nor that of now", e.Namespace)
			}
		}
	}
	return nil
}

// TestPublish: publish publishes the reports of all pods, or says what it did not, and
// no reader finds anything else.
func TestPublish(t *testing.T) {
	a := newAdvisor(t)
	for name, again := range map[string]bool{"the first time": false, "again": true} {
		t.Run(name, func(t *testing.T) {
			p := newPublication(t, a, again)
			random(t, *schedules/12, published, func(s faults.Schedule) error { return p.check(t, s) })
			t.Logf("exit codes %v, faults %v", p.codes, p.hits)
		})
	}
}
