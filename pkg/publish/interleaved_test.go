package publish_test

import (
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/psp-advisor/psp-advisor/pkg/apitest"
	"github.com/psp-advisor/psp-advisor/pkg/profile/podtest"
	"github.com/psp-advisor/psp-advisor/pkg/publish"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/rest"
)

// TestInterleaved runs several writers at once, with their requests in any order.
// They see different states of the cluster, so that one publishes again what another
// is about to delete. After every write, the index names only what exists.
func TestInterleaved(t *testing.T) {
	r := podtest.Rand(t)
	for run := range 100 {
		synctest.Test(t, func(t *testing.T) { interleave(t, rand.New(rand.NewPCG(r.Uint64(), r.Uint64())), run) })
		if t.Failed() {
			return
		}
	}
}

func interleave(t *testing.T, r *rand.Rand, run int) {
	server, config := apitest.Serve(t)
	if run%3 > 0 { // else the writers meet no index
		a := newAdvisor(t, server, config)
		a.publish(t, &fleet{workloads: map[string]int{"monitoring": 1, "shop": 1}})
	}
	server.AfterWrite = func(write string, stored map[string]*corev1.ConfigMap) {
		if _, _, err := follow(stored); err != nil {
			t.Errorf("run %d: after %s: %v", run, write, err)
		}
	}
	var mu sync.Mutex
	var waiting []chan struct{}
	server.Intercept(func(http.ResponseWriter, apitest.Request) bool {
		turn := make(chan struct{})
		mu.Lock()
		waiting = append(waiting, turn)
		mu.Unlock()
		<-turn
		return false
	})
	running := 0
	for writer := range 3 {
		running++
		a := newAdvisor(t, server, config)
		var passes []*fleet
		for range 2 {
			passes = append(passes, &fleet{version: r.IntN(2), workloads: map[string]int{"monitoring": r.IntN(2), "shop": 1}})
		}
		go func() {
			for _, f := range passes {
				result, err := a.Publish(t.Context(), options.NewPass(f))
				if err == nil {
					again := options.NewPass(f)
					again.Known = result.Entries
					_, err = a.Publish(t.Context(), again)
				}
				// Another writer may have been quicker, again and again.
				if err != nil && !strings.Contains(err.Error(), "another writer") {
					t.Errorf("run %d: writer %d: %v", run, writer, err)
				}
			}
			mu.Lock()
			running--
			mu.Unlock()
		}()
	}
	for {
		synctest.Wait()
		mu.Lock()
		if running == 0 {
			mu.Unlock()
			break
		}
		if len(waiting) == 0 {
			mu.Unlock()
			time.Sleep(time.Second) // they wait before the next attempt
			continue
		}
		n := r.IntN(len(waiting))
		turn := waiting[n]
		waiting = append(waiting[:n], waiting[n+1:]...)
		mu.Unlock()
		close(turn)
	}
	server.Intercept(nil)
	a := newAdvisor(t, server, config)
	last := &fleet{version: 2, workloads: map[string]int{"shop": 1}}
	a.publish(t, last)
	if index, docs := a.follow(t); len(docs) != 1 || len(server.ConfigMaps()) != 2 || !index.Coverage.Complete {
		t.Errorf("run %d: in the end there are %d reports in %d ConfigMaps: %+v", run, len(docs), len(server.ConfigMaps())-1, index.Reports)
	}
}

func newAdvisor(t *testing.T, server *apitest.Server, config *rest.Config) advisor {
	t.Helper()
	w, err := publish.NewWriter(config, "advisor")
	if err != nil {
		t.Fatal(err)
	}
	return advisor{w, server, config}
}
