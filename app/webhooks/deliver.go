package webhooks

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"entrepot/app/repository"
	"entrepot/app/repository/upstream"
	"entrepot/storage/catalog"
	"entrepot/storage/kv"
)

const (
	attemptTimeout = 20 * time.Second
	attemptGrace   = 3 * time.Second // for an attempt that is under way when sending ends
	maxAnswer      = 64 << 10        // bytes of an answer that are read, so that its connection can be used again
	maxAge         = 24 * time.Hour
	maxRefusals    = 5   // attempts at an event that the receiver refuses
	stride         = 100 // changes that are read at once
	keepEvery      = time.Second
)

// refusal is an answer that another attempt is unlikely to change.
type refusal int

func (r refusal) Error() string { return fmt.Sprintf("answered with status %d", int(r)) }

// run delivers until ctx ends.
func (h *hook) run(ctx context.Context) error {
	if h.before != nil {
		select {
		case <-h.before: // its successor goes on
		case <-ctx.Done():
			return nil
		}
		if _, err := h.service.readState(ctx, h); err != nil {
			return err
		}
	}
	s := &sending{hook: h, client: h.service.client()}
	defer func() { s.client.CloseIdleConnections() }()
	for {
		err := s.round(ctx)
		if ctx.Err() != nil {
			return s.keep(context.WithoutCancel(ctx))
		}
		if err != nil {
			h.service.opts.Log.Error("webhook cannot read its events", "capability", h.ID, "error", err)
		}
		select {
		case <-ctx.Done():
			return s.keep(context.WithoutCancel(ctx))
		case <-h.wake:
		case <-time.After(h.service.opts.Poll):
		}
	}
}

// client makes connections as the server's settings say. Redirects are not followed: they would carry the body elsewhere.
func (s *Service) client() *http.Client {
	t := &http.Transport{
		Proxy: s.opts.Proxy, DialContext: s.opts.Dial, TLSClientConfig: &tls.Config{RootCAs: s.opts.Roots()}, TLSHandshakeTimeout: attemptTimeout,
		MaxIdleConnsPerHost: 1, IdleConnTimeout: time.Minute,
	}
	return &http.Client{Transport: t, Timeout: attemptTimeout, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// sending is the work of one hook.
type sending struct {
	*hook
	client   *http.Client
	failures int               // in a row
	moved    map[string]string // positions that are not kept yet, by content id
}

// round delivers what there is.
func (s *sending) round(ctx context.Context) error {
	if s.service.opts.Writable() != nil {
		return nil
	}
	if s.global() {
		return s.drain(ctx)
	}
	for _, d := range s.repositories() {
		if err := s.follow(ctx, d); err != nil {
			return err
		}
	}
	return s.keep(ctx)
}

// drain delivers the queue.
func (s *sending) drain(ctx context.Context) error {
	for {
		e, key, ok, err := s.queue.first(ctx)
		if err != nil || !ok {
			return err
		}
		if err := s.deliver(ctx, &e); err != nil {
			return err
		}
		if err := s.service.saveState(context.WithoutCancel(ctx), s.hook, kv.Delete(key)); err != nil {
			return err
		}
		s.queue.took()
	}
}

// follow delivers what changed in a repository.
func (s *sending) follow(ctx context.Context, d repository.Definition) error {
	tree := s.service.opts.Content(d.Name)
	if tree == nil {
		return nil
	}
	after, ok := s.moved[d.Content]
	if !ok {
		var err error
		if after, err = s.service.position(ctx, s.hook, d.Content); err != nil {
			return err
		}
	}
	for {
		changes, err := some(ctx, tree, after)
		if errors.Is(err, catalog.ErrTrimmed) {
			s.dead(ctx, nil, err)
			changes, err = some(ctx, tree, "")
		}
		if err != nil || len(changes) == 0 {
			return err
		}
		for _, c := range changes {
			events, err := s.service.contentEvents(s.hook, d, c)
			if err != nil {
				return err
			}
			for i := range events {
				if err := s.deliver(ctx, &events[i]); err != nil {
					return err
				}
			}
			after = c.Sequence
			if err := s.passed(ctx, d.Content, after); err != nil {
				return err
			}
		}
	}
}

// some reads the next changes.
func some(ctx context.Context, tree *catalog.Content, after string) (list []catalog.Change, err error) {
	for c, err := range tree.Changes(ctx, after) {
		if err != nil {
			return nil, err
		}
		if list = append(list, c); len(list) == stride {
			break
		}
	}
	return list, nil
}

// passed notes that a change was told, and keeps that now and then.
func (s *sending) passed(ctx context.Context, content, sequence string) error {
	if s.moved == nil {
		s.moved = make(map[string]string)
	}
	s.moved[content] = sequence
	s.mu.Lock()
	late := s.service.opts.Now().Sub(s.saved) >= keepEvery
	s.mu.Unlock()
	if late {
		return s.keep(ctx)
	}
	return nil
}

// keep writes down how far the hook is.
func (s *sending) keep(ctx context.Context) error {
	var ops []kv.Op
	for content, sequence := range s.moved {
		if ops = append(ops, kv.Put(positionKey(s.ID, content), []byte(sequence))); len(ops) == kv.MaxBatch-1 {
			break
		}
	}
	if len(ops) == 0 {
		return nil
	}
	if err := s.service.saveState(ctx, s.hook, ops...); err != nil {
		return err
	}
	for _, op := range ops {
		delete(s.moved, op.Key.Sort[len(s.ID)+1:])
	}
	return s.keep(ctx)
}

// deliver sends an event until it is taken or given up. Its error is that of ctx.
func (s *sending) deliver(ctx context.Context, e *event) error {
	for refusals := 0; ; {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		err := s.attempt(ctx, e)
		if err == nil {
			s.failures = 0
			s.succeeded(e)
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		s.failures++
		s.failed(e, err, s.failures)
		s.client.CloseIdleConnections()
		s.client = s.service.client() // proxies and trusted certificates may be others by now
		var refused refusal
		if errors.As(err, &refused) {
			refusals++
		}
		if refusals >= maxRefusals || s.service.opts.Now().Sub(e.Time) >= maxAge {
			s.dead(ctx, e, err)
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(s.service.opts.Backoff(s.failures)):
		}
		for s.service.opts.Writable() != nil {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(s.service.opts.Poll):
			}
		}
	}
}

// attempt sends an event once. Its error says nothing of the URL.
func (s *sending) attempt(ctx context.Context, e *event) error {
	target, err := url.Parse(s.Properties["url"])
	if err != nil {
		return errors.New("the URL cannot be read")
	}
	ctx, end := lasting(upstream.WithScheme(ctx, target.Scheme))
	defer end()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target.String(), bytes.NewReader(e.Body))
	if err != nil {
		return errors.New("the URL cannot be used")
	}
	req.Header.Set("Content-Type", "application/json; charset=UTF-8")
	req.Header.Set("User-Agent", s.service.opts.UserAgent)
	req.Header.Set("X-Nexus-Webhook-Id", e.Kind)
	req.Header.Set("X-Nexus-Webhook-Delivery", e.Delivery)
	if secret := s.Secrets["secret"]; secret != "" {
		req.Header.Set("X-Nexus-Webhook-Signature", signature(string(secret), e.Body))
	}
	resp, err := s.client.Do(req)
	if err != nil {
		var failed *url.Error
		if errors.As(err, &failed) {
			err = failed.Err
		}
		return err
	}
	defer resp.Body.Close()
	_, _ = io.CopyN(io.Discard, resp.Body, maxAnswer) // only the status counts
	switch code := resp.StatusCode; {
	case code >= 200 && code < 300:
		return nil
	case code >= 400 && code < 500 && code != http.StatusRequestTimeout && code != http.StatusTooManyRequests:
		return refusal(code)
	default:
		return fmt.Errorf("answered with status %d", code)
	}
}

// lasting gives an attempt a context that ends a little later than sending does, so that what is taken is not sent again by the next process.
func lasting(ctx context.Context) (context.Context, func()) {
	attempt, cancel := context.WithTimeout(context.WithoutCancel(ctx), attemptTimeout)
	stop := context.AfterFunc(ctx, func() {
		if errors.Is(context.Cause(ctx), errGone) {
			cancel()
			return
		}
		select {
		case <-attempt.Done():
		case <-time.After(attemptGrace):
			cancel()
		}
	})
	return attempt, func() {
		stop()
		cancel()
	}
}

func (h *hook) succeeded(e *event) {
	h.mu.Lock()
	again := h.state.Failing != ""
	h.state.Delivered++
	h.state.Failing, h.state.LastSuccess = "", h.service.opts.Now().UTC()
	h.mu.Unlock()
	h.service.opts.Counted(h.ID, "delivered")
	if again {
		h.service.opts.Log.Info("webhook is delivered again", "capability", h.ID, "host", h.host)
	}
	h.service.opts.Log.Debug("webhook delivered", "capability", h.ID, "host", h.host, "event", e.Kind, "delivery", e.Delivery)
}

func (h *hook) failed(e *event, err error, failures int) {
	h.mu.Lock()
	h.state.Failing = err.Error()
	h.mu.Unlock()
	h.service.opts.Counted(h.ID, "failed")
	if failures == 1 {
		h.service.opts.Log.Warn("webhook is not delivered, it is tried again", "capability", h.ID, "host", h.host, "event", e.Kind, "delivery", e.Delivery, "error", err)
	}
}

// dead gives an event up; nil stands for those that nobody knows any more.
func (h *hook) dead(ctx context.Context, e *event, err error) {
	h.mu.Lock()
	h.state.Dead++
	h.mu.Unlock()
	h.service.opts.Counted(h.ID, "dead")
	log := h.service.opts.Log.With("capability", h.ID, "host", h.host, "error", err)
	if e != nil {
		log = log.With("event", e.Kind, "delivery", e.Delivery)
	}
	log.ErrorContext(ctx, "webhook event is given up")
	if saveErr := h.service.saveState(context.WithoutCancel(ctx), h); saveErr != nil {
		log.WarnContext(ctx, "given up event is not counted for long", "cause", saveErr)
	}
}
