package contenttype

import (
	"bufio"
	"encoding/base64"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
)

// record is a line of testdata/recorded.tsv.
type record struct {
	strict         bool
	path, declared string
	head           []byte
	want           string
}

func readRecords(t *testing.T) []record {
	t.Helper()
	f, err := os.Open("testdata/recorded.tsv")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var records []record
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), "#") {
			continue
		}
		fields := strings.Split(lines.Text(), "\t")
		if len(fields) != 5 {
			t.Fatalf("line of %d fields: %q", len(fields), lines.Text())
		}
		head, err := base64.StdEncoding.DecodeString(fields[3])
		if err != nil {
			t.Fatal(err)
		}
		records = append(records, record{fields[0] == "1", fields[1], fields[2], head, fields[4]})
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return records
}

// TestRecorded holds the package against what a real server answered.
func TestRecorded(t *testing.T) {
	for _, r := range readRecords(t) {
		if r.strict {
			_, err := Check(r.path, r.head)
			if refusal, refused := strings.CutPrefix(r.want, "! "); refused {
				if err == nil || err.Error() != refusal+r.path {
					t.Errorf("Check(%q, %q): %v; want %q", r.path, r.head, err, refusal+r.path)
				}
				continue
			}
			if err != nil {
				t.Errorf("Check(%q, %q): %v", r.path, r.head, err)
			}
		}
		if got := Stored(r.path, r.head, r.declared); got != r.want {
			t.Errorf("Stored(%q, %q, %q) = %q; want %q", r.path, r.head, r.declared, got, r.want)
		}
	}
}

func TestSniff(t *testing.T) {
	tests := []struct{ head, want string }{
		{"", Unknown},
		{"\x00\x01\x02\x03", Unknown},
		{"plain words", "text/plain"},
		{"größe", "text/plain"},
		{"\xff\xfea\x00", "text/plain"},
		{"caf\xe9 au lait, garçon manqué en Latin-1 is mostly ASCII in the end"[:40], "text/plain"},
		{"<?xml version='1.0'?><a/>", "application/xml"},
		{"<?xml version='1.0'?>\n<!-- <html> --><svg xmlns=\"http://www.w3.org/2000/svg\">", "image/svg+xml"},
		{"<?xml version='1.0'?><!DOCTYPE html><html xmlns=\"http://www.w3.org/1999/xhtml\">", "application/xhtml+xml"},
		{"<?xml version='1.0'?><html>", "text/html"},
		{"<?xml version='1.0'?><!-- never closed", "application/xml"},
		{"<!DOCTYPE html>\n<html>", "text/html"},
		{"<!doctype HTML PUBLIC", "text/html"},
		{"the <header> of a text", "text/plain"},
		{"<project/>", "text/plain"},
		{"#!/usr/bin/env node\n", "application/x-sh"},
		{"PK\x03\x04" + strings.Repeat("\x00", 26) + "mimetypeapplication/epub+zipPK\x03\x04", "application/epub+zip"},
		{"PK\x03\x04" + strings.Repeat("\x00", 26) + "mimetypeapplication/vnd.oasis.opendocument.text", "application/vnd.oasis.opendocument.text"},
		{"PK\x03\x04" + strings.Repeat("\x00", 26) + "mimetypetext/html", "application/zip"},
		{"\x7fELF", "application/x-elf"},
		{"\x7fELF\x02\x01\x01" + strings.Repeat("\x00", 9) + "\x03\x00", "application/x-sharedlib"},
		{"\x7fELF\x02\x02\x01" + strings.Repeat("\x00", 9) + "\x00\x02", "application/x-executable"},
		{"RIFF\x00\x00\x00\x00WEBPVP8 ", "image/webp"},
		{"\x00\x00\x00\x18ftypisom", "video/mp4"},
		{"\x00\x00\x00\x18ftypavif", "image/avif"},
		{"!<arch>\ndebian-binary   ", "application/x-debian-package"},
		{"!<arch>\n/               ", "application/x-archive"},
		{strings.Repeat("\x00", 257) + "ustar\x0000", "application/x-tar"},
		{"\x00asm\x01\x00\x00\x00", "application/wasm"},
	}
	for _, tt := range tests {
		if got := Sniff([]byte(tt.head)); got != tt.want {
			t.Errorf("Sniff(%.60q) = %q; want %q", tt.head, got, tt.want)
		}
	}
}

func TestCheck(t *testing.T) {
	const zip, ole = "PK\x03\x04", "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
	tests := []struct {
		path, head string
		want       string // "" means refused
	}{
		{"/a.docx", zip, "application/vnd.openxmlformats-officedocument.wordprocessingml.document"},
		{"/a.docx", "words", ""},
		{"/a.doc", ole, "application/msword"},
		{"/a.xls", "\x01\x02\x03", "application/vnd.ms-excel"}, // unknown bytes contradict nothing
		{"/a.tgz", "\x1f\x8b\x08", "application/x-tgz"},
		{"/a.tgz", zip, ""},
		{"/a.apk", zip, "application/vnd.android.package-archive"},
		{"/a.xml", "<?xml version='1.0'?><svg xmlns='http://www.w3.org/2000/svg'/>", "application/xml"},
		{"/a.svg", "<?xml version='1.0'?><svg/>", "image/svg+xml"},
		{"/a.html", "<?xml version='1.0'?><html xmlns='http://www.w3.org/1999/xhtml'/>", "text/html"},
		{"/a.py", "#!/usr/bin/env python3\n", "text/x-python"},
		{"/a.png", "#!/bin/sh\n", ""},
		{"/a.cer", "-----BEGIN CERTIFICATE-----\n", "application/pkix-cert"},
		{"/a.exe", "MZ\x90\x00", "application/x-executable"},
		{"/a.exe", "\x7fELF", "application/x-executable"},
		{"/a.exe", "words", ""},
		{"/README", "words", "text/plain"},
		{"/README", zip, ""},
		{"/noext", zip, "application/zip"},
		{"/noext", "", ""},
	}
	for _, tt := range tests {
		got, err := Check(tt.path, []byte(tt.head))
		if got != tt.want || (err == nil) != (tt.want != "") {
			t.Errorf("Check(%q, %q) = %q, %v; want %q", tt.path, tt.head, got, err, tt.want)
		}
		if mismatch := (*MismatchError)(nil); err != nil && !errors.As(err, &mismatch) {
			t.Errorf("Check(%q): error of type %T", tt.path, err)
		}
	}
}

func TestDetect(t *testing.T) {
	tests := []struct{ name, head, want string }{
		{"a.jar", "PK\x03\x04", "application/java-archive"},
		{"a.json", "words", "application/json"},
		{"a.png", "words", "text/plain"},
		{"a.png", "\x00\x01", "image/png"},
		{"a.exe", "MZ", "application/x-dosexec"},
		{"a", "\x00\x01", Unknown},
	}
	for _, tt := range tests {
		if got := Detect(tt.name, []byte(tt.head)); got != tt.want {
			t.Errorf("Detect(%q, %q) = %q; want %q", tt.name, tt.head, got, tt.want)
		}
	}
}

func TestDeclared(t *testing.T) {
	tests := []struct{ header, want string }{
		{"", Unknown}, {"text/plain", "text/plain"}, {"Text/HTML; charset=utf-8", "text/html"}, {"rubbish", Unknown}, {"a/b/c", Unknown},
		{"text/plain\r\nX: y", Unknown},
	}
	for _, tt := range tests {
		if got := Declared(tt.header); got != tt.want {
			t.Errorf("Declared(%q) = %q; want %q", tt.header, got, tt.want)
		}
	}
}

// TestTables guards what the code relies on: every type has a finite line of ancestors, groups are sorted and distinct, and what
// a name promises is accepted when nothing can be told from the bytes.
func TestTables(t *testing.T) {
	seen := map[string]bool{}
	for _, group := range synonymGroups {
		if !slices.IsSorted(group) {
			t.Errorf("group %v is not sorted", group)
		}
		for _, name := range group {
			if seen[name] {
				t.Errorf("%s is in two groups", name)
			}
			seen[name] = true
		}
	}
	for ext := range extensions {
		for _, typ := range ByName("a." + ext) {
			depth := 0
			for up := typ; up != ""; up = parent(up) {
				if depth++; depth > 8 {
					t.Fatalf("%s: its ancestors never end", typ)
				}
			}
			if strings.Count(typ, "/") != 1 {
				t.Errorf(".%s: %q is no content type", ext, typ)
			}
		}
		if _, err := Check("/a."+ext, []byte{0, 1, 2, 3}); err != nil {
			t.Errorf(".%s refuses unknown bytes: %v", ext, err)
		}
	}
}

func FuzzCheck(f *testing.F) {
	f.Add("/a.txt", []byte("<?xml <!-- <"))
	f.Add("/a.zip", []byte("PK\x03\x04"))
	f.Add("a.", []byte("\xff\xfe"))
	f.Fuzz(func(t *testing.T, path string, head []byte) {
		typ, err := Check(path, head)
		if (typ == "") != (err != nil) {
			t.Errorf("Check(%q) = %q, %v", path, typ, err)
		}
		if Stored(path, head, "") == "" || Detect(path, head) == "" {
			t.Errorf("no type for %q", path)
		}
	})
}

func BenchmarkStored(b *testing.B) {
	head := []byte(strings.Repeat("words and words ", 64))
	for b.Loop() {
		Stored("/org/acme/app/1.0/app-1.0.unknown", head, "")
	}
}
