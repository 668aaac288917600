package h2

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// findNewest selects the newest version whose chunks are all whole. H2 writes the place of the newest chunk into the file header
// when it closes, and now and then before; after anything else than an orderly end the header is behind, and the file is searched.
func (s *store) findNewest() error {
	if s.size < headerBlocks*blockSize {
		return damaged(0, "a file of %d bytes has no room for its header", s.size)
	}
	header, err := s.readHeaders()
	if err != nil {
		return err
	}
	if err := s.checkFormat(); err != nil {
		return err
	}
	f := finder{store: s, header: header, valid: map[int64]*chunk{}}
	if header.newest != nil && header.clean {
		f.add(header.newest)
		if err := f.choose(false); err == nil {
			s.info.Clean = true
			s.describe(header)
			return nil
		}
	}
	if err := f.recover(); err != nil {
		return err
	}
	s.describe(header)
	return nil
}

// describe fills in what Info says about the version that was selected.
func (s *store) describe(header fileHeader) {
	s.info.Version = s.newest.version
	s.info.Written = time.UnixMilli(header.created + s.newest.time).UTC()
}

// fileHeader is what the two copies of the header say together.
type fileHeader struct {
	clean   bool
	created int64  // milliseconds since 1970
	version int64  // of the chunk it names
	offset  int64  // of the copy with the higher version
	newest  *chunk // the chunk it names, when that is whole
}

// readHeaders reads both copies of the file header and takes the one with the higher version.
func (s *store) readHeaders() (fileHeader, error) {
	best := fileHeader{version: -1}
	var firstErr error
	agree := true
	for i := range int64(headerBlocks) {
		h, err := s.readHeader(i * blockSize)
		if err != nil {
			if firstErr == nil {
				firstErr = damaged(i*blockSize, "file header: %v", err)
			}
			agree = false
			continue
		}
		agree = agree && (best.version == -1 || best.version == h.version)
		if h.version > best.version {
			best = h
		}
	}
	if best.version == -1 {
		return best, firstErr
	}
	best.clean = best.clean && agree
	return best, nil
}

// readHeader reads one copy. An error in its fields is damage; a format that is not ours is ErrFormat later on.
func (s *store) readHeader(offset int64) (fileHeader, error) {
	h := fileHeader{offset: offset}
	block := make([]byte, blockSize)
	if err := s.readAt(block, offset); err != nil {
		return h, err
	}
	m, err := checkedFields(block)
	if err != nil {
		return h, err
	}
	var id, place, clean, size int64
	for _, f := range []struct {
		key    string
		absent int64
		to     *int64
	}{
		{"version", 0, &h.version}, {"created", 0, &h.created}, {"chunk", 0, &id}, {"block", headerBlocks, &place},
		{"clean", 0, &clean}, {"blockSize", blockSize, &size}, {"format", 1, &s.info.Format},
	} {
		if *f.to, err = m.hex(f.key, 48, f.absent); err != nil {
			return h, err
		}
	}
	if size != blockSize {
		return h, fmt.Errorf("block size is %d, not %d", size, blockSize)
	}
	h.clean = clean == 1
	if c := s.chunkAt(place); c != nil && int64(c.id) == id {
		h.newest = c
	}
	return h, nil
}

// checkFormat refuses files of other versions of H2.
func (s *store) checkFormat() error {
	switch s.info.Format {
	case formatVersion:
		return nil
	case 1:
		return fmt.Errorf("%w: MVStore format 1 was written by H2 1.4 (Nexus 3.69 and older); let a newer Nexus convert it, or give its SQL script",
			ErrFormat)
	}
	return fmt.Errorf("%w: MVStore format %d; this program reads format %d", ErrFormat, s.info.Format, formatVersion)
}

// finder looks for the newest version of a file that was not closed.
type finder struct {
	store  *store
	header fileHeader
	valid  map[int64]*chunk // chunks that are whole, by block
	byID   map[uint32]*chunk
}

func (f *finder) add(c *chunk) { f.valid[c.block] = c }

// recover follows H2: the last whole chunk of the file and the one that the header names, then along the predicted places of their
// successors. When the version found that way lacks a chunk, every block of the file is looked at.
func (f *finder) recover() error {
	s := f.store
	s.info.Recovered = true
	scan := scanner{store: s}
	blocks := s.size / blockSize
	newest := f.header.newest
	tail, err := scan.before(blocks)
	if err != nil {
		return err
	}
	if tail != nil {
		blocks = tail.block
		f.add(tail)
		if newest == nil || tail.version > newest.version {
			newest = tail
		}
	}
	for newest != nil {
		f.add(newest)
		next := s.chunkAt(newest.next)
		if next == nil || newest.next >= blocks || next.id != (newest.id+1)&maxChunkID || next.version <= newest.version {
			break
		}
		newest = next
	}
	if err := f.choose(false); err != nil {
		for tail != nil {
			if tail, err = scan.before(tail.block); err != nil {
				return err
			} else if tail != nil {
				f.add(tail)
			}
		}
		if err := f.choose(true); err != nil {
			return err
		}
	}
	if f.header.version > s.newest.version {
		err := damaged(f.header.offset, "the header names version %d, the newest whole version is %d (the old server may be able to repair it by a start)",
			f.header.version, s.newest.version)
		if !s.opts.FallBack {
			return err
		}
		s.info.Rejected = append(s.info.Rejected, Rejected{Version: f.header.version, Reason: err})
	}
	f.findTorn(scan.broken)
	return nil
}

// choose selects the newest version whose layout names only whole chunks. A newer chunk that is whole in itself but cannot be
// used is damage: H2 would fall back to an older version and lose what came after it, which needs Options.FallBack here.
func (f *finder) choose(scanned bool) error {
	s := f.store
	candidates := make([]*chunk, 0, len(f.valid))
	for _, c := range f.valid {
		candidates = append(candidates, c)
	}
	// Of two copies of a chunk, the one nearer to the beginning is the later: compaction moves chunks there.
	slices.SortFunc(candidates, func(a, b *chunk) int {
		return cmp.Or(cmp.Compare(b.version, a.version), cmp.Compare(a.block, b.block))
	})
	if len(candidates) == 0 {
		return damaged(headerBlocks*blockSize, "the file holds no whole chunk")
	}
	f.byID = map[uint32]*chunk{}
	for _, c := range candidates {
		f.byID[c.id] = c
	}
	var firstErr error
	var rejected []Rejected
	for _, c := range candidates {
		if firstErr != nil && c.version != candidates[0].version && !(scanned && s.opts.FallBack) {
			break
		}
		err := f.try(c, scanned)
		if err == nil {
			s.info.Rejected = rejected
			return nil
		}
		if firstErr == nil {
			firstErr = err
		}
		rejected = append(rejected, Rejected{Version: c.version, Reason: err})
	}
	return fmt.Errorf("h2: version %d of the database cannot be read (the old server may be able to repair it by a start): %w",
		candidates[0].version, firstErr)
}

// try selects a version and checks what is to be checked of it before it is used.
func (f *finder) try(c *chunk, scanned bool) error {
	s := f.store
	s.selectVersion(c)
	if err := f.complete(scanned); err != nil || !s.opts.FallBack {
		return err
	}
	if err := s.readDirectory(); err != nil {
		return err
	}
	if _, err := openSource(s); err != nil {
		return err
	}
	for name, id := range s.maps {
		if !strings.HasPrefix(name, "table.") && name != "lobMap" && name != "lobData" {
			continue // an index, or of use to a running H2 only
		}
		if err := s.checkPages(id); err != nil {
			return err
		}
	}
	s.selectVersion(c)
	return f.complete(scanned)
}

// complete checks that every chunk in use by the selected version is whole, and corrects the place of those that were being moved.
func (f *finder) complete(scanned bool) error {
	s := f.store
	for e, err := range s.layout().all() {
		if err != nil {
			return err
		}
		if len(e.key) < 6 || e.key[:6] != "chunk." {
			continue
		}
		c, err := s.layoutChunk(e.key, e.value)
		if err != nil {
			return err
		}
		if known := s.chunks[c.id]; known != nil {
			c = known // found before, while the layout was read
		}
		s.chunks[c.id] = c
		if here := f.valid[c.block]; here != nil && here.id == c.id || !c.live {
			continue
		}
		if copied := f.byID[c.id]; copied != nil {
			c.block = copied.block
		} else if here := s.chunkAt(c.block); scanned || here == nil || here.id != c.id {
			return damaged(c.offset(), "chunk %x of version %d is not whole", c.id, s.newest.version)
		}
	}
	return nil
}

// findTorn records chunks newer than the chosen one of which a part is missing: H2 was killed while it wrote them.
func (f *finder) findTorn(broken []*chunk) {
	s := f.store
	seen := map[int64]bool{}
	candidates := append(broken, s.headerAt(s.newest.next), s.headerAt(s.newest.block+s.newest.len))
	for _, c := range candidates {
		if c == nil || c.version <= s.newest.version || seen[c.block] {
			continue
		}
		seen[c.block] = true
		s.info.Torn = append(s.info.Torn, Torn{Offset: c.offset(), Version: c.version})
	}
}

// chunkAt gives the chunk that begins at a block, or nil unless its header and footer are whole and agree.
func (s *store) chunkAt(block int64) *chunk {
	c := s.headerAt(block)
	if c == nil || c.end() > s.size {
		return nil
	}
	buf := make([]byte, chunkFooter)
	if s.readAt(buf, c.end()-chunkFooter) != nil {
		return nil
	}
	if f := footer(buf); f == nil || f.id != c.id || f.len != c.len || f.version != c.version {
		return nil
	}
	return c
}

// headerAt gives what the chunk header at a block says, or nil when there is none.
func (s *store) headerAt(block int64) *chunk {
	if block < headerBlocks || block > (s.size-chunkHeader)/blockSize {
		return nil
	}
	buf := make([]byte, chunkHeader)
	if s.readAt(buf, block*blockSize) != nil {
		return nil
	}
	return header(buf, block)
}

// header parses a chunk header.
func header(buf []byte, block int64) *chunk {
	if !bytes.HasPrefix(buf, []byte("chunk:")) {
		return nil
	}
	line, _, ended := bytes.Cut(buf[:min(len(buf), chunkHeader)], []byte("\n"))
	if !ended {
		return nil
	}
	m, err := parseFields(string(bytes.TrimRight(line, " ")))
	if err != nil {
		return nil
	}
	c, err := parseChunk(m)
	if err != nil || c.len < 1 || c.block != 0 && c.block != block {
		return nil
	}
	c.block = block
	return c
}

// footer parses the last bytes of a chunk.
func footer(buf []byte) *chunk {
	if !bytes.HasPrefix(buf, []byte("chunk:")) {
		return nil
	}
	m, err := checkedFields(buf)
	if err != nil {
		return nil
	}
	c, err := parseChunk(m)
	if err != nil {
		return nil
	}
	return c
}

// scanWindow is how much of the file a scanner reads at once, in blocks.
const scanWindow = 256

// scanner looks for chunks from the end of the file backwards.
type scanner struct {
	store  *store
	window []byte
	start  int64    // first block of the window
	broken []*chunk // headers met without a footer, and footers without a header
}

// before finds the last whole chunk that ends at or before a block, or nil. A chunk counts only when no other header or footer
// lies inside of it: such a thing means that it was overwritten.
func (sc *scanner) before(block int64) (*chunk, error) {
	var candidate *chunk
	for candidate == nil || block > candidate.block {
		if block <= headerBlocks {
			return nil, nil
		}
		last, err := sc.block(block - 1)
		if err != nil {
			return nil, err
		}
		if f := footer(last[blockSize-chunkFooter:]); f != nil {
			candidate = nil
			if c := sc.store.headerAt(block - f.len); c != nil && c.id == f.id && c.version == f.version && c.len == f.len {
				candidate = c
			} else {
				f.block = max(block-f.len, headerBlocks)
				sc.broken = append(sc.broken, f)
			}
		}
		block--
		if h := header(last, block); h != nil && (candidate == nil || block > candidate.block) {
			sc.broken = append(sc.broken, h)
			candidate = nil
		}
	}
	return candidate, nil
}

// block gives the bytes of one block.
func (sc *scanner) block(n int64) ([]byte, error) {
	if sc.window == nil || n < sc.start || n >= sc.start+int64(len(sc.window)/blockSize) {
		start := max(headerBlocks, n+1-scanWindow)
		sc.window = make([]byte, (n+1-start)*blockSize)
		sc.start = start
		if err := sc.store.readAt(sc.window, start*blockSize); err != nil {
			return nil, err
		}
	}
	at := (n - sc.start) * blockSize
	return sc.window[at : at+blockSize], nil
}
