package profile

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	kjson "sigs.k8s.io/json"
)

// The JSON of a profile is an object with one field per attribute that has values,
// in a fixed order. A field is a list of items: a value, of the type of the
// attribute, and the containers that have it.
//
//	{"privileged": [{"value": null, "containers": ["web"]}],
//	 "hostPaths": [{"value": {"path": "/var/log", "writable": false}}]}
//
// null is an unset value.

// item is the JSON of an Item. It has no members: only containers.
type item struct {
	Value      json.RawMessage `json:"value"`
	Containers []string        `json:"containers,omitempty"`
}

// MarshalJSON implements json.Marshaler.
func (p *Profile) MarshalJSON() ([]byte, error) {
	out := []byte("{")
	for _, r := range p.rows() {
		value, err := r.set.MarshalJSON()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", r.name, err)
		}
		if string(value) == "[]" {
			continue
		}
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(append(fmt.Appendf(out, "%q", r.name), ':'), value...)
	}
	return append(out, '}'), nil
}

// UnmarshalJSON implements json.Unmarshaler. An unknown attribute is an error: it
// would be lost.
func (p *Profile) UnmarshalJSON(data []byte) error {
	var fields map[string]json.RawMessage
	if err := strict(data, &fields); err != nil {
		return err
	}
	*p = Profile{}
	for _, r := range p.rows() {
		if value, ok := fields[r.name]; ok {
			if err := r.set.UnmarshalJSON(value); err != nil {
				return fmt.Errorf("%s: %w", r.name, err)
			}
			delete(fields, r.name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		return fmt.Errorf("%s: unknown attribute", name)
	}
	return nil
}

// MarshalJSON implements json.Marshaler.
func (s *Set[T]) MarshalJSON() ([]byte, error) {
	items := make([]item, 0, s.Len())
	for _, it := range s.Items() {
		value, err := json.Marshal(it.Value)
		if err != nil {
			return nil, err //nolint:wrapcheck // wrapped with the attribute's name
		}
		items = append(items, item{value, Containers(it.Uses)})
	}
	return json.Marshal(items)
}

// UnmarshalJSON implements json.Unmarshaler.
func (s *Set[T]) UnmarshalJSON(data []byte) error {
	var items []item
	if err := strict(data, &items); err != nil {
		return err
	}
	*s = Set[T]{}
	for i, it := range items {
		var value T
		if len(it.Value) == 0 {
			return fmt.Errorf("[%d]: value: required", i)
		}
		if err := strict(it.Value, &value); err != nil {
			return fmt.Errorf("[%d]: value: %w", i, err)
		}
		s.add(value, "")
		for _, c := range it.Containers {
			s.add(value, c)
		}
	}
	return nil
}

// strict decodes data. A field that is unknown, given twice or in another case is an
// error.
func strict(data []byte, into any) error {
	problems, err := kjson.UnmarshalStrict(data, into)
	if err == nil && len(problems) > 0 {
		err = problems[0]
	}
	return err //nolint:wrapcheck // the decoder names the place
}

// MarshalJSON writes true, false or null.
func (f Flag) MarshalJSON() ([]byte, error) {
	if f == Unset {
		return []byte("null"), nil
	}
	return json.Marshal(f == True)
}

// UnmarshalJSON implements json.Unmarshaler.
func (f *Flag) UnmarshalJSON(data []byte) error {
	var b *bool
	err := json.Unmarshal(data, &b)
	*f = flagOf(b)
	return err //nolint:wrapcheck // the decoder names the place
}

// MarshalJSON writes a number or null.
func (i ID) MarshalJSON() ([]byte, error) {
	if !i.Set {
		return []byte("null"), nil
	}
	return json.Marshal(i.Number)
}

// UnmarshalJSON implements json.Unmarshaler.
func (i *ID) UnmarshalJSON(data []byte) error {
	var n *int64
	err := json.Unmarshal(data, &n)
	*i = idOf(n)
	return err //nolint:wrapcheck // the decoder names the place
}

// MarshalJSON writes a string, or null for the empty one.
func (n Name) MarshalJSON() ([]byte, error) {
	if n == "" {
		return []byte("null"), nil
	}
	return json.Marshal(string(n))
}

// UnmarshalJSON implements json.Unmarshaler.
func (n *Name) UnmarshalJSON(data []byte) error {
	var s *string
	err := json.Unmarshal(data, &s)
	*n = nameOf(s)
	return err //nolint:wrapcheck // the decoder names the place
}

// MarshalJSON writes a list, never null.
func (n Names) MarshalJSON() ([]byte, error) {
	if n == nil {
		return []byte("[]"), nil
	}
	return json.Marshal([]string(n))
}

// UnmarshalJSON implements json.Unmarshaler.
func (n *Names) UnmarshalJSON(data []byte) error {
	var list []string
	err := json.Unmarshal(data, &list)
	*n = namesOf(list)
	return err //nolint:wrapcheck // the decoder names the place
}

// seLinuxFields is the JSON of SELinuxOptions.
type seLinuxFields struct {
	User  string `json:"user,omitempty"`
	Role  string `json:"role,omitempty"`
	Type  string `json:"type,omitempty"`
	Level string `json:"level,omitempty"`
}

// MarshalJSON writes an object, or null if no options are set.
func (s SELinuxOptions) MarshalJSON() ([]byte, error) {
	if !s.Set {
		return []byte("null"), nil
	}
	return json.Marshal(seLinuxFields{s.User, s.Role, s.Type, s.Level})
}

// UnmarshalJSON implements json.Unmarshaler.
func (s *SELinuxOptions) UnmarshalJSON(data []byte) error {
	var f *seLinuxFields
	if err := strict(data, &f); err != nil {
		return err
	}
	*s = SELinuxOptions{}
	if f != nil {
		*s = SELinuxOptions{Set: true, User: f.User, Role: f.Role, Type: f.Type, Level: f.Level}
	}
	return nil
}
