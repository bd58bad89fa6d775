package psp

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/psp-advisor/psp-advisor/pkg/aggregate"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation"
)

// prefix starts the name of every generated object.
const prefix = "advisor"

// nameOf returns the name of a group's policy and of its grants:
//
//	advisor.NAMESPACE.KIND.NAME         one workload
//	advisor.NAMESPACE.KIND--GROUP.NAME  one workload of a kind that is not built in
//	advisor.NAMESPACE.sa.ACCOUNT        the workloads of one service account
//	advisor.NAMESPACE.nodes             static pods taken together
//	advisor.NAMESPACE                   namespace
//	advisor.cluster                     cluster
//
// Different groups of a level have different names: neither a namespace nor a
// kind holds a dot. Of a kind that is not built in, each word begins with a dash
// (SparkApplication is spark-application), so that no letter's case is lost, and
// its API group has its dots written - and its dashes --. Where that does not hold
// (an owner reference may name any kind, a file any namespace), and where the name
// is too long for an object or has other characters, it is cleaned, cut and ends
// in a hash of its parts.
func nameOf(g aggregate.Group) string {
	parts := nameParts(g)
	name := strings.Join(parts, ".")
	if strings.Contains(g.Namespace, ".") || len(validation.IsDNS1123Subdomain(name)) > 0 {
		return hashedName(parts)
	}
	return name
}

func nameParts(g aggregate.Group) []string {
	parts := []string{prefix, g.Namespace}
	switch {
	case g.Level == aggregate.ByCluster:
		return []string{prefix, "cluster"}
	case g.Workload != nil:
		return append(parts, kindName(*g.Workload), g.Workload.Name)
	case g.Level == aggregate.ByNamespace:
		return parts
	case g.ServiceAccount == "":
		return append(parts, "nodes")
	default:
		return append(parts, "sa", g.ServiceAccount)
	}
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

// hashedName returns a name that tells parts apart and that an object may have.
func hashedName(parts []string) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q", parts))
	hash := hex.EncodeToString(sum[:8])
	natural := notInNames.ReplaceAllString(strings.ToLower(strings.Join(parts, ".")), "-")
	var labels []string
	for label := range strings.SplitSeq(natural, ".") {
		if label = strings.Trim(label, "-"); label != "" {
			labels = append(labels, label)
		}
	}
	name := strings.Join(labels, ".")
	name = name[:min(len(name), validation.DNS1123SubdomainMaxLength-len(hash)-1)]
	return strings.TrimRight(name, "-.") + "-" + hash
}
