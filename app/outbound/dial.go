package outbound

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"

	ntlmssp "github.com/Azure/go-ntlmssp"

	"entrepot/app/repository/upstream"
)

// proxyFor gives the proxy for a host; nil for none.
func (st *state) proxyFor(scheme, host string) *Proxy {
	s := &st.settings
	p := s.HTTP
	if scheme == "https" && s.HTTPS != nil && s.HTTPS.Enabled {
		p = s.HTTPS
	}
	if p == nil || !p.Enabled || matches(s.Direct, host) {
		return nil
	}
	return p
}

// ntlm reports whether a proxy wants NTLM, which authenticates a connection and not a request.
func (p *Proxy) ntlm() bool {
	return p.Auth != nil && p.Auth.Enabled && (p.Auth.NTLMDomain != "" || p.Auth.NTLMHost != "")
}

func (p *Proxy) address() string { return net.JoinHostPort(p.Host, strconv.Itoa(p.Port)) }

// Proxy gives the URL of the proxy for a request, with its credentials; nil for none. It has the type of http.Transport.Proxy. A proxy
// that wants NTLM is not among them: Dial goes through it.
func (s *Service) Proxy(r *http.Request) (*url.URL, error) {
	p := s.now.Load().proxyFor(r.URL.Scheme, r.URL.Hostname())
	if p == nil || p.ntlm() {
		return nil, nil
	}
	u := &url.URL{Scheme: "http", Host: p.address()}
	if p.TLS {
		u.Scheme = "https"
	}
	if p.Auth != nil && p.Auth.Enabled {
		u.User = url.UserPassword(p.Auth.Username, string(p.Auth.Password))
	}
	return u, nil
}

// Dial opens a connection to a server, or to a proxy that Proxy named. Where the proxy wants NTLM, it is a tunnel through the proxy
// (CONNECT), for http:// as for https://: the proxy has to allow that port.
func (s *Service) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	st := s.now.Load()
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("outbound: %w", err)
	}
	if p := st.proxyFor(upstream.SchemeOf(ctx), host); p != nil && p.ntlm() {
		return st.tunnel(ctx, p, address)
	}
	dialer := &net.Dialer{KeepAlive: 30 * time.Second}
	if st.guard.Enabled && !st.isProxy(address) && !matches(st.guard.AllowedDomains, host) {
		dialer.Control = st.refusePrivate
	}
	return dialer.DialContext(ctx, network, address)
}

func (st *state) isProxy(address string) bool {
	for _, p := range []*Proxy{st.settings.HTTP, st.settings.HTTPS} {
		if p != nil && p.Enabled && strings.EqualFold(p.address(), address) {
			return true
		}
	}
	return false
}

// refusePrivate looks at the address that a name led to, so that no name can lead past it.
func (st *state) refusePrivate(_, address string, _ syscall.RawConn) error {
	end, err := netip.ParseAddrPort(address)
	if err != nil {
		return err
	}
	a := end.Addr().Unmap()
	if a.IsGlobalUnicast() && !a.IsPrivate() {
		return nil
	}
	for _, allowed := range st.allowed {
		if allowed.Contains(a) {
			return nil
		}
	}
	return fmt.Errorf("outbound: %s is a private address, and the guard against requests to such is on", a)
}

// tunnelTimeout bounds the talk with a proxy.
const tunnelTimeout = 30 * time.Second

// Tunnel opens a connection to a server on which anything can be said, TLS above all: through the proxy for https:// where there is one
// (CONNECT), else as Dial does.
func (s *Service) Tunnel(ctx context.Context, network, address string) (net.Conn, error) {
	st := s.now.Load()
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("outbound: %w", err)
	}
	if p := st.proxyFor("https", host); p != nil {
		return st.tunnel(ctx, p, address)
	}
	return s.Dial(ctx, network, address)
}

// tunnel opens a connection through a proxy. The three messages of NTLM go over one connection.
func (st *state) tunnel(ctx context.Context, p *Proxy, target string) (_ net.Conn, err error) {
	conn, err := st.reach(ctx, p)
	if err != nil {
		return nil, fmt.Errorf("outbound: proxy: %w", err)
	}
	defer func() {
		if err != nil {
			_ = conn.Close() // the error that ended it counts
		}
	}()
	deadline := time.Now().Add(tunnelTimeout)
	if d, ok := ctx.Deadline(); ok && d.Before(deadline) {
		deadline = d
	}
	if err := conn.SetDeadline(deadline); err != nil {
		return nil, err
	}
	authorization, err := p.authorization()
	if err != nil {
		return nil, err
	}
	reader := bufio.NewReader(conn)
	status, challenge, err := connect(conn, reader, target, authorization)
	if err == nil && status == http.StatusProxyAuthRequired && p.ntlm() {
		status, err = answer(conn, reader, p, target, challenge)
	}
	switch {
	case err != nil:
		return nil, fmt.Errorf("outbound: proxy: %w", err)
	case status == http.StatusProxyAuthRequired:
		return nil, errors.New("outbound: the proxy refuses the credentials")
	case status != http.StatusOK:
		return nil, fmt.Errorf("outbound: the proxy refuses the tunnel with status %d", status)
	case reader.Buffered() > 0:
		return nil, errors.New("outbound: the proxy speaks before the tunnel is used")
	}
	return conn, conn.SetDeadline(time.Time{})
}

// reach opens a connection to a proxy.
func (st *state) reach(ctx context.Context, p *Proxy) (net.Conn, error) {
	dialer := &net.Dialer{KeepAlive: 30 * time.Second}
	if p.TLS {
		return (&tls.Dialer{NetDialer: dialer}).DialContext(ctx, "tcp", p.address())
	}
	return dialer.DialContext(ctx, "tcp", p.address())
}

// authorization gives what is sent to a proxy before it asks; "" for nothing.
func (p *Proxy) authorization() (string, error) {
	if p.ntlm() {
		hello, err := ntlmssp.NewNegotiateMessage("", "")
		if err != nil {
			return "", fmt.Errorf("outbound: NTLM: %w", err)
		}
		return "NTLM " + base64.StdEncoding.EncodeToString(hello), nil
	}
	if p.Auth == nil || !p.Auth.Enabled {
		return "", nil
	}
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(p.Auth.Username+":"+string(p.Auth.Password))), nil
}

func answer(conn net.Conn, reader *bufio.Reader, p *Proxy, target string, challenge []byte) (int, error) {
	if len(challenge) == 0 {
		return 0, errors.New("it does not offer NTLM")
	}
	name := p.Auth.Username
	if p.Auth.NTLMDomain != "" && !strings.ContainsAny(name, `\@`) {
		name = p.Auth.NTLMDomain + `\` + name
	}
	reply, err := ntlmssp.NewAuthenticateMessage(challenge, name, string(p.Auth.Password), &ntlmssp.AuthenticateMessageOptions{WorkstationName: p.Auth.NTLMHost})
	if err != nil {
		return 0, err
	}
	status, _, err := connect(conn, reader, target, "NTLM "+base64.StdEncoding.EncodeToString(reply))
	return status, err
}

// connect asks the proxy for the tunnel and gives its status and, if there is one, its NTLM challenge.
func connect(conn net.Conn, reader *bufio.Reader, target, authorization string) (int, []byte, error) {
	request := &http.Request{Method: http.MethodConnect, URL: &url.URL{Opaque: target}, Host: target, Header: make(http.Header)}
	if authorization != "" {
		request.Header.Set("Proxy-Authorization", authorization)
	}
	if err := request.Write(conn); err != nil {
		return 0, nil, err
	}
	resp, err := http.ReadResponse(reader, request)
	if err != nil {
		return 0, nil, err
	}
	if resp.StatusCode == http.StatusOK {
		return resp.StatusCode, nil, nil
	}
	_, err = io.CopyN(io.Discard, resp.Body, maxRefusal)
	if err == nil {
		err = errors.New("its answer is too long")
	} else if errors.Is(err, io.EOF) {
		err = nil
	}
	for _, line := range resp.Header.Values("Proxy-Authenticate") {
		if text, ok := strings.CutPrefix(line, "NTLM "); ok {
			challenge, decodeErr := base64.StdEncoding.DecodeString(text)
			return resp.StatusCode, challenge, errors.Join(err, decodeErr)
		}
	}
	return resp.StatusCode, nil, err
}

// maxRefusal bounds the page that a proxy sends with a refusal, in bytes.
const maxRefusal = 1 << 20
