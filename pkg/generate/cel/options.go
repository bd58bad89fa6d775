package cel

// Enforcement says what becomes of a pod that goes beyond its permits.
type Enforcement string

// The enforcements.
const (
	// Warn, the default, admits the pod, warns its creator, and adds to its audit event.
	Warn Enforcement = "warn"
	// Audit admits the pod and adds to its audit event.
	Audit Enforcement = "audit"
	// Deny refuses the pod, and adds to its audit event.
	Deny Enforcement = "deny"
)

// UnknownAccounts says what becomes of a pod whose service account has no permits.
type UnknownAccounts string

// What becomes of such pods.
const (
	// DenyUnknown, the default, treats them as pods that go beyond their permits.
	DenyUnknown UnknownAccounts = "deny"
	// WarnUnknown admits them with a warning.
	WarnUnknown UnknownAccounts = "warn"
	// AllowUnknown admits them.
	AllowUnknown UnknownAccounts = "allow"
)

// The words of each option, the default first.
var (
	EnforcementWords     = []string{string(Warn), string(Audit), string(Deny)}
	UnknownAccountsWords = []string{string(DenyUnknown), string(WarnUnknown), string(AllowUnknown)}
)
