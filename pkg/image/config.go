package image

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// download is a source that ADD downloads.
var download = regexp.MustCompile(`(?i)^(https?://|git://|ssh://|git@)`)

// factsOf returns what the configuration of an image shows.
func factsOf(file *v1.ConfigFile) Facts {
	f := Facts{User: file.Config.User, Healthcheck: healthy(file.Config.Healthcheck)}
	if _, _, root := f.RunsAs(); root {
		detail := "no USER"
		if f.User != "" {
			detail = "USER " + short(f.User)
		}
		f.Results = append(f.Results, Result{Rule: RootUser, Detail: detail})
	}
	if !f.Healthcheck {
		f.Results = append(f.Results, Result{Rule: Healthcheck, Detail: "no HEALTHCHECK"})
	}
	for _, variable := range file.Config.Env {
		if name, value, _ := strings.Cut(variable, "="); secretEnv(name, value) {
			f.Results = append(f.Results, envResult(name))
		}
	}
	first := slices.IndexFunc(file.History, func(h v1.History) bool { return !h.EmptyLayer })
	for i, h := range file.History {
		f.Results = append(f.Results, ofHistory(h.CreatedBy, i == first)...)
	}
	f.Results = sorted(f.Results)
	return f
}

// healthy reports whether an image has a health check that Docker runs.
func healthy(h *v1.HealthConfig) bool {
	return h != nil && len(h.Test) > 0 && h.Test[0] != "NONE"
}

// ofHistory returns the results of one instruction in the history of an image, which
// BuildKit and the classic builder of Docker write in different forms.
func ofHistory(text string, first bool) []Result {
	var list []Result
	name, rest := instructionOf(text)
	switch name {
	case "ENV":
		for _, m := range assignment.FindAllStringSubmatch(rest, -1) {
			if secretEnv(m[1], m[2]) {
				list = append(list, envResult(m[1]))
			}
		}
	case "ARG":
		for field := range strings.FieldsSeq(rest) {
			name, value, found := strings.Cut(field, "=")
			if found && secretArg(name, &value) || !found && secretArg(name, nil) {
				list = append(list, argResult(name))
			}
		}
	case "ADD":
		fields := strings.Fields(rest)
		fields = slices.DeleteFunc(fields, func(f string) bool { return strings.HasPrefix(f, "--") })
		if n := len(fields); n > 0 {
			list = append(list, addResults(fields[:n-1], fields[n-1], first)...)
		}
	case "RUN":
		for _, m := range buildArguments(rest) {
			if secretArg(m[1], &m[2]) {
				list = append(list, argResult(m[1]))
			}
		}
	}
	switch {
	case name == "ENV" || name == "ARG" || !privateKey.MatchString(text):
	case slices.Contains([]string{"ADD", "COPY", "RUN"}, name):
		list = append(list, keyResult(name))
	default:
		list = append(list, keyResult("the history")) // whose words may be those of the key
	}
	return list
}

// instructionOf splits an entry of a history into the instruction and what follows it.
func instructionOf(text string) (name, rest string) {
	text = strings.TrimSuffix(strings.TrimSpace(text), "# buildkit")
	shell := false
	for _, prefix := range []string{"/bin/sh -c #(nop)", "/bin/sh -c"} {
		if after, ok := strings.CutPrefix(text, prefix); ok {
			text, shell = after, prefix == "/bin/sh -c"
			break
		}
	}
	if shell || strings.HasPrefix(text, "|") {
		return "RUN", text
	}
	text = strings.TrimSpace(text)
	if after, ok := strings.CutPrefix(text, "ONBUILD "); ok {
		text = strings.TrimSpace(after)
	}
	name, rest, _ = strings.Cut(text, " ")
	return name, strings.TrimSpace(rest)
}

// buildArguments returns the name and value of each build argument that RUN had, which
// a history shows as |2 A=1 B=2 before the command.
func buildArguments(text string) [][]string {
	text, ok := strings.CutPrefix(text, "|")
	if !ok {
		return nil
	}
	count, rest, _ := strings.Cut(text, " ")
	n, err := strconv.Atoi(count)
	if err != nil || n <= 0 {
		return nil
	}
	return assignment.FindAllStringSubmatch(rest, n)
}

// addResults returns the results of ADD. Only ADD can unpack the root file system of an
// image from scratch, so that its first layer is not reported unless it is downloaded.
func addResults(sources []string, destination string, first bool) []Result {
	what := "ADD to "
	if slices.ContainsFunc(sources, download.MatchString) {
		what = "ADD of a download to "
	} else if first {
		return nil
	}
	return []Result{{Rule: Add, Detail: what + short(destination)}}
}
