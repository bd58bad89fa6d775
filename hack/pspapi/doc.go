// Package pspapi compares the advisor's PodSecurityPolicy types with those of
// k8s.io/api v0.28, the last release that had them.
package pspapi
