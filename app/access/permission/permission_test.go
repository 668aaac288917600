package permission

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func parse(t testing.TB, text string) Permission {
	t.Helper()
	p, err := Parse(text)
	if err != nil {
		t.Fatalf("Parse(%q): %v", text, err)
	}
	return p
}

func TestImplies(t *testing.T) {
	tests := []struct {
		granted, wanted string
		want            bool
	}{
		{"nexus:*", "nexus:settings:read", true},
		{"*", "nexus:settings:read", true},
		{"nexus", "nexus:settings:read", true},
		{"nexus:settings", "nexus:settings:read", true},
		{"nexus:settings:read", "nexus:settings:read", true},
		{"nexus:settings:read", "nexus:settings:update", false},
		{"nexus:settings:update,read", "nexus:settings:read", true},
		{"nexus:settings:read", "nexus:settings:read,update", false},
		{"nexus:settings:update,read", "nexus:settings:read,update", true},
		{"nexus:settings:*", "nexus:settings:read,update", true},
		{"NEXUS:Settings:READ", "nexus:settings:read", true},
		{"nexus:settings:read", "nexus:*", false},
		{"nexus:*", "nexus:*", true},
		{"nexus:repository-view:maven2:*:*", "nexus:repository-view:maven2:x:read", true},
		{"nexus:repository-view:maven2:*", "nexus:repository-view:maven2:x:read", true},
		{"nexus:repository-view:*:x:read", "nexus:repository-view:maven2:x:read", true},
		{"nexus:repository-view:raw:x:read", "nexus:repository-view:maven2:x:read", false},
		{"nexus:repository-view:maven2:x:read", "nexus:repository-view:maven2", false},
		{"nexus:repository-view:maven2:*:*", "nexus:repository-view:maven2", true},
		{"nexus:a*", "nexus:abc", false},
		{"nexus:tasks:", "nexus:tasks:start", true},
		{"nexus::read", "nexus:tasks:read", false},
	}
	for _, tt := range tests {
		if got := parse(t, tt.granted).Implies(parse(t, tt.wanted)); got != tt.want {
			t.Errorf("%q implies %q = %v, want %v", tt.granted, tt.wanted, got, tt.want)
		}
	}
}

func TestParseRefusesEmpty(t *testing.T) {
	for _, text := range []string{"", " ", ":", "::"} {
		if p, err := Parse(text); err == nil {
			t.Errorf("Parse(%q) = %v", text, p)
		}
	}
	if (Permission{}).Implies(parse(t, "a")) || parse(t, "*").Implies(Permission{}) {
		t.Error("the zero permission takes part in an implication")
	}
}

func TestConstructors(t *testing.T) {
	tests := []struct {
		got  Permission
		want string
	}{
		{Application("settings", "update", "read"), "nexus:settings:update,read"},
		{Application("a:b", "*"), "nexus:a:b:*"},
		{RepositoryView("raw", "Docs", "read"), "nexus:repository-view:raw:docs:read"},
		{RepositoryAdmin("*", "*", "*"), "nexus:repository-admin:*:*:*"},
		{ContentSelector("s", "*", "r", "browse"), "nexus:repository-content-selector:s:*:r:browse"},
		{Script("s", "run"), "nexus:script:s:run"},
		{Everything(), "nexus:*"},
	}
	for _, tt := range tests {
		if got := tt.got.String(); got != tt.want {
			t.Errorf("got %q, want %q", got, tt.want)
		}
	}
}

func TestSetView(t *testing.T) {
	selectors := []Selector{{Name: "Pub", Match: func(format, path string) bool { return strings.HasPrefix(path, "/pub/") }}}
	tests := []struct {
		granted          string
		format, repo     string
		action           Action
		path             string
		view, enter, adm bool
	}{
		{"nexus:*", "raw", "r", Read, "/x", true, true, true},
		{"nexus:repository-view:*:*:read", "raw", "r", Read, "/x", true, true, false},
		{"nexus:repository-view:*:*:read", "raw", "r", Browse | Read, "/x", false, true, false},
		{"nexus:repository-view:raw:*:read", "raw", "r", Read, "/x", true, true, false},
		{"nexus:repository-view:raw:*:read", "apt", "r", Read, "/x", false, false, false},
		{"nexus:repository-view:raw:r:read", "raw", "R", Read, "/x", true, true, false},
		{"nexus:repository-view:*:r,q:read,edit", "raw", "q", Edit, "/x", true, true, false},
		{"nexus:repository-view:raw:r:read:extra", "raw", "r", Read, "/x", false, false, false},
		{"nexus:repository-view:raw:r:read:*", "raw", "r", Read, "/x", true, true, false},
		{"nexus:repository-admin:raw:r:edit", "raw", "r", Edit, "/x", false, false, true},
		{"nexus:repository-content-selector:pub:*:r:read", "raw", "r", Read, "/pub/a", true, true, false},
		{"nexus:repository-content-selector:pub:*:r:read", "raw", "r", Read, "pub/a", true, true, false},
		{"nexus:repository-content-selector:pub:*:r:read", "raw", "r", Read, "/b", false, true, false},
		{"nexus:repository-content-selector:pub:*:q:read", "raw", "r", Read, "/pub/a", false, false, false},
		{"nexus:repository-content-selector:other:*:r:read", "raw", "r", Read, "/pub/a", false, false, false},
		{"nexus:repository-content-selector:*:*:*:*", "raw", "r", Delete, "/pub/a", true, true, false},
		{"nexus:search:read", "raw", "r", Read, "/x", false, false, false},
		{"other:*", "raw", "r", Read, "/x", false, false, false},
		{"nexus:*", "raw", "r", 0, "/x", false, false, false},
	}
	for _, tt := range tests {
		s := NewSet([]Permission{parse(t, tt.granted)}, selectors)
		if got := s.View(tt.format, tt.repo, tt.action, tt.path); got != tt.view {
			t.Errorf("%s: View(%s, %s, %b, %s) = %v", tt.granted, tt.format, tt.repo, tt.action, tt.path, got)
		}
		if got := s.Enter(tt.format, tt.repo, tt.action); got != tt.enter {
			t.Errorf("%s: Enter(%s, %s, %b) = %v", tt.granted, tt.format, tt.repo, tt.action, got)
		}
		if got := s.Admin(tt.format, tt.repo, tt.action); got != tt.adm {
			t.Errorf("%s: Admin(%s, %s, %b) = %v", tt.granted, tt.format, tt.repo, tt.action, got)
		}
	}
}

func TestSetBrowse(t *testing.T) {
	selectors := []Selector{{Name: "pub", Match: func(format, path string) bool { return strings.HasPrefix(path, "/pub/") }}}
	tests := []struct {
		granted []string
		path    string
		want    bool
	}{
		{[]string{"nexus:repository-view:raw:r:browse"}, "/x", true},
		{[]string{"nexus:repository-view:raw:r:read"}, "/x", false},
		{[]string{"nexus:repository-content-selector:pub:raw:r:browse"}, "/pub/", true},
		{[]string{"nexus:repository-content-selector:pub:raw:r:read"}, "/pub/a", true}, // whatever it was granted for
		{[]string{"nexus:repository-content-selector:pub:raw:r:read"}, "/x", false},
		{[]string{"nexus:repository-content-selector:pub:raw:r:read"}, "/pub", false},
		{[]string{"nexus:repository-content-selector:pub:raw:q:read"}, "/pub/a", false},
		{[]string{"nexus:repository-content-selector:pub:raw:r:read", "nexus:repository-view:*:*:read"}, "/pub/a", true},
		{nil, "/pub/a", false},
	}
	for _, tt := range tests {
		var granted []Permission
		for _, p := range tt.granted {
			granted = append(granted, parse(t, p))
		}
		if got := NewSet(granted, selectors).Browse("raw", "R", tt.path); got != tt.want {
			t.Errorf("%v: Browse(%s) = %v", tt.granted, tt.path, got)
		}
	}
}

// A view permission for one action and a selector for the other together allow both.
func TestViewJoinsGrants(t *testing.T) {
	selectors := []Selector{{Name: "all", Match: func(string, string) bool { return true }}}
	s := NewSet([]Permission{
		parse(t, "nexus:repository-view:raw:r:read"),
		parse(t, "nexus:repository-content-selector:all:*:*:browse"),
	}, selectors)
	if !s.View("raw", "r", Read|Browse, "/a") {
		t.Error("not joined")
	}
	if s.View("raw", "r", Read|Edit, "/a") {
		t.Error("an action nobody granted is allowed")
	}
}

func TestGranted(t *testing.T) {
	s := NewSet([]Permission{parse(t, "b:x"), parse(t, "a"), parse(t, "B:x")}, nil)
	if got := strings.Join(s.Granted(), " "); got != "a b:x" {
		t.Errorf("Granted = %q", got)
	}
}

// The index must agree with the plain algorithm over all granted permissions.
func TestSetAgreesWithImplies(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		part := func(label string, words ...string) string {
			n := rapid.IntRange(1, 2).Draw(t, label+"n")
			var chosen []string
			for range n {
				chosen = append(chosen, rapid.SampledFrom(words).Draw(t, label))
			}
			return strings.Join(chosen, ",")
		}
		draw := func() string {
			parts := []string{part("ns", "nexus", "*", "x"), part("domain", "repository-view", "repository-admin", "settings", "*"),
				part("format", "raw", "apt", "*"), part("repo", "r", "q", "*"), part("action", "read", "edit", "browse", "run", "*"), part("more", "*", "z")}
			return strings.Join(parts[:rapid.IntRange(1, len(parts)).Draw(t, "length")], ":")
		}
		var granted []Permission
		for range rapid.IntRange(0, 4).Draw(t, "grants") {
			p, err := Parse(draw())
			if err != nil {
				t.Fatal(err)
			}
			granted = append(granted, p)
		}
		s := NewSet(granted, nil)
		wanted, _ := Parse(draw())
		if got, want := s.Permits(wanted), implied(granted, wanted); got != want {
			t.Fatalf("Permits(%v) = %v with %v", wanted, got, granted)
		}
		for name, action := range map[string]Action{"read": Read, "edit": Edit, "browse": Browse} {
			if got, want := s.View("raw", "r", action, "/"), implied(granted, RepositoryView("raw", "r", name)); got != want {
				t.Fatalf("View(%s) = %v with %v", name, got, granted)
			}
			if got, want := s.Admin("raw", "r", action), implied(granted, RepositoryAdmin("raw", "r", name)); got != want {
				t.Fatalf("Admin(%s) = %v with %v", name, got, granted)
			}
		}
	})
}

func BenchmarkSetView(b *testing.B) {
	granted := []Permission{parse(b, "nexus:search:read"), parse(b, "nexus:repository-view:*:*:browse")}
	for _, name := range []string{"a", "b", "c", "docs"} {
		granted = append(granted, RepositoryView("raw", name, "read"))
	}
	s := NewSet(granted, nil)
	b.ReportAllocs()
	for b.Loop() {
		if !s.View("raw", "docs", Read, "/a/b/c.txt") {
			b.Fatal("refused")
		}
	}
}

func BenchmarkSetPermits(b *testing.B) {
	var granted []Permission
	for _, name := range []string{"a", "b", "c", "d", "e", "f", "g", "settings"} {
		granted = append(granted, Application(name, "read"), Application(name, "update", "read"))
	}
	s, want := NewSet(granted, nil), Application("settings", "read")
	b.ReportAllocs()
	for b.Loop() {
		if !s.Permits(want) {
			b.Fatal("refused")
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("nexus:repository-view:maven2:*:read,browse")
	f.Add("::a,,b:")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := Parse(text)
		if err != nil {
			return
		}
		if p.String() != strings.ToLower(p.String()) || !p.Implies(p) {
			t.Errorf("Parse(%q) = %q", text, p.String())
		}
		NewSet([]Permission{p}, []Selector{{Name: "s", Match: func(string, string) bool { return true }}}).View("raw", "r", Read, text)
		if !parse(t, "*").Implies(p) {
			t.Errorf("* does not imply %q", text)
		}
	})
}
