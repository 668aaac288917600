package maven2

import (
	"bytes"
	"cmp"
	"errors"
	"slices"
	"strings"
)

// metadata is a maven-metadata.xml: of a group (its plugins), an artifact (its versions) or a snapshot (its builds), or any mix.
type metadata struct {
	encoded                  bool // the document declared its encoding
	group, artifact, version string
	latest, release          string
	versions                 []string
	lastUpdated              string // 14 digits
	timestamp, buildNumber   string // of the newest build
	localCopy                string
	builds                   []build
	plugins                  []plugin
}

// build is a snapshotVersion: the newest file of a classifier and extension.
type build struct {
	classifier, extension, value, updated string
}

// plugin maps a prefix of the command line to a plugin of the group.
type plugin struct {
	name, prefix, artifact string
}

var errNoMetadata = errors.New("maven2: not a maven-metadata.xml")

// parseMetadata reads a document of at most maxMetadata bytes. Elements that it does not know are left out.
func parseMetadata(body []byte) (*metadata, error) {
	var (
		m metadata
		b build
		p plugin
	)
	const versioning = "metadata/versioning/"
	const snapshotVersion = versioning + "snapshotVersions/snapshotVersion"
	const pluginPath = "metadata/plugins/plugin"
	fields := map[string]*string{
		"metadata/groupId": &m.group, "metadata/artifactId": &m.artifact, "metadata/version": &m.version,
		versioning + "latest": &m.latest, versioning + "release": &m.release, versioning + "lastUpdated": &m.lastUpdated,
		versioning + "snapshot/timestamp": &m.timestamp, versioning + "snapshot/buildNumber": &m.buildNumber,
		versioning + "snapshot/localCopy": &m.localCopy,
		snapshotVersion + "/classifier":   &b.classifier, snapshotVersion + "/extension": &b.extension,
		snapshotVersion + "/value": &b.value, snapshotVersion + "/updated": &b.updated,
		pluginPath + "/name": &p.name, pluginPath + "/prefix": &p.prefix, pluginPath + "/artifactId": &p.artifact,
	}
	doc, err := walk(bytes.NewReader(body), maxMetadata, func(path, text string) {
		if field, ok := fields[path]; ok {
			*field = text
			return
		}
		switch path {
		case versioning + "versions/version":
			if text != "" {
				m.versions = append(m.versions, text)
			}
		case snapshotVersion:
			m.builds = append(m.builds, b)
			b = build{}
		case pluginPath:
			m.plugins = append(m.plugins, p)
			p = plugin{}
		}
	})
	if err != nil {
		return nil, err
	}
	if doc.root != "metadata" {
		return nil, errNoMetadata
	}
	m.encoded = doc.encoding != ""
	return &m, nil
}

// at reports whether the coordinates in the document are those of its folder. Documents without coordinates are at home
// everywhere. Old clients also wrote the newest version into the document of an artifact.
func (m *metadata) at(folder string) bool {
	if m.group == "" && m.artifact == "" && m.version == "" {
		return true
	}
	home := strings.ReplaceAll(m.group, ".", "/")
	if m.artifact != "" {
		home += "/" + m.artifact
	}
	folder = strings.Trim(folder, "/")
	return folder == home || m.version != "" && folder == home+"/"+m.version
}

// render writes the document in the byte layout of Maven's own writer.
func (m *metadata) render() []byte {
	var w xmlWriter
	w.prolog(m.encoded)
	w.open("metadata", ` modelVersion="1.1.0"`)
	empty := w.Len()
	w.leaf("groupId", m.group)
	w.leaf("artifactId", m.artifact)
	m.renderVersioning(&w)
	w.leaf("version", m.version)
	if len(m.plugins) > 0 {
		w.open("plugins", "")
		for _, p := range m.plugins {
			w.open("plugin", "")
			w.leaf("name", p.name)
			w.leaf("prefix", p.prefix)
			w.leaf("artifactId", p.artifact)
			w.close("plugin")
		}
		w.close("plugins")
	}
	if w.Len() == empty {
		text := strings.TrimSuffix(w.String(), ">\n")
		return []byte(text + " />\n")
	}
	w.close("metadata")
	return []byte(w.String())
}

func (m *metadata) renderVersioning(w *xmlWriter) {
	if m.lastUpdated == "" && len(m.versions) == 0 && len(m.builds) == 0 && m.timestamp == "" && m.latest == "" && m.release == "" {
		return
	}
	w.open("versioning", "")
	w.leaf("latest", m.latest)
	w.leaf("release", m.release)
	if len(m.versions) > 0 {
		w.open("versions", "")
		for _, version := range m.versions {
			w.leaf("version", version)
		}
		w.close("versions")
	}
	w.leaf("lastUpdated", m.lastUpdated)
	if m.timestamp != "" || m.buildNumber != "" || m.localCopy != "" {
		w.open("snapshot", "")
		w.leaf("timestamp", m.timestamp)
		w.leaf("buildNumber", m.buildNumber)
		w.leaf("localCopy", m.localCopy)
		w.close("snapshot")
	}
	if len(m.builds) > 0 {
		w.open("snapshotVersions", "")
		for _, b := range m.builds {
			w.open("snapshotVersion", "")
			w.leaf("classifier", b.classifier)
			w.leaf("extension", b.extension)
			w.leaf("value", b.value)
			w.leaf("updated", b.updated)
			w.close("snapshotVersion")
		}
		w.close("snapshotVersions")
	}
	w.close("versioning")
}

// settle orders the versions and plugins and derives from them what a document says about the newest.
func (m *metadata) settle() {
	if len(m.versions) > 0 {
		m.versions = sortVersions(m.versions)
		m.latest = m.versions[len(m.versions)-1]
		m.release = lastRelease(m.versions)
	}
	slices.SortStableFunc(m.plugins, func(a, b plugin) int { return strings.Compare(a.prefix, b.prefix) })
}

// join takes over what another document says that this one does not, or says of something newer.
func (m *metadata) join(other *metadata) {
	m.group = cmp.Or(m.group, other.group)
	m.artifact = cmp.Or(m.artifact, other.artifact)
	m.version = cmp.Or(m.version, other.version)
	m.versions = append(m.versions, other.versions...)
	m.latest = newestVersion(m.latest, other.latest)
	m.release = newestVersion(m.release, other.release)
	m.lastUpdated = max(m.lastUpdated, other.lastUpdated)
	if newerBuild(other.timestamp, other.buildNumber, m.timestamp, m.buildNumber) {
		m.timestamp, m.buildNumber, m.localCopy = other.timestamp, other.buildNumber, other.localCopy
	}
	m.joinBuilds(other.builds)
	m.joinPlugins(other.plugins)
}

// joinBuilds keeps the newest build of every classifier and extension, in the order in which they were first seen.
func (m *metadata) joinBuilds(builds []build) {
	known := make(map[[2]string]int, len(m.builds))
	for i, b := range m.builds {
		known[[2]string{b.classifier, b.extension}] = i
	}
	for _, b := range builds {
		key := [2]string{b.classifier, b.extension}
		i, ok := known[key]
		switch {
		case !ok:
			known[key] = len(m.builds)
			m.builds = append(m.builds, b)
		case b.updated > m.builds[i].updated:
			m.builds[i] = b
		}
	}
}

// joinPlugins keeps the last word on every prefix.
func (m *metadata) joinPlugins(plugins []plugin) {
	known := make(map[string]int, len(m.plugins))
	for i, p := range m.plugins {
		known[p.prefix] = i
	}
	for _, p := range plugins {
		if i, ok := known[p.prefix]; ok {
			m.plugins[i] = p
			continue
		}
		known[p.prefix] = len(m.plugins)
		m.plugins = append(m.plugins, p)
	}
}

// newerBuild compares builds by their time stamps, then by their numbers.
func newerBuild(timestamp, number, thanTimestamp, thanNumber string) bool {
	if timestamp != thanTimestamp {
		return timestamp > thanTimestamp
	}
	if len(number) != len(thanNumber) {
		return len(number) > len(thanNumber)
	}
	return number > thanNumber
}

func newestVersion(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	sorted := sortVersions([]string{a, b})
	return sorted[len(sorted)-1]
}
