package app

import (
	"github.com/psp-advisor/psp-advisor/pkg/generate"
	"github.com/psp-advisor/psp-advisor/pkg/generate/cel"
	"github.com/psp-advisor/psp-advisor/pkg/generate/gatekeeper"
	"github.com/psp-advisor/psp-advisor/pkg/generate/kyverno"
	"github.com/psp-advisor/psp-advisor/pkg/generate/psa"
	"github.com/psp-advisor/psp-advisor/pkg/generate/psp"
	"github.com/psp-advisor/psp-advisor/pkg/generate/vap"
)

// engine is a kind of policies to choose from. Everything but the table knows it by
// its properties only.
type engine struct {
	// name of the engine that build returns.
	name string
	// auto says that --engine auto may choose it, for servers that serve its resource.
	auto bool
	// firstMinor and lastMinor are the minor versions of Kubernetes that serve its
	// resource; 0 means that all older or newer ones do.
	firstMinor, lastMinor int
	// publishedSince is the minor version since which all reports have it, whatever
	// --engine says; 0 means that only those do for which it was chosen.
	publishedSince int
	// perMinor says that its policies differ with the minor version of Kubernetes.
	perMinor bool
	// flags that only this engine reads.
	flags []string
	// fixed are the values that flags of other engines must have beside this one, since
	// they share objects.
	fixed map[string]string
	// build returns the engine. It accepts the zero options.
	build func(engineOptions) generate.Engine
	// read reads what an object of the engine permits.
	read reading
}

// engineOptions are what engines are built with.
type engineOptions struct {
	// minor version of Kubernetes that the policies are for; 0 means the newest.
	minor int
	// enforcement, unknownAccounts and params are the values of the flags of these
	// names; empty means the default.
	enforcement, unknownAccounts, params string
	// beside is the engine that auto stands for, if only one is chosen that it never does.
	beside string
}

// The values of the flags that only some engines read, the default first.
var (
	enforcements    = cel.EnforcementWords
	unknownAccounts = cel.UnknownAccountsWords
	paramStores     = vap.ParamsWords
)

// servedBy reports whether servers of a minor version serve the resource. Those of an
// unknown one do.
func (e engine) servedBy(minor int) bool {
	return minor == 0 || minor >= e.firstMinor && (e.lastMinor == 0 || minor <= e.lastMinor)
}

// engines returns the table of all engines. Its order is that of the policies, and
// that in which --engine auto prefers them.
func engines() []engine {
	return []engine{
		{name: "psp", auto: true, lastMinor: 24, read: ofPSP, build: func(engineOptions) generate.Engine { return psp.Engine() }},
		{
			name: "psa", publishedSince: 23, perMinor: true, read: ofPSA,
			build: func(o engineOptions) generate.Engine {
				return psa.Engine(psa.Options{Minor: o.minor, Beside: o.beside})
			},
		},
		{
			name: "vap", auto: true, firstMinor: 30, flags: []string{"enforcement", "unknown-accounts", "params"}, read: ofCore(vap.Read),
			build: func(o engineOptions) generate.Engine {
				return vap.Engine(vap.Options{
					Enforcement:     cel.Enforcement(o.enforcement),
					UnknownAccounts: cel.UnknownAccounts(o.unknownAccounts),
					Params:          vap.Params(o.params),
				})
			},
		},
		{
			name: "kyverno", flags: []string{"enforcement", "unknown-accounts"}, read: ofCore(kyverno.Read),
			fixed: map[string]string{"params": string(vap.Annotation)}, // one label says where permits are
			build: func(o engineOptions) generate.Engine {
				return kyverno.Engine(kyverno.Options{
					Enforcement:     cel.Enforcement(o.enforcement),
					UnknownAccounts: cel.UnknownAccounts(o.unknownAccounts),
				})
			},
		},
		{
			name: "gatekeeper", flags: []string{"enforcement", "unknown-accounts"}, read: ofCore(gatekeeper.Read),
			build: func(o engineOptions) generate.Engine {
				return gatekeeper.Engine(gatekeeper.Options{
					Enforcement:     cel.Enforcement(o.enforcement),
					UnknownAccounts: cel.UnknownAccounts(o.unknownAccounts),
				})
			},
		},
	}
}
