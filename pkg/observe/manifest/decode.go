package manifest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	kjson "sigs.k8s.io/json"
)

// decode reads JSON as the API server does, field names to the letter, and returns
// what the options find wrong with its fields. The error names the field.
func decode(data []byte, into any, options ...kjson.StrictOption) (fields []string, err error) {
	fields, field, problem := unmarshal(data, into, options...)
	if problem == "" {
		return fields, nil
	}
	if exact := locate(data, into, field, problem); exact != "" {
		field = exact
	}
	if field == "" {
		return nil, errors.New(problem)
	}
	return nil, fmt.Errorf("%s: %s", field, problem)
}

// unmarshal returns what is wrong with fields, or what cannot be decoded and, if
// the decoder reports it, in which field.
func unmarshal(data []byte, into any, options ...kjson.StrictOption) (fields []string, field, problem string) {
	var strict []error
	var err error
	if len(options) == 0 {
		err = kjson.UnmarshalCaseSensitivePreserveInts(data, into)
	} else {
		strict, err = kjson.UnmarshalStrict(data, into, options...)
	}
	var mismatch *json.UnmarshalTypeError
	switch {
	case errors.As(err, &mismatch) && mismatch.Field != "":
		return nil, fieldPath(mismatch.Field), fmt.Sprintf("want %s, found %s", wanted(mismatch.Type.Kind()), found(mismatch.Value))
	case err != nil:
		return nil, "", strings.TrimPrefix(err.Error(), "json: ")
	}
	for _, err := range strict {
		problem := err.Error()
		if path, ok := errors.AsType[kjson.FieldError](err); ok && strings.HasPrefix(problem, "duplicate field") {
			problem = duplicateField(path.FieldPath())
		}
		fields = append(fields, problem)
	}
	return fields, "", ""
}

// maxLocated bounds the search for a field, which takes half a second at worst.
// What is written by hand is far smaller.
const maxLocated = 1 << 18

// locate returns the path of the value that cannot be decoded, with the indexes
// of lists, which the decoder does not report; of a wrong quantity or time it does
// not even report the field. Empty if the value cannot be found.
func locate(data []byte, into any, field, problem string) string {
	var object map[string]any
	d := json.NewDecoder(bytes.NewReader(data))
	// Numbers stay as they are written.
	d.UseNumber()
	if len(data) > maxLocated || d.Decode(&object) != nil {
		return ""
	}
	path := culprit(object, func(v any) bool {
		data, err := json.Marshal(v)
		if err != nil {
			return false
		}
		_, f, p := unmarshal(data, reflect.New(reflect.TypeOf(into).Elem()).Interface())
		return f == field && p == problem
	})
	return strings.TrimPrefix(path, ".")
}

// culprit returns the path, below v, of the innermost value that fails with
// nothing beside it and not when it is null. Each level of v is tried once, value
// by value, so the cost is the size of v times its depth.
func culprit(v any, fails func(any) bool) string {
	below := func(step string, child any, alone func(any) bool) string {
		if !alone(child) || alone(nil) {
			return ""
		}
		return step + culprit(child, alone)
	}
	switch v := v.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			alone := func(child any) bool { return fails(map[string]any{key: child}) }
			if path := below("."+key, v[key], alone); path != "" {
				return path
			}
		}
	case []any:
		for i, item := range v {
			alone := func(child any) bool { return fails([]any{child}) }
			if path := below(fmt.Sprintf("[%d]", i), item, alone); path != "" {
				return path
			}
		}
	}
	return ""
}

// fieldPath omits the Go structs that are embedded and have no name of
// their own in JSON: fields begin with a lower-case letter.
func fieldPath(path string) string {
	parts := strings.Split(path, ".")
	return strings.Join(slices.DeleteFunc(parts, func(p string) bool { return p != "" && 'A' <= p[0] && p[0] <= 'Z' }), ".")
}

// wanted names the JSON type that is read into a Go kind.
func wanted(kind reflect.Kind) string {
	switch kind {
	case reflect.Bool:
		return "a boolean"
	case reflect.String:
		return "a string"
	case reflect.Slice, reflect.Array:
		return "a list"
	case reflect.Struct, reflect.Map:
		return "an object"
	default:
		return "a number of type " + kind.String()
	}
}

// found names a JSON type, which may be followed by the value.
func found(value string) string {
	switch value {
	case "array":
		return "a list"
	case "object":
		return "an object"
	case "bool":
		return "a boolean"
	default:
		return "a " + value
	}
}
