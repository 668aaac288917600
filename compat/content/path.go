package content

import (
	"strings"

	"entrepot/formats"
)

// The old server's words for paths that are none.
const (
	noRepositoryPath = "Repository path must have another '/' after initial '/'"
	relativePath     = "Repository path must not contain a relative token"
)

// splitPath takes a decoded path below a prefix apart into the repository's name and the path in it, which begins with "/" and has
// no empty, "." or ".." segments, except that it may end in "/". Backslashes count as slashes and runs of slashes as one.
func splitPath(p string) (name, path string, err error) {
	if strings.ContainsAny(p, "\r\n") {
		return "", "", &formats.Error{Kind: formats.Invalid}
	}
	p = collapse(p)
	name, rest, ok := strings.Cut(strings.TrimPrefix(p, "/"), "/")
	if !ok || name == "" {
		return "", "", &formats.Error{Kind: formats.Invalid, Message: noRepositoryPath}
	}
	if name == "." || name == ".." {
		return "", "", &formats.Error{Kind: formats.Invalid, Message: relativePath}
	}
	if path, ok = resolve(p[len(p)-len(rest)-1:]); !ok {
		return "", "", &formats.Error{Kind: formats.Invalid, Message: relativePath}
	}
	return name, path, nil
}

// collapse turns backslashes into slashes and runs of slashes into one.
func collapse(p string) string {
	if !strings.Contains(p, "//") && strings.IndexByte(p, '\\') < 0 {
		return p
	}
	b := make([]byte, 0, len(p))
	for i := range len(p) {
		c := p[i]
		if c == '\\' {
			c = '/'
		}
		if c == '/' && len(b) > 0 && b[len(b)-1] == '/' {
			continue
		}
		b = append(b, c)
	}
	return string(b)
}

// resolve gives a path that begins with "/" with its "." and ".." segments resolved; false when they lead out of the repository.
func resolve(path string) (string, bool) {
	if !strings.Contains(path, "/.") {
		return path, true
	}
	segments := strings.Split(path[1:], "/")
	kept := segments[:0]
	for i, segment := range segments {
		switch segment {
		case ".":
		case "..":
			if len(kept) == 0 {
				return "", false
			}
			kept = kept[:len(kept)-1]
		default:
			kept = append(kept, segment)
			continue
		}
		if i == len(segments)-1 {
			kept = append(kept, "") // what ends in "." or ".." is a folder
		}
	}
	return "/" + strings.Join(kept, "/"), true
}

// ladder is a link upwards, long enough for nearly all paths.
const ladder = "../../../../../../../../../../../../../../../.."

// upwards gives the relative link from a page to the root of the server, for a path as sent. Links that the browser resolves itself
// work behind any proxy, whatever it does to paths before ours.
func upwards(target string) string {
	ups := strings.Count(collapse(target), "/") - 1
	if ups <= 0 {
		return "."
	}
	if long := 3*ups - 1; long <= len(ladder) {
		return ladder[:long]
	}
	return strings.Repeat("../", ups-1) + ".."
}
