package wire

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/psp-advisor/psp-advisor/pkg/profile/podtest"
	"google.golang.org/protobuf/encoding/protowire"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

var some = Fields{
	"metadata": {"name": Whole, "annotations": {"kept": Whole, "also/*": Whole}},
	"spec": {
		"containers": {"name": Whole, "env": {"name": Whole, "valueFrom!": {"secretKeyRef!": Whole}}},
		"volumes":    {"volumeSource": {"hostPath": {"path": Whole}, "*": {}}},
	},
}

func messageFor(t testing.TB, fields Fields) *Message {
	t.Helper()
	m, err := MessageOf(corev1.Pod{}, fields)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestAppend(t *testing.T) {
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name: "web", Namespace: "shop", Labels: map[string]string{"kept": "1"},
			Annotations: map[string]string{"kept": "1", "also/this": "2", "also": "3", "": "4"},
		},
		Spec: corev1.PodSpec{
			NodeName: "node",
			Containers: []corev1.Container{{Name: "c", Image: "image", Env: []corev1.EnvVar{
				{Name: "A", Value: "a"},
				{Name: "B", ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{FieldPath: "x"}}},
				{Name: "C", ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{Key: "k"}}},
			}}, {}},
			Volumes: []corev1.Volume{
				{Name: "v", VolumeSource: corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/p", Type: new(corev1.HostPathFile)}}},
				{Name: "w", VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: "s"}}},
			},
		},
		Status: corev1.PodStatus{Phase: corev1.PodRunning},
	}
	want := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "web", Annotations: map[string]string{"kept": "1", "also/this": "2"}},
		Spec: corev1.PodSpec{
			Containers: []corev1.Container{
				{Name: "c", Env: []corev1.EnvVar{{Name: "C", ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{Key: "k"}}}}},
				{},
			},
			Volumes: []corev1.Volume{
				{VolumeSource: corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/p"}}},
				{VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{}}},
			},
		},
	}
	raw, err := pod.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	left, err := messageFor(t, some).Append([]byte("before"), raw)
	if err != nil {
		t.Fatal(err)
	}
	var got corev1.Pod
	if err := got.Unmarshal(bytes.TrimPrefix(left, []byte("before"))); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, &got); diff != "" {
		t.Errorf("left (-want +got):\n%s", diff)
	}
}

func TestMessageOfUnknown(t *testing.T) {
	for _, fields := range []Fields{
		{"nothing": Whole}, {"spec": {"containers": {"nothing!": Whole}}}, {"spec": {"hostNetwork": {"a": Whole}}},
	} {
		if _, err := MessageOf(corev1.Pod{}, fields); err == nil {
			t.Errorf("%v: no error", fields)
		}
	}
}

// Whatever is sent, what is left of it fits in it, is the same each time, and has nothing
// more to lose.
func FuzzAppend(f *testing.F) {
	m := messageFor(f, some)
	for range 20 {
		raw, err := podtest.Random(podtest.Rand(f)).Marshal()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		left, err := m.Append(nil, raw)
		if err != nil {
			return
		}
		again, err := m.Append(nil, left)
		if err != nil || !bytes.Equal(left, again) {
			t.Fatalf("what is left of what is left of %x: %x, want %x (%v)", raw, again, left, err)
		}
		var whole, part corev1.Pod
		if whole.Unmarshal(raw) != nil {
			return
		}
		if err := part.Unmarshal(left); err != nil {
			t.Fatalf("%x does not decode: %v", left, err)
		}
		if part.Name != whole.Name || len(part.Spec.Containers) != len(whole.Spec.Containers) {
			t.Fatalf("left %q with %d containers of %q with %d", part.Name, len(part.Spec.Containers), whole.Name, len(whole.Spec.Containers))
		}
	})
}

// Whatever is sent, the first field is that which protowire finds.
func FuzzSplit(f *testing.F) {
	for _, tag := range []uint64{1<<3 | 2, 15<<3 | 2, 16<<3 | 2, 1 << 3, 2} {
		for _, size := range []int{0, 1, 127, 128, 1<<14 - 1, 1 << 14} {
			field := protowire.AppendVarint(protowire.AppendVarint(nil, tag), uint64(size))
			f.Add(append(field, make([]byte, size)...))
			f.Add(append(field, make([]byte, max(0, size-1))...))
		}
	}
	f.Add([]byte{1<<3 | 2, 0x80, 0, 'a'}) // not the shortest form of a length
	f.Fuzz(func(t *testing.T, message []byte) {
		number, kind, begin, size := split(message)
		wantNumber, wantKind, n := protowire.ConsumeTag(message)
		if n < 0 {
			if size >= 0 {
				t.Fatalf("%x: size %d, want an error", message, size)
			}
			return
		}
		want := protowire.ConsumeFieldValue(wantNumber, wantKind, message[n:])
		if size < 0 && want < 0 {
			return
		}
		if number != wantNumber || kind != wantKind || begin != n || size != want {
			t.Fatalf("%x: field %d of type %d at %d with %d bytes, want %d, %d, %d, %d", message, number, kind, begin, size, wantNumber, wantKind, n, want)
		}
	})
}

// encoded returns a list of pods as a server sends it.
func encoded(t testing.TB, pods int) []byte {
	t.Helper()
	list := &corev1.PodList{ListMeta: metav1.ListMeta{ResourceVersion: "7", Continue: "more"}}
	for i := range pods {
		list.Items = append(list.Items, *podtest.Pod(func(p *corev1.Pod) { p.Name = fmt.Sprint("pod-", i) }))
	}
	raw, err := list.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	envelope := &runtime.Unknown{TypeMeta: runtime.TypeMeta{APIVersion: "v1", Kind: "PodList"}, Raw: raw, ContentType: "x"}
	data, err := envelope.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return append([]byte(magic), data...)
}

func read(data []byte) (head Head, names []string, err error) {
	err = ReadList(bufio.NewReader(bytes.NewReader(data)), func(h Head) error {
		head = h
		return nil
	}, func(raw []byte) error {
		var pod corev1.Pod
		err := pod.Unmarshal(raw)
		names = append(names, pod.Name)
		return err
	})
	return head, names, err
}

func TestReadList(t *testing.T) {
	data := encoded(t, 3)
	if !IsProtobuf(bufio.NewReader(bytes.NewReader(data))) || IsProtobuf(bufio.NewReader(strings.NewReader("{}"))) {
		t.Error("it is not seen what is protobuf")
	}
	head, names, err := read(data)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"pod-0", "pod-1", "pod-2"}, names); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
	if head.Kind != "PodList" || head.ResourceVersion != "7" || head.Continue != "more" {
		t.Errorf("head %+v", head)
	}
	if _, names, err := read(encoded(t, 0)); err != nil || names != nil {
		t.Errorf("an empty list: %q, %v", names, err)
	}
	// What follows the list in its envelope, the names of types, may be missing.
	_, list, _ := Open(data)
	end := bytes.Index(data, list) + len(list)
	for n := range len(data) {
		switch _, names, err := read(data[:n]); {
		case err == nil && n >= end && len(names) == 3:
		case !errors.Is(err, io.ErrUnexpectedEOF):
			t.Errorf("the first %d of %d bytes: %d pods, %v", n, len(data), len(names), err)
		}
	}
}

// Whatever is sent, there is an error or a list that the generated decoder reads as well.
func FuzzReadList(f *testing.F) {
	f.Add(encoded(f, 2))
	f.Add(encoded(f, 0))
	f.Fuzz(func(t *testing.T, data []byte) {
		_, names, err := read(data)
		if err != nil || !bytes.HasPrefix(data, []byte(magic)) {
			return
		}
		var envelope runtime.Unknown
		if err := envelope.Unmarshal(data[len(magic):]); err != nil {
			return // another kind of envelope
		}
		var list corev1.PodList
		if err := list.Unmarshal(envelope.Raw); err == nil && len(list.Items) > len(names) {
			t.Fatalf("%d of %d pods", len(names), len(list.Items))
		}
	})
}

func TestOpen(t *testing.T) {
	data := encoded(t, 1)
	kind, raw, ok := Open(data)
	var list corev1.PodList
	if !ok || kind.Kind != "PodList" || list.Unmarshal(raw) != nil || len(list.Items) != 1 {
		t.Errorf("%v %v %d", kind, ok, len(list.Items))
	}
	for _, other := range []string{"", "{}", magic, magic + "x", string(data[:len(data)/2])} {
		if _, _, ok := Open([]byte(other)); ok {
			t.Errorf("%q was opened", other)
		}
	}
}
