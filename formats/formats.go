// Package formats states what a package ecosystem's protocol is to the rest of the program. A format says what its paths mean; the
// engine (app/repository) does the rest: authorisation, policies, storing, caching, merging order, conditionals. Required is only
// Format; everything else is an optional one-method ability found by type assertion.
//
// Formats know nothing of users, of HTTP servers, or of each other. A path is always decoded, begins with "/", and has no empty,
// "." or ".." segments except a possible trailing "/".
package formats

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"time"

	"entrepot/storage/blob"
	"entrepot/storage/catalog"
)

// Kind is how a repository gets its content.
type Kind string

// The kinds of repositories.
const (
	Hosted Kind = "hosted" // we own the content
	Cache  Kind = "cache"  // pull-through copy of an upstream
	Proxy  Kind = "proxy"  // ordered members behind one URL
)

// Repository is what a format sees of a repository.
type Repository struct {
	Name     string
	Kind     Kind
	Settings map[string]string // the format's own settings, for example versionPolicy=RELEASE
	Strict   bool              // content must be what its name says
}

// Request is a client's request inside one repository.
type Request struct {
	Method   string // upper case for the methods that HTTP knows, else as sent
	Path     string // decoded path inside the repository
	Query    url.Values
	RawQuery string
	Header   http.Header
	Body     io.Reader // nil when there is none; limited and deadline-guarded by the edge
	Size     int64     // Content-Length in bytes; -1 when unknown
	BaseURL  string    // external URL of the repository without a final slash
}

// Route says what kind of thing a path is.
type Route uint8

// The routes.
const (
	RouteNone      Route = iota // nothing of this format; see Item.Unmatched
	RouteAsset                  // a stored file
	RouteDocument               // a document that is stored, or generated or merged when the format can (metadata, indexes)
	RouteListing                // a directory-like URL; for other methods than GET it is an asset like any other
	RouteOperation              // an endpoint that is not "store this path"; needs Operator
)

// Item is what a path means in a repository.
type Item struct {
	Path                string // asset path
	Title               string // how messages call it, for example without the leading "/"; "" means Path
	Route               Route
	Class               string // route class for metrics, a small closed set per format, for example "artifact"
	AssetKind           string // the format's word, stored with the asset
	Component           *catalog.Coordinates
	Attributes          map[string]string // stored with the asset
	ComponentKind       string            // stored with the component; "" leaves what is there
	ComponentAttributes map[string]string // stored with the component
	ContentType         string            // forced; "" means by name and bytes, see contenttype.Stored
	Declared            bool              // without ContentType: the type is what the sender declared, else application/octet-stream
	Mutable             bool              // may be overwritten under the write policy "once"
	Metadata            bool              // ages by metadata max age, not by content max age
	MD5                 bool              // take MD5 too
	SHA512              bool              // take SHA-512 too
	Methods             []string          // methods this route allows in this kind of repository, for 405; nil means the engine's default
	Only                []string          // methods that the path means something to; to others it is RouteNone. nil means all
	Unmatched           ErrorKind         // RouteNone: the refusal, NotFound (also when zero) or Invalid
	Indexes             []string          // RouteListing: names tried below the folder; nil means that the edge shows its landing page
	Disposition         bool              // answers to GET carry Content-Disposition, from Settings["contentDisposition"]
	Whole               bool              // ranges are ignored
	Local               bool              // a cache does not ask its upstream for it, a proxy not its members
	Source              string            // in a proxy that merges: path of the members' documents this one is made from; "" means Path
}

// Format is a package ecosystem's protocol.
type Format interface {
	// Name is the id users know, for example "maven2".
	Name() string
	// Classify says what a path means. It never fails: an alien path is RouteNone.
	Classify(r Repository, path string) Item
}

// Admitter refuses paths by the repository's layout and version policy.
type Admitter interface {
	// Admit returns nil or an *Error. write tells storing from reading and deleting.
	Admit(r Repository, it Item, write bool) error
}

// Configurer knows the format's own settings of a repository.
type Configurer interface {
	// Configure returns the settings with the defaults of the kind filled in, or FieldErrors. It changes nothing in place.
	Configure(kind Kind, settings map[string]string) (map[string]string, error)
}

// Generator makes a document from the catalog: an archetype catalog, a simple index, a package list.
type Generator interface {
	// Generate returns the document, or ErrNotGenerated when this item is none that is generated here and now.
	Generate(ctx context.Context, r Repository, it Item, src Source) (*Document, error)
}

// Merger makes one document out of the members' documents of a proxy.
type Merger interface {
	// Merges reports whether the item is merged at all; else the first member that has it answers.
	Merges(r Repository, it Item) bool
	// Merge joins the documents, in member order. At least one is given.
	Merge(ctx context.Context, r Repository, it Item, docs []*Document) (*Document, error)
}

// Verifier checks a body against what the format promises, before it is committed.
type Verifier interface {
	// Verify returns nil or an *Error. body reads the whole spooled content; info has its digests.
	Verify(ctx context.Context, r Repository, it Item, body io.ReaderAt, info blob.Info) error
}

// Describer completes an item with what only its body tells, for example the packaging that a POM declares. It is called after
// Verify, for everything that is to be stored.
type Describer interface {
	// Describe returns the item with more attributes. It never refuses: from a body that it cannot read it takes nothing.
	Describe(ctx context.Context, r Repository, it Item, body io.ReaderAt, info blob.Info) Item
}

// Promiser names the sibling document in which an upstream promises an asset's digest, for example foo.jar.sha1.
type Promiser interface {
	// Promise returns the sibling's path and the algorithm ("sha1", "sha256", "sha512", "md5"); "" when there is none.
	Promise(r Repository, it Item) (path, algorithm string)
}

// Source is read access to one repository's content, for generators.
type Source interface {
	// Content is the repository's catalog tree.
	Content() *catalog.Content
	// Open opens an asset's bytes. The caller closes it.
	Open(ctx context.Context, a *catalog.Asset) (blob.Object, error)
}

// Rebuilder makes stored documents anew after components were deleted on purpose, for example Maven's version lists.
type Rebuilder interface {
	// Derived gives the paths of the documents that tell of a component, without their checksum files.
	Derived(r Repository, c catalog.Component) []string
	// Rebuild gives the document at a path and its checksum files, each with its Path, to be stored, or, without a Body, to be deleted
	// because nothing is left to tell of. None means that only the document itself is deleted.
	Rebuild(ctx context.Context, r Repository, path string, src Source) ([]*Document, error)
}

// Releaser tells versions under development from released ones, for policies that treat them differently.
type Releaser interface {
	// Prerelease reports whether a component is a version under development.
	Prerelease(c *catalog.Component) bool
}

// VersionOrderer knows the order of versions.
type VersionOrderer interface {
	// CompareVersions is negative when a is older than b, positive when it is newer, and 0 only when they are the same text.
	CompareVersions(a, b string) int
}

// Uploader takes components from a form: the REST API's upload or the user interface. Documents that tell of the components, see
// Rebuilder, are made anew after an upload.
type Uploader interface {
	// UploadSpec describes the form.
	UploadSpec() UploadSpec
	// Plan checks the fields and says where each file goes. Its refusals are FieldErrors or *Error.
	Plan(ctx context.Context, r Repository, u *Upload) ([]UploadTarget, error)
}

// UploadSpec describes a form. Every file has an implicit field for its content.
type UploadSpec struct {
	Multiple  bool // more than one file
	Derived   bool // component fields that are missing may be told by a file: Plan finds them or refuses with UploadField.Missing
	Component []UploadField
	Asset     []UploadField
}

// UploadField is one field of a form.
type UploadField struct {
	Name     string // as sent, for example "groupId"
	Display  string // as messages call it, for example "Group ID"
	Help     string
	Group    string // heading
	Boolean  bool   // else text
	Optional bool
}

// Missing is the refusal of a form in which a component field is not filled in.
func (f UploadField) Missing() FieldError {
	return FieldError{Field: f.Name, Message: "Missing required component field '" + f.Display + "'"}
}

// Upload is a filled-in form. Values are trimmed and not empty; only fields of the form are there, and all that are not optional,
// component fields only when UploadSpec.Derived is false.
type Upload struct {
	Fields map[string]string
	Files  []UploadFile
}

// UploadFile is one file of a form.
type UploadFile struct {
	Key    string // what messages call it: its number, from "1"
	Fields map[string]string
	Body   io.ReaderAt
	Size   int64
}

// UploadTarget is where something of an upload goes.
type UploadTarget struct {
	Path string
	File int    // index into Upload.Files; -1 when Body is what goes there
	Body []byte // a generated document
	Type string // the content type that Body is declared to have
}

// Document is a body small enough to be made in memory, bounded by the format's limits.
type Document struct {
	Path         string // for Rebuild
	Body         []byte
	ContentType  string
	LastModified time.Time // zero means now
	ETag         string    // from Merge: sent as it is, only on the answer that made the document
	Member       string    // for Merge: the member it came from
}

// Response is a finished answer. Nothing below the edge writes to a connection.
type Response struct {
	Status int
	Reason string      // reason phrase; "" means the standard one
	Header http.Header // may be shared with other answers: clone before changing
	Body   Body
	// Landing asks the edge for its page about the repository; there is no Body then.
	Landing bool
}

// Body is one of: nothing, a part of a blob, bytes, or a stream.
type Body struct {
	Blob   *catalog.BlobRef // opened by the edge through the engine, and not at all for HEAD
	Offset int64            // first byte of the blob wanted
	Bytes  []byte
	Stream io.ReadCloser // closed by the edge
	Size   int64         // bytes of the body: of the wanted part of the blob, or of the stream; -1 when unknown
}
