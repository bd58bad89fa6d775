package generate

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/psp-advisor/psp-advisor/pkg/aggregate"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation"
)

// prefix starts the name of every generated object.
const prefix = "advisor"

// Name returns the name of a group's policy and of its grants:
//
//	advisor.NAMESPACE.KIND.NAME         one workload
//	advisor.NAMESPACE.KIND--GROUP.NAME  one workload of a kind that is not built in
//	advisor.NAMESPACE.static-pod.NAME   the static pods of one manifest
//	advisor.NAMESPACE.sa.ACCOUNT        the workloads of one service account
//	advisor.NAMESPACE.nodes             static pods taken together
//	advisor.NAMESPACE                   namespace
//	advisor.cluster                     cluster
//
// Different groups of a level have different names: neither a namespace nor a
// kind holds a dot, and no built-in kind has a dash. Of a kind that is not built in, each word begins with a dash
// (SparkApplication is spark-application), so that no letter's case is lost, and
// its API group has its dots written - and its dashes --. Where that does not hold
// (an owner reference may name any kind, a file any namespace), and where the name
// is too long for an object or has other characters, it is cleaned, cut and ends
// in a hash of its parts.
func Name(g aggregate.Group) string {
	parts := slices.Concat([]string{prefix}, nameParts(g))
	if odd(g, parts) {
		return hashed(parts, hashOf(parts), validation.DNS1123SubdomainMaxLength)
	}
	return strings.Join(parts, ".")
}

// Key says where an output stands among those of its level: the parts of its name
// apart, so that nothing has to be read out of the name again.
type Key struct {
	// Namespace is that of the group; empty for the whole cluster.
	Namespace string
	// Name is the part of the policy's name after the namespace, "namespace" for the
	// policy of a whole namespace.
	Name string
}

// KeyOf returns the key of a group's output. Different groups of a level have
// different keys.
func KeyOf(g aggregate.Group) Key {
	parts := nameParts(g)
	switch {
	case g.Level == aggregate.ByCluster:
		return Key{Name: parts[0]}
	case g.Level == aggregate.ByNamespace:
		return Key{Namespace: g.Namespace, Name: "namespace"}
	}
	all := slices.Concat([]string{prefix}, parts)
	if odd(g, all) {
		// Cut where the whole name is.
		limit := validation.DNS1123SubdomainMaxLength - len(prefix+".."+g.Namespace)
		return Key{Namespace: g.Namespace, Name: hashed(parts[1:], hashOf(all), limit)}
	}
	return Key{Namespace: g.Namespace, Name: strings.Join(parts[1:], ".")}
}

// nameParts returns the parts of a group's name, the namespace first if it has
// one.
func nameParts(g aggregate.Group) []string {
	switch {
	case g.Level == aggregate.ByCluster:
		return []string{"cluster"}
	case g.Workload != nil && g.HasMirrorPods():
		return []string{g.Namespace, "static-pod", g.Workload.Name}
	case g.Workload != nil:
		return []string{g.Namespace, kindName(*g.Workload), g.Workload.Name}
	case g.Level == aggregate.ByNamespace:
		return []string{g.Namespace}
	case g.ServiceAccount == "":
		return []string{g.Namespace, "nodes"}
	default:
		return []string{g.Namespace, "sa", g.ServiceAccount}
	}
}

// odd reports whether the parts do not make a name by themselves.
func odd(g aggregate.Group, parts []string) bool {
	return strings.Contains(g.Namespace, ".") || len(validation.IsDNS1123Subdomain(strings.Join(parts, "."))) > 0
}

// builtInKinds stand in a name without their API group.
var builtInKinds = map[schema.GroupKind]bool{
	{Group: "", Kind: "Pod"}:                   true,
	{Group: "", Kind: "PodTemplate"}:           true,
	{Group: "", Kind: "ReplicationController"}: true,
	{Group: "apps", Kind: "DaemonSet"}:         true,
	{Group: "apps", Kind: "Deployment"}:        true,
	{Group: "apps", Kind: "ReplicaSet"}:        true,
	{Group: "apps", Kind: "StatefulSet"}:       true,
	{Group: "batch", Kind: "CronJob"}:          true,
	{Group: "batch", Kind: "Job"}:              true,
}

// properKind is what a kind looks like that an API server serves.
var properKind = regexp.MustCompile(`^[A-Z][A-Za-z0-9]*$`)

var capital = regexp.MustCompile(`[A-Z]`)

// kindName is the workload's kind in lower case, with its API group unless it
// is built in.
func kindName(w aggregate.Workload) string {
	switch {
	case builtInKinds[schema.GroupKind{Group: w.Group, Kind: w.Kind}]:
		return strings.ToLower(w.Kind)
	case properKind.MatchString(w.Kind) && len(validation.IsDNS1123Subdomain(w.Group)) == 0:
		words := strings.ToLower(capital.ReplaceAllString(w.Kind, "-$0"))
		return words[1:] + "--" + strings.NewReplacer("-", "--", ".", "-").Replace(w.Group)
	default:
		// The quotes make the name one that is hashed.
		return strconv.Quote(w.Kind) + strconv.Quote(w.Group)
	}
}

var notInNames = regexp.MustCompile(`[^a-z0-9.-]+`)

func hashOf(parts []string) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q", parts))
	return hex.EncodeToString(sum[:8])
}

// hashed returns a name of at most limit characters that an object may have.
func hashed(parts []string, hash string, limit int) string {
	natural := notInNames.ReplaceAllString(strings.ToLower(strings.Join(parts, ".")), "-")
	var labels []string
	for label := range strings.SplitSeq(natural, ".") {
		if label = strings.Trim(label, "-"); label != "" {
			labels = append(labels, label)
		}
	}
	name := strings.Join(labels, ".")
	name = name[:min(len(name), max(0, limit-len(hash)-1))]
	if name = strings.TrimRight(name, "-."); name == "" {
		return hash
	}
	return name + "-" + hash
}
