package javaregex

import (
	"errors"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// matches are expressions with what they match and what not.
var matches = []struct {
	pattern string
	yes, no []string
}{
	{`/a/.*`, []string{"/a/", "/a/b/c"}, []string{"/a", "x/a/", "/a/\n"}},
	{`^/a/.*$`, []string{"/a/b"}, []string{"/b/a/b"}},
	{`.*`, []string{"", "/x"}, []string{"a\r", "\u2028"}},
	{`(?s).*`, []string{"a\nb"}, nil},
	{`(?d).*`, []string{"a\r"}, []string{"a\n"}},
	{`/team-[0-9]+/.*`, []string{"/team-12/a"}, []string{"/team-x/a", "/team-/a"}},
	{`/(docs|public)/.*[.](txt|md)`, []string{"/docs/a.txt", "/public/x/y.md"}, []string{"/docs/a.md5", "/docs/atxt"}},
	{`(?!x).*`, []string{"", "a", "/x"}, []string{"x", "xa"}},
	{`(?!.*secret).*`, []string{"/a/b"}, []string{"/a/secret/b", "secret"}},
	{`/(?!internal/).+`, []string{"/pub/a"}, []string{"/internal/a", "/"}},
	{`.*(?<!-SNAPSHOT)/[^/]+`, []string{"/a/1.0/x.jar"}, []string{"/a/1.0-SNAPSHOT/x.jar"}},
	{`(?=/a).*b`, []string{"/ab", "/a/b"}, []string{"/b", "/a"}},
	{`(a|b)\1`, []string{"aa", "bb"}, []string{"ab", "a"}},
	{`(?<x>a+)-\k<x>`, []string{"aa-aa"}, []string{"aa-a"}},
	{`(?>a*)ab`, nil, []string{"aab", "ab"}},
	{`a*+b`, []string{"aab"}, nil},
	{`a*+a`, nil, []string{"aa"}},
	{`a{2}b{1,}c{0,1}`, []string{"aab", "aabbc"}, []string{"ab", "aabcc"}},
	{`(?:ab){2,3}?c`, []string{"ababc", "abababc"}, []string{"abc"}},
	{`[a-c&&[^b]]+`, []string{"ac"}, []string{"b", "d"}},
	{`[a-d&&b-z&&[^c]]`, []string{"b", "d"}, []string{"a", "c", "z"}},
	{`[a[0-9]_-]+`, []string{"a5_-"}, []string{"b"}},
	{`[]a]+`, []string{"]a"}, nil},
	{`[^/\s]+`, []string{"ab"}, []string{"a/b", "a b"}},
	{`[\w.\-+]+`, []string{"a-b+c.d_9"}, []string{"a/b", "é"}},
	{`\Qa.b\E.`, []string{"a.bx"}, []string{"axbx"}},
	{`\Q[x`, []string{"[x"}, nil},
	{`\x41\u0042\x{43}\0104\t\cA`, []string{"ABCD\t\x01"}, nil},
	{`\uD83D\uDE00`, []string{"😀"}, nil},
	{`(?i)/Docs/[a-c]`, []string{"/DOCS/B", "/docs/b"}, []string{"/docs/d"}},
	{`(?i)ä`, []string{"ä"}, []string{"Ä"}},
	{`(?iu)ä`, []string{"ä", "Ä"}, nil},
	{`a(?i:b)c`, []string{"aBc", "abc"}, []string{"aBC"}},
	{`a(?i)b|c`, []string{"aB", "C"}, []string{"AB"}},
	{`\p{Lu}\p{Alpha}\P{Digit}`, []string{"Äax"}, []string{"aax", "Ää1"}},
	{`\p{IsLatin}+\p{script=Greek}`, []string{"aéα"}, []string{"α"}},
	{`\pL+`, []string{"aé"}, []string{"1"}},
	{`(?x) a b # note`, []string{"ab"}, []string{"a b"}},
	{`\ba\b\B`, nil, []string{"a"}},
	{`.*\bfoo\b.*`, []string{"/foo/", "foo"}, []string{"/food/"}},
	{`(?m)a\n^b$`, []string{"a\nb"}, nil},
	{`a\Rb`, []string{"a\r\nb", "a\nb"}, []string{"ab"}},
	{`\h+\v`, []string{" \t\n"}, []string{"\n"}},
	{`a||b`, []string{"a", "", "b"}, nil},
	{`}]-,`, []string{"}]-,"}, nil},
	{`a{1001,2000}`, []string{strings.Repeat("a", 1500)}, []string{strings.Repeat("a", 1000)}},
	{`(a*)*b`, []string{"aaab", "b"}, []string{"aaa"}},
	{`\Aab\z`, []string{"ab"}, nil},
}

func TestMatch(t *testing.T) {
	for _, tt := range matches {
		re, err := Compile(tt.pattern)
		if err != nil {
			t.Errorf("Compile(%q): %v", tt.pattern, err)
			continue
		}
		for _, s := range tt.yes {
			if !re.Match(s) || !slowly(re, s) {
				t.Errorf("%q does not match %q", tt.pattern, s)
			}
		}
		for _, s := range tt.no {
			if re.Match(s) || slowly(re, s) {
				t.Errorf("%q matches %q", tt.pattern, s)
			}
		}
	}
}

func TestSyntaxErrors(t *testing.T) {
	tests := []struct{ pattern, want string }{
		{"[", "Unclosed character class"},
		{"[a", "Unclosed character class"},
		{"[]", "Unclosed character class"},
		{"(", "Unclosed group"},
		{"(?=a", "Unclosed group"},
		{"a)", "Unmatched closing ')'"},
		{"*a", "Dangling meta character '*'"},
		{"a|+", "Dangling meta character '+'"},
		{"a**", "Dangling meta character '*'"},
		{"a{", "Illegal repetition"},
		{"a{x}", "Illegal repetition"},
		{"a{1", "Unclosed counted closure"},
		{"a{2,1}", "Illegal repetition range"},
		{"[b-a]", "Illegal character range"},
		{"(?q)", "Unknown inline modifier"},
		{`\y`, "Illegal/unsupported escape sequence"},
		{`\`, "Unescaped trailing backslash"},
		{`\xg`, "Illegal hexadecimal escape sequence"},
		{`\u12`, "Illegal Unicode escape sequence"},
		{`\p{Foo}`, "Unknown character property name {Foo}"},
		{`\p{IsFoo}`, "Unknown character script name {Foo}"},
		{`\p{L`, "Unclosed character family"},
		{`\k<x>`, "named capturing group <x> does not exist"},
		{`(?<=a*)b`, "Look-behind group does not have an obvious maximum length"},
		{strings.Repeat("(", 1000), "Expression is nested too deeply"},
		{"\xff", "Expression is not valid UTF-8"},
	}
	for _, tt := range tests {
		_, err := Compile(tt.pattern)
		var syntax *SyntaxError
		if !errors.As(err, &syntax) || syntax.Description != tt.want {
			t.Errorf("Compile(%.20q) = %v, want %q", tt.pattern, err, tt.want)
		}
	}
}

// slowly matches with the backtracking engine.
func slowly(re *Regexp, s string) bool {
	matched, _ := backtrack(re, s)
	return matched
}

// An expression that would take for ever gives up and does not match, even when giving up inside a negation.
func TestBudget(t *testing.T) {
	long := strings.Repeat("a", 5000)
	for _, pattern := range []string{`(?=x?)(a+)+b`, `(?!(a+)+b).*`, `(?=x?)(a|aa)*(a|aaa)*b`, `(?=x?)((a)|b)*+`} {
		re, err := Compile(pattern)
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		if pattern != `(?=x?)((a)|b)*+` && re.Match(long) {
			t.Errorf("%q matches although its budget cannot suffice", pattern)
		}
		if _, decided := re.Decide(strings.Repeat(long, 20)); decided && pattern == `(?=x?)(a+)+b` {
			t.Errorf("%q says that it was decided", pattern)
		}
		re.Match(strings.Repeat(long, 20))
		if took := time.Since(start); took > 2*time.Second {
			t.Errorf("%q took %v", pattern, took)
		}
	}
}

// Both engines must agree wherever both can work.
func TestEnginesAgree(t *testing.T) {
	piece := rapid.SampledFrom([]string{"a", "b", "/", ".", "[ab]", "[^a]", "(a|b)", "(?:ab|a)", "a*", "b+?", "(ab)*", "a{1,2}", "|", "^", "$", `\b`,
		`\w+`, "(a*)*", "(?i)B", "(b|)"})
	text := rapid.StringOfN(rapid.RuneFrom([]rune("abB/ ")), 0, 8, -1)
	rapid.Check(t, func(t *rapid.T) {
		pattern := strings.Join(rapid.SliceOfN(piece, 0, 5).Draw(t, "pieces"), "")
		re, err := Compile(pattern)
		if err != nil {
			return
		}
		if re.linear == nil {
			t.Fatalf("%q was not translated", pattern)
		}
		for range 5 {
			s := text.Draw(t, "text")
			if linear, slow := re.linear.MatchString(s), slowly(re, s); linear != slow {
				t.Fatalf("%q on %q: linear %v, backtracking %v", pattern, s, linear, slow)
			}
		}
	})
}

func FuzzCompile(f *testing.F) {
	for _, seed := range []string{`/(docs|public)/.*[.](txt|md)`, `(?!x).*`, `[a-c&&[^b]]\p{L}\x{41}`, `(?<n>a)\k<n>{2,3}+`, `\Qa\E(?<!b)`} {
		f.Add(seed, "/docs/a.txt")
	}
	f.Fuzz(func(t *testing.T, pattern, text string) {
		if len(pattern) > 200 || len(text) > 200 {
			return
		}
		re, err := Compile(pattern)
		if err != nil {
			var syntax *SyntaxError
			if !errors.As(err, &syntax) {
				t.Fatalf("%T", err)
			}
			return
		}
		if re.linear != nil && slowly(re, text) && !re.Match(text) {
			t.Fatalf("%q on %q: only the backtracking engine matches", pattern, text)
		}
		re.Match(text)
	})
}

func BenchmarkMatch(b *testing.B) {
	for name, pattern := range map[string]string{"linear": `/(docs|public)/.*[.](txt|md)`, "backtrack": `/(?!secret).*[.](txt|md)`} {
		b.Run(name, func(b *testing.B) {
			re, err := Compile(pattern)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				re.Match("/docs/some/longer/path/file-1.2.3.txt")
			}
		})
	}
}
