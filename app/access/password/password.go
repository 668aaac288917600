// Package password hashes passwords and verifies hashes, its own and those that older servers kept.
//
// New hashes are Argon2id in PHC form. Verified are also Apache Shiro's first format ($shiro1$), PBKDF2 in the PHC-like form of
// newer Nexus releases, and unsalted SHA-1 and MD5 in hexadecimal from before; a caller replaces these after a good login.
//
// Invariants: at most a fixed number of computations run at once, so that a flood of logins cannot take more memory than that
// number times the cost of one; hashes are compared in constant time; parameters read from a stored hash are bounded.
//
//	h := password.New(nil)
//	stored, err := h.Hash(ctx, "secret")
//	result, err := h.Verify(ctx, stored, "secret") // result.OK
package password

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"

	"golang.org/x/crypto/argon2"
)

// ErrUnknownFormat reports a stored hash that no verifier understands.
var ErrUnknownFormat = errors.New("password: hash of unknown format")

// Cost is what one Argon2id computation takes.
type Cost struct {
	Memory  uint32 // KiB
	Passes  uint32
	Threads uint8
}

// Options of a Hasher; nil and zero members mean the defaults.
type Options struct {
	// Cost of new hashes. Default: 7 MiB, 5 passes, 1 thread, which resists guessing like 19 MiB and 2 passes but keeps an idle
	// server small.
	Cost Cost
	// Concurrency is how many computations may run at once. Default: the number of processors.
	Concurrency int
	// Random is the source of salts. Default: crypto/rand.
	Random io.Reader
}

const (
	saltSize = 16
	keySize  = 32
)

// Hasher makes and verifies hashes. It is safe for many goroutines.
type Hasher struct {
	cost   Cost
	slots  chan struct{}
	random io.Reader
	dummy  argonHash // takes as long as a real one, for users that do not exist
}

// Result is the outcome of a verification.
type Result struct {
	OK       bool
	Outdated bool // the hash should be replaced by a new one; only set with OK
}

// New makes a hasher.
func New(opts *Options) *Hasher {
	if opts == nil {
		opts = &Options{}
	}
	h := &Hasher{cost: opts.Cost, random: opts.Random}
	if h.cost == (Cost{}) {
		h.cost = Cost{Memory: 7 << 10, Passes: 5, Threads: 1}
	}
	if h.random == nil {
		h.random = rand.Reader
	}
	n := opts.Concurrency
	if n <= 0 {
		n = runtime.GOMAXPROCS(0)
	}
	h.slots = make(chan struct{}, n)
	h.dummy = argonHash{cost: h.cost, salt: make([]byte, saltSize), key: make([]byte, keySize)}
	return h
}

// acquire waits for a free slot.
func (h *Hasher) acquire(ctx context.Context) error {
	select {
	case h.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("password: wait for a free slot: %w", ctx.Err())
	}
}

func (h *Hasher) release() { <-h.slots }

// Hash makes the stored form of a new password.
func (h *Hasher) Hash(ctx context.Context, password string) (string, error) {
	a := argonHash{cost: h.cost, salt: make([]byte, saltSize)}
	if _, err := io.ReadFull(h.random, a.salt); err != nil {
		return "", fmt.Errorf("password: make a salt: %w", err)
	}
	if err := h.acquire(ctx); err != nil {
		return "", err
	}
	defer h.release()
	a.key = a.compute(password, keySize)
	return a.String(), nil
}

// Verify compares a password with a stored hash. A hash that cannot be read is ErrUnknownFormat; it takes the time of a real one.
func (h *Hasher) Verify(ctx context.Context, stored, password string) (Result, error) {
	v, err := parse(stored)
	if err != nil {
		return Result{}, errors.Join(err, h.Burn(ctx, password))
	}
	if err := h.acquire(ctx); err != nil {
		return Result{}, err
	}
	ok := v.verify(password)
	h.release()
	a, current := v.(argonHash)
	current = current && a.cost == h.cost
	if !ok && !current {
		// A cheap old hash must not tell by its speed that the user exists.
		return Result{}, h.Burn(ctx, password)
	}
	return Result{OK: ok, Outdated: ok && !current}, nil
}

// Burn takes the time of a verification that fails, for a user that does not exist.
func (h *Hasher) Burn(ctx context.Context, password string) error {
	if err := h.acquire(ctx); err != nil {
		return err
	}
	defer h.release()
	h.dummy.verify(password)
	return nil
}

// verifier is a stored hash.
type verifier interface {
	verify(password string) bool
}

// Known reports whether a stored hash is one that Verify understands.
func Known(stored string) bool {
	_, err := parse(stored)
	return err == nil
}

// parse recognises a stored hash.
func parse(stored string) (verifier, error) {
	switch {
	case strings.HasPrefix(stored, "$argon2id$"):
		return parseArgon(stored)
	case strings.HasPrefix(stored, "$shiro1$"):
		return parseShiro(stored)
	case strings.HasPrefix(stored, "$PBKDF2WithHmac"):
		return parsePBKDF2(stored)
	}
	return parseHex(stored)
}

// Bounds of what a stored hash may demand.
const (
	maxMemory     = 256 << 10 // KiB
	maxPasses     = 32
	maxThreads    = 16
	maxIterations = 10_000_000
	maxKey        = 128 // bytes
)

// argonHash is an Argon2id hash.
type argonHash struct {
	cost Cost
	salt []byte
	key  []byte
}

func parseArgon(stored string) (verifier, error) {
	var a argonHash
	fields := strings.Split(stored, "$")
	if len(fields) != 6 || fields[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return nil, ErrUnknownFormat
	}
	n, err := fmt.Sscanf(fields[3]+" ", "m=%d,t=%d,p=%d ", &a.cost.Memory, &a.cost.Passes, &a.cost.Threads)
	if err != nil || n != 3 || a.cost.Passes == 0 || a.cost.Threads == 0 ||
		a.cost.Memory > maxMemory || a.cost.Passes > maxPasses || a.cost.Threads > maxThreads {
		return nil, ErrUnknownFormat
	}
	if a.salt, err = base64.RawStdEncoding.DecodeString(fields[4]); err != nil {
		return nil, ErrUnknownFormat
	}
	if a.key, err = base64.RawStdEncoding.DecodeString(fields[5]); err != nil || len(a.key) < 16 || len(a.key) > maxKey {
		return nil, ErrUnknownFormat
	}
	return a, nil
}

func (a argonHash) compute(password string, size int) []byte {
	return argon2.IDKey([]byte(password), a.salt, a.cost.Passes, a.cost.Memory, a.cost.Threads, uint32(size))
}

func (a argonHash) verify(password string) bool {
	return subtle.ConstantTimeCompare(a.compute(password, len(a.key)), a.key) == 1
}

// String gives the PHC form.
func (a argonHash) String() string {
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, a.cost.Memory, a.cost.Passes, a.cost.Threads,
		base64.RawStdEncoding.EncodeToString(a.salt), base64.RawStdEncoding.EncodeToString(a.key))
}
