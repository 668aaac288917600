package rest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"reflect"
	"strconv"
	"strings"
)

// errUnparsable reports a body that is no JSON at all.
type errUnparsable struct{ err error }

func (e *errUnparsable) Error() string { return "Could not process the input: " + e.err.Error() }

func (e *errUnparsable) Unwrap() error { return e.err }

// errShape reports JSON of the wrong shape: where, outermost first, and what is wrong.
type errShape struct {
	path    []string
	message string
}

func (e *errShape) Error() string { return strings.Join(e.path, ".") + ": " + e.message }

// errEmptyBody reports a body that is empty or null.
var errEmptyBody = errors.New("rest: empty body")

// decode reads JSON into the struct, slice or string that into points to, as leniently as the old server: unknown members are passed
// over, numbers and truth values may stand as text and the other way round. A member's Go name is its json tag; an alias tag names a
// second spelling. Members that are absent or null keep what they hold; make them pointers to tell. With a null tag, null empties them.
func decode(data []byte, into any) error {
	v, err := parse(data)
	if err != nil {
		return err
	}
	return bind(reflect.ValueOf(into).Elem(), v, nil)
}

// parse reads one JSON value, which is not null. Numbers are json.Number.
func parse(data []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var v any
	switch err := d.Decode(&v); {
	case errors.Is(err, io.EOF):
		return nil, errEmptyBody
	case err != nil:
		return nil, &errUnparsable{err}
	case v == nil:
		return nil, errEmptyBody
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, &errUnparsable{errors.New("something follows the value")}
	}
	return v, nil
}

func bind(to reflect.Value, v any, path []string) error {
	if v == nil {
		return nil
	}
	switch to.Kind() {
	case reflect.Pointer:
		to.Set(reflect.New(to.Type().Elem()))
		return bind(to.Elem(), v, path)
	case reflect.Struct:
		return bindStruct(to, v, path)
	case reflect.Slice:
		return bindSlice(to, v, path)
	case reflect.Map:
		return bindMap(to, v, path)
	}
	return bindScalar(to, v, path)
}

func bindStruct(to reflect.Value, v any, path []string) error {
	object, ok := v.(map[string]any)
	if !ok {
		return wrongShape(path, "an object", v)
	}
	for i := range to.NumField() {
		field := to.Type().Field(i)
		if field.Anonymous {
			if err := bindStruct(to.Field(i), v, path); err != nil {
				return err
			}
			continue
		}
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		if name == "" || !field.IsExported() { // the server's own
			continue
		}
		value, ok := object[name]
		if alias := field.Tag.Get("alias"); !ok && alias != "" {
			name = alias
			value, ok = object[alias]
		}
		if !ok {
			continue
		}
		if _, empties := field.Tag.Lookup("null"); empties && value == nil {
			to.Field(i).SetZero()
		}
		if err := bind(to.Field(i), value, append(path[:len(path):len(path)], name)); err != nil {
			return err
		}
	}
	return nil
}

func bindSlice(to reflect.Value, v any, path []string) error {
	list, ok := v.([]any)
	if !ok {
		return wrongShape(path, "an array", v)
	}
	slice := reflect.MakeSlice(to.Type(), len(list), len(list))
	for i, item := range list {
		if err := bind(slice.Index(i), item, append(path[:len(path):len(path)], "*")); err != nil {
			return err
		}
	}
	to.Set(slice)
	return nil
}

func bindMap(to reflect.Value, v any, path []string) error {
	object, ok := v.(map[string]any)
	if !ok {
		return wrongShape(path, "an object", v)
	}
	to.Set(reflect.MakeMapWithSize(to.Type(), len(object)))
	for key, item := range object {
		value := reflect.New(to.Type().Elem()).Elem()
		if err := bind(value, item, append(path[:len(path):len(path)], key)); err != nil {
			return err
		}
		to.SetMapIndex(reflect.ValueOf(key), value)
	}
	return nil
}

func bindScalar(to reflect.Value, v any, path []string) error {
	text, isText := v.(string)
	if number, ok := v.(json.Number); ok {
		text = number.String()
	} else if truth, ok := v.(bool); ok {
		text = strconv.FormatBool(truth)
	} else if !isText {
		return wrongShape(path, scalarName(to), v)
	}
	switch to.Kind() {
	case reflect.String:
		to.SetString(text)
		return nil
	case reflect.Bool:
		truth, ok := truthOf(text)
		if !ok {
			return &errShape{path, fmt.Sprintf(`Cannot deserialize value from String %q: only "true" or "false" recognized`, text)}
		}
		to.SetBool(truth)
		return nil
	case reflect.Int, reflect.Int64:
		number, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
		if _, truth := v.(bool); truth || err != nil {
			return &errShape{path, fmt.Sprintf("Cannot deserialize value from String %q: not a valid number", text)}
		}
		bits := 64
		if to.Kind() == reflect.Int { // what the old server calls an Integer
			bits = 32
		}
		if limit := math.Ldexp(1, bits-1); math.IsNaN(number) || number < -limit || number >= limit {
			return &errShape{path, fmt.Sprintf("Numeric value (%s) out of range", text)}
		}
		to.SetInt(int64(number))
		return nil
	}
	return fmt.Errorf("rest: cannot decode into %s", to.Type())
}

func truthOf(text string) (truth, ok bool) {
	text = strings.TrimSpace(text)
	switch text {
	case "true", "True", "TRUE":
		return true, true
	case "false", "False", "FALSE":
		return false, true
	}
	n, err := strconv.ParseInt(text, 10, 64)
	return n != 0, err == nil
}

func scalarName(to reflect.Value) string {
	switch to.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.String:
		return "a text"
	}
	return "a number"
}

func wrongShape(path []string, want string, got any) error {
	what := "a value"
	switch got.(type) {
	case map[string]any:
		what = "an object"
	case []any:
		what = "an array"
	case string:
		what = "a text"
	case json.Number:
		what = "a number"
	case bool:
		what = "true or false"
	}
	return &errShape{path, fmt.Sprintf("Cannot deserialize value: want %s, got %s", want, what)}
}
