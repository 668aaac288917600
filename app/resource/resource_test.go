package resource

import (
	"encoding/json"
	"errors"
	"testing"
	"time"
)

func TestDuration(t *testing.T) {
	for text, want := range map[string]string{
		`"90s"`: "1m30s", `"24h"`: "24h", `"1h30m"`: "1h30m", `"forever"`: "forever", `60`: "1m", `-1`: "forever", `0`: "0s", `1.5`: "1.5s", `"10m"`: "10m",
	} {
		var d Duration
		if err := json.Unmarshal([]byte(text), &d); err != nil || d.String() != want {
			t.Errorf("%s is %s, %v; want %s", text, d, err, want)
		}
		again, err := json.Marshal(d)
		var same Duration
		if err == nil {
			err = json.Unmarshal(again, &same)
		}
		if err != nil || same != d {
			t.Errorf("%s comes back as %s, %v", text, same, err)
		}
	}
	for _, text := range []string{`"1 day"`, `"-5s"`, `{}`, `"x"`, `[]`} {
		var d Duration
		var wrong *SyntaxError
		if err := Decode([]byte(`{"d":`+text+`}`), &struct {
			D *Duration `json:"d"`
		}{&d}); !errors.As(err, &wrong) {
			t.Errorf("%s: %v", text, err)
		}
	}
	if Duration(time.Minute).String() != "1m" {
		t.Error("a minute")
	}
}

func TestMergePatch(t *testing.T) {
	type document struct {
		Name string         `json:"name"`
		In   map[string]any `json:"in,omitempty"`
		List []int          `json:"list,omitempty"`
	}
	before := document{Name: "a", In: map[string]any{"x": 1, "y": map[string]any{"z": 2}}, List: []int{1, 2}}
	for patch, want := range map[string]string{
		`{}`:                           `{"in":{"x":1,"y":{"z":2}},"list":[1,2],"name":"a"}`,
		`{"name":"b","list":[3]}`:      `{"in":{"x":1,"y":{"z":2}},"list":[3],"name":"b"}`,
		`{"in":null}`:                  `{"list":[1,2],"name":"a"}`,
		`{"in":{"y":{"z":null}}}`:      `{"in":{"x":1,"y":{}},"list":[1,2],"name":"a"}`,
		`{"in":{"x":{"new":{"n":1}}}}`: `{"in":{"x":{"new":{"n":1}},"y":{"z":2}},"list":[1,2],"name":"a"}`,
	} {
		got, err := MergePatch(before, []byte(patch))
		if err != nil || string(got) != want {
			t.Errorf("%s: %s, %v; want %s", patch, got, err, want)
		}
	}
	for _, patch := range []string{`[]`, `1`, `null`, `{`} {
		if _, err := MergePatch(before, []byte(patch)); err == nil {
			t.Errorf("%s is taken", patch)
		}
	}
}

func TestSecretsKeepQuiet(t *testing.T) {
	s := Secret("hush")
	data, err := json.Marshal(map[string]any{"s": s})
	if err != nil || string(data) != `{"s":"***"}` || s.String() != Hidden || s.GoString() != Hidden {
		t.Errorf("%s %v", data, err)
	}
	for _, tt := range []struct {
		given  Secret
		kept   string
		unlike Secret
	}{{"", "stored", ""}, {Hidden, "stored", ""}, {"new", "new", "new"}, {"stored", "stored", ""}} {
		if got := tt.given.or("stored"); got != tt.kept {
			t.Errorf("%q keeps %q", string(tt.given), got)
		}
		if got := tt.given.unlike("stored"); got != tt.unlike {
			t.Errorf("%q is unlike as %q", string(tt.given), string(got))
		}
	}
}
