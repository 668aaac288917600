package resource

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"entrepot/app/access"
	"entrepot/formats"
	"entrepot/storage/kv"
)

// User is an account. Of a user of another source than the local one only the status and the roles that are assigned here can be set.
type User struct {
	ID        string   `json:"id" example:"jane"`
	Source    string   `json:"source" default:"default"` // of the user; "default" for those kept here
	FirstName string   `json:"firstName"`
	LastName  string   `json:"lastName"`
	Email     string   `json:"email"`
	Status    string   `json:"status" enums:"active,locked,disabled,changepassword" default:"active"`
	Roles     []string `json:"roles"`
	// Password is taken when the user is made. Later it is changed at the address of its own.
	Password Secret `json:"password,omitempty" swaggertype:"string" format:"password"`
}

// key names a user among those of all sources: ids of other sources may be the same.
func (u *User) key() string {
	if u.Source == access.SourceLocal {
		return u.ID
	}
	return u.Source + "/" + u.ID
}

// splitUser takes a user's key apart.
func splitUser(key string, sources []access.Source) (source, id string) {
	before, after, found := strings.Cut(key, "/")
	if found && before != access.SourceLocal && slices.ContainsFunc(sources, func(s access.Source) bool { return s.ID == before }) {
		return before, after
	}
	return access.SourceLocal, key
}

// Users gives the users of whom something is kept here: local ones, and those of other sources who were given roles. The key of one of
// another source is SOURCE/ID.
func (r *Resources) Users() *Set[User] {
	return &Set[User]{
		Name:  "users",
		Key:   (*User).key,
		Blank: func() User { return User{Source: access.SourceLocal, Status: string(access.StatusActive)} },
		List: func(ctx context.Context) ([]User, error) {
			users, err := r.Access.Users(ctx, access.UserFilter{Stored: true})
			list := []User{}
			for _, u := range users {
				list = append(list, userOf(u))
			}
			slices.SortFunc(list, func(a, b User) int { return strings.Compare(a.key(), b.key()) })
			return list, err
		},
		Get: func(ctx context.Context, key string) (User, error) {
			source, id := splitUser(key, r.Access.Sources())
			u, err := r.Access.ExportUser(ctx, source, id)
			return userOf(u.User), err
		},
		Row: func(ctx context.Context, key string) (kv.Row, error) {
			source, id := splitUser(key, r.Access.Sources())
			return r.Access.UserRow(ctx, source, id)
		},
		Create: r.createUser,
		Replace: func(ctx context.Context, actor access.Actor, key string, u User) error {
			source, id := splitUser(key, r.Access.Sources())
			if u.ID != id || u.Source != source {
				return &SyntaxError{Field: "id", Message: "a user cannot be renamed or moved"}
			}
			if u.Password != "" && u.Password != Hidden {
				return &SyntaxError{Field: "password", Message: "the password of a user that exists is set by PUT to its own address, ending in /password"}
			}
			if source != access.SourceLocal {
				return r.Access.Assign(ctx, actor, access.User{Source: source, ID: id, Status: access.Status(u.Status), Roles: u.Roles})
			}
			return r.Access.UpdateUser(ctx, actor, u.update())
		},
		Delete: func(ctx context.Context, actor access.Actor, key string) error {
			if source, id := splitUser(key, r.Access.Sources()); source != access.SourceLocal {
				return r.Access.Assign(ctx, actor, access.User{Source: source, ID: id, Status: access.StatusActive})
			}
			return r.Access.DeleteUser(ctx, actor, key)
		},
		Permanent: func(u *User) bool {
			return u.Source == access.SourceLocal && (u.ID == access.UserAdmin || u.ID == access.UserAnonymous)
		},
		Settle: func(ctx context.Context, u *User) error {
			if _, err := r.Access.ExportUser(ctx, u.Source, u.ID); err == nil {
				u.Password = "" // it is the first one only
			}
			return nil
		},
	}
}

// createUser makes a local user, or assigns roles to one of another source.
func (r *Resources) createUser(ctx context.Context, actor access.Actor, u User) error {
	if u.Source != access.SourceLocal {
		if !slices.ContainsFunc(r.Access.Sources(), func(s access.Source) bool { return s.ID == u.Source }) {
			return formats.FieldErrors{{Field: "source", Message: fmt.Sprintf("there is no source of users %q", u.Source)}}
		}
		return r.Access.Assign(ctx, actor, access.User{Source: u.Source, ID: u.ID, Status: access.Status(u.Status), Roles: u.Roles})
	}
	_, err := r.Access.CreateUser(ctx, actor, access.NewUser{
		ID: u.ID, FirstName: u.FirstName, LastName: u.LastName, Email: u.Email, Password: u.Password.or(""), Status: access.Status(u.Status), Roles: u.Roles,
	})
	return err
}

func userOf(u access.User) User {
	return User{
		ID: u.ID, Source: u.Source, FirstName: u.FirstName, LastName: u.LastName, Email: u.Email, Status: string(u.Status), Roles: listed(u.Roles),
	}
}

// update gives what is to be set. Of a user of another source only the roles are, but the rest must be there.
func (u *User) update() access.UserUpdate {
	next := access.UserUpdate{
		ID: u.ID, Source: u.Source, FirstName: u.FirstName, LastName: u.LastName, Email: u.Email, Status: access.Status(u.Status), Roles: u.Roles,
	}
	if u.Source != access.SourceLocal {
		next.FirstName, next.LastName, next.Email = cmp.Or(u.FirstName, u.ID), cmp.Or(u.LastName, u.ID), cmp.Or(u.Email, "unknown@localhost")
		next.Status = cmp.Or(next.Status, access.StatusActive)
	}
	return next
}
