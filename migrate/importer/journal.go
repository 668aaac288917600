package importer

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"

	"entrepot/storage/kv"
)

// journal remembers what each setting looked like in the source when it was imported. A later run writes only what changed in the
// source since, and leaves alone what was changed here. Of a setting only a keyed digest is kept, because passwords are part of it.
type journal struct {
	store  *kv.Store
	sealer Sealer
	origin string // keeps old servers apart
	key    []byte // nil before the first run
}

// Sealer keeps secrets unreadable at rest. *seal.Sealer is one.
type Sealer interface {
	Seal(secret string) (string, error)
	Unseal(sealed string) (string, error)
}

const journalPartition = "import/journal"

var journalKey = kv.Key{Partition: journalPartition, Sort: "key"}

// open reads the key. It writes nothing.
func (j *journal) open(ctx context.Context) error {
	e, err := j.store.Get(ctx, journalKey)
	if errors.Is(err, kv.ErrNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	text, err := j.sealer.Unseal(string(e.Value))
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	j.key = []byte(text)
	return nil
}

// begin makes a key before the first entry.
func (j *journal) begin(ctx context.Context) error {
	if j.key != nil {
		return nil
	}
	text := rand.Text()
	sealed, err := j.sealer.Seal(text)
	if err == nil {
		err = j.store.Apply(ctx, kv.PutNew(journalKey, []byte(sealed)))
	}
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	j.key = []byte(text)
	return nil
}

// digest tells one content of a setting from another.
func (j *journal) digest(s *setting) (string, error) {
	encoded, err := json.Marshal(s.content)
	if err != nil {
		return "", fmt.Errorf("journal: %s/%s: %w", s.section, s.name, err)
	}
	mac := hmac.New(sha256.New, j.key)
	mac.Write(encoded)
	for _, secret := range s.secrets { // which encode as ***
		fmt.Fprintf(mac, "\x00%d:%s", len(secret), string(secret))
	}
	return hex.EncodeToString(mac.Sum(nil)), nil
}

func (j *journal) entry(s *setting) kv.Key {
	return kv.Key{Partition: journalPartition + "/" + j.origin + "/" + s.section, Sort: s.name}
}

// state tells whether a setting was imported before, and whether it is still the same in the source.
func (j *journal) state(ctx context.Context, s *setting) (known, same bool, err error) {
	if j.key == nil {
		return false, false, nil
	}
	e, err := j.store.Get(ctx, j.entry(s))
	if errors.Is(err, kv.ErrNotFound) {
		return false, false, nil
	}
	if err != nil {
		return false, false, fmt.Errorf("journal: %w", err)
	}
	digest, err := j.digest(s)
	return true, digest == string(e.Value), err
}

// enter remembers a setting that was imported.
func (j *journal) enter(ctx context.Context, s *setting) error {
	digest, err := j.digest(s)
	if err == nil {
		err = j.store.Apply(ctx, kv.Put(j.entry(s), []byte(digest)))
	}
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	return nil
}
