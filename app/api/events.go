package api

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"entrepot/app/resource"
	"entrepot/formats"
)

// heartbeat is how often a stream that has nothing to tell says that it is still there. It is also how a client that went away is noticed.
const heartbeat = 15 * time.Second

// stream is the body of an answer of server-sent events. It ends when its source does, when the client goes, and when the server stops.
type stream struct {
	*io.PipeReader
	cancel context.CancelFunc
}

// Close ends the source.
func (s *stream) Close() error {
	s.cancel()
	return s.PipeReader.Close()
}

// emitter sends events. Its error means that nobody listens any more.
type emitter func(event string, data any) error

// events answers with what a source tells until it returns or its context ends.
func (c *call) events(source func(ctx context.Context, emit emitter)) *formats.Response {
	ctx, cancel := context.WithCancel(c.Context())
	r, w := io.Pipe()
	emit := func(event string, data any) error {
		text, err := resource.Encode(data)
		if err == nil {
			_, err = fmt.Fprintf(w, "event: %s\ndata: %s\n\n", event, text)
		}
		return err
	}
	var running sync.WaitGroup
	running.Go(func() {
		defer cancel()
		source(ctx, emit)
	})
	ending := c.Ending()
	running.Go(func() {
		defer cancel()
		beat(ctx, ending, w)
	})
	go func() {
		running.Wait()
		_ = w.Close() // which cannot fail
	}()
	return &formats.Response{
		Status: http.StatusOK, Header: http.Header{"Content-Type": {"text/event-stream"}, "X-Accel-Buffering": {"no"}},
		Body: formats.Body{Stream: &stream{r, cancel}, Size: -1},
	}
}

// beat sends comments until the stream is to end; the first one at once, because the head of the answer leaves with it.
func beat(ctx context.Context, ending <-chan struct{}, w io.Writer) {
	ticker := time.NewTicker(heartbeat)
	defer ticker.Stop()
	for {
		if _, err := io.WriteString(w, ": here\n\n"); err != nil {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-ending:
			return
		case <-ticker.C:
		}
	}
}
