package file

import (
	"bytes"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/zeebo/blake3"

	"entrepot/storage/blob"
	"entrepot/storage/blob/blobtest"
)

// faultyDisk is the real disk until fail says otherwise. The operations are named by their methods.
type faultyDisk struct {
	osDisk
	mu   sync.Mutex
	fail func(op, name string) error
}

func (d *faultyDisk) set(fail func(op, name string) error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fail = fail
}

func (d *faultyDisk) check(op, name string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.fail == nil {
		return nil
	}
	if err := d.fail(op, name); err != nil {
		return &fs.PathError{Op: op, Path: name, Err: err}
	}
	return nil
}

func (d *faultyDisk) create(name string) (diskFile, error) {
	if err := d.check("create", name); err != nil {
		return nil, err
	}
	f, err := d.osDisk.create(name)
	if err != nil {
		return nil, err
	}
	return &faultyFile{diskFile: f, disk: d, name: name}, nil
}

func (d *faultyDisk) stage(folder, tmp string, body []byte) (stagedFile, error) {
	if err := d.check("stage", tmp); err != nil {
		return nil, err
	}
	f, err := d.osDisk.stage(folder, tmp, body)
	if err != nil {
		return nil, err
	}
	return &faultyStaged{stagedFile: f, disk: d}, nil
}

func (d *faultyDisk) rename(from, to string) error {
	if err := d.check("rename", to); err != nil {
		return err
	}
	return d.osDisk.rename(from, to)
}

func (d *faultyDisk) syncFolder(name string) error {
	if err := d.check("syncFolder", name); err != nil {
		return err
	}
	return d.osDisk.syncFolder(name)
}

func (d *faultyDisk) openJournal(name string) (journalFile, int64, error) {
	f, size, err := d.osDisk.openJournal(name)
	if err != nil {
		return nil, 0, err
	}
	return &faultyJournal{journalFile: f, disk: d, name: name}, size, nil
}

type faultyFile struct {
	diskFile
	disk *faultyDisk
	name string
}

// Write fails half way.
func (f *faultyFile) Write(p []byte) (int, error) {
	if err := f.disk.check("write", f.name); err != nil {
		n, _ := f.diskFile.Write(p[:len(p)/2])
		return n, err
	}
	return f.diskFile.Write(p)
}

func (f *faultyFile) Sync() error {
	if err := f.disk.check("sync", f.name); err != nil {
		return err
	}
	return f.diskFile.Sync()
}

type faultyStaged struct {
	stagedFile
	disk *faultyDisk
}

func (f *faultyStaged) publish(name string) error {
	if err := f.disk.check("publish", name); err != nil {
		return errors.Join(err, f.drop())
	}
	return f.stagedFile.publish(name)
}

type faultyJournal struct {
	journalFile
	disk *faultyDisk
	name string
}

// WriteAt fails half way.
func (f *faultyJournal) WriteAt(p []byte, off int64) (int, error) {
	if err := f.disk.check("journalWrite", f.name); err != nil {
		n, _ := f.journalFile.WriteAt(p[:len(p)/2], off)
		return n, err
	}
	return f.journalFile.WriteAt(p, off)
}

func (f *faultyJournal) Sync() error {
	if err := f.disk.check("journalSync", f.name); err != nil {
		return err
	}
	return f.journalFile.Sync()
}

func (f *faultyJournal) SyncAll() error {
	if err := f.disk.check("syncAll", f.name); err != nil {
		return err
	}
	return f.journalFile.SyncAll()
}

func openWith(t testing.TB, dir string, opts *Options) *Driver {
	t.Helper()
	d, err := Open(dir, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

// commit stores bodies through a Store, as the rest of the program does: several as a group.
func commit(t testing.TB, d *Driver, bodies ...[]byte) error {
	t.Helper()
	store := blob.New("test", d, nil)
	var writers []*blob.Writer
	for _, body := range bodies {
		w, err := store.Create(t.Context(), blob.WriteOptions{})
		if err != nil {
			return err
		}
		defer w.Discard()
		if _, err := w.Write(body); err != nil {
			return err
		}
		writers = append(writers, w)
	}
	if len(writers) > 1 {
		return store.CommitAll(t.Context(), writers)
	}
	_, err := writers[0].Commit(t.Context())
	return err
}

func names(t testing.TB, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, entry := range entries {
		all = append(all, entry.Name())
	}
	return all
}

// wantOnly checks that the store holds exactly these bodies, whole, and nothing in tmp.
func wantOnly(t testing.TB, d *Driver, bodies ...[]byte) {
	t.Helper()
	store := blob.New("test", d, nil)
	wanted := make(map[blob.Hash]bool)
	for _, body := range bodies {
		wanted[blake3.Sum256(body)] = true
	}
	for info, err := range store.List(t.Context(), blob.Hash{}) {
		if err != nil {
			t.Fatal(err)
		}
		if !wanted[info.Hash] {
			t.Errorf("stored: %s of %d bytes", info.Hash, info.Size)
		}
		if _, err := store.Verify(t.Context(), info.Hash); err != nil {
			t.Error(err)
		}
		delete(wanted, info.Hash)
	}
	for h := range wanted {
		t.Errorf("lost: %s", h)
	}
	if left := names(t, filepath.Join(d.dir, tmpFolder)); len(left) > 0 {
		t.Errorf("left in tmp: %v", left)
	}
}

// A write that fails at any step says why, leaves nothing behind, and spoils nothing that follows.
func TestFailedWriteLeavesNothing(t *testing.T) {
	small, large := blobtest.Body(1000, 1), blobtest.Body(300<<10, 1)
	for _, c := range []struct {
		op   string
		body []byte
	}{
		{"stage", small}, {"journalWrite", small}, {"journalSync", small}, {"publish", small},
		{"create", large}, {"write", large}, {"sync", large}, {"rename", large},
	} {
		for cause, want := range map[error]error{
			syscall.ENOSPC: blob.ErrNoSpace, syscall.EDQUOT: blob.ErrNoSpace,
			syscall.EROFS: blob.ErrReadOnly, syscall.EACCES: blob.ErrReadOnly, syscall.EIO: syscall.EIO,
		} {
			t.Run(c.op+"/"+cause.Error(), func(t *testing.T) {
				disk := new(faultyDisk)
				d := openWith(t, t.TempDir(), &Options{disk: disk})
				before := blobtest.Body(10, 2)
				blobtest.Put(t, d, before)
				failed := false
				disk.set(func(op, _ string) error {
					if op != c.op {
						return nil
					}
					failed = true
					return cause
				})
				err := commit(t, d, c.body)
				if !failed || !errors.Is(err, want) || !errors.Is(err, cause) {
					t.Errorf("failed %t: %v", failed, err)
				}
				disk.set(nil)
				wantOnly(t, d, before)
				if err := commit(t, d, c.body); err != nil {
					t.Error(err)
				}
				wantOnly(t, d, before, c.body)
			})
		}
	}
}

// When the folder cannot be synced nobody is told that the blob is safe. It stays, since another writer may count on it by now.
func TestFailedFolderSync(t *testing.T) {
	disk := new(faultyDisk)
	d := openWith(t, t.TempDir(), &Options{disk: disk})
	body := blobtest.Body(300<<10, 1)
	disk.set(func(op, _ string) error {
		if op == "syncFolder" {
			return syscall.EIO
		}
		return nil
	})
	if err := commit(t, d, body); !errors.Is(err, syscall.EIO) {
		t.Errorf("new: %v", err)
	}
	if err := commit(t, d, body); !errors.Is(err, syscall.EIO) {
		t.Errorf("there already, not known to be durable: %v", err)
	}
	disk.set(nil)
	if err := commit(t, d, body); err != nil {
		t.Error(err)
	}
	wantOnly(t, d, body)
}

// When the file system loses what the journal held, the journal is kept, small blobs take the long way, and the next start restores.
func TestFailedCheckpointKeepsTheJournal(t *testing.T) {
	var log bytes.Buffer
	disk := new(faultyDisk)
	dir := t.TempDir()
	d := openWith(t, dir, &Options{disk: disk, JournalSize: 16 << 10, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	disk.set(func(op, _ string) error {
		if op == "syncAll" {
			return syscall.EIO
		}
		return nil
	})
	var bodies [][]byte
	for i := range 20 {
		bodies = append(bodies, blobtest.Body(4000, uint64(i)))
		if err := commit(t, d, bodies[i]); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
	if !strings.Contains(log.String(), "journal is off") {
		t.Errorf("log: %q", log.String())
	}
	// What the system did not write is gone.
	lost := blob.Hash(blake3.Sum256(bodies[0]))
	if err := os.Truncate(d.path(lost), 10); err != nil {
		t.Fatal(err)
	}
	wantOnly(t, openWith(t, dir, nil), bodies...)
}

// A server whose disk is full can start, also after a crash, as long as no acknowledged blob needs room.
func TestStartOnAFullDisk(t *testing.T) {
	noRoom := func(op, _ string) error {
		if op == "stage" {
			return syscall.ENOSPC
		}
		return nil
	}
	full := new(faultyDisk)
	full.set(noRoom)
	dir := t.TempDir()
	d := openWith(t, dir, nil)
	bodies := putMany(t, d, 5)
	die(t, d)
	d = openWith(t, dir, &Options{disk: full})
	wantOnly(t, d, bodies...)

	full.set(nil)
	last := blobtest.Body(500, 99)
	blobtest.Put(t, d, last)
	die(t, d)
	if err := os.Truncate(d.path(blake3.Sum256(last)), 10); err != nil {
		t.Fatal(err)
	}
	full.set(noRoom)
	if _, err := Open(dir, &Options{disk: full}); !errors.Is(err, blob.ErrNoSpace) {
		t.Errorf("with a blob to restore: %v", err)
	}
	wantOnly(t, openWith(t, dir, nil), append(bodies, last)...)
}

// A checkpoint that fails at the end is told to who closes.
func TestFailedClose(t *testing.T) {
	disk := new(faultyDisk)
	dir := t.TempDir()
	d := openWith(t, dir, &Options{disk: disk})
	body := blobtest.Body(100, 1)
	blobtest.Put(t, d, body)
	disk.set(func(op, _ string) error {
		if op == "syncAll" {
			return syscall.EIO
		}
		return nil
	})
	if err := d.Close(); !errors.Is(err, syscall.EIO) {
		t.Errorf("close: %v", err)
	}
	if _, err := Open(dir, &Options{disk: disk}); !errors.Is(err, syscall.EIO) {
		t.Errorf("open: %v", err)
	}
	wantOnly(t, openWith(t, dir, nil), body)
}

// Where the file system knows only files with names, or names an open file in no way, staged files live in tmp.
func TestStagedFileWithAName(t *testing.T) {
	dir := t.TempDir()
	for _, taken := range []bool{false, true} {
		tmp, name := filepath.Join(dir, "tmp"), filepath.Join(dir, "name")
		if taken {
			if err := os.WriteFile(name, []byte("old"), fileMode); err != nil {
				t.Fatal(err)
			}
		}
		fd, err := openRetrying(tmp, os.O_RDWR|os.O_CREATE)
		if err != nil {
			t.Fatal(err)
		}
		staged := &osStaged{fd: fd, tmp: tmp, named: true}
		if err := staged.write([]byte("new")); err != nil {
			t.Fatal(err)
		}
		if err := staged.publish(name); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(name); string(got) != "new" || len(names(t, dir)) != 1 {
			t.Errorf("got %q, %v; files %v", got, err, names(t, dir))
		}
	}
	fd, err := openRetrying(filepath.Join(dir, "tmp"), os.O_RDWR|os.O_CREATE)
	if err != nil {
		t.Fatal(err)
	}
	staged := &osStaged{fd: fd, tmp: filepath.Join(dir, "tmp"), named: true}
	if err := staged.drop(); err != nil || len(names(t, dir)) != 1 {
		t.Errorf("drop: %v; files %v", err, names(t, dir))
	}
}

func TestRefusesABodyThatCannotFit(t *testing.T) {
	d := openWith(t, t.TempDir(), nil)
	if _, err := d.Create(t.Context(), 1<<62); !errors.Is(err, blob.ErrNoSpace) {
		t.Errorf("got %v", err)
	}
}

// A broken read is an error of its own, neither absence nor damage.
func TestUnreadableFolder(t *testing.T) {
	d := openWith(t, t.TempDir(), nil)
	if err := os.WriteFile(d.folder(7), nil, fileMode); err != nil {
		t.Fatal(err)
	}
	var last error
	for _, err := range d.List(t.Context(), blob.Hash{}) {
		last = err
	}
	if !errors.Is(last, syscall.ENOTDIR) {
		t.Errorf("list: %v", last)
	}
}
