package file_test

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"entrepot/storage/blob"
	"entrepot/storage/blob/blobtest"
	"entrepot/storage/blob/file"
)

// crashFolder names the folder in which this program, run again by the test, writes until it is killed.
const crashFolder = "ENTREPOT_BLOB_CRASH_FOLDER"

// TestKilledWhileWriting kills a writing process again and again. Each blob that it acknowledged is there and whole afterwards, and
// nothing else is left.
func TestKilledWhileWriting(t *testing.T) {
	if dir := os.Getenv(crashFolder); dir != "" {
		writeForever(t, dir)
		return
	}
	dir := filepath.Join(t.TempDir(), "store")
	acked := make(map[string]bool)
	for range 8 {
		killOnce(t, dir, acked)
	}
	d := open(t, dir)
	if left, err := os.ReadDir(filepath.Join(dir, "tmp")); err != nil || len(left) > 0 {
		t.Errorf("left in tmp: %v, %v", left, err)
	}
	store := blob.New("test", d, nil)
	for name := range acked {
		h, err := blob.ParseHash(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := store.Verify(t.Context(), h); err != nil {
			t.Error(err)
		}
	}
	for info, err := range store.List(t.Context(), blob.Hash{}) {
		if err != nil {
			t.Fatal(err)
		}
		if _, err := store.Verify(t.Context(), info.Hash); err != nil {
			t.Errorf("not acknowledged, and damaged: %v", err)
		}
	}
	t.Logf("%d acknowledged", len(acked))
}

// killOnce starts a writer, lets it acknowledge some blobs, and kills it.
func killOnce(t *testing.T, dir string, acked map[string]bool) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestKilledWhileWriting$")
	cmd.Env = append(os.Environ(), crashFolder+"="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	kill := 50 + rand.IntN(300)
	lines := bufio.NewScanner(out)
	count := 0
	for ; lines.Scan(); count++ {
		if _, err := blob.ParseHash(lines.Text()); err != nil {
			continue // cut off, or a complaint that follows below
		}
		acked[lines.Text()] = true
		if count == kill {
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := cmd.Wait(); err == nil || count < kill {
		t.Fatalf("the writer ended by itself after %d blobs: %v", count, err)
	}
}

// writeForever stores bodies of all sizes and prints their names once they are safe.
func writeForever(t *testing.T, dir string) {
	d, err := file.Open(dir, &file.Options{JournalSize: 256 << 10})
	if err != nil {
		t.Fatal(err)
	}
	store := blob.New("test", d, nil)
	start := uint64(time.Now().UnixNano())
	var wg sync.WaitGroup
	for writer := range uint64(4) {
		wg.Go(func() {
			for i := uint64(0); ; i++ {
				size := 100 + rand.IntN(3000)
				if i%8 == 0 {
					size = 70_000 + rand.IntN(100_000)
				}
				if err := storeAndPrint(t, store, blobtest.Body(size, start+i<<2+writer)); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

func storeAndPrint(t *testing.T, store *blob.Store, body []byte) error {
	w, err := store.Create(t.Context(), blob.WriteOptions{})
	if err != nil {
		return err
	}
	defer w.Discard()
	if _, err := w.Write(body); err != nil {
		return err
	}
	info, err := w.Commit(t.Context())
	if err != nil {
		return err
	}
	_, err = io.WriteString(os.Stdout, fmt.Sprintln(info.Hash))
	return err
}
