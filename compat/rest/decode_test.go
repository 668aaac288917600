package rest

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
)

type inner struct {
	TTL *int `json:"timeToLive"`
}

type sample struct {
	Name   string            `json:"name"`
	Online *bool             `json:"online"`
	Rule   *string           `json:"routingRule" alias:"routingRuleName"`
	List   []string          `json:"list"`
	Inner  *inner            `json:"inner"`
	Props  map[string]string `json:"props"`
}

func TestDecode(t *testing.T) {
	var s sample
	err := decode([]byte(`{"name":5,"online":"true","routingRuleName":"r","list":["a",1,true],"inner":{"timeToLive":"7","x":1},"props":{"k":2},"unknown":[]}`), &s)
	if err != nil {
		t.Fatal(err)
	}
	yes, rule, ttl := true, "r", 7
	want := sample{"5", &yes, &rule, []string{"a", "1", "true"}, &inner{&ttl}, map[string]string{"k": "2"}}
	if d := cmp.Diff(want, s); d != "" {
		t.Error(d)
	}
}

func TestDecodeRefuses(t *testing.T) {
	tests := []struct {
		in   string
		path []string
	}{
		{`[]`, nil},
		{`"x"`, nil},
		{`{"inner":"x"}`, []string{"inner"}},
		{`{"inner":{"timeToLive":"soon"}}`, []string{"inner", "timeToLive"}},
		{`{"inner":{"timeToLive":true}}`, []string{"inner", "timeToLive"}},
		{`{"online":"maybe"}`, []string{"online"}},
		{`{"name":{}}`, []string{"name"}},
		{`{"list":"a"}`, []string{"list"}},
		{`{"props":{"k":[]}}`, []string{"props", "k"}},
	}
	for _, tt := range tests {
		var shape *errShape
		if err := decode([]byte(tt.in), &sample{}); !errors.As(err, &shape) {
			t.Errorf("%s: got %v", tt.in, err)
		} else if d := cmp.Diff(tt.path, shape.path); d != "" {
			t.Errorf("%s: %s", tt.in, d)
		}
	}
	for _, in := range []string{"", " ", "null"} {
		if err := decode([]byte(in), &sample{}); !errors.Is(err, errEmptyBody) {
			t.Errorf("%q: got %v", in, err)
		}
	}
	var bad *errUnparsable
	if err := decode([]byte(`{"a":`), &sample{}); !errors.As(err, &bad) {
		t.Errorf("unparsable: got %v", err)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"name":1,"inner":{"timeToLive":1e3}}`))
	f.Fuzz(func(_ *testing.T, in []byte) { _ = decode(in, &sample{}) })
}

// TestDecodeLeavesOwnFields wants a member with an empty name to be no field of a body.
func TestDecodeLeavesOwnFields(t *testing.T) {
	body := struct {
		Name *string `json:"name"`
		own  string
	}{own: "kept"}
	if err := decode([]byte(`{"":"x","own":"y","name":"n"}`), &body); err != nil || body.own != "kept" || deref(body.Name) != "n" {
		t.Errorf("%+v, %v", body, err)
	}
}
