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

// Asset is a path in a repository with its blob and what is known about it.
type Asset struct {
	Path        string       // decoded, begins with "/"
	Kind        string       // the format's word for what it is, may be empty
	Component   *Coordinates // nil when it belongs to none
	Blob        BlobRef
	Size        int64 // bytes
	Digests     blob.Digests
	ContentType string

	Created        time.Time // first time this path was stored
	BlobCreated    time.Time // when the present blob was stored: Last-Modified of hosted content
	BlobUpdated    time.Time // when the path last got a blob
	LastDownloaded time.Time // zero when never; kept with the precision of Options.DownloadInterval
	Uploader       string    // user id, "system" or "anonymous"
	UploaderIP     string

	Format   map[string]string // the format's attributes, as REST shows them
	Upstream *Upstream         // only on assets of a cache

	// ID is the number behind the REST id, set by the catalog, unique in the repository, never 0.
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

// Component is a group/name/version that assets belong to.
type Component struct {
	Coordinates
	Kind          string
	Created       time.Time
	Updated       time.Time
	Attributes    map[string]string // the format's attributes
	ID            uint64            // as Asset.ID
	RecordVersion uint64            // record version for conditional updates
}

// Node is one entry of a folder in the browse tree.
type Node struct {
	Name      string // last segment
	Path      string // browse path without a final slash
	Folder    bool   // has entries below it
	Asset     string // asset path, when an asset hangs here
	Component *Coordinates
}

// Usage counts what a repository or a blob store holds.
type Usage struct {
	Assets     int64
	Components int64
	Bytes      int64 // sum of asset sizes; shared blobs count each time
}

// Change is one entry of a repository's change feed.
type Change struct {
	Sequence string // sorts in the order of changes of one repository
	Time     time.Time
	Kind     ChangeKind
	Path     string
}

// ChangeKind says what happened to a path.
type ChangeKind string

// The kinds of changes.
const (
	ChangePut    ChangeKind = "put"
	ChangeDelete ChangeKind = "delete"
)
