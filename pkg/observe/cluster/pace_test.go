package cluster

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
	"github.com/psp-advisor/psp-advisor/pkg/apitest"
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

// The links are requested while the pods are being listed, and are not kept before.
func TestLinksFollowPods(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, config := apitest.Serve(t,
			pod("shop", "web-1-a", ownedBy("apps/v1", "ReplicaSet", "shop", "web-1")),
			replicaSet("shop", "web-0", ownedBy("apps/v1", "Deployment", "shop", "web")),
			replicaSet("shop", "web-1", ownedBy("apps/v1", "Deployment", "shop", "web")),
		)
		asked := make(chan struct{})
		lists := 0
		server.Intercept(func(_ http.ResponseWriter, q apitest.Request) bool {
			switch q.Resource {
			case "pods":
				<-asked
			case "replicasets":
				if lists++; lists == 1 {
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
		if diff := cmp.Diff([]string{"Pod/web-1-a", "ReplicaSet/web-1"}, kept); diff != "" || lists != 1 {
			t.Errorf("%d lists of ReplicaSets; records (-want +got):\n%s", lists, diff)
		}
	})
}
