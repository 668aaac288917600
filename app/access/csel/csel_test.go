package csel

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// recorded are expressions that a real server was asked to store, with the detail of its refusal; "" where it accepted them.
var recorded = []struct{ expression, want string }{
	{`path == "/a"`, ""},
	{`path == '/a'`, ""},
	{`path =~ "/a/.*"`, ""},
	{`path =^ "/a"`, ""},
	{`format == "raw" and path =~ "/a.*"`, ""},
	{`format == "raw" && path =^ "/a" || path != "/b"`, ""},
	{`(format == "raw" or format == "maven2") and path =~ ".*"`, ""},
	{`path !~ "/a"`, `Expression not supported in CSEL selector in 'path !~ '/a'' at line 1 column 9`},
	{`path !^ "/a"`, `Expression not supported in CSEL selector in 'path !^ '/a'' at line 1 column 9`},
	{`path =$ "/a"`, `Expression not supported in CSEL selector in 'path =$ '/a'' at line 1 column 9`},
	{`not path == "/a"`, `Expression not supported in CSEL selector in '!path == '/a'' at line 1 column 5`},
	{`!(path == "/a")`, `Expression not supported in CSEL selector in '!(path == '/a')' at line 1 column 2`},
	{`path == 5`, `Expression not supported in CSEL selector in 'path == 5' at line 1 column 9`},
	{`path`, ""},
	{`"a" == "b"`, ""},
	{`"a" == path`, ""},
	{`coordinate.groupId == "x"`, `Expression not supported in CSEL selector in 'coordinate.groupId == 'x'' at line 1 column 1`},
	{`coordinate.version =~ ".*"`, `Expression not supported in CSEL selector in 'coordinate.version =~ '.*'' at line 1 column 1`},
	{`repository == "x"`, `Invalid identifier repository, expected one of [format, path] in 'repository == 'x'' at line 1 column 1`},
	{`path =~ "["`, `Unclosed character class in 'path =~ '['' at line 1 column 9`},
	{`path =~ "("`, `Unclosed group in 'path =~ '('' at line 1 column 9`},
	{`path == "a`, `tokenization error in '"a' at line 1 column 11`},
	{`path ==`, `parsing error in '' at line 1 column 7`},
	{`foo`, `Invalid identifier foo, expected one of [format, path] at line 1 column 1`},
	{`path.length() > 3`, `Expression not supported in CSEL selector in 'path.length() > 3' at line 1 column 17`},
	{`path =~ ["a","b"]`, `Expression not supported in CSEL selector in 'path =~ [ 'a', 'b' ]' at line 1 column 9`},
	{`path == "a\"b"`, `String literal 'a"b' should not contain embedded string (" or ') in 'path == 'a"b'' at line 1 column 9`},
	{`path == "a" ; path == "b"`, `parsing error in ';' at line 1 column 13`},
	{`true`, `Expression not supported in CSEL selector in 'true' at line 1 column 1`},
	{`1 == 1`, `Expression not supported in CSEL selector in '1 == 1' at line 1 column 1`},
	{`format = "raw"`, `Expression not supported in CSEL selector in 'format = 'raw'' at line 1 column 10`},
	{`FORMAT == "raw"`, `Invalid identifier FORMAT, expected one of [format, path] in 'FORMAT == 'raw'' at line 1 column 1`},
	{`path =~ "^/a/.*$"`, ""},
	{`path =~ "(?!x).*"`, ""},
	{`path == "ü"`, ""},
	{`path =~ "/a/.*" and`, `parsing error in '' at line 1 column 19`},
	{`((path == "x")`, `parsing error in '' at line 1 column 14`},
	{`path eq "x"`, ""},
	{`path ne "x"`, ""},
	{`path =^ ""`, ""},
	{`path > "a"`, `Expression not supported in CSEL selector in 'path > 'a'' at line 1 column 8`},
	{`empty(path)`, `Expression not supported in CSEL selector in 'empty (path)' at line 1 column 6`},
	{`format == null`, `Expression not supported in CSEL selector in 'format == null' at line 1 column 11`},
	{`a.b.c == "x"`, `Expression not supported in CSEL selector in 'a.b.c == 'x'' at line 1 column 1`},
	{`path == "a" and (format == "raw"`, `parsing error in '' at line 1 column 32`},
	{`# comment`, `tokenization error in '#' at line 1 column 2`},
	{`path == "x" // c`, ""},
	{` path == "x" `, ""},
	{"path\n== \"x\"", ""},
	{`PATH == "x"`, `Invalid identifier PATH, expected one of [format, path] in 'PATH == 'x'' at line 1 column 1`},
	{`path =~ format`, ""},
	{`path + "x" == "y"`, `Expression not supported in CSEL selector in 'path + 'x' == 'y'' at line 1 column 8`},
	{`x y`, `parsing error in 'y' at line 1 column 3`},
}

// Expressions that a real server was asked to store, with the detail of its refusal; "" where it accepted them.
func TestCompileAsRecorded(t *testing.T) {
	for _, tt := range recorded {
		_, err := Compile(tt.expression, nil)
		got := ""
		var refused *Error
		if errors.As(err, &refused) {
			got = refused.Detail
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("Compile(%q) (-want +got):\n%s", tt.expression, diff)
		}
	}
}

func TestCompileRefuses(t *testing.T) {
	tests := []struct{ expression, want string }{
		{"", "parsing error in '' at line 1 column 1"},
		{`path == "a" == "b"`, "parsing error in '==' at line 1 column 13"},
		{`if (path) "a"`, "parsing error in 'if' at line 1 column 1"},
		{`path == "a`, `tokenization error in '"a' at line 1 column 11`},
		{"path ==\n\"a\" and x == \"b\"", "Invalid identifier x, expected one of [format, path] in 'path == 'a' && x == 'b'' at line 2 column 9"},
		{`path[0] == "a"`, "Expression not supported in CSEL selector in 'path[0] == 'a'' at line 1 column 1"},
		{`path.x.y("a", 1) == "a"`, "Expression not supported in CSEL selector in 'path.x.y('a', 1) == 'a'' at line 1 column 1"},
		{`f(path) == "a"`, "Expression not supported in CSEL selector in 'f(path) == 'a'' at line 1 column 1"},
		{`path == []`, "Expression not supported in CSEL selector in 'path == [  ]' at line 1 column 9"},
		{`path % "a" == "b"`, "Expression not supported in CSEL selector in 'path % 'a' == 'b'' at line 1 column 8"},
		{"/* x", "tokenization error in '/* x' at line 1 column 5"},
		{strings.Repeat("(", 1000), "expression is nested too deeply at line 1 column 201"},
		{strings.Repeat("!", 1000) + "path", "expression is nested too deeply at line 1 column 201"},
		{`path == "` + strings.Repeat("x", MaxExpression) + `"`, "expression is longer than 32768 bytes"},
	}
	for _, tt := range tests {
		_, err := Compile(tt.expression, nil)
		if err == nil || err.Error() != "Invalid CSEL: "+tt.want {
			t.Errorf("Compile(%.40q) = %v\nwant %s", tt.expression, err, tt.want)
		}
	}
	if _, err := Compile(`path == "x"`+strings.Repeat(` or path == "x"`, 2100), nil); err == nil {
		t.Error("an endless chain is accepted")
	}
}

func TestMatch(t *testing.T) {
	tests := []struct {
		expression   string
		format, path string
		want         bool
	}{
		{`format == "raw" and path =^ "/pub/"`, "raw", "/pub/a.txt", true},
		{`format == "raw" and path =^ "/pub/"`, "raw", "pub/a.txt", true},
		{`format == "raw" and path =^ "/pub/"`, "raw", "/PUB/a.txt", false},
		{`format == "raw" and path =^ "/pub/"`, "raw", "/pub", false},
		{`format == "raw" and path =^ "/pub/"`, "maven2", "/pub/a.txt", false},
		{`path =~ "/team-[0-9]+/.*"`, "raw", "/team-1/a.txt", true},
		{`path =~ "/team-[0-9]+/.*"`, "raw", "/team-x/a.txt", false},
		{`path =~ "/team-[0-9]+"`, "raw", "/team-1/a.txt", false},
		{`path == "/exact.txt" or path =^ "pub2/"`, "raw", "/exact.txt", true},
		{`path == "/exact.txt" or path =^ "pub2/"`, "raw", "/pub2/a.txt", false},
		{`path != "/no.txt"`, "raw", "/no.txt", false},
		{`path != "/no.txt"`, "raw", "/yes.txt", true},
		{`(format == "maven2" || format == 'raw') && path != "/docs/secret.txt"`, "raw", "/docs/secret.txt", false},
		{`(format == "maven2" || format == 'raw') && path != "/docs/secret.txt"`, "apt", "/docs/a.txt", false},
		{`format == "a" || format == "raw" && path == "/x"`, "raw", "/x", true},
		{`format == "raw" || format == "a" && path == "/x"`, "raw", "/y", true},
		{`path eq "/a" or path ne "/b"`, "raw", "/b", false},
		{`path =^ ""`, "raw", "/a", true},
		{`path`, "raw", "/a", false},
		{`"true"`, "raw", "/a", false},
		{`path or path =^ "/"`, "raw", "/a", true},
		{`(path == "/a") == "x"`, "raw", "/a", false},
		{`"/a" == path`, "raw", "/a", true},
		{`path =~ format`, "raw", "/a", false},
		{`path =~ path`, "raw", "/(", true},
		{`path == (("/a"))`, "raw", "/a", true},
		{`path =~ "/[^/]+\\.txt"`, "raw", "/a.txt", true},
		{`path =~ "(?!.*secret).*"`, "raw", "/secret/a", false},
	}
	for _, tt := range tests {
		sel, err := Compile(tt.expression, nil)
		if err != nil {
			t.Errorf("Compile(%q): %v", tt.expression, err)
			continue
		}
		if got := sel.Match(tt.format, tt.path); got != tt.want {
			t.Errorf("%q on %s %s = %v", tt.expression, tt.format, tt.path, got)
		}
	}
}

func TestOptionalSlash(t *testing.T) {
	tests := []struct {
		expression, path string
		want             bool
	}{
		{`path =^ "org/"`, "/org/a", true},
		{`path =^ "/org/"`, "/org/a", true},
		{`path == "a"`, "/a", true},
		{`"a" == path`, "/a", true},
		{`path != "a"`, "/a", false},
		{`path =~ "org/.*"`, "/org/a", true},
		{`path =~ "/org/.*"`, "/org/a", true},
		{`path =~ "rg/.*"`, "/org/a", false},
		{`path =^ ""`, "/a", true},
		{`format == "raw"`, "/a", true},
		{`format =~ "/?raw"`, "/a", true},
	}
	for _, tt := range tests {
		sel, err := Compile(tt.expression, &Options{OptionalSlash: true})
		if err != nil {
			t.Fatal(err)
		}
		if got := sel.Match("raw", tt.path); got != tt.want {
			t.Errorf("%q on %s = %v", tt.expression, tt.path, got)
		}
	}
}

func FuzzCompile(f *testing.F) {
	for _, seed := range []string{`format == "raw" and path =^ "/pub/"`, `!(path =~ "[a-z]+") or x.y(1)[2] != null`, "path == 'a\\'b' // c", `/**/"\u0041"`} {
		f.Add(seed, "/a/b")
	}
	f.Fuzz(func(t *testing.T, expression, path string) {
		if len(expression) > 300 {
			return
		}
		sel, err := Compile(expression, nil)
		if err != nil {
			var refused *Error
			if !errors.As(err, &refused) {
				t.Fatalf("%T", err)
			}
			return
		}
		want := sel.Match("raw", path)
		again, err := Compile(sel.root.String(), nil)
		if err != nil && !strings.Contains(expression, `\`) {
			t.Fatalf("%q rendered as %q: %v", expression, sel.root, err)
		}
		if err == nil && !strings.Contains(expression, `\`) && again.Match("raw", path) != want {
			t.Fatalf("%q and %q differ on %q", expression, sel.root, path)
		}
		if _, err := Compile(expression, &Options{OptionalSlash: true}); err != nil {
			t.Fatal(err)
		}
	})
}

func BenchmarkMatch(b *testing.B) {
	sel, err := Compile(`format == "raw" and path =^ "/docs/" and path != "/docs/secret.txt"`, nil)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if !sel.Match("raw", "/docs/some/longer/path/file-1.2.3.txt") {
			b.Fatal("no match")
		}
	}
}
