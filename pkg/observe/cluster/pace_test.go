package cluster

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
	"github.com/psp-advisor/psp-advisor/pkg/apitest"
	"github.com/psp-advisor/psp-advisor/pkg/observe"
)

func TestPace(t *testing.T) {
	tests := map[string]struct {
		move   func(p *pace, pods *lister)
		passed bool
	}{
		"no pods yet":                  {func(*pace, *lister) {}, false},
		"an earlier namespace":         {func(p *pace, pods *lister) { p.reach(pods, "apps", nil) }, false},
		"pods of the namespace":        {func(p *pace, pods *lister) { p.reach(pods, "shop", nil) }, false},
		"as keys a dash is before all": {func(p *pace, pods *lister) { p.reach(pods, "shop-a", nil) }, false},
		"a later namespace":            {func(p *pace, pods *lister) { p.reach(pods, "shop", nil); p.reach(pods, "shop2", nil) }, true},
		"all pods":                     {func(p *pace, pods *lister) { p.reach(pods, "apps", nil); p.end(pods, nil) }, true},
		"a page of a later attempt":    {func(p *pace, pods *lister) { p.reach(pods, "shop2", nil); p.reach(pods, "apps", nil) }, true},
	}
	for name, tc := range tests {
		bubble(t, name, func(t *testing.T) {
			p, pods := newPace(true, func(string, *gathered) { t.Error("a namespace of which nothing was listed is complete") }), &lister{}
			p.begin(pods)
			ctx, cancel := context.WithCancelCause(t.Context())
			stopped := errors.New("stopped")
			var got error
			ended := make(chan struct{})
			go func() {
				defer close(ended)
				got = p.follow(ctx, pods, "shop")
			}()
			synctest.Wait()
			tc.move(p, pods)
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
		_, kept := lookRecords(t, config, both())
		if diff := cmp.Diff([]string{"Pod/web-1-a", "ReplicaSet/web-1"}, kept); diff != "" || lists.Load() != 1 {
			t.Errorf("%d lists of ReplicaSets; records (-want +got):\n%s", lists.Load(), diff)
		}
	})
}
