package repository

import (
	"hash/maphash"
	"sync/atomic"

	"entrepot/storage/catalog"
)

// answerSlots is how many assets' answers are kept.
const answerSlots = 16384

// answerCache keeps the headers of assets that are asked for again. A stored asset is one record in memory that is never changed but
// replaced, so the record itself names what was made of it. Each has one slot, which the latest takes.
type answerCache struct {
	seed  maphash.Seed
	slots [answerSlots]atomic.Pointer[preparedAnswer]
}

// answerKey is all that the headers of a full answer depend on.
type answerKey struct {
	asset       *catalog.Asset
	disposition string // "" for none
}

type preparedAnswer struct {
	key answerKey
	representation
}

func newAnswerCache() *answerCache { return &answerCache{seed: maphash.MakeSeed()} }

// get gives an asset as it answers this exchange. It is not to be changed.
func (c *answerCache) get(x *exchange, a *catalog.Asset) *representation {
	key := answerKey{asset: a, disposition: x.bears()}
	slot := &c.slots[maphash.Comparable(c.seed, key)%answerSlots]
	if had := slot.Load(); had != nil && had.key == key {
		return &had.representation
	}
	made := &preparedAnswer{key: key, representation: assetRepresentation(a)}
	made.header = x.header(&made.representation)
	slot.Store(made)
	return &made.representation
}
