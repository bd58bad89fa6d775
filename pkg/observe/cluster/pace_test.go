package cluster

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
	"github.com/psp-advisor/psp-advisor/pkg/apitest"
	"github.com/psp-advisor/psp-advisor/pkg/observe"
)

func TestPace(t *testing.T) {
	tests := map[string]struct {
		move   func(*pace)
		passed bool
	}{
		"no pods yet":                  {func(*pace) {}, false},
		"an earlier namespace":         {func(p *pace) { p.reach("apps") }, false},
		"pods of the namespace":        {func(p *pace) { p.reach("shop") }, false},
		"as keys a dash is before all": {func(p *pace) { p.reach("shop-a") }, false},
		"a later namespace":            {func(p *pace) { p.reach("shop"); p.reach("shop2") }, true},
		"all pods":                     {func(p *pace) { p.reach("apps"); p.finish() }, true},
		"a page of an earlier attempt": {func(p *pace) { p.finish(); p.reach("apps") }, true},
	}
	for name, tc := range tests {
		bubble(t, name, func(t *testing.T) {
			p := newPace(false)
			ctx, cancel := context.WithCancelCause(t.Context())
			stopped := errors.New("stopped")
			var got error
			ended := make(chan struct{})
			go func() {
				defer close(ended)
				got = p.follow(ctx, "shop")
			}()
			synctest.Wait()
			tc.move(p)
			synctest.Wait()
			cancel(stopped)
			<-ended
			if passed := got == nil; passed != tc.passed || !passed && !errors.Is(got, stopped) {
				t.Errorf("followed: %t (%v), want %t", passed, got, tc.passed)
			}
		})
	}
}

// What is missing is listed again, unless that was refused.
func TestLinksAreListedAgain(t *testing.T) {
	for name, refused := range map[string]bool{"served": false, "refused": true} {
		bubble(t, name, func(t *testing.T) {
			server, config := apitest.Serve(t, pod("shop", "web-1-a", ownedBy("apps/v1", "ReplicaSet", "shop", "web-1")))
			server.Intercept(func(w http.ResponseWriter, q apitest.Request) bool {
				if refused && q.Resource == "replicasets" {
					refuse(w, http.StatusForbidden)
					return true
				}
				return false
			})
			s, err := List(within(t), config, observe.Scope{Pods: true}, nil)
			if err != nil {
				t.Fatal(err)
			}
			lists := map[string]int{}
			for _, q := range server.Requested() {
				lists[q.Resource]++
			}
			want, gaps := map[string]int{"pods": 1, "replicasets": 2, "jobs": 1}, 0
			if refused {
				want["replicasets"], gaps = 1, 1
			}
			if diff := cmp.Diff(want, lists); diff != "" || len(s.Gaps()) != gaps {
				t.Errorf("gaps %v; lists (-want +got):\n%s", s.Gaps(), diff)
			}
		})
	}
}

// The links are requested while the pods are being listed, and are not kept before.
func TestLinksFollowPods(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, config := apitest.Serve(t,
			pod("shop", "web-1-a", ownedBy("apps/v1", "ReplicaSet", "shop", "web-1")),
			replicaSet("shop", "web-0", ownedBy("apps/v1", "Deployment", "shop", "web")),
			replicaSet("shop", "web-1", ownedBy("apps/v1", "Deployment", "shop", "web")),
		)
		asked := make(chan struct{})
		var lists atomic.Int32
		server.Intercept(func(_ http.ResponseWriter, q apitest.Request) bool {
			switch q.Resource {
			case "pods":
				<-asked
			case "replicasets":
				if lists.Add(1) == 1 {
					close(asked)
				}
			}
			return false
		})
		s, err := List(within(t), config, both(), nil)
		if err != nil {
			t.Fatal(err)
		}
		var kept []string
		for _, r := range s.records["shop"] {
			kept = append(kept, r.Kind.Kind+"/"+r.Name)
		}
		slices.Sort(kept)
		if diff := cmp.Diff([]string{"Pod/web-1-a", "ReplicaSet/web-1"}, kept); diff != "" || lists.Load() != 1 {
			t.Errorf("%d lists of ReplicaSets; records (-want +got):\n%s", lists.Load(), diff)
		}
	})
}
