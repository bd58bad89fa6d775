// Package profile says what a pod was seen to use.
//
// A Profile is a struct of sets of observed values, one set per attribute of a
// pod that matters for its privileges. Of reads one pod; Join is the union of
// two profiles. Nothing is decided here: ranges, intersections and rules are the
// business of the engines that read a profile, so that another engine needs no
// new observation.
//
// Laws, each tested:
//   - Join is commutative, associative and idempotent, and the zero Profile ("no
//     pod seen") is its identity.
//   - a.Covers(b) exactly when Join(a, b) equals a.
//   - Of and Join never change their arguments.
//
// Values are effective values: the container's own setting, else the pod's; the
// field, else the legacy annotation. Unset is a value as well.
package profile

import (
	"encoding/binary"
	"encoding/json"
)

// Profile is a set of observed values per attribute. The zero Profile is "no
// pod seen". "Container" below means init, regular and, when asked for,
// ephemeral container.
type Profile struct {
	Privileged               Set[Flag]     // per container
	HostNetwork              Set[Flag]     // per pod; absent counts as False
	HostPID                  Set[Flag]     // per pod; absent counts as False
	HostIPC                  Set[Flag]     // per pod; absent counts as False
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
	ProcMount                Set[Name] // per container; absent counts as Default
	RuntimeClass             Set[Name] // per pod
	SELinux                  Set[SELinux]
	RunAsUser                Set[User] // per container
	RunAsGroup               Set[ID]   // per container
	FSGroup                  Set[ID]   // per pod
	SupplementalGroups       Set[ID]   // per pod; an absent or empty list is one unset value
	Seccomp                  Set[Seccomp]
	AppArmor                 Set[Name] // per container, from the annotation

	// What a PodSecurityPolicy cannot say.

	AppArmorField            Set[Name] // appArmorProfile fields, which 1.24 does not know
	HostProcess              Set[Flag] // Windows; per container, set ones only
	WindowsUser              Set[Name] // Windows; set ones only
	HostUsers                Set[Flag] // per pod, set ones only
	ShareProcessNamespace    Set[Flag] // per pod, set ones only
	SupplementalGroupsPolicy Set[Name] // per pod, set ones only
	MountPropagation         Set[Name] // per mount, set ones only
	ProbeHosts               Set[Name] // hosts that probes and lifecycle hooks name
	SecretEnv                Set[Name] // names of Secrets that reach an environment
	RuntimeUser              Set[Name] // what the server reports of the running user
	EphemeralContainers      Set[Name] // debug containers, whether or not they count
}

// Attribute is one attribute of a profile as text, for people and reports.
type Attribute struct {
	Name   string           `json:"name"`
	Values []AttributeValue `json:"values"`
}

// AttributeValue is one observed value and the first containers that use it, at
// most four, sorted.
type AttributeValue struct {
	Value      string   `json:"value"`
	Containers []string `json:"containers,omitempty"`
}

// attribute is a set without its element type, so that the operations on whole
// profiles are written once.
type attribute interface {
	join(other any)
	equal(other any) bool
	covers(other any) bool
	values() []AttributeValue
	appendKey(key []byte) []byte
}

type row struct {
	name string
	set  attribute
}

// rows is the one table of attributes; a test holds it against the struct.
func (p *Profile) rows() [34]row {
	return [...]row{
		{"privileged", &p.Privileged},
		{"hostNetwork", &p.HostNetwork},
		{"hostPID", &p.HostPID},
		{"hostIPC", &p.HostIPC},
		{"hostPorts", &p.HostPorts},
		{"allowPrivilegeEscalation", &p.AllowPrivilegeEscalation},
		{"readOnlyRootFilesystem", &p.ReadOnlyRootFilesystem},
		{"addedCapabilities", &p.AddedCapabilities},
		{"droppedCapabilities", &p.DroppedCapabilities},
		{"volumes", &p.Volumes},
		{"hostPaths", &p.HostPaths},
		{"flexVolumeDrivers", &p.FlexVolumeDrivers},
		{"csiDrivers", &p.CSIDrivers},
		{"sysctls", &p.Sysctls},
		{"procMount", &p.ProcMount},
		{"runtimeClassName", &p.RuntimeClass},
		{"seLinuxOptions", &p.SELinux},
		{"runAsUser", &p.RunAsUser},
		{"runAsGroup", &p.RunAsGroup},
		{"fsGroup", &p.FSGroup},
		{"supplementalGroups", &p.SupplementalGroups},
		{"seccompProfile", &p.Seccomp},
		{"appArmor", &p.AppArmor},
		{"appArmorProfile", &p.AppArmorField},
		{"hostProcess", &p.HostProcess},
		{"runAsUserName", &p.WindowsUser},
		{"hostUsers", &p.HostUsers},
		{"shareProcessNamespace", &p.ShareProcessNamespace},
		{"supplementalGroupsPolicy", &p.SupplementalGroupsPolicy},
		{"mountPropagation", &p.MountPropagation},
		{"probeHosts", &p.ProbeHosts},
		{"secretEnv", &p.SecretEnv},
		{"runtimeUser", &p.RuntimeUser},
		{"ephemeralContainers", &p.EphemeralContainers},
	}
}

// Join returns what a and b were seen to use, taken together.
func Join(a, b *Profile) *Profile {
	joined := *a
	others := b.rows()
	for i, r := range joined.rows() {
		r.set.join(others[i].set)
	}
	return &joined
}

// Equal reports whether p and o hold the same values; evidence does not count.
func (p *Profile) Equal(o *Profile) bool {
	others := o.rows()
	for i, r := range p.rows() {
		if !r.set.equal(others[i].set) {
			return false
		}
	}
	return true
}

// Covers reports whether p holds every value of o: o ⊑ p.
func (p *Profile) Covers(o *Profile) bool {
	others := o.rows()
	for i, r := range p.rows() {
		if !r.set.covers(others[i].set) {
			return false
		}
	}
	return true
}

// Attributes returns the attributes that have a value, in a fixed order.
func (p *Profile) Attributes() []Attribute {
	var list []Attribute
	for _, r := range p.rows() {
		if values := r.set.values(); len(values) > 0 {
			list = append(list, Attribute{Name: r.name, Values: values})
		}
	}
	return list
}

// MarshalJSON writes the attributes that have a value.
func (p *Profile) MarshalJSON() ([]byte, error) { return json.Marshal(p.Attributes()) }

// appendKey appends what is the same for two profiles exactly when values and
// evidence are.
func (p *Profile) appendKey(key []byte) []byte {
	for _, r := range p.rows() {
		key = r.set.appendKey(key)
	}
	return key
}

func (s *Set[T]) join(other any)        { *s = s.Union(*other.(*Set[T])) }
func (s *Set[T]) equal(other any) bool  { return s.Equal(*other.(*Set[T])) }
func (s *Set[T]) covers(other any) bool { return s.Covers(*other.(*Set[T])) }

func (s *Set[T]) values() []AttributeValue {
	var list []AttributeValue
	for _, it := range s.items {
		list = append(list, AttributeValue{Value: it.Value.String(), Containers: it.Containers})
	}
	return list
}

func (s *Set[T]) appendKey(key []byte) []byte {
	key = binary.AppendUvarint(key, uint64(len(s.items)))
	for _, it := range s.items {
		key = appendText(key, it.Value.String())
		key = binary.AppendUvarint(key, uint64(len(it.Containers)))
		for _, c := range it.Containers {
			key = appendText(key, c)
		}
	}
	return key
}

// appendText appends a text with its length, so that no two lists of texts look
// the same.
func appendText(key []byte, text string) []byte {
	return append(binary.AppendUvarint(key, uint64(len(text))), text...)
}
