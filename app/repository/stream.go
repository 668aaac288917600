package repository

import (
	"context"
	"errors"
	"io"
	"net/http"

	"entrepot/app/repository/conditional"
	"entrepot/formats"
	"entrepot/storage/blob"
)

// errBrokenOff ends a body that was being passed on when its download failed, or what came in was not what was promised.
var errBrokenOff = errors.New("repository: download broken off")

// respondStream answers with a body that is still coming in.
func (e *Engine) respondStream(ctx context.Context, x *exchange, f *flight) (*formats.Response, error) {
	rep := f.rep
	rep.body = formats.Body{Size: f.size}
	if !x.get {
		return x.respond(&rep)
	}
	reader, err := f.writer.Reader()
	if errors.Is(err, blob.ErrClosed) { // it has ended just now
		got, err := f.wait(ctx, false)
		if err != nil {
			return nil, err
		}
		return e.respondAsset(x, got.asset)
	}
	if err != nil {
		return nil, err
	}
	content := x.content
	body := &tail{ctx: ctx, flight: f, reader: reader, end: f.size, complete: func() { content.Touch(f.out.asset.Path, e.now()) }}
	rep.body.Stream = body
	resp, err := x.respond(&rep)
	if err != nil || resp.Status == http.StatusNotModified {
		return resp, errors.Join(err, body.Close())
	}
	return resp, nil
}

// tail reads a body while it is coming in. The last byte is held back until the body has been verified and stored, so that no
// client takes a body for complete that is not good.
type tail struct {
	ctx    context.Context
	flight *flight
	reader *blob.Reader
	off    int64
	end    int64 // where to stop; -1 for the end of the body

	complete func() // called when all was read
}

// limit makes it read only a part.
func (t *tail) limit(part conditional.Range) { t.off, t.end = part.Offset, part.Offset+part.Length }

// Read implements io.Reader.
func (t *tail) Read(p []byte) (int, error) {
	for {
		more := t.flight.progress() // before looking, so that no wake-up is missed
		available, ended, err := t.available()
		if err != nil {
			return 0, err
		}
		if t.off < available {
			n, err := t.reader.ReadAt(p[:min(int64(len(p)), available-t.off)], t.off)
			t.off += int64(n)
			if n > 0 || err != nil && err != io.EOF {
				return n, err
			}
		}
		if ended && t.off >= available {
			t.complete()
			return 0, io.EOF
		}
		select {
		case <-more:
		case <-t.flight.done:
		case <-t.ctx.Done():
			return 0, t.ctx.Err()
		}
	}
}

// available is up to where the body can be given away.
func (t *tail) available() (upTo int64, ended bool, err error) {
	select {
	case <-t.flight.done:
		ended = true
	default:
	}
	if ended && !t.flight.out.stored {
		return 0, true, errors.Join(errBrokenOff, t.flight.out.err)
	}
	upTo = t.reader.Size()
	if t.end >= 0 {
		upTo = min(upTo, t.end)
	}
	if !ended {
		upTo--
	}
	return upTo, ended, nil
}

// Close implements io.Closer.
func (t *tail) Close() error { return t.reader.Close() }
