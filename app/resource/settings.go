package resource

import (
	"context"

	"entrepot/app/access"
	"entrepot/app/audit"
	"entrepot/app/mail"
)

// Realms are the ways to sign in.
type Realms struct {
	Active []string `json:"active"` // ids, in the order in which they are asked
	// Available are all that there are; decided by the server.
	Available []Realm `json:"available,omitempty"`
}

// Realm is a way to sign in.
type Realm struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// Realms gives the ways to sign in.
func (r *Resources) Realms() *Value[Realms] {
	return &Value[Realms]{
		Name:  "realms",
		Blank: func() Realms { return Realms{} },
		Get: func(ctx context.Context) (Realms, error) {
			active, err := r.Access.ActiveRealms(ctx)
			doc := Realms{Active: listed(active)}
			for _, realm := range r.Access.AvailableRealms() {
				doc.Available = append(doc.Available, Realm{realm.ID, realm.Name})
			}
			return doc, err
		},
		Row: r.Access.RealmsRow,
		Put: func(ctx context.Context, actor access.Actor, doc Realms) error {
			return r.Access.SetActiveRealms(ctx, actor, doc.Active)
		},
		Settle: func(_ context.Context, doc *Realms) error {
			doc.Available = nil
			return nil
		},
	}
}

// Anonymous says how callers without credentials are treated.
type Anonymous struct {
	Enabled bool   `json:"enabled"`
	UserID  string `json:"userId" default:"anonymous"` // whose roles they get
	Realm   string `json:"realm" default:"NexusAuthorizingRealm"`
}

// Anonymous gives the settings of anonymous access.
func (r *Resources) Anonymous() *Value[Anonymous] {
	return &Value[Anonymous]{
		Name:  "anonymous",
		Blank: func() Anonymous { return Anonymous{UserID: access.UserAnonymous, Realm: access.RealmAuthorizing} },
		Get: func(ctx context.Context) (Anonymous, error) {
			a, err := r.Access.Anonymous(ctx)
			return Anonymous{a.Enabled, a.UserID, a.Realm}, err
		},
		Row: r.Access.AnonymousRow,
		Put: func(ctx context.Context, actor access.Actor, doc Anonymous) error {
			return r.Access.SetAnonymous(ctx, actor, access.Anonymous{Enabled: doc.Enabled, UserID: doc.UserID, Realm: doc.Realm})
		},
	}
}

// Email says how mail leaves the server.
type Email struct {
	Enabled         bool    `json:"enabled"`
	Host            string  `json:"host" example:"mail.example.org"`
	Port            int     `json:"port" default:"25"`
	Username        string  `json:"username,omitempty"`
	Password        Secret  `json:"password,omitempty" swaggertype:"string" format:"password"`
	From            string  `json:"from" example:"repository@example.org"`
	SubjectPrefix   *string `json:"subjectPrefix,omitempty"`
	StartTLS        bool    `json:"startTls"`        // when the mail server offers it
	RequireStartTLS bool    `json:"requireStartTls"` // and not without
	TLS             bool    `json:"tls"`             // from the first byte
	CheckServerName bool    `json:"checkServerName"` // the certificate must be the mail server's
	UseTrustStore   bool    `json:"useTrustStore"`
}

// Email gives the mail settings.
func (r *Resources) Email() *Value[Email] {
	return &Value[Email]{
		Name:  "email",
		Blank: func() Email { return Email{Port: 25} },
		Get: func(ctx context.Context) (Email, error) {
			m, found, err := r.Mail.Settings(ctx)
			if !found {
				m.Port = 25
			}
			return emailOf(m), err
		},
		Row: r.Mail.Row,
		Put: func(ctx context.Context, _ access.Actor, doc Email) error {
			stored, _, err := r.Mail.Settings(ctx)
			if err != nil {
				return err
			}
			return r.Mail.Set(ctx, mail.Settings{
				Enabled: doc.Enabled, Host: doc.Host, Port: doc.Port, Username: doc.Username, Password: mail.Secret(doc.Password.or(string(stored.Password))),
				From: doc.From, SubjectPrefix: doc.SubjectPrefix, StartTLS: doc.StartTLS, NeedStartTLS: doc.RequireStartTLS, TLS: doc.TLS,
				CheckName: doc.CheckServerName, TrustStore: doc.UseTrustStore,
			})
		},
		Clear: func(ctx context.Context, _ access.Actor) error { return r.Mail.Clear(ctx) },
		Keep: func(ctx context.Context) (Restore, error) {
			before, found, err := r.Mail.Settings(ctx)
			return func(ctx context.Context, _ access.Actor) error {
				if !found {
					return r.Mail.Clear(ctx)
				}
				return r.Mail.Set(ctx, before)
			}, err
		},
		Settle: func(ctx context.Context, doc *Email) error {
			stored, _, err := r.Mail.Settings(ctx)
			doc.Password = doc.Password.unlike(string(stored.Password))
			return err
		},
		Unset: func(doc *Email) bool { return doc.Host == "" },
	}
}

// AuditSettings gives the settings of the audit.
func (r *Resources) AuditSettings() *Value[audit.Settings] {
	return &Value[audit.Settings]{
		Name:  "audit",
		Blank: audit.Defaults,
		Get:   func(context.Context) (audit.Settings, error) { return r.Audit.Settings(), nil },
		Row:   r.Audit.Row,
		Put:   func(ctx context.Context, _ access.Actor, doc audit.Settings) error { return r.Audit.Set(ctx, doc) },
	}
}

func emailOf(m mail.Settings) Email {
	return Email{
		Enabled: m.Enabled, Host: m.Host, Port: m.Port, Username: m.Username, From: m.From, SubjectPrefix: m.SubjectPrefix, StartTLS: m.StartTLS,
		RequireStartTLS: m.NeedStartTLS, TLS: m.TLS, CheckServerName: m.CheckName, UseTrustStore: m.TrustStore,
	}
}
