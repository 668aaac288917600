package importer_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"testing"

	"entrepot/app/progress"
	"entrepot/migrate/importer"
	"entrepot/storage/blob"
	blobmemory "entrepot/storage/blob/memory"
)

// TestNoRoom wants an import refused before it writes, with what is needed and what is there.
func TestNoRoom(t *testing.T) {
	s, from := newServer(t), newOld()
	free := int64(64<<20 + 4*(4<<10)) // the reserve, and the records of four assets
	s.FreeSpace = func() (int64, error) { return free, nil }
	plan, err := importer.Prepare(t.Context(), s.Target, from, importer.Options{})
	must(t, err)
	meter := progress.Start(io.Discard, progress.Options{})
	defer meter.Close()
	_, err = plan.Run(t.Context(), meter)
	if !errors.Is(err, importer.ErrNoRoom) || !strings.Contains(err.Error(), "needed are up to 21 B for blobs, 16.0 KiB for records") ||
		!strings.Contains(err.Error(), "free are 64.0 MiB") {
		t.Errorf("without room: %v", err)
	}
	if stores := s.Engine.BlobStores(); len(stores) != 1 || len(s.Engine.List()) != 0 {
		t.Errorf("something was written: %v", stores)
	}
	s.FreeSpace = func() (int64, error) { return 0, errors.New("who knows") }
	if plan, err = importer.Prepare(t.Context(), s.Target, from, importer.Options{}); err == nil {
		_, err = plan.Run(t.Context(), meter)
	}
	if err == nil || errors.Is(err, importer.ErrNoRoom) {
		t.Errorf("when nobody knows: %v", err)
	}
	free += 21
	s.FreeSpace = func() (int64, error) { return free, nil }
	if _, report := s.bring(t, from); report.New != 4 {
		t.Errorf("with room: %+v", report)
	}
	free = 0
	if _, report := s.bring(t, from); report.Kept != 4 {
		t.Errorf("with nothing to bring: %+v", report)
	}
}

// filling is a disk on which only so many more bodies find room.
type filling struct {
	blob.Driver
	left *atomic.Int64
}

func (f filling) Create(ctx context.Context, size int64) (blob.Spool, error) {
	if f.left.Add(-1) < 0 {
		return nil, fmt.Errorf("%w: test", blob.ErrNoSpace)
	}
	return f.Driver.Create(ctx, size)
}

// TestDiskFills fills the disk half way, makes room, and imports again.
func TestDiskFills(t *testing.T) {
	var left atomic.Int64
	s := newServerOver(t, func() blob.Driver { return filling{blobmemory.New(nil), &left} })
	from := newOld()
	for n := range 40 {
		from.put("files", fmt.Sprintf("/many/%d.txt", n), fmt.Sprint("body ", n), 1)
	}
	left.Store(20)
	plan, err := importer.Prepare(t.Context(), s.Target, from, importer.Options{})
	must(t, err)
	meter := progress.Start(io.Discard, progress.Options{})
	defer meter.Close()
	report, err := plan.Run(t.Context(), meter)
	if !errors.Is(err, blob.ErrNoSpace) || report.New != 20 || report.Failed != 0 { // what found room stays
		t.Errorf("on a full disk: %v, %+v", err, report)
	}
	for a, err := range s.Engine.HeldAll(t.Context(), "files") {
		must(t, err)
		blobs, err := s.Engine.Blobs(a.Blob.Store)
		must(t, err)
		if _, err := blobs.Verify(t.Context(), a.Blob.Hash); err != nil {
			t.Errorf("%s is half done: %v", a.Path, err)
		}
	}
	left.Store(1000)
	if _, again := s.bring(t, from); again.New+report.New != 44 || again.Failed != 0 {
		t.Errorf("after room was made: %+v", again)
	}
	if d := s.differences(t, from); len(d) != 1 {
		t.Errorf("not as an import in one go: %v", d)
	}
}
