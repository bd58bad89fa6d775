package report

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/psp-advisor/psp-advisor/pkg/finding"
	"github.com/psp-advisor/psp-advisor/pkg/image"
	"github.com/psp-advisor/psp-advisor/pkg/observe"
	"github.com/psp-advisor/psp-advisor/pkg/privilege"
)

// ImagesOf returns the names that the pods of an observation give images, sorted.
func ImagesOf(obs *observe.Observation) []string {
	var names []string
	for _, m := range obs.Members {
		for _, c := range m.Profile.Containers.Values() {
			if c.Image != "" {
				names = append(names, c.Image)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// usersOf returns what rules about workloads need to know about images.
func usersOf(images map[string]image.Facts) finding.Images {
	known := finding.Images{}
	for name, facts := range images {
		uid, numeric, root := facts.RunsAs()
		i := finding.Image{Digest: facts.Digest, Root: root}
		if numeric && !root {
			i.UID = uid
		}
		known[name] = i
	}
	return known
}

// imagesOf returns the images with what is wrong with them.
func (r FindingReport) imagesOf(images map[string]image.Facts) []FindingImage {
	if len(images) == 0 {
		return nil // none was read, as for reports of a cluster
	}
	containers := map[string][]string{}
	for _, w := range r.Workloads {
		for _, c := range w.Containers {
			containers[c.Image] = append(containers[c.Image], w.Namespace+" "+w.Kind+"/"+w.Name+" container "+c.Name)
		}
	}
	var list []FindingImage
	for _, name := range slices.Sorted(maps.Keys(images)) {
		if facts := images[name]; len(facts.Results) > 0 {
			list = append(list, FindingImage{Image: name, Digest: facts.Digest, Containers: containers[name], Findings: imageFindings(facts.Results)})
		}
	}
	return list
}

// WithDockerfile returns the report with what is wrong with a Dockerfile.
func (r FindingReport) WithDockerfile(name string, results []image.Result) FindingReport {
	r.Namespaces = slices.Clone(r.Namespaces)
	r.Images = append(slices.Clone(r.Images), FindingImage{Image: name, Findings: imageFindings(results)})
	r.count()
	return r
}

func imageFindings(results []image.Result) []ImageFinding {
	list := []ImageFinding{}
	for _, result := range results {
		rule, _ := ruleOf(result.Rule)
		list = append(list, ImageFinding{result.Rule, rule.Severity, result.Line, result.Detail})
	}
	slices.SortStableFunc(list, func(a, b ImageFinding) int {
		return cmp.Or(b.Severity.Compare(a.Severity), cmp.Compare(a.Line, b.Line), strings.Compare(a.Rule, b.Rule))
	})
	return list
}

// ruleOf returns the rule about workloads or images with an ID.
func ruleOf(id string) (finding.Rule, bool) {
	if rule, known := finding.RuleOf(id); known {
		return rule, true
	}
	for _, r := range image.Rules() {
		if r.ID == id {
			return finding.Rule{ID: r.ID, Title: r.Title, Severity: r.Severity, CIS: r.CIS, Hadolint: r.Hadolint, Why: r.Why, Remedy: r.Remedy}, true
		}
	}
	return finding.Rule{Severity: privilege.Info}, false
}
