package maven2

import (
	"cmp"
	"slices"

	"deps.dev/util/semver"
)

// maxVersion is the length beyond which a version is no version, in bytes; such are ordered as plain text.
const maxVersion = 256

// sortVersions orders versions as Maven does, oldest first, and drops repetitions. Versions that Maven holds for equal, like 1 and
// 1.0, stay apart, in bytewise order.
func sortVersions(versions []string) []string {
	type parsed struct {
		text    string
		version *semver.Version // nil for text that is no version: before all others
	}
	list := make([]parsed, len(versions))
	for i, text := range versions {
		list[i].text = text
		if len(text) > maxVersion {
			continue
		}
		if v, err := semver.Maven.Parse(text); err == nil {
			list[i].version = v
		}
	}
	slices.SortFunc(list, func(a, b parsed) int {
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
	})
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
