package maven2

import (
	"cmp"
	"slices"

	"deps.dev/util/semver"

	"entrepot/storage/catalog"
)

// maxVersion is the length beyond which a version is no version, in bytes; such are ordered as plain text.
const maxVersion = 256

// parsedVersion is a version with its text.
type parsedVersion struct {
	text    string
	version *semver.Version // nil for text that is no version: before all others
}

func parseVersion(text string) parsedVersion {
	p := parsedVersion{text: text}
	if len(text) > maxVersion {
		return p
	}
	if v, err := semver.Maven.Parse(text); err == nil {
		p.version = v
	}
	return p
}

func (a parsedVersion) compare(b parsedVersion) int {
	switch {
	case a.version == nil && b.version != nil:
		return -1
	case a.version != nil && b.version == nil:
		return 1
	case a.version != nil:
		if order := a.version.Compare(b.version); order != 0 {
			return order
		}
	}
	return cmp.Compare(a.text, b.text)
}

// CompareVersions implements formats.VersionOrderer.
func (f *Format) CompareVersions(a, b string) int { return parseVersion(a).compare(parseVersion(b)) }

// Prerelease implements formats.Releaser: snapshots are under development.
func (f *Format) Prerelease(c *catalog.Component) bool {
	return isSnapshot(cmp.Or(c.Attributes[attrBase], baseVersion(c.Version)))
}

// sortVersions orders versions as Maven does, oldest first, and drops repetitions. Versions that Maven holds for equal, like 1 and
// 1.0, stay apart, in bytewise order.
func sortVersions(versions []string) []string {
	list := make([]parsedVersion, len(versions))
	for i, text := range versions {
		list[i] = parseVersion(text)
	}
	slices.SortFunc(list, parsedVersion.compare)
	sorted := make([]string, len(list))
	for i := range list {
		sorted[i] = list[i].text
	}
	return slices.Compact(sorted)
}

// lastRelease gives the newest version that is no snapshot, "" when there is none.
func lastRelease(sorted []string) string {
	for _, version := range slices.Backward(sorted) {
		if !isSnapshot(version) {
			return version
		}
	}
	return ""
}
