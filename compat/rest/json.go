package rest

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// object is a JSON object whose members stand in a chosen order: clients of the old server print what they get.
type object []member

type member struct {
	name  string
	value any
}

// MarshalJSON implements json.Marshaler.
func (o object) MarshalJSON() ([]byte, error) {
	b := []byte{'{'}
	for i, m := range o {
		if i > 0 {
			b = append(b, ',')
		}
		name, err := compact(m.name)
		if err != nil {
			return nil, err
		}
		value, err := compact(m.value)
		if err != nil {
			return nil, err
		}
		b = append(append(append(b, name...), ':'), value...)
	}
	return append(b, '}'), nil
}

// encode gives a value as the old server lays JSON out: two blanks per level of objects, a blank on both sides of a colon, arrays on
// one line around their elements.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, fmt.Errorf("rest: encode: %w", err)
	}
	return layout(bytes.TrimRight(b.Bytes(), "\n")), nil
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
