package image

// Advisor is the image that the repository's Dockerfile describes; a test keeps
// the two alike. Version and revision may be empty.
func Advisor(name, binary, version, revision string) Image {
	return Image{
		Name:   name,
		Binary: binary,
		User:   "65534:65534",
		Labels: map[string]string{
			"org.opencontainers.image.title":       "psp-advisor",
			"org.opencontainers.image.description": "Writes the least-privilege policies that admit exactly the pods of a Kubernetes cluster",
			"org.opencontainers.image.source":      "https://github.com/psp-advisor/psp-advisor",
			"org.opencontainers.image.licenses":    "Apache-2.0",
			"org.opencontainers.image.version":     version,
			"org.opencontainers.image.revision":    revision,
		},
	}
}
