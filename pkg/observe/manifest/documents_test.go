package manifest

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestLines(t *testing.T) {
	for _, tc := range []struct {
		text string
		want []string
	}{
		{"", nil},
		{"a", []string{"a"}},
		{"a\n\nb", []string{"a\n", "\n", "b"}},
		{"a\r\nb\r\n", []string{"a\r\n", "b\r\n"}},
		{"a\rb\n\rc\r\r\n", []string{"a\r", "b\n", "\r", "c\r", "\r\n"}},
		{"é\u0085b\u2028c\u2029d", []string{"é\u0085", "b\u2028", "c\u2029", "d"}},
		{"é\u00a0\u2027\u202a\n\n", []string{"é\u00a0\u2027\u202a\n", "\n"}},
		{"a\xc2", []string{"a\xc2"}},
		{"\xff\xc2\n\xe2\x80\n", []string{"\xff\xc2\n", "\xe2\x80\n"}},
	} {
		var got []string
		for line := range lines([]byte(tc.text)) {
			got = append(got, string(line))
		}
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("lines of %q (-want +got):\n%s", tc.text, diff)
		}
	}
}

// The time to split does not grow faster than what is split, whatever ends lines and
// documents. It takes a second or two; if it were quadratic, an hour, which no run of the
// tests lasts: nothing is timed here, because it depends on the machine.
func TestSplittingIsLinear(t *testing.T) {
	for _, tc := range []struct {
		name, head, line string
		size, want       int
	}{
		{"comments ended by carriage returns", "a: b\r", "#\r", 24 << 20, 1},
		{"comments ended by next lines", "a: b\u0085", "#\u0085", 24 << 20, 1},
		{"JSON, an object a line", "", "{\"a\": {\"b\": []}}\n", 17 << 18, 1 << 18},
	} {
		t.Run(tc.name, func(t *testing.T) {
			data := []byte(tc.head + strings.Repeat(tc.line, tc.size/len(tc.line)))
			n := 0
			for range documents(data, &position{}) {
				n++
			}
			if n != tc.want {
				t.Errorf("%d documents, want %d", n, tc.want)
			}
		})
	}
}

// Documents have the line where they begin, whatever ends lines.
func TestDocumentLines(t *testing.T) {
	stream := podText("a") + "---\n" + podText("b") + "--- # c\n" + podText("c")
	for _, end := range []string{"\n", "\r\n", "\r", "\u0085", "\u2028"} {
		var got []int
		for _, d := range documents([]byte(strings.ReplaceAll(stream, "\n", end)), &position{}) {
			got = append(got, d.line)
		}
		if !slices.Equal(got, []int{1, 7, 14}) {
			t.Errorf("lines %v where %q ends them", got, end)
		}
	}
}
