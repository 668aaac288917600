package ldap

import (
	"context"
	"errors"
	"fmt"

	"github.com/go-ldap/ldap/v3"

	"entrepot/app/access"
)

// maxID is the longest name that a directory is asked for, in bytes.
const maxID = 512

// inOrder gives the clients of all servers in order. Those of servers that changed or went are closed.
func (s *Service) inOrder(ctx context.Context) ([]*client, error) {
	have, err := s.load(ctx)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, errors.New("ldap: closed")
	}
	list, wanted := make([]*client, len(have.servers)), make(map[string]bool, len(have.servers))
	for i, server := range have.servers {
		c := s.clients[server.ID]
		if c == nil || c.server != server {
			if c != nil {
				c.close()
			}
			c = newClient(server, &s.opts)
			s.clients[server.ID] = c
		}
		list[i], wanted[server.ID] = c, true
	}
	for id, c := range s.clients {
		if !wanted[id] {
			c.close()
			delete(s.clients, id)
		}
	}
	return list, nil
}

// first asks the servers in order until one answers with a user. access.ErrNoUser when none knows the user.
func (s *Service) first(ctx context.Context, ask func(*client) (access.DirectoryUser, error)) (access.DirectoryUser, error) {
	clients, err := s.inOrder(ctx)
	if err != nil {
		return access.DirectoryUser{}, err
	}
	var broken error
	denied := false
	for _, c := range clients {
		user, err := ask(c)
		switch {
		case err == nil:
			return user, nil
		case errors.Is(err, access.ErrBadCredentials):
			denied = true
		case !errors.Is(err, access.ErrNoUser):
			broken = errors.Join(broken, fmt.Errorf("server %s: %w", c.server.Name, err))
		}
	}
	switch {
	case denied:
		return access.DirectoryUser{}, access.ErrBadCredentials
	case broken != nil:
		return access.DirectoryUser{}, broken
	}
	return access.DirectoryUser{}, access.ErrNoUser
}

// Authenticate implements access.Authenticator.
func (s *Service) Authenticate(ctx context.Context, c access.Credentials) (access.Identity, error) {
	if c.Kind != access.Basic || c.User == "" || c.Secret == "" || len(c.User) > maxID {
		return access.Identity{}, access.ErrNotMine
	}
	user, err := s.first(ctx, func(server *client) (access.DirectoryUser, error) { return server.signIn(ctx, c.User, c.Secret) })
	if errors.Is(err, access.ErrNoUser) {
		return access.Identity{}, access.ErrNotMine
	}
	if err != nil {
		return access.Identity{}, err
	}
	return access.Identity{UserID: user.ID, Source: access.SourceLDAP, Groups: user.Groups}, nil
}

// Find implements access.Directory.
func (s *Service) Find(ctx context.Context, id string) (access.DirectoryUser, error) {
	if id == "" || len(id) > maxID {
		return access.DirectoryUser{}, access.ErrNoUser
	}
	return s.first(ctx, func(c *client) (access.DirectoryUser, error) { return c.lookUp(ctx, id) })
}

// Search implements access.Directory. Of users whom several servers have, the first counts.
func (s *Service) Search(ctx context.Context, prefix string, limit int) ([]access.DirectoryUser, error) {
	if len(prefix) > maxID {
		return nil, nil
	}
	return gather(ctx, s, limit, func(c *client, limit int) ([]access.DirectoryUser, error) { return c.list(ctx, prefix, limit) })
}

// Groups implements access.Directory.
func (s *Service) Groups(ctx context.Context, limit int) ([]string, error) {
	return gather(ctx, s, limit, func(c *client, limit int) ([]string, error) { return c.listGroups(ctx, limit) })
}

// gather asks all servers for lists. One that cannot be asked fails only when none can.
func gather[T any](ctx context.Context, s *Service, limit int, ask func(c *client, limit int) ([]T, error)) ([]T, error) {
	clients, err := s.inOrder(ctx)
	if err != nil {
		return nil, err
	}
	var all []T
	var broken error
	answered := len(clients) == 0
	for _, c := range clients {
		if len(all) >= limit {
			break
		}
		some, err := ask(c, limit-len(all))
		if err != nil {
			broken = errors.Join(broken, fmt.Errorf("server %s: %w", c.server.Name, err))
			continue
		}
		all, answered = append(all, some...), true
	}
	if !answered {
		return nil, broken
	}
	return all, nil
}

// try runs a question with settings that are not stored.
func (s *Service) try(server Server, question func(c *client) error) error {
	if err := server.Validate(); err != nil {
		return err
	}
	if err := server.needsPassword(); err != nil {
		return err
	}
	c := newClient(server, &s.opts)
	defer c.close()
	return question(c)
}

// Check connects with settings, signs in as the service account and waits for an answer.
func (s *Service) Check(ctx context.Context, server Server) error {
	return s.try(server, func(c *client) error {
		return c.ask(ctx, func(ctx context.Context) error {
			about := ldap.NewSearchRequest("", ldap.ScopeBaseObject, ldap.NeverDerefAliases, 1, c.server.Timeout, true, "(objectClass=*)", []string{"1.1"}, nil)
			_, err := c.search(ctx, about)
			if ldap.IsErrorWithCode(err, ldap.LDAPResultInsufficientAccessRights) {
				return nil // to tell about itself; so it speaks LDAP
			}
			return err
		})
	})
}

// CheckLogin proves a password with settings. access.ErrNoUser and access.ErrBadCredentials say what is wrong with the credentials.
func (s *Service) CheckLogin(ctx context.Context, server Server, id, secret string) (user access.DirectoryUser, err error) {
	err = s.try(server, func(c *client) error {
		user, err = c.signIn(ctx, id, secret)
		return err
	})
	return user, err
}

// CheckMapping gives the first people that settings find.
func (s *Service) CheckMapping(ctx context.Context, server Server, limit int) (users []access.DirectoryUser, err error) {
	err = s.try(server, func(c *client) error {
		users, err = c.list(ctx, "", limit)
		return err
	})
	return users, err
}
