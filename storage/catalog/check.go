package catalog

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"

	"entrepot/storage/kv"
)

// Problem is a disagreement between records.
type Problem struct {
	Content string // content tree, "" for the rows that all trees share
	Where   string // asset path, coordinates or key
	Text    string
}

func (p Problem) String() string { return fmt.Sprintf("%s %q: %s", p.Content, p.Where, p.Text) }

// Check compares every index, counter, folder and component with the assets' records and delivers what does not agree. It reads
// everything and changes nothing; its memory does not grow with the number of records. Writes during a check can make it
// report problems that are none.
func (c *Catalog) Check(ctx context.Context) iter.Seq2[Problem, error] {
	return func(yield func(Problem, error) bool) {
		k := &checker{catalog: c, ctx: ctx, yield: yield, refs: make(map[string]int64), trees: make(map[string]bool)}
		if err := k.run(); err != nil && !errors.Is(err, errCheckEnded) {
			yield(Problem{}, wrap(err, "check"))
		}
	}
}

// Check is Catalog.Check for what belongs to this tree alone: its folders, components, numbers and counters.
func (t *Content) Check(ctx context.Context) iter.Seq2[Problem, error] {
	return func(yield func(Problem, error) bool) {
		k := &checker{catalog: t.catalog, ctx: ctx, yield: yield, refs: make(map[string]int64), trees: map[string]bool{t.id: true}}
		if err := k.tree(t, true); err != nil && !errors.Is(err, errCheckEnded) {
			yield(Problem{}, wrap(err, "check"))
		}
	}
}

// errCheckEnded ends a check whose caller wants no more.
var errCheckEnded = errors.New("check ended")

type checker struct {
	catalog *Catalog
	ctx     context.Context
	yield   func(Problem, error) bool

	trees map[string]bool // that the registry knows

	// What the assets' records promise to be in the rows that all trees share.
	sums int64
	refs map[string]int64 // by blob store
}

func (k *checker) run() error {
	for e, err := range k.catalog.store.Scan(k.ctx, registryPartition, kv.Range{}) {
		if err != nil {
			return err
		}
		k.trees[e.Sort] = true
		if err := k.tree(k.catalog.Content(e.Sort), treeIsLive(&e)); err != nil {
			return err
		}
	}
	if err := k.checksums(); err != nil {
		return err
	}
	return k.stores()
}

func (k *checker) report(content, where, format string, args ...any) error {
	if !k.yield(Problem{Content: content, Where: where, Text: fmt.Sprintf(format, args...)}, nil) {
		return errCheckEnded
	}
	return nil
}

// equal compares two counts.
func (k *checker) equal(content, what string, stored, counted int64) error {
	if stored == counted {
		return nil
	}
	return k.report(content, what, "stored as %d, counted %d", stored, counted)
}

// row reports when a row is missing or holds something else. wanted nil means any value.
func (k *checker) row(content, where string, key kv.Key, wanted []byte) error {
	e, err := k.catalog.find(k.ctx, key.Partition, key.Sort)
	switch {
	case err != nil:
		return err
	case e.Version == 0:
		return k.report(content, where, "row %q/%q is missing", key.Partition, key.Sort)
	case wanted != nil && string(e.Value) != string(wanted):
		return k.report(content, where, "row %q/%q holds %q instead of %q", key.Partition, key.Sort, e.Value, wanted)
	}
	return nil
}

// rows counts the rows of a partition that are no counters.
func (k *checker) rows(partition string) (int64, error) {
	n := int64(0)
	for e, err := range k.catalog.store.Scan(k.ctx, partition, kv.Range{}) {
		if err != nil {
			return 0, err
		}
		if !e.IsCount {
			n++
		}
	}
	return n, nil
}

// checksums compares the checksum index with what the assets promise. Every promised row was found, so only a surplus is left to
// find.
func (k *checker) checksums() error {
	n, err := k.rows(checksumPartition)
	if err != nil || n == k.sums {
		return err
	}
	for e, err := range k.catalog.store.Scan(k.ctx, checksumPartition, kv.Range{}) {
		if err != nil {
			return err
		}
		valid, err := k.checksumValid(e.Sort)
		if err != nil {
			return err
		}
		if !valid {
			if err := k.report("", e.Sort, "checksum of no asset"); err != nil {
				return err
			}
		}
	}
	return nil
}

func (k *checker) checksumValid(sort string) (bool, error) {
	for _, d := range digestSet {
		if sort == "" || sort[0] != d.letter || len(sort) <= 1+d.size {
			continue
		}
		m, err := k.catalog.owned(k.ctx, sort[1+d.size:])
		if err != nil || !k.trees[m.Content] {
			return false, ignoreAbsent(err)
		}
		prefix, err := checksumKey(d.name, *d.field(&m.Asset.Digests))
		return err == nil && prefix == sort[:1+d.size], nil
	}
	return false, nil
}

// ignoreAbsent drops the errors that only say that a row leads nowhere.
func ignoreAbsent(err error) error {
	if errors.Is(err, ErrNotFound) || errors.Is(err, errRecord) {
		return nil
	}
	return err
}

// stores compares the references to blobs and the usage of each blob store.
func (k *checker) stores() error {
	for e, err := range k.catalog.store.Scan(k.ctx, storeUsagePartition, kv.Range{}) {
		if err != nil {
			return err
		}
		if name, ok := storeOfUsage(e.Sort); ok {
			k.refs[name] += 0
		}
	}
	for _, name := range slices.Sorted(maps.Keys(k.refs)) {
		if err := k.store(name); err != nil {
			return err
		}
	}
	return nil
}

// blobRun gathers the rows of one blob: the home of its first asset, the number of further ones, these.
type blobRun struct {
	hash         string
	homes        int64
	count, found int64 // further assets, as counted and as found
	size         int64
}

// finish checks the blob whose rows ended, and counts it.
func (k *checker) finish(run *blobRun, name string, usage *StoreUsage) error {
	if run.hash == "" {
		return nil
	}
	usage.Blobs++
	usage.Bytes += run.size
	where := fmt.Sprintf("blob %x in %s", run.hash, name)
	if err := k.equal("", "first assets of "+where, run.homes, 1); err != nil {
		return err
	}
	return k.equal("", "further assets of "+where, run.count, run.found)
}

func (k *checker) store(name string) error {
	var usage StoreUsage
	var run blobRun
	refs := int64(0)
	for e, err := range k.catalog.store.Scan(k.ctx, blobPartition(name), kv.Range{}) {
		if err != nil {
			return err
		}
		if hash := e.Sort[:min(len(e.Sort), hashSize)]; hash != run.hash {
			if err := k.finish(&run, name, &usage); err != nil {
				return err
			}
			run = blobRun{hash: hash}
		}
		if !e.IsCount {
			refs++
		}
		if err := k.blobRow(&e, &run); err != nil {
			return err
		}
	}
	if err := k.finish(&run, name, &usage); err != nil {
		return err
	}
	stored, err := k.catalog.StoreUsage(k.ctx, name)
	if err != nil {
		return err
	}
	if err := k.equal("", "blobs in "+name, stored.Blobs, usage.Blobs); err != nil {
		return err
	}
	if err := k.equal("", "bytes in "+name, stored.Bytes, usage.Bytes); err != nil {
		return err
	}
	return k.surplusRefs(name, refs)
}

// blobRow enters a row into its blob's run.
func (k *checker) blobRow(e *kv.Entry, run *blobRun) error {
	if e.IsCount {
		run.count += e.Counter
		return nil
	}
	size, _, err := blobRow(e)
	if err != nil {
		return k.report("", fmt.Sprintf("%x", e.Sort), "%v", err)
	}
	if len(e.Sort) == hashSize {
		run.homes++
	} else {
		run.found++
	}
	if run.homes+run.found > 1 && size != run.size {
		return k.report("", fmt.Sprintf("%x", e.Sort), "assets disagree about the size of the blob")
	}
	run.size = size
	return nil
}

// surplusRefs finds references that no asset holds, when there are more than the assets promise.
func (k *checker) surplusRefs(name string, found int64) error {
	if found == k.refs[name] {
		return nil
	}
	for e, err := range k.catalog.store.Scan(k.ctx, blobPartition(name), kv.Range{}) {
		if err != nil {
			return err
		}
		if e.IsCount {
			continue
		}
		_, owner, err := blobRow(&e)
		var m Match
		if err == nil {
			m, err = k.catalog.owned(k.ctx, owner)
		}
		if ignoreAbsent(err) != nil {
			return err
		}
		if err == nil && k.trees[m.Content] && m.Asset.Blob.Store == name && string(m.Asset.Blob.Hash[:]) == e.Sort[:hashSize] {
			continue
		}
		if err := k.report("", fmt.Sprintf("%x", e.Sort), "blob reference in %s of no asset", name); err != nil {
			return err
		}
	}
	return nil
}
