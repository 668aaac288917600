package file

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"log/slog"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"

	"entrepot/storage/blob"
)

// The journal is two files of frames. A frame is what one sync made durable:
//
//	magic 4 | checksum 4 | epoch 8 | length 4 | records of length bytes in all
//	record:  name 32 | size 4 | bytes
//
// Numbers are little-endian; the checksum is CRC-32C of all that follows it. A frame begins at a multiple of frameAlign, so that
// writing one never touches the disk block of another. A frame belongs to the file's contents when its epoch is that of the first
// one; a frame of length 0 ends them.
const (
	frameMagic  = 0x314a4245 // "EBJ1"
	frameHeader = 20
	frameAlign  = 4096
	// recordHeader is the name and the size before the bytes of a record.
	recordHeader = blob.HashSize + 4
	// maxFrame bounds what one sync covers.
	maxFrame = 1 << 20
	// growStep is by how much a journal file is filled with zeros ahead of the frames: syncing bytes in place is far cheaper than
	// syncing a file that grows.
	growStep = 1 << 20
)

// errJournalOff means that the journal takes no more; the body has to be synced as a file of its own.
var errJournalOff = errors.New("journal is off")

// journal makes small bodies durable: many of them with one sync, instead of two syncs for each. Their files are written as well but
// not synced; when a journal file is full, the other one is taken, and in the meantime the whole file system is synced once, after
// which the full one may be overwritten.
type journal struct {
	log    *slog.Logger
	limit  int64       // bytes in one of the files
	off    atomic.Bool // nothing is taken any more
	failed atomic.Bool // the file system lost something: the journal is kept for the next start
	frames sync.Pool   // of *[]byte
	checks sync.WaitGroup

	mu   sync.Mutex
	next *batch // gathers bodies; nil when nobody waits

	turn     sync.Mutex // held while a batch is written; guards the rest
	segments [2]*segment
	current  int
	epoch    uint64
}

// segment is one of the two files.
type segment struct {
	file      journalFile
	end       int64 // where the next frame goes
	allocated int64 // bytes of the file
	// users are the bodies that are durable here but do not have their name yet.
	users sync.WaitGroup
	// clean is closed when the file system holds all that the segment does, or when the journal is off.
	clean chan struct{}
}

// batch is a frame that is being gathered.
type batch struct {
	frame []byte
	count int
	done  chan struct{}
	seg   *segment
	err   error
}

// openJournal opens the journal in dir, hands every body that an earlier process left in it to restore, and syncs the file system.
func openJournal(dir string, opts *Options, restore func(blob.Hash, []byte) error) (*journal, error) {
	j := &journal{log: opts.Logger, limit: opts.JournalSize}
	for i := range j.segments {
		f, size, err := opts.disk.openJournal(filepath.Join(dir, strconv.Itoa(i)))
		if err != nil {
			return nil, errors.Join(err, j.closeFiles())
		}
		clean := make(chan struct{})
		close(clean)
		j.segments[i] = &segment{file: f, allocated: size, clean: clean}
	}
	err := opts.disk.syncFolder(dir)
	if err == nil {
		err = j.replay(restore)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("journal: %w", err), j.closeFiles())
	}
	j.segments[j.current].clean = make(chan struct{})
	return j, nil
}

// append makes a body durable. Afterwards the caller gives it its name and then calls release, whether that succeeded or not.
func (j *journal) append(h blob.Hash, body []byte) (release func(), err error) {
	if j.off.Load() {
		return nil, errJournalOff
	}
	b, leads := j.join(h, body)
	if leads {
		j.turn.Lock()
		j.detach(b)
		b.err = j.write(b)
		j.turn.Unlock()
		j.frames.Put(&b.frame)
		close(b.done)
	} else {
		<-b.done
	}
	if b.err != nil {
		return nil, b.err
	}
	return b.seg.users.Done, nil
}

// join adds a body to the batch that is being gathered. The first of a batch leads it.
func (j *journal) join(h blob.Hash, body []byte) (b *batch, leads bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	b = j.next
	if leads = b == nil || len(b.frame)+recordHeader+len(body) > maxFrame; leads {
		b = &batch{frame: j.frame(), done: make(chan struct{})}
		j.next = b
	}
	b.frame = append(b.frame, h[:]...)
	b.frame = binary.LittleEndian.AppendUint32(b.frame, uint32(len(body)))
	b.frame = append(b.frame, body...)
	b.count++
	return b, leads
}

// frame gives an empty frame with room for its header.
func (j *journal) frame() []byte {
	if used, ok := j.frames.Get().(*[]byte); ok {
		return (*used)[:frameHeader]
	}
	return make([]byte, frameHeader, 16*frameAlign)
}

// detach ends the gathering of b.
func (j *journal) detach(b *batch) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.next == b {
		j.next = nil
	}
}

// write makes a batch durable.
func (j *journal) write(b *batch) error {
	seg := j.segments[j.current]
	if seg.end > 0 && seg.end+int64(len(b.frame)) > j.limit {
		if err := j.rotate(); err != nil {
			return err
		}
		seg = j.segments[j.current]
	}
	sealFrame(b.frame, j.epoch)
	if err := seg.reserve(seg.end + int64(len(b.frame))); err != nil {
		return err
	}
	if _, err := seg.file.WriteAt(b.frame, seg.end); err != nil {
		return err
	}
	if err := seg.file.Sync(); err != nil {
		return err
	}
	seg.end += alignUp(int64(len(b.frame)))
	seg.users.Add(b.count)
	b.seg = seg
	return nil
}

// rotate goes on in the other file, when that one is clean, and has the full one cleaned.
func (j *journal) rotate() error {
	full, empty := j.segments[j.current], j.segments[1-j.current]
	<-empty.clean
	if j.off.Load() {
		return errJournalOff
	}
	empty.end, empty.clean = 0, make(chan struct{})
	j.current = 1 - j.current
	epoch := j.epoch
	j.epoch++
	j.checks.Go(func() {
		if err := full.checkpoint(epoch); err != nil {
			j.failed.Store(true)
			j.off.Store(true)
			j.log.Error("blob journal is off until the next start: small blobs are synced one by one", "error", err)
		}
		close(full.clean)
	})
	return nil
}

// close syncs what the journal holds and empties it.
func (j *journal) close() error {
	j.off.Store(true)
	j.turn.Lock()
	defer j.turn.Unlock()
	j.checks.Wait()
	if j.failed.Load() {
		return j.closeFiles()
	}
	return errors.Join(j.segments[j.current].checkpoint(j.epoch), j.closeFiles())
}

func (j *journal) closeFiles() error {
	var errs []error
	for _, seg := range j.segments {
		if seg != nil {
			errs = append(errs, seg.file.Close())
		}
	}
	return errors.Join(errs...)
}

// reserve fills the file with zeros up to a multiple of growStep that is at least n.
func (s *segment) reserve(n int64) error {
	for s.allocated < n {
		if _, err := s.file.WriteAt(make([]byte, growStep), s.allocated); err != nil {
			return err
		}
		s.allocated += growStep
	}
	return nil
}

// checkpoint waits until all bodies have their names, syncs the file system and marks the segment as empty. The mark is not synced:
// without it the next start restores what is there already.
func (s *segment) checkpoint(epoch uint64) error {
	s.users.Wait()
	if s.end == 0 {
		return nil
	}
	if err := s.file.SyncAll(); err != nil {
		return err
	}
	return s.markEmpty(epoch)
}

// markEmpty puts a frame of length 0 over the first one.
func (s *segment) markEmpty(epoch uint64) error {
	mark := make([]byte, frameHeader)
	sealFrame(mark, epoch)
	_, err := s.file.WriteAt(mark, 0)
	return err
}

func alignUp(n int64) int64 { return (n + frameAlign - 1) / frameAlign * frameAlign }

// sealFrame fills in the header.
func sealFrame(frame []byte, epoch uint64) {
	binary.LittleEndian.PutUint32(frame, frameMagic)
	binary.LittleEndian.PutUint64(frame[8:], epoch)
	binary.LittleEndian.PutUint32(frame[16:], uint32(len(frame)-frameHeader))
	binary.LittleEndian.PutUint32(frame[4:], crc32.Checksum(frame[8:], crc32.MakeTable(crc32.Castagnoli)))
}
