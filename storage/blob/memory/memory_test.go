package memory_test

import (
	"errors"
	"testing"

	"entrepot/storage/blob"
	"entrepot/storage/blob/blobtest"
	"entrepot/storage/blob/memory"
)

func TestDriver(t *testing.T) {
	blobtest.Run(t, func(testing.TB) blob.Driver { return memory.New(nil) })
}

// What does not fit is refused, and what is dropped gives its room back.
func TestLimit(t *testing.T) {
	d := memory.New(&memory.Options{Limit: 100})
	h := blobtest.Put(t, d, make([]byte, 60))
	for range 3 {
		spool, err := d.Create(t.Context(), 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := spool.Write(make([]byte, 40)); err != nil {
			t.Fatal(err)
		}
		if _, err := spool.Write(make([]byte, 1)); !errors.Is(err, blob.ErrNoSpace) {
			t.Errorf("one too many: %v", err)
		}
		if err := spool.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.Delete(t.Context(), h); err != nil {
		t.Fatal(err)
	}
	blobtest.Put(t, d, make([]byte, 100))
}
