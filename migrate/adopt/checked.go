package adopt

import (
	"context"
	"crypto/sha1"
	"errors"
	"hash"
	"io"
	"io/fs"
	"os"
	"sync"
	"time"

	"entrepot/storage/blob"
)

// checked is an open blob that nobody has checked yet. Who reads it from the first byte to the last has it checked on the way and gets an
// error in the place of the last bytes when they are not good; whatever else is read waits until the whole was read once. It is no File,
// because what leaves by sendfile passes nobody who could check it.
type checked struct {
	file   *os.File
	size   int64
	hash   blob.Hash
	driver *driver

	mu   sync.Mutex
	good bool
	err  error // what was found wrong
	sum  hash.Hash
	at   int64 // bytes in sum
}

var _ blob.Checked = (*checked)(nil)

// ReadAt reads and checks.
func (c *checked) ReadAt(p []byte, off int64) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.good && c.err == nil && off != c.at {
		if err := c.whole(context.Background()); err != nil {
			return 0, err
		}
	}
	if c.err != nil {
		return 0, c.err
	}
	if c.good {
		return c.file.ReadAt(p, off)
	}
	if left := c.size - off; int64(len(p)) > left {
		p = p[:left]
	}
	n, err := c.file.ReadAt(p, off)
	c.sum.Write(p[:n])
	if c.at += int64(n); c.at == c.size {
		if err := c.conclude(context.Background()); err != nil {
			return 0, err
		}
	}
	return n, err
}

// Size is the length in bytes.
func (c *checked) Size() int64 { return c.size }

// Close closes the file.
func (c *checked) Close() error { return c.file.Close() }

// Check reads all of it, unless that was done.
func (c *checked) Check(ctx context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.good || c.err != nil {
		return c.err
	}
	return c.whole(ctx)
}

// Unchecked is the open file, for who checks its bytes on their way.
func (c *checked) Unchecked() *os.File { return c.file }

// whole checks all of it. Of many that want to read one blob one reads it for all.
func (c *checked) whole(ctx context.Context) error {
	turn := &c.driver.turns[c.hash[len(c.hash)-1]%turns]
	turn.Lock()
	defer turn.Unlock()
	info, err := c.file.Stat()
	if err != nil {
		return err
	}
	if c.driver.verdicts.has(c.hash, info) {
		c.good = true
		return nil
	}
	c.sum.Reset()
	c.at = 0
	if _, err := io.Copy(c.sum, readerUntil(ctx, io.NewSectionReader(c.file, 0, c.size))); err != nil {
		c.sum.Reset()
		return err
	}
	return c.conclude(ctx)
}

// conclude compares the checksum of all bytes with the name, and remembers what came of it.
func (c *checked) conclude(ctx context.Context) error {
	err := compare(c.hash, c.sum.Sum(nil), c.file.Name())
	if err != nil {
		c.err = errors.Join(err, c.driver.found(context.WithoutCancel(ctx), c.hash, err))
		return c.err
	}
	c.good = true
	info, err := c.file.Stat()
	if err != nil {
		return err
	}
	c.driver.verdicts.add(c.hash, info)
	return nil
}

// large gives a large blob: as it lies when it is known to be good, else one that is checked as it is read.
func (d *driver) large(h blob.Hash, f *os.File, info fs.FileInfo) blob.Object {
	if d.verdicts.has(h, info) {
		return &object{f, info.Size()}
	}
	return &checked{file: f, size: info.Size(), hash: h, driver: d, sum: sha1.New()}
}

// turns is how many blobs can be checked whole at once.
const turns = 16

// maxVerdicts is how many blobs are remembered as good in each half of the memory: some 3 MiB in all.
const maxVerdicts = 1 << 14

// verdicts remembers blobs that were found good, as files of a size and date. When it is full, the older half goes.
type verdicts struct {
	mu         sync.Mutex
	young, old map[blob.Hash]state
}

type state struct {
	size int64
	time time.Time
}

func stateOf(info fs.FileInfo) state { return state{info.Size(), info.ModTime()} }

func (v *verdicts) add(h blob.Hash, info fs.FileInfo) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.young) >= maxVerdicts {
		v.old, v.young = v.young, nil
	}
	if v.young == nil {
		v.young = make(map[blob.Hash]state)
	}
	v.young[h] = stateOf(info)
}

func (v *verdicts) has(h blob.Hash, info fs.FileInfo) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	s, ok := v.young[h]
	if !ok {
		s, ok = v.old[h]
	}
	return ok && s == stateOf(info)
}
