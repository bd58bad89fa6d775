// Package profile describes the privileges that pods use.
//
// Input is a pod (Of); output is a Profile: one set of observed values per
// attribute of a pod that matters for its privileges. Each value carries its
// evidence, the containers that have it. Join is the union of profiles; Gather is
// a union that keeps track of which profile a value came from. The package decides
// nothing: the engines that read a profile choose ranges, intersections and rules,
// so another engine needs no new observation. What only the whole pod tells, such as
// the privileges that it asks for, is a value too: the verdict of another package.
//
// Laws, each tested:
//   - Join is commutative, associative and idempotent, and the zero Profile ("no
//     pod seen") is its identity.
//   - a.Covers(b) exactly when Join(a, b) equals a.
//   - Gather equals Join but for the evidence.
//   - Of, Join and Gather never change their arguments.
//   - A profile written as JSON and read back is the same.
//
// Values are effective values: the container's own setting, else the pod's. Where a
// field has a legacy annotation, its file says which of them precedes. Unset is a value
// too, except in the attributes that have set values only.
package profile

import (
	"encoding/binary"
	"encoding/json"
	"slices"

	"github.com/psp-advisor/psp-advisor/pkg/podsecurity"
)

// Profile is a set of observed values per attribute. The zero Profile is "no
// pod seen". "Container" below means an init or regular container, and an
// ephemeral one if Options include those.
type Profile struct {
	Privileged               Set[Flag]     // per container
	HostNetwork              Set[Flag]     // per pod; absent means False
	HostPID                  Set[Flag]     // per pod; absent means False
	HostIPC                  Set[Flag]     // per pod; absent means False
	HostPorts                Set[ID]       // host ports above 0
	AllowPrivilegeEscalation Set[Flag]     // per container
	ReadOnlyRootFilesystem   Set[Flag]     // per container
	AddedCapabilities        Set[Name]     // literal spelling
	DroppedCapabilities      Set[Names]    // the drop list of each container, literal
	Volumes                  Set[Name]     // volume types, see ServiceAccountToken
	HostPaths                Set[HostPath] // per volume
	FlexVolumeDrivers        Set[Name]
	CSIDrivers               Set[Name] // inline volumes only
	Sysctls                  Set[Name] // literal spelling
	ProcMount                Set[Name] // per container; absent means Default
	RuntimeClass             Set[Name] // per pod
	SELinux                  Set[SELinux]
	RunAsUser                Set[User]    // per container
	RunAsGroup               Set[ID]      // per container
	FSGroup                  Set[ID]      // per pod
	SupplementalGroups       Set[ID]      // per pod; an absent or empty list is unset
	Seccomp                  Set[Seccomp] // fields and annotations, as admission in 1.24 reads them
	AppArmor                 Set[Name]    // per container, from the annotation

	SeccompField             Set[Seccomp] // seccompProfile fields only, in their own spelling
	AppArmorField            Set[Name]    // appArmorProfile fields, set ones only; unknown to 1.24
	HostProcess              Set[Flag]    // Windows; per container, set ones only
	WindowsUser              Set[Name]    // Windows; set ones only
	HostUsers                Set[Flag]    // per pod, set ones only
	ShareProcessNamespace    Set[Flag]    // per pod, set ones only
	SupplementalGroupsPolicy Set[Name]    // per pod, set ones only
	MountPropagation         Set[Name]    // per mount, set ones only
	ProbeHosts               Set[Name]    // host fields of probes and lifecycle hooks
	SecretEnv                Set[Name]    // names of Secrets in environment variables
	RuntimeUser              Set[Name]    // user in the container status
	EphemeralContainers      Set[Name]    // debug containers, whatever Options say

	// Where values stand in the manifest; see places.go.

	Containers Set[Container] // per container
	Mounts     Set[Mount]     // of hostPath volumes, or with a propagation
	Ports      Set[Port]      // with a host port
	Variables  Set[Variable]  // with a value of a Secret
	Settings   Set[Setting]   // sysctls

	// Verdicts about each pod as a whole, which the sets above cannot tell: a union
	// loses what belongs to the same container.

	Privileges    Set[Name]                // what the pod asks for; see package privilege
	PodPrivileges Set[Names]               // per pod, all that it asks for
	PodSecurity   Set[podsecurity.Verdict] // what Pod Security refuses; see package podsecurity
}

// attribute is a Set without its element type, so that operations on whole
// profiles are written once.
type attribute interface {
	json.Marshaler
	json.Unmarshaler
	// unite makes the set the union of others; see union.
	unite(others []attribute, members bool)
	share(among *sets, hash uint64, uses *[][]Use)
	empty() bool
	same(other attribute) bool // evidence included
	equal(other attribute) bool
	covers(other attribute) bool
	text() []string
	appendKey(key []byte) []byte
}

type row struct {
	name string
	set  attribute
	// beside is true for what no policy restricts: what follows from the other attributes
	// of a pod, and where their values stand.
	beside bool
}

// rows is the only table of attributes; a test compares it with the struct.
func (p *Profile) rows() [43]row {
	return [...]row{
		{name: "privileged", set: &p.Privileged},
		{name: "hostNetwork", set: &p.HostNetwork},
		{name: "hostPID", set: &p.HostPID},
		{name: "hostIPC", set: &p.HostIPC},
		{name: "hostPorts", set: &p.HostPorts},
		{name: "allowPrivilegeEscalation", set: &p.AllowPrivilegeEscalation},
		{name: "readOnlyRootFilesystem", set: &p.ReadOnlyRootFilesystem},
		{name: "addedCapabilities", set: &p.AddedCapabilities},
		{name: "droppedCapabilities", set: &p.DroppedCapabilities},
		{name: "volumes", set: &p.Volumes},
		{name: "hostPaths", set: &p.HostPaths},
		{name: "flexVolumeDrivers", set: &p.FlexVolumeDrivers},
		{name: "csiDrivers", set: &p.CSIDrivers},
		{name: "sysctls", set: &p.Sysctls},
		{name: "procMount", set: &p.ProcMount},
		{name: "runtimeClassName", set: &p.RuntimeClass},
		{name: "seLinuxOptions", set: &p.SELinux},
		{name: "runAsUser", set: &p.RunAsUser},
		{name: "runAsGroup", set: &p.RunAsGroup},
		{name: "fsGroup", set: &p.FSGroup},
		{name: "supplementalGroups", set: &p.SupplementalGroups},
		{name: "seccomp", set: &p.Seccomp},
		{name: "appArmor", set: &p.AppArmor},
		{name: "seccompProfile", set: &p.SeccompField},
		{name: "appArmorProfile", set: &p.AppArmorField},
		{name: "hostProcess", set: &p.HostProcess},
		{name: "runAsUserName", set: &p.WindowsUser},
		{name: "hostUsers", set: &p.HostUsers},
		{name: "shareProcessNamespace", set: &p.ShareProcessNamespace},
		{name: "supplementalGroupsPolicy", set: &p.SupplementalGroupsPolicy},
		{name: "mountPropagation", set: &p.MountPropagation},
		{name: "probeHosts", set: &p.ProbeHosts},
		{name: "secretEnv", set: &p.SecretEnv},
		{name: "runtimeUser", set: &p.RuntimeUser},
		{name: "ephemeralContainers", set: &p.EphemeralContainers},
		{name: "containers", set: &p.Containers, beside: true},
		{name: "mounts", set: &p.Mounts, beside: true},
		{name: "ports", set: &p.Ports, beside: true},
		{name: "variables", set: &p.Variables, beside: true},
		{name: "sysctlSettings", set: &p.Settings, beside: true},
		{name: "privileges", set: &p.Privileges, beside: true},
		{name: "podPrivileges", set: &p.PodPrivileges, beside: true},
		{name: "podSecurity", set: &p.PodSecurity, beside: true},
	}
}

// Attributes returns the names of all attributes that a policy could restrict in their
// canonical order.
func Attributes() []string {
	var names []string
	for _, r := range (&Profile{}).rows() {
		if !r.beside {
			names = append(names, r.name)
		}
	}
	return names
}

// Text returns the values of the named attribute as human-readable text. Different
// values have different texts.
func (p *Profile) Text(attribute string) []string {
	for _, r := range p.rows() {
		if r.name == attribute {
			return r.set.text()
		}
	}
	return nil
}

// Join returns the union of the profiles. Evidence has container names only, so
// containers of the same name in different pods are one.
func Join(profiles ...*Profile) *Profile { return unite(profiles, false) }

// Gather returns the union of the profiles. Evidence has, with each container, the
// index of its profile.
func Gather(profiles ...*Profile) *Profile { return unite(profiles, true) }

// GatherSets returns what Gather makes of one attribute of profiles.
func GatherSets[T Value[T]](sets ...Set[T]) Set[T] { return union(sets, true) }

func unite(profiles []*Profile, members bool) *Profile {
	united := &Profile{}
	switch len(profiles) {
	case 0:
		return united
	case 1:
		return profiles[0]
	}
	rows := united.rows()
	columns := make([]attribute, len(rows)*len(profiles)) // of each row, the set of each profile
	for n, p := range profiles {
		for i, r := range p.rows() {
			columns[i*len(profiles)+n] = r.set
		}
	}
	for i, r := range rows {
		r.set.unite(columns[i*len(profiles):(i+1)*len(profiles)], members)
	}
	return united
}

// Equal reports whether p and o have the same values; evidence is ignored.
func (p *Profile) Equal(o *Profile) bool { return p.all(o, attribute.equal) }

// Covers reports whether p has every value of o: o ⊑ p.
func (p *Profile) Covers(o *Profile) bool { return p.all(o, attribute.covers) }

// same reports whether p and o have the same values and evidence.
func (p *Profile) same(o *Profile) bool { return p.all(o, attribute.same) }

// all reports whether something holds for each attribute of p and the same one of o.
func (p *Profile) all(o *Profile, holds func(own, other attribute) bool) bool {
	others := o.rows()
	for i, r := range p.rows() {
		if !holds(r.set, others[i].set) {
			return false
		}
	}
	return true
}

// appendKey appends a key that two profiles share if and only if their values and
// evidence are the same.
func (p *Profile) appendKey(key []byte) []byte {
	for _, r := range p.rows() {
		key = r.set.appendKey(key)
	}
	return key
}

func (s *Set[T]) unite(others []attribute, members bool) {
	first := others[0].(*Set[T])
	if !members && !slices.ContainsFunc(others, func(o attribute) bool { return o.(*Set[T]).items != first.items }) {
		*s = *first
		return
	}
	sets := make([]Set[T], len(others))
	for i, o := range others {
		sets[i] = *o.(*Set[T])
	}
	*s = union(sets, members)
}

func (s *Set[T]) empty() bool                 { return s.items == nil }
func (s *Set[T]) same(other attribute) bool   { return s.isSame(*other.(*Set[T])) }
func (s *Set[T]) equal(other attribute) bool  { return s.Equal(*other.(*Set[T])) }
func (s *Set[T]) covers(other attribute) bool { return s.Covers(*other.(*Set[T])) }

func (s *Set[T]) text() []string {
	var list []string
	for _, it := range s.Items() {
		list = append(list, it.Value.String())
	}
	return list
}

func (s *Set[T]) appendKey(key []byte) []byte {
	key = binary.AppendUvarint(key, uint64(s.Len())) //nolint:gosec // a length
	items := s.Items()
	for i := range items {
		it := &items[i]
		begin := len(key)
		key = append(key, 0, 0, 0, 0) // the length of the text, which is not known yet
		key = it.Value.Append(key)
		binary.BigEndian.PutUint32(key[begin:], uint32(len(key)-begin)) //nolint:gosec // far below 4 GiB
		key = binary.AppendUvarint(key, uint64(len(it.Uses)))
		for _, u := range it.Uses {
			key = binary.AppendUvarint(key, uint64(u.Member)) //nolint:gosec // an index
			key = appendText(key, u.Container)
		}
	}
	return key
}

// appendText appends a text with its length, so that no two lists of texts have
// the same key.
func appendText(key []byte, text string) []byte {
	return append(binary.AppendUvarint(key, uint64(len(text))), text...)
}
