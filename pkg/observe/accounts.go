package observe

import (
	"github.com/psp-advisor/psp-advisor/pkg/aggregate"
	"github.com/psp-advisor/psp-advisor/pkg/profile"
	corev1 "k8s.io/api/core/v1"
)

// Accounts is the set of service accounts that opt out of token volumes.
type Accounts map[aggregate.Account]bool

// OptsOut reports whether a service account opts out of token volumes.
func OptsOut(account *corev1.ServiceAccount) bool {
	return account.AutomountServiceAccountToken != nil && !*account.AutomountServiceAccountToken
}

// completion completes the profiles of records, each once.
type completion struct {
	accounts Accounts
	interner *profile.Interner
	with     map[*profile.Profile]*profile.Profile
}

// profile returns the profile of the record with the token volume that admission
// adds, if any.
func (c completion) profile(r *Record) *profile.Profile {
	optedOut := c.accounts[aggregate.Account{Namespace: r.Namespace, Name: r.ServiceAccount}]
	if r.Token == NoToken || (r.Token == TokenByAccount && optedOut) {
		return r.Profile
	}
	with, ok := c.with[r.Profile]
	if !ok {
		with = c.interner.WithVolume(r.Profile, profile.ServiceAccountToken)
		c.with[r.Profile] = with
	}
	return with
}
