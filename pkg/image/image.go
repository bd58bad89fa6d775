// Package image reports what containers get from their image: the user, and flaws that
// the CIS Docker Benchmark names.
//
// Input is the configuration of an image, with its layers if asked for, from a registry,
// an OCI layout or an archive of docker save; or a Dockerfile. Output is facts and
// results: which rule, at which line, about what. Nothing of an image is executed,
// unpacked or written, except for the cache of a Reader. Laws, each tested:
//   - Results are sorted, distinct and printable. They have names of variables, and
//     values only as part of FROM and USER.
//   - The instructions of a Dockerfile and the history of the image that they make
//     break the same rules, except for those that only one of the two shows.
//   - What has a digest is used only if its content has that digest.
//   - Each error names the image, and no registry can keep a Reader longer than its
//     context, or make it read more than its limits.
//
// Not detected: a name of a user that /etc/passwd of the image maps to root, file
// capabilities, and secrets whose variable has an innocent name.
package image

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/psp-advisor/psp-advisor/pkg/printable"
)

// Facts are what is known about an image.
type Facts struct {
	// Digest of what the name of the image stands for, by which it can be pinned: of an
	// index if the image is for several platforms. Empty for archives of docker save
	// without a manifest.
	Digest string
	// User as in the configuration: a name or number, with a group after a colon.
	User string
	// Healthcheck is whether the image has one that is not NONE.
	Healthcheck bool
	// Results are sorted.
	Results []Result
}

// Result is a rule that an image or a Dockerfile breaks.
type Result struct {
	// Rule is the ID of one of Rules.
	Rule string
	// Line of the Dockerfile where the instruction begins, from 1 on; 0 for images.
	Line int
	// Detail says what breaks the rule. It is printable.
	Detail string
}

// Compare orders results by line, rule and detail.
func (r Result) Compare(o Result) int {
	return cmp.Or(cmp.Compare(r.Line, o.Line), cmp.Compare(r.Rule, o.Rule), cmp.Compare(r.Detail, o.Detail))
}

// RunsAs returns the user that containers of the image run as unless the pod says
// otherwise: its number, or -1 if only its name is known; whether it is numeric; and
// whether it is root. The kubelet does not start containers with runAsNonRoot if the user
// is root, has no valid number or only a name, and the pod shows
// CreateContainerConfigError: verifyRunAsNonRoot in
// pkg/kubelet/kuberuntime/security_context_others.go of Kubernetes 1.37. An empty user is
// number 0 for it: getImageUser in helpers.go there.
func (f Facts) RunsAs() (uid int64, numeric, root bool) { return runsAs(f.User) }

// runsAs reads a user as getUserFromImage in internal/cri/server/helpers.go of containerd 2.4
// does.
func runsAs(user string) (uid int64, numeric, root bool) {
	user, _, _ = strings.Cut(user, ":")
	if user == "" {
		return 0, true, true
	}
	if uid, err := strconv.ParseInt(user, 10, 64); err == nil {
		return uid, true, uid == 0
	}
	if user == "root" {
		return 0, false, true
	}
	return -1, false, false
}

// sorted returns the results in order, each once.
func sorted(list []Result) []Result {
	slices.SortFunc(list, Result.Compare)
	return slices.Compact(list)
}

// short is the text of a result: long enough for names and paths.
func short(s string) string { return printable.Line(s, 100) }
