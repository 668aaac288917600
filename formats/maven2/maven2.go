// Package maven2 is the Maven repository layout: group/artifact/version/file, the maven-metadata.xml documents that list versions,
// snapshots and plugins, the checksum and signature files beside everything, and the archetype catalog.
//
// Clients write the metadata of a hosted repository themselves; it is stored as it comes and made anew only after components were
// deleted on purpose. A proxy merges the metadata and catalogs of its members, and computes their checksum files from what it
// merged. Snapshots are stored under their time-stamped names: a component is one build, and its attribute baseVersion is the
// version people speak of.
//
// Settings:
//
//	versionPolicy       RELEASE (default), SNAPSHOT or MIXED: which versions may be stored and asked for
//	layoutPolicy        STRICT (default): only paths of the layout, or PERMISSIVE
//	contentDisposition  INLINE (default) or ATTACHMENT
//
// Everything parsed comes from clients or upstreams: documents are bounded in size and depth, and XML entities are not expanded
// beyond those that stand for one character.
package maven2

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"entrepot/formats"
	"entrepot/storage/catalog"
)

// Name is the id of the format.
const Name = "maven2"

// The settings of a repository and their values.
const (
	SettingVersionPolicy      = "versionPolicy"
	SettingLayoutPolicy       = "layoutPolicy"
	SettingContentDisposition = "contentDisposition"

	Release    = "RELEASE"
	Snapshot   = "SNAPSHOT"
	Mixed      = "MIXED"
	Strict     = "STRICT"
	Permissive = "PERMISSIVE"
	Inline     = "INLINE"
	Attachment = "ATTACHMENT"
)

// Attributes of assets and components.
const (
	attrGroup       = "groupId"
	attrArtifact    = "artifactId"
	attrVersion     = "version"
	attrBase        = "baseVersion"
	attrClassifier  = "classifier"
	attrExtension   = "extension"
	attrPackaging   = "packaging"
	attrName        = "pom_name"
	attrDescription = "pom_description"
)

const (
	xmlType  = "application/xml"
	textType = "text/plain"
)

// Options tune the format; the zero value is the default.
type Options struct {
	Now func() time.Time // the clock of rebuilt metadata; nil means time.Now
}

// Format is the Maven 2 format.
type Format struct {
	now func() time.Time
}

var (
	_ formats.Format     = (*Format)(nil)
	_ formats.Admitter   = (*Format)(nil)
	_ formats.Configurer = (*Format)(nil)
	_ formats.Describer  = (*Format)(nil)
	_ formats.Generator  = (*Format)(nil)
	_ formats.Merger     = (*Format)(nil)
	_ formats.Promiser   = (*Format)(nil)
	_ formats.Rebuilder  = (*Format)(nil)
	_ formats.Uploader   = (*Format)(nil)
	_ formats.Verifier   = (*Format)(nil)
)

// New makes the format. opts may be nil.
func New(opts *Options) *Format {
	f := &Format{now: time.Now}
	if opts != nil && opts.Now != nil {
		f.now = opts.Now
	}
	return f
}

// Name implements formats.Format.
func (f *Format) Name() string { return Name }

// Classify implements formats.Format.
func (f *Format) Classify(r formats.Repository, path string) formats.Item {
	l := locate(path)
	item := formats.Item{
		Path:        path,
		Title:       strings.TrimPrefix(path, "/"),
		Route:       formats.RouteDocument,
		AssetKind:   "OTHER",
		ContentType: contentType(l),
		Declared:    l.checksum != "",
		Mutable:     l.subordinate() || l.kind == kindMetadata || l.kind == kindCatalog || l.kind == kindIndex,
		Metadata:    l.kind == kindMetadata || l.kind == kindCatalog || l.kind == kindIndex,
		MD5:         true,
		SHA512:      true,
	}
	switch l.kind {
	case kindMetadata:
		item.Class, item.AssetKind, item.Whole = "metadata", "REPOSITORY_METADATA", true
	case kindCatalog:
		item.Class, item.AssetKind = "catalog", "REPOSITORY_METADATA"
		if r.Kind == formats.Hosted {
			item.Methods = []string{http.MethodGet, http.MethodHead}
		}
	case kindIndex:
		item.Class, item.AssetKind = "index", "REPOSITORY_INDEX"
		item.Local = r.Kind == formats.Proxy
	default:
		f.classifyFile(r, l, &item)
	}
	if r.Kind == formats.Proxy && (l.kind == kindMetadata || l.kind == kindCatalog) && !l.signature {
		item.Source = l.main
	}
	return item
}

// classifyFile completes the item of an artifact, of what stands beside it, and of paths outside of the layout.
func (f *Format) classifyFile(r formats.Repository, l location, item *formats.Item) {
	item.Route = formats.RouteAsset
	item.Disposition = true
	switch {
	case l.kind == kindListing:
		item.Class, item.Route = "listing", formats.RouteListing
		item.Local = r.Kind == formats.Cache && r.Settings[SettingLayoutPolicy] != Permissive
	case l.kind == kindOther && strings.HasPrefix(item.Path, "/.meta/"):
		item.Class = "other"
		item.Local = r.Kind == formats.Cache
		item.Disposition = r.Kind != formats.Cache
	case l.kind == kindOther:
		item.Class = "other"
	case l.subordinate():
		item.Class, item.AssetKind = "checksum", "ARTIFACT_SUBORDINATE"
		if l.checksum == "" {
			item.Class = "signature"
		}
	default:
		item.Class, item.AssetKind = "artifact", "ARTIFACT"
	}
	if l.kind == kindArtifact {
		item.Component, item.Attributes, item.ComponentAttributes = describe(l)
	}
}

// describe gives a file's component and the attributes of both.
func describe(l location) (*catalog.Coordinates, map[string]string, map[string]string) {
	c := l.coords
	component := map[string]string{
		attrGroup: c.group, attrArtifact: c.artifact, attrVersion: c.version, attrBase: c.base,
	}
	asset := maps.Clone(component)
	asset[attrExtension] = c.extension
	if l.signature {
		asset[attrExtension] += ".asc"
	}
	if l.checksum != "" {
		asset[attrExtension] += "." + l.checksum
	}
	if c.hasClassifier {
		asset[attrClassifier] = c.classifier
	}
	return &catalog.Coordinates{Group: c.group, Name: c.artifact, Version: c.version}, asset, component
}

// contentType gives the types that Maven's own files have whatever they hold. "" leaves the others to name and bytes.
func contentType(l location) string {
	switch {
	case l.checksum != "":
		return ""
	case l.signature:
		return "application/pgp-signature"
	case l.kind == kindMetadata, l.kind == kindCatalog, l.kind == kindArtifact && l.coords.extension == "pom":
		return xmlType
	}
	return ""
}

// Promise implements formats.Promiser: what stands for itself has a .sha1 beside it. Digests by algorithms that the layout does not
// know, such as .sha224, stand for nothing either.
func (f *Format) Promise(_ formats.Repository, it formats.Item) (path, algorithm string) {
	l := locate(it.Path)
	if l.kind != kindArtifact || l.subordinate() || strings.HasPrefix(l.coords.extension, "sha") {
		return "", ""
	}
	return it.Path + ".sha1", "sha1"
}

// Configure implements formats.Configurer.
func (f *Format) Configure(_ formats.Kind, settings map[string]string) (map[string]string, error) {
	configured := maps.Clone(settings)
	if configured == nil {
		configured = map[string]string{}
	}
	var refusals formats.FieldErrors
	for _, setting := range []struct {
		name   string
		values []string // the default first, unless it is not written down: clients compare what they sent with what they read
	}{
		{SettingVersionPolicy, []string{Release, Snapshot, Mixed}},
		{SettingLayoutPolicy, []string{Strict, Permissive}},
		{SettingContentDisposition, []string{"", Inline, Attachment}},
	} {
		switch value := configured[setting.name]; {
		case value == "" && setting.values[0] != "":
			configured[setting.name] = setting.values[0]
		case !slices.Contains(setting.values, value):
			refusals = append(refusals, formats.FieldError{
				Field: setting.name, Message: setting.name + " must be one of " + strings.TrimPrefix(strings.Join(setting.values, ", "), ", "),
			})
		}
	}
	if len(refusals) > 0 {
		return nil, refusals
	}
	return configured, nil
}
