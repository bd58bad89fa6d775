package profile

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func ids(numbers ...int64) Set[ID] {
	var s Set[ID]
	for _, n := range numbers {
		s.add(ID{Set: true, Number: n}, fmt.Sprint("c", n))
	}
	return s
}

func TestSet(t *testing.T) {
	one := func(id ID) bool { return id.Number == 1 }
	for _, tc := range []struct {
		name     string
		set      Set[ID]
		len      int
		has      bool // 1
		any, all bool // is 1
	}{
		{"empty meets no demand", ids(), 0, false, false, false},
		{"the one", ids(1), 1, true, true, true},
		{"another", ids(2), 1, false, false, false},
		{"both", ids(2, 1, 2), 2, true, true, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if tc.set.Len() != tc.len || tc.set.Has(ID{Set: true, Number: 1}) != tc.has || tc.set.Any(one) != tc.any || tc.set.All(one) != tc.all {
				t.Errorf("Len %d, Has %t, Any %t, All %t; want %d, %t, %t, %t", tc.set.Len(), tc.set.Has(ID{Set: true, Number: 1}),
					tc.set.Any(one), tc.set.All(one), tc.len, tc.has, tc.any, tc.all)
			}
		})
	}
}

func TestUnion(t *testing.T) {
	for _, tc := range []struct{ name, a, b, want string }{
		{"empty", "", "", ""},
		{"left only", "1", "", "1 by c1;"},
		{"right only", "", "1", "1 by c1;"},
		{"interleaved", "135", "246", "1 by c1;2 by c2;3 by c3;4 by c4;5 by c5;6 by c6;"},
		{"same", "12", "12", "1 by c1;2 by c2;"},
		{"one in the other", "123", "2", "1 by c1;2 by c2;3 by c3;"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a, b := digits(tc.a), digits(tc.b)
			p := &Profile{HostPorts: union([]Set[ID]{a, b}, false)}
			got := ""
			for _, line := range show(p, "hostPorts") {
				got += line + ";"
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("union (-want +got):\n%s", diff)
			}
			if !a.Equal(digits(tc.a)) || !b.Equal(digits(tc.b)) {
				t.Error("Union changed an operand")
			}
		})
	}
}

func digits(text string) Set[ID] {
	var numbers []int64
	for _, r := range text {
		numbers = append(numbers, int64(r-'0'))
	}
	return ids(numbers...)
}

// A union shares no memory that a later one writes to.
func TestUnionsDoNotShare(t *testing.T) {
	join := func(sets ...Set[ID]) Set[ID] { return union(sets, false) }
	base := join(ids(1, 2), ids(3))
	left, right := join(base, ids(4)), join(base, ids(5))
	if !left.Equal(ids(1, 2, 3, 4)) || !right.Equal(ids(1, 2, 3, 5)) || !base.Equal(ids(1, 2, 3)) {
		t.Errorf("unions of one base mix: %v, %v, %v", base.Values(), left.Values(), right.Values())
	}
}

func TestMap(t *testing.T) {
	odd := Map(ids(1, 2, 3, 4, 6), func(id ID) Flag { return presence(id.Number%2 == 1) })
	want := []Item[Flag]{
		{False, []Use{{Container: "c2"}, {Container: "c4"}, {Container: "c6"}}},
		{True, []Use{{Container: "c1"}, {Container: "c3"}}},
	}
	if diff := cmp.Diff(want, odd.Items()); diff != "" {
		t.Errorf("mapped (-want +got):\n%s", diff)
	}
}
