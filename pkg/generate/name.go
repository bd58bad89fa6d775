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
//	advisor.NAMESPACE.nodes             all static pods
//	advisor.NAMESPACE                   a namespace
//	advisor.cluster                     the cluster
//
// Different groups of a level have different names: namespaces and kinds have no
// dots, and built-in kinds have no dashes. The words of a kind that is not built in
// are separated by dashes (SparkApplication is spark-application), so that the case
// of letters is not lost; in its API group, dots become - and dashes become --. A
// name that breaks these rules (an owner reference may have any kind, a manifest any
// namespace), is too long, or is not a DNS subdomain is cleaned and cut, and ends in
// a hash of its parts.
func Name(g aggregate.Group) string {
	return NameWithin(g, validation.DNS1123SubdomainMaxLength)
}

// NameWithin is Name for kinds whose names have at most limit characters. Groups of a
// level have different names within the same limit.
func NameWithin(g aggregate.Group, limit int) string {
	parts := slices.Concat([]string{prefix}, nameParts(g))
	name := strings.Join(parts, ".")
	if odd(g, parts) || len(name) > limit {
		return hashed(parts, hashOf(parts), limit)
	}
	return name
}

// Key identifies an output among those of its level. It has the parts of the name,
// so that nobody has to parse the name.
type Key struct {
	// Namespace of the group; empty for the cluster.
	Namespace string
	// Name is the part of the policy's name after the namespace, or "namespace" for
	// the policy of a whole namespace.
	Name string
}

// KeyOf returns the key of a group's output. Different groups of a level have
// different keys.
func KeyOf(g aggregate.Group) Key {
	parts := nameParts(g)
	switch g.Level {
	case aggregate.ByCluster:
		return Key{Name: parts[0]}
	case aggregate.ByNamespace:
		return Key{Namespace: g.Namespace, Name: "namespace"}
	case aggregate.ByWorkload, aggregate.ByServiceAccount:
	}
	all := slices.Concat([]string{prefix}, parts)
	if odd(g, all) {
		// Cut at the same place as the whole name.
		limit := validation.DNS1123SubdomainMaxLength - len(prefix+".."+g.Namespace)
		return Key{Namespace: g.Namespace, Name: hashed(parts[1:], hashOf(all), limit)}
	}
	return Key{Namespace: g.Namespace, Name: strings.Join(parts[1:], ".")}
}

// nameParts returns the parts of a group's name: first the namespace, if it has
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

// odd reports whether the name of these parts needs a hash.
func odd(g aggregate.Group, parts []string) bool {
	return strings.Contains(g.Namespace, ".") || len(validation.IsDNS1123Subdomain(strings.Join(parts, "."))) > 0
}

// builtInKinds appear in names without their API group.
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

// properKind matches the kinds that an API server can serve.
var properKind = regexp.MustCompile(`^[A-Z][A-Za-z0-9]*$`)

var capital = regexp.MustCompile(`[A-Z]`)

// kindName returns the kind of the workload in lower case, with its API group unless
// it is built in.
func kindName(w aggregate.Workload) string {
	switch {
	case builtInKinds[schema.GroupKind{Group: w.Group, Kind: w.Kind}]:
		return strings.ToLower(w.Kind)
	case properKind.MatchString(w.Kind) && len(validation.IsDNS1123Subdomain(w.Group)) == 0:
		words := strings.ToLower(capital.ReplaceAllString(w.Kind, "-$0"))
		return words[1:] + "--" + strings.NewReplacer("-", "--", ".", "-").Replace(w.Group)
	default:
		// Because of the quotes the name gets a hash.
		return strconv.Quote(w.Kind) + strconv.Quote(w.Group)
	}
}

var notInNames = regexp.MustCompile(`[^a-z0-9.-]+`)

func hashOf(parts []string) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q", parts))
	return hex.EncodeToString(sum[:8])
}

// hashed returns a valid name of an object with at most limit characters.
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
