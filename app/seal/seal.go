// Package seal keeps secrets unreadable at rest: upstream passwords, mail passwords, signing keys. A secret is sealed with
// XChaCha20-Poly1305 under a random 256-bit key that lies in a file of its own, mode 0600, beside the data and not in the database.
//
// A sealed secret reads "sealed:1:<key id>:<base64>", so that a key can be replaced while old secrets are still readable: the file
// holds one key a line, the first seals, all open. Losing the file loses the secrets and nothing else.
package seal

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/crypto/chacha20poly1305"
)

const prefix = "sealed:1:"

// ErrUnknownKey reports a secret that was sealed with a key that the file does not hold.
var ErrUnknownKey = errors.New("seal: the key of this secret is not in the key file")

// Sealer seals and opens secrets. It may be used from many goroutines.
type Sealer struct {
	first string            // id of the key that seals
	ids   []string          // of all keys, in the order of the file
	keys  map[string][]byte // by id
}

// Open reads the key file, or makes one when there is none.
func Open(path string) (*Sealer, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		if data, err = create(path); err != nil {
			return nil, fmt.Errorf("seal: make key file: %w", err)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	s := &Sealer{keys: make(map[string][]byte)}
	for n, line := range bytes.Fields(data) {
		key, err := hex.DecodeString(string(line))
		if err != nil || len(key) != chacha20poly1305.KeySize {
			return nil, fmt.Errorf("seal: %s: key %d is not %d hex digits", path, n+1, 2*chacha20poly1305.KeySize)
		}
		id := keyID(key)
		s.keys[id] = key
		s.ids = append(s.ids, id)
		if s.first == "" {
			s.first = id
		}
	}
	if s.first == "" {
		return nil, fmt.Errorf("seal: %s holds no key", path)
	}
	return s, nil
}

// Keys gives the ids of all keys, that of the one that seals first. An id tells nothing about its key.
func (s *Sealer) Keys() []string { return slices.Clone(s.ids) }

// create writes a new key durably before anything is sealed with it.
func create(path string) ([]byte, error) {
	key := make([]byte, chacha20poly1305.KeySize)
	rand.Read(key)
	data := []byte(hex.EncodeToString(key) + "\n")
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return nil, errors.Join(err, os.Remove(path))
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	return data, errors.Join(dir.Sync(), dir.Close())
}

func keyID(key []byte) string {
	sum := sha256.Sum256(key)
	return hex.EncodeToString(sum[:4])
}

// Seal makes a secret unreadable. Sealing the same secret twice gives different texts. The empty secret stays empty.
func (s *Sealer) Seal(secret string) (string, error) {
	if secret == "" {
		return "", nil
	}
	aead, err := chacha20poly1305.NewX(s.keys[s.first])
	if err != nil {
		return "", fmt.Errorf("seal: %w", err)
	}
	nonce := make([]byte, aead.NonceSize(), aead.NonceSize()+len(secret)+aead.Overhead())
	rand.Read(nonce)
	return prefix + s.first + ":" + base64.RawStdEncoding.EncodeToString(aead.Seal(nonce, nonce, []byte(secret), nil)), nil
}

// Unseal gives the secret back. Its errors never quote what it was given.
func (s *Sealer) Unseal(sealed string) (string, error) {
	if sealed == "" {
		return "", nil
	}
	id, text, ok := strings.Cut(strings.TrimPrefix(sealed, prefix), ":")
	if !ok || !strings.HasPrefix(sealed, prefix) {
		return "", errors.New("seal: not a sealed secret")
	}
	key, ok := s.keys[id]
	if !ok {
		return "", fmt.Errorf("%w (key %s)", ErrUnknownKey, id)
	}
	aead, err := chacha20poly1305.NewX(key)
	if err != nil {
		return "", fmt.Errorf("seal: %w", err)
	}
	raw, err := base64.RawStdEncoding.DecodeString(text)
	if err != nil || len(raw) < aead.NonceSize() {
		return "", errors.New("seal: damaged secret")
	}
	secret, err := aead.Open(nil, raw[:aead.NonceSize()], raw[aead.NonceSize():], nil)
	if err != nil {
		return "", errors.New("seal: damaged secret")
	}
	return string(secret), nil
}
