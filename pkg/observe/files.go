package observe

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/psp-advisor/psp-advisor/pkg/aggregate"
	"github.com/psp-advisor/psp-advisor/pkg/profile"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// stdin is the path that stands for standard input.
const stdin = "-"

// Files reads manifests and dumps: files, folders (*.yaml, *.yml and *.json in
// them; sub-folders only when recursive, and a link to one is an error then) and
// "-" for in. Each may hold several YAML or JSON documents and Lists. Service
// accounts count for their automount setting; objects of kinds that are not read
// are counted as Ignored.
//
// Objects without a namespace get the observed one, if exactly one is asked
// for, else "default", and are left out where that one is not asked for.
//
// The first broken document ends the reading with an error that names file,
// document and field, unless SkipInvalid is set. That is why this reader stands
// here and not cli-runtime's resource builder: the builder ends a file at the
// first document that it cannot parse, so the ones behind it could not be read,
// and it does not say which document it was.
func Files(paths []string, recursive bool, in io.Reader, o Options) (*Observation, error) {
	r := &fileReader{options: o, interner: &profile.Interner{}, accounts: Accounts{}, ignored: map[string]int{}, namespace: corev1.NamespaceDefault}
	if names := o.namespaces(); len(names) == 1 && names[0] != metav1.NamespaceAll {
		r.namespace = names[0]
	}
	for _, path := range paths {
		if err := r.readPath(path, recursive, in); err != nil {
			return nil, err
		}
	}
	obs := Resolve(r.records, r.accounts, r.interner, o)
	obs.Ignored, obs.Skipped = r.ignored, r.skipped
	return obs, nil
}

type fileReader struct {
	options   Options
	interner  *profile.Interner
	namespace string
	records   []*Record
	accounts  Accounts
	ignored   map[string]int
	skipped   []error
}

func (r *fileReader) readPath(path string, recursive bool, in io.Reader) error {
	if path == stdin {
		return r.readStream("stdin", in)
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
		case d.IsDir() && (!recursive || isMounted(d)):
			return fs.SkipDir
		case recursive && !isMounted(d) && linksToFolder(p, d):
			found = true
			return r.check("reading "+p, errors.New("a link to a folder is not followed: name the folders to read instead"))
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

func (r *fileReader) readFile(path string) error {
	f, err := os.Open(path) //nolint:gosec // reading the files that the user names is the purpose
	if err != nil {
		return fmt.Errorf("reading manifests: %w", err)
	}
	defer f.Close() //nolint:errcheck // only read from
	return r.readStream(path, f)
}

func (r *fileReader) readStream(source string, in io.Reader) error {
	data, err := io.ReadAll(in)
	if err != nil {
		return fmt.Errorf("reading %s: %w", source, err)
	}
	if len(bytes.TrimSpace(data)) == 0 {
		return r.check("reading "+source, errors.New("the file is empty"))
	}
	for n, doc := range documents(data) {
		at := fmt.Sprintf("reading %s: document %d (line %d)", source, n+1, doc.line)
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

// check returns err, said of what stands at that place, where it ends the
// reading. With SkipInvalid it is noted instead.
func (r *fileReader) check(at string, err error) error {
	if err == nil {
		return nil
	}
	err = fmt.Errorf("%s: %w", at, err)
	if !r.options.SkipInvalid {
		return err
	}
	r.skipped = append(r.skipped, err)
	return nil
}

// object takes in the object at that place, or the objects of a List.
func (r *fileReader) object(at string, data []byte) error {
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
		if isList && (meta.Kind == "List" || isRead(groupKind(meta.APIVersion, itemKind)) || bytes.HasPrefix(meta.Items, []byte("["))) {
			return r.list(at, metav1.TypeMeta{APIVersion: meta.APIVersion, Kind: itemKind}, meta.Items)
		}
		err = r.typed(meta.TypeMeta, data)
	}
	return r.check(at, err)
}

// list takes in the items of a List. Items of a typed list may leave their type
// out: then it is the list's.
func (r *fileReader) list(at string, itemType metav1.TypeMeta, data []byte) error {
	var items []json.RawMessage
	if len(data) > 0 {
		if err := decode(data, &items); err != nil {
			return r.check(at, errors.New("items: want a list"))
		}
	}
	for i, item := range items {
		at := fmt.Sprintf("%s: items[%d]", at, i)
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
		Conditions []struct {
			Type   batchv1.JobConditionType `json:"type"`
			Status corev1.ConditionStatus   `json:"status"`
		} `json:"conditions"`
	} `json:"status"`
}

func (r *fileReader) typed(t metav1.TypeMeta, data []byte) error {
	kind := groupKind(t.APIVersion, t.Kind)
	if !isRead(kind) {
		if err := checkKind(t); err != nil {
			return fmt.Errorf("%s: %w", describe(t.Kind, data), err)
		}
		r.ignored[kind.String()]++
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

func (r *fileReader) serviceAccount(data []byte) error {
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

func (r *fileReader) pod(data []byte) error {
	var pod corev1.Pod
	if err := decode(data, &pod); err != nil {
		return fmt.Errorf("%s: %w", describe("Pod", data), err)
	}
	pod.Namespace = r.namespaceOf(&pod.ObjectMeta)
	if err := validate(&pod.ObjectMeta, &pod.Spec, "spec"); err != nil {
		return fmt.Errorf("%s: %w", describe("Pod", data), err)
	}
	if record := podRecord(&pod, r.interner, r.options); record != nil {
		r.records = append(r.records, record)
	}
	return nil
}

func (r *fileReader) workload(kind schema.GroupKind, data []byte) error {
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
	var claims []string
	for _, c := range w.Spec.Claims {
		claims = append(claims, c.Name)
	}
	template = withClaims(template, claims)
	record := linkRecord(&w.ObjectMeta, kind)
	if createsPods(kind, record.Controller != nil, w.finished()) {
		record = templateRecord(&w.ObjectMeta, kind, template, r.interner, r.options)
	}
	r.records = append(r.records, record)
	return nil
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

// finished reports whether a Job has run its course.
func (w *workload) finished() bool {
	for _, c := range w.Status.Conditions {
		if endsJob(c.Type, c.Status) {
			return true
		}
	}
	return false
}

// endsJob reports whether a condition says that a Job has run its course.
func endsJob(condition batchv1.JobConditionType, status corev1.ConditionStatus) bool {
	return status == corev1.ConditionTrue && (condition == batchv1.JobComplete || condition == batchv1.JobFailed)
}

// createsPods reports whether the template of such an object is a source of its
// own. A ReplicaSet or Job with a controller is a past or present copy of its
// controller's template, and a finished Job creates no more pods.
func createsPods(kind schema.GroupKind, controlled, finished bool) bool {
	return !linking[kind] || (!controlled && !finished)
}

// namespaceOf returns the object's namespace or the one that stands in for it.
func (r *fileReader) namespaceOf(meta *metav1.ObjectMeta) string {
	if meta.Namespace != "" {
		return meta.Namespace
	}
	return r.namespace
}

// namespaceName matches what may become part of names, where a dot separates, and
// of paths.
var namespaceName = regexp.MustCompile(`^[A-Za-z0-9-]+$`)

// validate finds what no API server accepts and no policy could be made from.
func validate(meta *metav1.ObjectMeta, spec *corev1.PodSpec, path string) error {
	if meta.Name == "" {
		// A manifest to be created more than once.
		meta.Name = strings.TrimSuffix(meta.GenerateName, "-")
	}
	if meta.Name == "" {
		return errors.New("metadata.name: required")
	}
	if !namespaceName.MatchString(meta.Namespace) {
		return fmt.Errorf("metadata.namespace: %q cannot name a namespace", meta.Namespace)
	}
	if len(spec.Containers) == 0 {
		return fmt.Errorf("%s.containers: at least one is required", path)
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
