package server

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"
	"go.opentelemetry.io/otel/trace"

	"entrepot/app/telemetry"
	"entrepot/storage/blob"
	"entrepot/storage/catalog"
)

// Blobs opens the blobs that answers refer to.
type Blobs interface {
	OpenBlob(ctx context.Context, ref catalog.BlobRef) (blob.Object, error)
}

// Options are the settings of a server. Zero values mean what is said.
type Options struct {
	Name      string // value of the Server header; "" for none
	Blobs     Blobs  // nil: answers that refer to blobs are errors
	Log       *slog.Logger
	AccessLog *telemetry.AccessLog // nil: no line a request
	Metrics   *telemetry.Requests  // nil: requests are not counted
	Tracer    trace.Tracer         // nil: no spans
	// Acting gives the context of a request that may change something, with who makes it; nil leaves it as it is.
	Acting         func(ctx context.Context, c Caller, remote string) context.Context
	BaseURL        string         // external URL; "" takes it from each request
	TrustedProxies []netip.Prefix // whose forwarding headers count; empty: everybody's, as on the old server

	MaxConnections int           // of one listener; 0: 16384
	HeaderTimeout  time.Duration // for the head of a request and the first bytes of its body; 0: 30 s
	BodyTimeout    time.Duration // of silence in a body; 0: 60 s
	WriteTimeout   time.Duration // for half a MiB of an answer to leave; 0: 60 s
	IdleTimeout    time.Duration // of a connection between two requests; 0: 75 s
	HotBytes       int64         // of small blobs kept in memory; 0: 16 MiB, negative: none
}

// Listener is an address to listen on.
type Listener struct {
	Address string       // host and port
	TLS     *Certificate // nil: plain HTTP
}

// headerLimit is the most that a request's line and headers may take, in bytes: bearer tokens and identity cookies are long.
const headerLimit = 64 << 10

// writeBuffer holds the head of an answer and a small body, so that they leave in one write.
const writeBuffer = 16 << 10

// cutTime is how long handlers get to notice that their connection was cut off.
const cutTime = 5 * time.Second

// anyMethod stands for methods that the framework does not know; the request keeps the method as sent.
const anyMethod = "ANY"

// Server is the HTTP edge. Mount routes, then Listen; Shutdown ends it.
type Server struct {
	opts      Options
	log       *slog.Logger
	app       *fiber.App
	http      *fasthttp.Server
	surfaces  []*Surface // longest prefix first
	hot       *hot
	buffers   buffers
	lateness  time.Duration // how much too early a read deadline may end
	listening atomic.Bool
	requests  atomic.Uint64
	context   context.Context
	cancel    context.CancelFunc
	accepting sync.WaitGroup
	ending    chan struct{} // closed when requests are to come to their end
	end       sync.Once

	mu        sync.Mutex
	conns     map[*conn]struct{}
	listeners []*listener
}

// New gives a server that does not listen yet.
func New(opts Options) *Server {
	defaults(&opts)
	s := &Server{opts: opts, log: opts.Log, hot: newHot(opts.HotBytes), conns: make(map[*conn]struct{}), ending: make(chan struct{})}
	s.lateness = min(opts.HeaderTimeout, opts.BodyTimeout, opts.IdleTimeout) / 8
	s.context, s.cancel = context.WithCancel(context.Background())
	s.app = fiber.New(fiber.Config{
		StreamRequestBody:            true,
		DisablePreParseMultipartForm: true,
		StrictRouting:                true,
		CaseSensitive:                true,
		DisableStartupMessage:        true,
		DisableDefaultContentType:    true,
		ServerHeader:                 opts.Name,
		ReadBufferSize:               headerLimit,
		WriteBufferSize:              writeBuffer,
		ReadTimeout:                  opts.HeaderTimeout,
		IdleTimeout:                  opts.IdleTimeout,
		Concurrency:                  opts.MaxConnections,
		RequestMethods:               append(append([]string(nil), fiber.DefaultMethods...), anyMethod),
	})
	s.app.Use(s.serve)
	s.http = s.app.Server()
	s.http.ErrorHandler = s.malformed
	s.http.CloseOnShutdown = true
	s.http.HeaderReceived = anyHost
	s.http.Handler = known(s.app.Handler(), s.app.Config().RequestMethods)
	return s
}

func defaults(o *Options) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.MaxConnections == 0 {
		o.MaxConnections = 16384
	}
	for d, value := range map[*time.Duration]time.Duration{
		&o.HeaderTimeout: 30 * time.Second, &o.BodyTimeout: 60 * time.Second, &o.WriteTimeout: 60 * time.Second, &o.IdleTimeout: 75 * time.Second,
	} {
		if *d == 0 {
			*d = value
		}
	}
	if o.HotBytes == 0 {
		o.HotBytes = 16 << 20
	}
}

// Listen starts to accept connections and gives the address, for port 0. It may be called again for more addresses.
func (s *Server) Listen(l Listener) (net.Addr, error) {
	s.listening.Store(true)
	config := net.ListenConfig{}
	raw, err := config.Listen(s.context, "tcp", l.Address)
	if err != nil {
		return nil, fmt.Errorf("server: listen: %w", err)
	}
	own := &listener{TCPListener: raw.(*net.TCPListener), server: s, done: make(chan struct{})}
	s.mu.Lock()
	s.listeners = append(s.listeners, own)
	s.mu.Unlock()
	var ln net.Listener = own
	if l.TLS != nil {
		ln = &secureListener{own, l.TLS.config()}
	}
	s.accepting.Go(func() {
		if err := s.http.Serve(ln); err != nil {
			s.log.Error("listener ended", "address", l.Address, "error", err)
		}
	})
	return raw.Addr(), nil
}

// Shutdown refuses new connections, lets requests in flight finish until ctx ends, then cuts the rest off. It returns an error when
// something had to be cut off.
func (s *Server) Shutdown(ctx context.Context) error {
	s.end.Do(func() { close(s.ending) })
	s.mu.Lock()
	for _, l := range s.listeners { // the framework knows only those that have begun to accept
		_ = l.Close()
	}
	s.mu.Unlock()
	finished := make(chan struct{})
	s.accepting.Go(func() { s.closeIdle(finished) })
	err := s.http.ShutdownWithContext(ctx)
	close(finished)
	s.cancel()
	s.accepting.Wait()
	if err == nil {
		return nil
	}
	s.mu.Lock()
	cut := len(s.conns)
	for c := range s.conns {
		c.abort()
	}
	s.mu.Unlock()
	for end := time.Now().Add(cutTime); s.Connections() > 0 && time.Now().Before(end); {
		time.Sleep(5 * time.Millisecond)
	}
	return fmt.Errorf("server: %d connections were cut off: %w", cut, err)
}

// closeIdle ends connections that carry no request, again and again until the rest has finished. The framework would wait for one
// that has not begun its first request.
func (s *Server) closeIdle(finished <-chan struct{}) {
	for {
		s.mu.Lock()
		for c := range s.conns {
			if c.dispensable(time.Now()) {
				_ = c.TCPConn.Close()
			}
		}
		s.mu.Unlock()
		select {
		case <-finished:
			return
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Connections tells how many connections are open.
func (s *Server) Connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.conns)
}

func (s *Server) admit(tcp *net.TCPConn) *conn {
	c := &conn{TCPConn: tcp, server: s, timeout: s.opts.WriteTimeout}
	if addr, ok := tcp.RemoteAddr().(*net.TCPAddr); ok {
		c.remote = addr.AddrPort().Addr().Unmap().WithZone("").String()
	}
	s.mu.Lock()
	s.conns[c] = struct{}{}
	s.mu.Unlock()
	return c
}

func (s *Server) forget(c *conn) {
	s.mu.Lock()
	delete(s.conns, c)
	s.mu.Unlock()
}

// anyHost keeps fasthttp from judging the Host header, of which it refuses more than HTTP does. This package looks at the one sent.
func anyHost(h *fasthttp.RequestHeader) fasthttp.RequestConfig {
	h.SetHost("localhost")
	return fasthttp.RequestConfig{}
}

// known lets the framework see a method that it knows, because it answers others on its own. The handler reads the real one.
func known(next fasthttp.RequestHandler, methods []string) fasthttp.RequestHandler {
	set := make(map[string]bool, len(methods))
	for _, m := range methods {
		set[m] = true
	}
	return func(ctx *fasthttp.RequestCtx) {
		method := ctx.Method()
		if common := string(method) == http.MethodGet || string(method) == http.MethodHead; !common && (!set[string(method)] || string(method) == anyMethod) {
			ctx.SetUserValue(anyMethod, string(method))
			ctx.Request.Header.SetMethod(anyMethod)
		}
		next(ctx)
	}
}
