package raw

import (
	"bytes"
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"

	"entrepot/formats"
	"entrepot/formats/formattest"
	"entrepot/storage/blob"
	"entrepot/storage/catalog"
)

func TestClassify(t *testing.T) {
	hosted := formats.Repository{Name: "r", Kind: formats.Hosted}
	proxy := formats.Repository{Name: "g", Kind: formats.Proxy}
	tests := []struct {
		repository formats.Repository
		path       string
		route      formats.Route
		component  *catalog.Coordinates
		indexes    []string
		only       []string
	}{
		{hosted, "/dir/a.txt", formats.RouteAsset, &catalog.Coordinates{Group: "/dir", Name: "/dir/a.txt"}, nil, nil},
		{hosted, "/a.txt", formats.RouteAsset, &catalog.Coordinates{Group: "/", Name: "/a.txt"}, nil, nil},
		{hosted, "/a/b/c", formats.RouteAsset, &catalog.Coordinates{Group: "/a/b", Name: "/a/b/c"}, nil, nil},
		{hosted, "/ä %.txt", formats.RouteAsset, &catalog.Coordinates{Group: "/", Name: "/ä %.txt"}, nil, nil},
		{hosted, "/site/", formats.RouteListing, &catalog.Coordinates{Group: "/site", Name: "/site/"}, []string{"index.html", "index.htm"}, nil},
		{hosted, "/", formats.RouteListing, &catalog.Coordinates{Group: "/", Name: "/"}, []string{"index.html", "index.htm"}, []string{"GET"}},
		{proxy, "/", formats.RouteNone, nil, nil, nil},
		{proxy, "/site/", formats.RouteListing, &catalog.Coordinates{Group: "/site", Name: "/site/"}, []string{"index.html", "index.htm"}, nil},
		{hosted, "/a\nb.txt", formats.RouteNone, nil, nil, nil},
		{hosted, "", formats.RouteNone, nil, nil, nil},
	}
	for _, tt := range tests {
		got := New().Classify(tt.repository, tt.path)
		if got.Route != tt.route || !reflect.DeepEqual(got.Component, tt.component) {
			t.Errorf("%q: route %v of %+v; want %v of %+v", tt.path, got.Route, got.Component, tt.route, tt.component)
		}
		if !reflect.DeepEqual(got.Indexes, tt.indexes) || !reflect.DeepEqual(got.Only, tt.only) {
			t.Errorf("%q: indexes %v, only %v; want %v, %v", tt.path, got.Indexes, got.Only, tt.indexes, tt.only)
		}
		if got.Route == formats.RouteNone && got.Unmatched != formats.Invalid {
			t.Errorf("%q: refused as %v; want Invalid", tt.path, got.Unmatched)
		}
		if got.Route != formats.RouteNone && !got.Disposition {
			t.Errorf("%q: no Content-Disposition", tt.path)
		}
	}
}

func TestVerify(t *testing.T) {
	tests := []struct {
		strict     bool
		path, body string
		want       string
	}{
		{true, "/t/a.txt", "words", ""},
		{true, "/t/fake.png", "text", "Detected content type [text/plain], but expected [image/png]: /t/fake.png"},
		{false, "/t/fake.png", "text", ""},
		{true, "/t/a.bin", "\x00\x01\x02\xff", "Content type could not be determined: /t/a.bin"},
		{true, "/t/empty", "", "Content type could not be determined: /t/empty"},
		{true, "/t/empty.png", "", ""},
		{true, "/t/big.txt", strings.Repeat("words ", 1<<16), ""},
	}
	for _, tt := range tests {
		r := formats.Repository{Name: "r", Kind: formats.Hosted, Strict: tt.strict}
		item := New().Classify(r, tt.path)
		err := New().Verify(context.Background(), r, item, strings.NewReader(tt.body), blob.Info{Size: int64(len(tt.body))})
		if tt.want == "" {
			if err != nil {
				t.Errorf("%s: %v", tt.path, err)
			}
			continue
		}
		if err == nil || err.Error() != tt.want || formats.KindOf(err) != formats.InvalidContent {
			t.Errorf("%s: %v; want %q", tt.path, err, tt.want)
		}
	}
	short := bytes.NewReader([]byte("shorter than promised"))
	r := formats.Repository{Strict: true}
	err := New().Verify(context.Background(), r, New().Classify(r, "/a.txt"), short, blob.Info{Size: 100})
	if err == nil || formats.KindOf(err) != formats.Internal {
		t.Errorf("a body that cannot be read: %v", err)
	}
}

func TestConfigure(t *testing.T) {
	tests := []struct {
		settings, want map[string]string
		refused        bool
	}{
		{nil, map[string]string{"contentDisposition": "ATTACHMENT"}, false},
		{map[string]string{"contentDisposition": "INLINE", "other": "x"}, map[string]string{"contentDisposition": "INLINE", "other": "x"}, false},
		{map[string]string{"contentDisposition": "inline"}, nil, true},
	}
	for _, tt := range tests {
		got, err := New().Configure(formats.Hosted, tt.settings)
		if (err != nil) != tt.refused || !reflect.DeepEqual(got, tt.want) {
			t.Errorf("Configure(%v) = %v, %v; want %v", tt.settings, got, err, tt.want)
		}
	}
}

func TestPlan(t *testing.T) {
	file := func(key, name string) formats.UploadFile {
		return formats.UploadFile{Key: key, Fields: map[string]string{"filename": name}}
	}
	tests := []struct {
		directory string
		files     []formats.UploadFile
		want      []string
		refusal   string
	}{
		{"/dir", []formats.UploadFile{file("1", "a.txt")}, []string{"/dir/a.txt"}, ""},
		{"dir/sub/", []formats.UploadFile{file("1", "b.txt"), file("2", "c.txt")}, []string{"/dir/sub/b.txt", "/dir/sub/c.txt"}, ""},
		{"/", []formats.UploadFile{file("1", "root.txt")}, []string{"/root.txt"}, ""},
		{"d", []formats.UploadFile{file("1", "x/y/z.txt")}, []string{"/d/x/y/z.txt"}, ""},
		{"d", []formats.UploadFile{file("1", "/lead.txt")}, []string{"/d/lead.txt"}, ""},
		{"d//e", []formats.UploadFile{file("1", "f.txt")}, []string{"/d/e/f.txt"}, ""},
		{"d", []formats.UploadFile{file("1", "a%20b.txt")}, []string{"/d/a%20b.txt"}, ""},
		{"d/../up", []formats.UploadFile{file("1", "f.txt")}, nil, "Path is not allowed to have '.' or '..' segments: '/d/../up/f.txt'"},
		{"d", []formats.UploadFile{file("1", "../esc.txt")}, nil, "Path is not allowed to have '.' or '..' segments: '/d/../esc.txt'"},
		{"/", []formats.UploadFile{file("1", "/")}, nil, "Missing required asset field 'Filename' on '1'"},
		{"d", []formats.UploadFile{file("1", "same.txt"), file("2", "same.txt")}, nil, "The assets 1 and 2 have identical coordinates"},
	}
	for _, tt := range tests {
		upload := &formats.Upload{Fields: map[string]string{"directory": tt.directory}, Files: tt.files}
		targets, err := New().Plan(context.Background(), formats.Repository{}, upload)
		if tt.refusal != "" {
			if refusals := (formats.FieldErrors)(nil); !errors.As(err, &refusals) || err.Error() != tt.refusal {
				t.Errorf("%s: %v; want %q", tt.directory, err, tt.refusal)
			}
			continue
		}
		var paths []string
		for i, target := range targets {
			paths = append(paths, target.Path)
			if target.File != i {
				t.Errorf("%s: target %d takes file %d", tt.directory, i, target.File)
			}
		}
		if err != nil || !reflect.DeepEqual(paths, tt.want) {
			t.Errorf("%s: %v, %v; want %v", tt.directory, paths, err, tt.want)
		}
	}
}

func TestFormat(t *testing.T) {
	formattest.Run(t, formattest.Spec{
		Format:   New(),
		Settings: []map[string]string{{SettingContentDisposition: Inline}},
		Cases: []formattest.Case{
			{Path: "/a/b.txt", Route: formats.RouteAsset, Class: "file", Component: &catalog.Coordinates{Group: "/a", Name: "/a/b.txt"}},
			{Path: "/a/", Route: formats.RouteListing, Class: "folder", Component: &catalog.Coordinates{Group: "/a", Name: "/a/"}},
			{Kind: formats.Proxy, Path: "/", Route: formats.RouteNone, Class: "none"},
		},
	})
}
