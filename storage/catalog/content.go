package catalog

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"sync/atomic"

	"entrepot/storage/kv"
)

// Content is one repository's content: a named tree of partitions. All methods may be called from many goroutines.
type Content struct {
	catalog  *Catalog
	id       string
	parts    partitions
	state    atomic.Uint64 // version of the row in the registry; 0 when not known
	recents  recents
	deferred deferral
}

// ID is the name of the tree.
func (t *Content) ID() string { return t.id }

// Asset reads the asset at a path. ErrNotFound when there is none. The asset is shared: see Asset.
func (t *Content) Asset(ctx context.Context, path string) (*Asset, error) {
	k := cacheKey{t.id, path}
	e, epoch := t.catalog.cache.get(k)
	if e != nil {
		return e.asset, e.err
	}
	a, err := t.loadWhole(ctx, path)
	switch {
	case err == nil && a.Version == 0: // deferred, and nothing can be written
		return a, nil
	case err == nil:
		t.catalog.cache.add(k, a, epoch)
		return a, nil
	case errors.Is(err, ErrNotFound):
		t.catalog.cache.add(k, nil, epoch)
	}
	return nil, fmt.Errorf("asset %q: %w", path, err)
}

// load reads an asset from the store.
func (t *Content) load(ctx context.Context, path string) (*Asset, error) {
	if !validPath(path) {
		return nil, ErrNotFound
	}
	sort, _ := leafSort(path)
	e, err := t.catalog.get(ctx, t.parts.assets, sort)
	if err != nil {
		return nil, err
	}
	a, err := decodeAsset(string(e.Value))
	if err != nil {
		return nil, err
	}
	a.Path, a.Version = strings.Clone(path), e.Version
	return a, nil
}

// AssetByID reads the asset behind a number. ErrNotFound when there is none.
func (t *Content) AssetByID(ctx context.Context, id uint64) (*Asset, error) {
	e, err := t.catalog.get(ctx, t.parts.ids, numberSort(assetLetter, id))
	if err != nil {
		return nil, fmt.Errorf("asset %d: %w", id, err)
	}
	a, err := t.load(ctx, string(e.Value))
	if err != nil {
		return nil, fmt.Errorf("asset %d: %w", id, err)
	}
	return t.withDownload(a), nil
}

// AssetsAfterID delivers all assets whose number is greater, in the order of their creation; 0 means all. It is the order for paging:
// the next page is found also when the last asset of this one is removed meanwhile.
func (t *Content) AssetsAfterID(ctx context.Context, id uint64) iter.Seq2[*Asset, error] {
	return whenWhole(ctx, t, func(yield func(*Asset, error) bool) {
		for e, err := range t.catalog.store.Scan(ctx, t.parts.ids, numbersAfter(assetLetter, id)) {
			if err != nil {
				yield(nil, wrap(err, "scan assets"))
				return
			}
			a, err := t.load(ctx, string(e.Value))
			if errors.Is(err, ErrNotFound) {
				continue // removed since the scan began
			}
			if err != nil {
				yield(nil, err)
				return
			}
			if !yield(t.withDownload(a), nil) {
				return
			}
		}
	})
}

// Assets delivers all assets behind a path, which need not exist any more; "" means all. The order is stable: folder by folder,
// and bytewise inside a folder.
func (t *Content) Assets(ctx context.Context, after string) iter.Seq2[*Asset, error] {
	r := kv.Range{}
	if after != "" {
		sort, _ := leafSort(after)
		r.From = sort + "\x00"
	}
	return whenWhole(ctx, t, t.scanAssets(ctx, r))
}

// AssetsUnder delivers all assets whose path begins with a folder, first those right inside it. dir is a path with or without a
// final slash; "/" means all. An asset whose path is the folder's with a slash is beside the folder, not under it.
func (t *Content) AssetsUnder(ctx context.Context, dir string) iter.Seq2[*Asset, error] {
	dir = strings.TrimSuffix(dir, "/")
	if dir == "" {
		return t.Assets(ctx, "")
	}
	return whenWhole(ctx, t, func(yield func(*Asset, error) bool) {
		for _, prefix := range underPrefixes(dir) {
			for a, err := range t.scanAssets(ctx, kv.Prefix(prefix)) {
				if err == nil && (!strings.HasPrefix(a.Path, dir+"/") || len(a.Path) == len(dir)+1) {
					continue // a neighbour with the same shortened key, or the folder's own document
				}
				if !yield(a, err) || err != nil {
					return
				}
			}
		}
	})
}

// underPrefixes gives the key prefixes that hold every asset beneath a folder.
func underPrefixes(dir string) []string {
	head, rest := split(dir + "/x")
	if head == dir {
		return []string{dir + "\x00", dir + "/"}
	}
	prefix := head + "\x00" + strings.TrimSuffix(rest, "x")
	return []string{prefix[:min(len(prefix), maxPathKey-32)]}
}

func (t *Content) scanAssets(ctx context.Context, r kv.Range) iter.Seq2[*Asset, error] {
	return func(yield func(*Asset, error) bool) {
		for e, err := range t.catalog.store.Scan(ctx, t.parts.assets, r) {
			if err != nil {
				yield(nil, wrap(err, "scan assets"))
				return
			}
			if kind, _ := rowOf(&e); kind != rowAsset {
				continue
			}
			a, err := assetOfRow(&e)
			if err != nil {
				yield(nil, err)
				return
			}
			if !yield(t.withDownload(a), nil) {
				return
			}
		}
	}
}

func assetOfRow(e *kv.Entry) (*Asset, error) {
	a, err := decodeAsset(string(e.Value))
	if err != nil {
		return nil, fmt.Errorf("asset row %q: %w", e.Sort, err)
	}
	if a.Path == "" {
		a.Path = pathOfSort(e.Sort)
	}
	a.Version = e.Version
	return a, nil
}

// Browse delivers at most limit entries of a folder behind a name, in bytewise order of their names; limit 0 means all.
// dir is a browse path with or without a final slash. A folder that does not exist gives ErrNotFound, except the root.
func (t *Content) Browse(ctx context.Context, dir, after string, limit int) iter.Seq2[Node, error] {
	return whenWhole(ctx, t, func(yield func(Node, error) bool) {
		folder, ok := folderOf(dir)
		err := ErrNotFound
		if ok {
			err = t.folderExists(ctx, folder)
		}
		if err != nil {
			yield(Node{}, fmt.Errorf("browse %q: %w", dir, err))
			return
		}
		t.browse(ctx, folder, after, limit)(yield)
	})
}

func (t *Content) folderExists(ctx context.Context, folder string) error {
	if folder == "" {
		return nil
	}
	_, err := t.catalog.get(ctx, t.parts.assets, folderSort(folder))
	return err
}

// Usage counts what the tree holds.
func (t *Content) Usage(ctx context.Context) (Usage, error) {
	var u Usage
	for _, c := range []struct {
		key kv.Key
		to  *int64
	}{
		{kv.Key{Partition: t.parts.assets, Sort: rootSort}, &u.Assets},
		{t.usageKey(usageComponent), &u.Components},
		{t.usageKey(usageBytes), &u.Bytes},
	} {
		n, err := t.catalog.store.Count(ctx, c.key)
		if err != nil {
			return Usage{}, wrap(err, "usage of "+t.id)
		}
		*c.to = n
	}
	return u, nil
}

func (t *Content) usageKey(name string) kv.Key { return kv.Key{Partition: t.parts.usage, Sort: name} }

// Revision is Generation of the whole tree.
func (t *Content) Revision(ctx context.Context) (uint64, error) { return t.Generation(ctx, "/") }

// Generation is a number that changes with every put and delete of an asset whose browse path is beneath a folder, at any depth:
// a document made from these assets is current as long as the generation read before making it is still the same. It does not
// change when only the last download or the upstream's state of an asset does. Generations can be compared for equality only;
// that of a folder without assets is 0. Below the depth that the tree keeps, folders have no generation of their own: ErrInvalid.
func (t *Content) Generation(ctx context.Context, dir string) (uint64, error) {
	folder, ok := folderOf(dir)
	if !ok {
		return 0, fmt.Errorf("%w: generation of %q: no folder of the tree", ErrInvalid, dir)
	}
	e, err := t.catalog.find(ctx, t.parts.assets, folderSort(folder))
	if err != nil {
		return 0, wrap(err, "generation")
	}
	return e.Version, nil
}
