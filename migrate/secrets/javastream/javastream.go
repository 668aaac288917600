// Package javastream reads Java's object serialization, as far as an old server's database holds it: the owners of API keys and the
// data of scheduled tasks. It gives a tree of plain values and never makes anything of what a class name says.
//
// Invariants: the stream must be whole, with nothing after its first object; depth and number of values are bounded, and no
// allocation is larger than the stream. Damage gives an *Error with the offset.
//
// Example:
//
//	v, err := javastream.Parse(data)
//	if err != nil { … }
//	for key, value := range javastream.Entries(v) { … }
package javastream

import (
	"fmt"
	"iter"
)

// Object is a serialized object. A cycle in the stream is a cycle here.
type Object struct {
	// Class is the name of the object's class.
	Class string
	// Levels hold what each class of its ancestry wrote, the most general first.
	Levels []Level
}

// Level is what one class of an object's ancestry wrote.
type Level struct {
	Class string
	// Fields by name. Values are nil, bool, int64 (byte, short, int, long and char), float64, string, *Object, *Array or Enum.
	Fields map[string]any
	// Custom is what the class wrote beyond its fields: []byte for plain data, any of the others for objects.
	Custom []any
}

// Array is a serialized array. Elements are as in Level.Fields.
type Array struct {
	Class    string
	Elements []any
}

// Enum is a constant of an enumeration.
type Enum struct {
	Class, Name string
}

// Error says where a stream cannot be read.
type Error struct {
	Offset int // in bytes
	What   string
}

func (e *Error) Error() string {
	return fmt.Sprintf("javastream: offset %d: %s", e.Offset, e.What)
}

// Level gives what a class of the object's ancestry wrote.
func (o *Object) Level(class string) (Level, bool) {
	for _, l := range o.Levels {
		if l.Class == class {
			return l, true
		}
	}
	return Level{}, false
}

// Field finds a field by its name, that of the most special class first.
func (o *Object) Field(name string) (any, bool) {
	for i := len(o.Levels) - 1; i >= 0; i-- {
		if v, ok := o.Levels[i].Fields[name]; ok {
			return v, true
		}
	}
	return nil, false
}

// Entries gives keys and values of a java.util.HashMap or LinkedHashMap in the order of the stream; nothing for other values.
func Entries(v any) iter.Seq2[any, any] {
	items := contents(v, "java.util.HashMap")
	return func(yield func(any, any) bool) {
		for i := 0; i+1 < len(items); i += 2 {
			if !yield(items[i], items[i+1]) {
				return
			}
		}
	}
}

// Elements gives the elements of a java.util.HashSet or LinkedHashSet in the order of the stream; nothing for other values.
func Elements(v any) []any { return contents(v, "java.util.HashSet") }

// contents gives the objects that a collection wrote after its sizes.
func contents(v any, class string) []any {
	o, ok := v.(*Object)
	if !ok {
		return nil
	}
	level, _ := o.Level(class)
	if len(level.Custom) == 0 {
		return nil
	}
	if _, sizes := level.Custom[0].([]byte); !sizes {
		return nil
	}
	return level.Custom[1:]
}
