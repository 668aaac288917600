package h2

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// Open opens a database file, a script, or a zip or gzip file of one of them, whichever the content shows. It never writes to the
// file and leaves nothing beside it. A store that a process has locked is ErrLocked, an encrypted one ErrEncrypted, one that another
// version of H2 wrote ErrFormat.
func Open(path string, opts *Options) (*Database, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("h2: %w", err)
	}
	db, err := openFile(f, withDefaults(opts))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", filepath.Base(path), err), f.Close())
	}
	db.closers = append(db.closers, f)
	return db, nil
}

// OpenReader is Open for bytes that are not a file. They must not change while the database is in use.
func OpenReader(r io.ReaderAt, size int64, opts *Options) (*Database, error) {
	return open(r, size, withDefaults(opts), true)
}

func withDefaults(opts *Options) Options {
	var o Options
	if opts != nil {
		o = *opts
	}
	if o.MaxValue <= 0 {
		o.MaxValue = defaultMaxValue
	}
	return o
}

func openFile(f *os.File, opts Options) (*Database, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("h2: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%w: it is no ordinary file", ErrFormat)
	}
	if locked, process := lockHolder(f); locked {
		return nil, fmt.Errorf("%w (process id %d): stop the server, or give a backup of its database task", ErrLocked, process)
	}
	return open(f, info.Size(), opts, true)
}

// open looks at the first bytes. packed says that a zip or gzip file is welcome: they do not nest.
func open(r io.ReaderAt, size int64, opts Options, packed bool) (*Database, error) {
	head := make([]byte, 64)
	n, err := r.ReadAt(head[:min(int64(len(head)), size)], 0)
	if err != nil && err != io.EOF {
		return nil, fmt.Errorf("h2: read the beginning: %w", err)
	}
	head = head[:n]
	switch {
	case bytes.HasPrefix(head, []byte("H2encrypt\n")), bytes.HasPrefix(head, []byte("-- H2 0.5/")):
		return nil, fmt.Errorf("%w: write it out again without encryption", ErrEncrypted)
	case packed && bytes.HasPrefix(head, []byte("PK\x03\x04")):
		return openZip(r, size, opts)
	case packed && bytes.HasPrefix(head, []byte("\x1f\x8b")):
		z, err := gzip.NewReader(io.NewSectionReader(r, 0, size))
		if err != nil {
			return nil, damaged(0, "gzip: %v", err)
		}
		return openPacked(z, opts)
	case isScript(head):
		s, err := openScript(r, size, opts)
		if err != nil {
			return nil, err
		}
		return newDatabase(s, nil), nil
	case !isStore(r, size):
		return nil, fmt.Errorf("%w: neither an H2 database nor a script of one, nor a zip of these", ErrFormat)
	}
	s, err := openStore(r, size, opts)
	if err != nil {
		return nil, err
	}
	src, err := openSource(s)
	if err != nil {
		return nil, err
	}
	return newDatabase(src, nil), nil
}

// isScript recognises the beginning of what SCRIPT writes: a comment with the version, or an empty statement.
func isScript(head []byte) bool {
	text := strings.TrimLeft(string(head), " \r\n\t")
	return strings.HasPrefix(text, "-- H2 ") || strings.HasPrefix(text, ";") ||
		strings.HasPrefix(text, "CREATE ") || strings.HasPrefix(text, "SET ")
}

// isStore recognises either copy of a store's header.
func isStore(r io.ReaderAt, size int64) bool {
	for i := range int64(headerBlocks) {
		start := make([]byte, 2)
		if _, err := r.ReadAt(start, i*blockSize); err == nil && string(start) == "H:" {
			return true
		}
	}
	return false
}

// openZip opens the only database or script of a zip file.
func openZip(r io.ReaderAt, size int64, opts Options) (*Database, error) {
	z, err := zip.NewReader(r, size)
	if err != nil {
		return nil, damaged(0, "zip: %v", err)
	}
	var found *zip.File
	for _, f := range z.File {
		name := strings.ToLower(path.Base(f.Name))
		if !strings.HasSuffix(name, ".mv.db") && !strings.HasSuffix(name, ".sql") {
			continue
		}
		if found != nil {
			return nil, fmt.Errorf("%w: a zip with both %s and %s", ErrFormat, clip(found.Name), clip(f.Name))
		}
		found = f
	}
	if found == nil {
		return nil, fmt.Errorf("%w: a zip without an .mv.db or .sql file", ErrFormat)
	}
	if found.Flags&1 != 0 {
		return nil, fmt.Errorf("%w: zip entry %s", ErrEncrypted, clip(found.Name))
	}
	entry, err := found.Open()
	if err != nil {
		return nil, damaged(0, "zip entry %s: %v", clip(found.Name), err)
	}
	return openPacked(entry, opts)
}

// openPacked unpacks into a temporary file, because both kinds of input are read in many places. The file is removed at once where
// the system allows that, and by Close everywhere.
func openPacked(in io.ReadCloser, opts Options) (*Database, error) {
	f, err := os.CreateTemp(opts.TempDir, "entrepot-h2-*")
	if err != nil {
		return nil, errors.Join(fmt.Errorf("h2: unpack: %w", err), in.Close())
	}
	temp := tempFile{f}
	_ = os.Remove(f.Name()) // fails where an open file cannot be removed; Close tries again
	size, err := io.Copy(f, in)
	if err = errors.Join(err, in.Close()); err != nil {
		var disk *os.PathError
		if errors.As(err, &disk) {
			return nil, errors.Join(fmt.Errorf("h2: unpack: %w", err), temp.Close())
		}
		return nil, errors.Join(damaged(0, "packed file, after %d bytes of its content: %v", size, err), temp.Close())
	}
	db, err := open(f, size, opts, false)
	if err != nil {
		return nil, errors.Join(err, temp.Close())
	}
	db.closers = append(db.closers, temp)
	return db, nil
}

// tempFile removes itself.
type tempFile struct{ *os.File }

// Close closes and removes the file.
func (t tempFile) Close() error {
	err := t.File.Close()
	if removeErr := os.Remove(t.Name()); removeErr != nil && !errors.Is(removeErr, os.ErrNotExist) {
		err = errors.Join(err, removeErr)
	}
	return err
}
