package psp

import (
	"slices"
	"strings"

	"github.com/psp-advisor/psp-advisor/pkg/profile"
)

/*
Compared fields:

	spec.allowedHostPaths

Admitted values: paths below a prefix, at the end of a segment, mounted read-only unless
some such prefix is writable. An empty list allows every path of an allowed hostPath
volume (pkg/security/podsecuritypolicy/util/util.go, AllowsHostVolumePath).
*/

func (h allowedHostPath) path() profile.HostPath {
	return profile.HostPath{Path: h.PathPrefix, Writable: !h.ReadOnly}
}

func (c *comparison) admitHostPaths() {
	written := c.policy.Spec.AllowedHostPaths
	if len(written) == 0 {
		return
	}
	exceedsEach(c, "spec.allowedHostPaths", c.profile.HostPaths, pathText, func(used profile.HostPath) bool {
		return slices.ContainsFunc(written, func(h allowedHostPath) bool { return covers(h.path(), used) })
	})
}

// pathText is a path as text for people.
func pathText(h profile.HostPath) string {
	if h.Writable {
		return quote(h.Path) + " writable"
	}
	return quote(h.Path) + " read-only"
}

func (c *comparison) checkHostPaths() {
	for _, h := range c.policy.Spec.AllowedHostPaths {
		if h.PathPrefix == "" || slices.Contains(strings.Split(h.PathPrefix, "/"), "..") {
			c.fault("spec.allowedHostPaths", quote(h.PathPrefix)+" is no path without '..'")
		}
	}
}

func (c *comparison) tightenHostPaths() {
	const field = "spec.allowedHostPaths"
	written, needed := c.policy.Spec.AllowedHostPaths, c.need.spec.AllowedHostPaths
	switch {
	case !c.needsVolume("hostPath"):
		return
	case len(written) == 0:
		c.tighter(field, "every path is allowed, only "+paths(needed)+" is needed")
		return
	}
	// Each need takes the tightest prefix that admits it.
	takes := make([][]allowedHostPath, len(written))
	for _, need := range needed {
		tightest := -1
		for i, h := range written {
			if covers(h.path(), need.path()) && (tightest < 0 || isTighter(h, written[tightest])) {
				tightest = i
			}
		}
		if tightest >= 0 {
			takes[tightest] = append(takes[tightest], need)
		}
	}
	for i, h := range written {
		switch {
		case len(takes[i]) == 0:
			c.tighter(field, pathText(h.path())+" is not needed")
		case !slices.ContainsFunc(takes[i], func(need allowedHostPath) bool { return covers(need.path(), h.path()) }):
			c.tighter(field, pathText(h.path())+" is written, only "+paths(takes[i])+" is needed")
		}
	}
}

// isTighter reports whether h, of two prefixes of one path, allows less than o.
func isTighter(h, o allowedHostPath) bool {
	if a, b := strings.TrimSuffix(h.PathPrefix, "/"), strings.TrimSuffix(o.PathPrefix, "/"); len(a) != len(b) {
		return len(a) > len(b)
	}
	return h.ReadOnly && !o.ReadOnly
}

// paths names the first few paths.
func paths(list []allowedHostPath) string {
	var names []string
	for _, h := range list[:min(len(list), maxEnough)] {
		names = append(names, pathText(h.path()))
	}
	if len(list) > len(names) {
		names = append(names, "…")
	}
	return strings.Join(names, ", ")
}
