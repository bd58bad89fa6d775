// Package manifest reads records of pods and templates from files.
//
// Paths go in; an observation comes out. Laws, each tested:
//   - Documents in any order give the same observation.
//   - What cannot be read is an error, or an entry in Skipped: never silence, and
//     what stands after it is read all the same.
//   - Reading several observations joins them.
package manifest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/psp-advisor/psp-advisor/pkg/aggregate"
	"github.com/psp-advisor/psp-advisor/pkg/observe"
	"github.com/psp-advisor/psp-advisor/pkg/profile"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Stdin is the path that stands for standard input.
const Stdin = "-"

// Options says how manifests are read.
type Options struct {
	// Recursive reads the sub-directories of directories too.
	Recursive bool
	// SkipInvalid goes on past what cannot be read; each is an entry in Skipped.
	SkipInvalid bool
	// In is read for the path Stdin.
	In io.Reader
}

// Read reads manifests, dumps and observations: files, directories (*.yaml, *.yml
// and *.json in them) and Stdin. Each may hold several YAML or JSON documents and
// Lists. Service accounts are read for their automount setting; objects of kinds
// that are not read are counted as Unread.
//
// Objects without a namespace get the observed one, if exactly one is asked
// for, else "default", and are skipped where that one is excluded.
//
// The first broken document ends the reading with an error that names file,
// document and field, unless SkipInvalid is set. That is why this reader stands
// here and not cli-runtime's resource builder: the builder ends a file at the
// first document that it cannot parse, so the ones after it could not be read,
// and it does not say which document it was.
func Read(paths []string, o Options, scope observe.Scope) (*observe.Observation, error) {
	interner := &profile.Interner{}
	r := &reader{
		options: o, recorder: observe.Recorder{Scope: scope, Interner: interner}, accounts: observe.Accounts{},
		unread: map[schema.GroupKind]int{}, namespace: corev1.NamespaceDefault,
	}
	if names := scope.ListedNamespaces(); len(names) == 1 {
		r.namespace = names[0]
	}
	for _, path := range paths {
		if err := r.readPath(path); err != nil {
			return nil, err
		}
	}
	return r.observation(interner)
}

// observation joins what the objects say with the documents that were read.
func (r *reader) observation(interner *profile.Interner) (*observe.Observation, error) {
	scope := r.recorder.Scope
	obs := observe.Resolve(r.records, r.accounts, interner, scope)
	for kind, n := range r.unread {
		obs.Unread = append(obs.Unread, observe.Unread{Group: kind.Group, Kind: kind.Kind, Objects: n})
	}
	obs.Skipped = r.skipped
	list := []*observe.Observation{obs}
	for _, d := range r.documents {
		d, err := d.Narrow(scope)
		if err != nil {
			return nil, err
		}
		if len(r.records) == 0 {
			// There are no manifests: only what the documents are about was observed.
			obs.Scope, obs.Source = d.Scope, d.Source
		}
		list = append(list, d)
	}
	return observe.Join(list...)
}

type reader struct {
	options   Options
	recorder  observe.Recorder
	namespace string
	records   []*observe.Record
	documents []*observe.Observation
	accounts  observe.Accounts
	unread    map[schema.GroupKind]int
	skipped   []observe.Skipped
}

func (r *reader) readPath(path string) error {
	if path == Stdin {
		return r.readStream("stdin", r.options.In)
	}
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("reading manifests: %w", err)
	}
	if !info.IsDir() {
		return r.readFile(path)
	}
	found := false
	// The separator makes a link to a folder the folder.
	root := path + string(filepath.Separator)
	err = filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return fmt.Errorf("reading manifests: %w", err)
		case p == root:
			return nil
		case d.IsDir() && (!r.options.Recursive || isMounted(d)):
			return fs.SkipDir
		case r.options.Recursive && !isMounted(d) && linksToFolder(p, d):
			found = true
			return r.check(place{file: p}, errors.New("a link to a directory is not followed: name the directories to read instead"))
		case d.IsDir() || !isManifest(p):
			return nil
		}
		found = true
		return r.readFile(p)
	})
	if err == nil && !found {
		return fmt.Errorf("reading %s: no *.yaml, *.yml or *.json file in it", path)
	}
	return err
}

// isMounted reports whether an entry is what the kubelet keeps of a mounted
// ConfigMap: a folder, and a link to it, whose files are linked beside them
// (pkg/volume/util/atomic_writer.go).
func isMounted(d fs.DirEntry) bool { return strings.HasPrefix(d.Name(), "..") }

func linksToFolder(path string, d fs.DirEntry) bool {
	if d.Type()&fs.ModeSymlink == 0 {
		return false
	}
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

func isManifest(path string) bool {
	switch filepath.Ext(path) {
	case ".yaml", ".yml", ".json":
		return true
	default:
		return false
	}
}

func (r *reader) readFile(path string) error {
	f, err := os.Open(path) //nolint:gosec // reading the files that the user names is the purpose
	if err != nil {
		return fmt.Errorf("reading manifests: %w", err)
	}
	defer f.Close() //nolint:errcheck // only read from
	return r.readStream(path, f)
}

func (r *reader) readStream(source string, in io.Reader) error {
	data, err := io.ReadAll(in)
	if err != nil {
		return fmt.Errorf("reading %s: %w", source, err)
	}
	if len(bytes.TrimSpace(data)) == 0 {
		return r.check(place{file: source}, errors.New("the file is empty"))
	}
	for n, doc := range documents(data) {
		at := place{file: source, document: n + 1, line: doc.line}
		object, err := doc.text, doc.err
		if err == nil {
			object, err = toJSON(doc.text)
		}
		switch {
		case err != nil:
			err = r.check(at, err)
		case object != nil:
			err = r.object(at, object)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// place is where something stands; see observe.Skipped.
type place struct {
	file           string
	document, line int
	item           string
}

// check returns err, said of what stands at that place, where it ends the
// reading. With SkipInvalid it is noted instead.
func (r *reader) check(at place, err error) error {
	if err == nil {
		return nil
	}
	skipped := observe.Skipped{File: at.file, Document: at.document, Line: at.line, Item: at.item, Problem: err.Error()}
	if !r.options.SkipInvalid {
		return skipped
	}
	r.skipped = append(r.skipped, skipped)
	return nil
}

// object takes in the object at that place, or the objects of a List.
func (r *reader) object(at place, data []byte) error {
	var meta struct {
		metav1.TypeMeta `json:",inline"`
		Items           json.RawMessage `json:"items"`
	}
	err := decode(data, &meta)
	switch {
	case err != nil:
	case meta.Kind == "":
		err = errors.New("kind: required, this is no Kubernetes object")
	case meta.APIVersion == "":
		err = fmt.Errorf("apiVersion: required for %s", meta.Kind)
	default:
		// A kind of one's own may end in List as well.
		itemKind, isList := strings.CutSuffix(meta.Kind, "List")
		if isList && (meta.Kind == "List" || observe.Reads(observe.GroupKind(meta.APIVersion, itemKind)) || bytes.HasPrefix(meta.Items, []byte("["))) {
			return r.list(at, metav1.TypeMeta{APIVersion: meta.APIVersion, Kind: itemKind}, meta.Items)
		}
		err = r.typed(meta.TypeMeta, data)
	}
	return r.check(at, err)
}

// list takes in the items of a List. Items of a typed list may leave their type
// out: then it is the list's.
func (r *reader) list(at place, itemType metav1.TypeMeta, data []byte) error {
	var items []json.RawMessage
	if len(data) > 0 {
		if err := decode(data, &items); err != nil {
			return r.check(at, errors.New("items: want a list"))
		}
	}
	for i, item := range items {
		at := at
		at.item = strings.TrimPrefix(fmt.Sprintf("%s: items[%d]", at.item, i), ": ")
		var own metav1.TypeMeta
		err := decode(item, &own)
		switch {
		case err != nil:
			err = r.check(at, err)
		case own.Kind == "" && itemType.Kind != "":
			err = r.check(at, r.typed(itemType, item))
		default:
			err = r.object(at, item)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// workload is what all kinds with a pod template have in common, at the places
// where the kinds keep it.
type workload struct {
	metav1.ObjectMeta `json:"metadata"`
	// Template is where a PodTemplate has it.
	Template *corev1.PodTemplateSpec `json:"template"`
	Spec     struct {
		Replicas *int32                  `json:"replicas"`
		Template *corev1.PodTemplateSpec `json:"template"`
		Claims   []struct {
			metav1.ObjectMeta `json:"metadata"`
		} `json:"volumeClaimTemplates"`
		JobTemplate *struct {
			Spec struct {
				Template *corev1.PodTemplateSpec `json:"template"`
			} `json:"spec"`
		} `json:"jobTemplate"`
	} `json:"spec"`
	Status struct {
		Conditions []batchv1.JobCondition `json:"conditions"`
	} `json:"status"`
}

func (r *reader) typed(t metav1.TypeMeta, data []byte) error {
	if observe.IsDocument(t.APIVersion, t.Kind) {
		document, err := observe.Decode(data)
		if err == nil {
			r.documents = append(r.documents, document)
		}
		return err
	}
	kind := observe.GroupKind(t.APIVersion, t.Kind)
	if !observe.Reads(kind) {
		if err := checkKind(t); err != nil {
			return fmt.Errorf("%s: %w", describe(t.Kind, data), err)
		}
		r.unread[kind]++
		return nil
	}
	switch kind.Kind {
	case "ServiceAccount":
		return r.serviceAccount(data)
	case "Pod":
		return r.pod(data)
	default:
		return r.workload(kind, data)
	}
}

func (r *reader) serviceAccount(data []byte) error {
	// Only what is read is decoded: an account's lists of secrets do not matter.
	var sa struct {
		metav1.ObjectMeta `json:"metadata"`
		Automount         *bool `json:"automountServiceAccountToken"`
	}
	if err := decode(data, &sa); err != nil {
		return fmt.Errorf("%s: %w", describe("ServiceAccount", data), err)
	}
	if sa.Automount != nil && !*sa.Automount {
		r.accounts[aggregate.Account{Namespace: r.namespaceOf(&sa.ObjectMeta), Name: sa.Name}] = true
	}
	return nil
}

func (r *reader) pod(data []byte) error {
	var pod corev1.Pod
	if err := decode(data, &pod); err != nil {
		return fmt.Errorf("%s: %w", describe("Pod", data), err)
	}
	pod.Namespace = r.namespaceOf(&pod.ObjectMeta)
	if err := validate(&pod.ObjectMeta, &pod.Spec, "spec"); err != nil {
		return fmt.Errorf("%s: %w", describe("Pod", data), err)
	}
	if record := r.recorder.Pod(&pod); record != nil {
		r.records = append(r.records, record)
	}
	return nil
}

func (r *reader) workload(kind schema.GroupKind, data []byte) error {
	var w workload
	if err := decode(data, &w); err != nil {
		return fmt.Errorf("%s: %w", describe(kind.Kind, data), err)
	}
	w.Namespace = r.namespaceOf(&w.ObjectMeta)
	template, path := w.template(kind.Kind)
	if template == nil {
		return fmt.Errorf("%s: %s: required", describe(kind.Kind, data), path)
	}
	if err := validate(&w.ObjectMeta, &template.Spec, path+".spec"); err != nil {
		return fmt.Errorf("%s: %w", describe(kind.Kind, data), err)
	}
	r.records = append(r.records, w.record(r.recorder, kind, template))
	return nil
}

// record returns the record of the workload.
func (w *workload) record(r observe.Recorder, kind schema.GroupKind, template *corev1.PodTemplateSpec) *observe.Record {
	switch kind.Kind {
	case "StatefulSet":
		var claims []string
		for _, c := range w.Spec.Claims {
			claims = append(claims, c.Name)
		}
		return r.StatefulSet(&w.ObjectMeta, kind, template, claims)
	case "ReplicaSet":
		return r.ReplicaSet(&w.ObjectMeta, kind, template, w.Spec.Replicas)
	case "Job":
		return r.Job(&w.ObjectMeta, kind, template, w.Status.Conditions)
	default:
		return r.Template(&w.ObjectMeta, kind, template)
	}
}

func (w *workload) template(kind string) (*corev1.PodTemplateSpec, string) {
	switch {
	case kind == "PodTemplate":
		return w.Template, "template"
	case kind != "CronJob":
		return w.Spec.Template, "spec.template"
	case w.Spec.JobTemplate == nil:
		return nil, "spec.jobTemplate.spec.template"
	default:
		return w.Spec.JobTemplate.Spec.Template, "spec.jobTemplate.spec.template"
	}
}

// namespaceOf returns the object's namespace or the one that stands in for it.
func (r *reader) namespaceOf(meta *metav1.ObjectMeta) string {
	if meta.Namespace != "" {
		return meta.Namespace
	}
	return r.namespace
}

// validate finds what no API server accepts and no policy could be made from.
func validate(meta *metav1.ObjectMeta, spec *corev1.PodSpec, path string) error {
	if meta.Name == "" {
		// A manifest to be created more than once.
		// The dash at the end tells it from an object of that name.
		meta.Name = meta.GenerateName
	}
	if meta.Name == "" {
		return errors.New("metadata.name: required")
	}
	if !observe.ValidNamespace(meta.Namespace) {
		return fmt.Errorf("metadata.namespace: %q cannot name a namespace", meta.Namespace)
	}
	if len(spec.Containers) == 0 {
		return fmt.Errorf("%s.containers: at least one is required", path)
	}
	return nil
}

// checkKind returns an error for a kind that is not read but can only be meant as
// one that is: it differs in case or group alone, and the group has no dot, as
// those of custom resources have.
func checkKind(t metav1.TypeMeta) error {
	if strings.Contains(schema.FromAPIVersionAndKind(t.APIVersion, t.Kind).Group, ".") {
		return nil
	}
	for _, name := range observe.Kinds() {
		if !strings.EqualFold(t.Kind, name) {
			continue
		}
		if observe.Reads(observe.GroupKind(t.APIVersion, name)) {
			return fmt.Errorf("kind: %q: want %s", t.Kind, name)
		}
		return fmt.Errorf("apiVersion: %q has no %s", t.APIVersion, name)
	}
	return nil
}

// describe names an object in an error, as far as it can be read.
func describe(kind string, data []byte) string {
	var named struct {
		Metadata struct {
			Namespace, Name string
		} `json:"metadata"`
	}
	// A name that cannot be decoded is left out: the caller's error says why.
	_ = json.Unmarshal(data, &named)
	name := named.Metadata.Name
	if named.Metadata.Namespace != "" {
		name = named.Metadata.Namespace + "/" + name
	}
	return fmt.Sprintf("%s %q", kind, name)
}
