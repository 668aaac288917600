package conditional

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestSelect(t *testing.T) {
	const size = 20
	tests := []struct {
		header  string
		want    string // Content-Range, "" for the whole body
		invalid bool   // 416
	}{
		{header: "bytes=0-4", want: "bytes 0-4/20"},
		{header: "bytes=5-", want: "bytes 5-19/20"},
		{header: "bytes=-5", want: "bytes 15-19/20"},
		{header: "bytes=19-19", want: "bytes 19-19/20"},
		{header: "bytes=0-0", want: "bytes 0-0/20"},
		{header: "bytes=0-100", want: "bytes 0-19/20"},
		{header: "bytes=-20", want: "bytes 0-19/20"},
		{header: "bytes=0-4 ", want: "bytes 0-4/20"},
		{header: "bytes=0-19", want: "bytes 0-19/20"},
		{header: "bytes=0-", want: "bytes 0-19/20"},
		{header: "bytes=20-", invalid: true},
		{header: "bytes=20-25", invalid: true},
		{header: "bytes=100-", invalid: true},
		{header: "bytes=-0", invalid: true},
		{header: "bytes=-100", invalid: true},
		{header: "bytes=--5", invalid: true},
		{header: "bytes=0-1,3-4"},
		{header: "bytes=5-2"},
		{header: "bytes=a-b"},
		{header: "items=0-4"},
		{header: "bytes 0-4"},
		{header: "bytes="},
		{header: "bytes=-"},
		{header: "bytes=+1-2"},
		{header: "BYTES=0-4"},
		{header: "bytes= 0-4"},
		{header: "bytes=99999999999999999999-"},
		{header: ""},
	}
	for _, test := range tests {
		r, partial, err := Select(headers("Range", test.header), Validators{}, size)
		got := ""
		if partial {
			got = r.ContentRange(size)
		}
		if got != test.want || errors.Is(err, ErrUnsatisfiable) != test.invalid {
			t.Errorf("Select(%q) = %q, %v; want %q, unsatisfiable: %v", test.header, got, err, test.want, test.invalid)
		}
	}
}

func TestSelectFirstHeaderAndEmptyBody(t *testing.T) {
	r, partial, err := Select(headers("Range", "bytes=0-1", "Range", "bytes=2-3"), Validators{}, 20)
	if !partial || err != nil || r != (Range{0, 2}) {
		t.Errorf("two headers: %v, %v, %v; want the first", r, partial, err)
	}
	if _, partial, err := Select(headers("Range", "bytes=0-4"), Validators{}, 0); partial || err != nil {
		t.Errorf("range of an empty body: %v, %v; want the whole", partial, err)
	}
}

func TestIfRange(t *testing.T) {
	tests := []struct {
		value string
		want  bool
	}{
		{tag, true},
		{`"none"`, false},
		{"W/" + tag, false},
		{same, true},
		{older, false},
		{newer, false},
		{"rubbish", false},
	}
	for _, test := range tests {
		h := headers("Range", "bytes=0-4", "If-Range", test.value)
		if _, partial, err := Select(h, Validators{tag, modified}, 20); partial != test.want || err != nil {
			t.Errorf("If-Range %s: partial %v, %v; want %v", test.value, partial, err, test.want)
		}
	}
}

// TestLikeServeContent compares with the standard library where the two mean the same: everything but what the package comment lists.
func TestLikeServeContent(t *testing.T) {
	body := strings.Repeat("0123456789", 2)
	v := Validators{ETag: tag, LastModified: modified.Truncate(time.Second)}
	matches := []string{"", tag, `"x"`, "*", `"x", ` + tag}
	dates := []string{"", same, older, newer}
	ranges := []string{"", "bytes=0-4", "bytes=5-", "bytes=-5", "bytes=19-30", "bytes=20-"}
	for _, ifMatch := range matches {
		for _, ifNoneMatch := range matches {
			for _, since := range dates {
				for _, unmodified := range dates {
					for _, span := range ranges {
						h := present("If-Match", ifMatch, "If-None-Match", ifNoneMatch, "If-Modified-Since", since,
							"If-Unmodified-Since", unmodified, "Range", span)
						if got, want := ours(h, v, body), theirs(h, v, body); got != want {
							t.Fatalf("%v: %s; net/http says %s", h, got, want)
						}
					}
				}
			}
		}
	}
}

// present is headers without the empty values.
func present(pairs ...string) http.Header {
	h := make(http.Header)
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			h.Set(pairs[i], pairs[i+1])
		}
	}
	return h
}

func ours(h http.Header, v Validators, body string) string {
	switch Check(http.MethodGet, h, v) {
	case NotModified:
		return "304"
	case PreconditionFailed:
		return "412"
	}
	r, partial, err := Select(h, v, int64(len(body)))
	switch {
	case err != nil:
		return "416"
	case partial:
		return "206 " + r.ContentRange(int64(len(body))) + " " + body[r.Offset:r.Offset+r.Length]
	}
	return "200 " + body
}

func theirs(h http.Header, v Validators, body string) string {
	req := httptest.NewRequest(http.MethodGet, "/", nil)
	req.Header = h
	rec := httptest.NewRecorder()
	rec.Header().Set("ETag", v.ETag)
	http.ServeContent(rec, req, "a.txt", v.LastModified, bytes.NewReader([]byte(body)))
	switch rec.Code {
	case http.StatusOK:
		return "200 " + rec.Body.String()
	case http.StatusPartialContent:
		return "206 " + rec.Header().Get("Content-Range") + " " + rec.Body.String()
	}
	return fmt.Sprint(rec.Code)
}

func FuzzSelect(f *testing.F) {
	for _, seed := range []string{"bytes=0-4", "bytes=-5", "bytes=--5", "bytes=5-", "bytes=0-1,2-3", "bytes=-"} {
		f.Add(seed, int64(20))
	}
	f.Fuzz(func(t *testing.T, header string, size int64) {
		if size < 0 {
			return
		}
		r, partial, err := Select(headers("Range", header), Validators{}, size)
		if partial && (err != nil || r.Offset < 0 || r.Length <= 0 || r.Offset+r.Length > size) {
			t.Errorf("Select(%q, %d) = %+v, %v", header, size, r, err)
		}
	})
}
