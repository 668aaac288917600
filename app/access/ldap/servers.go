package ldap

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"entrepot/app/access"
	"entrepot/app/audit"
	"entrepot/storage/kv"
)

// serversKey is the one row that holds all servers in their order, so that order and uniqueness of names hold at any time.
func serversKey() kv.Key { return kv.Key{Partition: "access/ldap", Sort: "servers"} }

// stored is a server as it is stored.
type stored struct {
	Server
	Sealed string `json:"password,omitempty"`
}

// loaded are the servers of one version of their row.
type loaded struct {
	version uint64
	servers []Server
}

// Row tells which state of the record of all servers is stored; version 0 when there is none.
func (s *Service) Row(ctx context.Context) (kv.Row, error) { return s.store.Row(ctx, serversKey()) }

// load gives the servers as they are stored now.
func (s *Service) load(ctx context.Context) (*loaded, error) {
	e, err := s.store.Get(ctx, serversKey())
	if errors.Is(err, kv.ErrNotFound) {
		return &loaded{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("ldap: read servers: %w", err)
	}
	if have := s.loaded.Load(); have != nil && have.version == e.Version {
		return have, nil
	}
	var rows []stored
	if err := json.Unmarshal(e.Value, &rows); err != nil {
		return nil, fmt.Errorf("ldap: decode servers: %w", err)
	}
	now := &loaded{version: e.Version, servers: make([]Server, len(rows))}
	for i, r := range rows {
		secret, err := s.opts.Sealer.Unseal(r.Sealed)
		if err != nil {
			return nil, fmt.Errorf("ldap: open the password of server %s: %w", r.Name, err)
		}
		now.servers[i] = r.Server
		now.servers[i].Password = Secret(secret)
	}
	s.loaded.Store(now)
	return now, nil
}

// Epoch names the present state of all servers.
func (s *Service) Epoch(ctx context.Context) (string, error) {
	have, err := s.load(ctx)
	if err != nil {
		return "", err
	}
	return strconv.FormatUint(have.version, 10), nil
}

// Servers gives all servers in order, with their passwords.
func (s *Service) Servers(ctx context.Context) ([]Server, error) {
	have, err := s.load(ctx)
	if err != nil {
		return nil, err
	}
	return slices.Clone(have.servers), nil
}

// Server gives one server, with its password.
func (s *Service) Server(ctx context.Context, name string) (Server, error) {
	servers, err := s.Servers(ctx)
	if err != nil {
		return Server{}, err
	}
	i := position(servers, name)
	if i < 0 {
		return Server{}, unknown(name)
	}
	return servers[i], nil
}

func unknown(name string) error {
	return &access.Error{Kind: access.NotFound, Message: fmt.Sprintf("LDAP server '%s' not found.", name)}
}

func refuse(format string, args ...any) error {
	return &access.Error{Kind: access.Refused, Message: fmt.Sprintf(format, args...)}
}

func invalid(field, message string) error {
	return &access.Error{Kind: access.Invalid, Fields: []access.FieldError{{Field: field, Message: message}}}
}

// position gives the index of the server of that name, or -1.
func position(servers []Server, name string) int {
	return slices.IndexFunc(servers, func(s Server) bool { return strings.EqualFold(s.Name, name) })
}

// edit stores what change makes of the servers.
func (s *Service) edit(ctx context.Context, event audit.Event, change func(servers []Server) ([]Server, error)) error {
	return s.opts.Change(ctx, event, func() ([]kv.Op, error) {
		have, err := s.load(ctx)
		if err != nil {
			return nil, err
		}
		servers, err := change(slices.Clone(have.servers))
		if err != nil {
			return nil, err
		}
		rows := make([]stored, len(servers))
		for i, server := range servers {
			rows[i].Server = server
			if rows[i].Sealed, err = s.opts.Sealer.Seal(string(server.Password)); err != nil {
				return nil, fmt.Errorf("ldap: seal the password of server %s: %w", server.Name, err)
			}
		}
		value, err := json.Marshal(rows)
		if err != nil {
			return nil, fmt.Errorf("ldap: encode servers: %w", err)
		}
		op := kv.Put(serversKey(), value)
		op.If, op.Version = kv.IfVersion, have.version
		if have.version == 0 {
			op.If = kv.IfAbsent
		}
		return []kv.Op{op}, nil
	})
}

// Create adds a server behind all others and gives it with its id.
func (s *Service) Create(ctx context.Context, actor access.Actor, server Server) (Server, error) {
	if err := server.Validate(); err != nil {
		return server, err
	}
	if err := server.needsPassword(); err != nil {
		return server, err
	}
	server.ID = uuid.NewString()
	err := s.edit(ctx, audit.Event{Actor: actor, Action: "ldap.create", Object: server.Name}, func(servers []Server) ([]Server, error) {
		if position(servers, server.Name) >= 0 {
			return nil, taken()
		}
		if len(servers) >= maxServers {
			return nil, refuse("There are %d LDAP servers already.", maxServers)
		}
		return append(servers, server), nil
	})
	return server, err
}

func taken() error { return invalid("name", "Name is already used, must be unique (ignoring case)") }

// needsPassword refuses a service account without a password: that bind would succeed without proving anything.
func (s *Server) needsPassword() error {
	if s.Scheme != SchemeNone && s.Password == "" {
		var f faults
		f.add(true, "authPassword", mustNotBeBlank)
		return &access.Error{Kind: access.Invalid, Fields: f}
	}
	return nil
}

// Update replaces the server of that name, which keeps its place. Without a password it keeps the one it has, unless it is to be shown
// to another host or less safely.
func (s *Service) Update(ctx context.Context, actor access.Actor, name string, server Server) error {
	if err := server.Validate(); err != nil {
		return err
	}
	return s.edit(ctx, audit.Event{Actor: actor, Action: "ldap.update", Object: name}, func(servers []Server) ([]Server, error) {
		i := position(servers, name)
		if i < 0 {
			return nil, unknown(name)
		}
		if j := position(servers, server.Name); j >= 0 && j != i {
			return nil, taken()
		}
		server.ID = servers[i].ID
		if err := server.takePassword(&servers[i]); err != nil {
			return nil, err
		}
		servers[i] = server
		return servers, nil
	})
}

// takePassword gives settings without a password the one that is kept for the same connection.
func (s *Server) takePassword(kept *Server) error {
	if s.Scheme == SchemeNone || s.Password != "" {
		return nil
	}
	if kept.Password != "" && !s.sameConnection(kept) {
		return invalid("authPassword", "must be given again when the connection changes")
	}
	s.Password = kept.Password
	return s.needsPassword()
}

func (s *Server) sameConnection(o *Server) bool {
	return s.Protocol == o.Protocol && s.TrustStore == o.TrustStore && strings.EqualFold(s.Host, o.Host) && s.Port == o.Port && s.Scheme == o.Scheme
}

// WithKeptPassword gives settings that are to be tried, with the password that is kept for them when they have none of their own.
func (s *Service) WithKeptPassword(ctx context.Context, server Server) (Server, error) {
	kept, err := s.Server(ctx, server.Name)
	if access.KindOf(err) == access.NotFound {
		return server, server.needsPassword()
	}
	if err != nil {
		return server, err
	}
	return server, server.takePassword(&kept)
}

// Delete removes a server.
func (s *Service) Delete(ctx context.Context, actor access.Actor, name string) error {
	return s.edit(ctx, audit.Event{Actor: actor, Action: "ldap.delete", Object: name}, func(servers []Server) ([]Server, error) {
		i := position(servers, name)
		if i < 0 {
			return nil, unknown(name)
		}
		return slices.Delete(servers, i, i+1), nil
	})
}

// Reorder puts the servers in the order of their names, which must be all there are.
func (s *Service) Reorder(ctx context.Context, actor access.Actor, names []string) error {
	return s.edit(ctx, audit.Event{Actor: actor, Action: "ldap.order", Object: "servers"}, func(servers []Server) ([]Server, error) {
		ordered := make([]Server, 0, len(servers))
		for _, name := range names {
			i := position(servers, name)
			if i < 0 || position(ordered, name) >= 0 {
				return nil, refuse("LDAP server '%s' is unknown or named twice.", name)
			}
			ordered = append(ordered, servers[i])
		}
		if len(ordered) != len(servers) {
			return nil, refuse("The order must name all %d LDAP servers.", len(servers))
		}
		return ordered, nil
	})
}

// Arrange puts the servers of some names first, in the order of the names; names of no server are passed over.
func (s *Service) Arrange(ctx context.Context, actor access.Actor, names []string) error {
	return s.edit(ctx, audit.Event{Actor: actor, Action: "ldap.order", Object: "servers"}, func(servers []Server) ([]Server, error) {
		place := func(name string) int {
			i := slices.IndexFunc(names, func(n string) bool { return strings.EqualFold(n, name) })
			if i < 0 {
				return len(names)
			}
			return i
		}
		slices.SortStableFunc(servers, func(a, b Server) int { return cmp.Compare(place(a.Name), place(b.Name)) })
		return servers, nil
	})
}

// Import stores a server as another installation kept it, in place of one with the same name. It may be one that cannot be spoken to.
func (s *Service) Import(ctx context.Context, actor access.Actor, server Server) error {
	if strings.TrimSpace(server.Name) == "" {
		return refuse("An LDAP server needs a name.")
	}
	return s.edit(ctx, audit.Event{Actor: actor, Action: "ldap.import", Object: server.Name}, func(servers []Server) ([]Server, error) {
		if i := position(servers, server.Name); i >= 0 {
			server.ID = servers[i].ID
			if server.Password == "" && server.sameConnection(&servers[i]) {
				server.Password = servers[i].Password // the source does not tell it
			}
			servers[i] = server
			return servers, nil
		}
		server.ID = uuid.NewString()
		return append(servers, server), nil
	})
}

// Clear forgets what directories answered, and lets failing servers be asked again: everybody has to be verified anew.
func (s *Service) Clear(ctx context.Context, actor access.Actor) error {
	s.mu.Lock()
	for id, c := range s.clients {
		c.close()
		delete(s.clients, id)
	}
	s.mu.Unlock()
	return s.edit(ctx, audit.Event{Actor: actor, Action: "ldap.clear", Object: "cache"}, func(servers []Server) ([]Server, error) {
		return servers, nil // a new version of the row is a new epoch
	})
}
