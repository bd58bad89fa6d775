package cel

import (
	"github.com/psp-advisor/psp-advisor/pkg/aggregate"
	"github.com/psp-advisor/psp-advisor/pkg/generate"
)

// The rules of findings.
const (
	// RuleStaticPods: static pods run whether their mirrors are admitted or not.
	RuleStaticPods = "static-pods-not-judged"
	// RulePermitsTooLarge: the permits of a namespace had to give something up.
	RulePermitsTooLarge = "permits-too-large"
)

// Inexpressible returns the attributes of a profile that no line is about.
func Inexpressible() []string {
	return []string{"secretEnv", "runtimeUser", "ephemeralContainers", "seccomp"}
}

// Findings returns what users of outputs should know; way is a way out for permits that
// are too large, or empty.
func Findings(outputs []generate.Output, way string) []generate.Finding {
	var list []generate.Finding
	for _, output := range outputs {
		var static []aggregate.Member
		for _, m := range output.Group.Members {
			if m.ServiceAccount == "" {
				static = append(static, m)
			}
		}
		if len(static) > 0 {
			f := generate.About(static, generate.Info, RuleStaticPods)
			f.Message = "static pods have no permits: " + generate.FirstFew(f.Workloads) + ": they run whether their mirror pods are admitted or not"
			list = append(list, f)
		}
		if output.Compromise != "" {
			f := generate.About(output.Group.Members, generate.Warning, RulePermitsTooLarge)
			f.Message = output.Compromise
			if way != "" {
				f.Message += ": " + way
			}
			list = append(list, f)
		}
	}
	return list
}
