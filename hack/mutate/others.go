package main

const (
	podsecurityDir = "pkg/podsecurity/"
	psaDir         = "pkg/generate/psa/"
	kyvernoDir     = "pkg/generate/kyverno/"
	gatekeeperDir  = "pkg/generate/gatekeeper/"
)

// verdictMutants are faults of the verdicts of Pod Security, which upstream's evaluator
// judges.
var verdictMutants = []mutant{
	{"verdicts", "baseline not part of restricted", podsecurityDir + "verdict.go", "api.CompareLevels(level, v.Level) < 0", "level != v.Level"},
	{"verdicts", "replaced checks still hold", podsecurityDir + "verdict.go", "return level == v.Level || ", "return true || "},
	{"verdicts", "minors before a check overlooked", podsecurityDir + "verdict.go", "minor < v.From || ", ""},
	{"verdicts", "the last minor of a check overlooked", podsecurityDir + "verdict.go", "minor > v.To", "minor >= v.To"},
	{"checks", "only the newest version", podsecurityDir + "check.go", "range slices.Backward(upstream.Versions) {", "range slices.Backward(upstream.Versions[len(upstream.Versions)-1:]) {"},
}

// levelMutants are faults of what verdicts and levels are made from; the same evaluator
// judges the levels.
var levelMutants = []mutant{
	{"stored pods", "seccomp annotations mean nothing", podsecurityDir + "stored.go", "\tif !annotated {", "\tif annotated || !annotated {"},
	{"stored pods", "seccomp annotations mean too much", podsecurityDir + "stored.go", "const lastSeccompAnnotations = 26", "const lastSeccompAnnotations = 27"},
	{"stored pods", "volumes without a source", podsecurityDir + "stored.go", "stored.Volumes[i].EmptyDir = &corev1.EmptyDirVolumeSource{}", "_ = stored.Volumes[i].EmptyDir"},
	{"levels", "never restricted", podsecurityDir + "level.go", "[]api.Level{api.LevelRestricted, api.LevelBaseline}", "[]api.Level{api.LevelBaseline}"},
	{"levels", "the next level skipped", podsecurityDir + "level.go", "case api.LevelPrivileged:\n\t\treturn api.LevelBaseline", "case api.LevelPrivileged:\n\t\treturn api.LevelRestricted"},
	{"labels", "the first workload decides", psaDir + "psa.go", "podsecurity.Level(minor, d.verdicts.Any)", "podsecurity.Level(minor, d.group.Members[0].Profile.PodSecurity.Any)"},
	{"labels", "pinned to the latest minor", psaDir + "psa.go", "d.minor = cmp.Or(o.Minor, podsecurity.Latest)", "d.minor = podsecurity.Latest"},
	{"labels", "warns about what is enforced", psaDir + "psa.go", "cmp.Or(podsecurity.Stricter(d.level), d.level)", "d.level"},
}

// kyvernoMutants and gatekeeperMutants are faults of the engines around the core, which the
// programs of these engines judge.
var kyvernoMutants = []mutant{
	{"kyverno", "unknown accounts not judged", kyvernoDir + "policy.go", "o.Enforcement, variables, cel.Known, cel.Beyond)", "o.Enforcement, variables, cel.Beyond)"},
	{"kyverno", "privileges not judged", kyvernoDir + "policy.go", "o.Enforcement, variables, cel.Known, cel.Beyond)", "o.Enforcement, variables, cel.Known)"},
	{"kyverno", "the policy's text instead of the namespace's", kyvernoDir + "kyverno.go", "cel.AnnotationText()", "cel.LiteralText(cel.Table{})"},
}

var gatekeeperMutants = []mutant{
	{"gatekeeper", "debug containers not judged", gatekeeperDir + "template.go", "orValue(\"\") == \"ephemeralcontainers\"", "orValue(\"\") == \"none\""},
	{"gatekeeper", "every update judged", gatekeeperDir + "template.go", "in [\"\", \"CREATE\"]", "in [\"\", \"CREATE\", \"UPDATE\"]"},
	{"gatekeeper", "static pods judged", gatekeeperDir + "template.go", "{\"no-mirror-pod\", cel.NoMirrorPod}", "{\"no-mirror-pod\", \"true\"}"},
	{"gatekeeper", "unknown accounts not judged", gatekeeperDir + "constraint.go", "judges := []string{accounts, privileges}", "judges := []string{privileges}"},
	{"gatekeeper", "permits without privileges", gatekeeperDir + "constraint.go", "Permits: text}", "Permits: headings(text)}"},
	{"gatekeeper", "templates instead of pods", gatekeeperDir + "constraint.go", "Source:     \"Original\"", "Source:     \"Generated\""},
}

// kyvernoOptionMutants and gatekeeperOptionMutants are faults of what becomes of pods that
// are not permitted.
var kyvernoOptionMutants = []mutant{
	{"kyverno options", "unknown accounts never allowed", kyvernoDir + "policy.go", "o.UnknownAccounts != cel.WarnUnknown && o.UnknownAccounts != cel.AllowUnknown", "o.UnknownAccounts != cel.WarnUnknown"},
	{"kyverno options", "no warning about unknown accounts", kyvernoDir + "policy.go", "o.UnknownAccounts == cel.WarnUnknown", "o.UnknownAccounts == cel.DenyUnknown"},
}

var gatekeeperOptionMutants = []mutant{
	{"gatekeeper options", "unknown accounts never allowed", gatekeeperDir + "constraint.go", "o.UnknownAccounts == cel.WarnUnknown || o.UnknownAccounts == cel.AllowUnknown", "o.UnknownAccounts == cel.WarnUnknown"},
	{"gatekeeper options", "unknown accounts denied, not warned about", gatekeeperDir + "constraint.go", "cel.Warn, []string{accounts}", "cel.Deny, []string{accounts}"},
	{"gatekeeper options", "warnings are audits", gatekeeperDir + "constraint.go", "default:\n\t\treturn \"warn\"", "default:\n\t\treturn \"dryrun\""},
	{"gatekeeper options", "audits are warnings", gatekeeperDir + "constraint.go", "return \"dryrun\"", "return \"warn\""},
}
