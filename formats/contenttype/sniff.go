package contenttype

import (
	"bytes"
	"strings"
)

// textWindow is how many bytes decide whether a file is text.
const textWindow = 512

// signature is a run of bytes at a fixed place.
type signature struct {
	offset int
	bytes  string
	typ    string
}

// Sniff gives the type that bytes show by themselves, Unknown when they show none. Empty content shows none.
func Sniff(head []byte) string {
	for _, s := range signatures {
		if s.offset+len(s.bytes) <= len(head) && string(head[s.offset:s.offset+len(s.bytes)]) == s.bytes {
			return refine(s.typ, head)
		}
	}
	if t := sniffContainer(head); t != "" {
		return t
	}
	if t := sniffMarkup(head); t != "" {
		return t
	}
	if looksLikeText(head) {
		return plainText
	}
	return Unknown
}

// refine looks behind a signature that several formats share.
func refine(typ string, head []byte) string {
	switch typ {
	case "application/zip":
		return refineZip(head)
	case "application/x-elf":
		return refineELF(head)
	}
	return typ
}

// refineZip reads the type that EPUB and OpenDocument files store, uncompressed, as their first entry.
func refineZip(head []byte) string {
	const entry = 30 // end of the fixed part of a local file header
	const prefix = "mimetype"
	if len(head) < entry+len(prefix) || string(head[entry:entry+len(prefix)]) != prefix {
		return "application/zip"
	}
	rest := head[entry+len(prefix):]
	rest = rest[:min(len(rest), 96)]
	end := bytes.Index(rest, []byte("PK"))
	if end < 0 {
		end = len(rest)
	}
	if t := string(rest[:end]); t == "application/epub+zip" || strings.HasPrefix(t, "application/vnd.oasis.opendocument.") {
		return t
	}
	return "application/zip"
}

// refineELF reads the kind of object file, in the byte order that the header names.
func refineELF(head []byte) string {
	const order, kind = 5, 16
	if len(head) < kind+2 {
		return "application/x-elf"
	}
	low := head[kind]
	if head[order] == 2 {
		low = head[kind+1]
	}
	switch low {
	case 1:
		return "application/x-object"
	case 2:
		return "application/x-executable"
	case 3:
		return "application/x-sharedlib"
	case 4:
		return "application/x-coredump"
	}
	return "application/x-elf"
}

// sniffContainer recognises containers that name their content a few bytes after the start.
func sniffContainer(head []byte) string {
	if len(head) < 12 {
		return ""
	}
	switch {
	case string(head[:4]) == "RIFF":
		switch string(head[8:12]) {
		case "WAVE":
			return "audio/vnd.wave"
		case "AVI ":
			return "video/x-msvideo"
		case "WEBP":
			return "image/webp"
		}
	case string(head[4:8]) == "ftyp":
		return sniffISOMedia(string(head[8:12]))
	case head[0] == 'B' && head[1] == 'M' && head[6] == 0 && head[7] == 0 && head[8] == 0 && head[9] == 0:
		return "image/bmp"
	}
	return ""
}

// sniffISOMedia tells the members of the MP4 family apart by their major brand.
func sniffISOMedia(brand string) string {
	switch brand {
	case "qt  ":
		return "video/quicktime"
	case "M4A ", "M4B ":
		return "audio/mp4"
	case "M4V ", "M4VH", "M4VP":
		return "video/x-m4v"
	case "avif", "avis":
		return "image/avif"
	case "heic", "heix", "hevc", "mif1":
		return "image/heic"
	}
	if strings.HasPrefix(brand, "3gp") {
		return "video/3gpp"
	}
	return "video/mp4"
}

// sniffMarkup recognises XML and HTML, which may begin with a byte order mark and blanks.
func sniffMarkup(head []byte) string {
	text := bytes.TrimPrefix(head, []byte("\xEF\xBB\xBF"))
	switch {
	case hasPrefixFold(text, "<?xml"):
		return rootType(text)
	case bytes.HasPrefix(text, []byte("<svg")):
		return "image/svg+xml"
	case bytes.HasPrefix(text, []byte("<?php")):
		return "text/x-php"
	case bytes.HasPrefix(head, []byte("\xFF\xFE<\x00?\x00x\x00")), bytes.HasPrefix(head, []byte("\xFE\xFF\x00<\x00?\x00x")):
		return "application/xml"
	case looksLikeHTML(text):
		return "text/html"
	case bytes.HasPrefix(text, []byte("<!--")):
		return "application/xml"
	}
	return ""
}

// rootType finds the root element of an XML document within the given bytes.
func rootType(text []byte) string {
	text = text[:min(len(text), 8<<10)]
	for {
		open := bytes.IndexByte(text, '<')
		if open < 0 || open+1 >= len(text) {
			return "application/xml"
		}
		text = text[open:]
		var end string
		switch {
		case bytes.HasPrefix(text, []byte("<!--")):
			end = "-->"
		case text[1] == '?' || text[1] == '!':
			end = ">"
		default:
			return elementType(text)
		}
		at := bytes.Index(text, []byte(end))
		if at < 0 {
			return "application/xml"
		}
		text = text[at+len(end):]
	}
}

// elementType gives the type of a document by its root element, which text begins with.
func elementType(text []byte) string {
	tag := text[1:]
	if end := bytes.IndexByte(tag, '>'); end >= 0 {
		tag = tag[:end]
	}
	name := tag
	if end := bytes.IndexAny(tag, " \t\r\n/"); end >= 0 {
		name = tag[:end]
	}
	if colon := bytes.IndexByte(name, ':'); colon >= 0 {
		name = name[colon+1:]
	}
	switch {
	case string(name) == "svg" && bytes.Contains(tag, []byte("http://www.w3.org/2000/svg")):
		return "image/svg+xml"
	case string(name) == "html" && bytes.Contains(tag, []byte("http://www.w3.org/1999/xhtml")):
		return "application/xhtml+xml"
	case strings.EqualFold(string(name), "html"):
		return "text/html"
	}
	return "application/xml"
}

// looksLikeHTML finds one of the words that HTML begins with near the start.
func looksLikeHTML(text []byte) bool {
	near := bytes.ToLower(text[:min(len(text), 128)])
	for _, tag := range []string{"<html", "<head", "<title", "<!doctype html"} {
		at := bytes.Index(near, []byte(tag))
		if at < 0 || (tag != "<html" && at > 64) {
			continue
		}
		if after := at + len(tag); after >= len(near) || strings.IndexByte(" \t\r\n>/", near[after]) >= 0 {
			return true
		}
	}
	for _, tag := range []string{"<body", "<div", "<h1", "<h2", "<h3"} {
		if bytes.HasPrefix(near, []byte(tag)) && len(near) > len(tag) && (near[len(tag)] == ' ' || near[len(tag)] == '>') {
			return true
		}
	}
	return false
}

func hasPrefixFold(text []byte, prefix string) bool {
	return len(text) >= len(prefix) && strings.EqualFold(string(text[:len(prefix)]), prefix)
}

// looksLikeText reports whether the first bytes read like text: ASCII or UTF-8 with hardly a control character, or UTF-16 by its
// byte order mark.
func looksLikeText(head []byte) bool {
	head = head[:min(len(head), textWindow)]
	if len(head) == 0 {
		return false
	}
	if bytes.HasPrefix(head, []byte("\xFF\xFE")) || bytes.HasPrefix(head, []byte("\xFE\xFF")) {
		return true
	}
	var printable, control, continuation, owed int
	valid := true
	for _, b := range head {
		switch {
		case b == '\t' || b == '\n' || b == '\r' || b == '\f' || b == 0x1b:
			printable++
		case b < 0x20:
			control++
		case b < 0x80:
			printable++
		case b < 0xC0:
			continuation++
		case b < 0xF8: // first byte of a UTF-8 sequence of two, three or four
			printable++
			owed += sequenceTail(b)
		default:
			valid = false
		}
	}
	if valid && printable > 0 && continuation <= owed && owed-continuation <= 3 && control*100 < printable*2 {
		return true
	}
	return mostlyASCII(head, control)
}

// sequenceTail is how many bytes follow the first byte of a UTF-8 sequence.
func sequenceTail(first byte) int {
	switch {
	case first >= 0xF0:
		return 3
	case first >= 0xE0:
		return 2
	}
	return 1
}

// mostlyASCII accepts text in an 8-bit encoding, such as Latin-1, as long as it is English enough.
func mostlyASCII(head []byte, control int) bool {
	ascii := 0
	for _, b := range head {
		if b < 0x80 {
			ascii++
		}
	}
	return control*100 < len(head)*2 && (ascii-control)*100 > len(head)*90
}
