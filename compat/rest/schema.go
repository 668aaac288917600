package rest

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"
)

// schema describes a JSON value, as far as Swagger 2.0 can.
type schema struct {
	Ref        string             `json:"$ref,omitempty"`
	Type       string             `json:"type,omitempty"`
	Format     string             `json:"format,omitempty"`
	Enum       []string           `json:"enum,omitempty"`
	Items      *schema            `json:"items,omitempty"`
	Properties map[string]*schema `json:"properties,omitempty"`
	Additional *schema            `json:"additionalProperties,omitempty"`
	Required   []string           `json:"required,omitempty"`
	Nullable   bool               `json:"x-nullable,omitempty"`
}

// definitions are the named schemas of a document.
type definitions map[string]*schema

const definitionPrefix = "#/definitions/"

// add gives a name to a schema and refers to it. One name for two schemas is a mistake of the program, which a test finds.
func (d definitions) add(name string, s *schema) *schema {
	if had, ok := d[name]; ok && !reflect.DeepEqual(had, s) {
		panic(fmt.Sprintf("rest: two models are called %s", name))
	}
	d[name] = s
	return &schema{Ref: definitionPrefix + name}
}

// model makes a schema; named parts of it become definitions.
type model func(definitions) *schema

func textual(definitions) *schema { return &schema{Type: "string"} }

func anything(definitions) *schema { return &schema{} }

func arrayOf(m model) model {
	return func(d definitions) *schema { return &schema{Type: "array", Items: m(d)} }
}

func mapOf(m model) model {
	return func(d definitions) *schema { return &schema{Type: "object", Additional: m(d)} }
}

// pageOf is one page of a list.
func pageOf(name string, m model) model {
	return func(d definitions) *schema {
		return d.add(name, &schema{Type: "object", Properties: map[string]*schema{
			"items": arrayOf(m)(d), "continuationToken": {Type: "string", Nullable: true},
		}})
	}
}

// taken is a body that is decoded into a type, without some members.
func taken[T any](name string, without ...string) model {
	return func(d definitions) *schema {
		s := d.ofType(reflect.TypeFor[T]())
		if s.Ref != "" {
			s = d[strings.TrimPrefix(s.Ref, definitionPrefix)]
		}
		out := *s
		out.Properties = maps.Clone(s.Properties)
		for _, name := range without {
			delete(out.Properties, name)
		}
		return d.add(name, &out)
	}
}

// given is a reply that show makes of a domain's value. It is asked twice, with an empty value and with a full one, so that every
// member shows its type and whether it may be null.
func given[T any](name string, show func(T) object) model {
	return func(d definitions) *schema {
		var empty, full T
		fill(reflect.ValueOf(&full).Elem(), 0)
		s := d.ofObject(show(full))
		for _, m := range show(empty) {
			if p := s.Properties[m.name]; p != nil && m.value == nil {
				p.Nullable = true
			}
		}
		return d.add(name, s)
	}
}

// literal is a reply whose members have values of the right types.
func literal(name string, o object) model {
	return func(d definitions) *schema { return d.add(name, d.ofObject(o)) }
}

// nullable are members of a definition that may be null.
func nullable(m model, members ...string) model {
	return refine(m, func(s *schema) {
		for _, name := range members {
			s.Properties[name].Nullable = true
		}
	})
}

// nullableRef is a member that may be null.
func nullableRef(m model) model {
	return func(d definitions) *schema {
		s := *m(d)
		s.Nullable = true
		return &s
	}
}

// choices says which texts a member of a definition may have.
func choices(m model, member string, texts ...string) model {
	return refine(m, func(s *schema) {
		p := s.Properties[member]
		if p.Items != nil {
			p = p.Items
		}
		p.Enum = texts
	})
}

// refine changes a definition before it is named.
func refine(m model, change func(*schema)) model {
	return func(d definitions) *schema {
		own := definitions{}
		ref := m(own)
		name := strings.TrimPrefix(ref.Ref, definitionPrefix)
		change(own[name])
		for _, name := range slices.Sorted(maps.Keys(own)) {
			d.add(name, own[name])
		}
		return ref
	}
}

// partNames are the names under which clients know the parts of bodies and replies that are types here.
var partNames = map[string]string{
	"quotaBody": "BlobStoreApiSoftQuota", "cleanupBody": "CleanupPolicyAttributes", "componentBody": "ComponentAttributes",
	"proxyBody": "ProxyAttributes", "negativeBody": "NegativeCacheAttributes", "connectionBody": "HttpClientConnectionAttributes",
	"replicationBody": "ReplicationAttributes",
}

// ofType describes what a type is decoded from.
func (d definitions) ofType(t reflect.Type) *schema {
	switch t.Kind() {
	case reflect.Pointer:
		s := d.ofType(t.Elem())
		s.Nullable = true
		return s
	case reflect.String:
		return &schema{Type: "string"}
	case reflect.Bool:
		return &schema{Type: "boolean"}
	case reflect.Int, reflect.Int32:
		return &schema{Type: "integer", Format: "int32"}
	case reflect.Int64:
		return &schema{Type: "integer", Format: "int64"}
	case reflect.Slice:
		return &schema{Type: "array", Items: d.ofType(t.Elem())}
	case reflect.Map:
		return &schema{Type: "object", Additional: d.ofType(t.Elem())}
	case reflect.Struct:
		return d.ofStruct(t)
	}
	return &schema{}
}

func (d definitions) ofStruct(t reflect.Type) *schema {
	s := &schema{Type: "object", Properties: map[string]*schema{}}
	for f := range t.Fields() {
		if f.Anonymous {
			maps.Copy(s.Properties, d.ofStruct(f.Type).Properties)
			continue
		}
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "" || name == "-" {
			continue
		}
		s.Properties[name] = d.ofType(f.Type)
	}
	if name, ok := partNames[t.Name()]; ok {
		return d.add(name, s)
	}
	return s
}

// ofObject describes a reply.
func (d definitions) ofObject(o object) *schema {
	s := &schema{Type: "object", Properties: make(map[string]*schema, len(o))}
	for _, m := range o {
		s.Properties[m.name] = d.ofValue(m.value)
	}
	return s
}

func (d definitions) ofValue(v any) *schema {
	switch v := v.(type) {
	case nil:
		return &schema{}
	case model:
		return v(d)
	case object:
		return d.ofObject(v)
	case []object:
		if len(v) == 0 {
			return &schema{Type: "array", Items: &schema{Type: "object"}}
		}
		return &schema{Type: "array", Items: d.ofObject(v[0])}
	case time.Time:
		return &schema{Type: "string", Format: "date-time"}
	}
	return d.ofType(reflect.TypeOf(v))
}

// fill sets everything in a value to something: texts, numbers, pointers, one element of each list.
func fill(v reflect.Value, depth int) {
	if !v.CanSet() || depth > 5 {
		return
	}
	if v.Type() == reflect.TypeFor[time.Time]() {
		v.Set(reflect.ValueOf(time.Unix(1, 0)))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString("x")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int32, reflect.Int64:
		v.SetInt(1)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), depth+1)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0), depth+1)
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i), depth+1)
		}
	}
}
