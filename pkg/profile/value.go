package profile

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// The texts of an unset attribute and of an empty list.
const (
	unset = "unset"
	none  = "none"
)

// appendQuoted is strconv.AppendQuote, which looks at each character for longer.
func appendQuoted(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || '~' < c || c == '"' || c == '\\' {
			return strconv.AppendQuote(b, s)
		}
	}
	return append(append(append(b, '"'), s...), '"')
}

// Flag is an optional boolean field: unset is a value too.
type Flag int8

// The states of a Flag.
const (
	Unset Flag = iota
	False
	True
)

// flagOf returns the value of an optional boolean field.
func flagOf(b *bool) Flag {
	switch {
	case b == nil:
		return Unset
	case *b:
		return True
	default:
		return False
	}
}

// Compare orders Unset, False, True.
func (f Flag) Compare(o Flag) int { return cmp.Compare(f, o) }

// Append appends the text of the flag.
func (f Flag) Append(b []byte) []byte { return append(b, f.String()...) }

func (f Flag) String() string {
	return [...]string{unset, "false", "true"}[f]
}

// ID is an optional user, group or port number.
type ID struct {
	Set    bool
	Number int64
}

// idOf returns the value of an optional number.
func idOf(n *int64) ID {
	if n == nil {
		return ID{}
	}
	return ID{Set: true, Number: *n}
}

// Compare orders unset before the numbers.
func (i ID) Compare(o ID) int {
	if i.Set != o.Set {
		if o.Set {
			return -1
		}
		return 1
	}
	return cmp.Compare(i.Number, o.Number)
}

// Append appends the text of the number.
func (i ID) Append(b []byte) []byte {
	if !i.Set {
		return append(b, unset...)
	}
	return strconv.AppendInt(b, i.Number, 10)
}

func (i ID) String() string { return string(i.Append(nil)) }

// Name is a string as spelled in the pod; the empty Name means unset.
type Name string

// Compare orders names bytewise.
func (n Name) Compare(o Name) int { return strings.Compare(string(n), string(o)) }

// Append appends the text of the name.
func (n Name) Append(b []byte) []byte { return append(b, n.String()...) }

// String quotes a name that could be mistaken for another value, so that
// different values never have the same text.
func (n Name) String() string {
	switch {
	case n == "":
		return unset
	case n == unset, n == none, strings.ContainsAny(string(n), `",;`):
		return strconv.Quote(string(n))
	default:
		return string(n)
	}
}

// Names is a sorted list of distinct strings that are one value, such as the
// capabilities that one container drops.
type Names []string

// namesOf returns the distinct elements of list, sorted.
func namesOf[S ~string](list []S) Names {
	names := make(Names, 0, len(list))
	for _, s := range list {
		names = append(names, string(s))
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Compare orders lists element by element.
func (n Names) Compare(o Names) int { return slices.Compare(n, o) }

// Append appends the text of the list.
func (n Names) Append(b []byte) []byte {
	if len(n) == 0 {
		return append(b, none...)
	}
	for i, s := range n {
		if i > 0 {
			b = append(b, ", "...)
		}
		b = Name(s).Append(b)
	}
	return b
}

func (n Names) String() string { return string(n.Append(nil)) }
