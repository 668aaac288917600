package rest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
)

// object is a JSON object whose members stand in a chosen order: clients of the old server print what they get.
type object []member

type member struct {
	name  string
	value any
}

// MarshalJSON implements json.Marshaler.
func (o object) MarshalJSON() ([]byte, error) { return appendJSON(nil, o) }

// appendJSON appends a value without any white space. Long lists consist of objects and simple values: these are written in one pass,
// where package json would go over the text of an object once more for each that it lies in.
func appendJSON(b []byte, v any) ([]byte, error) {
	switch v := v.(type) {
	case object:
		return v.appendJSON(b)
	case []object:
		if v == nil {
			return append(b, "null"...), nil
		}
		return appendList(b, v)
	case string:
		if plain(v) {
			return append(append(append(b, '"'), v...), '"'), nil
		}
	case nil:
		return append(b, "null"...), nil
	case bool:
		return strconv.AppendBool(b, v), nil
	case int:
		return strconv.AppendInt(b, int64(v), 10), nil
	case int64:
		return strconv.AppendInt(b, v, 10), nil
	}
	text, err := compact(v)
	return append(b, text...), err
}

func (o object) appendJSON(b []byte) (_ []byte, err error) {
	b = append(b, '{')
	for i, m := range o {
		if i > 0 {
			b = append(b, ',')
		}
		if b, err = appendJSON(b, m.name); err != nil {
			return nil, err
		}
		if b, err = appendJSON(append(b, ':'), m.value); err != nil {
			return nil, err
		}
	}
	return append(b, '}'), nil
}

func appendList(b []byte, list []object) (_ []byte, err error) {
	b = append(b, '[')
	for i, o := range list {
		if i > 0 {
			b = append(b, ',')
		}
		if b, err = o.appendJSON(b); err != nil {
			return nil, err
		}
	}
	return append(b, ']'), nil
}

// plain reports whether a string stands in JSON as it is.
func plain(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

// encode gives a value as the old server lays JSON out: two blanks per level of objects, a blank on both sides of a colon, arrays on
// one line around their elements.
func encode(v any) ([]byte, error) {
	b, err := appendJSON(nil, v)
	if err != nil {
		return nil, err
	}
	return layout(b), nil
}

// compact gives a value without any white space, as the old server writes validation errors.
func compact(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, fmt.Errorf("rest: encode: %w", err)
	}
	return bytes.TrimRight(b.Bytes(), "\n"), nil
}

// layout spreads compact JSON.
func layout(in []byte) []byte {
	out := make([]byte, 0, 2*len(in))
	depth := 0
	newline := func() {
		out = append(out, '\n')
		for range depth {
			out = append(out, ' ', ' ')
		}
	}
	for i := 0; i < len(in); i++ {
		switch c := in[i]; c {
		case '"':
			end := stringEnd(in, i)
			out = append(out, in[i:end]...)
			i = end - 1
		case '{':
			out = append(out, c)
			if in[i+1] == '}' {
				out = append(out, ' ', '}')
				i++
				continue
			}
			depth++
			newline()
		case '}':
			depth--
			newline()
			out = append(out, c)
		case '[':
			out = append(out, '[', ' ')
			if in[i+1] == ']' {
				out = append(out, ']')
				i++
			}
		case ']':
			out = append(out, ' ', ']')
		case ':':
			out = append(out, ' ', ':', ' ')
		case ',':
			out = append(out, ',')
			if inObject(in, i) {
				newline()
			} else {
				out = append(out, ' ')
			}
		default:
			out = append(out, c)
		}
	}
	return out
}

// stringEnd gives the index after the string that begins at i.
func stringEnd(in []byte, i int) int {
	for i++; i < len(in); i++ {
		switch in[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(in)
}

// inObject reports whether the comma at i separates members of an object: then a string and a colon follow.
func inObject(in []byte, i int) bool {
	if i+1 >= len(in) || in[i+1] != '"' {
		return false
	}
	end := stringEnd(in, i+1)
	return end < len(in) && in[end] == ':'
}
