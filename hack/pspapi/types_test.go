package pspapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	ours "github.com/psp-advisor/psp-advisor/pkg/apis/psp/v1beta1"
	upstream "k8s.io/api/policy/v1beta1"
)

func TestAPIVersionAndKind(t *testing.T) {
	if want := upstream.SchemeGroupVersion.String(); ours.APIVersion != want {
		t.Errorf("API version %s, upstream has %s", ours.APIVersion, want)
	}
	if want := reflect.TypeFor[upstream.PodSecurityPolicy]().Name(); ours.Kind != want {
		t.Errorf("kind %s, upstream has %s", ours.Kind, want)
	}
}

// Each field has upstream's name, JSON tag and type, in upstream's order.
func TestSameFields(t *testing.T) {
	got, want := fields(reflect.TypeFor[ours.PodSecurityPolicy]()), fields(reflect.TypeFor[upstream.PodSecurityPolicy]())
	if len(want) < 30 {
		t.Fatalf("upstream has %d fields only: %v", len(want), want)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("fields (-upstream +ours):\n%s", diff)
	}
}

// fields lists the fields of t and of the types below it that are declared
// beside it.
func fields(t reflect.Type) []string {
	var list []string
	var visit func(path string, t reflect.Type)
	home := t.PkgPath()
	visit = func(path string, t reflect.Type) {
		for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
			t = t.Elem()
		}
		if t.Kind() != reflect.Struct || t.PkgPath() != home {
			return
		}
		for i := range t.NumField() {
			f := t.Field(i)
			list = append(list, fmt.Sprintf("%s.%s %s `%s`", path, f.Name, typeName(f.Type, home), f.Tag.Get("json")))
			visit(path+"."+f.Name, f.Type)
		}
	}
	visit("", t)
	return list
}

// typeName writes a type; one of the home package without the package, so that
// ours and upstream's look the same.
func typeName(t reflect.Type, home string) string {
	switch {
	case t.Kind() == reflect.Pointer:
		return "*" + typeName(t.Elem(), home)
	case t.Kind() == reflect.Slice:
		return "[]" + typeName(t.Elem(), home)
	case t.PkgPath() == home:
		return t.Name() + " (" + t.Kind().String() + ")"
	default:
		return t.PkgPath() + "." + t.Name()
	}
}

// A policy that fills every field is read by the other's types without loss and
// without a field that they do not know, both ways.
func TestRoundTrip(t *testing.T) {
	t.Run("ours read by upstream", func(t *testing.T) {
		roundTrip[ours.PodSecurityPolicy, upstream.PodSecurityPolicy](t)
	})
	t.Run("upstream's read by ours", func(t *testing.T) {
		roundTrip[upstream.PodSecurityPolicy, ours.PodSecurityPolicy](t)
	})
}

func roundTrip[From, Into any](t *testing.T) {
	t.Helper()
	var from From
	fill(reflect.ValueOf(&from).Elem(), "x")
	there := write(t, from)
	for _, field := range []string{"allowPrivilegeEscalation", "runtimeClass", "defaultRuntimeClassName", "seLinuxOptions", "readOnly", "annotations"} {
		if !strings.Contains(there, field) {
			t.Errorf("the filled policy lacks %s", field)
		}
	}
	var into Into
	read(t, there, &into)
	var back From
	read(t, write(t, into), &back)
	if diff := cmp.Diff(from, back); diff != "" {
		t.Errorf("there and back (-before +after):\n%s", diff)
	}
	if diff := cmp.Diff(there, write(t, into)); diff != "" {
		t.Errorf("JSON (-one +other):\n%s", diff)
	}
}

func write(t *testing.T, v any) string {
	t.Helper()
	data, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func read(t *testing.T, data string, into any) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader([]byte(data)))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		t.Fatalf("%v in\n%s", err, data)
	}
}

// fill sets every field of v to something that is not zero.
func fill(v reflect.Value, name string) {
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(true)
	case reflect.String:
		v.SetString(name)
	case reflect.Int32, reflect.Int64:
		v.SetInt(7)
	case reflect.Pointer:
		if v.Type().Elem().PkgPath() == "k8s.io/apimachinery/pkg/apis/meta/v1" && v.Type().Elem().Name() == "Time" {
			return // written in its own way
		}
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), name)
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			v.SetBytes([]byte("{}")) // raw JSON of a managed field
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range v.Len() {
			fill(v.Index(i), fmt.Sprint(name, i))
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(reflect.ValueOf("key"), reflect.ValueOf("value"))
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Field(i); f.CanSet() && f.Type().Name() != "Time" {
				fill(f, v.Type().Field(i).Name)
			}
		}
	}
}
