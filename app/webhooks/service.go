package webhooks

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"entrepot/app/audit"
	"entrepot/app/repository"
	"entrepot/app/settings"
	"entrepot/storage/catalog"
	"entrepot/storage/kv"
)

// Options of a Service. Capabilities, Repositories, Content and NodeID are required; of the others the zero value means the documented
// default.
type Options struct {
	Capabilities func(ctx context.Context) ([]settings.Capability, error)
	Repositories func() []repository.Definition
	Content      func(repository string) *catalog.Content
	NodeID       func() string
	// KindName gives the word of receivers for a kind of repository; default the kind. AssetID and ComponentID give an id inside the
	// repository and the one under which clients ask for it; default the number.
	KindName    func(kind string) string
	AssetID     func(repository string, number uint64) (own, id string)
	ComponentID func(repository string, number uint64) (own, id string)
	UserAgent   string

	Writable func() error                                                         // nothing is sent while it fails; default never
	Proxy    func(*http.Request) (*url.URL, error)                                // default none
	Dial     func(ctx context.Context, network, address string) (net.Conn, error) // default directly
	Roots    func() *x509.CertPool                                                // default those of the system
	Counted  func(hook, result string)                                            // hears of each attempt: "delivered", "failed", "dead"; default nobody
	Log      *slog.Logger                                                         // default discards
	Now      func() time.Time                                                     // default time.Now
	Backoff  func(failures int) time.Duration                                     // between two attempts; default one second, doubling to five minutes
	Poll     time.Duration                                                        // how often the change feeds are looked at; default one second
}

func (o *Options) fillIn() {
	if o.Writable == nil {
		o.Writable = func() error { return nil }
	}
	if o.Roots == nil {
		o.Roots = func() *x509.CertPool { return nil }
	}
	if o.KindName == nil {
		o.KindName = func(kind string) string { return kind }
	}
	for _, id := range []*func(string, uint64) (string, string){&o.AssetID, &o.ComponentID} {
		if *id == nil {
			*id = func(_ string, number uint64) (string, string) {
				text := strconv.FormatUint(number, 16)
				return text, text
			}
		}
	}
	if o.Counted == nil {
		o.Counted = func(string, string) {}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Backoff == nil {
		o.Backoff = func(failures int) time.Duration { return min(time.Second<<min(failures-1, 10), 5*time.Minute) }
	}
	if o.Poll <= 0 {
		o.Poll = time.Second
	}
}

// Service tells hooks. Its methods may be called from many goroutines.
type Service struct {
	store *kv.Store
	opts  Options

	refreshing sync.Mutex // held while the hooks are read
	mu         sync.Mutex
	hooks      map[string]*hook // by id of the capability
	serving    context.Context  // while Run goes on
	running    sync.WaitGroup
}

// hook is an enabled capability and what is known of its deliveries.
type hook struct {
	settings.Capability
	service *Service
	host    string // of its URL, for logs
	queue   *queue // of a global hook
	wake    chan struct{}
	before  <-chan struct{}         // closed when the one with other settings, whose place this takes, has ended
	done    chan struct{}           // closed when this one has
	stop    context.CancelCauseFunc // ends its deliveries; nil when there are none

	mu    sync.Mutex
	state state
	saved time.Time // when state was kept
}

// tells reports whether a hook wants to hear of events of a name.
func (h *hook) tells(name string) bool {
	for _, n := range strings.Split(h.Properties["names"], ",") {
		if strings.TrimSpace(n) == name {
			return true
		}
	}
	return false
}

func (h *hook) global() bool { return h.Type == settings.TypeGlobalHook }

// Open reads which hooks there are and where they are. Nothing is sent before Run.
func Open(ctx context.Context, store *kv.Store, o Options) (*Service, error) {
	o.fillIn()
	s := &Service{store: store, opts: o, hooks: make(map[string]*hook)}
	return s, s.Refresh(ctx)
}

// Refresh follows a change of capabilities. What happens after a hook was enabled is told to it, nothing from before; what was not
// delivered when it is disabled or removed is dropped.
func (s *Service) Refresh(ctx context.Context) error {
	s.refreshing.Lock()
	defer s.refreshing.Unlock()
	all, err := s.opts.Capabilities(ctx)
	if err != nil {
		return err
	}
	next := make(map[string]*hook)
	for _, c := range all {
		if !c.Enabled || c.Type != settings.TypeGlobalHook && c.Type != settings.TypeRepositoryHook {
			continue
		}
		h := s.present(c.ID)
		if h == nil || !sameHook(h.Capability, c) {
			if h, err = s.open(ctx, c, h); err != nil {
				return err
			}
		}
		next[c.ID] = h
	}
	gone := s.swap(next)
	for _, h := range gone {
		h.ended()
	}
	return s.forgetOthers(ctx, next)
}

// ended waits for the end of deliveries that were stopped, so that nothing is written of them any more.
func (h *hook) ended() {
	if h.stop != nil {
		<-h.done
	}
}

func (s *Service) present(id string) *hook {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.hooks[id]
}

// swap puts hooks in force, and gives those that are none any more.
func (s *Service) swap(next map[string]*hook) (gone []*hook) {
	s.mu.Lock()
	before := s.hooks
	s.hooks = next
	for id, h := range before {
		switch successor := next[id]; {
		case successor == nil:
			gone = append(gone, h)
			if h.stop != nil {
				h.stop(errGone)
			}
		case successor != h && h.stop != nil:
			successor.before = h.done
			h.stop(nil)
		}
	}
	if s.serving != nil {
		for _, h := range next {
			s.start(h)
		}
	}
	s.mu.Unlock()
	return gone
}

func sameHook(a, b settings.Capability) bool {
	return a.Type == b.Type && maps.Equal(a.Properties, b.Properties) && maps.Equal(a.Secrets, b.Secrets)
}

// open reads where a hook is; a new one begins with what happens from now on.
func (s *Service) open(ctx context.Context, c settings.Capability, before *hook) (*hook, error) {
	h := &hook{Capability: c, service: s, wake: make(chan struct{}, 1), done: make(chan struct{})}
	if u, err := url.Parse(c.Properties["url"]); err == nil {
		h.host = u.Host
	}
	known, err := s.readState(ctx, h)
	if err != nil {
		return nil, err
	}
	switch {
	case h.global() && before != nil:
		h.queue = before.queue
	case h.global():
		if h.queue, err = openQueue(ctx, s.store, c.ID); err != nil {
			return nil, err
		}
	}
	if known {
		return h, nil
	}
	if !h.global() {
		for _, d := range h.repositories() {
			if err := s.begin(ctx, h, d.Content); err != nil {
				return nil, err
			}
		}
	}
	return h, s.saveState(ctx, h)
}

// repositories gives the repositories whose content a hook is told of.
func (h *hook) repositories() []repository.Definition {
	all := h.service.opts.Repositories()
	if name := h.Properties["repository"]; name != "*" {
		all = slices.DeleteFunc(all, func(d repository.Definition) bool { return d.Name != name })
	}
	return slices.DeleteFunc(all, func(d repository.Definition) bool { return d.Content == "" })
}

// Told hears of an event of the audit, and of whether the audit is switched on: changes of repositories are told either way. It returns
// when the event is in the queue of each hook that wants it.
func (s *Service) Told(ctx context.Context, e audit.Entry, recorded bool) {
	if e.Action == audit.ActionSignInFailed {
		return
	}
	for _, h := range s.globalHooks() {
		if recorded && h.tells("audit") {
			body, err := s.auditBody(e)
			s.enqueue(ctx, h, event{eventAudit, e.Time, delivery(h.ID, e.ID, eventAudit), body}, err)
		}
		if h.tells("repository") {
			if body, ok, err := s.repositoryBody(e); ok {
				s.enqueue(ctx, h, event{eventRepository, e.Time, delivery(h.ID, e.ID, eventRepository), body}, err)
			}
		}
	}
}

func (s *Service) globalHooks() (all []*hook) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, h := range s.hooks {
		if h.global() {
			all = append(all, h)
		}
	}
	return all
}

func (s *Service) enqueue(ctx context.Context, h *hook, e event, err error) {
	if err == nil {
		err = h.queue.add(context.WithoutCancel(ctx), e)
	}
	if err != nil {
		h.dead(ctx, &e, err)
		return
	}
	select {
	case h.wake <- struct{}{}:
	default:
	}
}

// Run sends until ctx ends.
func (s *Service) Run(ctx context.Context) {
	s.mu.Lock()
	s.serving = ctx
	for _, h := range s.hooks {
		s.start(h)
	}
	s.mu.Unlock()
	<-ctx.Done()
	s.mu.Lock()
	s.serving = nil
	s.mu.Unlock()
	s.running.Wait()
}

// start begins the deliveries of a hook. s.mu is held.
func (s *Service) start(h *hook) {
	if h.stop != nil {
		return
	}
	ctx, stop := context.WithCancelCause(s.serving)
	h.stop = stop
	s.running.Go(func() {
		defer close(h.done)
		defer stop(nil)
		if err := h.run(ctx); err != nil && ctx.Err() == nil {
			s.opts.Log.Error("webhook has stopped", "capability", h.ID, "error", err)
		}
	})
}

// Status tells how the deliveries of a hook go.
type Status struct {
	Delivered   int64     // since the hook was made
	Dead        int64     // events that were given up, since the hook was made
	Failing     string    // why the last attempt failed; "" when it did not
	LastSuccess time.Time // zero when there was none
}

// Status gives the status of the hook of a capability; false when it is no hook, or not enabled.
func (s *Service) Status(id string) (Status, bool) {
	h := s.present(id)
	if h == nil {
		return Status{}, false
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return Status{h.state.Delivered, h.state.Dead, h.state.Failing, h.state.LastSuccess}, true
}

// Describe words the status of the hook of a capability; "" when it is no hook.
func (s *Service) Describe(id string) string {
	st, ok := s.Status(id)
	if !ok {
		return ""
	}
	text := fmt.Sprintf("%d delivered, %d given up", st.Delivered, st.Dead)
	if st.Failing != "" {
		text += "; failing: " + st.Failing
	}
	return text
}

// errGone ends the deliveries of a hook that is none any more.
var errGone = errors.New("the webhook was removed")

// errFull refuses an event for which a queue has no room.
var errFull = errors.New("the queue is full")
