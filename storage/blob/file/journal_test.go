package file

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/zeebo/blake3"

	"entrepot/storage/blob"
	"entrepot/storage/blob/blobtest"
)

// die leaves the driver as a killed process would: the lock is free, and that is all.
func die(t testing.TB, d *Driver) {
	t.Helper()
	d.journal.checks.Wait()
	if err := errors.Join(d.journal.closeFiles(), d.lock.Close()); err != nil {
		t.Fatal(err)
	}
	d.closed = true
}

// removeContent takes all files of blobs away.
func removeContent(t testing.TB, d *Driver) {
	t.Helper()
	if err := os.RemoveAll(filepath.Join(d.dir, contentFolder)); err != nil {
		t.Fatal(err)
	}
}

// putMany commits bodies of up to 3 KB, one after the other.
func putMany(t testing.TB, d *Driver, n int) [][]byte {
	t.Helper()
	var bodies [][]byte
	for i := range n {
		body := blobtest.Body(i*3000/n, uint64(i))
		if err := commit(t, d, body); err != nil {
			t.Fatal(err)
		}
		bodies = append(bodies, body)
	}
	return bodies
}

func TestReplay(t *testing.T) {
	dir := t.TempDir()
	d := openWith(t, dir, nil)
	bodies := putMany(t, d, 30)
	die(t, d)
	removeContent(t, d)
	d = openWith(t, dir, nil)
	wantOnly(t, d, bodies...)
	// Once is enough.
	die(t, d)
	removeContent(t, d)
	wantOnly(t, openWith(t, dir, nil))
}

// Two lives without an orderly end: the second one's bodies lie in the same journal file as the first one's.
func TestReplayTwice(t *testing.T) {
	dir := t.TempDir()
	d := openWith(t, dir, nil)
	first := putMany(t, d, 30)
	die(t, d)
	d = openWith(t, dir, nil)
	second := blobtest.Body(500, 99)
	blobtest.Put(t, d, second)
	die(t, d)
	if err := os.Remove(d.path(blake3.Sum256(second))); err != nil {
		t.Fatal(err)
	}
	wantOnly(t, openWith(t, dir, nil), append(first, second)...)
}

func TestCloseEmptiesTheJournal(t *testing.T) {
	dir := t.TempDir()
	d := openWith(t, dir, &Options{JournalSize: 8 << 10})
	putMany(t, d, 30)
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	removeContent(t, d)
	wantOnly(t, openWith(t, dir, nil))
}

// The journal does not grow: its two files take turns, and at no time do they lack what has not reached its file for good.
func TestJournalFilesTakeTurns(t *testing.T) {
	dir := t.TempDir()
	d := openWith(t, dir, &Options{JournalSize: growStep})
	for i := range 3 * growStep / 10_000 {
		if err := commit(t, d, blobtest.Body(10_000, uint64(i))); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"0", "1"} {
		info, err := os.Stat(filepath.Join(dir, journalFolder, name))
		if err != nil || info.Size() != growStep {
			t.Errorf("journal file %s: %v, %v", name, info, err)
		}
	}
}

// A frame that is not whole was never acknowledged; it ends the journal, and what is before it counts.
func TestDamagedJournal(t *testing.T) {
	const frames = 10
	for name, damage := range map[string]func(f *os.File) error{
		"bit flipped": func(f *os.File) error { _, err := f.WriteAt([]byte{0xa5}, 5*frameAlign+1000); return err },
		"no magic":    func(f *os.File) error { _, err := f.WriteAt(make([]byte, 4), 5*frameAlign); return err },
		"too long": func(f *os.File) error {
			_, err := f.WriteAt([]byte{255, 255, 255, 255}, 5*frameAlign+16)
			return err
		},
		"cut off":         func(f *os.File) error { return f.Truncate(5*frameAlign + 100) },
		"cut in a header": func(f *os.File) error { return f.Truncate(5*frameAlign + 10) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			d := openWith(t, dir, nil)
			var bodies [][]byte
			for i := range frames {
				bodies = append(bodies, blobtest.Body(2000, uint64(i)))
				blobtest.Put(t, d, bodies[i])
			}
			die(t, d)
			removeContent(t, d)
			f, err := os.OpenFile(filepath.Join(dir, journalFolder, "0"), os.O_RDWR, 0)
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(damage(f), f.Close()); err != nil {
				t.Fatal(err)
			}
			wantOnly(t, openWith(t, dir, nil), bodies[:5]...)
		})
	}
}

// Where there is no journal now, an earlier one is still heeded.
func TestJournalSwitchedOff(t *testing.T) {
	dir := t.TempDir()
	d := openWith(t, dir, nil)
	bodies := putMany(t, d, 5)
	die(t, d)
	removeContent(t, d)
	d = openWith(t, dir, &Options{SmallLimit: -1})
	wantOnly(t, d, bodies...)
	body := blobtest.Body(100, 77)
	blobtest.Put(t, d, body)
	wantOnly(t, d, append(bodies, body)...)
}

// On file systems that are not known to be synced as a whole, each restored file is.
func TestRestoreSynced(t *testing.T) {
	disk := new(faultyDisk)
	d := openWith(t, t.TempDir(), &Options{disk: disk})
	var ops []string
	disk.set(func(op, _ string) error {
		ops = append(ops, op)
		return nil
	})
	body := blobtest.Body(100, 1)
	if err := d.restoreSynced(blake3.Sum256(body), body); err != nil {
		t.Fatal(err)
	}
	wantOnly(t, d, body)
	// The move is tried twice, as the folder is missing at first; the folder of folders is synced for the same reason.
	if got, want := fmt.Sprint(ops), "[create write sync rename rename syncFolder syncFolder]"; got != want {
		t.Errorf("did %s, want %s", got, want)
	}
}

// Writers that wait for a sync share the next one.
func TestGroupCommit(t *testing.T) {
	const writers = 10
	disk := new(faultyDisk)
	d := openWith(t, t.TempDir(), &Options{disk: disk})
	var syncs, staged atomic.Int32
	disk.set(func(op, _ string) error {
		switch op {
		case "stage":
			staged.Add(1)
		case "journalSync":
			syncs.Add(1)
		}
		return nil
	})
	d.journal.turn.Lock() // as if a sync were under way
	var wg sync.WaitGroup
	for i := range writers {
		wg.Go(func() {
			if err := commit(t, d, blobtest.Body(100, uint64(i))); err != nil {
				t.Error(err)
			}
		})
	}
	for joined := 0; joined < writers; runtime.Gosched() {
		d.journal.mu.Lock()
		if d.journal.next != nil {
			joined = d.journal.next.count
		}
		d.journal.mu.Unlock()
	}
	d.journal.turn.Unlock()
	wg.Wait()
	if syncs.Load() != 1 || staged.Load() < writers {
		t.Errorf("%d syncs for %d bodies", syncs.Load(), staged.Load())
	}
}

// A call that comes while the action runs is served by a run that begins later.
func TestCoalescer(t *testing.T) {
	var c coalescer
	var runs atomic.Int32
	begun, goOn := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		c.do(func() error {
			runs.Add(1)
			close(begun)
			<-goOn
			return nil
		})
	})
	<-begun
	failed := errors.New("failed")
	for range 5 {
		wg.Go(func() {
			err := c.do(func() error {
				runs.Add(1)
				return failed
			})
			if err != failed {
				t.Errorf("got %v", err)
			}
		})
	}
	close(goOn)
	wg.Wait()
	if n := runs.Load(); n < 2 || n > 6 {
		t.Errorf("%d runs", n)
	}
	if err := c.do(func() error { return nil }); err != nil {
		t.Errorf("an old error came back: %v", err)
	}
}

// FuzzReadSegment reads journal files of any content.
func FuzzReadSegment(f *testing.F) {
	whole := make([]byte, frameHeader)
	for _, body := range [][]byte{nil, []byte("one"), bytes.Repeat([]byte("two"), 100)} {
		h := blake3.Sum256(body)
		whole = append(whole, h[:]...)
		whole = append(whole, byte(len(body)), byte(len(body)>>8), 0, 0)
		whole = append(whole, body...)
	}
	sealFrame(whole, 7)
	f.Add(whole)
	f.Add(append(append(whole, make([]byte, frameAlign-len(whole))...), whole...))
	half := bytes.Clone(whole[:len(whole)-10])
	sealFrame(half, 7)
	f.Add(half)
	f.Fuzz(func(t *testing.T, file []byte) {
		total := 0
		some, err := readSegment(bytes.NewReader(file), func(_ blob.Hash, body []byte) error {
			total += len(body)
			return nil
		})
		if total > len(file) || total > 0 && !some || errors.Is(err, io.EOF) {
			t.Errorf("%d bytes of %d, some %t: %v", total, len(file), some, err)
		}
	})
}
