package h2

import (
	"bytes"
	"encoding/binary"
	"errors"
	"path/filepath"
	"testing"
	"unicode/utf8"

	"entrepot/migrate/h2/h2test"
)

// sample reads a compressed file of testdata.
func sample(t testing.TB, name string) []byte {
	t.Helper()
	return h2test.Read(t, filepath.Join("testdata", name))
}

// drain reads everything of a database. Errors must be of the kinds that bad input may cause.
func drain(t *testing.T, content []byte) {
	t.Helper()
	check := func(err error) bool {
		for _, want := range []error{nil, ErrDamaged, ErrTooLarge, ErrUnsupported, ErrFormat, ErrEncrypted} {
			if err == want || errors.Is(err, want) {
				return err == nil
			}
		}
		t.Fatalf("unexpected error %v", err)
		return false
	}
	db, err := OpenReader(bytes.NewReader(content), int64(len(content)), &Options{MaxValue: 1 << 20})
	if !check(err) {
		return
	}
	defer db.Close()
	for _, table := range db.Tables() {
		for row, err := range db.Rows(t.Context(), table.Schema+"."+table.Name) {
			if check(err) && len(row.Values) != len(table.Columns) {
				t.Fatalf("%d values in %d columns", len(row.Values), len(table.Columns))
			}
		}
	}
}

func FuzzStore(f *testing.F) {
	f.Add(sample(f, "tiny-2.3.232.mv.db.gz"))
	f.Fuzz(drain)
}

func FuzzScript(f *testing.F) {
	f.Add(sample(f, "tiny-2.3.232.sql.gz"))
	f.Add(sample(f, "old-1.4.200.sql.gz")[:2000])
	f.Fuzz(drain)
}

// samplePages gives the raw small pages of the tables of a real file, as if they belonged to map 16.
func samplePages(t testing.TB, file string) [][]byte {
	t.Helper()
	content := sample(t, file)
	s, err := openStore(bytes.NewReader(content), int64(len(content)), withDefaults(nil))
	if err != nil {
		t.Fatal(err)
	}
	var pages [][]byte
	var collect func(pos pagePos, mapID uint32)
	collect = func(pos pagePos, mapID uint32) {
		p, err := s.readPage(pos, mapID)
		if err != nil {
			t.Fatal(err)
		}
		raw := content[p.offset:]
		raw = bytes.Clone(raw[:binary.BigEndian.Uint32(raw)])
		d := decoder{buf: raw, pos: 6}
		d.varint()
		if len(raw) < 6000 && mapID < 0x80 && len(pages) < 60 {
			raw[d.pos] = 0x10
			pages = append(pages, raw)
		}
		for _, child := range p.children {
			collect(child, mapID)
		}
	}
	for name, id := range s.maps {
		if root := s.roots[id]; root != 0 && name != "lobData" {
			collect(root, id)
		}
	}
	return pages
}

// FuzzPage reads damaged pages as rows of a table with a column of every type. Length and check value are made right, so that what
// follows them is reached.
func FuzzPage(f *testing.F) {
	for _, file := range []string{"types-2.3.232.mv.db.gz", "lzf-2.3.232.mv.db.gz", "deflate-2.3.232.mv.db.gz"} {
		for _, raw := range samplePages(f, file) {
			f.Add(raw)
		}
	}
	content := sample(f, "types-2.3.232.mv.db.gz")
	real, err := OpenReader(bytes.NewReader(content), int64(len(content)), nil)
	if err != nil {
		f.Fatal(err)
	}
	types, _ := real.Table("types")
	table := *types
	table.id = 1
	f.Fuzz(func(t *testing.T, raw []byte) {
		if len(raw) < 12 || len(raw) > 6000 {
			return
		}
		raw = bytes.Clone(raw)
		s := sampleStore(t)
		s.opts.MaxValue = 1 << 20
		pos := pagePos(2<<38|0x1000<<6|31<<1) | pagePos(typeByte(raw)&pageNode)
		binary.BigEndian.PutUint32(raw, uint32(len(raw)))
		check := checkValue(2) ^ checkValue(0x1000) ^ checkValue(uint32(len(raw)))
		binary.BigEndian.PutUint16(raw[4:], uint16(check))
		file := make([]byte, s.newest.end())
		copy(file[s.newest.offset()+0x1000:], raw)
		s.file, s.roots[0x10] = bytes.NewReader(file), pos
		src := &mvSource{store: s, lobs: s.openLobs(), committed: map[int64]int64{1: 5}}
		for row, err := range src.rows(t.Context(), &table) {
			if err != nil && !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrTooLarge) && !errors.Is(err, ErrUnsupported) {
				t.Fatalf("unexpected error %v", err)
			}
			for _, v := range row.Values {
				if text, ok := v.(string); ok && !utf8.ValidString(text) {
					t.Fatalf("text %q is not UTF-8", text)
				}
			}
		}
	})
}

// typeByte finds the type in a page's header.
func typeByte(raw []byte) byte {
	d := decoder{buf: raw, pos: 6}
	d.varint()
	d.varint()
	d.varint()
	return d.byte()
}

func FuzzLZF(f *testing.F) {
	f.Add([]byte("\x02abc\x40\x01\x01de\x60\x05"), 14)
	f.Fuzz(func(t *testing.T, packed []byte, size int) {
		if size < 0 || size > 1<<20 {
			return
		}
		if out, err := expandLZF(packed, size); err == nil && len(out) != size {
			t.Fatalf("%d bytes, want %d", len(out), size)
		}
	})
}

func FuzzHeader(f *testing.F) {
	f.Add([]byte("H:2,block:1a0,blockSize:1000,chunk:4,clean:1,created:1a1fdf3f779,format:3,version:4,fletcher:4e950847\n"))
	f.Add([]byte("chunk:4,len:119,pages:221,max:155280,map:2b,root:100045c0a16,time:4ec,version:4,next:2b9,toc:1174d4   \n"))
	f.Add([]byte("chunk:4,len:119,version:4,fletcher:8a09b1bd   \n"))
	f.Fuzz(func(t *testing.T, line []byte) {
		header(line, 4)
		footer(line)
		if m, err := checkedFields(line); err == nil && len(m) == 0 && len(line) == 0 {
			t.Fatal("an empty line has a checksum")
		}
		if m, err := parseFields(string(line)); err == nil {
			if c, err := parseChunk(m); err == nil && (c.block < 0 || c.len < 0 || c.id > maxChunkID) {
				t.Fatalf("%+v", c)
			}
		}
	})
}
