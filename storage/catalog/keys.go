package catalog

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
	"strings"

	"entrepot/storage/blob"
	"entrepot/storage/kv"
)

// Limits of what the catalog stores.
const (
	// MaxPath is the longest asset path in bytes.
	MaxPath = 16 << 10
	// MaxContentID is the longest id of a content tree in bytes.
	MaxContentID = 200
	// MaxCoordinates is the longest group, name and version together, in bytes: some formats make them of the path.
	MaxCoordinates = 2*MaxPath + 8<<10
	// MaxStoreName is the longest name of a blob store in bytes.
	MaxStoreName = 256
)

const (
	// treeDepth and treeBytes bound the folders of the browse tree: every folder above an asset is one operation of the
	// write's batch, and the key of a folder must hold its whole path.
	treeDepth = 32
	treeBytes = 512

	maxCoordKey = 512 // bytes of a key made of coordinates
	maxPathKey  = 960 // bytes of a key made of a path

	hashSize = blob.HashSize
)

// Partitions that belong to no content tree.
const (
	registryPartition   = "cat/tree"  // content id -> state of the tree
	checksumPartition   = "cat/sum"   // algorithm, digest, content id, asset id
	storeUsagePartition = "cat/store" // counters of each blob store
)

// partitions are the names of one content tree's partitions.
type partitions struct {
	assets     string // assets, folder counters, pointers from browse paths
	components string // component records
	members    string // assets of components, and how many
	ids        string // number -> path or coordinates
	feed       string // changes by sequence
	usage      string // counters
	deferred   string // assets that are not whole yet
	stale      string // documents that have to be made anew
	deletions  string // notes of assets that went
}

func newPartitions(content string) partitions {
	base := "cat/t/" + content
	return partitions{
		assets: base + "/a", components: base + "/c", members: base + "/m", ids: base + "/i", feed: base + "/f", usage: base + "/u",
		deferred: base + "/d", stale: base + "/s", deletions: base + "/x",
	}
}

func (p *partitions) all() []string {
	return []string{p.assets, p.components, p.members, p.ids, p.feed, p.usage, p.deferred, p.stale, p.deletions}
}

const (
	rootSort       = "\x00\x00\x00" // counter of the root folder; neither a folder's nor a leaf's key can be this
	extraMark      = "\x00"         // ends the key that counts the further assets of a blob; no content id is empty
	folderMark     = "\x00"         // ends the key of a folder's counter
	pointerMark    = "\x00\x01"     // between a browse path's key and the id of the asset that hangs there
	afterNode      = "\x00\x02"     // behind all rows of one name in a folder
	usageBytes     = "bytes"
	usageComponent = "components"
	feedHorizon    = "horizon"
)

// fit shortens a key to at most limit bytes. A shortened key is exactly limit bytes long and ends with the hash of the whole; a
// key that is not shortened is shorter, so that no path can be made to look like the shortened form of another.
func fit(key string, limit int) (fitted string, shortened bool) {
	if len(key) < limit {
		return key, false
	}
	sum := sha256.Sum256([]byte(key))
	return key[:limit-len(sum)] + string(sum[:]), true
}

// split divides a path at the last folder that the tree keeps: path == dir + "/" + name. A final slash belongs to the name.
func split(path string) (dir, name string) {
	end, depth := 0, 0
	for i := 1; i < len(path)-1 && i <= treeBytes && depth < treeDepth; i++ {
		if path[i] == '/' {
			end = i
			depth++
		}
	}
	return path[:end], path[end+1:]
}

// leafSort is the sort key of an asset, or of what hangs at a browse path: its folder, NUL, its name. The rows of one folder are
// neighbours, and a folder's counter follows the asset of the same name.
func leafSort(path string) (sort string, shortened bool) {
	dir, name := split(path)
	return fit(dir+"\x00"+name, maxPathKey)
}

// pathOfSort reverses leafSort when the key was not shortened.
func pathOfSort(sort string) string { return strings.Replace(sort, "\x00", "/", 1) }

// pointerSort is the key of the row that hangs an asset at a browse path other than its own.
func pointerSort(browse string, id uint64) string {
	base, _ := leafSort(browse)
	return string(binary.BigEndian.AppendUint64([]byte(base+pointerMark), id))
}

// rowKind tells the rows of the assets partition apart.
type rowKind uint8

const (
	rowOther   rowKind = iota
	rowAsset           // a record
	rowPointer         // hangs an asset at a browse path
	rowFolder          // counter
	rowRoot            // counter of the root folder
)

// rowOf gives the kind of a row and its key without marks, which all rows of one name in a folder share.
func rowOf(e *kv.Entry) (kind rowKind, base string) {
	switch {
	case e.IsCount && e.Sort == rootSort:
		return rowRoot, ""
	case e.IsCount && strings.HasSuffix(e.Sort, folderMark):
		return rowFolder, e.Sort[:len(e.Sort)-len(folderMark)]
	case len(e.Value) > 0 && e.Value[0] == recordFormat:
		return rowAsset, e.Sort
	case len(e.Value) > 0 && e.Value[0] == pointerFormat && len(e.Sort) > len(pointerMark)+8:
		return rowPointer, e.Sort[:len(e.Sort)-len(pointerMark)-8]
	}
	return rowOther, e.Sort
}

// folderOf gives a folder of the browse tree without a final slash, "" for the root. It is not ok when the tree cannot have it.
func folderOf(dir string) (folder string, ok bool) {
	folder = strings.TrimSuffix(dir, "/")
	if folder == "" {
		return "", true
	}
	kept, _ := split(folder + "/x")
	return folder, validPath(folder) && kept == folder
}

// folderSort is the sort key of a folder's counter. dir has no final slash; the root is "".
func folderSort(dir string) string {
	if dir == "" {
		return rootSort
	}
	cut := strings.LastIndexByte(dir, '/')
	return dir[:cut] + "\x00" + dir[cut+1:] + folderMark
}

// eachFolder calls visit with the key of every folder above a browse path, the root first.
func eachFolder(path string, visit func(sort string)) {
	dir, _ := split(path)
	visit(rootSort)
	for i := 1; i <= len(dir); i++ {
		if i == len(dir) || dir[i] == '/' {
			visit(folderSort(dir[:i]))
		}
	}
}

// coordSort is the sort key of a component.
func coordSort(c *Coordinates) (sort string, shortened bool) {
	return fit(c.Group+"\x00"+c.Name+"\x00"+c.Version, maxCoordKey)
}

func coordString(c *Coordinates) string { return c.Group + "\x00" + c.Name + "\x00" + c.Version }

func parseCoordinates(s string) (Coordinates, bool) {
	group, rest, ok := strings.Cut(s, "\x00")
	name, version, ok2 := strings.Cut(rest, "\x00")
	return Coordinates{Group: group, Name: name, Version: version}, ok && ok2
}

// memberSort is the sort key of an asset's membership in a component.
func memberSort(component, path string) (sort string, shortened bool) {
	return fit(component+"\x00"+path, maxPathKey)
}

// Rows of numbers: the letter tells assets from components.
const (
	assetLetter     = "a"
	componentLetter = "c"
)

func numberSort(letter string, id uint64) string {
	return string(binary.BigEndian.AppendUint64([]byte(letter), id))
}

func numbersAfter(letter string, id uint64) kv.Range {
	return kv.Range{From: numberSort(letter, id) + "\x00", To: kv.After(letter)}
}

// ownerSuffix names an asset in the rows that all content trees share.
func ownerSuffix(content string, id uint64) string {
	b := make([]byte, 0, len(content)+9)
	b = append(append(b, content...), 0)
	return string(binary.BigEndian.AppendUint64(b, id))
}

func parseOwner(s string) (content string, id uint64, ok bool) {
	content, rest, ok := strings.Cut(s, "\x00")
	if !ok || len(rest) != 8 {
		return "", 0, false
	}
	return content, binary.BigEndian.Uint64([]byte(rest)), true
}

func blobPartition(store string) string { return "cat/blob/" + store }

// homeKey is the row of a blob that any asset names: its size, and one of these assets. Further ones have a row each at refKey, and are
// counted at extraKey.
func homeKey(ref BlobRef) kv.Key {
	return kv.Key{Partition: blobPartition(ref.Store), Sort: string(ref.Hash[:])}
}

func extraKey(ref BlobRef) kv.Key {
	return kv.Key{Partition: blobPartition(ref.Store), Sort: string(ref.Hash[:]) + extraMark}
}

func refKey(ref BlobRef, owner string) kv.Key {
	return kv.Key{Partition: blobPartition(ref.Store), Sort: string(ref.Hash[:]) + owner}
}

// blobValue is the value of all rows that name an asset of a blob: the blob's size, then the asset, which the key of a refKey row
// has already.
func blobValue(size int64, owner string) []byte {
	return append(binary.AppendUvarint(make([]byte, 0, 10+len(owner)), uint64(size)), owner...)
}

// blobRow reads a row of a blob partition that is no counter: the blob's size, and the asset.
func blobRow(e *kv.Entry) (size int64, owner string, err error) {
	n, used := binary.Uvarint(e.Value)
	if used <= 0 || n > math.MaxInt64 || len(e.Sort) < hashSize {
		return 0, "", fmt.Errorf("blob row %x: %w", e.Sort, errRecord)
	}
	if len(e.Sort) > hashSize {
		return int64(n), e.Sort[hashSize:], nil
	}
	return int64(n), string(e.Value[used:]), nil
}

func storeBlobsKey(store string) kv.Key {
	return kv.Key{Partition: storeUsagePartition, Sort: store + "\x00blobs"}
}

func storeBytesKey(store string) kv.Key {
	return kv.Key{Partition: storeUsagePartition, Sort: store + "\x00bytes"}
}

// storeOfUsage gives the blob store that a row of the usage belongs to.
func storeOfUsage(sort string) (store string, ok bool) {
	store, _, ok = strings.Cut(sort, "\x00")
	return store, ok
}
