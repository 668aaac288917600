package conditional

import (
	"net/http"
	"testing"
	"time"
)

const tag = `"aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d"`

var modified = time.Date(2026, 11, 21, 15, 43, 23, 456e6, time.UTC)

const (
	same  = "Sat, 21 Nov 2026 15:43:23 GMT"
	older = "Wed, 01 Jan 2020 00:00:00 GMT"
	newer = "Wed, 01 Jan 2031 00:00:00 GMT"
)

// headers makes a header of names and values in turn; a name may come twice.
func headers(pairs ...string) http.Header {
	h := make(http.Header)
	for i := 0; i < len(pairs); i += 2 {
		h.Add(pairs[i], pairs[i+1])
	}
	return h
}

func TestCheckRead(t *testing.T) {
	tests := []struct {
		header http.Header
		want   Outcome
	}{
		{headers(), Proceed},
		{headers("If-None-Match", tag), NotModified},
		{headers("If-None-Match", "W/"+tag), NotModified},
		{headers("If-None-Match", tag[1:len(tag)-1]), Proceed},
		{headers("If-None-Match", `"x"`), Proceed},
		{headers("If-None-Match", "*"), NotModified},
		{headers("If-None-Match", `"x", `+tag), NotModified},
		{headers("If-None-Match", `"x",`+tag+`,"y"`), NotModified},
		{headers("If-None-Match", ""), Proceed},
		{headers("If-None-Match", `"x"`, "If-None-Match", tag), Proceed},
		{headers("If-None-Match", `"x`+tag[1:len(tag)-1]+`x"`), Proceed},
		{headers("If-Match", tag), Proceed},
		{headers("If-Match", `"x"`), PreconditionFailed},
		{headers("If-Match", "*"), Proceed},
		{headers("If-Match", "W/"+tag), Proceed},
		{headers("If-Match", `"x", `+tag), Proceed},
		{headers("If-Match", ""), PreconditionFailed},
		{headers("If-Modified-Since", same), NotModified},
		{headers("If-Modified-Since", older), Proceed},
		{headers("If-Modified-Since", newer), NotModified},
		{headers("If-Modified-Since", "rubbish"), Proceed},
		{headers("If-Modified-Since", "1577836800"), Proceed},
		{headers("If-Unmodified-Since", same), Proceed},
		{headers("If-Unmodified-Since", older), PreconditionFailed},
		{headers("If-Unmodified-Since", newer), Proceed},
		{headers("If-Unmodified-Since", "rubbish"), Proceed},
		{headers("If-None-Match", `"x"`, "If-Modified-Since", newer), Proceed},
		{headers("If-None-Match", tag, "If-Modified-Since", older), NotModified},
		{headers("If-Match", `"x"`, "If-None-Match", tag), PreconditionFailed},
		{headers("If-Match", tag, "If-None-Match", tag), NotModified},
		{headers("If-Match", tag, "If-Unmodified-Since", older), Proceed},
		{headers("If-Modified-Since", "Sunday, 06-Nov-94 08:49:37 GMT"), Proceed},
		{headers("If-Modified-Since", "Sun Nov  6 08:49:37 1994"), Proceed},
	}
	for _, test := range tests {
		for _, method := range []string{http.MethodGet, http.MethodHead} {
			if got := Check(method, test.header, Validators{tag, modified}); got != test.want {
				t.Errorf("Check(%s, %v) = %d; want %d", method, test.header, got, test.want)
			}
		}
		if got := Any(test.header); got != (len(test.header) > 0) {
			t.Errorf("Any(%v) = %v", test.header, got)
		}
	}
}

func TestCheckWrite(t *testing.T) {
	tests := []struct {
		header http.Header
		want   Outcome
	}{
		{headers("If-None-Match", "*"), PreconditionFailed},
		{headers("If-Match", `"x"`), PreconditionFailed},
		{headers("If-None-Match", `"x"`), Proceed},
		{headers("If-Match", "*"), Proceed},
		{headers("If-Match", tag), Proceed},
		{headers("If-Modified-Since", newer), Proceed},
		{headers("If-Unmodified-Since", older), PreconditionFailed},
	}
	for _, test := range tests {
		for _, method := range []string{http.MethodPut, http.MethodDelete, http.MethodPost} {
			if got := Check(method, test.header, Validators{tag, modified}); got != test.want {
				t.Errorf("Check(%s, %v) = %d; want %d", method, test.header, got, test.want)
			}
		}
	}
}

func TestCheckWithoutValidators(t *testing.T) {
	tests := []struct {
		header http.Header
		want   Outcome
	}{
		{headers("If-None-Match", tag), Proceed},
		{headers("If-None-Match", ""), Proceed},
		{headers("If-Modified-Since", newer), Proceed},
		{headers("If-Unmodified-Since", older), Proceed},
		{headers("If-Match", tag), PreconditionFailed},
	}
	for _, test := range tests {
		if got := Check(http.MethodGet, test.header, Validators{}); got != test.want {
			t.Errorf("Check(%v) without validators = %d; want %d", test.header, got, test.want)
		}
	}
}

func TestWeakTag(t *testing.T) {
	v := Validators{ETag: `W/"up2"`}
	if Check(http.MethodGet, headers("If-None-Match", `W/"up2"`), v) != NotModified {
		t.Error("a weak tag does not match itself")
	}
	if Check(http.MethodGet, headers("If-None-Match", `"up2"`), v) != Proceed {
		t.Error("a weak tag matches a strong one")
	}
}
