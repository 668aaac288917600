// Package contenttype says of which content type a file is: by its name, by its first bytes, by what the sender declared.
//
// Names are trusted first: a file called a.png is image/png to clients whatever it holds. Bytes decide for names that say
// nothing, and under strict validation they must not contradict the name. The tables are facts about file formats, chosen so that
// clients see the types that they have always seen from such servers, for example application/x-gzip and not application/gzip.
//
// Types form families: a jar is a zip, JSON is text. Bytes that show a more general type than the name never contradict it, so
// "plain words" may be called a.json, but not a.png. Bytes that show nothing at all fit every name that says something.
//
// Example:
//
//	head := first up to HeadSize bytes
//	if strict {
//		_, err = contenttype.Check(path, head)
//	}
//	stored := contenttype.Stored(path, head, request.Header.Get("Content-Type"))
package contenttype

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"slices"
	"strings"
)

// HeadSize is how many of the first bytes are worth showing to this package. Fewer do; the type of an ISO image is then not seen.
const HeadSize = 33 << 10

// Unknown is the type of bytes that nothing is known of.
const Unknown = "application/octet-stream"

const plainText = "text/plain"

// MismatchError reports bytes that are not what their name promises. Its text is meant for the client.
type MismatchError struct {
	Path     string
	Detected []string // empty: nothing could be told from bytes and name
	Expected []string
}

func (e *MismatchError) Error() string {
	if len(e.Detected) == 0 {
		return "Content type could not be determined: " + e.Path
	}
	return fmt.Sprintf("Detected content type [%s], but expected [%s]: %s",
		strings.Join(e.Detected, ", "), strings.Join(e.Expected, ", "), e.Path)
}

// ByName gives the types that a file of this name may have, the one to show to clients first. The name may be a whole path. It
// returns nil when the name says nothing.
func ByName(name string) []string {
	base := name[strings.LastIndexByte(name, '/')+1:]
	listed, ok := wholeNames[base]
	if !ok {
		extension := base[strings.LastIndexByte(base, '.')+1:]
		if len(extension) == len(base) {
			return nil
		}
		if listed, ok = preferred[extension]; !ok {
			listed, ok = extensions[strings.ToLower(extension)]
		}
	}
	if !ok {
		return nil
	}
	types := strings.Fields(listed)
	for _, t := range types {
		for _, synonym := range synonyms(t) {
			if !slices.Contains(types, synonym) {
				types = append(types, synonym)
			}
		}
	}
	return types
}

// Detect gives the type that bytes show, made more precise by the name where the two agree. It returns Unknown when neither says
// anything.
func Detect(name string, head []byte) string {
	sniffed := Sniff(head)
	for _, t := range ByName(name) {
		if isA(t, sniffed) {
			return t
		}
	}
	return sniffed
}

// Check is the strict validation of a path's content. It returns the type to store, or a *MismatchError that names the path.
func Check(path string, head []byte) (string, error) {
	return CheckAgainst(path, ByName(path), head)
}

// CheckAgainst is Check with the acceptable types given. With no type given all bytes that are recognised are accepted.
func CheckAgainst(path string, expected []string, head []byte) (string, error) {
	sniffed := Sniff(head)
	for _, t := range expected {
		if t != Unknown && agrees(t, sniffed) {
			return expected[0], nil
		}
	}
	if sniffed == Unknown {
		return "", &MismatchError{Path: path}
	}
	if len(expected) == 0 {
		return sniffed, nil
	}
	return "", &MismatchError{Path: path, Detected: lineage(sniffed), Expected: expected}
}

// Stored gives the type under which a file is stored: what its name says, else what its bytes show, else what the sender
// declared, else Unknown.
func Stored(name string, head []byte, declared string) string {
	if types := ByName(name); len(types) > 0 {
		return types[0]
	}
	if sniffed := Sniff(head); sniffed != Unknown {
		return sniffed
	}
	return Declared(declared)
}

// Declared reads a Content-Type header without its parameters. It returns Unknown for one that is missing or malformed.
func Declared(header string) string {
	t, _, err := mime.ParseMediaType(header)
	if err != nil || !strings.Contains(t, "/") {
		return Unknown
	}
	return t
}

// agrees reports whether bytes that show the type sniffed may bear a name of the type expected.
func agrees(expected, sniffed string) bool {
	if slices.Contains(lineage(sniffed), expected) || isA(expected, sniffed) {
		return true
	}
	switch sniffed {
	case "application/x-sh": // "#!" begins scripts of every language, and text of no language
		return isA(expected, plainText)
	case "application/xhtml+xml":
		return expected == "text/html"
	}
	return false
}

// isA reports whether every file of type t is also one of type ancestor.
func isA(t, ancestor string) bool {
	for t != "" {
		if t == ancestor || slices.Contains(synonyms(t), ancestor) {
			return true
		}
		t = parent(t)
	}
	return false
}

// parent gives the next more general type, "" above Unknown.
func parent(t string) string {
	canonical := t
	if group := synonyms(t); len(group) > 0 {
		for _, name := range group {
			if _, ok := parents[name]; ok {
				canonical = name
			}
		}
	}
	if p, ok := parents[canonical]; ok {
		return p
	}
	switch {
	case t == Unknown:
		return ""
	case strings.HasSuffix(t, "+xml"):
		return "application/xml"
	case strings.HasSuffix(t, "+zip"):
		return "application/zip"
	case strings.HasPrefix(t, "text/") && t != plainText:
		return plainText
	}
	return Unknown
}

// lineage gives a type and its synonyms, then those of its ancestors that say more than "text" or "bytes".
func lineage(t string) []string {
	var types []string
	for t != "" && t != Unknown {
		if t == plainText && len(types) > 0 {
			break
		}
		group := append([]string{t}, synonyms(t)...)
		slices.Sort(group)
		types = append(types, slices.Compact(group)...)
		t = parent(t)
	}
	return types
}

// synonyms gives the other names of a type, sorted, with the type itself; nil when it has none.
func synonyms(t string) []string {
	for _, group := range synonymGroups {
		if slices.Contains(group, t) {
			return group
		}
	}
	return nil
}

// ReadHead reads the first bytes of a body of the given size, as many as this package looks at.
func ReadHead(body io.ReaderAt, size int64) ([]byte, error) {
	head := make([]byte, min(size, HeadSize))
	if n, err := body.ReadAt(head, 0); err != nil && !(errors.Is(err, io.EOF) && n == len(head)) {
		return nil, fmt.Errorf("contenttype: read the first bytes: %w", err)
	}
	return head, nil
}
