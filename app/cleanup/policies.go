package cleanup

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"entrepot/storage/kv"
)

const partition = "cleanup/policies" // sorted by lower-case name

func key(name string) kv.Key { return kv.Key{Partition: partition, Sort: strings.ToLower(name)} }

// Policies are the policies of the server, held in memory. Methods may be called from many goroutines; changes are the Service's.
type Policies struct {
	store *kv.Store

	mu     sync.RWMutex
	byName map[string]stored // by lower-case name
}

type stored struct {
	Policy
	version uint64
}

// Open reads the policies.
func Open(ctx context.Context, store *kv.Store) (*Policies, error) {
	p := &Policies{store: store, byName: make(map[string]stored)}
	for e, err := range store.Scan(ctx, partition, kv.Range{}) {
		if err != nil {
			return nil, fmt.Errorf("cleanup: read policies: %w", err)
		}
		s := stored{version: e.Version}
		if err := json.Unmarshal(e.Value, &s.Policy); err != nil {
			return nil, fmt.Errorf("cleanup: read policy %s: %w", e.Sort, err)
		}
		p.byName[e.Sort] = s
	}
	return p, nil
}

// List gives all policies by name.
func (p *Policies) List() []Policy {
	p.mu.RLock()
	defer p.mu.RUnlock()
	all := make([]Policy, 0, len(p.byName))
	for s := range maps.Values(p.byName) {
		all = append(all, s.Policy)
	}
	slices.SortFunc(all, func(a, b Policy) int { return cmp.Compare(a.Name, b.Name) })
	return all
}

// Get gives the policy of a name; false when there is none.
func (p *Policies) Get(name string) (Policy, bool) {
	s := p.find(name)
	return s.Policy, s.version != 0 && s.Name == name
}

// Format gives the format of a policy, for repository.Options.CleanupFormat.
func (p *Policies) Format(name string) (format string, known bool) {
	policy, known := p.Get(name)
	return policy.Format, known
}

// find looks a policy up ignoring case; its version is 0 when there is none.
func (p *Policies) find(name string) stored {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.byName[strings.ToLower(name)]
}

// Row tells which state of a policy's record is in force; version 0 when there is no such policy.
func (p *Policies) Row(name string) kv.Row {
	return kv.Row{Key: key(name), Version: p.find(name).version}
}

// put stores a policy in the place of before.
func (p *Policies) put(ctx context.Context, policy Policy, before stored) error {
	value, err := json.Marshal(policy)
	if err != nil {
		return fmt.Errorf("cleanup: encode %s: %w", policy.Name, err)
	}
	at := key(policy.Name)
	op := kv.PutNew(at, value)
	if before.version != 0 {
		op = kv.PutIf(at, value, before.version)
	}
	if err := p.store.Apply(ctx, op); err != nil {
		return fmt.Errorf("cleanup: write %s: %w", policy.Name, err)
	}
	e, err := p.store.Get(ctx, at)
	if err != nil {
		return fmt.Errorf("cleanup: read back %s: %w", policy.Name, err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.byName[at.Sort] = stored{policy, e.Version}
	return nil
}

func (p *Policies) remove(ctx context.Context, s stored) error {
	if err := p.store.Apply(ctx, kv.DeleteIf(key(s.Name), s.version)); err != nil {
		return fmt.Errorf("cleanup: delete %s: %w", s.Name, err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.byName, strings.ToLower(s.Name))
	return nil
}
