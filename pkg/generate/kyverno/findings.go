package kyverno

import (
	"slices"

	"github.com/psp-advisor/psp-advisor/pkg/aggregate"
	"github.com/psp-advisor/psp-advisor/pkg/generate"
	"github.com/psp-advisor/psp-advisor/pkg/generate/cel"
)

// RuleNotJudged is the rule of findings about namespaces that Kyverno skips by default.
const RuleNotJudged = "namespace-not-judged"

// skipped are the namespaces that the ConfigMap of Kyverno's chart excludes
// (charts/kyverno/values.yaml, config.resourceFilters and excludeKyvernoNamespace).
var skipped = []string{"kube-node-lease", "kube-public", "kube-system", "kyverno"}

func findings(outputs []generate.Output) []generate.Finding {
	list := cel.Findings(outputs, "")
	for _, output := range outputs {
		judged := slices.DeleteFunc(slices.Clone(output.Group.Members), func(m aggregate.Member) bool { return m.ServiceAccount == "" })
		if slices.Contains(skipped, output.Group.Namespace) && len(judged) > 0 {
			f := generate.About(judged, generate.Warning, RuleNotJudged)
			f.Message = "Kyverno judges no pods in " + output.Group.Namespace + " unless the resourceFilters of its ConfigMap are changed"
			list = append(list, f)
		}
	}
	return list
}
