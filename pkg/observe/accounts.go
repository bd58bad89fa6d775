package observe

import (
	"github.com/psp-advisor/psp-advisor/pkg/aggregate"
	"github.com/psp-advisor/psp-advisor/pkg/profile"
)

// Accounts holds the service accounts that opt out of token volumes; any other
// account gets them.
type Accounts map[aggregate.Account]bool

// complete returns the record's profile with the token volume that admission
// adds, if it adds one.
func (a Accounts) complete(r *Record, interner *profile.Interner) *profile.Profile {
	optedOut := a[aggregate.Account{Namespace: r.Namespace, Name: r.ServiceAccount}]
	if r.Token == NoToken || (r.Token == TokenByAccount && optedOut) {
		return r.Profile
	}
	token := &profile.Profile{Volumes: profile.SetOf(profile.ServiceAccountToken)}
	return interner.Intern(profile.Join(r.Profile, token))
}
