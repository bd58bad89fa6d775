package report_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/psp-advisor/psp-advisor/pkg/finding"
	"github.com/psp-advisor/psp-advisor/pkg/image"
)

var update = flag.Bool("update", false, "rewrite the documentation of the rules")

// TestRulesDocument: docs/rules.md has each rule of the tables.
func TestRulesDocument(t *testing.T) {
	var out strings.Builder
	out.WriteString(`# Rules

What ` + "`advisor report`" + ` finds. The ID of a rule is stable. The severity is that of its worst
findings: a capability or a path of the host is graded by what it opens. Checks are those
of the [Pod Security Standards](https://kubernetes.io/docs/concepts/security/pod-security-standards/),
controls those of the CIS Kubernetes Benchmark, section 5, from version 1.8 on.

| rule | severity | what is wrong | why it matters | remedy | check | control |
|---|---|---|---|---|---|---|
`)
	for _, r := range finding.Rules() {
		fmt.Fprintf(&out, "| `%s` | %s | %s | %s | %s | %s | %s |\n", r.ID, r.Severity, r.Title, r.Why, r.Remedy, r.PodSecurity, r.CIS)
	}
	out.WriteString(`
Of images, with ` + "`--image-config`" + `, and of Dockerfiles. Controls are those of the CIS Docker
Benchmark, section 4.

| rule | severity | what is wrong | why it matters | remedy | hadolint | control |
|---|---|---|---|---|---|---|
`)
	for _, r := range image.Rules() {
		fmt.Fprintf(&out, "| `%s` | %s | %s | %s | %s | %s | %s |\n", r.ID, r.Severity, r.Title, r.Why, r.Remedy, strings.Join(r.Hadolint, ", "), r.CIS)
	}
	const file = "../../docs/rules.md"
	if *update {
		if err := os.WriteFile(file, []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(out.String(), string(data)); diff != "" {
		t.Errorf("%s is out of date; run go test ./pkg/report -update (-want +got):\n%s", file, diff)
	}
}
