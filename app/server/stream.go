package server

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"

	"entrepot/storage/blob"
)

// part is the wanted part of an open blob on its way out. Over a plain connection a file leaves by sendfile.
type part struct {
	obj     blob.Object
	off     int64
	left    int64
	buffers *buffers
}

// Read implements io.Reader.
func (p *part) Read(b []byte) (int, error) {
	if p.left <= 0 {
		return 0, io.EOF
	}
	n, err := p.obj.ReadAt(b[:min(int64(len(b)), p.left)], p.off)
	p.off += int64(n)
	p.left -= int64(n)
	if n > 0 {
		return n, nil
	}
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return 0, err
}

// WriteTo implements io.WriterTo. It gives the writer a limited file, which a connection's ReadFrom knows.
func (p *part) WriteTo(w io.Writer) (int64, error) {
	to, ok := w.(io.ReaderFrom)
	holder, isFile := p.obj.(interface{ File() *os.File })
	if !ok || !isFile {
		return p.buffers.copy(w, p)
	}
	file := holder.File()
	if _, err := file.Seek(p.off, io.SeekStart); err != nil {
		return 0, fmt.Errorf("server: blob: %w", err)
	}
	n, err := to.ReadFrom(&io.LimitedReader{R: file, N: p.left})
	p.off += n
	p.left -= n
	return n, err
}

// Close implements io.Closer.
func (p *part) Close() error { return p.obj.Close() }

// outgoing is a body that the framework writes after the handler has returned. It counts, and tells when it is over.
type outgoing struct {
	src     io.ReadCloser
	size    int64 // -1 when unknown
	sent    int64
	err     error
	buffers *buffers
	done    func(sent int64, err error)
}

// Read implements io.Reader.
func (o *outgoing) Read(p []byte) (int, error) {
	n, err := o.src.Read(p)
	o.sent += int64(n)
	if err != nil && err != io.EOF {
		o.err = err
	}
	return n, err
}

// WriteTo implements io.WriterTo.
func (o *outgoing) WriteTo(w io.Writer) (int64, error) {
	var err error
	if from, ok := o.src.(io.WriterTo); ok && o.size >= 0 {
		o.sent, err = from.WriteTo(w)
	} else {
		o.sent, err = o.buffers.copy(w, o.src)
	}
	o.err = err
	return o.sent, err
}

// SupportsBodyWriteTo lets the framework use WriteTo for chunked bodies too: its own chunks are small.
func (o *outgoing) SupportsBodyWriteTo() bool { return true }

// Close implements io.Closer. The framework calls it once, after the last byte or the first error.
func (o *outgoing) Close() error {
	err := o.src.Close()
	if o.done != nil {
		if o.err == nil && o.size >= 0 && o.sent < o.size {
			o.err = io.ErrShortWrite
		}
		o.done(o.sent, o.err)
		o.done = nil
	}
	return err
}

// untilClose sends a body of unknown length to an HTTP/1.0 client, which knows no chunks: the end of the connection ends it.
func (s *Server) untilClose(r *Request, out *outgoing) {
	r.Close()
	r.ctx.Response.SkipBody = true
	head := append([]byte(nil), r.ctx.Response.Header.Header()...)
	r.ctx.HijackSetNoResponse(true)
	r.ctx.Hijack(func(c net.Conn) {
		w := bufio.NewWriterSize(c, writeBuffer)
		_, err := w.Write(head)
		if err == nil {
			_, err = out.WriteTo(w)
		}
		if err == nil {
			err = w.Flush()
		}
		if out.err == nil {
			out.err = err
		}
		_ = out.Close()
	})
}
