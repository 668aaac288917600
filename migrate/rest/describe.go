package rest

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"entrepot/app/repository"
	"entrepot/migrate/inventory"
)

// Describe reads everything but the bodies; once, later calls give the same.
func (s *Server) Describe(ctx context.Context) (*inventory.Inventory, error) {
	if s.inventory != nil {
		return s.inventory, nil
	}
	if err := s.Close(); err != nil { // of an attempt that failed
		return nil, err
	}
	inv := &inventory.Inventory{Origin: fmt.Sprintf("living server %s (%s)", s.base, s.version), Living: true}
	for _, read := range []func(context.Context, *inventory.Inventory) error{
		s.readSystem, s.readBlobStores, s.readRoutingRules, s.readRepositories, s.readAccounts, s.readLDAP, s.readServer, s.readPolicies, s.list,
	} {
		if err := read(ctx, inv); err != nil {
			return nil, err
		}
	}
	inv.Notes = append(inv.Notes,
		"A living server does not give away passwords, tokens and keys. Users come without a password: import the stopped data directory "+
			"(import nexus) as well, which brings them, or set new ones. What is here already is kept.",
		"Scheduled tasks, mail and HTTP settings and capabilities come from the stopped data directory only.",
		"Content of caches (proxies there) has the date on which it was cached as its Last-Modified, until its upstream is asked again.",
		"What is downloaded for the import counts on the old server as downloaded today, which its cleanup policies may look at.",
	)
	s.inventory = inv
	return inv, nil
}

// readSystem reads the server's identity, so that an import of its data directory knows what this one brought.
func (s *Server) readSystem(ctx context.Context, inv *inventory.Inventory) error {
	var node struct{ NodeID string }
	if _, err := s.read(ctx, &node, "system/node", nil); err != nil {
		return err
	}
	inv.SystemID, inv.Installation = "rest:"+node.NodeID, node.NodeID
	if node.NodeID == "" {
		inv.SystemID = "rest:" + s.base.String()
	}
	return nil
}

// readBlobStores reads the blob stores. Here they are folders of this server, whatever they are there: bodies come by HTTP.
func (s *Server) readBlobStores(ctx context.Context, inv *inventory.Inventory) error {
	var stores []struct {
		Name, Type string
		SoftQuota  *struct {
			Type  string
			Limit int64
		}
	}
	found, err := s.read(ctx, &stores, "blobstores", nil)
	if err != nil {
		return err
	}
	if !found {
		return fmt.Errorf("rest: %s has no list of blob stores: its release is too old to be imported alive", s.base)
	}
	for _, b := range stores {
		here := inventory.BlobStore{BlobStore: repository.BlobStore{Name: b.Name, Path: b.Name, Type: repository.BlobStoreFile}}
		if q := b.SoftQuota; q != nil && q.Limit > 0 {
			here.Quota = &repository.SoftQuota{Type: q.Type, Limit: q.Limit}
		}
		if !strings.EqualFold(b.Type, "file") {
			here.Note = fmt.Sprintf("is of type %s there, and becomes a folder of this server", b.Type)
		}
		inv.BlobStores = append(inv.BlobStores, here)
	}
	return nil
}

func (s *Server) readRoutingRules(ctx context.Context, inv *inventory.Inventory) error {
	var rules []struct {
		Name, Description, Mode string
		Matchers                []string
	}
	if _, err := s.read(ctx, &rules, "routing-rules", nil); err != nil {
		return err
	}
	for _, r := range rules {
		inv.RoutingRules = append(inv.RoutingRules, repository.RoutingRule{
			Name: r.Name, Description: r.Description, Mode: repository.RuleMode(strings.ToUpper(r.Mode)), Matchers: r.Matchers,
		})
	}
	return nil
}

// list reads the listings of all repositories and counts them.
func (s *Server) list(ctx context.Context, inv *inventory.Inventory) error {
	w, err := s.newListing()
	if err != nil {
		return err
	}
	for i := range inv.Repositories {
		r := &inv.Repositories[i]
		h, ok := s.kinds[r.Name]
		if !ok {
			continue
		}
		assets, bytes, err := s.listRepository(ctx, w, r.Name, h)
		if err != nil {
			return err
		}
		r.Assets, r.Bytes = assets, bytes
		inv.Assets += assets
		inv.Bytes += bytes
		at := slices.IndexFunc(inv.BlobStores, func(b inventory.BlobStore) bool { return b.Name == r.BlobStore })
		if at >= 0 {
			inv.BlobStores[at].Bytes += bytes
		}
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("rest: listing: %w", err)
	}
	return nil
}

func ofRepository(name, token string) url.Values {
	query := url.Values{"repository": {name}}
	if token != "" {
		query.Set("continuationToken", token)
	}
	return query
}
