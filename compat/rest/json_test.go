package rest

import (
	"encoding/json"
	"testing"
)

func TestEncodeLaysOutAsTheOldServer(t *testing.T) {
	tests := []struct{ in, want string }{
		{`{}`, `{ }`},
		{`[]`, `[ ]`},
		{`"a:b,{c}"`, `"a:b,{c}"`},
		{`["x","y"]`, `[ "x", "y" ]`},
		{`{"items":[{"id":"a","assets":[{"n":1},{"n":2}],"tags":["p","q"],"e":{}}],"token":null}`, `{
  "items" : [ {
    "id" : "a",
    "assets" : [ {
      "n" : 1
    }, {
      "n" : 2
    } ],
    "tags" : [ "p", "q" ],
    "e" : { }
  } ],
  "token" : null
}`},
		{`{"q":"say \"hi\", <b>","n":[1,2,[3]]}`, "{\n  \"q\" : \"say \\\"hi\\\", <b>\",\n  \"n\" : [ 1, 2, [ 3 ] ]\n}"},
	}
	for _, tt := range tests {
		got, err := encode(json.RawMessage(tt.in))
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != tt.want {
			t.Errorf("%s:\n%s\nwant\n%s", tt.in, got, tt.want)
		}
	}
}

// TestObjectsAsPackageJSONWritesThem holds the short way for common values against the long one.
func TestObjectsAsPackageJSONWritesThem(t *testing.T) {
	text := "a\"b\\c\n\u2028<>&é\xff\x7f"
	for want, v := range map[string]any{
		`{}`: object(nil), `null`: []object(nil), `[]`: []object{}, `[{},{"a":null}]`: []object{{}, {{"a", nil}}},
		`{"n":-3,"m":9007199254740993,"f":1.5,"t":true,"l":["x"],"o":{"b":{"c":{}}}}`: object{
			{"n", -3}, {"m", int64(9007199254740993)}, {"f", 1.5}, {"t", true}, {"l", []string{"x"}}, {"o", object{{"b", object{{"c", object{}}}}}},
		},
		`{"a\"b\\c\n\u2028<>&é\ufffd` + "\x7f" + `":"a\"b\\c\n\u2028<>&é\ufffd` + "\x7f" + `"}`: object{{text, text}},
	} {
		got, err := appendJSON(nil, v)
		if err != nil || string(got) != want {
			t.Errorf("%s, %v\nwant %s", got, err, want)
		}
		if long, err := compact(v); err != nil || string(long) != want {
			t.Errorf("package json: %s, %v\nwant %s", long, err, want)
		}
	}
	if got, err := encode(object{{"a", []object{{{"f", func() {}}}}}}); err == nil {
		t.Errorf("a function is %s", got)
	}
}

func FuzzLayout(f *testing.F) {
	f.Add(`{"a":[1,"b\\",{"c":null}]}`)
	f.Fuzz(func(t *testing.T, in string) {
		if !json.Valid([]byte(in)) {
			return
		}
		got, err := encode(json.RawMessage(in))
		if err != nil {
			return
		}
		if !json.Valid(got) {
			t.Errorf("%q became invalid: %q", in, got)
		}
	})
}
