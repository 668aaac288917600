package server

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"entrepot/app/telemetry"
)

const (
	// slice is how many bytes one write deadline covers.
	slice = 512 << 10
	// lingerSilence and lingerTime bound the reading after the last answer of a connection that still had a body to send.
	lingerSilence = 2 * time.Second
	lingerTime    = 10 * time.Second
	// headPatience is how long an ending server waits for more of a request's head.
	headPatience = time.Second
)

// conn is an accepted connection. It moves its write deadline along with the bytes that leave, so that only a client that takes
// nothing is cut off; it hands files to sendfile slice by slice; and when it ends with unread bytes of a body it lingers, because
// a plain close would reset the connection and take the answer away from the client.
type conn struct {
	*net.TCPConn
	server   *Server
	remote   string // address without port
	timeout  time.Duration
	deadline time.Time // write deadline in force
	readBy   time.Time // read deadline asked for
	readSet  time.Time // read deadline in force
	part     io.LimitedReader
	linger   atomic.Bool
	closed   atomic.Bool
	phase    atomic.Int32
	head     atomic.Int64 // when bytes of a head last came, Unix nanoseconds

	// What one request after the other uses.
	request Request
	name    []byte // of a header line of the answer
	value   []byte
	origin  origin // of the last request
	base    string // URL of origin
	last    last
	series  telemetry.Series // that the last request counted for
	clock   time.Time        // when the last request was told to be answered, if nothing was written since
}

// The phases of a connection.
const (
	phaseIdle      int32 = iota // nothing of a request has come: may be closed at any time
	phaseHead                   // the head of a request is coming
	phaseHandling               // its handler runs
	phaseAnswering              // its answer leaves
)

// Read implements net.Conn.
func (c *conn) Read(p []byte) (int, error) {
	c.phase.CompareAndSwap(phaseAnswering, phaseIdle)
	if err := c.applyRead(); err != nil {
		return 0, err
	}
	n, err := c.TCPConn.Read(p)
	if n > 0 && (c.phase.CompareAndSwap(phaseIdle, phaseHead) || c.phase.Load() == phaseHead) {
		c.head.Store(time.Now().UnixNano())
	}
	return n, c.cut(err)
}

// errCut is what a reader of a body gets where the client has ended the connection. It is no io.EOF, which the framework would take
// for the end of a chunked body.
var errCut = fmt.Errorf("server: connection ended in a request: %w", io.ErrUnexpectedEOF)

// cut makes the end of the connection an error while a handler runs, that is, reads a body.
func (c *conn) cut(err error) error {
	if err == io.EOF && c.phase.Load() == phaseHandling {
		return errCut
	}
	return err
}

// SetReadDeadline implements net.Conn. The deadline counts from the next Read: the framework sets two for each request, of which one
// is never waited for, and setting a timer costs more than the rest of a small read.
func (c *conn) SetReadDeadline(t time.Time) error {
	c.readBy = t
	return nil
}

// applyRead puts the read deadline in force, unless the one in force ends only a little earlier.
func (c *conn) applyRead() error {
	if late := c.readBy.Sub(c.readSet); late == 0 || late > 0 && late < c.server.lateness {
		return nil
	}
	c.readSet = c.readBy
	return c.TCPConn.SetReadDeadline(c.readBy)
}

// dispensable reports whether the connection carries nothing that an ending server waits for: no request, or one whose head has
// stopped arriving. After a TLS handshake a connection looks like that, too.
func (c *conn) dispensable(now time.Time) bool {
	switch c.phase.Load() {
	case phaseIdle:
		return true
	case phaseHead:
		return now.UnixNano()-c.head.Load() > int64(headPatience)
	}
	return false
}

// Write implements net.Conn.
func (c *conn) Write(p []byte) (int, error) {
	written := 0
	for {
		if err := c.push(); err != nil {
			return written, err
		}
		piece := p[:min(len(p), slice)]
		n, err := c.TCPConn.Write(piece)
		written += n
		if p = p[n:]; err != nil || len(p) == 0 {
			return written, err
		}
	}
}

// ReadFrom implements io.ReaderFrom. An io.LimitedReader over a file goes through sendfile.
func (c *conn) ReadFrom(r io.Reader) (int64, error) {
	limited, ok := r.(*io.LimitedReader)
	if !ok {
		return c.copy(r)
	}
	file, ok := limited.R.(*os.File)
	if !ok {
		return c.copy(r)
	}
	var sent int64
	for limited.N > 0 {
		if err := c.push(); err != nil {
			return sent, err
		}
		c.part = io.LimitedReader{R: file, N: min(limited.N, slice)}
		n, err := c.TCPConn.ReadFrom(&c.part)
		sent += n
		limited.N -= n
		if err != nil || n == 0 { // n == 0: the file is shorter than promised
			return sent, err
		}
	}
	return sent, nil
}

func (c *conn) copy(r io.Reader) (int64, error) {
	return c.server.buffers.copy(c, r)
}

// push moves the write deadline when a good part of it is used up.
func (c *conn) push() error {
	now := c.clock
	if c.clock = (time.Time{}); now.IsZero() {
		now = time.Now()
	}
	if c.deadline.Sub(now) > c.timeout*3/4 {
		return nil
	}
	c.deadline = now.Add(c.timeout)
	return c.SetWriteDeadline(c.deadline)
}

// Close implements net.Conn.
func (c *conn) Close() error {
	if c.closed.Swap(true) {
		return net.ErrClosed
	}
	if c.linger.Load() {
		c.drain()
	}
	c.server.forget(c)
	return c.TCPConn.Close()
}

// abort closes the connection at once.
func (c *conn) abort() {
	c.linger.Store(false)
	_ = c.TCPConn.Close()
}

// drain says that no more answers come and throws away what the client still sends, for a while.
func (c *conn) drain() {
	if c.CloseWrite() != nil {
		return
	}
	buf := c.server.buffers.get()
	defer c.server.buffers.put(buf)
	for end := time.Now().Add(lingerTime); time.Now().Before(end); {
		if c.TCPConn.SetReadDeadline(time.Now().Add(lingerSilence)) != nil {
			return
		}
		if _, err := c.TCPConn.Read(buf[:]); err != nil {
			return
		}
	}
}

// buffers keeps large buffers for bodies that are no files.
type buffers struct{ pool sync.Pool }

func (b *buffers) get() *[64 << 10]byte {
	if buf, ok := b.pool.Get().(*[64 << 10]byte); ok {
		return buf
	}
	return new([64 << 10]byte)
}

func (b *buffers) put(buf *[64 << 10]byte) { b.pool.Put(buf) }

// copy copies with a large buffer; what a read returns is written at once.
func (b *buffers) copy(w io.Writer, r io.Reader) (int64, error) {
	buf := b.get()
	defer b.put(buf)
	return io.CopyBuffer(writerOnly{w}, readerOnly{r}, buf[:])
}

// writerOnly hides everything but Write.
type writerOnly struct{ io.Writer }

// plain gives the connection below TLS.
func plain(c net.Conn) *conn {
	if t, ok := c.(interface{ NetConn() net.Conn }); ok {
		c = t.NetConn()
	}
	p, _ := c.(*conn)
	return p
}

// listener accepts connections for one address.
type listener struct {
	*net.TCPListener
	server *Server
	done   chan struct{}
	once   sync.Once
}

// Accept implements net.Listener. When the process is out of descriptors it waits for some to come back instead of giving up.
func (l *listener) Accept() (net.Conn, error) {
	pause := 5 * time.Millisecond
	for {
		tcp, err := l.AcceptTCP()
		if err == nil {
			return l.server.admit(tcp), nil
		}
		var temporary interface{ Temporary() bool }
		if errors.Is(err, net.ErrClosed) || !errors.As(err, &temporary) || !temporary.Temporary() {
			return nil, io.EOF // the framework's word for the orderly end of a listener
		}
		l.server.log.Warn("connection not accepted", "error", err)
		select {
		case <-l.done:
			return nil, io.EOF
		case <-time.After(pause):
			pause = min(2*pause, time.Second)
		}
	}
}

// Close implements net.Listener.
func (l *listener) Close() error {
	var err error
	l.once.Do(func() {
		close(l.done)
		err = l.TCPListener.Close()
	})
	return err
}
