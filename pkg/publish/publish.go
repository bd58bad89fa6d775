// Package publish writes reports to ConfigMaps of one namespace, deletes obsolete ones,
// and reads them.
//
// Input is a Pass: the existing namespaces, how to make the report of one, and which
// ones have gaps. Output is ConfigMaps, and a Result. The ConfigMaps are an API for other
// programs: Index, Document, and the labels and files in this package. A Reader reads
// them. Laws, each tested with a failure after every single write:
//   - The ConfigMaps that the index names exist and are complete, at every moment:
//     reports are written first, then the index in one write, and reports that it no
//     longer names are deleted last.
//   - A report is one ConfigMap, or several if it is larger than MaxBytes. They are
//     immutable and their names end in the hash of their content. Unpack joins them and
//     checks the hashes.
//   - Existing content is not written again. It is compared by its hash, not its name.
//   - A ConfigMap of another client is never changed: it is an error. Readers ignore
//     ConfigMaps that the index does not name.
//   - Everything that is sent to a server is printable, because a server rejects or
//     changes other characters.
//   - A namespace that cannot be observed, or whose report cannot be written, keeps its
//     existing report, marked as stale in the index.
//   - Concurrent writers do no harm. A writer replaces only the version of the index
//     that it has read. It deletes reports only after that, and only in the version that
//     it has listed. Before it names a report that the index did not name, it changes
//     that report.
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

// Pass is one update of all reports.
type Pass struct {
	// Index has the level and coverage of the pass; Publish adds the reports.
	Index Index
	// Gaps are the gaps of the index with their errors.
	Gaps []observe.Gap
	// Namespaces that may have a report, sorted. An empty name is the report of the
	// cluster.
	Namespaces []string
	// Known has the entries of namespaces that have not changed since an earlier pass.
	// An entry without ConfigMaps is that of a namespace without pods and templates.
	Known map[string]Entry
	// Render returns the report of a namespace, without ConfigMaps if the namespace has
	// no pods and templates.
	Render func(namespace string) (Bundle, error)
	// Unread returns the gap because of which the report of a namespace cannot be made
	// now, or nil. It is also called for other namespaces that have a report.
	Unread func(namespace string) *observe.Gap
	// HasGap reports whether something there cannot be observed now: Known entries that
	// say otherwise are out of date.
	HasGap func(namespace string) bool
}

// Result of a pass.
type Result struct {
	// Index in the cluster.
	Index Index
	// Entries of the namespaces with current reports, for Known of the next pass.
	Entries map[string]Entry
	// Failed has the errors of namespaces whose report could not be made or written.
	Failed map[string]error
	// LookAlikes are ConfigMaps with the labels of reports that another client has
	// written, sorted.
	LookAlikes []string
	// Gaps are the gaps with their errors.
	Gaps   []observe.Gap
	Writes Writes
}

// Writes are numbers of ConfigMaps.
type Writes struct{ Created, Configured, Unchanged, Deleted, Failed int }

// Publish runs a pass. It returns an error if the index could not be updated; then the
// published reports are the same as before. The Result is valid in both cases, as far
// as the pass went.
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

// errConflict is the error for an index that another writer has changed.
var errConflict = errors.New("another writer has changed the index")

func isConflict(err error) bool { return errors.Is(err, errConflict) }

// state of a running pass.
type state struct {
	*Writer
	pass   Pass
	result Result
	// index that was read, or created without content.
	index   *corev1.ConfigMap
	created bool
	// old has the entries of the index, and named the ConfigMaps in them.
	old   map[string]Entry
	named map[string]bool
	// present are the ConfigMaps of the namespace.
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
				if err := s.keepUnread(ctx, namespace, *gap); err != nil {
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

// read reads the index, then lists the ConfigMaps. In this order the list is current
// unless the index has changed since.
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
	maps.DeleteFunc(s.verified, func(name, _ string) bool { return s.present[name].resourceVersion == "" })
	for _, name := range slices.Sorted(maps.Keys(s.present)) {
		if f := s.present[name]; f.looksLike && !f.owned {
			s.result.LookAlikes = append(s.result.LookAlikes, s.namespace+"/"+name)
		}
	}
	s.old, s.named = map[string]Entry{}, map[string]bool{}
	// An index that cannot be decoded is replaced.
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

// report updates the report of one namespace, or keeps the existing one. The error is
// one that would occur for every namespace.
func (s *state) report(ctx context.Context, namespace string) error {
	if gap := s.pass.Unread(namespace); gap != nil {
		return s.keepUnread(ctx, namespace, *gap)
	}
	if e, known := s.pass.Known[namespace]; known && e.Partial == s.pass.HasGap(namespace) {
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
		return s.keepUnread(ctx, namespace, unreadNow.gap)
	case isGeneral(err):
		return err
	default:
		s.result.Failed[namespace] = err
		gap := Gap{Namespace: namespace, Reason: reasonOf(err)}
		s.result.Index.Coverage.Gaps = append(s.result.Index.Coverage.Gaps, gap)
		return s.keep(ctx, namespace, gap)
	}
}

// keepUnread keeps the existing entry because of a gap, which may be newer than the pass.
func (s *state) keepUnread(ctx context.Context, namespace string, g observe.Gap) error {
	gap := gapsOf([]observe.Gap{g})[0]
	if !slices.Contains(s.result.Index.Coverage.Gaps, gap) {
		s.result.Index.Coverage.Gaps = append(s.result.Index.Coverage.Gaps, gap)
		s.result.Gaps = append(s.result.Gaps, g)
	}
	return s.keep(ctx, namespace, gap)
}

// take adds an entry to the index.
func (s *state) take(e Entry) {
	s.result.Entries[e.Namespace] = e
	if len(e.ConfigMaps) > 0 {
		s.result.Index.Reports = append(s.result.Index.Reports, e)
	}
}

// keep keeps the existing entry, if any, and marks it as stale.
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

// has reports whether the index names all ConfigMaps of an entry, and these exist and
// are complete.
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
		count := &s.result.Writes.Created
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
				// Another writer may be about to delete it: prevent that.
				cm.Annotations[RenewedAnnotation] = s.index.ResourceVersion
				count = &s.result.Writes.Configured
			default:
				// Another client has changed the content.
				if err := s.delete(ctx, cm.Name, f); err != nil {
					s.result.Writes.Failed++
					return err
				}
				s.result.Writes.Deleted++
			}
		}
		if err := s.applyReport(ctx, cm); err != nil {
			s.result.Writes.Failed++
			return err
		}
		s.present[cm.Name] = foundReport(cm)
		*count++
	}
	return nil
}

func (s *state) finishIndex() {
	i := &s.result.Index
	slices.SortFunc(i.Reports, func(a, b Entry) int { return strings.Compare(a.Namespace, b.Namespace) })
	i.Coverage.Complete = len(i.Coverage.Gaps) == 0 &&
		!slices.ContainsFunc(i.Reports, func(e Entry) bool { return e.Stale != nil || e.Partial })
}

// unnamed returns the reports that the new index does not name, sorted.
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

// writeIndex writes the index if it has changed, or if reports will be deleted: then the
// write of a concurrent writer that has listed these reports fails.
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

// isGeneral reports whether an error concerns the server or the connection, not a
// single report.
func isGeneral(err error) bool {
	if !isRequest(err) {
		return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
	}
	reason := apierror.Of(err)
	return reason.Transient() || reason == apierror.Unauthorized || reason == apierror.NotServed
}

// Problem returns what is incomplete in one line; empty if nothing is.
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

// Lines returns what is missing or out of date for people, one line each.
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
		list = append(list, "warning: ConfigMap "+name+" has the labels of a report and was written by another client: read reports with advisor get-report, which follows the index")
	}
	return list
}
