package server

import (
	"errors"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"entrepot/formats"
)

func TestParseTarget(t *testing.T) {
	tests := []struct {
		in     string
		want   target
		status int // of the refusal
	}{
		{in: "/", want: target{"/", "/", "/", ""}},
		{in: "/a/b?x=1&y", want: target{"/a/b", "/a/b", "/a/b", "x=1&y"}},
		{in: "/a?", want: target{"/a", "/a", "/a", ""}},
		{in: "/a#frag", want: target{"/a", "/a", "/a", ""}},
		{in: "/a?q#f?", want: target{"/a", "/a", "/a", "q"}},
		{in: "/a%2Fb%20c+d", want: target{"/a%2Fb%20c+d", "/a/b c+d", "/a/b c+d", ""}},
		{in: "/%C3%A4", want: target{"/%C3%A4", "/ä", "/ä", ""}},
		{in: "/ä", want: target{"/ä", "/ä", "/ä", ""}},
		{in: "/%E4.txt", want: target{"/%E4.txt", "/\uFFFD.txt", "/\uFFFD.txt", ""}},
		{in: "/\xe4", want: target{"/\xe4", "/\uFFFD", "/\uFFFD", ""}},
		{in: "/a%255Cb", want: target{"/a%255Cb", "/a%5Cb", "/a%5Cb", ""}},
		{in: "/r/../s/./x", want: target{"/r/../s/./x", "/r/../s/./x", "/s/x", ""}},
		{in: "/r/%2e%2E/s", want: target{"/r/%2e%2E/s", "/r/../s", "/s", ""}},
		{in: "/r/..", want: target{"/r/..", "/r/..", "/", ""}},
		{in: "/r/x/.", want: target{"/r/x/.", "/r/x/.", "/r/x/", ""}},
		{in: "/../..", want: target{"/../..", "/../..", "/", ""}},
		{in: "//r/..a/...", want: target{"//r/..a/...", "//r/..a/...", "//r/..a/...", ""}},
		{in: "http://host/a?b", want: target{"/a", "/a", "/a", "b"}},
		{in: "http://host", want: target{"/", "/", "/", ""}},
		{in: "/a?u=http://x/y", want: target{"/a", "/a", "/a", "u=http://x/y"}},
		{in: "/a/http://x", want: target{"/a/http://x", "/a/http://x", "/a/http://x", ""}},
		{in: "*", want: target{"*", "*", "*", ""}},
		{in: "host:443", status: 400},
		{in: "", status: 400},
		{in: "/%00", status: 400},
		{in: "/a%0", status: 400},
		{in: "/%", status: 400},
		{in: "/%zz", status: 400},
		{in: "/" + strings.Repeat("x", maxTarget), status: 414},
	}
	for _, tt := range tests {
		got, err := parseTarget(tt.in)
		var refused *StatusError
		switch {
		case tt.status != 0:
			if !errors.As(err, &refused) || refused.Status != tt.status {
				t.Errorf("%.40q: got %v; want %d", tt.in, err, tt.status)
			}
		case err != nil || got != tt.want:
			t.Errorf("%q: got %+v, %v; want %+v", tt.in, got, err, tt.want)
		}
	}
}

func FuzzParseTarget(f *testing.F) {
	for _, seed := range []string{"/a/../b", "/%2e%2e/%00", "http://h/%zz", "/%c3%28", "//../.", "*", "?#"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, in string) {
		got, err := parseTarget(in)
		if err != nil {
			return
		}
		if !utf8.ValidString(got.path) || strings.ContainsRune(got.path, 0) && strings.ContainsRune(got.raw, '%') {
			t.Errorf("%q: path %q", in, got.path)
		}
		if strings.HasPrefix(got.raw, "/") {
			for segment := range strings.SplitSeq(got.canonical, "/") {
				if segment == "." || segment == ".." {
					t.Errorf("%q: canonical %q", in, got.canonical)
				}
			}
		}
	})
}

func TestParseHeader(t *testing.T) {
	got, err := parseHeader([]byte("Host: h\r\nx-one:  a b \r\nX-One: c\r\nETAG: \"x\"\r\nX-Empty:\r\nX-Colon: a:b\r\n\r\n"))
	want := http.Header{"Host": {"h"}, "X-One": {"a b", "c"}, "Etag": {`"x"`}, "X-Empty": {""}, "X-Colon": {"a:b"}}
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if _, err := parseHeader([]byte("Host: h\r\nBad Header: x\r\n\r\n")); err == nil {
		t.Error("a blank in a name passes")
	}
}

func FuzzParseHeader(f *testing.F) {
	f.Add([]byte("Host: h\r\nA: b\r\n\r\n"))
	f.Add([]byte("A\nB:\n:C\n::\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		h, err := parseHeader(raw)
		if err != nil {
			return
		}
		for name, values := range h {
			if len(values) == 0 || strings.ContainsAny(name, " \t\n") {
				t.Errorf("%q has %q: %q", raw, name, values)
			}
		}
	})
}

func TestForwarded(t *testing.T) {
	loopback := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	elsewhere := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	_, open := start(t, Options{}, originRoute())
	_, trusting := start(t, Options{TrustedProxies: loopback}, originRoute())
	_, closed := start(t, Options{TrustedProxies: elsewhere}, originRoute())
	_, fixed := start(t, Options{BaseURL: "https://base.example.org/ctx/"}, originRoute())
	tests := []struct {
		addr   string
		header string
		want   string // base URL, client's address, secure
	}{
		{open, "Host: repo.example.org", "http://repo.example.org 127.0.0.1 false"},
		{open, "Host: repo.example.org:8443", "http://repo.example.org:8443 127.0.0.1 false"},
		{open, "Host: UPPER.Example.ORG", "http://UPPER.Example.ORG 127.0.0.1 false"},
		{open, "Host: h:8081\nX-Forwarded-Proto: https", "https://h:8081 127.0.0.1 true"},
		{open, "Host: h:8081\nX-Forwarded-Host: front", "http://front 127.0.0.1 false"},
		{open, "Host: h:8081\nX-Forwarded-Host: front:444", "http://front:444 127.0.0.1 false"},
		{open, "Host: h:8081\nX-Forwarded-Port: 9443", "http://h:9443 127.0.0.1 false"},
		{open, "Host: h:8081\nX-Forwarded-Proto: https\nX-Forwarded-Host: front\nX-Forwarded-Port: 443", "https://front 127.0.0.1 true"},
		{open, "Host: h:8081\nX-Forwarded-Proto: https\nX-Forwarded-Host: front\nX-Forwarded-Port: 8443", "https://front:8443 127.0.0.1 true"},
		{open, "Host: h:8081\nX-Forwarded-Proto: http\nX-Forwarded-Host: front\nX-Forwarded-Port: 80", "http://front 127.0.0.1 false"},
		{open, "Host: h:8081\nX-Forwarded-Host: front:444\nX-Forwarded-Port: 80", "http://front:444 127.0.0.1 false"},
		{open, "Host: h\nX-Forwarded-Host: a.example.org, b.example.org", "http://a.example.org 127.0.0.1 false"},
		{open, "Host: h\nForwarded: for=10.0.0.1;proto=https;host=fwd", "https://fwd 10.0.0.1 true"},
		{open, "Host: h:1\nForwarded: proto=https", "https://h:1 127.0.0.1 true"},
		{open, "Host: h\nForwarded: for=\"[2001:db8::1]:99\";host=\"a:5\", for=10.0.0.1;host=b", "http://a:5 2001:db8::1 false"},
		{open, "Host: h\nX-Forwarded-Host: x\nForwarded: host=fwd", "http://fwd 127.0.0.1 false"},
		{open, "Host: h\nForwarded: rubbish", "http://h 127.0.0.1 false"},
		{open, "Host: h\nX-Forwarded-Prefix: /nexus", "http://h 127.0.0.1 false"},
		{open, "Host: h:1\nX-Forwarded-Server: srv", "http://srv 127.0.0.1 false"},
		{open, "Host: h\nX-Forwarded-For: 10.1.2.3", "http://h 10.1.2.3 false"},
		{open, "Host: h\nX-Forwarded-For: 10.1.2.3, 10.9.9.9", "http://h 10.1.2.3 false"},
		{open, "Host: h\nX-Forwarded-For: not-an-address", "http://h 127.0.0.1 false"},
		{open, "Host: h:1\nX-Forwarded-Proto: ftp", "ftp://h:1 127.0.0.1 false"},
		{open, "Host: h:1\nX-Proxied-Https: on", "https://h 127.0.0.1 true"},
		{open, "Host: h\nX-Forwarded-Host: [::1]:8080", "http://[::1]:8080 127.0.0.1 false"},
		{open, "Host: h:1\nX-Forwarded-Host: \nX-Forwarded-Proto: ", "http://h:1 127.0.0.1 false"},
		{open, "Host: h\nX-Forwarded-Proto: https, http", "400"},
		{open, "Host: h\nX-Forwarded-Proto: ht tp", "400"},
		{open, "Host: h\nX-Forwarded-Host: bad host", "400"},
		{open, "Host: h\nX-Forwarded-Host: evil/path", "400"},
		{open, "Host: h\nX-Forwarded-Port: abc", "400"},
		{open, "Host: h\nForwarded: host=\"a b\"", "400"},
		{open, "Host: a b", "400"},
		{open, "Host: h:99999", "400"},
		{open, "Host: [1.2.3.4]", "400"},
		{open, "Host: evil\"><script>", "400"},
		{trusting, "Host: h\nX-Forwarded-For: 6.6.6.6, 10.1.2.3", "http://h 10.1.2.3 false"},
		{trusting, "Host: h\nX-Forwarded-For: 6.6.6.6, 10.1.2.3, 127.0.0.9", "http://h 10.1.2.3 false"},
		{trusting, "Host: h\nX-Forwarded-Proto: https", "https://h 127.0.0.1 true"},
		{closed, "Host: h\nX-Forwarded-For: 10.1.2.3\nX-Forwarded-Host: evil\nX-Forwarded-Proto: ht tp", "http://h 127.0.0.1 false"},
		{fixed, "Host: h\nX-Forwarded-Host: front", "https://base.example.org/ctx 127.0.0.1 false"},
	}
	for _, tt := range tests {
		c := dial(t, tt.addr)
		c.send("GET /origin HTTP/1.1\r\n%s\r\n\r\n", strings.ReplaceAll(tt.header, "\n", "\r\n"))
		resp, body := c.reply("GET")
		if resp.StatusCode != 200 {
			body = resp.Status[:3]
		}
		if body != tt.want {
			t.Errorf("%q: got %q; want %q", tt.header, body, tt.want)
		}
	}
}

// TestSameHeaderAgain has each request of a connection judged by its own header, whatever the one before said.
func TestSameHeaderAgain(t *testing.T) {
	_, addr := start(t, Options{}, originRoute())
	long := "X-Long: " + strings.Repeat("x", 2*lastHead)
	c := dial(t, addr)
	for i, tt := range []struct{ header, want string }{
		{"Host: h", "http://h 127.0.0.1 false"},
		{"Host: h", "http://h 127.0.0.1 false"},
		{"Host: i", "http://i 127.0.0.1 false"},
		{"Host: h\r\nX-Forwarded-For: 10.1.2.3\r\nX-Forwarded-Proto: https", "https://h 10.1.2.3 true"},
		{"Host: h\r\nX-Forwarded-For: 10.1.2.3\r\nX-Forwarded-Proto: https", "https://h 10.1.2.3 true"},
		{"Host: h\r\n" + long, "http://h 127.0.0.1 false"},
		{"Host: h", "http://h 127.0.0.1 false"},
		{"Host: h\r\nConnection: Close, x", "http://h 127.0.0.1 false"},
	} {
		c.send("GET /origin HTTP/1.1\r\n%s\r\n\r\n", tt.header)
		if _, body := c.reply("GET"); body != tt.want {
			t.Errorf("request %d: got %q; want %q", i, body, tt.want)
		}
	}
	c.rest()
}

func originRoute() Route {
	return Route{Pattern: "/origin", Access: Public(), Handler: func(r *Request) (*formats.Response, error) {
		secure := " false"
		if r.Secure {
			secure = " true"
		}
		return text(r.BaseURL() + " " + r.Remote + secure), nil
	}}
}

func TestCookie(t *testing.T) {
	r := &Request{Header: http.Header{"Cookie": {`a=1; NXSESSIONID="x-y"; b`, "c=3; a=9"}}}
	for name, want := range map[string]string{"a": "1", "NXSESSIONID": "x-y", "c": "3", "b": "-", "none": "-"} {
		got, ok := r.Cookie(name)
		if !ok {
			got = "-"
		}
		if got != want {
			t.Errorf("%s: %q; want %q", name, got, want)
		}
	}
}
