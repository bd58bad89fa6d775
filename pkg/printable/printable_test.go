package printable

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

var cases = []struct{ name, in, want string }{
	{"plain", "Deployment/web", "Deployment/web"},
	{"letters of the world", "Grüße 世界", "Grüße 世界"},
	{"hash, quotes and backslash", `a # "b" \n`, `a # "b" \n`},
	{"new line", "a\n---\nkind: Role", `a\n---\nkind: Role`},
	{"carriage return", "a\rb", `a\rb`},
	{"unicode line ends", "a\u2028b\u2029c\u0085d", `a\u2028b\u2029c\u0085d`},
	{"terminal escape", "\x1b[2Ja", `\x1b[2Ja`},
	{"one-byte escape", "a\u009b2Jb", `a\u009b2Jb`},
	{"text that runs backwards", "a\u202eb", `a\u202eb`},
	{"zero width", "a\u200bb\ufeff", `a\u200bb\ufeff`},
	{"not a character", "a\ufffeb", `a\ufffeb`},
	{"tab and null", "a\tb\x00", `a\tb\x00`},
	{"no text", "\xff\xfe", `\xff\xfe`},
	{"the replacement character", "\ufffd", "\ufffd"},
	{"a tag", "\U000e0041", `\U000e0041`},
	{"letters and marks that are invisible", "a\u3164b\ufe0fc\u034f", `a\u3164b\ufe0fc\u034f`},
	{"empty", "", ""},
}

func TestText(t *testing.T) {
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, Text(tc.in)); diff != "" {
				t.Errorf("text (-want +got):\n%s", diff)
			}
		})
	}
}

func TestShort(t *testing.T) {
	for _, tc := range []struct{ in, want string }{
		{"abc", "abc"},
		{"abcd", "abc…"},
		{strings.Repeat("é", 100), "ééé…"},
		{strings.Repeat("\n", 100), `\n\…`},
		{strings.Repeat("😀", 4), "😀😀😀…"},
	} {
		if got := Short(tc.in, 3); got != tc.want {
			t.Errorf("Short(%q) = %q, want %q", tc.in, got, tc.want)
		}
	}
	if got, want := Line(" a\n\tb\x00 ", 10), `a b\x00`; got != want {
		t.Errorf("Line is %q, want %q", got, want)
	}
}

func printable(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return !IsPrint(r) })
}

func FuzzText(f *testing.F) {
	for _, tc := range cases {
		f.Add(tc.in)
	}
	f.Fuzz(func(t *testing.T, s string) {
		text := Text(s)
		if !printable(text) || Text(text) != text {
			t.Errorf("Text(%q) = %q", s, text)
		}
		if short := Short(s, 20); !printable(short) || utf8.RuneCountInString(short) > 21 {
			t.Errorf("Short(%q) = %q", s, short)
		}
	})
}

func FuzzJSON(f *testing.F) {
	for _, tc := range cases {
		f.Add(tc.in)
	}
	f.Fuzz(func(t *testing.T, s string) {
		data, err := json.Marshal(map[string]string{s: s})
		if err != nil {
			t.Fatal(err)
		}
		escaped := JSON(data)
		if !printable(string(escaped)) {
			t.Errorf("not printable: %q", escaped)
		}
		var before, after map[string]string
		if err := json.Unmarshal(data, &before); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(escaped, &after); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(before, after); diff != "" {
			t.Errorf("it means something else (-before +after):\n%s", diff)
		}
	})
}
