// Package rest reads a living server by its REST API: what an administrator can see there, and the content as clients download it. It
// is the second-best source. Passwords, tokens, upstream credentials and other secrets never leave an old server this way; they come
// from its stopped data directory only (package datadir), and the inventory's notes say what is missing.
//
// Invariants: only GET requests are sent, at a bounded rate; a listing is read once, into a temporary file, so memory does not grow with
// it; a body is checked against the checksums of the listing by who stores it; a reply that is too large, or of another shape, is an
// error that names its URL.
//
//	old, err := rest.Open(ctx, "https://nexus.example.com", rest.Options{User: "admin", Password: secret})
//	if err != nil { … }
//	defer old.Close()
//	plan, err := importer.Prepare(ctx, target, old, importer.Options{})
package rest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/time/rate"

	"entrepot/app/repository"
	"entrepot/formats"
	"entrepot/migrate/inventory"
)

// Limits of what an old server is believed.
const (
	maxReply = 256 << 20 // bytes of one JSON reply
	attempts = 6         // for one request, when the server is busy or the connection breaks
)

// ErrDenied reports that the account may not see what an import needs.
var ErrDenied = errors.New("rest: the account may not see this; an administrator's is needed")

// Options tune how a server is read. Zero members mean the documented default.
type Options struct {
	User     string
	Password repository.Secret
	// Rate is how many requests are sent in a second at most; default 50.
	Rate float64
	// Bandwidth is how many bytes of bodies are read in a second at most; default no limit.
	Bandwidth int64
	// Transport sends the requests; default one with time-outs for connecting and for headers.
	Transport http.RoundTripper
	// Wait waits between two attempts; default a timer.
	Wait func(ctx context.Context, d time.Duration) error
	// TempDir is where listings are kept while the server is open. "" means the system's folder.
	TempDir string
}

// Server is a living server. It is a source of inventory.
type Server struct {
	base     *url.URL
	opts     Options
	client   *http.Client
	requests *rate.Limiter
	bytes    *rate.Limiter // nil without a limit
	version  string

	inventory *inventory.Inventory // nil until it was described
	kinds     map[string]held      // repositories with content, by name
	listing   *os.File             // one asset a line
}

// held is what the listing needs to know of a repository.
type held struct {
	format string
	kind   formats.Kind
}

var _ inventory.Source = (*Server)(nil)

// Open asks the server for its status and whether the account may see its settings. The caller closes what it returns.
func Open(ctx context.Context, address string, o Options) (*Server, error) {
	base, err := url.Parse(strings.TrimSuffix(address, "/"))
	if err != nil || base.Host == "" || base.Scheme != "http" && base.Scheme != "https" || base.User != nil {
		return nil, fmt.Errorf("rest: %q is no address of a server; it looks like https://nexus.example.com, without user and password", address)
	}
	if o.Rate <= 0 {
		o.Rate = 50
	}
	if o.Wait == nil {
		o.Wait = wait
	}
	if o.Transport == nil {
		t := http.DefaultTransport.(*http.Transport).Clone()
		t.ResponseHeaderTimeout = 2 * time.Minute
		t.MaxIdleConnsPerHost = 64
		o.Transport = t
	}
	s := &Server{base: base, opts: o, client: &http.Client{Transport: o.Transport}, requests: rate.NewLimiter(rate.Limit(o.Rate), 10)}
	if o.Bandwidth > 0 {
		s.bytes = rate.NewLimiter(rate.Limit(o.Bandwidth), bandwidthBurst)
	}
	resp, err := s.send(ctx, s.rest("status", nil))
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusOK:
	case http.StatusUnauthorized, http.StatusForbidden:
		return nil, refusal(s.rest("status", nil), resp)
	default:
		return nil, fmt.Errorf("rest: %s is no server that can be imported, or not ready: its status answers %s", base, resp.Status)
	}
	s.version = resp.Header.Get("Server")
	return s, nil
}

// Close removes the listing.
func (s *Server) Close() error {
	if s.listing == nil {
		return nil
	}
	err := errors.Join(s.listing.Close(), os.Remove(s.listing.Name()))
	s.listing = nil
	return err
}

// rest gives the URL of a resource of the API.
func (s *Server) rest(path string, query url.Values) string {
	u := s.base.String() + "/service/rest/v1/" + path
	if len(query) > 0 {
		u += "?" + query.Encode()
	}
	return u
}

// read reads a JSON resource; false when the server does not have it.
func (s *Server) read(ctx context.Context, into any, path string, query url.Values) (bool, error) {
	return s.readURL(ctx, into, s.rest(path, query))
}

func (s *Server) readURL(ctx context.Context, into any, target string) (bool, error) {
	resp, err := s.send(ctx, target)
	if err != nil {
		return false, err
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusOK:
	case http.StatusNotFound, http.StatusMethodNotAllowed:
		return false, nil
	default:
		return false, refusal(target, resp)
	}
	d := json.NewDecoder(io.LimitReader(resp.Body, maxReply))
	d.UseNumber()
	if err := d.Decode(into); err != nil {
		return false, fmt.Errorf("rest: %s: %w", target, err)
	}
	return true, nil
}

// send asks for a URL, again while the server is busy or the connection breaks. The caller closes the body.
func (s *Server) send(ctx context.Context, target string) (*http.Response, error) {
	pause := time.Second
	for attempt := 1; ; attempt++ {
		if err := s.requests.Wait(ctx); err != nil {
			return nil, fmt.Errorf("rest: %w", err)
		}
		resp, err := s.try(ctx, target)
		if attempt == attempts || ctx.Err() != nil || err == nil && !s.busy(resp) {
			return resp, err
		}
		if err == nil {
			if seconds, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && seconds > 0 {
				pause = min(time.Duration(seconds)*time.Second, time.Minute)
			}
			resp.Body.Close()
		}
		if err := s.opts.Wait(ctx, pause); err != nil {
			return nil, fmt.Errorf("rest: %w", err)
		}
		pause = min(2*pause, 30*time.Second)
	}
}

func (s *Server) try(ctx context.Context, target string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return nil, fmt.Errorf("rest: %w", err)
	}
	req.Header.Set("Accept-Encoding", "identity")
	req.Header.Set("User-Agent", "entrepot-import")
	if s.opts.User != "" {
		req.SetBasicAuth(s.opts.User, string(s.opts.Password))
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("rest: %w", err)
	}
	return resp, nil
}

// busy reports whether it is worth asking again. A 503 of the old server itself is about one repository and will not pass, unless it
// says when.
func (s *Server) busy(resp *http.Response) bool {
	switch resp.StatusCode {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusGatewayTimeout:
		return true
	case http.StatusServiceUnavailable:
		return resp.Header.Get("Retry-After") != "" || s.version == "" || resp.Header.Get("Server") != s.version
	}
	return false
}

// refusal words an answer that is none.
func refusal(target string, resp *http.Response) error {
	if resp.StatusCode == http.StatusUnauthorized || resp.StatusCode == http.StatusForbidden {
		return fmt.Errorf("%w: %s answers %s", ErrDenied, target, resp.Status)
	}
	return fmt.Errorf("rest: %s answers %s", target, resp.Status)
}

func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
