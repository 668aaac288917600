package commitlog_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"entrepot/storage/kv/leveldb/commitlog"
	"entrepot/storage/kv/leveldb/disk"
	"entrepot/storage/kv/leveldb/disk/faulty"
	"entrepot/storage/kv/leveldb/frame"

	"github.com/google/go-cmp/cmp"
)

func payload(number uint64) string {
	return fmt.Sprintf("%d:%s", number, strings.Repeat("x", int(number*37%90)))
}

func write(t testing.TB, l *commitlog.Log, n int) {
	t.Helper()
	for range n {
		if err := l.Append(append(frame.Begin(nil), payload(l.Next())...)); err != nil {
			t.Fatal(err)
		}
	}
}

func noVisit(uint64, []byte) error { return nil }

// make writes a log of n frames in segments of about 300 bytes and closes it.
func makeLog(t testing.TB, n int) string {
	t.Helper()
	dir := t.TempDir()
	l, _, err := commitlog.Open(dir, 0, &commitlog.Options{SegmentBytes: 300, Create: true}, noVisit)
	if err != nil {
		t.Fatal(err)
	}
	write(t, l, n)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

func files(t testing.TB, dir string) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*.log"))
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(names)
	return names
}

// read checks that the frames above after are delivered once, in order, and returns the tail.
func read(t testing.TB, dir string, after uint64) (commitlog.Tail, error) {
	t.Helper()
	next := after + 1
	tail, err := commitlog.Read(dir, after, nil, func(number uint64, got []byte) error {
		if number != next || string(got) != payload(number) {
			t.Errorf("frame %d holds %q, want frame %d", number, got, next)
		}
		next++
		return nil
	})
	if err == nil && tail.Last != next-1 {
		t.Errorf("read up to %d, tail says %d", next-1, tail.Last)
	}
	return tail, err
}

func TestReadFromAnyNumber(t *testing.T) {
	const frames = 40
	dir := makeLog(t, frames)
	if n := len(files(t, dir)); n < 5 {
		t.Fatalf("%d segments; the test wants several", n)
	}
	for after := range uint64(frames + 1) {
		if tail, err := read(t, dir, after); err != nil || tail.Last != frames || tail.Cut != 0 {
			t.Fatalf("after %d: %+v, %v", after, tail, err)
		}
	}
	var gap *commitlog.GapError
	if _, err := read(t, dir, frames+3); !errors.As(err, &gap) || gap.From != frames+1 || gap.To != frames+3 {
		t.Errorf("log that ends early: %v", err)
	}
}

func TestAppendAfterOpen(t *testing.T) {
	dir := makeLog(t, 3)
	for range 20 {
		l, _, err := commitlog.Open(dir, 0, &commitlog.Options{SegmentBytes: 300}, noVisit)
		if err != nil {
			t.Fatal(err)
		}
		write(t, l, 2)
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if tail, err := read(t, dir, 0); err != nil || tail.Last != 43 {
		t.Errorf("%+v, %v", tail, err)
	}
}

func TestNoLog(t *testing.T) {
	dir := t.TempDir()
	if _, err := read(t, dir, 0); !errors.Is(err, commitlog.ErrNone) {
		t.Errorf("an absent log was read: %v", err)
	}
	if _, _, err := commitlog.Open(dir, 0, nil, noVisit); !errors.Is(err, commitlog.ErrNone) {
		t.Errorf("an absent log was opened: %v", err)
	}
	l, _, err := commitlog.Open(dir, 17, &commitlog.Options{Create: true}, noVisit)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if l.Next() != 18 {
		t.Errorf("log made after 17 begins at %d", l.Next())
	}
}

func TestTrim(t *testing.T) {
	const frames = 40
	dir := makeLog(t, frames)
	l, _, err := commitlog.Open(dir, 0, nil, noVisit)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for upTo := range uint64(frames + 1) {
		if err := l.Trim(upTo); err != nil {
			t.Fatal(err)
		}
		if tail, err := read(t, dir, upTo); err != nil || tail.Last != frames {
			t.Fatalf("trimmed to %d: %+v, %v", upTo, tail, err)
		}
	}
	if n := len(files(t, dir)); n != 1 {
		t.Errorf("%d segments left, want the last", n)
	}
	var gap *commitlog.GapError
	if _, err := read(t, dir, 2); !errors.As(err, &gap) || gap.From != 3 {
		t.Errorf("reading trimmed frames: %v", err)
	}
	var size int64
	for _, name := range files(t, dir) {
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		size += info.Size()
	}
	if l.Size() != size {
		t.Errorf("Size = %d, files have %d", l.Size(), size)
	}
	if n, err := l.Verify(noVisit); err != nil || n == 0 {
		t.Errorf("Verify = %d, %v", n, err)
	}
}

func TestUndo(t *testing.T) {
	dir := makeLog(t, 5)
	l, _, err := commitlog.Open(dir, 0, &commitlog.Options{SegmentBytes: 300}, noVisit)
	if err != nil {
		t.Fatal(err)
	}
	for range 10 {
		if err := l.Append(append(frame.Begin(nil), strings.Repeat("undone", 100)...)); err != nil {
			t.Fatal(err)
		}
		if err := l.Undo(); err != nil {
			t.Fatal(err)
		}
		write(t, l, 1)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if tail, err := read(t, dir, 0); err != nil || tail.Last != 15 || tail.Cut != 0 {
		t.Errorf("%+v, %v", tail, err)
	}
}

func TestFullDisk(t *testing.T) {
	dir := makeLog(t, 5)
	fs := faulty.New(disk.OS{})
	l, _, err := commitlog.Open(dir, 0, &commitlog.Options{FS: fs, SegmentBytes: 300}, noVisit)
	if err != nil {
		t.Fatal(err)
	}
	for room := range int64(200) {
		fs.Room(room, syscall.ENOSPC)
		for {
			if err = l.Append(append(frame.Begin(nil), payload(l.Next())...)); err != nil {
				break
			}
		}
		if !disk.IsNoSpace(err) || errors.Is(err, commitlog.ErrBroken) {
			t.Fatalf("room %d: %v, want ENOSPC", room, err)
		}
		if tail, err := read(t, dir, 0); err != nil || tail.Last != l.Next()-1 || tail.Cut != 0 {
			t.Fatalf("room %d: a refused frame left a trace: %+v, %v", room, tail, err)
		}
		fs.Heal()
		write(t, l, 1)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestFailuresThatBreakTheLog(t *testing.T) {
	tests := []struct {
		name string
		fail func(*faulty.FS)
		cut  bool // the refused frame may be left on the disk
	}{
		{"sync", func(fs *faulty.FS) { fs.Fail(faulty.Sync, syscall.EIO) }, false},
		{"sync without space", func(fs *faulty.FS) { fs.Fail(faulty.Sync, syscall.ENOSPC) }, false},
		{"read-only", func(fs *faulty.FS) { fs.Fail(faulty.Write, syscall.EROFS) }, false},
		{"short write", func(fs *faulty.FS) { fs.Room(20, syscall.EIO) }, false},
		{"full and stuck", func(fs *faulty.FS) { fs.Room(20, syscall.ENOSPC); fs.Fail(faulty.Truncate, syscall.EIO) }, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := makeLog(t, 5)
			fs := faulty.New(disk.OS{})
			l, _, err := commitlog.Open(dir, 0, &commitlog.Options{FS: fs}, noVisit)
			if err != nil {
				t.Fatal(err)
			}
			tt.fail(fs)
			if err := l.Append(append(frame.Begin(nil), "refused"...)); !errors.Is(err, commitlog.ErrBroken) {
				t.Fatalf("append: %v, want ErrBroken", err)
			}
			fs.Heal()
			if err := l.Append(append(frame.Begin(nil), "refused"...)); !errors.Is(err, commitlog.ErrBroken) {
				t.Errorf("second append: %v, want ErrBroken", err)
			}
			if err := l.Undo(); !errors.Is(err, commitlog.ErrBroken) {
				t.Errorf("undo: %v, want ErrBroken", err)
			}
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			tail, err := read(t, dir, 0)
			if err != nil || tail.Last != 5 || (tail.Cut > 0) != tt.cut {
				t.Errorf("%+v, %v", tail, err)
			}
		})
	}
}

func TestFailedRotationHarmsNothing(t *testing.T) {
	for _, op := range []faulty.Op{faulty.Create, faulty.Write, faulty.Sync, faulty.SyncDir} {
		t.Run(string(op), func(t *testing.T) {
			fs := faulty.New(disk.OS{})
			dir := t.TempDir()
			l, _, err := commitlog.Open(dir, 0, &commitlog.Options{FS: fs, SegmentBytes: 1, Create: true}, noVisit)
			if err != nil {
				t.Fatal(err)
			}
			write(t, l, 1)
			fs.Fail(op, syscall.ENOSPC)
			if err := l.Append(append(frame.Begin(nil), "refused"...)); !disk.IsNoSpace(err) {
				t.Fatalf("append: %v", err)
			}
			fs.Heal()
			write(t, l, 3)
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			if tail, err := read(t, dir, 0); err != nil || tail.Last != 4 {
				t.Errorf("%+v, %v", tail, err)
			}
		})
	}
}

func TestOneSyncPerFrame(t *testing.T) {
	fs := faulty.New(disk.OS{})
	l, _, err := commitlog.Open(t.TempDir(), 0, &commitlog.Options{FS: fs, Create: true}, noVisit)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	before := fs.Syncs()
	write(t, l, 10)
	if got := fs.Syncs() - before; got != 10 {
		t.Errorf("%d syncs for 10 frames", got)
	}
}

// TestTornTail cuts the log at every offset of its last frame, with and without garbage behind the cut.
func TestTornTail(t *testing.T) {
	dir := makeLog(t, 10)
	names := files(t, dir)
	last := names[len(names)-1]
	whole, err := os.ReadFile(last)
	if err != nil {
		t.Fatal(err)
	}
	start := len(whole) - frame.HeaderSize - len(payload(10))
	for size := start; size < len(whole); size++ {
		for _, garbage := range []string{"", "\x00\x00\x00\x00\x00\x00\x00\x00", strings.Repeat("\xa5", 100)} {
			if err := os.WriteFile(last, append(slices.Clone(whole[:size]), garbage...), 0o600); err != nil {
				t.Fatal(err)
			}
			l, tail, err := commitlog.Open(dir, 0, &commitlog.Options{SegmentBytes: 300}, noVisit)
			cut := len(strings.TrimRight(string(whole[start:size])+garbage, "\x00"))
			if err != nil || tail.Last != 9 || tail.Cut != int64(cut) {
				t.Fatalf("cut at %d of %d: %+v, %v; want %d bytes", size, len(whole), tail, err, cut)
			}
			write(t, l, 2)
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			if tail, err := read(t, dir, 0); err != nil || tail.Last != 11 || tail.Cut != 0 {
				t.Fatalf("after repair: %+v, %v", tail, err)
			}
			for _, name := range files(t, dir)[len(names):] {
				if err := os.Remove(name); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	// A reader that has frame 10 already knows that it was whole once.
	if err := os.WriteFile(last, whole[:len(whole)-1], 0o600); err != nil {
		t.Fatal(err)
	}
	var damage *frame.DamageError
	if _, err := read(t, dir, 10); !errors.As(err, &damage) || damage.File != last || damage.Offset != int64(start) {
		t.Errorf("a known frame is cut: %v", err)
	}
}

// TestUnfinishedSegment stops the making of a segment at every byte of its header.
func TestUnfinishedSegment(t *testing.T) {
	dir := makeLog(t, 10)
	names := files(t, dir)
	whole, err := os.ReadFile(names[len(names)-1])
	if err != nil {
		t.Fatal(err)
	}
	fresh := filepath.Join(dir, fmt.Sprintf("%020d.log", 11))
	for size := range 56 {
		for _, head := range [][]byte{whole[:size], make([]byte, size)} {
			if err := os.WriteFile(fresh, head, 0o600); err != nil {
				t.Fatal(err)
			}
			for after := range uint64(11) {
				if tail, err := read(t, dir, after); err != nil || tail.Last != 10 {
					t.Fatalf("%d bytes of a header, after %d: %+v, %v", size, after, tail, err)
				}
			}
		}
	}
	l, _, err := commitlog.Open(dir, 10, nil, noVisit)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if diff := cmp.Diff(names, files(t, dir)); diff != "" {
		t.Errorf("the unfinished segment stayed: %s", diff)
	}
}

func TestDamageIsFound(t *testing.T) {
	dir := makeLog(t, 30)
	names := files(t, dir)
	random := rand.New(rand.NewPCG(1, 2))
	for i, name := range names {
		whole, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		// Damage in the last frame of a log looks as if a crash had cut it.
		end := len(whole)
		if i == len(names)-1 {
			end -= frame.HeaderSize + len(payload(30))
		}
		for range 60 {
			at := random.IntN(end)
			bad := slices.Clone(whole)
			bad[at] ^= 1 << random.IntN(8)
			if err := os.WriteFile(name, bad, 0o600); err != nil {
				t.Fatal(err)
			}
			var damage *frame.DamageError
			if _, err := read(t, dir, 0); !errors.As(err, &damage) || damage.File != name || damage.Offset > int64(at) {
				t.Fatalf("byte %d of %s flipped: %v", at, name, err)
			}
		}
		if err := os.WriteFile(name, whole, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestMissingAndShortenedSegments(t *testing.T) {
	dir := makeLog(t, 30)
	names := files(t, dir)
	for i, name := range names[:len(names)-1] {
		whole, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
		var gap *commitlog.GapError
		if _, err := read(t, dir, 0); !errors.As(err, &gap) {
			t.Errorf("segment %d removed: %v", i, err)
		}
		if _, err := read(t, dir, 30); (i > 0) != errors.As(err, &gap) {
			t.Errorf("segment %d removed and not needed: %v", i, err)
		}
		for _, content := range [][]byte{whole[:len(whole)-1], whole[:60], append(slices.Clone(whole), 0)} {
			if err := os.WriteFile(name, content, 0o600); err != nil {
				t.Fatal(err)
			}
			var damage *frame.DamageError
			if _, err := read(t, dir, 30); !errors.As(err, &damage) || damage.File != name {
				t.Errorf("segment %d has %d bytes of %d: %v", i, len(content), len(whole), err)
			}
		}
		if err := os.WriteFile(name, whole, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
