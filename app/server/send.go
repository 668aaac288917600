package server

import (
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/valyala/fasthttp"

	"entrepot/formats"
	"entrepot/storage/blob"
)

// send puts an answer on the connection: the only place that does.
func (s *Server) send(r *Request, resp *formats.Response) {
	status := resp.Status
	if resp.Body.Blob != nil && r.Method != http.MethodHead && resp.Body.Stream == nil && resp.Body.Bytes == nil {
		opened, err := s.open(r, &resp.Body)
		if err != nil {
			resp = s.fail(r, fmt.Errorf("server: open blob: %w", err))
			status = resp.Status
		} else {
			r.opened = *resp // which may not be ours to change
			r.opened.Body = opened
			resp = &r.opened
		}
	}
	s.head(r, resp)
	s.payload(r, resp, status)
}

// head writes the status line and the header.
func (s *Server) head(r *Request, resp *formats.Response) {
	out := &r.ctx.Response
	out.SetStatusCode(resp.Status)
	if resp.Reason != "" {
		out.Header.SetStatusMessage(reasonPhrase(resp.Reason))
	}
	for name, values := range resp.Header {
		for i, value := range values {
			if i == 0 {
				r.conn.set(out, name, value)
			} else {
				out.Header.Add(name, value)
			}
		}
	}
	if r.surface == nil {
		return
	}
	for _, line := range r.surface.Face.Lines(r, resp.Status) {
		r.conn.set(out, line.Name, line.Value)
	}
}

// set sets a header line, in the place of one of the same name.
func (c *conn) set(out *fasthttp.Response, name, value string) {
	c.name, c.value = append(c.name[:0], spelling(name)...), append(c.value[:0], value...)
	out.Header.SetCanonical(c.name, c.value)
}

// payload hands the body to the connection. Bytes are logged as sent at once; the rest when they have left.
func (s *Server) payload(r *Request, resp *formats.Response, status int) {
	out, b := &r.ctx.Response, &resp.Body
	if r.Method == http.MethodHead || status == http.StatusNoContent || status == http.StatusNotModified {
		if length := bodyLength(b); length >= 0 && !(length == 0 && emptyHead(b)) {
			out.Header.SetContentLength(int(length))
		}
		out.SkipBody = true
		var err error
		if b.Stream != nil {
			err = b.Stream.Close()
		}
		s.finish(r, status, err)
		return
	}
	switch {
	case b.Stream != nil:
		s.stream(r, status, b)
	case len(b.Bytes) > 0:
		out.SetBodyRaw(b.Bytes)
		r.sent = int64(len(b.Bytes))
		s.finish(r, status, nil)
	default:
		// Where there is no body at all, a connection that ends needs no length, and the old server sends none then.
		if emptyHead(b) && (r.ctx.Request.Header.ConnectionClose() || r.closing) {
			out.SkipBody = true
		}
		s.finish(r, status, nil)
	}
}

// stream sends a body of any length.
func (s *Server) stream(r *Request, status int, b *formats.Body) {
	out := &outgoing{src: b.Stream, size: b.Size, buffers: &s.buffers, done: func(sent int64, err error) {
		r.sent = sent
		s.finish(r, status, err)
	}}
	if b.Size < 0 && !r.ctx.Request.Header.IsHTTP11() {
		s.untilClose(r, out)
		return
	}
	r.ctx.Response.SetBodyStream(out, int(b.Size))
}

// bodyLength gives the length of a body, -1 when it is not known.
func bodyLength(b *formats.Body) int64 {
	if b.Blob == nil && b.Stream == nil {
		return max(b.Size, int64(len(b.Bytes)))
	}
	return b.Size
}

// emptyHead reports that there is no body at all, not even an empty one, so that nothing is said about its length.
func emptyHead(b *formats.Body) bool { return b.Blob == nil && b.Stream == nil && b.Bytes == nil }

// spelling gives header names as the world writes them; Go's canonical form of a few is odd.
func spelling(name string) string {
	switch name {
	case "Etag":
		return "ETag"
	case "Www-Authenticate":
		return "WWW-Authenticate"
	case "X-Xss-Protection":
		return "X-XSS-Protection"
	case "X-Siesta-Faultid":
		return "X-Siesta-FaultId"
	}
	return name
}

// reasonPhrase writes a message as ISO-8859-1, other characters as "?". Line ends are left out, other controls become blanks.
func reasonPhrase(message string) []byte {
	phrase := make([]byte, 0, len(message))
	for _, c := range message {
		switch {
		case c == '\r' || c == '\n':
		case c < ' ' || c == 0x7f:
			phrase = append(phrase, ' ')
		case c > 0xff:
			phrase = append(phrase, '?')
		default:
			phrase = append(phrase, byte(c))
		}
	}
	return phrase
}

// open opens the blob of a body. Small blobs come from memory.
func (s *Server) open(r *Request, b *formats.Body) (formats.Body, error) {
	if b.Size == 0 {
		return formats.Body{Bytes: []byte{}}, nil
	}
	if b.Size <= hotSize {
		if whole := s.hot.get(*b.Blob); whole != nil && b.Offset+b.Size <= int64(len(whole)) {
			return formats.Body{Bytes: whole[b.Offset : b.Offset+b.Size]}, nil
		}
	}
	if s.opts.Blobs == nil {
		return formats.Body{}, errors.New("server: no blobs here")
	}
	obj, err := s.opts.Blobs.OpenBlob(r.context, *b.Blob)
	if err != nil {
		return formats.Body{}, err
	}
	if obj.Size() < b.Offset+b.Size {
		return formats.Body{}, errors.Join(fmt.Errorf("server: blob %s has %d bytes; %d are promised", b.Blob.Hash, obj.Size(), b.Offset+b.Size), obj.Close())
	}
	if checked, ok := obj.(blob.Checked); ok && (b.Offset > 0 || b.Size < obj.Size()) {
		if err := checked.Check(r.context); err != nil {
			return formats.Body{}, errors.Join(err, obj.Close())
		}
	}
	if obj.Size() > hotSize {
		return formats.Body{Stream: &part{obj: obj, off: b.Offset, left: b.Size, buffers: &s.buffers}, Size: b.Size}, nil
	}
	whole := make([]byte, obj.Size())
	_, err = obj.ReadAt(whole, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return formats.Body{}, errors.Join(err, obj.Close())
	}
	s.hot.put(*b.Blob, whole)
	return formats.Body{Bytes: whole[b.Offset : b.Offset+b.Size]}, obj.Close()
}
