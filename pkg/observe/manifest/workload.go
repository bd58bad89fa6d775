package manifest

import (
	"fmt"

	"github.com/psp-advisor/psp-advisor/pkg/aggregate"
	"github.com/psp-advisor/psp-advisor/pkg/observe"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

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
