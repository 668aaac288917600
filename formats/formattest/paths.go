package formattest

import (
	"math/rand/v2"
	"slices"
	"strings"
)

// Paths are paths that every format must bear: odd characters, odd shapes, great length, and what resembles protocols' own names.
// All begin with a slash and have no empty, "." or ".." segments except for a final slash.
func Paths() []string {
	return []string{
		"/", "/a", "/a/", "/a/b", "/a/b/c.txt", "/a/b/1/b-1.jar", "/.hidden", "/a/.hidden/", "/...", "/-", "/~a", "/@a/b", "/_", "/%", "/%2e%2e",
		"/a b", "/ ", "/a /b", "/\t", "/a\nb", "/a\r", "/\x00", "/a\x00b", "/\x7f", "/\xff\xfe", "/\xc3", "/ä", "/日本語/größe.txt", "/\u2028", "/\u202e",
		"/a+b", "/a&b=c", "/a?b", "/a#b", "/a;b=c", "/a:b", "/a|b", "/a\\b", "/[a]", "/{a}", "/<a>", "/\"a\"", "/'a'", "/`a`", "/$a", "/^a", "/*", "/a,b",
		"/" + strings.Repeat("a", 300), "/" + strings.Repeat("a/", 600), "/" + strings.Repeat("ä", 5000), "/a." + strings.Repeat("b.", 400),
		"/index.html", "/index.htm", "/a/index.html", "/maven-metadata.xml", "/a/maven-metadata.xml.sha1", "/archetype-catalog.xml", "/.index/x", "/.meta/x",
		"/package.json", "/-/v1/search", "/@scope%2fname", "/simple/", "/simple/name/", "/v2/", "/v2/a/manifests/latest", "/v2/a/blobs/sha256:00",
		"/repodata/repomd.xml", "/dists/stable/Release", "/pool/a/a.deb", "/index.yaml", "/api/charts", "/PACKAGES.gz", "/src/contrib/a_1.tar.gz",
		"/a/1-SNAPSHOT/maven-metadata.xml", "/a/b/1-SNAPSHOT/b-1-20200101.000000-1.jar", "/a.sha1.md5.asc.sha512", "/.sha1", "/a/b/c/.jar",
	}
}

// pathsOf gives the paths of a Spec, the general ones, and seeded variations of all of them.
func pathsOf(spec Spec) []string {
	paths := Paths()
	for _, c := range spec.Cases {
		paths = append(paths, c.Path)
	}
	for path := range spec.Documents {
		paths = append(paths, path)
	}
	slices.Sort(paths)
	random := rand.New(rand.NewPCG(1, uint64(len(paths))))
	for _, path := range slices.Clone(paths) {
		if len(path) < 200 {
			paths = append(paths, vary(random, path), vary(random, path))
		}
	}
	slices.Sort(paths)
	return slices.Compact(paths)
}

// vary makes another valid path of a path: a segment less, twice or with another's ending, a character changed.
func vary(random *rand.Rand, path string) string {
	segments := strings.Split(strings.Trim(path, "/"), "/")
	i := random.IntN(len(segments))
	switch random.IntN(5) {
	case 0:
		segments = slices.Delete(segments, i, i+1)
	case 1:
		segments = slices.Insert(segments, i, segments[i])
	case 2:
		segments[i] += []string{".sha1", ".asc", ".md5", ".gz", "-SNAPSHOT", ".", "-", ".json"}[random.IntN(8)]
	case 3:
		if segments[i] != "" {
			at := random.IntN(len(segments[i]))
			segments[i] = segments[i][:at] + string(rune(random.IntN(0x250))) + segments[i][at+1:]
		}
	default:
		if len(segments[i]) > 1 {
			segments[i] = segments[i][:len(segments[i])/2]
		}
	}
	var valid []string
	for segment := range strings.SplitSeq(strings.Join(segments, "/"), "/") {
		if segment != "" && segment != "." && segment != ".." {
			valid = append(valid, segment)
		}
	}
	return "/" + strings.Join(valid, "/")
}
