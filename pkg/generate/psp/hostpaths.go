package psp

import (
	"cmp"
	"slices"
	"strings"

	"github.com/psp-advisor/psp-advisor/pkg/generate"
	"github.com/psp-advisor/psp-advisor/pkg/profile"
)

/*
Restricted fields:

	spec.volumes[*].hostPath.path
	spec.containers[*].volumeMounts[*].readOnly

Allowed values: the paths in use, read-only unless a container mounts the path
writable, without those that another one covers. Never an unused parent.

The list is empty only if no pod has a hostPath volume: if the volume type is allowed,
an empty list allows every path (pkg/security/podsecuritypolicy/util/util.go,
AllowsHostVolumePath).
*/

func (d *draft) hostPaths() {
	var needed []*neededPath
	// The needed paths above the current one. There are at most a read-only and a
	// writable one, which cover everything below them.
	var above []*neededPath
	for _, it := range topDown(d.profile.HostPaths.Items()) {
		for len(above) > 0 && !hasPathPrefix(it.Value.Path, above[len(above)-1].Path) {
			above = above[:len(above)-1]
		}
		covered := false
		for _, p := range above {
			if covers(p.HostPath, it.Value) {
				covered = true
				p.uses = append(p.uses, it.Uses)
			}
		}
		if !covered {
			p := &neededPath{it.Value, [][]profile.Use{it.Uses}}
			needed, above = append(needed, p), append(above, p)
		}
	}
	slices.SortFunc(needed, func(a, b *neededPath) int { return a.Compare(b.HostPath) })
	for i, p := range needed {
		d.spec.AllowedHostPaths = append(d.spec.AllowedHostPaths, allowedHostPath{PathPrefix: p.Path, ReadOnly: !p.Writable})
		d.usedBy(generate.Item("spec.allowedHostPaths", i), profile.Uses(p.uses...))
	}
}

// neededPath is a path that the policy must list, with the uses that it covers.
type neededPath struct {
	profile.HostPath
	uses [][]profile.Use
}

// topDown returns the paths in depth-first order: each comes after its parents, and
// between a parent and it come only other paths below that parent. Of two spellings
// of one path, a writable one comes first.
func topDown(items []profile.Item[profile.HostPath]) []profile.Item[profile.HostPath] {
	segments := make(map[string][]string, len(items))
	for _, it := range items {
		segments[it.Value.Path] = strings.Split(strings.TrimSuffix(it.Value.Path, "/"), "/")
	}
	return slices.SortedFunc(slices.Values(items), func(a, b profile.Item[profile.HostPath]) int {
		writableFirst := 0
		if a.Value.Writable != b.Value.Writable {
			writableFirst = -1
			if b.Value.Writable {
				writableFirst = 1
			}
		}
		return cmp.Or(
			slices.Compare(segments[a.Value.Path], segments[b.Value.Path]),
			writableFirst,
			strings.Compare(a.Value.Path, b.Value.Path),
		)
	})
}

// covers reports whether a policy that lists h admits o.
func covers(h, o profile.HostPath) bool {
	return hasPathPrefix(o.Path, h.Path) && (h.Writable || !o.Writable)
}

// hasPathPrefix is hasPathPrefix of pkg/security/podsecuritypolicy/util/util.go:
// it ignores one trailing slash of both, and a prefix ends at a segment.
func hasPathPrefix(path, prefix string) bool {
	rest, ok := strings.CutPrefix(strings.TrimSuffix(path, "/"), strings.TrimSuffix(prefix, "/"))
	return ok && (rest == "" || rest[0] == '/')
}
