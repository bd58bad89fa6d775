package image

import "github.com/psp-advisor/psp-advisor/pkg/privilege"

// The IDs of rules.
const (
	RootUser    = "image-root-user"
	Healthcheck = "image-healthcheck"
	Add         = "image-add"
	Secrets     = "image-secrets"
	Setuid      = "image-setuid"
	Tag         = "base-image-tag"
)

// Rule is what images or Dockerfiles should keep to.
type Rule struct {
	ID, Title string
	Severity  privilege.Severity
	// CIS is the control of the CIS Docker Benchmark 1.6 and 1.7; empty if none.
	CIS string
	// Hadolint are the rules of hadolint about the same.
	Hadolint []string
	// Why the rule matters, and what to do.
	Why, Remedy string
}

// Rules returns all rules, ordered by their control.
func Rules() []Rule {
	return []Rule{
		{
			ID: RootUser, Title: "Image runs as root", Severity: privilege.Medium,
			CIS: "4.1", Hadolint: []string{"DL3002"},
			Why:    "Unless the pod sets runAsUser, the container runs as root, and runAsNonRoot keeps it from starting.",
			Remedy: "End the Dockerfile with USER and a number that is not 0. The kubelet cannot verify a name.",
		},
		{
			ID: Healthcheck, Title: "Image has no health check", Severity: privilege.Info,
			CIS: "4.6", Hadolint: []string{"DL3057"},
			Why:    "Docker restarts and replaces containers by HEALTHCHECK. Kubernetes ignores it and uses the probes of the pod.",
			Remedy: "Add HEALTHCHECK if the image also runs outside of Kubernetes; define probes in pods.",
		},
		{
			ID: Setuid, Title: "Image has setuid or setgid files", Severity: privilege.Low,
			CIS:    "4.8",
			Why:    "Unless allowPrivilegeEscalation is false, any process of the container gets the user or group of such a file by executing it.",
			Remedy: "Remove the permissions in the Dockerfile with chmod a-s, or the files; set allowPrivilegeEscalation to false in pods.",
		},
		{
			ID: Add, Title: "Image is built with ADD", Severity: privilege.Low,
			CIS: "4.9", Hadolint: []string{"DL3020"},
			Why:    "ADD also downloads files and unpacks archives, so what ends up in the image is not evident from the instruction.",
			Remedy: "Use COPY. Download with RUN, and verify a checksum before use.",
		},
		{
			ID: Secrets, Title: "Image seems to contain secrets", Severity: privilege.High,
			CIS:    "4.10",
			Why:    "Whoever can pull the image can read its variables, build arguments and history.",
			Remedy: "Replace the secret, then pass it to builds with RUN --mount=type=secret and to containers as a Secret.",
		},
		{
			ID: Tag, Title: "Base image can change", Severity: privilege.Low,
			Hadolint: []string{"DL3006", "DL3007"},
			Why:      "Without a tag, or with latest, the next build may start from another image, with another user.",
			Remedy:   "Name a version or, better, a digest in FROM.",
		},
	}
}
