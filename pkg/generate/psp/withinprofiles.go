package psp

import (
	"slices"
	"strings"

	"github.com/psp-advisor/psp-advisor/pkg/profile"
	corev1 "k8s.io/api/core/v1"
)

/*
Compared fields:

	metadata.annotations["seccomp.security.alpha.kubernetes.io/allowedProfileNames"]
	metadata.annotations["seccomp.security.alpha.kubernetes.io/defaultProfileName"]
	metadata.annotations["apparmor.security.beta.kubernetes.io/allowedProfileNames"]
	metadata.annotations["apparmor.security.beta.kubernetes.io/defaultProfileName"]

Admitted values: see seccomp.go and apparmor.go. The default of seccomp becomes the
pod's own, and that of each container without one; the default of AppArmor that of each
container (pkg/security/podsecuritypolicy/seccomp/strategy.go, apparmor/strategy.go).
*/

const (
	seccompDefaultAnnotation  = "seccomp.security.alpha.kubernetes.io/defaultProfileName"
	appArmorDefaultAnnotation = "apparmor.security.beta.kubernetes.io/defaultProfileName"
)

func annotationField(key string) string { return "metadata.annotations[" + key + "]" }

// seccompAllows reports whether the policy allows a profile, one of seccompNames.
func (p *writtenPolicy) seccompAllows(name string) bool {
	list, ok := p.seccompList()
	return slices.Contains(list, wildcard) || slices.Contains(list, name) || !ok && name == ""
}

// seccompList returns the profiles that the policy lists, with docker/default as
// runtime/default. Without a list, or with nothing but the wildcard in it, unset is
// allowed.
func (p *writtenPolicy) seccompList() (list []string, ok bool) {
	text, ok := p.Annotations[seccompAllowedAnnotation]
	if !ok {
		return nil, false
	}
	list = strings.Split(text, ",")
	for i, name := range list {
		if name == corev1.DeprecatedSeccompProfileDockerDefault {
			list[i] = corev1.SeccompProfileRuntimeDefault
		}
	}
	return list, true
}

func (c *comparison) admitSeccomp() {
	preset := c.policy.Annotations[seccompDefaultAnnotation]
	c.changes(annotationField(seccompDefaultAnnotation), "sets "+quote(preset), c.presetSeccomp(preset))
	for _, it := range c.profile.Seccomp.Items() {
		for _, name := range unique(withPreset(it.Value, preset)) {
			if !c.policy.seccompAllows(name) {
				c.exceeds(annotationField(seccompAllowedAnnotation), seccompText(name), it.Uses)
			}
		}
	}
}

// presetSeccomp returns the pods that get the default of the policy.
func (c *comparison) presetSeccomp(preset string) []profile.Use {
	if preset == "" {
		return nil
	}
	return c.profile.Seccomp.Uses(func(s profile.Seccomp) bool { return s.Pod == "" })
}

// withPreset returns the seccompNames of a pod once the policy has set its default.
func withPreset(s profile.Seccomp, preset string) []string {
	if preset != "" && s.Pod == "" {
		s = profile.Seccomp{Pod: profile.Name(preset), Containers: slices.Clone(s.Containers)}
		for i, name := range s.Containers {
			if name == "" {
				s.Containers[i] = preset
			}
		}
	}
	return seccompNames(s)
}

func seccompText(name string) string {
	if name == "" {
		return "no profile at pod level or in a container"
	}
	return quote(name)
}

// appArmorList returns the profiles that the policy lists. Without a list every one is
// allowed, and unset; with one, unset is not.
func (p *writtenPolicy) appArmorList() (list []string, ok bool) {
	text, ok := p.Annotations[appArmorAllowedAnnotation]
	if !ok {
		return nil, false
	}
	return strings.Split(text, ","), true
}

func (c *comparison) admitAppArmor() {
	used, preset := c.profile.AppArmor, c.policy.Annotations[appArmorDefaultAnnotation]
	if preset != "" {
		c.changes(annotationField(appArmorDefaultAnnotation), "sets "+quote(preset), used.Uses(is[profile.Name]("")))
		used = profile.Map(used, func(n profile.Name) profile.Name {
			if n == "" {
				return profile.Name(preset)
			}
			return n
		})
	}
	list, ok := c.policy.appArmorList()
	if !ok {
		return
	}
	exceedsEach(c, annotationField(appArmorAllowedAnnotation), used, func(n profile.Name) string {
		if n == "" {
			return "no profile"
		}
		return quote(n)
	}, func(n profile.Name) bool { return n != "" && slices.Contains(list, string(n)) })
}

func (c *comparison) checkProfiles() {
	for _, f := range []struct {
		key   string
		list  bool
		valid func(string) bool
	}{
		{seccompDefaultAnnotation, false, validSeccompName},
		{seccompAllowedAnnotation, true, func(n string) bool { return n == wildcard || validSeccompName(n) }},
		{appArmorDefaultAnnotation, false, validAppArmor},
		{appArmorAllowedAnnotation, true, validAppArmor},
	} {
		text := c.policy.Annotations[f.key]
		if text == "" {
			continue
		}
		names := []string{text}
		if f.list {
			names = strings.Split(text, ",")
		}
		for _, n := range names {
			if !f.valid(n) {
				c.fault(annotationField(f.key), quote(n)+" is no profile")
			}
		}
	}
}

func validSeccompName(n string) bool {
	return n == corev1.DeprecatedSeccompProfileDockerDefault || validSeccomp(n)
}

func (c *comparison) tightenSeccomp() {
	field := annotationField(seccompAllowedAnnotation)
	written, ok := c.policy.seccompList()
	if !ok {
		return
	}
	var used []string
	preset := c.policy.Annotations[seccompDefaultAnnotation]
	for _, s := range c.need.profile.Seccomp.Values() {
		used = append(used, withPreset(s, preset)...)
	}
	// Only the wildcard admits a profile that cannot be listed, as unset.
	unlisted := slices.ContainsFunc(used, func(n string) bool { return !validSeccomp(n) })
	used = unique(used)
	none := len(used) == 0 || slices.Equal(used, []string{""})
	for _, name := range unique(written) {
		switch {
		case name == wildcard && none:
			c.tighter(field, "'*' is written, nothing sets a profile: no list is enough")
		case name == wildcard && !unlisted:
			c.tighter(field, "'*' is written, only "+enough(used)+" is needed")
		case name != wildcard && name != "" && !slices.Contains(used, name) && !slices.Contains(written, wildcard):
			c.unneeded(field, name)
		}
	}
}

func (c *comparison) tightenAppArmor() {
	field := annotationField(appArmorAllowedAnnotation)
	used := c.need.profile.AppArmor
	if preset := c.policy.Annotations[appArmorDefaultAnnotation]; preset != "" && used.Has("") {
		used = profile.Map(used, func(n profile.Name) profile.Name {
			if n == "" {
				return profile.Name(preset)
			}
			return n
		})
	}
	written, ok := c.policy.appArmorList()
	if !ok {
		if used.All(func(n profile.Name) bool { return validAppArmor(string(n)) }) {
			c.tighter(field, "every profile is allowed, only "+enough(used.Values())+" is needed")
		}
		return
	}
	for _, name := range unique(written) {
		if !used.Has(profile.Name(name)) {
			c.unneeded(field, name)
		}
	}
}
