package importer

import (
	"errors"
	"fmt"

	"entrepot/app/progress"
)

// ErrNoRoom is the cause of a refusal because the disk cannot take what would come.
var ErrNoRoom = errors.New("not enough space")

const (
	recordBytes = 4 << 10  // about what the records of one asset take on the disk, the log among them
	reserve     = 64 << 20 // is left free
)

// Needed is how many bytes the import may write: of blobs, and of records.
func (p *Plan) Needed() (blobs, records int64) {
	records = p.NewAssets * recordBytes
	switch {
	case p.opts.Adopt, p.opts.Move: // nothing is copied, or room is made on the way
		return 0, records
	}
	return p.NewBytes + p.AdoptedBytes, records
}

// checkRoom refuses an import that the disk cannot take.
func (p *Plan) checkRoom() error {
	blobs, records := p.Needed()
	if p.target.FreeSpace == nil || blobs+records == 0 {
		return nil
	}
	free, err := p.target.FreeSpace()
	if err != nil {
		return fmt.Errorf("free space: %w", err)
	}
	if needed := blobs + records + reserve; free < needed {
		return fmt.Errorf("%w: needed are up to %s for blobs, %s for records and %s in reserve, together %s; free are %s", ErrNoRoom,
			progress.Bytes(blobs), progress.Bytes(records), progress.Bytes(reserve), progress.Bytes(needed), progress.Bytes(free))
	}
	return nil
}
