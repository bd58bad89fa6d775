package profile

import (
	"strconv"
	"testing"
)

// tricky are strings that could be taken for something else when written.
var tricky = []string{
	"", "a", "b", "a b", "a, b", "a,b", `"a"`, `"a, b"`, `a" "b`, "unset", `"unset"`, "none", `"none"`, "a; containers b", "; containers",
	"a\nb", `a\nb`, "\x1b[31m", "\xff", `\xff`, "�", "{}", "pod a", " ", "true", "0",
}

// Different values never print the same: the text is what profiles are interned
// by.
func TestStringsTellValuesApart(t *testing.T) {
	var names []Name
	lists := []Names{{}}
	var paths []HostPath
	options := []SELinuxOptions{{}, {Set: true}}
	for _, s := range tricky {
		names = append(names, Name(s))
		paths = append(paths, HostPath{Path: s}, HostPath{Path: s, Writable: true})
		lists = append(lists, Names{s})
		options = append(options, SELinuxOptions{Set: true, User: s}, SELinuxOptions{Set: true, Level: s},
			SELinuxOptions{Set: true, User: "a", Role: s})
		for _, o := range tricky {
			lists = append(lists, namesOf([]string{s, o}))
		}
	}
	var seccomps []Seccomp
	var selinuxes []SELinux
	for _, n := range names {
		for i := 0; i < len(lists); i += 3 {
			seccomps = append(seccomps, Seccomp{Pod: n, Containers: lists[i]})
		}
	}
	for _, o := range options {
		selinuxes = append(selinuxes, SELinux{Pod: o}, SELinux{Pod: o, Containers: []SELinuxOptions{o}},
			SELinux{Containers: []SELinuxOptions{{}, o}}, SELinux{Containers: []SELinuxOptions{o}})
	}
	var users []User
	ids := []ID{{}, {Set: true}, {Set: true, Number: 1}, {Set: true, Number: -1}, {Set: true, Number: 10}}
	for _, id := range ids {
		for _, f := range []Flag{Unset, False, True} {
			users = append(users, User{UID: id, NonRoot: f})
		}
	}
	t.Run("Flag", func(t *testing.T) { tellApart(t, []Flag{Unset, False, True}) })
	t.Run("ID", func(t *testing.T) { tellApart(t, ids) })
	t.Run("Name", func(t *testing.T) { tellApart(t, names) })
	t.Run("Names", func(t *testing.T) { tellApart(t, lists) })
	t.Run("HostPath", func(t *testing.T) { tellApart(t, paths) })
	t.Run("User", func(t *testing.T) { tellApart(t, users) })
	t.Run("Seccomp", func(t *testing.T) { tellApart(t, seccomps) })
	t.Run("SELinux", func(t *testing.T) { tellApart(t, selinuxes) })
}

// tellApart checks that values have the same text exactly when they are the
// same, and that Compare is an order.
func tellApart[T Value[T]](t *testing.T, values []T) {
	t.Helper()
	byText := map[string]T{}
	for _, v := range values {
		text := v.String()
		if o, ok := byText[text]; ok && v.Compare(o) != 0 {
			t.Errorf("%#v and %#v both print %s", v, o, text)
		}
		byText[text] = v
		if v.Compare(v) != 0 {
			t.Errorf("%#v is not equal to itself", v)
		}
	}
	set := SetOf(values...)
	if set.Len() != len(byText) {
		t.Errorf("%d distinct values, %d distinct texts", set.Len(), len(byText))
	}
	sorted := set.Values()
	step := 1 + len(sorted)/150 // all pairs of a long list take too long
	for i := 0; i < len(sorted); i += step {
		for j := 0; j < len(sorted); j += step {
			a, b := sorted[i], sorted[j]
			if sign(a.Compare(b)) != sign(i-j) {
				t.Fatalf("Compare(%v, %v) = %d, but they stand at %d and %d", a, b, a.Compare(b), i, j)
			}
		}
	}
}

func sign(n int) int { return min(1, max(-1, n)) }

func TestAppendQuoted(t *testing.T) {
	for _, s := range append(tricky, "~ \x7f", "é", `\`, "\u2028") {
		if got, want := string(appendQuoted([]byte("x"), s)), "x"+strconv.Quote(s); got != want {
			t.Errorf("quoted %s, want %s", got, want)
		}
	}
}
