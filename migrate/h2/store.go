package h2

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
)

// formatVersion is the only MVStore format that Nexus 3.70 and later write, by H2 2.2 and 2.3.
const formatVersion = 3

// maxPendingChunks bounds how many chunks may be looked up while another one is: each level of the layout tree can need one.
const maxPendingChunks = 64

// store is an MVStore: pages in chunks, found through the layout map whose root the newest chunk names.
type store struct {
	file io.ReaderAt
	size int64
	opts Options
	info Info

	newest *chunk
	roots  map[uint32]pagePos // root page of each map that has entries
	maps   map[string]uint32  // id of each map by name

	mu      sync.Mutex
	chunks  map[uint32]*chunk
	pending map[uint32]bool // chunks whose layout entry is being looked up
}

// readAt fills b; what lies past the end of the file is damage.
func (s *store) readAt(b []byte, offset int64) error {
	if offset < 0 || offset > s.size-int64(len(b)) {
		return damaged(offset, "%d bytes wanted, the file ends at %d", len(b), s.size)
	}
	if _, err := s.file.ReadAt(b, offset); err != nil {
		return fmt.Errorf("h2: read %d bytes at %d: %w", len(b), offset, err)
	}
	return nil
}

// openStore finds the newest whole version and reads the directory of maps.
func openStore(file io.ReaderAt, size int64, opts Options) (*store, error) {
	s := &store{file: file, size: size, opts: opts}
	if err := s.findNewest(); err != nil {
		return nil, err
	}
	return s, s.readDirectory()
}

// readDirectory reads the places of chunks and maps of the selected version.
func (s *store) readDirectory() error {
	if err := s.readLayout(); err != nil {
		return err
	}
	return s.readMeta()
}

// checkPages reads every page of a map.
func (s *store) checkPages(mapID uint32) error {
	var walk func(pos pagePos, depth int) error
	walk = func(pos pagePos, depth int) error {
		p, err := s.readPage(pos, mapID)
		if err != nil {
			return err
		}
		if depth == maxDepth {
			return damaged(p.offset, "node at depth %d", depth)
		}
		for _, child := range p.children {
			if child == 0 {
				continue
			}
			if err := walk(child, depth+1); err != nil {
				return err
			}
		}
		return nil
	}
	if root := s.roots[mapID]; root != 0 {
		return walk(root, 0)
	}
	return nil
}

// chunk gives the place of a chunk. While the layout map is still being read, an unknown chunk is looked up in it top down: the
// pages on the way lie in chunks that are known or can be found the same way.
func (s *store) chunk(id uint32) (*chunk, error) {
	s.mu.Lock()
	c, known := s.chunks[id]
	busy := s.pending[id] || len(s.pending) >= maxPendingChunks
	if !known && !busy && s.pending != nil {
		s.pending[id] = true
	}
	lost := s.pending == nil
	s.mu.Unlock()
	switch {
	case known:
		return c, nil
	case busy || lost:
		return nil, damaged(s.newest.offset(), "the layout of version %d has no chunk %x", s.newest.version, id)
	}
	defer func() {
		s.mu.Lock()
		delete(s.pending, id)
		s.mu.Unlock()
	}()
	key := fmt.Sprintf("chunk.%x", id)
	text, found, err := s.layout().get(key)
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, damaged(s.newest.offset(), "the layout of version %d has no chunk %x", s.newest.version, id)
	}
	c, err = s.layoutChunk(key, text)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	s.chunks[id] = c
	s.mu.Unlock()
	return c, nil
}

// layoutChunk parses the layout's text about a chunk.
func (s *store) layoutChunk(key, text string) (*chunk, error) {
	m, err := parseFields(text)
	if err != nil {
		return nil, damaged(s.newest.offset(), "layout entry %q: %v", clip(key), err)
	}
	c, err := parseChunk(m)
	if err != nil {
		return nil, damaged(s.newest.offset(), "layout entry %q: %v", clip(key), err)
	}
	if key != fmt.Sprintf("chunk.%x", c.id) {
		return nil, damaged(s.newest.offset(), "layout entry %q describes chunk %x", clip(key), c.id)
	}
	return c, nil
}

// layout is the directory of chunks and root pages.
func (s *store) layout() tree[string, string] {
	return tree[string, string]{store: s, mapID: 0, root: s.newest.root, key: (*decoder).string, value: (*decoder).string}
}

// selectVersion starts to read the version that the chunk finished.
func (s *store) selectVersion(c *chunk) {
	s.newest = c
	s.chunks = map[uint32]*chunk{c.id: c}
	s.pending = map[uint32]bool{}
}

// readLayout loads the places of all chunks and of all root pages.
func (s *store) readLayout() error {
	s.roots = map[uint32]pagePos{}
	for e, err := range s.layout().all() {
		if err != nil {
			return err
		}
		id, isRoot := strings.CutPrefix(e.key, "root.")
		if !isRoot {
			continue
		}
		mapID, err := parseHex(id, 31)
		if err != nil {
			return damaged(s.newest.offset(), "layout entry %q: %v", clip(e.key), err)
		}
		root, err := parseHex(e.value, 64)
		if err != nil {
			return damaged(s.newest.offset(), "layout entry %q: %v", clip(e.key), err)
		}
		s.roots[uint32(mapID)] = pagePos(root)
	}
	s.pending = nil // from here on every chunk is known
	return nil
}

// readMeta loads the names of all maps.
func (s *store) readMeta() error {
	id, found, err := s.layout().get("meta.id")
	if err != nil {
		return err
	}
	metaID, err := parseHex(id, 31)
	if !found || err != nil {
		return damaged(s.newest.offset(), "the layout of version %d names no meta map", s.newest.version)
	}
	meta := tree[string, string]{store: s, mapID: uint32(metaID), root: s.roots[uint32(metaID)], key: (*decoder).string, value: (*decoder).string}
	ids, names := map[string]uint32{}, map[uint32]string{uint32(metaID): ""}
	for e, err := range meta.all() {
		if err != nil {
			return err
		}
		if err := s.metaEntry(e.key, e.value, ids, names); err != nil {
			return err
		}
	}
	if err := s.nameMaps(ids, names); err != nil {
		return err
	}
	return s.checkRoots(names)
}

// metaEntry sorts one entry of the meta map: "name.<name>" gives an id, "map.<id>" describes a map. Others do not matter.
func (s *store) metaEntry(key, value string, ids map[string]uint32, names map[uint32]string) error {
	if name, ok := strings.CutPrefix(key, "name."); ok {
		id, err := parseHex(value, 31)
		if err != nil {
			return damaged(s.newest.offset(), "id of map %q: %v", clip(name), err)
		}
		ids[name] = uint32(id)
	} else if hex, ok := strings.CutPrefix(key, "map."); ok {
		id, err := parseHex(hex, 31)
		if err != nil {
			return damaged(s.newest.offset(), "meta entry %q: %v", clip(key), err)
		}
		m, err := parseFields(value)
		if err != nil {
			return damaged(s.newest.offset(), "meta entry %q: %v", clip(key), err)
		}
		names[uint32(id)] = m["name"]
	}
	return nil
}

// nameMaps joins both directions of the name table. H2 can be killed between writing one and the other, so what one side lacks
// the other supplies.
func (s *store) nameMaps(ids map[string]uint32, names map[uint32]string) error {
	s.maps = map[string]uint32{}
	for name, id := range ids {
		if names[id] == name {
			s.maps[name] = id
		}
	}
	for id, name := range names {
		if other, twice := s.maps[name]; twice && other != id && ids[name] != other {
			return damaged(s.newest.offset(), "maps %x and %x are both named %q", id, other, clip(name))
		} else if !twice {
			s.maps[name] = id
		}
	}
	return nil
}

// checkRoots reads every root page once: its header repeats the id of its map, so that a map whose directory entry went astray is
// noticed. The root of a map without a name is left over from a map that H2 was removing when it ended; its page may be gone. The
// pages of indexes are of no use here.
func (s *store) checkRoots(names map[uint32]string) error {
	for id, root := range s.roots {
		p, err := s.readPage(root, anyMap)
		name, known := names[id]
		switch {
		case err != nil && known && !strings.HasPrefix(name, "index."):
			return err
		case err != nil || p.mapID == id:
			continue
		}
		if _, mixed := names[p.mapID]; known || mixed {
			return damaged(p.offset, "page belongs to map %x, the layout says %x", p.mapID, id)
		}
	}
	return nil
}

// parseHex reads a hexadecimal number of at most bits bits.
func parseHex(s string, bits int) (uint64, error) {
	v, err := fields{"": s}.hex("", bits, 0)
	if err != nil {
		return 0, errors.New("no hexadecimal number")
	}
	return uint64(v), nil
}
