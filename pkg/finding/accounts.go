package finding

import (
	"slices"
	"strings"

	"github.com/psp-advisor/psp-advisor/pkg/aggregate"
	"github.com/psp-advisor/psp-advisor/pkg/privilege"
	"github.com/psp-advisor/psp-advisor/pkg/profile"
)

// accounts are the service accounts of all workloads.
type accounts struct {
	users map[aggregate.Account]*users
	// names are the numbers of workloads that accountName gives an account.
	names map[aggregate.Account]int
}

func (a accounts) add(account aggregate.Account, s *subject) {
	if a.users[account] == nil {
		a.users[account] = &users{excess: map[string]privilege.Severity{}}
	}
	a.users[account].subjects = append(a.users[account].subjects, s)
}

// users are the workloads of a service account.
type users struct {
	subjects []*subject
	// excess are the results of excessOf by line: many workloads ask for the same.
	excess map[string]privilege.Severity
}

// excessOf returns how bad it is, at most medium, that some workload of the account does
// not ask for a line.
func (u *users) excessOf(line string) privilege.Severity {
	severity, known := u.excess[line]
	if known {
		return severity
	}
	severity = privilege.Info
	// What is under a line is not worse than it, so most searches end at the first other one.
	worst := privilege.Least(privilege.SeverityOf(line), privilege.Medium)
	asked := privilege.SetOf(line)
	for _, s := range u.subjects {
		if severity == worst {
			break
		}
		for _, more := range s.asks.Excess(asked) {
			severity = privilege.Worst(severity, privilege.SeverityOf(more))
		}
		severity = privilege.Least(severity, worst)
	}
	u.excess[line] = severity
	return severity
}

// defaultAccount finds workloads that run as the service account default.
func defaultAccount(s *subject, found func(Finding)) {
	if slices.Contains(s.ServiceAccounts, "default") {
		found(Finding{Subject: "service account default", Remedy: s.ownAccount()})
	}
}

// sharedAccount finds workloads that ask for more than others under their account. Of the
// account default another rule is.
func sharedAccount(s *subject, found func(Finding)) {
	for _, account := range s.ServiceAccounts {
		if account == "default" {
			continue
		}
		users := s.accounts.users[aggregate.Account{Namespace: s.Namespace, Name: account}]
		severity := privilege.Info
		for _, line := range s.asks.Lines() {
			severity = privilege.Worst(severity, users.excessOf(line))
		}
		if severity != privilege.Info {
			found(Finding{Severity: severity, Subject: "service account " + account, Remedy: s.ownAccount()})
		}
	}
}

// ownAccount returns the remedy that gives a workload a service account of its own; nil if
// the names for it are those of others.
func (s *subject) ownAccount() *Remedy {
	name := accountName(s.Name)
	if s.taken(name) {
		suffix := "-" + strings.ToLower(s.Kind)
		name = strings.TrimRight(name[:min(len(name), maxAccount-len(suffix))], "-.") + suffix
	}
	if s.taken(name) {
		return nil
	}
	return &Remedy{Confidence: Test, Patch: ofPod(Patch{"serviceAccountName": name})}
}

// maxAccount is the length of the longest name of a service account.
const maxAccount = 253

// taken reports whether a service account is not, or would not be, of this workload alone.
func (s *subject) taken(name string) bool {
	account := aggregate.Account{Namespace: s.Namespace, Name: name}
	others := s.accounts.names[account]
	if accountName(s.Name) == name {
		others--
	}
	users := s.accounts.users[account]
	return name == "default" || others > 0 ||
		users != nil && slices.ContainsFunc(users.subjects, func(o *subject) bool { return o != s })
}

// accountName returns the name of the service account that a remedy gives to a workload,
// unless it is taken.
func accountName(workload string) string { return strings.Trim(workload, "-.") }

// defaultToken finds workloads with the token of the account default: nothing says that
// they use it, and in most clusters it may do nothing.
func defaultToken(s *subject, found func(Finding)) {
	byManifest := s.Profile.Mounts.Any(func(m profile.Mount) bool { return m.HostPath == "" && m.MountPath == "" })
	if byManifest || !slices.Contains(s.ServiceAccounts, "default") {
		return
	}
	s.each(exactly(privilege.TokenVolume), func(line, container string) {
		found(Finding{Subject: line, Container: container, Remedy: &Remedy{
			Confidence: Likely, Patch: ofPod(Patch{"automountServiceAccountToken": false}),
		}})
	})
}
