// Package blobs reads the file blob store of an old server: pairs of a ".bytes" and a ".properties" file. With nothing else, no
// database, the properties tell each blob's repository, path, content type, dates, uploader and checksum; what a store alone cannot
// tell (formats, kinds, users, settings) is guessed or left out, and the inventory's notes say so.
//
// Invariants: files are only ever opened for reading; memory does not grow with the number of blobs; a blob that cannot be used is
// reported with its reason and does not stop the rest.
package blobs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"entrepot/migrate/inventory"
	"entrepot/migrate/properties"
	"entrepot/storage/blob"
)

// Keys of a blob's properties.
const (
	keyName       = "@BlobStore.blob-name"
	keyType       = "@BlobStore.content-type"
	keyBy         = "@BlobStore.created-by"
	keyIP         = "@BlobStore.created-by-ip"
	keyTemporary  = "@BlobStore.temporary-blob"
	keyDirect     = "@BlobStore.direct-path"
	keyRepository = "@Bucket.repo-name"
	keySHA1       = "sha1"
	keySize       = "size"
	keyCreated    = "creationTime"
	keyDownloaded = "lastDownloaded"
	keyDeleted    = "deleted"
)

// Store is a file blob store of an old server.
type Store struct {
	dir string // the store's folder, made absolute
}

var _ inventory.Source = (*Store)(nil)

// Open checks that dir is a file blob store.
func Open(dir string) (*Store, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("blob store %s: %w", dir, err)
	}
	f, err := os.Open(filepath.Join(abs, "metadata.properties"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s is no blob store: it has no metadata.properties (name the folder that holds metadata.properties and content)", dir)
	}
	if err != nil {
		return nil, fmt.Errorf("blob store: %w", err)
	}
	defer f.Close()
	props, err := properties.Read(f)
	if err != nil {
		return nil, fmt.Errorf("blob store %s: metadata.properties: %w", dir, err)
	}
	if kind := props["type"]; kind != "file/1" {
		return nil, fmt.Errorf("blob store %s has type %q; only file/1 can be read from a folder", dir, kind)
	}
	if _, err := os.Stat(filepath.Join(abs, "content")); err != nil {
		return nil, fmt.Errorf("blob store: %w", err)
	}
	return &Store{dir: abs}, nil
}

// Assets delivers every live blob as the asset it says it is. Of several blobs with the same repository and path all are delivered;
// the newest counts.
func (s *Store) Assets(ctx context.Context) iter.Seq2[*inventory.Asset, error] {
	return func(yield func(*inventory.Asset, error) bool) {
		for e, err := range s.entries(ctx) {
			switch {
			case err != nil:
				if !yield(nil, err) {
					return
				}
			case e.asset != nil:
				if !yield(e.asset, nil) {
					return
				}
			}
		}
	}
}

// Open opens a blob's bytes.
func (s *Store) Open(_ context.Context, a *inventory.Asset) (io.ReadCloser, error) {
	f, err := os.Open(filepath.Join(s.dir, "content", filepath.FromSlash(a.Blob)+".bytes"))
	if err != nil {
		return nil, fmt.Errorf("blob %s: %w", a.Blob, err)
	}
	return f, nil
}

// entry is one .properties file: an asset, or why it is none.
type entry struct {
	asset   *inventory.Asset
	deleted bool // left out because it was deleted
	other   bool // left out because it is no repository content: temporary, a report, a copy without bytes
}

// entries walks the store. An error that is an *inventory.Problem concerns one blob.
func (s *Store) entries(ctx context.Context) iter.Seq2[entry, error] {
	return func(yield func(entry, error) bool) {
		content := filepath.Join(s.dir, "content")
		err := filepath.WalkDir(content, func(path string, d fs.DirEntry, err error) error {
			if err == nil {
				err = ctx.Err()
			}
			if err != nil {
				return err
			}
			rel, err := filepath.Rel(content, path)
			if err != nil {
				return err
			}
			if d.IsDir() {
				if rel == "tmp" || rel == "directpath" {
					return fs.SkipDir
				}
				return nil
			}
			name, ok := strings.CutSuffix(filepath.ToSlash(rel), ".properties")
			if !ok {
				return nil
			}
			e, err := s.entry(name)
			if !yield(e, err) {
				return fs.SkipAll
			}
			return nil
		})
		if err != nil {
			yield(entry{}, fmt.Errorf("blob store %s: %w", s.dir, err))
		}
	}
}

// entry reads one blob's properties. name is its place below content, without the ending.
func (s *Store) entry(name string) (entry, error) {
	problem := func(format string, args ...any) (entry, error) {
		return entry{}, &inventory.Problem{Blob: name, Reason: fmt.Sprintf(format, args...)}
	}
	base := filepath.Join(s.dir, "content", filepath.FromSlash(name))
	f, err := os.Open(base + ".properties")
	if err != nil {
		return problem("cannot read its properties: %v", err)
	}
	defer f.Close()
	props, err := properties.Read(f)
	if err != nil {
		return problem("cannot read its properties: %v", err)
	}
	if _, deleted := props[keyDeleted]; deleted {
		return entry{deleted: true}, nil
	}
	_, temporary := props[keyTemporary]
	st, err := os.Stat(base + ".bytes")
	if temporary || props[keyDirect] == "true" || errors.Is(err, fs.ErrNotExist) && isDated(name) {
		return entry{other: true}, nil
	}
	if err != nil {
		return problem("cannot read its bytes: %v", err)
	}
	a, reason := asset(name, props)
	if reason == "" && a.Size >= 0 && a.Size != st.Size() {
		reason = fmt.Sprintf("has %d bytes, its properties say %d", st.Size(), a.Size)
	}
	if reason != "" {
		return entry{}, &inventory.Problem{Repository: a.Repository, Path: a.Path, Blob: name, Reason: reason}
	}
	a.Size = st.Size()
	return entry{asset: a}, nil
}

// isDated reports the layout by date, where a deleted blob leaves a copy of its properties without bytes.
func isDated(name string) bool { return !strings.HasPrefix(name, "vol-") }

// asset makes an asset of a blob's properties, or gives the reason why that cannot be.
func asset(name string, props map[string]string) (*inventory.Asset, string) {
	a := &inventory.Asset{
		Repository:  props[keyRepository],
		Blob:        name,
		Size:        -1,
		Digests:     blob.Digests{SHA1: strings.ToLower(props[keySHA1])},
		ContentType: props[keyType],
		Uploader:    props[keyBy],
		UploaderIP:  props[keyIP],
	}
	switch {
	case len(props) == 0:
		return a, "its properties are empty"
	case a.Repository == "":
		return a, "its properties name no repository"
	case strings.Trim(props[keyName], "/") == "":
		return a, "its properties name no path"
	}
	a.Path = "/" + strings.TrimPrefix(props[keyName], "/")
	if text := props[keySize]; text != "" {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || n < 0 {
			return a, fmt.Sprintf("its size %q is no number", text)
		}
		a.Size = n
	}
	ms, err := strconv.ParseInt(props[keyCreated], 10, 64)
	if err != nil {
		return a, fmt.Sprintf("its creation time %q is no number of milliseconds", props[keyCreated])
	}
	a.BlobCreated = time.UnixMilli(ms).UTC()
	if text := props[keyDownloaded]; text != "" {
		if t, err := time.Parse(time.RFC3339Nano, text); err == nil {
			a.LastDownloaded = t.UTC()
		}
	}
	return a, ""
}
