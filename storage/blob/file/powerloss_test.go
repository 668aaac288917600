package file

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/zeebo/blake3"

	"entrepot/storage/blob"
	"entrepot/storage/blob/blobtest"
)

var errPowerOff = errors.New("the power is off")

// lossyDisk is the real disk with a switch for the power. It remembers how to take back what was done and not synced; when the power
// goes, each such thing is taken back or not, by chance and on its own, as by a disk that writes in any order.
type lossyDisk struct {
	osDisk
	root, backup string // the folder of the store, and one beside it

	mu      sync.Mutex
	rng     *rand.Rand
	left    int // operations until the power goes
	effects []*effect
	folders map[string]bool // those below content whose own names are durable
	dirty   map[string]bool // files in tmp with bytes that are not synced
	backups int
}

// effect is something done that a sync of its place makes durable.
type effect struct {
	place string // a folder, or a file for its bytes
	undo  func() error
}

func newLossyDisk(root, backup string, rng *rand.Rand, left int) *lossyDisk {
	d := &lossyDisk{root: root, backup: backup, rng: rng, left: left, folders: make(map[string]bool), dirty: make(map[string]bool)}
	d.foldersAreDurable() // those of an earlier life
	return d
}

func (d *lossyDisk) step() error {
	if d.left <= 0 {
		return errPowerOff
	}
	d.left--
	return nil
}

// do runs one operation, unless the power is off.
func (d *lossyDisk) do(op func() error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.step(); err != nil {
		return err
	}
	return op()
}

func (d *lossyDisk) add(place string, undo func() error) {
	d.effects = append(d.effects, &effect{place, undo})
}

// synced forgets the effects at a place.
func (d *lossyDisk) synced(place string) {
	var rest []*effect
	for _, e := range d.effects {
		if e.place != place {
			rest = append(rest, e)
		}
	}
	d.effects = rest
}

func (d *lossyDisk) foldersAreDurable() {
	entries, _ := os.ReadDir(filepath.Join(d.root, contentFolder))
	for _, entry := range entries {
		d.folders[entry.Name()] = true
	}
}

func (d *lossyDisk) syncAll() {
	d.effects = nil
	clear(d.dirty)
	d.foldersAreDurable()
}

// cut switches the power off and takes back, newest first.
func (d *lossyDisk) cut(t *testing.T) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.left = 0
	for i := len(d.effects) - 1; i >= 0; i-- {
		if d.rng.IntN(2) == 0 {
			continue
		}
		if err := d.effects[i].undo(); err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
	}
	for _, name := range names(t, filepath.Join(d.root, contentFolder)) {
		if !d.folders[name] && d.rng.IntN(2) == 0 {
			os.RemoveAll(filepath.Join(d.root, contentFolder, name))
		}
	}
}

// placed notes that a file is about to take a name. The bytes of the file are not durable when data is set.
func (d *lossyDisk) placed(name string, place func() error, data bool) error {
	d.backups++
	saved := filepath.Join(d.backup, fmt.Sprint(d.backups))
	hadOld := os.Link(name, saved) == nil
	if err := place(); err != nil {
		return err
	}
	placed, err := os.Stat(name)
	if err != nil {
		return err
	}
	if data {
		d.add(name, func() error {
			if now, err := os.Stat(name); err != nil || !os.SameFile(now, placed) {
				return err
			}
			return os.Truncate(name, d.rng.Int64N(placed.Size()+1))
		})
	}
	d.add(filepath.Dir(name), func() error {
		if hadOld {
			return os.Rename(saved, name)
		}
		return os.Remove(name)
	})
	return nil
}

func (d *lossyDisk) create(name string) (f diskFile, err error) {
	err = d.do(func() error {
		real, err := d.osDisk.create(name)
		f = &lossyFile{diskFile: real, disk: d, name: name}
		return err
	})
	return f, err
}

func (d *lossyDisk) stage(folder, tmp string, body []byte) (f stagedFile, err error) {
	err = d.do(func() error {
		real, err := d.osDisk.stage(folder, tmp, body)
		f = &lossyStaged{stagedFile: real, disk: d}
		return err
	})
	return f, err
}

func (d *lossyDisk) rename(from, to string) error {
	return d.do(func() error {
		return d.placed(to, func() error { return d.osDisk.rename(from, to) }, d.dirty[from])
	})
}

func (d *lossyDisk) syncFolder(name string) error {
	return d.do(func() error {
		d.synced(name)
		if name == filepath.Join(d.root, contentFolder) {
			d.foldersAreDurable()
		}
		return nil
	})
}

func (d *lossyDisk) openJournal(name string) (journalFile, int64, error) {
	real, size, err := d.osDisk.openJournal(name)
	return &lossyJournal{journalFile: real, disk: d, name: name}, size, err
}

// lossyFile is a file in tmp.
type lossyFile struct {
	diskFile
	disk *lossyDisk
	name string
}

func (f *lossyFile) Write(p []byte) (n int, err error) {
	err = f.disk.do(func() error {
		f.disk.dirty[f.name] = true
		n, err = f.diskFile.Write(p)
		return err
	})
	return n, err
}

func (f *lossyFile) Sync() error {
	return f.disk.do(func() error {
		delete(f.disk.dirty, f.name)
		return nil
	})
}

type lossyStaged struct {
	stagedFile
	disk *lossyDisk
}

func (f *lossyStaged) publish(name string) error {
	err := f.disk.do(func() error {
		return f.disk.placed(name, func() error { return f.stagedFile.publish(name) }, true)
	})
	if errors.Is(err, errPowerOff) {
		f.drop()
	}
	return err
}

type lossyJournal struct {
	journalFile
	disk *lossyDisk
	name string
}

// WriteAt can be taken back block by block.
func (f *lossyJournal) WriteAt(p []byte, off int64) (n int, err error) {
	err = f.disk.do(func() error {
		old := make([]byte, len(p))
		if _, err := f.journalFile.ReadAt(old, off); err != nil && err != io.EOF {
			return err
		}
		for from := 0; from < len(old); from += frameAlign {
			block := old[from:min(from+frameAlign, len(old))]
			at := off + int64(from)
			f.disk.add(f.name, func() error {
				file, err := os.OpenFile(f.name, os.O_WRONLY, 0)
				if err != nil {
					return err
				}
				_, err = file.WriteAt(block, at)
				return errors.Join(err, file.Close())
			})
		}
		n, err = f.journalFile.WriteAt(p, off)
		return err
	})
	return n, err
}

func (f *lossyJournal) Sync() error {
	return f.disk.do(func() error {
		f.disk.synced(f.name)
		return nil
	})
}

func (f *lossyJournal) SyncAll() error {
	return f.disk.do(func() error {
		f.disk.syncAll()
		return nil
	})
}

// What was acknowledged is there after the power went, however often and whenever, during a start too.
func TestPowerLoss(t *testing.T) {
	const lives = 30
	dir, backup := filepath.Join(t.TempDir(), "store"), t.TempDir()
	rng := rand.New(rand.NewPCG(1, 2))
	acked := make(map[blob.Hash]int)
	if err := openWith(t, dir, nil).Close(); err != nil {
		t.Fatal(err)
	}
	for life := range lives {
		disk := newLossyDisk(dir, backup, rng, 20+rng.IntN(400))
		opts := &Options{disk: disk, JournalSize: 64 << 10, SmallLimit: 8 << 10, Logger: slog.New(slog.DiscardHandler)}
		d, err := Open(dir, opts)
		if err == nil {
			for _, h := range writeUntilPowerOff(t, d, uint64(life)) {
				acked[h] = life
			}
			d.Close()
		} else if !errors.Is(err, errPowerOff) {
			t.Fatal(err)
		}
		disk.cut(t)
		if life%5 == 4 {
			wantAll(t, dir, acked, life)
		}
	}
	if len(acked) < 10*lives {
		t.Errorf("only %d writes were acknowledged", len(acked))
	}
}

// writeUntilPowerOff commits bodies of all sizes from several goroutines and gives those that were acknowledged.
func writeUntilPowerOff(t *testing.T, d *Driver, life uint64) []blob.Hash {
	var mu sync.Mutex
	var acked []blob.Hash
	var wg sync.WaitGroup
	for writer := range uint64(4) {
		wg.Go(func() {
			for i := uint64(0); ; i++ {
				size := 20 + int(i%7)*900
				if i%5 == 4 {
					size = 9 << 10
				}
				// Every other body is one that the writers share.
				seed := life<<32 | i<<8
				if i%2 == 0 {
					seed |= writer
				}
				bodies := [][]byte{blobtest.Body(size, seed)}
				if writer == 3 { // in groups
					bodies = append(bodies, blobtest.Body(size/2, seed), blobtest.Body(10<<10, seed), blobtest.Body(size, seed))
				}
				if err := commit(t, d, bodies...); err != nil {
					if !errors.Is(err, errPowerOff) {
						t.Error(err)
					}
					return
				}
				mu.Lock()
				for _, body := range bodies {
					acked = append(acked, blake3.Sum256(body))
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return acked
}

func wantAll(t *testing.T, dir string, acked map[blob.Hash]int, life int) {
	t.Helper()
	d, err := Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	store := blob.New("test", d, nil)
	for h, in := range acked {
		if _, err := store.Verify(t.Context(), h); err != nil {
			t.Fatalf("after life %d, blob of life %d: %v", life, in, err)
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
	if left := names(t, filepath.Join(dir, tmpFolder)); len(left) > 0 {
		t.Errorf("left in tmp: %v", left)
	}
}
