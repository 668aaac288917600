package maven2

import (
	"strings"

	"entrepot/formats"
)

// Admit implements formats.Admitter. A proxy admits everything: its members decide.
func (f *Format) Admit(r formats.Repository, it formats.Item, write bool) error {
	if r.Kind == formats.Proxy {
		return nil
	}
	l := locate(it.Path)
	if r.Settings[SettingLayoutPolicy] != Permissive && !inLayout(r.Kind, l) {
		switch {
		case write:
			return formats.Errorf(formats.Denied, " Invalid mavenPath for a Maven 2 repository") // clients know it with this blank
		case r.Kind == formats.Cache && l.kind != kindListing:
			return formats.Errorf(formats.NotFound, "")
		}
	}
	if refusal := versionRefusal(r.Settings[SettingVersionPolicy], l, it.Title); refusal != "" {
		if write {
			return formats.Errorf(formats.Denied, "%s", refusal)
		}
		return formats.Errorf(formats.NotFound, "%s", refusal)
	}
	return nil
}

// inLayout tells the paths that a strict repository knows. A hosted one has no use for an index that clients send.
func inLayout(k formats.Kind, l location) bool {
	switch l.kind {
	case kindArtifact, kindMetadata, kindCatalog:
		return true
	case kindIndex:
		return k == formats.Cache
	}
	return false
}

// versionRefusal gives the reason why a version policy does not allow a path, "" when it does.
func versionRefusal(policy string, l location, title string) string {
	if policy == "" {
		policy = Release
	}
	const toldFrom = "Repository version policy: "
	switch l.kind {
	case kindArtifact:
		if !allows(policy, l.coords.base) {
			return toldFrom + policy + " does not allow version: " + l.coords.version
		}
	case kindMetadata:
		folder, _ := cutLast(l.main)
		if policy == Release && strings.HasSuffix(folder, "-"+snapshot) {
			return toldFrom + policy + " does not allow metadata in path: " + title
		}
	}
	return ""
}

func allows(policy, base string) bool {
	switch policy {
	case Release:
		return !isSnapshot(base)
	case Snapshot:
		return isSnapshot(base)
	}
	return true
}
