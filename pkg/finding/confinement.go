package finding

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"

	"github.com/psp-advisor/psp-advisor/pkg/profile"
)

var runtimeDefault = Patch{"type": "RuntimeDefault"}

// seccompUnset finds containers without a seccomp profile.
func seccompUnset(s *subject, found func(Finding)) {
	s.each(exactly("no seccomp profile"), func(line, container string) {
		found(Finding{Subject: line, Container: container, Remedy: &Remedy{
			Confidence: Likely, Patch: s.security(container, Patch{"seccompProfile": runtimeDefault}),
		}})
	})
}

// seccompUnconfined finds pods and containers without seccomp.
func seccompUnconfined(s *subject, found func(Finding)) {
	s.each(exactly("seccomp unconfined"), func(line, container string) {
		patch := any(s.security(container, Patch{"seccompProfile": runtimeDefault}))
		if s.Profile.SeccompField.Any(func(f profile.Seccomp) bool { return f.Pod == "Unconfined" }) {
			patch = merge("", patch, s.security("", Patch{"seccompProfile": runtimeDefault}))
		}
		found(Finding{Subject: line, Container: container, Remedy: &Remedy{Confidence: Test, Patch: patch.(Patch)}})
	})
}

// appArmor finds containers without AppArmor. An annotation must agree with the field
// (pkg/apis/core/validation, validateAppArmorAnnotationsAndFieldsMatchOnCreate), and so
// goes.
func appArmor(s *subject, found func(Finding)) {
	s.each(exactly("appArmor unconfined"), func(line, container string) {
		patch := any(s.security(container, Patch{"appArmorProfile": runtimeDefault}))
		if container != "" && has(s.Profile.AppArmor, container, func(n profile.Name) bool { return n != "" }) {
			patch = merge("", patch, Patch{"metadata": Patch{"annotations": Patch{"container.apparmor.security.beta.kubernetes.io/" + container: nil}}})
		}
		found(Finding{Subject: line, Container: container, Remedy: &Remedy{Confidence: Test, Patch: patch.(Patch)}})
	})
}

// procMount finds containers that see all of /proc.
func procMount(s *subject, found func(Finding)) {
	s.each(func(line string) bool { return strings.HasPrefix(line, "procMount ") }, func(line, container string) {
		found(Finding{Subject: line, Container: container, Remedy: &Remedy{
			Confidence: Test, Patch: s.security(container, Patch{"procMount": "Default"}),
		}})
	})
}

// debugContainers finds containers that kubectl debug has added.
func debugContainers(s *subject, found func(Finding)) {
	for _, name := range s.Profile.EphemeralContainers.Values() {
		found(Finding{Subject: "ephemeral container " + string(name), Container: string(name)})
	}
}

// secretEnv finds environment variables with values of Secrets.
func secretEnv(s *subject, found func(Finding)) {
	bySecret := map[[2]string][]profile.Variable{}
	for _, it := range s.Profile.Variables.Items() {
		for _, u := range it.Uses {
			key := [2]string{u.Container, it.Value.Secret}
			bySecret[key] = append(bySecret[key], it.Value)
		}
	}
	for key, variables := range bySecret {
		container, secret := key[0], key[1]
		f := Finding{Subject: "secret " + secret, Container: container}
		// The whole of envFrom would be replaced, and with it what else is there.
		if !slices.ContainsFunc(variables, func(v profile.Variable) bool { return v.Name == "" }) {
			env := []any{}
			for _, v := range variables {
				if !slices.ContainsFunc(env, func(e any) bool { return e.(Patch)["name"] == v.Name }) {
					env = append(env, Patch{"name": v.Name, directive: deletion})
				}
			}
			volume := volumeName(secret)
			mount := Patch{"mountPath": "/run/secrets/" + secret, "name": volume, "readOnly": true}
			patch := merge("", any(s.ofContainer(container, Patch{"env": env, "volumeMounts": []any{mount}})),
				ofPod(Patch{"volumes": []any{Patch{"name": volume, "secret": Patch{"secretName": secret}}}}))
			f.Remedy = &Remedy{Confidence: Test, Patch: patch.(Patch)}
		}
		found(f)
	}
}

// volumeName returns a name for the volume of a Secret: names of volumes have no dots and
// at most 63 characters. A hash keeps apart what is the same without dots and the rest.
func volumeName(secret string) string {
	const longest = 63
	name := "env-secret-" + strings.ReplaceAll(secret, ".", "-") // which few manifests have
	if len(name) <= longest && !strings.Contains(secret, ".") {
		return name
	}
	sum := sha256.Sum256([]byte(secret))
	hash := "-" + hex.EncodeToString(sum[:4])
	return name[:min(len(name), longest-len(hash))] + hash
}
