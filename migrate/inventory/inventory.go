// Package inventory is the neutral description of what an old server holds. Every source (a blob store alone, a stopped data
// directory, a living server) produces it; one importer writes it. It uses the project's own words: hosted, cache, proxy.
//
// The small things (repositories and what hangs on them, accounts, settings) are one value; the assets, which may be millions, are
// a stream.
package inventory

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"time"

	"entrepot/app/access"
	"entrepot/app/repository"
	"entrepot/formats"
	"entrepot/storage/blob"
	"entrepot/storage/catalog"
)

// Source is an old server. Only a Mover ever changes it, and only when it is told to.
type Source interface {
	// Describe reads everything but the assets.
	Describe(ctx context.Context) (*Inventory, error)
	// Assets delivers every asset that is to come over, in any order. An error that is a *Problem concerns one asset and does not
	// end the stream; any other does.
	Assets(ctx context.Context) iter.Seq2[*Asset, error]
	// Open opens an asset's bytes. The caller closes it.
	Open(ctx context.Context, a *Asset) (io.ReadCloser, error)
}

// Mover is a Source whose bytes can be taken away, for an import that needs their room.
type Mover interface {
	// Remove removes an asset's bytes from the source. Bytes that are gone already are no error.
	Remove(ctx context.Context, a *Asset) error
}

// Inventory is what a source holds beside assets.
type Inventory struct {
	Origin   string // what was read, for people
	SystemID string // identity of the old installation, "" when the source does not tell
	// Installation is the identity that several ways to read one installation have in common, where it is not SystemID.
	Installation string
	// Complete says that the source has all that its installation holds, so that what an earlier import brought and is not in it any
	// more was deleted there.
	Complete bool
	// Living says that the source serves clients while it is read, so that it may tell of a later download each time it is asked.
	Living bool

	BlobStores   []BlobStore
	RoutingRules []repository.RoutingRule
	Repositories []Repository
	Access       Access
	System       System
	Upkeep       Upkeep
	Records      []Record
	Tables       []Table // of a database, that have no place in the above

	Assets int64 // how many the stream will deliver
	Bytes  int64 // and their size together
	Notes  []string
	// Warnings are what is wrong with the source itself: the report of an import repeats them.
	Warnings []string
}

// BlobStore is a blob store of the old server.
type BlobStore struct {
	repository.BlobStore
	Bytes int64  // of the assets whose blobs lie in it
	Note  string // what an administrator should know, "" for nothing
}

// Repository is a repository of the old server.
type Repository struct {
	repository.Definition
	Guessed bool   // the source knows only its name; format and kind were guessed from the content
	Skip    string // why it cannot come over; "" when it can
	Note    string // what an administrator should know, "" for nothing
	Assets  int64
	Bytes   int64
}

// Access is who may do what on the old server. All of it is kept as it was there, password hashes included.
type Access struct {
	Selectors   []access.Selector
	Privileges  []access.Privilege
	Roles       []access.RoleInput
	Users       []access.ImportedUser
	Tokens      []Token
	Anonymous   *access.Anonymous         // nil when the source does not tell
	Realms      []string                  // the active ones in order; nil when the source does not tell
	UserTokens  *access.UserTokenSettings // nil when the source does not tell
	DefaultRole string                    // of every signed-in user, "" for none
}

// Token is a key that its owner's clients have in their settings.
type Token struct {
	access.Token
	Text repository.Secret // as clients send it, without the domain before it; NAMECODE:PASSCODE of a user token
	Hash repository.Secret // of the pass code of a user token whose text is not known; its name is the name code
}

// Record is a setting that has no place in the server yet, kept for the day it has one.
type Record struct {
	Section string // what kind of setting: "cleanup-policies", "tasks", "email" …
	Name    string // unique in the section
	Value   json.RawMessage
	// Secrets are members of Value by their path ("proxy.http.authentication.password"); Value does not hold them.
	Secrets map[string]repository.Secret
}

// Table is a table of the source's database that has rows and nothing here that they become.
type Table struct {
	Name   string      `json:"name"`
	Rows   int64       `json:"rows"`
	Action TableAction `json:"action"`
	Why    string      `json:"why"`
}

// TableAction is what becomes of the rows of a table.
type TableAction string

// The actions on tables.
const (
	TableKeep  TableAction = "keep"  // as records
	TableSkip  TableAction = "skip"  // nobody misses them
	TableLeave TableAction = "leave" // they stay behind
)

// OrderRepositories puts members before those that have them, and else goes by name.
func (inv *Inventory) OrderRepositories() {
	order := []formats.Kind{formats.Hosted, formats.Cache, formats.Proxy}
	slices.SortStableFunc(inv.Repositories, func(a, b Repository) int {
		if a.Kind != b.Kind {
			return slices.Index(order, a.Kind) - slices.Index(order, b.Kind)
		}
		return strings.Compare(a.Name, b.Name)
	})
}

// WritePolicy translates what an old server lets clients do to stored paths.
func WritePolicy(text string) repository.WritePolicy {
	switch p := repository.WritePolicy(strings.ToUpper(text)); p {
	case repository.WriteOnce, repository.WriteDeny:
		return p
	case "REPLICATION_ONLY": // clients could not write
		return repository.WriteDeny
	}
	return repository.WriteAllow
}

// Signs reports whether a section of a repository's settings holds the keys that it signs with: every member of it is a secret.
func Signs(section string) bool {
	return section == "aptSigning" || section == "yumSigning" || section == "terraformSigning"
}

// DefaultAge is how long an old server trusts what a cache has when nothing is said.
const DefaultAge = 24 * time.Hour

// Asset is a path of the old server with where its bytes lie.
type Asset struct {
	Repository  string
	Path        string // decoded, begins with "/"
	Blob        string // the source's own name of the bytes, for Open and for reports
	Size        int64  // bytes; -1 when the source does not say
	Digests     blob.Digests
	ContentType string

	Created        time.Time // when the path was first stored; zero, as with all dates, when the source does not say
	Updated        time.Time // when the record last changed
	BlobCreated    time.Time
	BlobUpdated    time.Time // when the path got this blob
	LastDownloaded time.Time
	Uploader       string
	UploaderIP     string

	Kind                string // the format's word for what it is
	Attributes          map[string]string
	Component           *catalog.Coordinates
	ComponentKind       string
	ComponentAttributes map[string]string
	ComponentCreated    time.Time
	ComponentUpdated    time.Time
	Upstream            *catalog.Upstream // of caches
}

// Restored is the asset as it is stored here.
func (a *Asset) Restored() repository.Restored {
	return repository.Restored{
		Path: a.Path, ContentType: a.ContentType, Size: a.Size, Digests: a.Digests, Created: a.Created, Updated: a.Updated,
		BlobCreated: a.BlobCreated, BlobUpdated: a.BlobUpdated, LastDownloaded: a.LastDownloaded, Uploader: a.Uploader, UploaderIP: a.UploaderIP,
		Upstream: a.Upstream, Kind: a.Kind, Attributes: a.Attributes, Component: a.Component,
		ComponentKind: a.ComponentKind, ComponentAttributes: a.ComponentAttributes, ComponentCreated: a.ComponentCreated, ComponentUpdated: a.ComponentUpdated,
	}
}

// Problem is why one asset does not come over.
type Problem struct {
	Repository string
	Path       string
	Blob       string
	Reason     string
}

func (p *Problem) Error() string {
	if p.Path == "" {
		return fmt.Sprintf("blob %s: %s", p.Blob, p.Reason)
	}
	return fmt.Sprintf("%s%s (blob %s): %s", p.Repository, p.Path, p.Blob, p.Reason)
}

// Adoptable is a Source whose bytes lie in folders, from which they can be served.
type Adoptable interface {
	// Folders gives the absolute folders of the blob stores that can be served from, by the stores' names; several of a group.
	// Describe has to come before.
	Folders() map[string][]string
	// Place tells where in these folders an asset's bytes lie. It is false for those that lie elsewhere.
	Place(a *Asset) (Place, bool)
}

// Place is where bytes lie in a blob store of files.
type Place struct {
	Store   string
	ID      string
	Created time.Time // zero when the blob does not lie by its date
}
