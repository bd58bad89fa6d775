package profile

import (
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/psp-advisor/psp-advisor/pkg/profile/podtest"
	corev1 "k8s.io/api/core/v1"
)

func TestIntern(t *testing.T) {
	var in Interner
	plain := in.Intern(Of(podtest.Pod(), Options{}))
	if got := in.Intern(Of(podtest.Pod(), Options{})); got != plain {
		t.Error("equal profiles are not made one")
	}
	hostNetwork := in.Intern(Of(podtest.Pod(func(p *corev1.Pod) { p.Spec.HostNetwork = true }), Options{}))
	if hostNetwork == plain {
		t.Error("different profiles are made one")
	}
	renamed := podtest.Pod()
	renamed.Spec.Containers[0].Name = "d"
	if in.Intern(Of(renamed, Options{})) == plain {
		t.Error("profiles with different evidence are made one")
	}
	if in.Len() > 3 {
		t.Errorf("%d profiles held, want at most 3", in.Len())
	}
	runtime.KeepAlive(plain)
	runtime.KeepAlive(hostNetwork)
}

func TestInternerForgets(t *testing.T) {
	var in Interner
	kept := in.Intern(Of(podtest.Pod(), Options{}))
	for i := range 100 {
		in.Intern(Of(podtest.Pod(func(p *corev1.Pod) {
			p.Spec.Containers[0].Ports = []corev1.ContainerPort{{HostPort: int32(1 + i)}}
		}), Options{}))
	}
	for deadline := time.Now().Add(time.Minute); in.Len() > 1 && time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		runtime.GC()
	}
	if in.Len() != 1 {
		t.Errorf("%d profiles held, of which one is in use", in.Len())
	}
	if got := in.Intern(Of(podtest.Pod(), Options{})); got != kept {
		t.Error("the profile in use was forgotten")
	}
	runtime.KeepAlive(kept)
}

// Interning changes nothing but which of equal sets a profile has, and whatever profiles
// have in common is one.
func TestInternerSharesSets(t *testing.T) {
	r := podtest.Rand(t)
	var in *Interner
	var items map[string]any
	shared, different := 0, 0
	for n := range rounds {
		// As few as have fewer sets than are kept, or some are forgotten.
		if n%(maxSets/len((&Profile{}).rows())) == 0 {
			in, items = &Interner{}, map[string]any{}
		}
		p := Of(podtest.Random(r), Options{EphemeralContainers: podtest.Pick(r, true, false), Template: podtest.Pick(r, true, false)})
		want := p.key()
		p = in.Intern(p)
		if got := p.key(); got != want {
			t.Fatalf("an interned profile has the key %q, want %q", got, want)
		}
		known := func(key string, now any) {
			before, ok := items[key]
			if ok && before != now {
				t.Fatalf("equal sets are not one: %q", key)
			}
			if ok {
				shared++
			} else {
				different++
			}
			items[key] = now
		}
		known(string(p.Privileged.appendKey([]byte("flags"))), p.Privileged.items)
		known(string(p.HostNetwork.appendKey([]byte("flags"))), p.HostNetwork.items)
		known(string(p.Volumes.appendKey([]byte("names"))), p.Volumes.items)
		known(string(p.Containers.appendKey([]byte("containers"))), p.Containers.items)
	}
	if shared < rounds || different < rounds/10 {
		t.Errorf("%d different sets, %d that are shared: the test sees too little", different, shared)
	}
}

// What the interner remembers of sets is bounded.
func TestSetsAreBounded(t *testing.T) {
	var s sets
	for i := range 3 * maxSets {
		s.keep(setKey{hash: uint64(i)}, i)
	}
	if n := len(s.recent) + len(s.older); n > 2*maxSets {
		t.Errorf("%d sets are kept, want at most %d", n, 2*maxSets)
	}
	last := 3*maxSets - 1
	if got := s.find(setKey{hash: uint64(last)}); got != last {
		t.Errorf("the last set is %v", got)
	}
	if got := s.find(setKey{}); got != nil {
		t.Errorf("the first set is still kept: %v", got)
	}
}

func TestInternerIsSafe(t *testing.T) {
	var in Interner
	var wg sync.WaitGroup
	got := make([]*Profile, 8)
	for i := range got {
		wg.Go(func() {
			for n := range 50 {
				in.Intern(Of(podtest.Pod(func(p *corev1.Pod) {
					p.Spec.Containers[0].Ports = []corev1.ContainerPort{{HostPort: int32(1 + n)}}
				}), Options{}))
			}
			got[i] = in.Intern(Of(podtest.Pod(), Options{}))
		})
	}
	wg.Wait()
	for _, p := range got {
		if p != got[0] {
			t.Fatal("goroutines got different profiles for one")
		}
	}
}

// The key tells profiles apart that differ in values or evidence only.
func TestKeysTellProfilesApart(t *testing.T) {
	r := podtest.Rand(t)
	texts := map[string]string{}
	for range rounds {
		p := Of(podtest.Random(r), Options{})
		key, text := p.key(), attributes(t, p)
		if known, ok := texts[key]; ok && known != text {
			t.Fatalf("one key for two profiles:\n%s\n%s", known, text)
		}
		texts[key] = text
	}
	for _, pair := range [][2]*Profile{
		{named("a", "b c"), named("a", "b", "c")},
		{named("a", `b""c`), named("a", "b", "c")},
		{named(`a" "b`), named("a", "b")},
		{{HostUsers: SetOf(True)}, {ShareProcessNamespace: SetOf(True)}},
	} {
		if pair[0].key() == pair[1].key() {
			t.Errorf("one key for two profiles: %s", pair[0].key())
		}
	}
}

func named(value string, containers ...string) *Profile {
	p := &Profile{}
	p.Volumes.add(Name(value), "")
	for _, c := range containers {
		p.Volumes.add(Name(value), c)
	}
	return p
}

// key is the profile's key as a value to compare.
func (p *Profile) key() string { return string(p.appendKey(nil)) }
