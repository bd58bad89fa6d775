package profile

import "cmp"

/*
Observed fields:

	spec.containers[*].securityContext.runAsUser
	spec.containers[*].securityContext.runAsNonRoot
	spec.securityContext.runAsUser
	spec.securityContext.runAsNonRoot

Values: a User per container, each field the container's own, else the pod's.
*/

// User is the user that a container runs as. One value has both fields, because
// admission considers them together.
type User struct {
	UID     ID   `json:"runAsUser"`
	NonRoot Flag `json:"runAsNonRoot"`
}

func (c container) user() User {
	return User{
		UID:     idOf(either(c.sc.RunAsUser, c.podSC.RunAsUser)),
		NonRoot: flagOf(either(c.sc.RunAsNonRoot, c.podSC.RunAsNonRoot)),
	}
}

// Compare orders by user number, then by runAsNonRoot.
func (u User) Compare(o User) int {
	return cmp.Or(u.UID.Compare(o.UID), u.NonRoot.Compare(o.NonRoot))
}

// Append appends the text of the user.
func (u User) Append(b []byte) []byte {
	b = u.UID.Append(append(b, "runAsUser "...))
	return u.NonRoot.Append(append(b, ", runAsNonRoot "...))
}

func (u User) String() string { return string(u.Append(nil)) }
