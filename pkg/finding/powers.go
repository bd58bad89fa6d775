package finding

import (
	"slices"
	"strings"

	"github.com/psp-advisor/psp-advisor/pkg/privilege"
	"github.com/psp-advisor/psp-advisor/pkg/profile"
)

// privileged finds privileged containers.
func privileged(s *subject, found func(Finding)) {
	s.each(exactly("privileged"), func(line, container string) {
		found(Finding{Subject: line, Container: container, Remedy: &Remedy{
			Confidence: Test, Patch: s.security(container, Patch{"privileged": false}),
		}})
	})
}

// addedCapabilities finds capabilities that a container adds to those of the runtime.
func addedCapabilities(s *subject, found func(Finding)) {
	for _, it := range s.Profile.AddedCapabilities.Items() {
		line := privilege.Capability(string(it.Value))
		for _, u := range it.Uses {
			kept := []any{}
			for _, other := range valuesOf(s.Profile.AddedCapabilities, u.Container) {
				if privilege.Capability(string(other)) != line {
					kept = append(kept, string(other))
				}
			}
			confidence := Test
			if !has(s.Profile.DroppedCapabilities, u.Container, func(n profile.Names) bool { return !slices.Contains(n, string(it.Value)) }) {
				confidence = Likely // most runtimes drop it after they have added it
			}
			patch := Patch{"add": kept}
			if s.defaultIn(it.Value, u.Container) {
				patch["drop"] = []any{"ALL"} // it is not only added
			}
			found(Finding{Severity: privilege.SeverityOf(line), Subject: line, Container: u.Container, Remedy: &Remedy{
				Confidence: confidence, Patch: s.security(u.Container, Patch{"capabilities": patch}),
			}})
		}
	}
}

// defaultIn reports whether a container has an added capability anyway.
func (s *subject) defaultIn(added profile.Name, container string) bool {
	name := strings.TrimPrefix(privilege.Capability(string(added)), "capability ")
	return slices.Contains(privilege.DefaultCapabilities, name) && s.keeps(container, string(added))
}

// keeps reports whether a container drops neither ALL nor a capability.
func (s *subject) keeps(container, capability string) bool {
	return has(s.Profile.DroppedCapabilities, container, func(n profile.Names) bool {
		return !slices.ContainsFunc(n, func(c string) bool { return strings.EqualFold(c, "ALL") || c == capability })
	})
}

// keepsDefaults reports whether a container does not drop ALL.
func (s *subject) keepsDefaults(container string) bool { return s.keeps(container, "ALL") }

// keptCapabilities finds containers that keep capabilities of the runtime.
func keptCapabilities(s *subject, found func(Finding)) {
	kept := map[string][]string{}
	s.each(isDefaultCapability, func(line, container string) {
		if s.keepsDefaults(container) {
			kept[container] = append(kept[container], line)
		}
	})
	for container, lines := range kept {
		// What is added is another rule's.
		lines = slices.DeleteFunc(lines, func(line string) bool {
			return has(s.Profile.AddedCapabilities, container, func(n profile.Name) bool { return privilege.Capability(string(n)) == line })
		})
		if len(lines) == 0 {
			continue
		}
		severity := privilege.Info
		for _, line := range lines {
			severity = privilege.Worst(severity, privilege.SeverityOf(line))
		}
		confidence := Test
		switch {
		case !s.runsAsOther(container):
		case s.escalates(container):
			confidence = Likely
		default:
			// The kernel gives no capabilities to a user other than root, unless a program
			// has some of its own, which no_new_privs prevents (capabilities(7)).
			confidence = Safe
		}
		found(Finding{Severity: severity, Subject: strings.Join(lines, ", "), Container: container, Remedy: &Remedy{
			Confidence: confidence, Patch: s.security(container, Patch{"capabilities": Patch{"drop": []any{"ALL"}}}),
		}})
	}
}

func isDefaultCapability(line string) bool {
	name, ok := strings.CutPrefix(line, "capability ")
	return line == "default capabilities" || ok && slices.Contains(privilege.DefaultCapabilities, name)
}

// escalates reports whether a container does not disable privilege escalation.
func (s *subject) escalates(container string) bool {
	return s.asksFor("allowPrivilegeEscalation", container)
}

// escalation finds containers that do not disable privilege escalation. The API server
// refuses that for those that add CAP_SYS_ADMIN, by this name
// (pkg/apis/core/validation, ValidateSecurityContext).
func escalation(s *subject, found func(Finding)) {
	s.each(exactly("allowPrivilegeEscalation"), func(line, container string) {
		if has(s.Profile.AddedCapabilities, container, func(n profile.Name) bool { return n == "CAP_SYS_ADMIN" }) {
			return
		}
		found(Finding{Subject: line, Container: container, Remedy: &Remedy{
			Confidence: Likely, Patch: s.security(container, Patch{"allowPrivilegeEscalation": false}),
		}})
	})
}

// writableRoot finds containers with a writable root file system.
func writableRoot(s *subject, found func(Finding)) {
	s.each(exactly("writable root file system"), func(line, container string) {
		found(Finding{Subject: line, Container: container, Remedy: &Remedy{
			Confidence: Test, Patch: s.security(container, Patch{"readOnlyRootFilesystem": true}),
		}})
	})
}
