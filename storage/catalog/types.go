package catalog

import (
	"time"

	"entrepot/storage/blob"
)

// BlobRef names bytes: which blob store, and which blob in it.
type BlobRef struct {
	Store string
	Hash  blob.Hash
}

// Coordinates name a component inside one repository. Group and Version may be empty.
type Coordinates struct {
	Group   string `json:"group,omitempty"`
	Name    string `json:"name"`
	Version string `json:"version,omitempty"`
}

// Asset is a path in a repository with its blob and what is known about it. An Asset that the catalog returned is shared with
// other readers: copy the struct before changing a field, and replace its maps and pointers instead of changing what they hold.
// Times are kept in milliseconds.
type Asset struct {
	Path        string       // decoded, begins with "/", at most MaxPath bytes, no NUL
	Browse      string       // where it hangs in the browse tree; "" means at Path
	Kind        string       // the format's word for what it is, may be empty
	Component   *Coordinates // nil when it belongs to none
	Blob        BlobRef
	Size        int64 // bytes
	Digests     blob.Digests
	ContentType string

	Created        time.Time // first time this path was stored; zero in a Put means: as it was, or now
	BlobCreated    time.Time // when the present blob was stored: Last-Modified of hosted content; zero in a Put means now
	BlobUpdated    time.Time // when the path last got a blob; zero in a Put means now
	Updated        time.Time // when more than downloads and the upstream's state changed; zero, or with a change left as it was, means now
	LastDownloaded time.Time // zero when never; kept with the precision of Options.DownloadInterval; zero in a Put means: as it was
	Uploader       string    // user id, "system" or "anonymous"
	UploaderIP     string
	Origin         string // the server that an import brought this record from; "" when it was stored here

	Format   map[string]string // the format's attributes, as REST shows them
	Upstream *Upstream         // only on assets of a cache

	// ID is the number behind the REST id, set by the catalog when the path is first stored: positive as an int64, unique in the
	// repository, greater than those of assets stored before.
	ID uint64
	// Version is the record's version for conditional updates; 0 on a new asset.
	Version uint64
}

// Upstream is what a cache remembers about where an asset came from.
type Upstream struct {
	ETag         string    `json:"etag,omitempty"`         // as sent, quotes and W/ included
	LastModified time.Time `json:"lastModified,omitempty"` // as sent; zero when it was not
	Verified     time.Time `json:"verified"`               // last time the upstream confirmed or sent it
	Token        string    `json:"token,omitempty"`        // cache token of the repository at that time
}

// Component is a group/name/version that assets belong to. It exists as long as it has an asset.
type Component struct {
	Coordinates
	Kind          string
	Created       time.Time
	Updated       time.Time         // when the record last changed
	Attributes    map[string]string // the format's attributes
	ID            uint64            // as Asset.ID
	RecordVersion uint64            // record version for conditional updates
}

// Node is one entry of a folder in the browse tree. It is a folder, an asset, or both at once.
type Node struct {
	Name   string // last segment; below the depth that the tree keeps, all that is left of the path
	Path   string // browse path without a final slash, unless the asset's own path has one
	Folder bool   // has entries below it
	Count  int64  // assets beneath, when it is a folder
	Asset  *Asset // the asset that hangs here, nil when there is none
}

// Usage counts what a repository holds.
type Usage struct {
	Assets     int64
	Components int64
	Bytes      int64 // sum of asset sizes; shared blobs count each time
}

// StoreUsage counts what the records of all repositories reach in one blob store.
type StoreUsage struct {
	Blobs int64 // distinct blobs
	Bytes int64 // sum of their sizes
}

// ReferencedBlob is a blob that assets name.
type ReferencedBlob struct {
	Hash   blob.Hash
	Size   int64 // bytes, as the assets say
	Assets int64 // that name it
}

// Match is an asset found across repositories, with the content tree it is in.
type Match struct {
	Content string
	Asset   *Asset
}

// Change is one entry of a repository's change feed.
type Change struct {
	Sequence  string // sorts in the order of changes of one repository
	Time      time.Time
	Kind      ChangeKind
	Path      string
	Asset     uint64            // number of the asset; 0 in entries that an earlier version wrote, which have nothing of what follows
	Created   bool              // the path did not exist before
	Actor     string            // who made the change: the uploader with the address, else what Options.Actor said
	Component *ChangedComponent // nil when no component changed with the asset
}

// ChangedComponent is what a change of an asset did to its component.
type ChangedComponent struct {
	Coordinates
	ID     uint64
	Change ComponentChange
}

// ComponentChange says what happened to a component.
type ComponentChange string

// What happens to components: one comes with its first asset and goes with the last.
const (
	ComponentCreated ComponentChange = "created"
	ComponentUpdated ComponentChange = "updated"
	ComponentDeleted ComponentChange = "deleted"
)

// ChangeKind says what happened to a path.
type ChangeKind string

// The kinds of changes.
const (
	ChangePut    ChangeKind = "put"
	ChangeDelete ChangeKind = "delete"
)

// PutCondition restricts a Put.
type PutCondition uint8

// The conditions of a Put.
const (
	PutAlways    PutCondition = iota // store it whatever is there
	PutIfAbsent                      // the path must not exist
	PutIfVersion                     // the path must exist with exactly Asset.Version
)

// PutOptions tune one Put. The zero value stores the asset whatever is there.
type PutOptions struct {
	If PutCondition
	// Fresh says that neither the path nor its blob is believed to be there yet, as when a repository is filled for the first time.
	// It saves the reading of what is not there. Where it is not so, the write takes longer and ends as without.
	Fresh bool
	// ComponentKind is kept with the asset's component; "" leaves the component's kind as it is.
	ComponentKind string
	// ComponentAttributes are merged into the attributes of the asset's component.
	ComponentAttributes map[string]string
	// ComponentCreated and ComponentUpdated are the dates that another server gave the component: the earlier creation and the later
	// update count. Zero means that the component is made or changed now.
	ComponentCreated, ComponentUpdated time.Time
	// Settles is the request to make a document anew that this write fulfils. One that came after it stays.
	Settles Stale
}

// RemoveOptions tune one Remove. The zero value removes the asset whatever its version.
type RemoveOptions struct {
	Version uint64   // 0 means any
	Stale   []string // paths of at most 16 documents that tell of the asset and have to be made anew
	Forget  bool     // the asset was deleted where it came from: it leaves no Deletion
}

// ComponentQuery selects components, in the bytewise order of group, name, version. The zero value selects all.
type ComponentQuery struct {
	Group *string      // only this group
	Name  *string      // only this name; needs Group
	After *Coordinates // only those behind this one, which need not exist any more
}
