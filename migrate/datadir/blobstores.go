package datadir

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"entrepot/app/repository"
	"entrepot/migrate/blobs"
	"entrepot/migrate/inventory"
)

// Types of blob stores as the old server spells them.
const (
	typeFile  = "File"
	typeGroup = "Group"
)

// blobStore is a blob store of the old server.
type blobStore struct {
	kind    string
	dir     string   // of a file store
	members []string // of a group
	here    string   // the store that takes its blobs
}

// readBlobStores reads all blob stores. Folders with an absolute path stay the old server's: here each gets one of its own.
func (d *Directory) readBlobStores(ctx context.Context, inv *inventory.Inventory) error {
	d.stores = make(map[string]blobStore)
	for r, err := range d.rows(ctx, "blob_store_configuration") {
		if err != nil {
			return err
		}
		name, kind, attributes := r.text("name"), r.text("type"), r.object("attributes")
		if r.err != nil {
			return r.err
		}
		found := inventory.BlobStore{BlobStore: repository.BlobStore{Name: name, Quota: quotaOf(attributes.object("blobStoreQuotaConfig"))}}
		store := blobStore{kind: kind, here: name}
		switch kind {
		case typeFile:
			path := attributes.object("file").text("path")
			store.dir = d.storeDir(path)
			found.Type, found.Path = repository.BlobStoreFile, path
			if filepath.IsAbs(path) || !filepath.IsLocal(path) {
				found.Path = name
				found.Note = fmt.Sprintf("lay in %s; here its blobs lie in %s below the data folder's blobs", path, name)
			}
		case typeGroup:
			store.members = attributes.object("group").list("members")
			found.Type, found.Members = repository.BlobStoreGroup, store.members
			found.FillPolicy = repository.FillFirst
			if attributes.object("group").text("fillPolicy") == string(repository.FillRoundRobin) {
				found.FillPolicy = repository.FillRoundRobin
			}
		default:
			found.Type, found.Attributes = strings.ToLower(kind), d.storeSettings(kind, name, r, inv)
			found.Note = fmt.Sprintf("its settings are kept; its blobs stay where they are until this server can use blob stores of type %s, "+
				"and an import then brings them", kind)
		}
		d.stores[name] = store
		inv.BlobStores = append(inv.BlobStores, found)
	}
	d.resolveGroups()
	inv.BlobStores = slices.DeleteFunc(inv.BlobStores, func(b inventory.BlobStore) bool {
		here := d.stores[b.Name].here
		if here != b.Name {
			inv.Notes = append(inv.Notes, fmt.Sprintf("The group of blob stores %s does not come over: its members are none, groups or those of another group. "+
				"Repositories in it use its first folder.", b.Name))
		}
		return here != b.Name
	})
	slices.SortStableFunc(inv.BlobStores, func(a, b inventory.BlobStore) int { // members before groups
		return cmp.Compare(len(a.Members), len(b.Members))
	})
	return nil
}

// resolveGroups finds which stores take the blobs of groups here: the group itself, or, when there cannot be such a group here, its first
// folder.
func (d *Directory) resolveGroups() {
	groups := make(map[string]int) // how many have a store among their members
	for _, s := range d.stores {
		for _, member := range s.members {
			groups[member]++
		}
	}
	for name, s := range d.stores {
		alien := func(member string) bool {
			m, ok := d.stores[member]
			return !ok || m.kind == typeGroup || groups[member] > 1
		}
		if s.kind != typeGroup || len(s.members) > 0 && !slices.ContainsFunc(s.members, alien) {
			continue
		}
		s.here = "" // nothing can
		for _, leaf := range d.leaves(name) {
			if leaf.kind == typeFile {
				s.here = leaf.here
				break
			}
		}
		d.stores[name] = s
	}
}

// storeDir gives the folder of a file store, where the operator says it is now.
func (d *Directory) storeDir(path string) string {
	if !filepath.IsAbs(path) {
		return d.path("blobs", path)
	}
	longest := ""
	for old := range d.opts.Moved {
		if (path == old || strings.HasPrefix(path, strings.TrimRight(old, "/")+"/")) && len(old) > len(longest) {
			longest = old
		}
	}
	if longest == "" {
		return path
	}
	return filepath.Join(d.opts.Moved[longest], strings.TrimPrefix(path, longest))
}

// storeSettings gives the settings of a store in a bucket or the like; its secrets become a record of their own.
func (d *Directory) storeSettings(kind, name string, r *row, inv *inventory.Inventory) map[string]string {
	all := r.object("attributes")
	held := d.takeSecrets(r.at("attributes"), all)
	if len(held) > 0 {
		inv.Records = append(inv.Records, record("blob-store-secrets", name, object{"type": kind}, held))
	}
	settings := make(map[string]string)
	for section, members := range all {
		of, _ := members.(map[string]any)
		for key := range of {
			if text := object(of).text(key); text != "" && section != "blobStoreQuotaConfig" {
				settings[key] = text
			}
		}
	}
	return settings
}

func quotaOf(o object) *repository.SoftQuota {
	limit, ok := o.number("quotaLimitBytes")
	if !ok || o.text("quotaType") == "" {
		return nil
	}
	return &repository.SoftQuota{Type: o.text("quotaType"), Limit: limit}
}

// blobRef names a blob of the old server.
type blobRef struct {
	store   string
	id      string
	created time.Time // of the date layout; zero in the classic one
}

// minIDLength is the length from which a part of a reference can be an id.
const minIDLength = 30

// parseBlobRef reads the forms that references have had: "store@id", "store@id@2025-09-14T08:31", and of older releases
// "store:id@node" and "store@node:id". The node means nothing.
func parseBlobRef(text string) (blobRef, error) {
	ref := blobRef{}
	rest := text
	if i := strings.LastIndexByte(rest, '@'); i > 0 {
		if at, err := time.Parse("2006-01-02T15:04", rest[i+1:]); err == nil {
			ref.created, rest = at.UTC(), rest[:i]
		}
	}
	i := strings.LastIndexByte(rest, '@')
	if i <= 0 {
		return ref, fmt.Errorf("%q is no reference to a blob", text)
	}
	left, right := rest[:i], rest[i+1:]
	if store, id, ok := cutLast(left, ':'); ok && validID(id) { // store:id@node
		ref.store, ref.id = store, id
		return ref, nil
	}
	if _, id, ok := cutLast(right, ':'); ok { // store@node:id
		right = id
	}
	if !validID(right) {
		return ref, fmt.Errorf("%q is no reference to a blob", text)
	}
	ref.store, ref.id = left, right
	return ref, nil
}

func cutLast(s string, sep byte) (before, after string, ok bool) {
	i := strings.LastIndexByte(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+1:], true
}

func validID(id string) bool {
	if len(id) < minIDLength {
		return false
	}
	for i := 0; i < len(id); i++ {
		c := id[i]
		if (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && c != '-' && c != '_' {
			return false
		}
	}
	return true
}

// find gives the file that holds a blob. In a group every member is asked.
func (d *Directory) find(ref blobRef) (string, error) {
	if _, ok := d.stores[ref.store]; !ok {
		return "", fmt.Errorf("its blob store %s does not exist", ref.store)
	}
	var tried, unread string
	for _, candidate := range d.leaves(ref.store) {
		if candidate.kind != typeFile {
			unread = candidate.kind
			continue
		}
		tried = filepath.Join(candidate.dir, "content", filepath.FromSlash(blobs.Location(ref.id, ref.created))+".bytes")
		switch _, err := os.Stat(tried); {
		case err == nil:
			return tried, nil
		case !errors.Is(err, os.ErrNotExist):
			return "", fmt.Errorf("its bytes cannot be read: %w", err)
		}
	}
	switch {
	case tried == "" && unread == "":
		return "", fmt.Errorf("its blob store %s is a group without members", ref.store)
	case tried == "":
		return "", fmt.Errorf("its blob store %s is of type %s, which cannot be read yet", ref.store, unread)
	case unread != "":
		return "", fmt.Errorf("its bytes are in no folder of %s, but perhaps in its member of type %s, which cannot be read yet: %w", ref.store, unread, os.ErrNotExist)
	}
	return "", fmt.Errorf("its bytes are missing: %s: %w", tried, os.ErrNotExist)
}

// leaves gives a blob store, or of a group all that is in it, in order and each once.
func (d *Directory) leaves(name string) []blobStore {
	var all []blobStore
	seen := make(map[string]bool)
	var add func(name string)
	add = func(name string) {
		s, ok := d.stores[name]
		if !ok || seen[name] {
			return
		}
		seen[name] = true
		if s.kind != typeGroup {
			all = append(all, s)
		}
		for _, member := range s.members {
			add(member)
		}
	}
	add(name)
	return all
}
