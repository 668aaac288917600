// Package node keeps what tells one server from another: its id, and whether its terms of use were accepted. Each is a record in the
// partition "settings/node".
package node

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"

	"entrepot/app/audit"
	"entrepot/storage/kv"
)

const partition = "settings/node"

// Options of a Node; the zero value means the documented default.
type Options struct {
	Writable func() error   // refuses changes while the server takes none; default never
	Audit    audit.Recorder // is told about changes; default nobody
	Random   io.Reader      // of the id; default crypto/rand
}

// Node is what is known about this server. Its methods may be called from many goroutines.
type Node struct {
	store *kv.Store
	opts  Options
	id    string
}

// Open reads the records and gives the server an id when it has none.
func Open(ctx context.Context, store *kv.Store, opts Options) (*Node, error) {
	if opts.Writable == nil {
		opts.Writable = func() error { return nil }
	}
	if opts.Random == nil {
		opts.Random = rand.Reader
	}
	n := &Node{store: store, opts: opts}
	if err := n.read(ctx, "id", &n.id); err != nil || n.id != "" {
		return n, err
	}
	var id [20]byte
	if _, err := io.ReadFull(opts.Random, id[:]); err != nil {
		return nil, fmt.Errorf("node: make the server's id: %w", err)
	}
	groups := make([]string, 0, 5)
	for i := 0; i < len(id); i += 4 {
		groups = append(groups, fmt.Sprintf("%x", id[i:i+4]))
	}
	n.id = strings.Join(groups, "-")
	return n, n.write(ctx, "id", n.id)
}

// ID is the id of this server: five groups of eight hexadecimal digits. It stays the same as long as the server runs.
func (n *Node) ID() string { return n.id }

// Adopt gives the server the id of an old one, from its next start on.
func (n *Node) Adopt(ctx context.Context, id string) error {
	if !validID.MatchString(id) {
		return fmt.Errorf("node: %q is no id of a server", id)
	}
	if err := n.opts.Writable(); err != nil {
		return err
	}
	return n.write(ctx, "id", id)
}

var validID = regexp.MustCompile(`^[0-9A-Za-z-]{1,64}$`)

// NextID gives the id that the server has from its next start on; "" when it will make a new one.
func (n *Node) NextID(ctx context.Context) (string, error) {
	var id string
	err := n.read(ctx, "id", &id)
	return id, err
}

// Reset gives the server another id from its next start on.
func (n *Node) Reset(ctx context.Context) error {
	if err := n.opts.Writable(); err != nil {
		return err
	}
	if err := n.store.Apply(ctx, kv.Delete(key("id"))); err != nil {
		return fmt.Errorf("node: remove id: %w", err)
	}
	audit.Record(ctx, n.opts.Audit, audit.Event{Action: "node.reset", Object: "id", Before: n.id})
	return nil
}

// Agreement is what clients are shown that ask for terms of use.
const Agreement = "This server is free software. Its use needs no licence and is bound to no terms beyond those of the licence of its source code."

// AgreementAccepted reports whether somebody accepted the Agreement. Nothing depends on it: it is kept for clients that ask.
func (n *Node) AgreementAccepted(ctx context.Context) (bool, error) {
	var accepted bool
	err := n.read(ctx, "agreement", &accepted)
	return accepted, err
}

// SetAgreement accepts the Agreement or takes that back.
func (n *Node) SetAgreement(ctx context.Context, accepted bool) error {
	if err := n.opts.Writable(); err != nil {
		return err
	}
	if err := n.write(ctx, "agreement", accepted); err != nil {
		return err
	}
	audit.Record(ctx, n.opts.Audit, audit.Event{Action: "agreement.update", Object: "agreement", After: accepted})
	return nil
}

func key(name string) kv.Key { return kv.Key{Partition: partition, Sort: name} }

// read leaves into as it is when there is no record.
func (n *Node) read(ctx context.Context, name string, into any) error {
	e, err := n.store.Get(ctx, key(name))
	if errors.Is(err, kv.ErrNotFound) {
		return nil
	}
	if err == nil {
		err = json.Unmarshal(e.Value, into)
	}
	if err != nil {
		return fmt.Errorf("node: read %s: %w", name, err)
	}
	return nil
}

func (n *Node) write(ctx context.Context, name string, v any) error {
	value, err := json.Marshal(v)
	if err == nil {
		err = n.store.Apply(ctx, kv.Put(key(name), value))
	}
	if err != nil {
		return fmt.Errorf("node: write %s: %w", name, err)
	}
	return nil
}
