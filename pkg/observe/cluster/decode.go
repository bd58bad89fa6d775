package cluster

import (
	"bytes"
	"fmt"

	"github.com/psp-advisor/psp-advisor/pkg/observe/cluster/wire"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// pruning decodes only what is read of the objects in protobuf that a server sends one by
// one.
type pruning struct {
	runtime.NegotiatedSerializer
	tables *tables
}

// SupportedMediaTypes implements runtime.NegotiatedSerializer.
func (p pruning) SupportedMediaTypes() []runtime.SerializerInfo {
	var list []runtime.SerializerInfo
	for _, info := range p.NegotiatedSerializer.SupportedMediaTypes() {
		if info.MediaType == runtime.ContentTypeProtobuf {
			info.Serializer = pruningSerializer{info.Serializer, p.tables}
		}
		list = append(list, info)
	}
	return list
}

type pruningSerializer struct {
	runtime.Serializer
	tables *tables
}

// Decode implements runtime.Decoder. Other objects, such as errors, are decoded whole.
func (p pruningSerializer) Decode(data []byte, defaults *schema.GroupVersionKind, into runtime.Object) (runtime.Object, *schema.GroupVersionKind, error) {
	kind, raw, ok := wire.Open(data)
	if !ok || into != nil || !p.tables.has(kind.Kind) {
		return p.Serializer.Decode(data, defaults, into) //nolint:wrapcheck // a decoder like any other
	}
	object, err := (&decoder{tables: p.tables}).decode(kind.Kind, raw)
	if err != nil {
		return nil, nil, err
	}
	gvk := schema.FromAPIVersionAndKind(kind.APIVersion, kind.Kind)
	return object, &gvk, nil
}

// decoder decodes what is read of objects in protobuf.
type decoder struct {
	tables *tables
	buffer []byte
	pod    wirePod
}

// wirePod is a pod whose metadata and node were decoded, and whose shape was not.
type wirePod struct {
	corev1.Pod
	shape []byte
	// key is the digest of the shape, and token the name of its token's volume; see digestOf.
	key   digest
	token string
	// common is true if other pods may have the shape, with other names of that volume.
	common bool
	// alike is the digest of what the pods of a controller have in common, if pods are
	// counted.
	alike digest
}

// DeepCopyObject implements runtime.Object.
func (p *wirePod) DeepCopyObject() runtime.Object {
	c := *p
	c.Pod, c.shape = *p.DeepCopy(), bytes.Clone(p.shape)
	return &c
}

// whole returns the pod as far as it is read.
func (p *wirePod) whole() (*corev1.Pod, error) {
	pod, err := podOf(p.shape)
	if err != nil {
		return nil, err
	}
	annotations := pod.Annotations
	pod.ObjectMeta, pod.Spec.NodeName = p.ObjectMeta, p.Spec.NodeName
	pod.Annotations = annotations
	return pod, nil
}

func podOf(shape []byte) (*corev1.Pod, error) {
	pod := &corev1.Pod{}
	if err := pod.Unmarshal(shape); err != nil {
		return nil, fmt.Errorf("reading a pod: %w", err)
	}
	return pod, nil
}

// decode returns an object of a kind. A pod is valid until the next call.
func (d *decoder) decode(kind string, raw []byte) (runtime.Object, error) {
	if kind == podResource.kind {
		if err := d.begin(raw); err != nil {
			return nil, err
		}
		return d.finish(raw)
	}
	object := d.tables.kinds[kind].empty()
	if err := d.read(d.tables.kinds[kind].message, raw, object); err != nil {
		return nil, reading(kind, err)
	}
	return object, nil
}

// begin reads the shape of a pod.
func (d *decoder) begin(raw []byte) (err error) {
	d.pod = wirePod{shape: d.pod.shape[:0]}
	if d.pod.shape, err = d.tables.podShape.Append(d.pod.shape, raw); err != nil {
		return reading(podResource.kind, err)
	}
	d.pod.key, d.pod.token, d.pod.common = digestOf(d.pod.shape)
	return nil
}

// finish reads what is left of a pod whose shape was read, and returns the pod.
func (d *decoder) finish(raw []byte) (runtime.Object, error) {
	if err := d.read(d.tables.podNames, raw, &d.pod.Pod); err != nil {
		return nil, reading(podResource.kind, err)
	}
	return &d.pod, nil
}

func reading(kind string, err error) error {
	return fmt.Errorf("reading an object of kind %s: %w", kind, err)
}

// unmarshaler is an object with a generated decoder.
type unmarshaler interface {
	runtime.Object
	Unmarshal(data []byte) error
}

func (d *decoder) read(m *wire.Message, raw []byte, into unmarshaler) (err error) {
	if d.buffer, err = m.Append(d.buffer[:0], raw); err != nil {
		return err //nolint:wrapcheck // the caller says of what
	}
	return into.Unmarshal(d.buffer) //nolint:wrapcheck // likewise
}
