package nexusdir

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"
)

// Sizes of the file format, and of the pages that are written: H2 splits at 16 KiB.
const (
	block       = 4096
	chunkStart  = 2 * block // behind the two copies of the file header
	chunkHeader = 1024
	chunkFooter = 128
	pageBytes   = 16 << 10
	fanOut      = 64
)

// Ids of maps that are always there; those of tables follow.
const (
	layoutMap = 0
	metaMap   = 1
	firstMap  = 2
)

// store writes an H2 database file (MVStore, format 3) from front to back: one chunk with all pages.
type store struct {
	file  *os.File
	out   *bufio.Writer
	at    int64 // next page, in the chunk
	pages int
	roots map[int]uint64
	names map[int]string // of maps
	sql   []string       // catalogue: one CREATE TABLE after the other
	err   error          // the first failed write
}

func createStore(name string) (*store, error) {
	f, err := os.Create(name)
	if err != nil {
		return nil, err
	}
	s := &store{file: f, out: bufio.NewWriterSize(f, 1<<20), at: chunkHeader, roots: map[int]uint64{}, names: map[int]string{}}
	_, s.err = s.out.Write(make([]byte, chunkStart+chunkHeader)) // filled in by close
	return s, s.err
}

// child is a page as its parent names it.
type child struct {
	position uint64
	entries  int64
	first    []byte // its first key
}

// tree writes one map whose entries come in the order of their keys.
type tree struct {
	store  *store
	id     int
	rows   bool // values are rows, before which a page says that all are committed
	keys   []byte
	values []byte
	count  int
	first  []byte
	leaves []child

	next       uint64 // row
	key, cells []byte // of the row, reused
}

// add adds an entry.
func (t *tree) add(key, value []byte) {
	if t.count > 0 && len(t.keys)+len(t.values)+len(value) > pageBytes {
		t.flush()
	}
	if t.count == 0 {
		t.first = append([]byte(nil), key...)
	}
	t.keys, t.values = append(t.keys, key...), append(t.values, value...)
	t.count++
}

func (t *tree) flush() {
	body := t.keys
	if t.rows {
		body = append(body, 0)
	}
	position := t.store.page(t.id, t.count, 0, append(body, t.values...))
	t.leaves = append(t.leaves, child{position, int64(t.count), t.first})
	t.keys, t.values, t.count = t.keys[:0], t.values[:0], 0
}

// end writes what is left and the nodes above, and remembers the root.
func (t *tree) end() {
	t.flush()
	level := t.leaves
	for len(level) > 1 {
		var above []child
		for group := range slices.Chunk(level, fanOut) {
			above = append(above, t.node(group))
		}
		level = above
	}
	t.store.roots[t.id] = level[0].position
}

func (t *tree) node(children []child) child {
	var body []byte
	total := int64(0)
	for _, c := range children {
		body = binary.BigEndian.AppendUint64(body, c.position)
		total += c.entries
	}
	for _, c := range children {
		body = binary.AppendUvarint(body, uint64(c.entries))
	}
	for _, c := range children[1:] {
		body = append(body, c.first...)
	}
	return child{t.store.page(t.id, len(children)-1, 1, body), total, children[0].first}
}

// page writes a page and gives its position.
func (s *store) page(id, keys int, kind byte, body []byte) uint64 {
	s.pages++
	head := binary.AppendUvarint(nil, uint64(s.pages))
	head = binary.AppendUvarint(head, uint64(id))
	head = append(binary.AppendUvarint(head, uint64(keys)), kind)
	length := uint32(6 + len(head) + len(body))
	check := uint16(folded(1) ^ folded(uint32(s.at)) ^ folded(length))
	start := binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint32(nil, length), check)
	for _, b := range [][]byte{start, head, body} {
		if _, err := s.out.Write(b); err != nil && s.err == nil {
			s.err = err
		}
	}
	position := 1<<38 | uint64(s.at)<<6 | lengthCode(int64(length))<<1 | uint64(kind)
	s.at += int64(length)
	return position
}

func folded(x uint32) uint32 { return x>>16 ^ x }

// lengthCode is the least code of a length that is not shorter.
func lengthCode(length int64) uint64 {
	for c := range uint64(31) {
		if (2+int64(c&1))<<(c>>1+4) >= length {
			return c
		}
	}
	return 31
}

// table adds a table by its CREATE statement. Its rows are added in the order of their ids; those of several tables may be mixed.
func (s *store) table(sql string) *tree {
	s.sql = append(s.sql, sql)
	return s.open(fmt.Sprintf("table.%d", len(s.sql)))
}

// row adds a row; the first has the id 1.
func (t *tree) row(values ...any) {
	t.next++
	t.cells = t.cells[:0]
	for _, v := range values {
		t.cells = appendValue(t.cells, v)
	}
	t.key = binary.AppendUvarint(t.key[:0], t.next)
	t.add(t.key, t.cells)
}

func (s *store) open(name string) *tree {
	id := firstMap + len(s.names)
	s.names[id] = name
	return &tree{store: s, id: id, rows: true}
}

// close writes the catalogue, the directories and the headers.
func (s *store) close() error {
	catalogue := s.open("table.0")
	for i, sql := range s.sql {
		catalogue.row(i+1, 0, 0, sql) // id, unused, kind: a table
	}
	catalogue.end()
	meta := map[string]string{}
	for id, name := range s.names {
		meta[fmt.Sprintf("map.%x", id)] = "name:" + name
		meta["name."+name] = fmt.Sprintf("%x", id)
	}
	s.texts(metaMap, meta)
	layout := map[string]string{"meta.id": fmt.Sprintf("%x", metaMap)}
	for id, root := range s.roots {
		layout[fmt.Sprintf("root.%x", id)] = fmt.Sprintf("%x", root)
	}
	s.texts(layoutMap, layout)
	if s.err == nil {
		s.err = s.frame()
	}
	return errors.Join(s.err, s.file.Close())
}

// texts writes a map of texts.
func (s *store) texts(id int, m map[string]string) {
	t := &tree{store: s, id: id}
	for _, key := range slices.Sorted(maps.Keys(m)) {
		t.add(appendText(nil, key), appendText(nil, m[key]))
	}
	t.end()
}

// frame writes what stands before and behind the pages.
func (s *store) frame() error {
	blocks := (s.at + chunkFooter + block - 1) / block
	footer := checked(fmt.Sprintf("chunk:1,len:%x,version:1", blocks))
	gap := blocks*block - s.at - chunkFooter
	if _, err := s.out.WriteString(strings.Repeat("\x00", int(gap)) + fmt.Sprintf("%-*s\n", chunkFooter-1, footer)); err != nil {
		return err
	}
	if err := s.out.Flush(); err != nil {
		return err
	}
	header := checked(fmt.Sprintf("H:2,block:2,blockSize:1000,chunk:1,clean:1,created:%x,format:3,version:1", time.Now().UnixMilli())) + "\n"
	chunk := fmt.Sprintf("chunk:1,len:%x,pages:%x,max:%x,map:%x,root:%x,time:1,version:1", blocks, s.pages, s.at, firstMap+len(s.names), s.roots[layoutMap])
	for at, text := range map[int64]string{0: header, block: header, chunkStart: fmt.Sprintf("%-*s\n", chunkHeader-1, chunk)} {
		if _, err := s.file.WriteAt([]byte(text), at); err != nil {
			return err
		}
	}
	return nil
}

// checked appends the checksum of H2's headers: Fletcher-32 over big-endian words.
func checked(text string) string {
	s1, s2 := uint32(0xffff), uint32(0xffff)
	padded := text + "\x00"
	for i := 0; i+1 < len(padded); i += 2 { // a header has fewer words than need folding on the way
		s1 += uint32(padded[i])<<8 | uint32(padded[i+1])
		s2 += s1
	}
	for range 2 {
		s1, s2 = s1&0xffff+s1>>16, s2&0xffff+s2>>16
	}
	return fmt.Sprintf("%s,fletcher:%x", text, s2<<16|s1)
}

// Tags of values.
const (
	tagNull      = 0
	tagInteger   = 4
	tagBigint    = 5
	tagText      = 13
	tagUUID      = 20
	tagTrue      = 65
	tagJSON      = 134
	tagTimestamp = 135
)

// object is a JSON value; identity a UUID.
type (
	object   string
	identity [16]byte
)

// appendValue writes a value of a row; numbers are not negative.
func appendValue(b []byte, v any) []byte {
	switch v := v.(type) {
	case int:
		return binary.AppendUvarint(append(b, tagInteger), uint64(v))
	case int64:
		return binary.AppendUvarint(append(b, tagBigint), uint64(v))
	case string:
		return appendText(append(b, tagText), v)
	case object:
		return append(binary.AppendUvarint(append(b, tagJSON), uint64(len(v))), v...)
	case identity:
		return append(append(b, tagUUID), v[:]...)
	case bool:
		if v {
			return append(b, tagTrue)
		}
		return append(b, tagTrue-1)
	case time.Time:
		b = binary.AppendUvarint(append(b, tagTimestamp), uint64(v.Year()*512+int(v.Month())*32+v.Day()))
		clock := v.Sub(v.Truncate(24 * time.Hour))
		b = binary.AppendUvarint(b, uint64(clock.Milliseconds()))
		return append(binary.AppendUvarint(b, uint64(clock%time.Millisecond)), 0)
	}
	return append(b, tagNull)
}

// appendText writes a text of ASCII.
func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}
