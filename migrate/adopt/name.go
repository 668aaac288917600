package adopt

import (
	"encoding/binary"
	"encoding/hex"
	"time"

	"github.com/google/uuid"

	"entrepot/storage/blob"
)

// A name stands where the BLAKE3 of a blob stands once it is copied. Nobody knows that before the bytes were read, so the name says where
// they lie, and enough of their SHA-1 to check them:
//
//	byte  0       form of the name, 1
//	bytes 1..4    minutes since 1970 in the layout by date, 0 in the classic one
//	bytes 5..20   the blob's UUID
//	bytes 21..31  the first 11 bytes of its SHA-1
//
// With the date first, blobs are copied in the order in which they lie.
const (
	nameForm = 1
	sumBytes = 11

	minutesAt = 1
	idAt      = 5
	sumAt     = 21
)

// NameOf gives the name of a blob; false for one that has no such name, because its id is no UUID or its SHA-1 is not known. created is
// the time in the blob's reference, zero in the classic layout.
func NameOf(id string, created time.Time, sha1 string) (blob.Hash, bool) {
	var h blob.Hash
	parsed, err := uuid.Parse(id)
	if err != nil || parsed.String() != id {
		return h, false
	}
	sum, err := hex.DecodeString(sha1)
	if err != nil || len(sum) != 20 {
		return h, false
	}
	minutes := int64(0)
	if !created.IsZero() {
		minutes = created.Unix() / 60
		if minutes <= 0 || minutes > 1<<32-1 || created.Unix()%60 != 0 {
			return h, false
		}
	}
	h[0] = nameForm
	binary.BigEndian.PutUint32(h[minutesAt:], uint32(minutes))
	copy(h[idAt:], parsed[:])
	copy(h[sumAt:], sum[:sumBytes])
	return h, true
}

// place reverses NameOf.
func place(h blob.Hash) (id string, created time.Time, ok bool) {
	if minutes := binary.BigEndian.Uint32(h[minutesAt:]); minutes > 0 {
		created = time.Unix(int64(minutes)*60, 0).UTC()
	}
	return uuid.UUID(h[idAt:sumAt]).String(), created, h[0] == nameForm
}

// sum is what the name knows of the SHA-1.
func sum(h blob.Hash) []byte { return h[sumAt:] }
