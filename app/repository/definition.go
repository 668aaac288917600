package repository

import (
	"time"

	"entrepot/formats"
)

// Definition is a repository as its administrator describes it. The zero value of a section means its documented default.
type Definition struct {
	Name      string            `json:"name"` // unique ignoring case; letters, digits, "_", "-", "."
	Format    string            `json:"format"`
	Kind      formats.Kind      `json:"kind"`
	Online    bool              `json:"online"`
	BlobStore string            `json:"blobStore"`
	Strict    bool              `json:"strictContentTypeValidation"`
	Settings  map[string]string `json:"settings,omitempty"` // the format's own, for example versionPolicy=RELEASE
	Secrets   map[string]Secret `json:"-"`                  // those of the format's settings that are kept sealed, see FormatSettings

	Write       WritePolicy `json:"writePolicy,omitempty"`  // hosted
	LatestTag   bool        `json:"latestPolicy,omitempty"` // docker: "latest" may be overwritten under WriteOnce
	Proprietary bool        `json:"proprietaryComponents,omitempty"`
	Cleanup     []string    `json:"cleanup,omitzero"` // cleanup policy names; nil when none were ever given

	Upstream      *Upstream     `json:"upstream,omitempty"`     // cache
	NegativeCache NegativeCache `json:"negativeCache,omitzero"` // cache
	RoutingRule   string        `json:"routingRule,omitempty"`  // name of a rule, "" for none
	Members       []string      `json:"members,omitempty"`      // proxy, in order
	WriteMember   string        `json:"writeMember,omitempty"`  // proxy: member that takes writes, "" for none
	Replication   *Replication  `json:"replication,omitempty"`  // cache: kept for the settings' sake
	// HealthCheck is whether the content of a cache is to be examined. Nothing here does; it is kept for what may. Updates leave it, see
	// SetHealthCheck.
	HealthCheck bool `json:"healthCheck,omitempty"`

	// Content is the id of the catalog tree that holds the repository's assets. The engine sets it.
	Content string `json:"content"`
	// Token changes when the repository's cached content is to be asked for again. The engine sets it.
	Token string `json:"token,omitempty"`
}

// WritePolicy says what clients may do to stored paths of a hosted repository.
type WritePolicy string

// The write policies.
const (
	WriteAllow WritePolicy = "ALLOW"      // create, update, delete
	WriteOnce  WritePolicy = "ALLOW_ONCE" // create and delete, no update
	WriteDeny  WritePolicy = "DENY"       // read only
)

// Upstream is where a cache gets its content from, and how.
type Upstream struct {
	URL            string        `json:"url"`               // "" means not set yet: every miss says how to set it
	ContentMaxAge  time.Duration `json:"contentMaxAge"`     // negative: for ever
	MetadataMaxAge time.Duration `json:"metadataMaxAge"`    // negative: for ever
	Blocked        bool          `json:"blocked,omitempty"` // never ask
	AutoBlock      bool          `json:"autoBlock"`         // stop asking for a while after failures
	Connection     *Connection   `json:"connection,omitempty"`
	Authentication *Credentials  `json:"authentication,omitempty"`
}

// Connection tunes the HTTP client of one cache; zero members mean the server's default.
type Connection struct {
	Retries           *int          `json:"retries,omitempty"` // 0 to 10
	UserAgentSuffix   *string       `json:"userAgentSuffix,omitempty"`
	Timeout           time.Duration `json:"timeout,omitempty"` // 1 s to 3600 s, for connecting and for each silence
	CircularRedirects bool          `json:"enableCircularRedirects"`
	Cookies           bool          `json:"enableCookies"`
	UseTrustStore     bool          `json:"useTrustStore"`
}

// Credentials are what a cache shows its upstream.
type Credentials struct {
	Type       string `json:"type"` // "username", "ntlm" or "bearerToken"
	Username   string `json:"username,omitempty"`
	Password   Secret `json:"password,omitempty"`
	NTLMHost   string `json:"ntlmHost,omitempty"`
	NTLMDomain string `json:"ntlmDomain,omitempty"`
	Bearer     Secret `json:"bearerToken,omitempty"`
	Preemptive *bool  `json:"preemptive,omitempty"` // do not wait for a challenge; nil means that nobody said, which is false
}

// Secret is a string that prints as ***, in JSON too. Records keep it apart, sealed.
type Secret string

// String hides the secret.
func (Secret) String() string { return "***" }

// GoString hides the secret.
func (Secret) GoString() string { return "***" }

// MarshalText hides the secret.
func (Secret) MarshalText() ([]byte, error) { return []byte("***"), nil }

// NegativeCache remembers upstream's 404s.
type NegativeCache struct {
	Enabled bool          `json:"enabled"`
	TTL     time.Duration `json:"timeToLive"` // negative: for ever
}

// Replication is kept for clients that read it back.
type Replication struct {
	PreemptivePull bool   `json:"preemptivePullEnabled"`
	AssetPathRegex string `json:"assetPathRegex,omitempty"`
}

// RoutingRule decides which paths may be asked for.
type RoutingRule struct {
	Name        string   `json:"name"`
	Description string   `json:"description"`
	Mode        RuleMode `json:"mode"`
	Matchers    []string `json:"matchers"` // regular expressions on the whole path
}

// RuleMode says what a match means.
type RuleMode string

// The rule modes.
const (
	RuleBlock RuleMode = "BLOCK" // any match refuses
	RuleAllow RuleMode = "ALLOW" // no match refuses
)

// BlobStore describes a place for blobs.
type BlobStore struct {
	Name string `json:"name"`
	Type string `json:"type"`           // "file" or "group"; further types keep their settings in Attributes
	Path string `json:"path,omitempty"` // file: absolute, or relative to the data folder's "blobs"
	// Members are the names of the blob stores that are filled by turns or one after the other. Only a group has them.
	Members    []string   `json:"members,omitempty"`
	FillPolicy FillPolicy `json:"fillPolicy,omitempty"` // group: which member takes a new blob
	Quota      *SoftQuota `json:"quota,omitempty"`
	// Label names the store in the records of its blobs: the name that it had first, so that it can get another. "" means Name. The
	// engine sets it.
	Label string `json:"label,omitempty"`
	// Attributes are settings of types that this build cannot serve yet.
	Attributes map[string]string `json:"attributes,omitempty"`
}

// Ref is what records of blobs call the store.
func (b BlobStore) Ref() string {
	if b.Label != "" {
		return b.Label
	}
	return b.Name
}

// The types of blob stores that are served.
const (
	BlobStoreFile  = "file"  // lies in a folder
	BlobStoreGroup = "group" // several others as one
)

// FillPolicy says which member of a group takes a new blob. Members that cannot be used are passed over.
type FillPolicy string

// The fill policies.
const (
	FillRoundRobin FillPolicy = "roundRobin"   // each in turn
	FillFirst      FillPolicy = "writeToFirst" // the first
)

// SoftQuota is a limit that is reported, not enforced.
type SoftQuota struct {
	Type  string `json:"type"`  // "spaceRemainingQuota" or "spaceUsedQuota"
	Limit int64  `json:"limit"` // as clients gave it
}
