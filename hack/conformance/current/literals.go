package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/psp-advisor/psp-advisor/hack/conformance/fleet"
	"github.com/psp-advisor/psp-advisor/hack/conformance/judge"
	"github.com/psp-advisor/psp-advisor/pkg/generate/cel"
	"github.com/psp-advisor/psp-advisor/pkg/profile/podtest"
)

// literals has CEL read the literals of hostile and of random strings, alone and within
// an expression: each must be the string, with U+FFFD for what is not UTF-8, and nothing
// else.
func (r *runner) literals(p *judge.Process) error {
	const n = 1000
	rnd := r.random("literals")
	texts, variables := make([]string, n), make([]variable, n)
	values := make([]string, n)
	for i := range texts {
		texts[i] = randomText(rnd)
		if i < len(fleet.Hostile) {
			texts[i] = fleet.Hostile[i]
		}
		values[i] = fmt.Sprintf("v%d", i)
		variables[i] = variable{values[i], "[" + cel.Quote(texts[i]) + ", " + cel.Quote("end") + "]"}
	}
	pod := podtest.Pod()
	pod.APIVersion, pod.Kind = "v1", "Pod"
	verdicts, err := ask(p, request{Name: "literals", Cluster: &cluster{Evaluate: &evaluate{Variables: variables, Values: values}}, Pods: []podRequest{{Object: encode(pod)}}})
	if err != nil {
		return err
	}
	found := result{pods: n, faults: map[string]string{}}
	for i, text := range texts {
		v := verdicts[0].Values[values[i]]
		var got []string
		want := string([]rune(text))
		if err := json.Unmarshal(v.JSON, &got); err != nil || v.Error != "" || len(got) != 2 || got[0] != want || got[1] != "end" {
			found.fault("literal", "%q is %s%s in CEL: %s", text, v.JSON, v.Error, variables[i].Expression)
		}
	}
	return r.finish("literals", "", "literals", found)
}

// randomText returns a string of hostile strings and random characters and bytes.
func randomText(r *rand.Rand) string {
	var b strings.Builder
	for range r.IntN(8) {
		switch r.IntN(4) {
		case 0:
			b.WriteString(podtest.Pick(r, fleet.Hostile...))
		case 1:
			b.WriteRune(rune(r.IntN(0x110000))) //nolint:gosec // small; surrogates too
		case 2:
			b.WriteByte(byte(r.IntN(256))) //nolint:gosec // small
		default:
			b.WriteString(podtest.Pick(r, `\`, `"`, `'`, `"""`, "r\"", "\n", "\r\n", `\n`, `\x41`, `\101`, `\U00110000`, "+", "`", "b'"))
		}
	}
	return b.String()
}
