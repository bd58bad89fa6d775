package report

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/psp-advisor/psp-advisor/pkg/finding"
	"github.com/psp-advisor/psp-advisor/pkg/privilege"
	"github.com/psp-advisor/psp-advisor/pkg/profile"
)

// shortForms are the beginnings of short forms of lines.
var shortForms = []struct{ short, line string }{
	{"cap:", "capability "},
	{"capability:", "capability "},
	{"hostPath:", "hostPath "},
	{"hostPort:", "hostPort "},
	{"volume:", "volume "},
	{"sysctl:", "sysctl "},
	{"csi:", "csi "},
	{"user:", "user "},
	{"group:", "group "},
}

// namedZero are the lines for root, which have no number.
var namedZero = map[string]string{"user 0": "root user", "group 0": "root group"}

// ParseWhy returns the line of package privilege that a word stands for: a line, or a
// short form such as cap:NET_ADMIN or hostPath:/var/run.
func ParseWhy(word string) (string, error) {
	line := word
	for _, f := range shortForms {
		if value, ok := strings.CutPrefix(word, f.short); ok {
			line = f.line + value
			if f.line == "capability " {
				line = privilege.Capability(value)
			}
			break
		}
	}
	if named, ok := namedZero[line]; ok {
		line = named
	}
	if value, ok := strings.CutPrefix(line, "hostPath "); ok {
		switch {
		case path.IsAbs(value):
			line = "hostPath " + path.Clean(value)
		case !strings.Contains(value, `\`): // as paths of Windows have, and its named pipes
			return "", fmt.Errorf("invalid privilege %q: want a path that begins with /", word)
		}
	}
	if value, ok := strings.CutPrefix(line, "hostPort "); ok {
		port, protocol, of := strings.Cut(value, "/")
		n, err := strconv.Atoi(port)
		if err != nil || n < 1 || n > 65535 {
			return "", fmt.Errorf("invalid privilege %q: want a port from 1 to 65535, such as hostPort:80 or hostPort:53/UDP", word)
		}
		line = "hostPort " + strconv.Itoa(n)
		if of {
			line += "/" + strings.ToUpper(protocol)
		}
	}
	if strings.HasSuffix(line, " ") || !privilege.Valid(line) {
		return "", fmt.Errorf("unknown privilege %q: want a line such as hostNetwork, cap:NET_ADMIN, hostPath:/var/run, hostPort:80 or %q", word, "no seccomp profile")
	}
	return line, nil
}

// About returns the part of the report that is about a line: the workloads that ask for
// it, for what permits it, or for a part of its path, each with the fields that these
// follow from, and the findings about them.
func (r FindingReport) About(line string) FindingReport {
	var workloads []FindingWorkload
	namespaces := map[string]bool{}
	for _, w := range r.Workloads {
		var privileges []Privilege
		for _, p := range w.Privileges {
			if related(p.Line, line) {
				p.Fields = w.fieldsOf(p)
				privileges = append(privileges, p)
			}
		}
		if len(privileges) == 0 {
			continue
		}
		w.Privileges = privileges
		w.Findings = slices.DeleteFunc(slices.Clone(w.Findings), func(f Finding) bool {
			return !slices.ContainsFunc(strings.Split(f.Subject, ", "), func(s string) bool { return privilege.Valid(s) && related(s, line) })
		})
		workloads = append(workloads, w)
		namespaces[w.Namespace] = true
	}
	r.Why, r.Workloads, r.Images = line, workloads, nil
	r.Namespaces = slices.DeleteFunc(slices.Clone(r.Namespaces), func(n FindingNamespace) bool { return !namespaces[n.Name] })
	r.count()
	return r
}

// related reports whether who asks for one line has what the other one says, or a part
// of it: a path below a path, or a port of one address. What else a line permits is no
// part of it: nobody is privileged by a capability.
func related(asked, line string) bool {
	asked = cleaned(asked)
	if port, ok := strings.CutPrefix(line, "hostPort "); ok && !strings.Contains(port, "/") {
		return strings.HasPrefix(asked, line+"/")
	}
	if privilege.Under(line, asked) {
		return true
	}
	switch {
	case strings.HasPrefix(line, "hostPath "):
		return privilege.Under(asked, "write "+line)
	case strings.HasPrefix(line, "write hostPath "):
		return strings.HasPrefix(asked, "write ") && privilege.Under(asked, line)
	case strings.HasPrefix(line, "hostPort "):
		return privilege.Under(asked, line)
	default:
		return false
	}
}

// cleaned returns a line with the shortest form of its path.
func cleaned(line string) string {
	for _, beginning := range []string{"hostPath ", "write hostPath "} {
		if file, ok := strings.CutPrefix(line, beginning); ok && path.IsAbs(file) {
			return beginning + path.Clean(file)
		}
	}
	return line
}

// fieldsOf returns the fields that a privilege of the workload follows from.
func (w FindingWorkload) fieldsOf(p Privilege) []string {
	if len(p.Containers) == 0 {
		return []string{finding.Field(w.Workload(), "", "", p.Line)}
	}
	var fields []string
	for _, name := range p.Containers {
		var kind profile.Kind
		if i := slices.IndexFunc(w.Containers, func(c Container) bool { return c.Name == name }); i >= 0 {
			kind = w.Containers[i].Kind
		}
		fields = append(fields, finding.Field(w.Workload(), name, kind, p.Line))
	}
	return fields
}
