package app

import (
	"github.com/psp-advisor/psp-advisor/pkg/generate"
	"github.com/psp-advisor/psp-advisor/pkg/generate/psp"
	"github.com/psp-advisor/psp-advisor/pkg/generate/vap"
)

// engines returns the engines that policies can be made with.
func engines() []generate.Engine { return []generate.Engine{psp.Engine(), vap.Engine(vap.Options{})} }
