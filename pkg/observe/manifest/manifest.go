// Package manifest reads records of pods and templates from files.
//
// Input is paths, URLs and kustomizations; output is an Observation. Laws, each tested:
//   - Documents in any order give the same observation.
//   - What cannot be read is an error, or an entry in Skipped: never silence, and
//     what stands after it is read all the same.
//   - A document is read to its end, or it is an error.
//   - A field that the API does not know changes nothing but Warnings.
//   - An object of another kind that runs pods is read, or has a place in Unread.
//   - Reading several observations joins them.
//   - Time and memory are bounded by the context and the size of what is read, not
//     by what it says. Of a stream of YAML documents, a few are in memory.
package manifest

import (
	"context"
	"fmt"
	"io"
	"net/http"

	"github.com/psp-advisor/psp-advisor/pkg/observe"
	"github.com/psp-advisor/psp-advisor/pkg/profile"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Stdin is the path that stands for standard input.
const Stdin = "-"

// Options of Read.
type Options struct {
	// Recursive reads the subdirectories of directories too.
	Recursive bool
	// SkipInvalid goes on past what cannot be read; each is an entry in Skipped.
	SkipInvalid bool
	// UnknownKinds is how objects of other kinds that run pods are handled.
	UnknownKinds UnknownKinds
	// Validation is how unknown and duplicate fields are handled.
	Validation Validation
	// Kustomizations are directories that are rendered, and read after the paths.
	Kustomizations []string
	// Render renders the directories among the paths, and below them, that have a
	// kustomization. Default false: they cannot be read.
	Render bool
	// In is read for the path Stdin.
	In io.Reader
	// Client reads URLs; nil means that of net/http.
	Client *http.Client
}

// Read reads manifests, dumps and observations: files, directories (*.yaml, *.yml
// and *.json in them), URLs and Stdin. Each may be compressed, if its name ends in
// .gz, and hold several YAML or JSON documents and Lists. Service accounts are read
// for their automount setting; objects of other kinds are counted in Unread.
//
// Values that Kubernetes 1.24 refuses cannot be read, but in objects that a server
// returned: those are taken as they are.
//
// Objects without a namespace get the observed one, if exactly one is asked
// for, else "default", and are skipped where that one is excluded.
//
// The first broken document ends the reading with an error that names file,
// document and field, unless SkipInvalid is set. cli-runtime's resource builder cannot
// do this: it ends a file at the first document that it cannot parse, and does not name
// it.
func Read(ctx context.Context, paths []string, o Options, scope observe.Scope) (*observe.Observation, error) {
	interner := &profile.Interner{}
	r := &reader{
		options: o, recorder: observe.Recorder{Scope: scope, Interner: interner}, accounts: observe.Accounts{},
		unread: map[schema.GroupKind]observe.Unread{}, namespace: corev1.NamespaceDefault,
	}
	if names := scope.ListedNamespaces(); len(names) == 1 {
		r.namespace = names[0]
	}
	for _, path := range paths {
		if err := r.readPath(ctx, path); err != nil {
			return nil, err
		}
	}
	for _, dir := range o.Kustomizations {
		if err := r.readKustomization(ctx, dir); err != nil {
			return nil, err
		}
	}
	return r.observation(interner)
}

// Object is one object of a file, of any kind.
type Object struct {
	Place observe.Place
	Type  metav1.TypeMeta
	data  []byte
}

// Decode decodes the object as the API server does, field names to the letter. The
// error names the field.
func (o Object) Decode(into any) error {
	_, err := decode(o.data, into)
	return err
}

// Visit calls visit for each object of files, directories, URLs and Stdin, and for the
// items of Lists, in order. It reads them as Read does, and ends with the first error,
// which names the place of the object.
func Visit(ctx context.Context, paths []string, o Options, visit func(Object) error) error {
	r := &reader{options: o, visit: visit}
	for _, path := range paths {
		if err := r.readPath(ctx, path); err != nil {
			return err
		}
	}
	return nil
}

// observation joins what the objects say with the documents that were read.
func (r *reader) observation(interner *profile.Interner) (*observe.Observation, error) {
	scope := r.recorder.Scope
	obs := observe.Resolve(r.records, r.accounts, interner, scope)
	obs.Unread, obs.Skipped, obs.Warnings = r.unreadKinds(), r.skipped, r.warnings
	list := []*observe.Observation{obs}
	for _, d := range r.documents {
		narrowed, err := d.observation.Narrow(scope)
		if err != nil {
			return nil, fmt.Errorf("reading %s: the observation: %w", d.at, err)
		}
		if len(r.records) == 0 {
			// There are no manifests: only what the documents are about was observed.
			obs.Scope, obs.Source = narrowed.Scope, narrowed.Source
		}
		list = append(list, narrowed)
	}
	return observe.Join(list...)
}

// readObservation is an observation with the place of its document.
type readObservation struct {
	at          observe.Place
	observation *observe.Observation
}

type reader struct {
	options Options
	// visit, if set, takes each object instead of the recorder.
	visit     func(Object) error
	recorder  observe.Recorder
	namespace string
	records   []*observe.Record
	documents []readObservation
	accounts  observe.Accounts
	unread    map[schema.GroupKind]observe.Unread
	skipped   []observe.Skipped
	warnings  []observe.Warning
	// compacted is the text of the object that is decoded. It is used again.
	compacted []byte
}
