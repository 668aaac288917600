package adopt

import (
	"bytes"
	"context"
	"crypto/sha1"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"sync"

	"entrepot/migrate/blobs"
	"entrepot/storage/blob"
)

// checkUpTo is the size in bytes up to which a blob is checked each time it is opened. Larger ones are checked as they are read the
// first time.
const checkUpTo = 256 << 10

// driver reads a blob store of the old server: one folder, or those of a group's members.
type driver struct {
	folders []string
	damaged func(ctx context.Context, h blob.Hash) (string, error)    // why a blob is known to be damaged, "" when it is not
	found   func(ctx context.Context, h blob.Hash, cause error) error // is told of a blob that is found damaged as it is read

	verdicts verdicts
	turns    [turns]sync.Mutex // held by who reads a blob to check it
}

var _ blob.Foreign = (*driver)(nil)

// Create refuses: the old server's folders are only read.
func (*driver) Create(context.Context, int64) (blob.Spool, error) { return nil, blob.ErrReadOnly }

// Delete refuses: the old server's folders are only read.
func (*driver) Delete(context.Context, blob.Hash) error { return blob.ErrReadOnly }

// List refuses: the names of what no record refers to are not known.
func (*driver) List(context.Context, blob.Hash) iter.Seq2[blob.Info, error] {
	return func(yield func(blob.Info, error) bool) { yield(blob.Info{}, errors.ErrUnsupported) }
}

// Stat describes a blob.
func (d *driver) Stat(_ context.Context, h blob.Hash) (blob.Info, error) {
	f, info, err := d.open(h)
	if err != nil {
		return blob.Info{}, err
	}
	return blob.Info{Hash: h, Size: info.Size(), ModTime: info.ModTime()}, f.Close()
}

// Open opens a blob. A small one is checked; a large one is a blob.Checked until all of it was read once and found good.
func (d *driver) Open(ctx context.Context, h blob.Hash) (blob.Object, error) {
	f, info, err := d.open(h)
	if err != nil {
		return nil, err
	}
	if info.Size() <= checkUpTo {
		defer f.Close()
		return small(h, f, info.Size())
	}
	reason, err := d.damaged(ctx, h)
	if err == nil && reason != "" {
		err = fmt.Errorf("%w: %s", blob.ErrCorrupt, reason)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return d.large(h, f, info), nil
}

// Verify reads a blob and compares its SHA-1 with its name.
func (d *driver) Verify(ctx context.Context, h blob.Hash) (blob.Info, error) {
	f, info, err := d.open(h)
	if err != nil {
		return blob.Info{}, err
	}
	defer f.Close()
	hash := sha1.New()
	if _, err := io.Copy(hash, readerUntil(ctx, f)); err != nil {
		return blob.Info{}, err
	}
	if err := compare(h, hash.Sum(nil), f.Name()); err != nil {
		return blob.Info{}, err
	}
	return blob.Info{Hash: h, Size: info.Size(), ModTime: info.ModTime()}, nil
}

// open finds the file of a blob in the folders.
func (d *driver) open(h blob.Hash) (*os.File, fs.FileInfo, error) {
	id, created, ok := place(h)
	if !ok {
		return nil, nil, blob.ErrNotFound
	}
	name := filepath.FromSlash(blobs.Location(id, created)) + ".bytes"
	for _, folder := range d.folders {
		f, err := os.Open(filepath.Join(folder, "content", name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, nil, err
		}
		info, err := f.Stat()
		if err != nil {
			return nil, nil, errors.Join(err, f.Close())
		}
		return f, info, nil
	}
	return nil, nil, fmt.Errorf("%w: %s in %v", blob.ErrNotFound, name, d.folders)
}

// small reads and checks a whole blob.
func small(h blob.Hash, f *os.File, size int64) (blob.Object, error) {
	body := make([]byte, size)
	if _, err := io.ReadFull(f, body); err != nil {
		return nil, err
	}
	got := sha1.Sum(body)
	if err := compare(h, got[:], f.Name()); err != nil {
		return nil, err
	}
	return buffer{bytes.NewReader(body)}, nil
}

func compare(h blob.Hash, got []byte, name string) error {
	if !bytes.Equal(got[:sumBytes], sum(h)) {
		return fmt.Errorf("%w: %s has SHA-1 %x, its record begins with %x", blob.ErrCorrupt, name, got, sum(h))
	}
	return nil
}

// object is an open blob.
type object struct {
	file *os.File
	size int64
}

func (o *object) ReadAt(p []byte, off int64) (int, error) { return o.file.ReadAt(p, off) }
func (o *object) Close() error                            { return o.file.Close() }
func (o *object) Size() int64                             { return o.size }

// File is the open file, for sendfile. The object owns it.
func (o *object) File() *os.File { return o.file }

// buffer is a small blob in memory.
type buffer struct{ *bytes.Reader }

func (buffer) Close() error { return nil }

// readerUntil reads until ctx ends.
func readerUntil(ctx context.Context, r io.Reader) io.Reader {
	return readerFunc(func(p []byte) (int, error) {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		return r.Read(p)
	})
}

type readerFunc func(p []byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }
