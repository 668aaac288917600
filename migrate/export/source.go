package export

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"time"

	"entrepot/app/repository"
	"entrepot/migrate/blobs"
	"entrepot/migrate/inventory"
)

// Source is an export, opened for reading.
type Source struct{ dir string }

var _ inventory.Source = (*Source)(nil)

// Open checks that dir holds an export that was finished.
func Open(dir string) (*Source, error) {
	for _, name := range []string{inventoryFile, assetsFile} {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			return nil, fmt.Errorf("%s is no finished export: %w", dir, err)
		}
	}
	return &Source{dir}, nil
}

// Describe reads the settings.
func (s *Source) Describe(context.Context) (*inventory.Inventory, error) {
	raw, err := os.ReadFile(filepath.Join(s.dir, inventoryFile))
	if err != nil {
		return nil, fmt.Errorf("export: %w", err)
	}
	in := file{Inventory: &inventory.Inventory{}}
	if json.Unmarshal(raw, &in) != nil { // the error could quote a secret
		return nil, fmt.Errorf("export: %s is damaged", inventoryFile)
	}
	in.Origin = "export " + s.dir
	for i, r := range in.Repositories {
		secrets, ok := in.Credentials[r.Name]
		if ok && r.Upstream != nil && r.Upstream.Authentication != nil {
			a := in.Repositories[i].Upstream.Authentication
			a.Password, a.Bearer = repository.Secret(secrets[0]), repository.Secret(secrets[1])
		}
	}
	for i, r := range in.Repositories {
		for name, secret := range in.SettingKeys[r.Name] {
			if in.Repositories[i].Secrets == nil {
				in.Repositories[i].Secrets = make(map[string]repository.Secret)
			}
			in.Repositories[i].Secrets[name] = repository.Secret(secret)
		}
	}
	for i, r := range in.Records {
		for path, secret := range in.RecordKeys[r.Section+"/"+r.Name] {
			in.Records[i].Secrets[path] = repository.Secret(secret)
		}
	}
	in.SystemKeys.restore(&in.System)
	return in.Inventory, nil
}

// maxLine bounds one asset's line.
const maxLine = 4 << 20

// Assets delivers the list.
func (s *Source) Assets(ctx context.Context) iter.Seq2[*inventory.Asset, error] {
	return func(yield func(*inventory.Asset, error) bool) {
		f, err := os.Open(filepath.Join(s.dir, assetsFile))
		if err != nil {
			yield(nil, fmt.Errorf("export: %w", err))
			return
		}
		defer f.Close()
		lines := bufio.NewScanner(f)
		lines.Buffer(nil, maxLine)
		for n := 1; lines.Scan(); n++ {
			a := &inventory.Asset{}
			err := json.Unmarshal(lines.Bytes(), a)
			if err != nil {
				err = fmt.Errorf("export: line %d of %s: %w", n, assetsFile, err)
			}
			if err = errors.Join(err, ctx.Err()); err != nil {
				yield(nil, err)
				return
			}
			if !yield(a, nil) {
				return
			}
		}
		if err := lines.Err(); err != nil {
			yield(nil, fmt.Errorf("export: %w", err))
		}
	}
}

// Open opens the bytes of an asset.
func (s *Source) Open(_ context.Context, a *inventory.Asset) (io.ReadCloser, error) {
	store, id, ok := strings.Cut(a.Blob, "@")
	if !ok || !filepath.IsLocal(store) {
		return nil, fmt.Errorf("%q is no reference to a blob", a.Blob)
	}
	return os.Open(filepath.Join(s.dir, blobsFolder, store, "content", filepath.FromSlash(blobs.Location(id, time.Time{}))+".bytes"))
}
