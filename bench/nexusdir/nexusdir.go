// Package nexusdir makes data directories of a Nexus 3.77 for benchmarks: an H2 database file and a file blob store with as many
// assets as wanted. It is made of facts about the format, without H2 or Java; what it leaves out is in bench/README.md.
//
// Invariants: every body is different, and its checksums are true; bodies beyond 4 KiB are sparse, so that 20 GiB of them take less
// than one on disk; the same options give the same directory, but for the time of its making.
//
//	err := nexusdir.Make(ctx, "old", nexusdir.Options{Assets: 200_000, Bytes: 20 << 30})
package nexusdir

import (
	"bytes"
	"context"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"

	"entrepot/migrate/blobs"
	"entrepot/migrate/properties"
)

// Options say how large a directory is to be.
type Options struct {
	Assets int   // of one hosted Maven repository; made in components of nine
	Bytes  int64 // of all bodies together, about
}

// Repository is the name of the repository that holds everything.
const Repository = "maven-releases"

// Names of what a component has: three files, and two checksums of each.
var (
	files     = [...]string{".jar", ".pom", "-sources.jar"}
	checksums = [...]string{"", ".sha1", ".md5"}
)

const perComponent = len(files) * len(checksums)

// head is how many bytes of a body are written; the rest is a hole.
const head = 4096

// spread are sizes of large files against their mean, by turns: many small ones and few large.
var spread = [...]float64{0.1, 0.2, 0.3, 0.5, 0.8, 1, 1.5, 3.6}

// born is when the first asset was stored; each further one a second later.
var born = time.Date(2025, 1, 2, 3, 4, 5, 678e6, time.UTC)

// asset is one path with what the database says of it.
type asset struct {
	path, id, kind, contentType string
	extension, classifier       string
	size                        int64
	sums                        string // as JSON
	created                     time.Time
}

// PathOf gives the path of the n-th asset.
func PathOf(n int) string {
	c, f := n/perComponent, n%perComponent
	folder, name := coordinates(c)
	return folder + "/" + name + files[f/len(checksums)] + checksums[f%len(checksums)]
}

// coordinates give the folder and the beginning of the file names of a component.
func coordinates(c int) (folder, name string) {
	artifact, version := fmt.Sprintf("lib-%d", c/10%1000), fmt.Sprintf("1.%d", c%10)
	return fmt.Sprintf("/org/acme/g%d/%s/%s", c/10_000, artifact, version), artifact + "-" + version
}

// Make makes a data directory in dir, which is made.
func Make(ctx context.Context, dir string, opts Options) error {
	content := filepath.Join(dir, "blobs", "default", "content")
	for _, folder := range []string{content, filepath.Join(dir, "db"), filepath.Join(dir, "etc")} {
		if err := os.MkdirAll(folder, 0o755); err != nil {
			return fmt.Errorf("data directory: %w", err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "blobs", "default", "metadata.properties"), []byte("type=file/1\n"), 0o644); err != nil {
		return fmt.Errorf("data directory: %w", err)
	}
	for vol := 1; vol <= 43; vol++ {
		for chap := 1; chap <= 47; chap++ {
			if err := os.MkdirAll(filepath.Join(content, fmt.Sprintf("vol-%02d/chap-%02d", vol, chap)), 0o755); err != nil {
				return fmt.Errorf("data directory: %w", err)
			}
		}
	}
	db, err := openDatabase(filepath.Join(dir, "db", "nexus.mv.db"))
	if err != nil {
		return fmt.Errorf("data directory: %w", err)
	}
	m := &maker{content: content, opts: opts}
	if err := errors.Join(m.assets(ctx, db), db.close()); err != nil {
		return fmt.Errorf("data directory: %w", err)
	}
	return nil
}

// maker makes bodies.
type maker struct {
	content string
	opts    Options
}

// batch is how many components are made at once before their rows are written.
const batch = 256

func (m *maker) assets(ctx context.Context, db *database) error {
	components := (m.opts.Assets + perComponent - 1) / perComponent
	for from := 0; from < components; from += batch {
		made := make([][]asset, min(batch, components-from))
		g, ctx := errgroup.WithContext(ctx)
		g.SetLimit(4)
		for i := range made {
			g.Go(func() error {
				var err error
				if err = ctx.Err(); err == nil {
					made[i], err = m.component(from + i)
				}
				return err
			})
		}
		if err := g.Wait(); err != nil {
			return err
		}
		for i, assets := range made {
			db.component(from+i, assets)
		}
	}
	return nil
}

// component makes the bodies of one component.
func (m *maker) component(c int) ([]asset, error) {
	var assets []asset
	folder, name := coordinates(c)
	for f, file := range files {
		content, size := m.body(c, f)
		var sums map[string]string
		for k, kind := range checksums {
			n := c*perComponent + f*len(checksums) + k
			if n >= m.opts.Assets {
				return assets, nil
			}
			if kind != "" {
				content = []byte(sums[kind[1:]])
				size = int64(len(content))
			}
			a := asset{path: folder + "/" + name + file + kind, id: idOf(n), size: size, created: born.Add(time.Duration(n) * time.Second)}
			a.describe(f, kind)
			taken, err := m.write(&a, content)
			if err != nil {
				return nil, err
			}
			if kind == "" {
				sums = taken
			}
			assets = append(assets, a)
		}
	}
	return assets, nil
}

// describe fills in what the format says of a file.
func (a *asset) describe(file int, checksum string) {
	a.kind, a.contentType = "ARTIFACT", "application/java-archive"
	a.extension = "jar" + checksum
	switch file {
	case 1:
		a.contentType, a.extension = "application/xml", "pom"+checksum
	case 2:
		a.classifier = "sources"
	}
	if checksum != "" {
		a.kind, a.contentType = "ARTIFACT_SUBORDINATE", "text/plain"
	}
}

// body gives the beginning of a file that is no checksum, and its size.
func (m *maker) body(c, file int) ([]byte, int64) {
	if file == 1 {
		folder, name := coordinates(c)
		pom := fmt.Appendf(nil, "<project><modelVersion>4.0.0</modelVersion><groupId>%s</groupId><artifactId>%s</artifactId><version>1.%d</version></project>\n", folder, name, c%10)
		return pom, int64(len(pom))
	}
	large := max(int64(m.opts.Assets/perComponent)*2, 1)
	size := max(int64(float64(m.opts.Bytes/large)*spread[(c+file)%len(spread)]), 64)
	content := make([]byte, min(size, head))
	random := rand.New(rand.NewPCG(uint64(c), uint64(file)))
	for i := range content {
		content[i] = byte(random.Uint32())
	}
	return content, size
}

// idOf gives a blob's id of the form of a random UUID.
func idOf(n int) string {
	sum := sha1.Sum([]byte(strconv.Itoa(n)))
	text := hex.EncodeToString(sum[:16])
	return text[:8] + "-" + text[8:12] + "-4" + text[13:16] + "-a" + text[17:20] + "-" + text[20:]
}

var zeros [1 << 16]byte

// write writes a body and its properties, and gives its checksums.
func (m *maker) write(a *asset, content []byte) (map[string]string, error) {
	hashes := map[string]hash.Hash{"md5": md5.New(), "sha1": sha1.New(), "sha256": sha256.New(), "sha512": sha512.New()}
	sums := make(map[string]string, len(hashes))
	for name, h := range hashes {
		h.Write(content)
		for left := a.size - int64(len(content)); left > 0; left -= int64(len(zeros)) {
			h.Write(zeros[:min(left, int64(len(zeros)))])
		}
		sums[name] = hex.EncodeToString(h.Sum(nil))
	}
	a.sums = fmt.Sprintf(`{"sha512":%q,"sha256":%q,"md5":%q,"sha1":%q}`, sums["sha512"], sums["sha256"], sums["md5"], sums["sha1"])
	base := filepath.Join(m.content, filepath.FromSlash(blobs.Location(a.id, time.Time{})))
	f, err := os.Create(base + ".bytes")
	if err != nil {
		return nil, err
	}
	_, err = f.Write(content)
	if err == nil {
		err = f.Truncate(a.size)
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	var text bytes.Buffer
	if err := a.properties(&text, sums["sha1"]); err != nil {
		return nil, err
	}
	return sums, os.WriteFile(base+".properties", text.Bytes(), 0o644)
}

func (a *asset) properties(w io.Writer, sha1 string) error {
	return properties.Write(w, map[string]string{
		"@BlobStore.blob-name": a.path, "@BlobStore.content-type": a.contentType, "@BlobStore.created-by": "deployer",
		"@BlobStore.created-by-ip": "10.0.0.1", "@Bucket.repo-name": Repository, "sha1": sha1,
		"size": strconv.FormatInt(a.size, 10), "creationTime": strconv.FormatInt(a.created.UnixMilli(), 10),
	})
}
