package vap

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

// inexpressible are the attributes of a profile that no line is about.
var inexpressible = []string{"secretEnv", "runtimeUser", "ephemeralContainers", "seccomp"}

func (o Options) findings(outputs []generate.Output) []generate.Finding {
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
			if o.Params != CRD {
				f.Message += ": --params crd holds more"
			}
			list = append(list, f)
		}
	}
	return list
}
