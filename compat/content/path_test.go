package content

import (
	"errors"
	"strings"
	"testing"

	"entrepot/formats"
)

func TestSplitPath(t *testing.T) {
	tests := []struct {
		in, name, path string
		err            string // message of the refusal
	}{
		{in: "/r/", name: "r", path: "/"},
		{in: "/r//", name: "r", path: "/"},
		{in: "/r/a.txt", name: "r", path: "/a.txt"},
		{in: "//r/a.txt", name: "r", path: "/a.txt"},
		{in: "/r//a//b.txt", name: "r", path: "/a/b.txt"},
		{in: `/r/d\b.txt`, name: "r", path: "/d/b.txt"},
		{in: `/r\d\\b.txt`, name: "r", path: "/d/b.txt"},
		{in: "/r/./a.txt", name: "r", path: "/a.txt"},
		{in: "/r/d/../a.txt", name: "r", path: "/a.txt"},
		{in: "/r/d/.", name: "r", path: "/d/"},
		{in: "/r/d/..", name: "r", path: "/"},
		{in: "/r/.", name: "r", path: "/"},
		{in: "/r/d/e/../..", name: "r", path: "/"},
		{in: "/r/d/e/..", name: "r", path: "/d/"},
		{in: "/r/d/../", name: "r", path: "/"},
		{in: "/r/..a.txt", name: "r", path: "/..a.txt"},
		{in: "/r/...", name: "r", path: "/..."},
		{in: "/r/d/.hidden", name: "r", path: "/d/.hidden"},
		{in: "/r/a;x=1/b", name: "r", path: "/a;x=1/b"},
		{in: "/r;x=1/a", name: "r;x=1", path: "/a"},
		{in: "/ /x", name: " ", path: "/x"},
		{in: "/r/g++_1+b.deb", name: "r", path: "/g++_1+b.deb"},
		{in: "/r", err: noRepositoryPath},
		{in: "/", err: noRepositoryPath},
		{in: "//", err: noRepositoryPath},
		{in: "", err: noRepositoryPath},
		{in: "/r/../a.txt", err: relativePath},
		{in: "/r/d/../../a.txt", err: relativePath},
		{in: "/r/..", err: relativePath},
		{in: `/r/d\..\..\a`, err: relativePath},
		{in: "/../r/a", err: relativePath},
		{in: "/r/a\r\nb", err: "-"},
		{in: "/r\n/a", err: "-"},
	}
	for _, tt := range tests {
		name, path, err := splitPath(tt.in)
		if tt.err == "" {
			if err != nil || name != tt.name || path != tt.path {
				t.Errorf("%q: got %q, %q, %v; want %q, %q", tt.in, name, path, err, tt.name, tt.path)
			}
			continue
		}
		var refused *formats.Error
		if !errors.As(err, &refused) || refused.Kind != formats.Invalid || refused.Message != strings.TrimPrefix(tt.err, "-") {
			t.Errorf("%q: got %v; want the refusal %q", tt.in, err, tt.err)
		}
	}
}

func TestUpwards(t *testing.T) {
	for target, want := range map[string]string{
		"/repository": ".", "/repository/": "..", "/repository/r/": "../..", "/repository/r//": "../..", "/repository/r/../a.txt": "../../..",
		"//repository/r/a.txt": "../..", "/nothing": ".", "/": ".", "/repository/r/d%2Fe": "../..", "/repository/r/org/%2e%2e/x": "../../../..",
	} {
		if got := upwards(target); got != want {
			t.Errorf("%s: %s; want %s", target, got, want)
		}
	}
}

func FuzzSplitPath(f *testing.F) {
	for _, seed := range []string{"/r/a", "/r/./../x", `\r\\..\`, "/r/%2e", "/r/d/..", "//", "/r/a/./"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, in string) {
		name, path, err := splitPath(in)
		if err != nil {
			return
		}
		if name == "" || strings.ContainsAny(name, "/\\\r\n") {
			t.Errorf("%q: name %q", in, name)
		}
		if !strings.HasPrefix(path, "/") || strings.ContainsAny(path, "\\\r\n") || strings.Contains(path, "//") {
			t.Errorf("%q: path %q", in, path)
		}
		for segment := range strings.SplitSeq(path, "/") {
			if segment == "." || segment == ".." {
				t.Errorf("%q: path %q has a relative segment", in, path)
			}
		}
		again, _, err := splitPath("/" + name + path)
		if err != nil || again != name {
			t.Errorf("%q: %q splits into %q, %v", in, "/"+name+path, again, err)
		}
	})
}
