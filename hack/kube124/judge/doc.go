// Package judge reports whether generated PodSecurityPolicies keep their two
// promises, by asking the code of Kubernetes 1.24.17 itself: its codecs and
// defaulting, its ServiceAccount and PodSecurityPolicy admission plugins, its
// RBAC authorizer, its pod strategy and its validation. Nothing here repeats
// a rule of PodSecurityPolicy; what the package adds is the questions.
//
//   - Sound: is every pod admitted by the policy which admission would really
//     choose, stored exactly as without any policy, and still updatable?
//   - Minimal: does some one-step tightening of a policy still leave every
//     pod it was made for as it is? Each one found is slack.
package judge
