package datadir

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"strconv"
	"strings"
	"time"

	"entrepot/migrate/h2"
)

// row reads columns by name. Its first fault sticks, so that it is looked at once for each row.
type row struct {
	h2.Row
	nth int64 // of its table, from 1
	err error
}

// rows delivers a table's rows; a table that does not exist has none.
func (d *Directory) rows(ctx context.Context, table string) iter.Seq2[*row, error] {
	return func(yield func(*row, error) bool) {
		if _, ok := d.db.Table(table); !ok {
			return
		}
		number := int64(0)
		for r, err := range d.db.Rows(ctx, table) {
			if err != nil {
				yield(nil, fmt.Errorf("datadir: %w", err))
				return
			}
			number++
			if !yield(&row{Row: r, nth: number}, nil) {
				return
			}
		}
	}
}

func get[T any](r *row, column string) (value T, ok bool) {
	if _, there := r.Table.Column(column); !there {
		return value, false
	}
	value, ok, err := h2.Get[T](r.Row, column)
	if err != nil && r.err == nil {
		r.err = fmt.Errorf("datadir: table %s, row %d: %w", r.Table.Name, r.ID, err)
	}
	return value, ok
}

func (r *row) text(column string) string    { v, _ := get[string](r, column); return v }
func (r *row) number(column string) int64   { v, _ := get[int64](r, column); return v }
func (r *row) flag(column string) bool      { v, _ := get[bool](r, column); return v }
func (r *row) time(column string) time.Time { v, _ := get[time.Time](r, column); return v.UTC() }
func (r *row) uuid(column string) string {
	v, ok := get[h2.UUID](r, column)
	if !ok {
		return ""
	}
	return v.String()
}

// object reads a column with a JSON object.
func (r *row) object(column string) object {
	var o object
	r.json(column, &o)
	return o
}

// list reads a column with a JSON array of texts.
func (r *row) list(column string) []string {
	var texts []string
	r.json(column, &texts)
	return texts
}

func (r *row) json(column string, to any) {
	raw, ok := get[json.RawMessage](r, column)
	if !ok || len(raw) == 0 {
		return
	}
	var err error
	if _, open := to.(*object); open {
		decoder := json.NewDecoder(bytes.NewReader(raw))
		decoder.UseNumber()
		err = decoder.Decode(to)
	} else {
		err = json.Unmarshal(raw, to)
	}
	if err != nil && r.err == nil { // the error could quote a secret
		r.err = fmt.Errorf("datadir: table %s, row %d: column %s is not the JSON that is expected there", r.Table.Name, r.ID, column)
	}
}

// object is a JSON object. Old servers write numbers and truth values as such or as text, depending on who asked them to.
type object map[string]any

func (o object) object(key string) object {
	m, _ := o[key].(map[string]any)
	return m
}

// text gives a member as text; "" when it is absent, null or no single value.
func (o object) text(key string) string {
	switch v := o[key].(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	case bool:
		return strconv.FormatBool(v)
	}
	return ""
}

// optional gives a member as text, nil when it is absent or null.
func (o object) optional(key string) *string {
	if o[key] == nil {
		return nil
	}
	text := o.text(key)
	return &text
}

func (o object) flag(key string) bool { return strings.EqualFold(o.text(key), "true") }

// number gives a member as an integer; false when it is none.
func (o object) number(key string) (int64, bool) {
	text := o.text(key)
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return n, true
	}
	f, err := strconv.ParseFloat(text, 64)
	return int64(f), err == nil
}

// list gives a member that is an array of texts, or a single text.
func (o object) list(key string) []string {
	switch v := o[key].(type) {
	case string:
		if v != "" {
			return []string{v}
		}
	case []any:
		var texts []string
		for _, e := range v {
			if text, ok := e.(string); ok {
				texts = append(texts, text)
			}
		}
		return texts
	}
	return nil
}
