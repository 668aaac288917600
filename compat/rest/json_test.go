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
