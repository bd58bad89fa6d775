package finding

import (
	"cmp"
	"slices"
	"strings"

	"github.com/psp-advisor/psp-advisor/pkg/privilege"
	"github.com/psp-advisor/psp-advisor/pkg/profile"
)

// hostNamespace finds pods in a namespace of the host, by the name of the field.
func hostNamespace(field string) func(*subject, func(Finding)) {
	return func(s *subject, found func(Finding)) {
		s.each(exactly(field), func(line, _ string) {
			found(Finding{Subject: line, Remedy: &Remedy{Confidence: Test, Patch: ofPod(Patch{field: false})}})
		})
	}
}

// sharedProcesses finds pods whose containers share a process namespace. One container
// shares it with nobody.
func sharedProcesses(s *subject, found func(Finding)) {
	s.each(exactly("shareProcessNamespace"), func(line, _ string) {
		confidence := Test
		if len(s.containers) == 1 {
			confidence = Likely
		}
		found(Finding{Subject: line, Remedy: &Remedy{Confidence: confidence, Patch: ofPod(Patch{"shareProcessNamespace": false})}})
	})
}

// hostPorts finds ports of the host. In a pod with hostNetwork each port is one.
func hostPorts(s *subject, found func(Finding)) {
	if s.Profile.HostNetwork.Has(profile.True) {
		return
	}
	line := func(p profile.Port) string { return privilege.HostPort(p.HostPort, protocol(p), p.HostIP) }
	for _, it := range s.Profile.Ports.Items() {
		for _, u := range it.Uses {
			r := &Remedy{Confidence: Test}
			var ports []any
			all := valuesOf(s.Profile.Ports, u.Container)
			for _, p := range all {
				if line(p) != line(it.Value) {
					continue
				}
				port := Patch{"containerPort": p.ContainerPort, "hostPort": nil}
				if p.Protocol != "" {
					port["protocol"] = p.Protocol // kustomize merges by what the manifest has
				}
				if p.HostIP != "" {
					port["hostIP"] = nil
				}
				ports = append(ports, port)
				// kubectl merges ports by their number alone.
				r.unnamed = r.unnamed || slices.ContainsFunc(all, func(o profile.Port) bool {
					return o.ContainerPort == p.ContainerPort && protocol(o) != protocol(p)
				})
			}
			r.Patch = s.ofContainer(u.Container, Patch{"ports": ports})
			found(Finding{Severity: privilege.SeverityOf(line(it.Value)), Subject: line(it.Value), Container: u.Container, Remedy: r})
		}
	}
}

// protocol returns the protocol of a port, which is TCP by default.
func protocol(p profile.Port) string { return cmp.Or(p.Protocol, "TCP") }

// writeHostPath finds writable mounts of hostPath volumes.
func writeHostPath(s *subject, found func(Finding)) {
	s.eachHostPath(func(m profile.Mount) bool { return m.MountPath != "" && !m.ReadOnly }, func(path, container string) {
		line := privilege.HostPath(path, true)
		severity := privilege.SeverityOf(line)
		r := &Remedy{Confidence: Test}
		if privilege.SeverityOf(privilege.HostPath(path, false)) == severity {
			r.Patch = s.withoutHostPath(path) // reading is as bad
		} else {
			var mounts []any
			for _, m := range s.mountsOf(container) {
				if m.HostPath == path && !m.ReadOnly {
					mounts = append(mounts, Patch{"mountPath": m.MountPath, "readOnly": true})
				}
			}
			r.Patch = s.mounted(container, mounts)
		}
		found(Finding{Severity: severity, Container: container, Subject: line, Remedy: r})
	})
}

// readHostPath finds read-only mounts of hostPath volumes, and such volumes that nothing
// mounts.
func readHostPath(s *subject, found func(Finding)) {
	s.eachHostPath(func(m profile.Mount) bool { return m.MountPath == "" || m.ReadOnly }, func(path, container string) {
		confidence := Test
		if !s.Profile.Mounts.Any(func(m profile.Mount) bool { return m.HostPath == path && m.MountPath != "" }) {
			confidence = Safe
		}
		line := privilege.HostPath(path, false)
		found(Finding{
			Severity: privilege.SeverityOf(line), Container: container, Subject: line,
			Remedy: &Remedy{Confidence: confidence, Patch: s.withoutHostPath(path)},
		})
	})
}

// eachHostPath calls f once for each path of the host and container with a mount that
// satisfies matches.
func (s *subject) eachHostPath(matches func(profile.Mount) bool, f func(path, container string)) {
	seen := map[[2]string]bool{}
	for _, it := range s.Profile.Mounts.Items() {
		for _, u := range it.Uses {
			if key := [2]string{it.Value.HostPath, u.Container}; it.Value.HostPath != "" && matches(it.Value) && !seen[key] {
				seen[key] = true
				f(it.Value.HostPath, u.Container)
			}
		}
	}
}

// mountsOf returns the mounts of a container in the manifest, or in its pods if that was
// not observed.
func (s *subject) mountsOf(container string) []profile.Mount {
	return slices.DeleteFunc(valuesOf(s.Profile.Mounts, container), func(m profile.Mount) bool { return s.template && !m.Template })
}

// mounted returns the patch that changes mounts of a container; nil if there are none.
func (s *subject) mounted(container string, mounts []any) Patch {
	if len(mounts) == 0 {
		return nil // a webhook has added them to the pods
	}
	return s.ofContainer(container, Patch{"volumeMounts": mounts})
}

// withoutHostPath returns the patch that removes the volumes of a path of the host, and
// their mounts; nil if the manifest has none.
func (s *subject) withoutHostPath(path string) Patch {
	var all any = Patch{}
	for _, it := range s.Profile.Mounts.Items() {
		if it.Value.HostPath != path || s.template && !it.Value.Template {
			continue
		}
		all = merge("", all, ofPod(Patch{"volumes": []any{Patch{"name": it.Value.Volume, directive: deletion}}}))
		if it.Value.MountPath == "" {
			continue
		}
		for _, u := range it.Uses {
			if s.injected(u.Container) {
				continue
			}
			mount := Patch{"mountPath": it.Value.MountPath, directive: deletion}
			all = merge("", all, s.ofContainer(u.Container, Patch{"volumeMounts": []any{mount}}))
		}
	}
	if patch := all.(Patch); len(patch) > 0 {
		return patch
	}
	return nil
}

// bidirectional finds mounts that spread to the host.
func bidirectional(s *subject, found func(Finding)) {
	const line = "mountPropagation Bidirectional"
	s.each(exactly(line), func(_, container string) {
		var mounts []any
		for _, m := range s.mountsOf(container) {
			if m.Propagation == "Bidirectional" {
				mounts = append(mounts, Patch{"mountPath": m.MountPath, "mountPropagation": "HostToContainer"})
			}
		}
		found(Finding{Subject: line, Container: container, Remedy: &Remedy{Confidence: Test, Patch: s.mounted(container, mounts)}})
	})
}

// unsafeSysctls finds sysctls that the Pod Security Standards do not call safe.
func unsafeSysctls(s *subject, found func(Finding)) {
	s.each(func(line string) bool {
		return strings.HasPrefix(line, "sysctl ") && privilege.SeverityOf(line) != privilege.Info
	}, func(line, _ string) {
		kept := []any{}
		for _, setting := range s.Profile.Settings.Values() {
			if privilege.Sysctl(setting.Name) != line && !slices.ContainsFunc(kept, func(k any) bool { return k.(Patch)["name"] == setting.Name }) {
				kept = append(kept, Patch{"name": setting.Name, "value": setting.Value})
			}
		}
		found(Finding{Subject: line, Remedy: &Remedy{Confidence: Test, Patch: s.security("", Patch{"sysctls": kept})}})
	})
}

// hostProcess finds processes of a Windows host. All containers of a pod are, or none.
func hostProcess(s *subject, found func(Finding)) {
	s.each(exactly("windows hostProcess"), func(line, _ string) {
		var all any = s.security("", Patch{"windowsOptions": Patch{"hostProcess": false}})
		for _, it := range s.Profile.HostProcess.Items() {
			for _, container := range profile.Containers(it.Uses) {
				if it.Value == profile.True && !s.injected(container) {
					all = merge("", all, s.security(container, Patch{"windowsOptions": Patch{"hostProcess": false}}))
				}
			}
		}
		found(Finding{Subject: line, Remedy: &Remedy{Confidence: Test, Patch: all.(Patch)}})
	})
}
