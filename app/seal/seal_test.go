package seal

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestRoundTripAndReopen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secret.key")
	s, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if st, err := os.Stat(path); err != nil || st.Mode().Perm() != 0o600 {
		t.Fatalf("key file: %v, %v", st, err)
	}
	again, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"", "xyzzy-1", "pässwörd-€", strings.Repeat("long", 1000)} {
		sealed, err := s.Seal(secret)
		if err != nil {
			t.Fatal(err)
		}
		if secret != "" && strings.Contains(sealed, secret) {
			t.Errorf("%q is readable in %q", secret, sealed)
		}
		if got, err := again.Unseal(sealed); err != nil || got != secret {
			t.Errorf("got %q, %v; want %q", got, err, secret)
		}
	}
}

func TestKeyIsReplaced(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a")
	s, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	old, err := s.Seal("old")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(filepath.Join(dir, "b")); err != nil {
		t.Fatal(err)
	}
	a, _ := os.ReadFile(path)
	b, _ := os.ReadFile(filepath.Join(dir, "b"))
	if err := os.WriteFile(path, append(b, a...), 0o600); err != nil {
		t.Fatal(err)
	}
	if s, err = Open(path); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Unseal(old); err != nil || got != "old" {
		t.Errorf("old secret: %q, %v", got, err)
	}
	fresh, err := s.Seal("new")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, a, 0o600); err != nil {
		t.Fatal(err)
	}
	if s, err = Open(path); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Unseal(fresh); !errors.Is(err, ErrUnknownKey) {
		t.Errorf("without its key: %v", err)
	}
}

func TestDamage(t *testing.T) {
	path := filepath.Join(t.TempDir(), "k")
	s, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := s.Seal("secret")
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"cleartext", "sealed:1:!:", sealed[:len(sealed)-2], sealed[:len(sealed)-4] + "AAAA", strings.Replace(sealed, "sealed:1", "sealed:2", 1)} {
		if got, err := s.Unseal(bad); err == nil || strings.Contains(err.Error(), bad) {
			t.Errorf("%q: got %q, %v", bad, got, err)
		}
	}
	for _, content := range []string{"", "zz", "abcd\n"} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(path); err == nil {
			t.Errorf("key file %q: accepted", content)
		}
	}
}
