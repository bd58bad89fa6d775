// Package e2e holds tests against real API servers: workloads of other
// projects run under a permissive policy, the advisor looks at them as a user
// with the documented rights only, and its policies then have to let the same
// pods come back and refuse every step further.
//
// They run with the build tag e2e.
package e2e
