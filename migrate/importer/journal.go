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
	"iter"
	"strings"

	"entrepot/app/repository"
	"entrepot/storage/kv"
)

// journal remembers what each setting looked like in the source when it was imported. A later run writes only what changed in the
// source since, and leaves alone what was changed here; and what went from the source is removed here while it still is as the import
// left it. Of a setting only keyed digests are kept, because passwords are part of it.
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
	d, err := j.digestOf(s.content, s.secrets...)
	if err != nil {
		return "", fmt.Errorf("journal: %s/%s: %w", s.section, s.name, err)
	}
	return d, nil
}

func (j *journal) digestOf(content any, secrets ...repository.Secret) (string, error) {
	encoded, err := json.Marshal(content)
	if err != nil {
		return "", err
	}
	mac := hmac.New(sha256.New, j.key)
	mac.Write(encoded)
	for _, secret := range secrets { // which encode as ***
		fmt.Fprintf(mac, "\x00%d:%s", len(secret), string(secret))
	}
	return hex.EncodeToString(mac.Sum(nil)), nil
}

// entry is what is remembered of a setting.
type entry struct {
	There string `json:"there"` // digest of what the source said
	Here  string `json:"here"`  // digest of what it was here after it was written
	Made  bool   `json:"made"`  // it was not here before the first import
}

func (j *journal) partition() string { return journalPartition + "/" + j.origin }

func (j *journal) keyOf(section, name string) kv.Key {
	return kv.Key{Partition: j.partition(), Sort: section + "\x00" + name}
}

// find gives what is remembered of a setting; nil when it was never imported.
func (j *journal) find(ctx context.Context, section, name string) (*entry, error) {
	if j.key == nil {
		return nil, nil
	}
	row, err := j.store.Get(ctx, j.keyOf(section, name))
	if errors.Is(err, kv.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	return decodeEntry(row)
}

func decodeEntry(row kv.Entry) (*entry, error) {
	e := &entry{}
	if err := json.Unmarshal(row.Value, e); err != nil {
		return nil, fmt.Errorf("journal: %q: %w", row.Sort, err)
	}
	return e, nil
}

// known is one setting that was imported.
type known struct {
	section, name string
	entry         *entry
}

// all delivers everything that was imported from this old server.
func (j *journal) all(ctx context.Context) iter.Seq2[known, error] {
	return func(yield func(known, error) bool) {
		for row, err := range j.store.Scan(ctx, j.partition(), kv.Range{}) {
			if err != nil {
				yield(known{}, fmt.Errorf("journal: %w", err))
				return
			}
			section, name, _ := strings.Cut(row.Sort, "\x00")
			e, err := decodeEntry(row)
			if !yield(known{section, name, e}, err) || err != nil {
				return
			}
		}
	}
}

// state finds out whether a setting was imported before, and whether it is still the same in the source. It gives what is remembered of
// it, nil when that is nothing.
func (j *journal) state(ctx context.Context, s *setting) (*entry, error) {
	e, err := j.find(ctx, s.section, s.name)
	if err != nil || e == nil {
		return nil, err
	}
	digest, err := j.digest(s)
	s.known, s.same = true, digest == e.There
	return e, err
}

// enter remembers a setting.
func (j *journal) enter(ctx context.Context, section, name string, e *entry) error {
	value, err := json.Marshal(e)
	if err == nil {
		err = j.store.Apply(ctx, kv.Put(j.keyOf(section, name), value))
	}
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	return nil
}

// forget drops a setting that was removed.
func (j *journal) forget(ctx context.Context, section, name string) error {
	if err := j.store.Apply(ctx, kv.Delete(j.keyOf(section, name))); err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	return nil
}

// Reseal stores the journal's key again, sealed with the key that the sealer has now.
func Reseal(ctx context.Context, store *kv.Store, sealer Sealer) error {
	j := &journal{store: store, sealer: sealer}
	if err := j.open(ctx); err != nil || j.key == nil {
		return err
	}
	sealed, err := sealer.Seal(string(j.key))
	if err == nil {
		err = store.Apply(ctx, kv.Put(journalKey, []byte(sealed)))
	}
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	return nil
}
