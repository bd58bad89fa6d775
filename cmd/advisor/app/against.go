package app

import (
	"context"
	"fmt"

	"github.com/psp-advisor/psp-advisor/pkg/diff"
	"github.com/psp-advisor/psp-advisor/pkg/generate/cel"
	"github.com/psp-advisor/psp-advisor/pkg/generate/psa"
	"github.com/psp-advisor/psp-advisor/pkg/generate/psp"
	"github.com/psp-advisor/psp-advisor/pkg/observe/manifest"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// written has the policies that --against names: those of the engines around one core
// together, since these share their permits. Each engine reads its own.
type written struct {
	core cel.Written
	psp  psp.Written
	psa  psa.Written
}

// reading reads an object of one engine. Objects of others are ignored.
type reading func(*written, metav1.TypeMeta, func(into any) error) error

// ofCore is the reading of an engine around the core.
func ofCore(read func(*cel.Written, metav1.TypeMeta, func(into any) error) error) reading {
	return func(w *written, t metav1.TypeMeta, decode func(into any) error) error {
		return read(&w.core, t, decode)
	}
}

func ofPSP(w *written, t metav1.TypeMeta, decode func(into any) error) error {
	return w.psp.Read(t, decode)
}

func ofPSA(w *written, t metav1.TypeMeta, decode func(into any) error) error {
	return w.psa.Read(t, decode)
}

// permits returns what the policies permit: each element by itself restricts pods.
func (w *written) permits() []diff.Permits {
	var list []diff.Permits
	if !w.core.Empty() {
		list = append(list, permitted(w.core.Permits))
	}
	if w.psp.Len() > 0 {
		list = append(list, permitted(w.psp.Permits))
	}
	if others := len(list) > 0; !w.psa.Empty() {
		levels := permitted(w.psa.Permits)
		list = append(list, func(namespace, account string) []diff.Permitted {
			if known := levels(namespace, account); len(known) > 0 || !others {
				return known
			}
			return []diff.Permitted{psa.Permit{}} // without a level, the others decide
		})
	}
	return list
}

// permitted returns the permits of one engine as those of any.
func permitted[P diff.Permitted](of func(namespace, account string) []P) diff.Permits {
	return func(namespace, account string) []diff.Permitted {
		var list []diff.Permitted
		for _, p := range of(namespace, account) {
			list = append(list, p)
		}
		return list
	}
}

// readPermits reads what policies permit.
func (o diffOptions) readPermits(ctx context.Context) ([]diff.Permits, error) {
	w := &written{}
	err := manifest.Visit(ctx, o.flags.against, manifest.Options{Recursive: true, Render: true, In: o.flags.In}, func(object manifest.Object) error {
		for _, e := range o.flags.engines {
			if err := e.read(w, object.Type, object.Decode); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		err = w.core.Check()
	}
	if err != nil {
		return nil, readError(fmt.Errorf("--against: %w", err))
	}
	permits := w.permits()
	if len(permits) == 0 {
		return nil, usageError(fmt.Errorf("--against: no policies in it: want those of the engines %s", orList(o.flags.engineList())))
	}
	return permits, nil
}
