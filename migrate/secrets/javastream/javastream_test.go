package javastream_test

import (
	"encoding/hex"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"entrepot/migrate/h2"
	"entrepot/migrate/h2/h2test"
	"entrepot/migrate/secrets/javastream"
)

// stream builds a stream of hexadecimal pieces and 'texts', which a length of two bytes precedes.
func stream(t testing.TB, pieces ...string) []byte {
	t.Helper()
	var out []byte
	for _, p := range pieces {
		if text, ok := strings.CutPrefix(p, "'"); ok {
			out = append(append(out, byte(len(text)>>8), byte(len(text))), text...)
			continue
		}
		b, err := hex.DecodeString(strings.ReplaceAll(p, " ", ""))
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, b...)
	}
	return out
}

// sampleObject is an object of class B, which extends A, with a field of every type.
func sampleObject(t testing.TB) []byte {
	return stream(t, "aced0005 73 72", "'B", "0000000000000001 02 0003 5a", "'z", "5b", "'a", "74", "'[I", "4c", "'s", "74", "'Ljava/lang/String;", "78",
		"72", "'A", "0000000000000002 03 0007 42", "'b", "43", "'c", "44", "'d", "46", "'f", "49", "'i", "4a", "'j", "53", "'h", "78 70",
		// A: b = -1, c = 'ä', d = 1.5, f = -2, i = -3, j = 2^40, h = -4, then data of its own
		"ff 00e4 3ff8000000000000 c0000000 fffffffd 0000010000000000 fffc 77 02 cafe 7e 72", "'E", "0000000000000000 12 0000 78",
		"72", "'java.lang.Enum", "0000000000000000 12 0000 78 70 74", "'ONE", "70 78",
		// B: z = true, a = {1, -1}, s = the text of the constant
		"01 75 72", "'[I", "4dba602676eab2a5 02 0000 78 70 00000002 00000001 ffffffff 71 007e0008")
}

func TestParse(t *testing.T) {
	v, err := javastream.Parse(sampleObject(t))
	if err != nil {
		t.Fatal(err)
	}
	o := v.(*javastream.Object)
	for name, want := range map[string]any{
		"b": int64(-1), "c": int64(0xe4), "d": 1.5, "f": -2.0, "i": int64(-3), "j": int64(1 << 40), "h": int64(-4), "z": true, "s": "ONE",
	} {
		if got, ok := o.Field(name); !ok || got != want {
			t.Errorf("%s is %#v, want %#v", name, got, want)
		}
	}
	a, _ := o.Field("a")
	if array := a.(*javastream.Array); array.Class != "[I" || len(array.Elements) != 2 || array.Elements[1] != int64(-1) {
		t.Errorf("array %+v", a)
	}
	custom := o.Levels[0].Custom
	if len(custom) != 3 || string(custom[0].([]byte)) != "\xca\xfe" || custom[1] != (javastream.Enum{Class: "E", Name: "ONE"}) || custom[2] != nil {
		t.Errorf("data %#v", custom)
	}
	if _, ok := o.Field("none"); ok || o.Class != "B" || len(javastream.Elements(v)) != 0 {
		t.Errorf("%+v", o)
	}
}

func TestTexts(t *testing.T) {
	for _, c := range []struct {
		raw  []byte
		want any
	}{
		{stream(t, "aced0005 74", "'abc"), "abc"},
		{stream(t, "aced0005 74 0002 c080"), "\x00"},
		{stream(t, "aced0005 74 0006 eda0bdedb880"), "😀"},
		{stream(t, "aced0005 7c 0000000000000003 616263"), "abc"},
		{stream(t, "aced0005 70"), nil},
	} {
		if got, err := javastream.Parse(c.raw); err != nil || got != c.want {
			t.Errorf("%x: %q, %v", c.raw, got, err)
		}
	}
}

func TestRefused(t *testing.T) {
	whole := sampleObject(t)
	for n := range whole {
		var at *javastream.Error
		if _, err := javastream.Parse(whole[:n]); !errors.As(err, &at) || at.Offset > n {
			t.Errorf("cut at %d: %v", n, err)
		}
	}
	deep := stream(t, "aced0005")
	for range 100 {
		deep = append(deep, stream(t, "75 72", "'[L", "0000000000000000 02 0000 78 70 00000001")...)
	}
	for name, raw := range map[string][]byte{
		"after the end":    append(append([]byte{}, whole...), 0),
		"only an end":      stream(t, "aced0005 78"),
		"a reset":          stream(t, "aced0005 79"),
		"a class":          stream(t, "aced0005 76"),
		"a bad reference":  stream(t, "aced0005 71 007e0000"),
		"bad text":         stream(t, "aced0005 74 0001 ff"),
		"cut character":    stream(t, "aced0005 74 0001 c3"),
		"huge text":        stream(t, "aced0005 7c 7fffffffffffffff 61"),
		"huge array":       stream(t, "aced0005 75 72", "'[I", "0000000000000000 02 0000 78 70 7fffffff 00"),
		"unknown flags":    stream(t, "aced0005 73 72", "'A", "0000000000000000 00 0000 78 70"),
		"field of no type": stream(t, "aced0005 73 72", "'A", "0000000000000000 02 0001 4c", "'x", "70 78 70 70"),
		"nested too deep":  deep,
		"no object":        stream(t, "aced0005 73 70"),
	} {
		if v, err := javastream.Parse(raw); err == nil {
			t.Errorf("%s: %#v", name, v)
		}
	}
}

// TestFixtureTasks reads the scheduled tasks of real servers.
func TestFixtureTasks(t *testing.T) {
	for _, name := range []string{"nexus-3.77-small", "nexus-3.71-tiny"} {
		db, err := h2.Open(filepath.Join(h2test.Unpack(t, name, "db"), "db", "nexus.mv.db"), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		n := 0
		for row, err := range db.Rows(t.Context(), "qrtz_job_details") {
			if err != nil {
				t.Fatal(err)
			}
			data, _, err := h2.Get[[]byte](row, "job_data")
			if err != nil {
				t.Fatal(err)
			}
			v, err := javastream.Parse(data)
			if err != nil {
				t.Fatal(err)
			}
			m, _ := v.(*javastream.Object).Field("map")
			found := map[any]any{}
			for key, value := range javastream.Entries(m) {
				found[key] = value
			}
			task, _, _ := h2.Get[string](row, "description")
			if typeID, ok := found[".typeId"].(string); !ok || typeID == "" || found[".name"] != task {
				t.Errorf("%s: %v", task, found)
			}
			n++
		}
		if n < 3 {
			t.Errorf("%s: %d tasks", name, n)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(sampleObject(f))
	f.Fuzz(func(t *testing.T, data []byte) {
		v, err := javastream.Parse(data)
		var at *javastream.Error
		if err != nil && (!errors.As(err, &at) || at.Offset < 0 || at.Offset > len(data)) {
			t.Fatalf("%v", err)
		}
		for range javastream.Entries(v) {
			continue
		}
	})
}
