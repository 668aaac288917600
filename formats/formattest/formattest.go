// Package formattest is the suite that every format passes. Run checks a format by itself: what it makes of paths, that it is
// deterministic and never panics, and the laws of merging. Serve checks a format under the engine, over hosted repositories, a
// cache and a proxy. Shelf is a repository's content for tests of generators and rebuilders.
//
//	func TestFormat(t *testing.T) {
//		formattest.Run(t, formattest.Spec{
//			Format: maven2.New(nil),
//			Cases:  []formattest.Case{{Path: "/g/a/1/a-1.jar", Route: formats.RouteAsset, Class: "artifact"}},
//		})
//	}
package formattest

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"reflect"
	"strings"
	"testing"

	"entrepot/formats"
	"entrepot/storage/blob"
	"entrepot/storage/catalog"
)

// maxClasses is how many route classes a format may have: they label metrics.
const maxClasses = 24

// Spec is what Run checks.
type Spec struct {
	Format formats.Format
	// Settings are variants of the format's own settings that the laws are checked under. The defaults always are.
	Settings []map[string]string
	// Cases are paths and what they mean.
	Cases []Case
	// Documents are readable examples of documents that a proxy merges, by path.
	Documents map[string][][]byte
}

// Case is a path and what it means in a repository.
type Case struct {
	Kind      formats.Kind // default formats.Hosted
	Path      string
	Route     formats.Route
	Class     string
	Component *catalog.Coordinates
}

// Run checks a format by itself.
func Run(t *testing.T, spec Spec) {
	t.Run("cases", func(t *testing.T) { testCases(t, spec) })
	t.Run("settings", func(t *testing.T) { testSettings(t, spec) })
	s := suite{Spec: spec, repositories: repositories(t, spec), paths: pathsOf(spec)}
	spec.Settings = nil
	s.plain = repositories(t, spec)
	for _, c := range []struct {
		name string
		run  func(*testing.T, *suite)
	}{
		{"classify", testClassify},
		{"admit", testAdmit},
		{"verify", testVerify},
		{"describe", testDescribe},
		{"promise", testPromise},
		{"merge", testMerge},
		{"generate", testGenerate},
		{"rebuild", testRebuild},
		{"upload", testUpload},
	} {
		t.Run(c.name, func(t *testing.T) { c.run(t, &s) })
	}
}

// suite is a Spec with all the repositories and paths that laws are checked with.
type suite struct {
	Spec
	repositories []formats.Repository
	plain        []formats.Repository // those with the default settings, for laws that policies play no part in
	paths        []string
}

// repositories makes one repository for each kind, each variant of the settings, strict and not.
func repositories(t *testing.T, spec Spec) []formats.Repository {
	var all []formats.Repository
	for _, kind := range []formats.Kind{formats.Hosted, formats.Cache, formats.Proxy} {
		for _, settings := range append([]map[string]string{nil}, spec.Settings...) {
			for _, strict := range []bool{false, true} {
				configured := configure(t, spec.Format, kind, settings)
				all = append(all, formats.Repository{Name: "repository", Kind: kind, Settings: configured, Strict: strict})
			}
		}
	}
	return all
}

// configure fills in the defaults of a repository's settings, as the engine does.
func configure(t *testing.T, f formats.Format, kind formats.Kind, settings map[string]string) map[string]string {
	t.Helper()
	configurer, ok := f.(formats.Configurer)
	if !ok {
		return settings
	}
	configured, err := configurer.Configure(kind, settings)
	if err != nil {
		t.Fatalf("settings %v: %v", settings, err)
	}
	return configured
}

func testCases(t *testing.T, spec Spec) {
	for _, c := range spec.Cases {
		kind := c.Kind
		if kind == "" {
			kind = formats.Hosted
		}
		r := formats.Repository{Name: "repository", Kind: kind, Settings: configure(t, spec.Format, kind, nil)}
		item := spec.Format.Classify(r, c.Path)
		if item.Route != c.Route || item.Class != c.Class || !reflect.DeepEqual(item.Component, c.Component) {
			t.Errorf("%s in %s: route %d, class %q, component %+v; want %d, %q, %+v",
				c.Path, kind, item.Route, item.Class, item.Component, c.Route, c.Class, c.Component)
		}
	}
}

// testSettings checks that filling in defaults is idempotent and leaves its input alone.
func testSettings(t *testing.T, spec Spec) {
	configurer, ok := spec.Format.(formats.Configurer)
	if !ok {
		t.Skip("no settings of its own")
	}
	for _, kind := range []formats.Kind{formats.Hosted, formats.Cache, formats.Proxy} {
		for _, settings := range append([]map[string]string{nil, {}}, spec.Settings...) {
			before := maps.Clone(settings)
			once := configure(t, spec.Format, kind, settings)
			if !maps.Equal(before, settings) {
				t.Errorf("%s: Configure changed its argument from %v to %v", kind, before, settings)
			}
			if twice := configure(t, spec.Format, kind, once); !maps.Equal(once, twice) {
				t.Errorf("%s: Configure(%v) = %v, then %v", kind, settings, once, twice)
			}
		}
		for name := range configure(t, spec.Format, kind, nil) {
			_, err := configurer.Configure(kind, map[string]string{name: "no such value \x00"})
			if refusals := (formats.FieldErrors)(nil); err != nil && !errors.As(err, &refusals) {
				t.Errorf("%s: a bad %s is refused with %T; want FieldErrors", kind, name, err)
			}
		}
	}
}

func testClassify(t *testing.T, s *suite) {
	classes := map[string]bool{}
	for _, path := range s.paths {
		for _, r := range s.repositories {
			item := s.Format.Classify(r, path)
			checkItem(t, r, path, item)
			classes[item.Class] = true
			again := s.Format.Classify(r, path)
			if !reflect.DeepEqual(item, again) {
				t.Fatalf("%q in %s: %+v, then %+v", path, r.Kind, item, again)
			}
			spoil(item)
			if after := s.Format.Classify(r, path); !reflect.DeepEqual(again, after) {
				t.Fatalf("%q in %s: an item's maps are shared: %+v, then %+v", path, r.Kind, again, after)
			}
		}
	}
	if len(classes) > maxClasses {
		t.Errorf("%d route classes; metrics allow %d: %v", len(classes), maxClasses, classes)
	}
}

func checkItem(t *testing.T, r formats.Repository, path string, item formats.Item) {
	t.Helper()
	if item.Class == "" {
		t.Errorf("%q in %s: no class", path, r.Kind)
	}
	if item.Route == formats.RouteNone {
		if item.Unmatched != formats.NotFound && item.Unmatched != formats.Invalid && item.Unmatched != 0 {
			t.Errorf("%q in %s: refused as %v; want NotFound or Invalid", path, r.Kind, item.Unmatched)
		}
		return
	}
	if !strings.HasPrefix(item.Path, "/") && item.Route != formats.RouteOperation {
		t.Errorf("%q in %s: asset path %q does not begin with a slash", path, r.Kind, item.Path)
	}
	if item.Component != nil && item.Component.Name == "" {
		t.Errorf("%q in %s: component without a name: %+v", path, r.Kind, *item.Component)
	}
	if item.Component == nil && (len(item.ComponentAttributes) > 0 || item.ComponentKind != "") {
		t.Errorf("%q in %s: attributes of no component", path, r.Kind)
	}
}

// spoil writes into whatever a caller could write into by mistake.
func spoil(item formats.Item) {
	for _, m := range []map[string]string{item.Attributes, item.ComponentAttributes} {
		for name := range m {
			m[name] = "spoilt"
		}
	}
	for i := range item.Methods {
		item.Methods[i] = "spoilt"
	}
	for i := range item.Only {
		item.Only[i] = "spoilt"
	}
	if item.Component != nil {
		item.Component.Name = "spoilt"
	}
}

func testAdmit(t *testing.T, s *suite) {
	admitter, ok := s.Format.(formats.Admitter)
	if !ok {
		t.Skip("no policies")
	}
	for _, path := range s.paths {
		for _, r := range s.repositories {
			for _, write := range []bool{false, true} {
				err := admitter.Admit(r, s.Format.Classify(r, path), write)
				if refusal := (*formats.Error)(nil); err != nil && !errors.As(err, &refusal) {
					t.Errorf("%q in %s: refused with %T; want *formats.Error", path, r.Kind, err)
				}
			}
		}
	}
}

// bodies are contents that clients and upstreams send whatever the path.
func bodies(s *suite) [][]byte {
	all := [][]byte{
		nil, {0}, []byte("text"), []byte("<html>login</html>"), []byte("PK\x03\x04"), []byte("\x1f\x8b\x08"), []byte(`{"a":`),
		bytes.Repeat([]byte("<a>"), 1_000), bytes.Repeat([]byte("["), 1_000), bytes.Repeat([]byte{0xff}, 40_000),
	}
	for _, documents := range s.Documents {
		all = append(all, documents...)
	}
	return all
}

// stored calls check with every path that is known in a repository with the default settings, and every body that may lie there.
func (s *suite) stored(check func(r formats.Repository, path string, body []byte)) {
	bodies := bodies(s)
	for _, path := range s.paths {
		for _, r := range s.plain {
			if s.Format.Classify(r, path).Route == formats.RouteNone {
				continue
			}
			for _, body := range bodies {
				check(r, path, body)
			}
		}
	}
}

func testVerify(t *testing.T, s *suite) {
	verifier, ok := s.Format.(formats.Verifier)
	if !ok {
		t.Skip("verifies nothing")
	}
	s.stored(func(r formats.Repository, path string, body []byte) {
		err := verifier.Verify(context.Background(), r, s.Format.Classify(r, path), bytes.NewReader(body), infoOf(body))
		if refusal := (*formats.Error)(nil); err != nil && !errors.As(err, &refusal) {
			t.Errorf("%q in %s: %.20q is refused with %v; want *formats.Error", path, r.Kind, body, err)
		}
	})
}

func testDescribe(t *testing.T, s *suite) {
	describer, ok := s.Format.(formats.Describer)
	if !ok {
		t.Skip("describes nothing")
	}
	s.stored(func(r formats.Repository, path string, body []byte) {
		item := s.Format.Classify(r, path)
		described := describer.Describe(context.Background(), r, item, bytes.NewReader(body), infoOf(body))
		if described.Path != item.Path || !reflect.DeepEqual(described.Component, item.Component) {
			t.Errorf("%q in %s: a body moves it to %s %+v", path, r.Kind, described.Path, described.Component)
		}
		if !reflect.DeepEqual(item, s.Format.Classify(r, path)) {
			t.Fatalf("%q in %s: Describe changed its argument", path, r.Kind)
		}
	})
}

func testPromise(t *testing.T, s *suite) {
	promiser, ok := s.Format.(formats.Promiser)
	if !ok {
		t.Skip("promises nothing")
	}
	for _, path := range s.paths {
		for _, r := range s.plain {
			sibling, algorithm := promiser.Promise(r, s.Format.Classify(r, path))
			switch algorithm {
			case "":
				if sibling != "" {
					t.Errorf("%q: %q promises by no algorithm", path, sibling)
				}
				continue
			case "sha1", "sha256", "sha512", "md5":
			default:
				t.Errorf("%q: unknown algorithm %q", path, algorithm)
			}
			if sibling == path || s.Format.Classify(r, sibling).Route == formats.RouteNone {
				t.Errorf("%q: %q cannot promise anything", path, sibling)
			}
		}
	}
}

func infoOf(body []byte) blob.Info { return blob.Info{Size: int64(len(body))} }
