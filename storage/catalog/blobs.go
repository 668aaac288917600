package catalog

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"slices"

	"entrepot/storage/blob"
	"entrepot/storage/kv"
)

// ByChecksum delivers the assets of all content trees that have a digest. algorithm is "sha1", "sha256", "sha512" or "md5".
func (c *Catalog) ByChecksum(ctx context.Context, algorithm, digest string) iter.Seq2[Match, error] {
	return whenAllWhole(ctx, c, c.byChecksum(ctx, algorithm, digest, ""))
}

// ByChecksum delivers the assets of this tree that have a digest. algorithm is "sha1", "sha256", "sha512" or "md5".
func (t *Content) ByChecksum(ctx context.Context, algorithm, digest string) iter.Seq2[*Asset, error] {
	return whenWhole(ctx, t, func(yield func(*Asset, error) bool) {
		for m, err := range t.catalog.byChecksum(ctx, algorithm, digest, t.id+"\x00") {
			if !yield(m.Asset, err) {
				return
			}
		}
	})
}

// ByChecksumIn is ByChecksum for some content trees: it waits for no other.
func (c *Catalog) ByChecksumIn(ctx context.Context, contents []string, algorithm, digest string) iter.Seq2[Match, error] {
	return func(yield func(Match, error) bool) {
		for _, id := range contents {
			if err := c.Content(id).Complete(ctx, nil); err != nil {
				yield(Match{}, err)
				return
			}
		}
		for m, err := range c.byChecksum(ctx, algorithm, digest, "") {
			if err == nil && !slices.Contains(contents, m.Content) {
				continue
			}
			if !yield(m, err) {
				return
			}
		}
	}
}

func (c *Catalog) byChecksum(ctx context.Context, algorithm, digest, owner string) iter.Seq2[Match, error] {
	return func(yield func(Match, error) bool) {
		prefix, err := checksumKey(algorithm, digest)
		if err != nil {
			yield(Match{}, err)
			return
		}
		for e, err := range c.store.Scan(ctx, checksumPartition, kv.Prefix(prefix+owner)) {
			if err != nil {
				yield(Match{}, wrap(err, "find "+algorithm))
				return
			}
			m, err := c.owned(ctx, e.Sort[len(prefix):])
			if errors.Is(err, ErrNotFound) {
				continue // removed since the scan began
			}
			if !yield(m, err) || err != nil {
				return
			}
		}
	}
}

func checksumKey(algorithm, digest string) (string, error) {
	for _, d := range digestSet {
		if d.name == algorithm {
			raw, err := rawDigest(&d, digest)
			return string(d.letter) + raw, err
		}
	}
	return "", fmt.Errorf("%w: no index of checksum %q", ErrInvalid, algorithm)
}

// owned reads the asset that a row shared by all trees names.
func (c *Catalog) owned(ctx context.Context, owner string) (Match, error) {
	content, id, ok := parseOwner(owner)
	if !ok {
		return Match{}, fmt.Errorf("index row of %s: %w", hex.EncodeToString([]byte(owner)), errRecord)
	}
	a, err := c.Content(content).AssetByID(ctx, id)
	return Match{Content: content, Asset: a}, err
}

// Referenced reports whether any asset names a blob.
func (c *Catalog) Referenced(ctx context.Context, ref BlobRef) (bool, error) {
	if err := c.Complete(ctx, nil); err != nil {
		return false, err
	}
	for _, err := range c.store.Scan(ctx, blobPartition(ref.Store), blobRows(ref, 1)) {
		return err == nil, wrap(err, "references of "+ref.Hash.String())
	}
	return false, nil
}

// References delivers the assets that name a blob.
func (c *Catalog) References(ctx context.Context, ref BlobRef) iter.Seq2[Match, error] {
	return whenAllWhole(ctx, c, func(yield func(Match, error) bool) {
		for e, err := range c.store.Scan(ctx, blobPartition(ref.Store), blobRows(ref, 0)) {
			if err != nil {
				yield(Match{}, wrap(err, "references of "+ref.Hash.String()))
				return
			}
			if e.IsCount {
				continue
			}
			_, owner, err := blobRow(&e)
			if err != nil {
				yield(Match{}, err)
				return
			}
			m, err := c.owned(ctx, owner)
			if errors.Is(err, ErrNotFound) {
				continue // removed since the scan began
			}
			if !yield(m, err) || err != nil {
				return
			}
		}
	})
}

// Blobs delivers the blobs of a store that assets name, in the order of their hashes, behind a hash; the zero Hash means all. It is
// the order in which a blob store lists, so that both can be compared in one pass.
func (c *Catalog) Blobs(ctx context.Context, store string, after blob.Hash) iter.Seq2[ReferencedBlob, error] {
	return whenAllWhole(ctx, c, func(yield func(ReferencedBlob, error) bool) {
		r := kv.Range{}
		if !after.IsZero() {
			if r.From = kv.After(string(after[:])); r.From == "" {
				return // nothing follows the greatest hash
			}
		}
		var b ReferencedBlob
		for e, err := range c.store.Scan(ctx, blobPartition(store), r) {
			if err == nil && len(e.Sort) < hashSize {
				err = fmt.Errorf("blob row %x: %w", e.Sort, errRecord)
			}
			if err != nil {
				yield(ReferencedBlob{}, wrap(err, "blobs of "+store))
				return
			}
			if hash := blob.Hash([]byte(e.Sort[:hashSize])); hash != b.Hash {
				if b.Assets > 0 && !yield(b, nil) {
					return
				}
				b = ReferencedBlob{Hash: hash}
			}
			if e.IsCount {
				continue
			}
			if b.Size, _, err = blobRow(&e); err != nil {
				yield(ReferencedBlob{}, err)
				return
			}
			b.Assets++
		}
		if b.Assets > 0 {
			yield(b, nil)
		}
	})
}

// BlobStores delivers the names of the blob stores that records have named, in order. Some may hold nothing any more.
func (c *Catalog) BlobStores(ctx context.Context) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		last := ""
		for e, err := range c.store.Scan(ctx, storeUsagePartition, kv.Range{}) {
			if err != nil {
				yield("", wrap(err, "list blob stores"))
				return
			}
			name, ok := storeOfUsage(e.Sort)
			if !ok || name == last {
				continue
			}
			if last = name; !yield(name, nil) {
				return
			}
		}
	}
}

func blobRows(ref BlobRef, limit int) kv.Range {
	r := kv.Prefix(string(ref.Hash[:]))
	r.Limit = limit
	return r
}

// StoreUsage counts what all records reach in a blob store.
func (c *Catalog) StoreUsage(ctx context.Context, store string) (StoreUsage, error) {
	blobs, err := c.store.Count(ctx, storeBlobsKey(store))
	if err != nil {
		return StoreUsage{}, wrap(err, "usage of store "+store)
	}
	bytes, err := c.store.Count(ctx, storeBytesKey(store))
	if err != nil {
		return StoreUsage{}, wrap(err, "usage of store "+store)
	}
	return StoreUsage{Blobs: blobs, Bytes: bytes}, nil
}
