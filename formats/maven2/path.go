package maven2

import (
	"strings"
)

const (
	metadataName = "maven-metadata.xml"
	catalogPath  = "/archetype-catalog.xml"
	indexFolder  = "/.index/"
	indexName    = "nexus-maven-repository-index"
	snapshot     = "SNAPSHOT"
)

// kind is what a path of a Maven repository names.
type kind uint8

const (
	kindOther    kind = iota // outside of the layout
	kindArtifact             // group/artifact/version/file, or what stands beside one
	kindMetadata             // maven-metadata.xml of a group, an artifact or a snapshot
	kindCatalog              // the archetype catalog
	kindIndex                // the search index for IDEs
	kindListing              // a folder, or a page that would list one
)

// location is a path taken apart.
type location struct {
	kind      kind
	main      string // path without the suffixes of checksum and signature
	checksum  string // "md5", "sha1", "sha256" or "sha512" when the file is one, of main or of its signature
	signature bool   // main's signature, or a checksum of it
	coords    coordinates
}

// subordinate reports whether the file only vouches for another.
func (l location) subordinate() bool { return l.checksum != "" || l.signature }

// coordinates are what a file name in the layout says.
type coordinates struct {
	group, artifact string
	version         string // with the time stamp, for a snapshot that has one
	base            string // version of the folder
	classifier      string
	hasClassifier   bool
	extension       string // without those of checksum and signature, with both parts of tar.gz
}

// checksums are the algorithms whose files stand beside others.
var checksums = []string{"sha1", "sha256", "sha512", "md5"}

// locate takes a path apart. It accepts any string.
func locate(path string) location {
	if strings.HasSuffix(path, "/") || strings.HasSuffix(path, "/index.html") || strings.HasSuffix(path, "/index.htm") {
		return location{kind: kindListing, main: path}
	}
	l := location{main: path}
	if !strings.HasPrefix(path, "/") {
		return l
	}
	for _, algorithm := range checksums {
		if main, ok := strings.CutSuffix(path, "."+algorithm); ok {
			l.main, l.checksum = main, algorithm
		}
	}
	if main, ok := strings.CutSuffix(l.main, ".asc"); ok {
		l.main, l.signature = main, true
	}
	switch {
	case strings.HasSuffix(l.main, "/"+metadataName):
		l.kind = kindMetadata
	case l.main == catalogPath && !l.signature:
		l.kind = kindCatalog
	case isIndex(l.main) && !l.signature:
		l.kind = kindIndex
	default:
		if coords, ok := parseCoordinates(l.main); ok {
			l.kind, l.coords = kindArtifact, coords
		}
	}
	return l
}

// isIndex recognises the index, its chunks and its properties.
func isIndex(path string) bool {
	name, ok := strings.CutPrefix(path, indexFolder+indexName+".")
	if !ok {
		return false
	}
	if name == "gz" || name == "properties" {
		return true
	}
	number, ok := strings.CutSuffix(name, ".gz")
	return ok && isDigits(number)
}

// parseCoordinates reads /group/artifact/version/file.
func parseCoordinates(path string) (coordinates, bool) {
	folder, file := cutLast(strings.TrimPrefix(path, "/"))
	folder, version := cutLast(folder)
	group, artifact := cutLast(folder)
	if group == "" || artifact == "" || version == "" || file == "" {
		return coordinates{}, false
	}
	c := coordinates{group: strings.ReplaceAll(group, "/", "."), artifact: artifact, version: version, base: version}
	name, ok := strings.CutPrefix(file, artifact+"-")
	if !ok {
		return coordinates{}, false
	}
	tail, ok := strings.CutPrefix(name, version)
	if prefix, isSnapshot := strings.CutSuffix(version, snapshot); !ok && isSnapshot {
		// Only the length of what stands before the time stamp counts: clients have always been let to deploy
		// lib-1.1-20200101.010101-1.jar below 1.0-SNAPSHOT, and then it is a build of 1.0-SNAPSHOT.
		if len(name) < len(prefix) {
			return coordinates{}, false
		}
		var stamp string
		stamp, tail = cutBuild(name[len(prefix):])
		ok = stamp != ""
		c.version = prefix + stamp
	}
	if !ok || !c.parseTail(tail) {
		return coordinates{}, false
	}
	return c, true
}

// parseTail reads what follows the version in a file name: "-classifier.extension" or ".extension". A classifier and an
// extension may be empty.
func (c *coordinates) parseTail(tail string) bool {
	if tail == "" || tail[0] != '.' && tail[0] != '-' {
		return false
	}
	dot := strings.LastIndexByte(tail, '.')
	if dot < 0 {
		return false
	}
	c.extension = tail[dot+1:]
	for _, double := range []string{"tar.gz", "tar.bz2", "cpio.gz", "nk.os"} {
		if strings.HasSuffix(tail, "."+double) {
			c.extension = double
		}
	}
	if tail[0] == '-' {
		c.hasClassifier = true
		c.classifier = tail[1 : len(tail)-len(c.extension)-1]
	}
	return true
}

// cutBuild cuts a time stamp and build number, 20200102.030405-1, from the start of s. The stamp is "" when there is none.
func cutBuild(s string) (stamp, rest string) {
	const stampLength = len("20200102.030405-")
	if len(s) <= stampLength || !isDigits(s[:8]) || s[8] != '.' || !isDigits(s[9:15]) || s[15] != '-' {
		return "", s
	}
	end := stampLength
	for end < len(s) && '0' <= s[end] && s[end] <= '9' {
		end++
	}
	if end == stampLength {
		return "", s
	}
	return s[:end], s[end:]
}

// baseVersion gives the version of the folder that a component's version lies in: 1.0-SNAPSHOT for 1.0-20200102.030405-1.
func baseVersion(version string) string {
	dash := strings.LastIndexByte(version, '-')
	if dash < 0 {
		return version
	}
	const stamp = len("20200102.030405")
	start := dash - stamp
	if start < 0 || start > 0 && version[start-1] != '-' {
		return version
	}
	if build, rest := cutBuild(version[start:]); build == "" || rest != "" {
		return version
	}
	return version[:start] + snapshot
}

// isSnapshot tells versions under development from released ones.
func isSnapshot(base string) bool { return strings.HasSuffix(base, snapshot) }

// folderOf gives the folder of an artifact's or, with a version, of a version's files.
func folderOf(group string, rest ...string) string {
	return "/" + strings.Join(append([]string{strings.ReplaceAll(group, ".", "/")}, rest...), "/") + "/"
}

// cutLast cuts a path at its last slash. Without a slash all is the name.
func cutLast(path string) (folder, name string) {
	at := strings.LastIndexByte(path, '/')
	if at < 0 {
		return "", path
	}
	return path[:at], path[at+1:]
}

func isDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}
