package server

import (
	"net/http"
	"net/netip"
	"strconv"
	"strings"
)

// origin is the scheme, host and port that a client used, as far as its request and the proxies before it tell.
type origin struct {
	scheme string
	host   string // as sent, an IPv6 address in brackets
	port   int    // 0: the scheme's own
}

// String gives scheme, host and port without a final slash. A scheme's own port is left out.
func (o origin) String() string {
	if o.port == 0 || o.scheme == "http" && o.port == 80 || o.scheme == "https" && o.port == 443 {
		return o.scheme + "://" + o.host
	}
	return o.scheme + "://" + o.host + ":" + strconv.Itoa(o.port)
}

func (s *Server) baseURL(o origin) string {
	if s.opts.BaseURL != "" {
		return strings.TrimSuffix(s.opts.BaseURL, "/")
	}
	return o.String()
}

// locate finds out from where a request comes and how the client called this server.
func (s *Server) locate(r *Request) error {
	r.Remote = r.conn.remote
	r.origin = origin{scheme: "http"}
	if r.ctx.IsTLS() {
		r.origin.scheme = "https"
	}
	r.origin.host, r.origin.port = splitHost(first(r.Header, "Host"))
	r.Secure = r.origin.scheme == "https"
	if !forwarded(r.Header) || !s.trusted(r.Remote) {
		return nil
	}
	f := forwarding{origin: r.origin}
	if err := f.read(r.Header); err != nil {
		return err
	}
	r.origin = f.origin
	r.Secure = f.origin.scheme == "https"
	r.Remote = s.client(r.Remote, f.hops)
	return nil
}

// forwardingHeaders are the headers by which proxies tell what the client sent.
func forwarded(h http.Header) bool {
	for _, name := range []string{"X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Port", "X-Forwarded-Server", "X-Proxied-Https", "Forwarded"} {
		if h[name] != nil {
			return true
		}
	}
	return false
}

func (s *Server) trusted(addr string) bool {
	if len(s.opts.TrustedProxies) == 0 {
		return true
	}
	ip, err := netip.ParseAddr(addr)
	if err != nil {
		return false
	}
	for _, network := range s.opts.TrustedProxies {
		if network.Contains(ip) {
			return true
		}
	}
	return false
}

// client picks the client's address from the hops that proxies report, nearest last: the nearest that is no trusted proxy. When
// everybody is trusted it is the first.
func (s *Server) client(remote string, hops []string) string {
	for i := len(hops) - 1; i >= 0; i-- {
		addr, err := netip.ParseAddr(hops[i])
		if err != nil {
			return remote
		}
		remote = addr.Unmap().WithZone("").String()
		if !s.trusted(remote) {
			break
		}
	}
	return remote
}

// forwarding is what the forwarding headers say. Of headers that contradict each other the old server's order counts: Forwarded,
// X-Forwarded-Host, X-Forwarded-Server; a port in a host before X-Forwarded-Port; X-Forwarded-Proto before X-Proxied-Https. An empty header says nothing.
type forwarding struct {
	origin origin
	hops   []string
}

func (f *forwarding) read(h http.Header) error {
	refusal := &StatusError{Status: http.StatusBadRequest, Bare: true}
	if on := strings.ToLower(h.Get("X-Proxied-Https")); on == "on" || on == "true" {
		f.origin.scheme, f.origin.port = "https", 0
	}
	if v := h.Get("X-Forwarded-Proto"); v != "" {
		if !validScheme(v) {
			return refusal
		}
		f.origin.scheme = v
	}
	for _, name := range []string{"X-Forwarded-Server", "X-Forwarded-Host"} { // the later one wins
		if host := leftmost(h.Get(name)); host != "" {
			if !validHost(host) {
				return refusal
			}
			f.origin.host, f.origin.port = splitHost(host)
		}
	}
	if v := leftmost(h.Get("X-Forwarded-Port")); v != "" {
		port, err := strconv.ParseUint(v, 10, 16)
		if err != nil || port == 0 {
			return refusal
		}
		if _, explicit := splitHost(leftmost(h.Get("X-Forwarded-Host"))); explicit == 0 {
			f.origin.port = int(port)
		}
	}
	for _, v := range h["X-Forwarded-For"] {
		for hop := range strings.SplitSeq(v, ",") {
			f.hops = append(f.hops, hopAddress(hop))
		}
	}
	for i, v := range h["Forwarded"] {
		if !f.standard(v, i == 0) {
			return refusal
		}
	}
	return nil
}

// standard reads a Forwarded header (RFC 7239). Scheme and host are those of the first element; what is not understood is left.
func (f *forwarding) standard(value string, first bool) bool {
	for i, element := range strings.Split(value, ",") {
		for pair := range strings.SplitSeq(element, ";") {
			name, v, _ := strings.Cut(strings.TrimSpace(pair), "=")
			v = strings.Trim(v, `"`)
			switch name = strings.ToLower(name); {
			case name == "for":
				f.hops = append(f.hops, hopAddress(v))
			case !first || i > 0 || v == "":
			case name == "proto":
				if !validScheme(v) {
					return false
				}
				f.origin.scheme = v
			case name == "host":
				if !validHost(v) {
					return false
				}
				f.origin.host, f.origin.port = splitHost(v)
			}
		}
	}
	return true
}

func leftmost(list string) string {
	first, _, _ := strings.Cut(list, ",")
	return strings.TrimSpace(first)
}

// hopAddress gives the address of a hop without brackets and port.
func hopAddress(hop string) string {
	hop = strings.TrimSpace(hop)
	if rest, ok := strings.CutPrefix(hop, "["); ok {
		hop, _, _ = strings.Cut(rest, "]")
		return hop
	}
	if strings.Count(hop, ":") == 1 {
		hop, _, _ = strings.Cut(hop, ":")
	}
	return hop
}

// splitHost takes host and port apart; the port is 0 when there is none.
func splitHost(hostport string) (string, int) {
	i := strings.LastIndexByte(hostport, ':')
	if i < 0 || i < strings.LastIndexByte(hostport, ']') {
		return hostport, 0
	}
	port, err := strconv.ParseUint(hostport[i+1:], 10, 16)
	if err != nil {
		return hostport, 0
	}
	return hostport[:i], int(port)
}

// validHost reports whether a text can be a host with or without port. An empty one can: HTTP/1.0 has none.
func validHost(hostport string) bool {
	host := hostport
	if i := strings.LastIndexByte(hostport, ':'); i >= 0 && i > strings.LastIndexByte(hostport, ']') {
		if _, err := strconv.ParseUint(hostport[i+1:], 10, 16); err != nil {
			return false
		}
		host = hostport[:i]
	}
	if inner, ok := strings.CutPrefix(host, "["); ok {
		inner, ok = strings.CutSuffix(inner, "]")
		addr, err := netip.ParseAddr(inner)
		return ok && err == nil && addr.Is6()
	}
	for i := range len(host) {
		c := host[i]
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '.' || c == '_') {
			return false
		}
	}
	return true
}

// validScheme reports whether a text, which is not empty, can be a URL's scheme.
func validScheme(scheme string) bool {
	for i := range len(scheme) {
		c := scheme[i]
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
		if !letter && (i == 0 || !('0' <= c && c <= '9' || c == '+' || c == '-' || c == '.')) {
			return false
		}
	}
	return true
}
