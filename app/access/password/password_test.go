package password

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
)

func quick() *Hasher { return New(&Options{Cost: Cost{Memory: 64, Passes: 1, Threads: 1}}) }

// Known answers: hashes that real servers wrote.
func TestVerifyLegacy(t *testing.T) {
	tests := []struct{ name, stored, password string }{
		{"shiro", "$shiro1$SHA-512$1024$zjU1u+Zg9UNwuB+HEawvtA==$IzF/OWzJxrqvB5FCe/2+UcZhhZYM2pTu0TEz7Ybnk65AbbEdUk9ntdtBzkN8P3gZby2qz6MHKqAe8Cjai9c4Gg==", "admin123"},
		{"shiro", "$shiro1$SHA-512$1024$NE+wqQq/TmjZMvfI7ENh/g==$V4yPw8T64UQ6GfJfxYq2hLsVrBY8D1v+bktfOxGdt4b/9BthpWPNUy/CBk6V9iA0nHpzYzJFWO8v/tZFtES8CA==", "admin123"},
		{"shiro", "$shiro1$SHA-512$1024$CPJm1XWdYNg5eCAYp4L4HA==$HIGwnJhC07ZpgeVblZcFRD1F6KH+xPG8t7mIcEMbfycC+n5Ljudyoj9dzdinrLmChTrmKMCw2/z29F7HeLbTbQ==", "anonymous"},
		{"shiro, not ASCII", "$shiro1$SHA-512$1024$8oS0hKY5XVXmhilCtTiL0A==$yACZ4sMmnaaQe92qs1Kh9911TovOAsnG4UNlAsETyLaAvgQ9lEBFztjhVptFdQegbXKccmYR7sgv8H5R+KKttg==", "pässwörd-€-😀"},
		{"pbkdf2", "$PBKDF2WithHmacSHA256$key_iteration=10000,key_len=256$AAECAwQFBgcICQoLDA0ODw==$QYruImrEIfbgvKJd1TVFPj1jqr/M4wSkf2ltGPGot88=", "admin123"},
		{"sha1", "f865b53623b121fd34ee5426c792e5c33af8c227", "admin123"},
		{"sha1", "F865B53623B121FD34EE5426C792E5C33AF8C227", "admin123"},
		{"md5", "0192023a7bbd73250516f069df18b500", "admin123"},
	}
	h := quick()
	for _, tt := range tests {
		got, err := h.Verify(t.Context(), tt.stored, tt.password)
		if err != nil || got != (Result{OK: true, Outdated: true}) {
			t.Errorf("%s: %+v, %v", tt.name, got, err)
		}
		got, err = h.Verify(t.Context(), tt.stored, tt.password+" ")
		if err != nil || got != (Result{}) {
			t.Errorf("%s, wrong password: %+v, %v", tt.name, got, err)
		}
	}
}

func TestHash(t *testing.T) {
	h := quick()
	for _, pw := range []string{"secret", "", strings.Repeat("x", 5000), "pä\x00ß"} {
		stored, err := h.Hash(t.Context(), pw)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(stored, "$argon2id$v=19$m=64,t=1,p=1$") {
			t.Errorf("stored %q", stored)
		}
		if got, err := h.Verify(t.Context(), stored, pw); err != nil || got != (Result{OK: true}) {
			t.Errorf("right password: %+v, %v", got, err)
		}
		if got, err := h.Verify(t.Context(), stored, pw+"x"); err != nil || got != (Result{}) {
			t.Errorf("wrong password: %+v, %v", got, err)
		}
		other := New(&Options{Cost: Cost{Memory: 128, Passes: 1, Threads: 1}})
		if got, err := other.Verify(t.Context(), stored, pw); err != nil || got != (Result{OK: true, Outdated: true}) {
			t.Errorf("other cost: %+v, %v", got, err)
		}
	}
	a, _ := h.Hash(t.Context(), "x")
	b, _ := h.Hash(t.Context(), "x")
	if a == b {
		t.Error("equal passwords have equal hashes")
	}
}

func TestUnknownFormat(t *testing.T) {
	h := quick()
	for _, stored := range []string{
		"", "x", "secret", "$argon2id$v=19$m=64,t=1,p=1$AAAA", "$argon2id$v=18$m=64,t=1,p=1$AAAA$AAAAAAAAAAAAAAAAAAAAAA",
		"$argon2id$v=19$m=99999999,t=1,p=1$AAAA$AAAAAAAAAAAAAAAAAAAAAA", "$argon2id$v=19$m=64,t=0,p=1$AAAA$AAAAAAAAAAAAAAAAAAAAAA",
		"$argon2id$v=19$m=64,t=1,p=1$AAAA$", "$shiro1$SHA-512$1024$AA==$AA==", "$shiro1$SHA-3$1024$AA==$AA==", "$shiro1$MD5$0$$", "$shiro1$",
		"$shiro1$SHA-512$99999999999$AA==$AA==", "$PBKDF2WithHmacSHA256$key_iteration=1,key_len=8$AA==$AA==", "$PBKDF2WithHmacFoo$$$",
		"$shiro2$argon2id$v=19$", "0192023a7bbd73250516f069df18b5", "zz92023a7bbd73250516f069df18b500",
	} {
		if got, err := h.Verify(t.Context(), stored, ""); !errors.Is(err, ErrUnknownFormat) || got.OK {
			t.Errorf("Verify(%q) = %+v, %v", stored, got, err)
		}
	}
}

// No more than the allowed number of computations run at once, and waiting ends with the context.
func TestConcurrency(t *testing.T) {
	h := New(&Options{Cost: Cost{Memory: 64, Passes: 1, Threads: 1}, Concurrency: 2})
	if err := h.acquire(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := h.acquire(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := h.Hash(ctx, "x"); !errors.Is(err, context.Canceled) {
		t.Errorf("Hash: %v", err)
	}
	if err := h.Burn(ctx, "x"); !errors.Is(err, context.Canceled) {
		t.Errorf("Burn: %v", err)
	}
	h.release()
	h.release()
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if err := h.Burn(t.Context(), "x"); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

func FuzzVerify(f *testing.F) {
	f.Add("$argon2id$v=19$m=64,t=1,p=1$AAAA$AAAAAAAAAAAAAAAAAAAAAA", "x")
	f.Add("$shiro1$MD5$2$AA==$AAAAAAAAAAAAAAAAAAAAAA==", "x")
	f.Add("$PBKDF2WithHmacSHA1$key_iteration=1,key_len=128$AA==$AAAAAAAAAAAAAAAAAAAAAA==", "x")
	f.Fuzz(func(t *testing.T, stored, pw string) {
		v, err := parse(stored)
		if err != nil {
			return
		}
		switch v := v.(type) { // keep one round cheap
		case argonHash:
			if v.cost.Memory > 256 || v.cost.Passes > 3 {
				return
			}
		case shiroHash:
			if v.iterations > 1000 {
				return
			}
		case pbkdf2Hash:
			if v.iterations > 1000 {
				return
			}
		}
		v.verify(pw)
	})
}

func BenchmarkVerify(b *testing.B) {
	h := New(nil)
	stored, err := h.Hash(b.Context(), "secret")
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if r, err := h.Verify(b.Context(), stored, "secret"); err != nil || !r.OK {
			b.Fatal(r, err)
		}
	}
}
