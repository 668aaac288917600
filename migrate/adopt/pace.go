package adopt

import (
	"context"
	"io"
	"sync"
	"time"
)

// pace keeps a copy to a rate. What was not used is not saved up.
type pace struct {
	bytes, blobs int64 // a second; 0 means no limit
	now          func() time.Time

	mu                  sync.Mutex
	nextBlob, nextBytes time.Time // before which nothing may begin
}

func newPace(opts *Options) *pace {
	return &pace{bytes: opts.BytesPerSecond, blobs: opts.BlobsPerSecond, now: opts.Now}
}

// blob waits until one more blob may be begun.
func (p *pace) blob(ctx context.Context) error { return p.wait(ctx, &p.nextBlob, 1, p.blobs) }

// wait waits for its turn and takes n of what comes at a rate.
func (p *pace) wait(ctx context.Context, next *time.Time, n, rate int64) error {
	if rate <= 0 {
		return ctx.Err()
	}
	p.mu.Lock()
	now := p.now()
	begin := *next
	if begin.Before(now) {
		begin = now
	}
	*next = begin.Add(time.Duration(float64(n) / float64(rate) * float64(time.Second)))
	p.mu.Unlock()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(begin.Sub(now)):
		return ctx.Err()
	}
}

// reader reads no faster than the rate allows, and ends with ctx.
func (p *pace) reader(ctx context.Context, r io.Reader) io.Reader {
	return readerFunc(func(b []byte) (int, error) {
		n, err := r.Read(b)
		if waitErr := p.wait(ctx, &p.nextBytes, int64(n), p.bytes); waitErr != nil {
			return n, waitErr
		}
		return n, err
	})
}
