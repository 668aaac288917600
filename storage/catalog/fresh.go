package catalog

import (
	"errors"
	"maps"
	"sync"
	"time"
)

// maxRecent bounds the components that a tree remembers.
const maxRecent = 1024

// recents remembers what was last put into components by writes that fill a tree, because the assets of a component follow each other.
type recents struct {
	mu   sync.Mutex
	last map[string]joined
}

// joined is what a write said of a component.
type joined struct {
	kind             string
	attributes       map[string]string
	created, updated time.Time
}

func (o *PutOptions) joined() joined {
	return joined{o.ComponentKind, o.ComponentAttributes, o.ComponentCreated, o.ComponentUpdated}
}

func (j joined) equal(o joined) bool {
	return j.kind == o.kind && j.created.Equal(o.created) && j.updated.Equal(o.updated) && maps.Equal(j.attributes, o.attributes)
}

// recent reports whether the component is there and was told the same before. If it is gone meanwhile, the count of its members is as
// well, on which joining depends.
func (w *write) recent(component string) bool {
	r := &w.t.recents
	r.mu.Lock()
	defer r.mu.Unlock()
	last, ok := r.last[component]
	return ok && last.equal(w.opts.joined())
}

// remember keeps what a write said of its component.
func (w *write) remember() {
	if w.new == nil || w.new.Component == nil {
		return
	}
	sort, _ := coordSort(w.new.Component)
	r := &w.t.recents
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.last == nil || len(r.last) >= maxRecent {
		r.last = make(map[string]joined)
	}
	r.last[sort] = w.opts.joined()
}

// before reads the present record of a path; nil when there is none, or is believed to be none.
func (w *write) before(path string) (*Asset, error) {
	if w.fresh {
		return nil, nil
	}
	read := w.t.loadWhole
	if w.whole {
		read = w.t.load
	}
	old, err := read(w.ctx, path)
	if errors.Is(err, ErrNotFound) {
		return nil, nil
	}
	return old, err
}
