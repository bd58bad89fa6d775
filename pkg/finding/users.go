package finding

import (
	"slices"
	"strings"

	"github.com/psp-advisor/psp-advisor/pkg/privilege"
	"github.com/psp-advisor/psp-advisor/pkg/profile"
)

// Image is what is known about an image.
type Image struct {
	// Digest by which it can be pinned.
	Digest string
	// Root is true if the image runs as root unless the pod says otherwise.
	Root bool
	// UID of the user of the image; 0 if it has a name instead, which the kubelet does not
	// trust to be another one than root (pkg/kubelet/kuberuntime/security_context_others.go,
	// verifyRunAsNonRoot).
	UID int64
}

// Images is what is known about images, by their names in pods.
type Images map[string]Image

// nobody is a user that images of many vendors use for what is not root.
const nobody = int64(65532)

// imagesOf returns what is known about the images of a container; nil if one is not known.
func (s *subject) imagesOf(container string) []Image {
	var list []Image
	for _, c := range s.containers[container] {
		image, known := s.images[c.Image]
		if !known {
			return nil
		}
		list = append(list, image)
	}
	return list
}

// runsAsOther reports whether a container is known to run as another user than root.
func (s *subject) runsAsOther(container string) bool {
	users := valuesOf(s.Profile.RunAsUser, container)
	images := s.imagesOf(container)
	for _, u := range users {
		// A name may be another one of root: /etc/passwd decides.
		byImage := len(images) > 0 && !slices.ContainsFunc(images, func(i Image) bool { return i.Root || i.UID == 0 })
		if u.UID.Set && u.UID.Number == 0 || !u.UID.Set && u.NonRoot != profile.True && !byImage {
			return false
		}
	}
	return len(users) > 0
}

// asOther returns the patch that makes a container run as another user than root, and the
// user if the image says which.
func (s *subject) asOther(container string) Patch {
	uid := nobody
	if images := s.imagesOf(container); len(images) == 1 && images[0].UID > 0 {
		uid = images[0].UID
	}
	return s.security(container, Patch{"runAsUser": uid, "runAsNonRoot": true})
}

// rootUser finds containers that run as root.
func rootUser(s *subject, found func(Finding)) {
	s.each(exactly("root user"), func(line, container string) {
		found(Finding{Subject: line, Container: container, Remedy: &Remedy{Confidence: Test, Patch: s.asOther(container)}})
	})
}

// nonRoot finds containers that nothing keeps from running as root: the image decides, or
// the next change does.
func nonRoot(s *subject, found func(Finding)) {
	// On Windows the kubelet refuses ContainerAdministrator then, whatever runAsUser says
	// (pkg/kubelet/kuberuntime/security_context_windows.go, verifyRunAsNonRoot).
	sure := Safe
	s.each(func(line string) bool { return strings.HasPrefix(line, "windows user ") }, func(_, _ string) { sure = Test })
	s.each(exactly("image user root"), func(line, container string) {
		r := &Remedy{Confidence: Test, Patch: s.security(container, Patch{"runAsNonRoot": true})}
		severity := privilege.Medium
		if images := s.imagesOf(container); len(images) > 0 {
			switch {
			case slices.ContainsFunc(images, func(i Image) bool { return i.Root }):
				severity, r.Patch = privilege.High, s.asOther(container)
			case slices.ContainsFunc(images, func(i Image) bool { return i.UID == 0 }):
				r.Patch = s.asOther(container) // the kubelet needs a number
			default:
				severity, r.Confidence = privilege.Low, sure
			}
		}
		found(Finding{Severity: severity, Subject: line, Container: container, Remedy: r})
	})
	for _, it := range s.Profile.RunAsUser.Items() {
		if !it.Value.UID.Set || it.Value.UID.Number == 0 || it.Value.NonRoot == profile.True {
			continue
		}
		for _, u := range it.Uses {
			if s.asksFor("image user root", u.Container) || s.asksFor("root user", u.Container) {
				continue // see above
			}
			found(Finding{Severity: privilege.Info, Subject: "user " + it.Value.UID.String(), Container: u.Container, Remedy: &Remedy{
				Confidence: sure, Patch: s.security(u.Container, Patch{"runAsNonRoot": true}),
			}})
		}
	}
}

// mutableTag finds images that may change without a change of the manifest.
func mutableTag(s *subject, found func(Finding)) {
	for container, list := range s.containers {
		for _, c := range list {
			if !mutable(c.Image) {
				continue
			}
			f := Finding{Subject: "image " + c.Image, Container: container}
			if image := s.images[c.Image]; image.Digest != "" {
				f.Remedy = &Remedy{Confidence: Safe, Patch: s.ofContainer(container, Patch{"image": pinned(c.Image, image.Digest)})}
			}
			found(f)
		}
	}
}

// mutable reports whether an image has no digest, and no tag or the tag latest.
func mutable(image string) bool {
	if image == "" || strings.Contains(image, "@") {
		return false
	}
	tag := tagOf(image)
	return tag == "" || tag == "latest"
}

// tagOf returns the tag of an image: what follows the last colon, unless that is before a
// port of the registry.
func tagOf(image string) string {
	i := strings.LastIndex(image, ":")
	if i < 0 || strings.Contains(image[i:], "/") {
		return ""
	}
	return image[i+1:]
}

func pinned(image, digest string) string {
	return strings.TrimSuffix(image, ":"+tagOf(image)) + "@" + digest
}
