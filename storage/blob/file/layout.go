package file

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"entrepot/storage/blob"
)

const (
	formatFile    = "format"
	formatText    = "entrepot blob folder, version 1\n"
	lockFile      = "lock"
	contentFolder = "content"
	tmpFolder     = "tmp"
	journalFolder = "journal"

	// fanOut is the number of folders below content: one for each first byte of a name.
	fanOut = 256

	folderMode = 0o750
	fileMode   = 0o640
)

var (
	// ErrLocked reports that another process, or another Driver, uses the folder.
	ErrLocked = errors.New("in use by another server")
	// ErrForeign reports a folder that is not empty and not a blob folder of a version this program knows.
	ErrForeign = errors.New("not a blob folder of this program")
)

func (d *Driver) folder(i int) string {
	return filepath.Join(d.dir, contentFolder, fmt.Sprintf("%02x", i))
}

func (d *Driver) path(h blob.Hash) string {
	name := h.String()
	return strings.Join([]string{d.dir, contentFolder, name[:2], name}, string(filepath.Separator))
}

// prepare takes the lock and brings the folder into the state that the package comment describes.
func (d *Driver) prepare(opts *Options) error {
	if err := makeFolder(d.disk, d.dir); err != nil {
		return err
	}
	if err := d.takeLock(); err != nil {
		return err
	}
	if err := d.checkFormat(); err != nil {
		return err
	}
	if err := d.makeFolders(); err != nil {
		return err
	}
	if err := d.emptyTmp(); err != nil {
		return err
	}
	return d.startJournal(opts)
}

// startJournal opens the journal in any case, since an earlier process may have left something in it, and keeps it open if wanted.
func (d *Driver) startJournal(opts *Options) error {
	whole := syncsWhole(d.dir)
	restore := d.restore
	if !whole {
		restore = d.restoreSynced
	}
	j, err := openJournal(filepath.Join(d.dir, journalFolder), opts, restore)
	if err != nil {
		return err
	}
	if whole {
		// A file of its own, so that no error that it is told of is kept from the journal.
		if d.whole, _, err = opts.disk.openJournal(filepath.Join(d.dir, formatFile)); err != nil {
			return errors.Join(err, j.close())
		}
	}
	if opts.SmallLimit < 0 || !whole {
		return j.close()
	}
	d.journal, d.smallLimit = j, opts.SmallLimit
	return nil
}

func (d *Driver) takeLock() error {
	f, err := os.OpenFile(filepath.Join(d.dir, lockFile), os.O_RDWR|os.O_CREATE, fileMode)
	if err != nil {
		return err
	}
	d.lock = f
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return ErrLocked
	}
	return err
}

// checkFormat refuses a folder that is not ours and marks an empty one as ours.
func (d *Driver) checkFormat() error {
	name := filepath.Join(d.dir, formatFile)
	text, err := os.ReadFile(name)
	switch {
	case err == nil && string(text) == formatText:
		return nil
	case err == nil:
		return fmt.Errorf("%w: its file %q says %.60q", ErrForeign, formatFile, text)
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	entries, err := os.ReadDir(d.dir)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		switch entry.Name() {
		case lockFile, formatFile + ".new", "lost+found": // the last is there when the folder is a disk of its own
		default:
			return fmt.Errorf("%w: it holds %q and no file %q", ErrForeign, entry.Name(), formatFile)
		}
	}
	return d.writeFormat(name)
}

func (d *Driver) writeFormat(name string) error {
	fresh := name + ".new"
	if err := d.disk.remove(fresh); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := d.disk.create(fresh)
	if err != nil {
		return err
	}
	_, err = f.Write([]byte(formatText))
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := d.disk.rename(fresh, name); err != nil {
		return err
	}
	return d.disk.syncFolder(d.dir)
}

// makeFolders makes the folders that are always there. It syncs those that hold them in any case: the process that made them may have
// been killed before it did.
func (d *Driver) makeFolders() error {
	content := filepath.Join(d.dir, contentFolder)
	for _, name := range []string{content, filepath.Join(d.dir, tmpFolder), filepath.Join(d.dir, journalFolder)} {
		if err := makeFolder(d.disk, name); err != nil {
			return err
		}
	}
	entries, err := os.ReadDir(content)
	if err != nil {
		return err
	}
	if err := d.disk.syncFolder(content); err != nil {
		return err
	}
	for _, entry := range entries {
		i, err := strconv.ParseUint(entry.Name(), 16, 8)
		if err == nil && entry.Name() == filepath.Base(d.folder(int(i))) {
			d.folders[i].durable.Store(true)
		}
	}
	return d.disk.syncFolder(d.dir)
}

// inFolder does something in the folder of blob h, which it makes when it is missing.
func (d *Driver) inFolder(h blob.Hash, do func(folder string) error) error {
	folder := d.folder(int(h[0]))
	err := do(folder)
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.Mkdir(folder, folderMode); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return do(folder)
}

// syncFolder makes the name of blob h durable, and that of its folder when this is the first time.
func (d *Driver) syncFolder(h blob.Hash) error {
	folder := &d.folders[h[0]]
	err := folder.names.do(func() error { return d.disk.syncFolder(d.folder(int(h[0]))) })
	if err != nil || folder.durable.Load() {
		return err
	}
	err = d.content.do(func() error { return d.disk.syncFolder(filepath.Join(d.dir, contentFolder)) })
	if err == nil {
		folder.durable.Store(true)
	}
	return err
}

// makeFolder makes a folder and those above it, each durable before the next.
func makeFolder(disk disk, name string) error {
	info, err := os.Stat(name)
	if err == nil && !info.IsDir() {
		return fmt.Errorf("%w: %s is not a folder", ErrForeign, name)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	parent := filepath.Dir(name)
	if err := makeFolder(disk, parent); err != nil {
		return err
	}
	if err := os.Mkdir(name, folderMode); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return disk.syncFolder(parent)
}

// emptyTmp removes what bodies a crash left.
func (d *Driver) emptyTmp() error {
	tmp := filepath.Join(d.dir, tmpFolder)
	entries, err := os.ReadDir(tmp)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if err := os.RemoveAll(filepath.Join(tmp, entry.Name())); err != nil {
			return err
		}
	}
	return nil
}
