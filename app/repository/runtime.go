package repository

import (
	"reflect"
	"sync"
	"sync/atomic"
	"time"

	"entrepot/app/repository/upstream"
)

// runtime is what runs for one repository and survives changes of its definition.
type runtime struct {
	generation atomic.Uint64 // names what the negative cache remembers for this repository
	client     atomic.Pointer[upstream.Client]

	mu      sync.Mutex
	flights map[string]*flight // downloads under way, by path
	making  map[string]chan struct{}
}

// generations numbers what negative caches remember, over all repositories of the process.
type generations struct{ last atomic.Uint64 }

func (g *generations) next() uint64 { return g.last.Add(1) }

func (e *Engine) newRuntime() *runtime {
	run := &runtime{flights: make(map[string]*flight), making: make(map[string]chan struct{})}
	e.forget(run)
	return run
}

// forget makes the negative cache start over for a repository.
func (e *Engine) forget(run *runtime) { run.generation.Store(e.generations.next()) }

func (run *runtime) negativeKey(path string) negativeKey {
	return negativeKey{run.generation.Load(), path}
}

// setClient replaces the client; nil ends it.
func (run *runtime) setClient(c *upstream.Client) {
	if old := run.client.Swap(c); old != nil {
		old.Close()
	}
}

// adapt brings what runs to a changed definition.
func (e *Engine) adapt(r, before *repo) {
	if reflect.DeepEqual(r.def.Upstream, before.def.Upstream) {
		return
	}
	if before.def.Upstream == nil || r.def.Upstream == nil || before.def.Upstream.URL != r.def.Upstream.URL {
		e.forget(r.run)
	}
	r.run.setClient(e.newClient(&r.def))
}

// UpstreamState tells how a cache's upstream stands, and when an automatic block ends. It reports false for a repository that is no
// cache or has no upstream yet.
func (e *Engine) UpstreamState(name string) (upstream.State, time.Time, bool) {
	r := e.state.Load().find(name)
	if r == nil {
		return "", time.Time{}, false
	}
	client := r.run.client.Load()
	if client == nil {
		return "", time.Time{}, false
	}
	state, until := client.State()
	return state, until, true
}

// shareUpstream keeps what the clients that are made from now on share.
func (e *Engine) shareUpstream(o *upstream.Options) {
	shared := upstream.Options{}
	if o != nil {
		shared = *o
	}
	shared.Now = e.now
	e.upstream.Store(&shared)
}

// SetUpstream replaces what the HTTP clients of all caches share, for when the server's own settings of them change. Requests under
// way end as they began; a cache that was left alone for a while is asked again.
func (e *Engine) SetUpstream(o *upstream.Options) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.shareUpstream(o)
	for _, r := range e.state.Load().ordered {
		if r.def.Upstream != nil {
			r.run.setClient(e.newClient(&r.def))
		}
	}
}

// newClient makes the HTTP client of a cache; nil for other kinds, and while the upstream's address is not known.
func (e *Engine) newClient(d *Definition) *upstream.Client {
	u := d.Upstream
	if u == nil || u.URL == "" {
		return nil
	}
	settings := upstream.Settings{URL: u.URL, Blocked: u.Blocked, AutoBlock: u.AutoBlock}
	if c := u.Connection; c != nil {
		settings.Timeout, settings.Retries, settings.UserAgentSuffix = c.Timeout, c.Retries, valueOf(c.UserAgentSuffix)
		settings.CircularRedirects, settings.Cookies, settings.UseTrustStore = c.CircularRedirects, c.Cookies, c.UseTrustStore
	}
	if a := u.Authentication; a != nil {
		settings.Auth = &upstream.Auth{
			Type: upstream.AuthType(a.Type), Username: a.Username, Password: string(a.Password),
			Domain: a.NTLMDomain, Bearer: string(a.Bearer), Preemptive: valueOf(a.Preemptive),
		}
	}
	client, err := upstream.New(settings, e.upstream.Load())
	if err != nil {
		e.log.Error("upstream cannot be asked", "repository", d.Name, "error", err)
		return nil
	}
	return client
}

// valueOf gives what a pointer points to, the zero value for nil.
func valueOf[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}
