package file_test

import (
	"testing"

	"go.uber.org/goleak"

	"entrepot/storage/blob"
	"entrepot/storage/blob/blobtest"
	"entrepot/storage/blob/file"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t testing.TB, dir string) *file.Driver {
	t.Helper()
	d, err := file.Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

func TestDriver(t *testing.T) {
	blobtest.Run(t, func(t testing.TB) blob.Driver { return open(t, t.TempDir()) })
}
