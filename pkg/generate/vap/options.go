package vap

import (
	"github.com/psp-advisor/psp-advisor/pkg/generate/cel"
)

// Options of the engine. The zero value of a field is its default.
type Options struct {
	Enforcement     cel.Enforcement
	UnknownAccounts cel.UnknownAccounts
	Params          Params
}

// Params says where the permits of a namespace are.
type Params string

// Where the permits are.
const (
	// Annotation, the default: in an annotation of the Namespace.
	Annotation Params = "annotation"
	// CRD: in an object of our own kind in the namespace, for those that are too large
	// for an annotation, or whose Namespace belongs to another repository.
	CRD Params = "crd"
)

// ParamsWords are the values of Params, the default first.
var ParamsWords = []string{string(Annotation), string(CRD)}
