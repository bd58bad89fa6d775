// Package publish writes reports into a cluster, as ConfigMaps of one namespace,
// deletes those that are no longer true, and reads them.
//
// A Pass goes in: which namespaces exist, how to make the report of one, and which
// could not be read. The cluster in the state of the contract comes out, and a
// Result. The ConfigMaps are an API that other programs read (Index, Document, and
// the labels and files beside them); a Reader is one of those. Laws, each tested
// with a failure after every single write:
//   - What the index names is there and whole, at every moment: reports are
//     written first, under names that no other content has, then the index in
//     one write, and what it no longer names goes last.
//   - A report is one ConfigMap or, when it is above MaxBytes, several. Their names
//     end in the hash of their content, and they never change. Unpack puts them
//     together again and checks the hashes.
//   - Nothing is written that is there already: contents are compared by their
//     hash, not by their names.
//   - A ConfigMap that the advisor did not write is never changed: it is an error
//     that names it. Readers ignore what the index does not name.
//   - What is sent is printable, whatever strings the cluster holds: a server would
//     not take it otherwise, or take it for something else.
//   - A namespace that could not be read, or whose report could not be written,
//     keeps the report it has, marked stale in the index.
//   - Two writers at once do no harm: the index is written over the version that
//     was read, or not at all; a report is deleted after such a write only, and only
//     as it was listed; and a report that the index did not name is renewed before
//     it does.
package publish

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/psp-advisor/psp-advisor/pkg/apierror"
	"github.com/psp-advisor/psp-advisor/pkg/observe"
	"github.com/psp-advisor/psp-advisor/pkg/report"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/util/retry"
)

// Pass is one round of publishing.
type Pass struct {
	// Index says the level and coverage of the pass; its reports are filled in.
	Index Index
	// Gaps are those of the index, with the words of the server.
	Gaps []observe.Gap
	// Namespaces that may have a report, sorted. One empty name is the report of
	// the whole cluster.
	Namespaces []string
	// Known has the entries of namespaces in which nothing changed since an
	// earlier pass. One without ConfigMaps is of a namespace with nothing to
	// report.
	Known map[string]Entry
	// Render makes the report of a namespace; one without ConfigMaps says that
	// there is nothing to report.
	Render func(namespace string) (Bundle, error)
	// Unread returns why a namespace cannot be reported on now; nil if it can. It
	// is asked for namespaces that had a report as well.
	Unread func(namespace string) *observe.Gap
}

// Result is what a pass did.
type Result struct {
	// Index that was published.
	Index Index
	// Entries of the namespaces that are up to date, for the next pass.
	Entries map[string]Entry
	// Failed has the namespaces whose report could not be made or written.
	Failed map[string]error
	// LookAlikes are ConfigMaps that look like reports and that the advisor did not
	// write, sorted.
	LookAlikes []string
	// Gaps has what could not be observed, with the words of the server.
	Gaps   []observe.Gap
	Writes Writes
}

// Writes counts ConfigMaps by what was done to them.
type Writes struct{ Created, Configured, Unchanged, Deleted, Failed int }

// Publish does a pass. It returns an error when the index could not be brought
// up to date; then as much is published as before. The Result is filled in as
// far as the pass went in either case.
func (w *Writer) Publish(ctx context.Context, p Pass) (Result, error) {
	var r Result
	var writes Writes
	err := retry.OnError(retry.DefaultRetry, isConflict, func() error {
		s := state{Writer: w, pass: p}
		err := s.publish(ctx)
		writes.add(s.result.Writes)
		r = s.result
		return err
	})
	r.Writes = writes
	return r, err
}

func (w *Writes) add(o Writes) {
	w.Created += o.Created
	w.Configured += o.Configured
	w.Unchanged = o.Unchanged // of the last attempt
	w.Deleted += o.Deleted
	w.Failed += o.Failed
}

// errConflict is what another writer's index is.
var errConflict = errors.New("another writer has changed the index meanwhile")

func isConflict(err error) bool { return errors.Is(err, errConflict) }

// state is a pass under way.
type state struct {
	*Writer
	pass   Pass
	result Result
	// index as it was found, or created without content.
	index   *corev1.ConfigMap
	created bool
	// old has the entries of the index, and named the ConfigMaps in them.
	old   map[string]Entry
	named map[string]bool
	// present has the ConfigMaps of the namespace.
	present map[string]found
}

func (s *state) publish(ctx context.Context) error {
	s.result = Result{Index: s.pass.Index, Entries: map[string]Entry{}, Failed: map[string]error{}, Gaps: slices.Clone(s.pass.Gaps)}
	s.result.Index.Reports = nil
	s.result.Index.Coverage.Gaps = slices.Clone(s.pass.Index.Coverage.Gaps)
	if err := s.read(ctx); err != nil {
		return err
	}
	for _, namespace := range s.pass.Namespaces {
		if err := s.report(ctx, namespace); err != nil {
			return err
		}
	}
	for namespace := range s.old {
		if _, seen := slices.BinarySearch(s.pass.Namespaces, namespace); !seen {
			if gap := s.pass.Unread(namespace); gap != nil {
				if err := s.keep(ctx, namespace, unread(*gap)); err != nil {
					return err
				}
			}
		}
	}
	s.finishIndex()
	prune := s.unnamed()
	if err := s.writeIndex(ctx, len(prune) > 0); err != nil {
		return err
	}
	return s.prune(ctx, prune)
}

// read finds out what is published. The index comes first: whatever is decided
// on the list is void when the index has changed since.
func (s *state) read(ctx context.Context) error {
	var err error
	if s.index, err = s.readIndex(ctx); err != nil {
		return err
	}
	if s.index == nil {
		if s.index, err = s.createIndex(ctx); err != nil {
			return err
		}
		s.created = true
		s.result.Writes.Created++
	}
	if s.present, err = s.list(ctx); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(s.present)) {
		if f := s.present[name]; f.looksLike && !f.owned {
			s.result.LookAlikes = append(s.result.LookAlikes, s.namespace+"/"+name)
		}
	}
	s.old, s.named = map[string]Entry{}, map[string]bool{}
	// An index that cannot be read has nothing to keep, and is replaced.
	index, err := ReadIndex(s.index)
	if err != nil || index.Level != s.pass.Index.Level {
		return nil //nolint:nilerr // see above
	}
	for _, e := range index.Reports {
		s.old[e.Namespace] = e
		for _, name := range e.ConfigMaps {
			s.named[name] = true
		}
	}
	return nil
}

// report brings the report of one namespace up to date, or keeps the old one.
// The error is one that no other namespace could escape either.
func (s *state) report(ctx context.Context, namespace string) error {
	if gap := s.pass.Unread(namespace); gap != nil {
		return s.keep(ctx, namespace, unread(*gap))
	}
	if e, known := s.pass.Known[namespace]; known {
		there, err := s.has(ctx, e)
		if err != nil {
			return err
		}
		if there {
			s.take(e)
			s.result.Writes.Unchanged += len(e.ConfigMaps)
			return nil
		}
	}
	b, err := s.pass.Render(namespace)
	if err == nil {
		err = s.writeReport(ctx, b)
	}
	var unreadNow unreadError
	switch {
	case err == nil:
		s.take(b.Entry)
		return nil
	case errors.As(err, &unreadNow):
		// A gap that was not there when the pass began.
		gap := unread(unreadNow.gap)
		if !slices.Contains(s.result.Index.Coverage.Gaps, gap) {
			s.result.Index.Coverage.Gaps = append(s.result.Index.Coverage.Gaps, gap)
			s.result.Gaps = append(s.result.Gaps, unreadNow.gap)
		}
		return s.keep(ctx, namespace, gap)
	case isGeneral(err):
		return err
	default:
		s.result.Failed[namespace] = err
		gap := Gap{Namespace: namespace, Reason: reasonOf(err)}
		s.result.Index.Coverage.Gaps = append(s.result.Index.Coverage.Gaps, gap)
		return s.keep(ctx, namespace, gap)
	}
}

// unread is a gap as it stands at the entry of a namespace.
func unread(g observe.Gap) Gap { return gapsOf([]observe.Gap{g})[0] }

// take puts an entry into the index.
func (s *state) take(e Entry) {
	s.result.Entries[e.Namespace] = e
	if len(e.ConfigMaps) > 0 {
		s.result.Index.Reports = append(s.result.Index.Reports, e)
	}
}

// keep leaves the entry that the index has, if any, marked stale.
func (s *state) keep(ctx context.Context, namespace string, why Gap) error {
	e, ok := s.old[namespace]
	if !ok {
		return nil
	}
	there, err := s.has(ctx, e)
	if there {
		e.Stale = &why
		s.result.Index.Reports = append(s.result.Index.Reports, e)
	}
	return err
}

// has reports whether the index names all ConfigMaps of an entry, and they are there
// and whole.
func (s *state) has(ctx context.Context, e Entry) (bool, error) {
	for _, name := range e.ConfigMaps {
		if !s.named[name] || !s.present[name].isReport() {
			return false, nil
		}
		if whole, err := s.isWhole(ctx, name, s.present[name]); !whole {
			return false, err
		}
	}
	return true, nil
}

func (s *state) writeReport(ctx context.Context, b Bundle) error {
	for _, cm := range b.ConfigMaps {
		f, there := s.present[cm.Name]
		if there && !f.isReport() {
			return s.foreign(cm.Name)
		}
		if there {
			whole, err := s.isWhole(ctx, cm.Name, f)
			if err != nil {
				return err
			}
			switch {
			case whole && f.hash == Hash(cm) && s.named[cm.Name]:
				s.result.Writes.Unchanged++
				continue
			case whole && f.hash == Hash(cm):
				// Another writer may be about to delete it, and must not any more.
				cm.Annotations[RenewedAnnotation] = s.index.ResourceVersion
			default:
				// What has this name and another content was tampered with.
				if err := s.delete(ctx, cm.Name, f); err != nil {
					s.result.Writes.Failed++
					return err
				}
				s.result.Writes.Deleted++
			}
		}
		if err := s.create(ctx, cm); err != nil {
			s.result.Writes.Failed++
			return err
		}
		s.present[cm.Name] = foundReport(cm)
		s.result.Writes.Created++
	}
	return nil
}

func (s *state) finishIndex() {
	i := &s.result.Index
	slices.SortFunc(i.Reports, func(a, b Entry) int { return strings.Compare(a.Namespace, b.Namespace) })
	i.Coverage.Complete = len(i.Coverage.Gaps) == 0 &&
		!slices.ContainsFunc(i.Reports, func(e Entry) bool { return e.Stale != nil || e.Partial })
}

// unnamed returns the reports that the index does not name, sorted.
func (s *state) unnamed() []string {
	named := map[string]bool{}
	for _, e := range s.result.Index.Reports {
		for _, name := range e.ConfigMaps {
			named[name] = true
		}
	}
	var list []string
	for _, name := range slices.Sorted(maps.Keys(s.present)) {
		if s.present[name].isReport() && !named[name] {
			list = append(list, name)
		}
	}
	return list
}

// writeIndex writes the index if it says something new, or if something is to be
// deleted: a writer that counts on what is deleted then finds its own write of
// the index refused.
func (s *state) writeIndex(ctx context.Context, deletes bool) error {
	cm, err := s.result.Index.ConfigMap()
	if err != nil {
		return err
	}
	if !deletes && Hash(s.index) == Hash(cm) {
		s.result.Writes.Unchanged++
		return nil
	}
	if err := s.applyIndex(ctx, cm, s.index); err != nil {
		s.result.Writes.Failed++
		return err
	}
	if !s.created {
		s.result.Writes.Configured++
	}
	return nil
}

func (s *state) prune(ctx context.Context, names []string) error {
	for _, name := range names {
		if err := s.delete(ctx, name, s.present[name]); err != nil {
			s.result.Writes.Failed++
			return err
		}
		s.result.Writes.Deleted++
	}
	return nil
}

// isGeneral reports whether an error is about the server or the connection
// instead of one report.
func isGeneral(err error) bool {
	if !isRequest(err) {
		return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
	}
	reason := apierror.Of(err)
	return reason.Transient() || reason == apierror.Unauthorized || reason == apierror.NotServed
}

// Problem says in one line what is not whole, or nothing if all is.
func (r Result) Problem() string {
	var stale []string
	for _, e := range r.Index.Reports {
		if e.Stale != nil {
			stale = append(stale, e.Name())
		}
	}
	var parts []string
	if n := len(r.Index.Coverage.Gaps); n > 0 {
		parts = append(parts, report.Count(n, "gap"))
	}
	if n := len(stale); n > 0 {
		parts = append(parts, report.Count(n, "report")+" out of date")
	}
	return strings.Join(parts, ", ")
}

// Lines says what is missing or out of date, for people, one line each.
func (r Result) Lines() []string {
	var list []string
	for _, g := range r.Gaps {
		list = append(list, "not observed: "+g.String())
	}
	for _, namespace := range slices.Sorted(maps.Keys(r.Failed)) {
		list = append(list, "not published: report of "+Entry{Namespace: namespace}.Name()+": "+r.Failed[namespace].Error())
	}
	for _, e := range r.Index.Reports {
		if e.Stale != nil {
			list = append(list, "out of date: report of "+e.Name()+": "+e.Stale.String())
		}
	}
	for _, name := range r.LookAlikes {
		list = append(list, "warning: ConfigMap "+name+" looks like a report and was not written by the advisor: readers must follow the index, as advisor get-report does")
	}
	return list
}
