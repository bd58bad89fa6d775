package manifest

import (
	"bytes"
	"encoding/json"
	"testing"
)

// FuzzScanner holds what a scanner takes for valid against encoding/json.
func FuzzScanner(f *testing.F) {
	for _, s := range oddStreams() {
		if len(s) < 4096 {
			f.Add([]byte(s))
		}
	}
	for _, s := range []string{`[0, -1.5E+7, 1e, 01, -, .5]`, `["\"\\\/\b\f\n\r\t\u00eF", "\x"]`, "[\"\x1f\"]", `[true,false,null,nul]`, `{"a":{"b":[{}]},"c":[]}`, `{"a":1,}`, `{,}`, `[1 2]`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		s := scanner{data: data}
		end := s.value(s.space(0))
		if got, want := end != none && s.space(end) == len(data), json.Valid(data); got != want && s.depth <= maxScanned {
			t.Fatalf("valid: %t, for encoding/json %t", got, want)
		}
		if !json.Valid(data) {
			return
		}
		var want bytes.Buffer
		if err := json.Compact(&want, data); err != nil {
			t.Fatal(err)
		}
		if got := compact(nil, data); !bytes.Equal(got, want.Bytes()) {
			t.Fatalf("compact: %s, for encoding/json %s", got, want.Bytes())
		}
	})
}
