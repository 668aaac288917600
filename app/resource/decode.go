package resource

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// SyntaxError is a document that cannot be read, in words for its author.
type SyntaxError struct {
	Field   string // the member that is wrong, with dots between levels; "" when the whole is
	Message string
}

func (e *SyntaxError) Error() string {
	if e.Field == "" {
		return e.Message
	}
	return e.Field + ": " + e.Message
}

// Decode reads exactly one JSON document. Members that into does not know are an error that names them.
func Decode(data []byte, into any) error {
	if bytes.Equal(bytes.TrimSpace(data), []byte("null")) {
		return &SyntaxError{Message: "an object is wanted"}
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return explain(err)
	}
	if _, err := d.Token(); err != io.EOF {
		return &SyntaxError{Message: "there is something behind the end of the document"}
	}
	return nil
}

func explain(err error) error {
	var shape *json.UnmarshalTypeError
	var syntax *json.SyntaxError
	var own *SyntaxError
	switch {
	case errors.As(err, &own):
		return own
	case errors.As(err, &shape):
		return &SyntaxError{Field: shape.Field, Message: "must be " + wanted(shape.Type.Kind().String()) + ", not " + shape.Value}
	case errors.As(err, &syntax):
		return &SyntaxError{Message: fmt.Sprintf("not JSON: %v, at byte %d", syntax, syntax.Offset)}
	case errors.Is(err, io.EOF):
		return &SyntaxError{Message: "a document is wanted, and there is none"}
	case errors.Is(err, io.ErrUnexpectedEOF):
		return &SyntaxError{Message: "not JSON: it ends too early"}
	}
	if name, unknown := strings.CutPrefix(err.Error(), "json: unknown field "); unknown {
		return &SyntaxError{Field: strings.Trim(name, `"`), Message: "there is no such member"}
	}
	return &SyntaxError{Message: strings.TrimPrefix(err.Error(), "json: ")}
}

// wanted names a Go kind for authors of JSON.
func wanted(kind string) string {
	switch {
	case kind == "bool":
		return "true or false"
	case kind == "slice":
		return "a list"
	case kind == "struct", kind == "map":
		return "an object"
	case strings.HasPrefix(kind, "int"), strings.HasPrefix(kind, "uint"):
		return "a whole number"
	}
	return "a " + kind
}

// Encode writes a document as JSON, on one line.
func Encode(doc any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(doc); err != nil {
		return nil, fmt.Errorf("resource: encode: %w", err)
	}
	return bytes.TrimRight(b.Bytes(), "\n"), nil
}

// Read makes a document of what a client sent: absent members get their defaults.
func Read[T any](s *Set[T], data []byte) (T, error) {
	doc := s.Blank()
	if err := Decode(data, &doc); err != nil {
		return doc, err
	}
	if s.Fill != nil {
		s.Fill(&doc)
	}
	return doc, nil
}

// Merge changes a document as RFC 7396 says: members of the patch take the place of those of the document, null takes them away. The
// document's defaults apply to what is then absent.
func Merge[T any](s *Set[T], doc *T, patch []byte) (T, error) {
	merged, err := MergePatch(doc, patch)
	if err != nil {
		return *doc, err
	}
	return Read(s, merged)
}

// MergePatch gives the JSON of a document after a patch as of RFC 7396.
func MergePatch(doc any, patch []byte) ([]byte, error) {
	var change any
	if err := json.Unmarshal(patch, &change); err != nil {
		return nil, explain(err)
	}
	members, ok := change.(map[string]any)
	if !ok {
		return nil, &SyntaxError{Message: "an object is wanted"}
	}
	data, err := Encode(doc)
	if err != nil {
		return nil, err
	}
	var whole map[string]any
	if err := json.Unmarshal(data, &whole); err != nil {
		return nil, fmt.Errorf("resource: merge: %w", err)
	}
	return Encode(merge(whole, members))
}

func merge(into, change map[string]any) map[string]any {
	for name, value := range change {
		switch value := value.(type) {
		case nil:
			delete(into, name)
		case map[string]any:
			below, _ := into[name].(map[string]any)
			if below == nil {
				below = map[string]any{}
			}
			into[name] = merge(below, value)
		default:
			into[name] = value
		}
	}
	return into
}
