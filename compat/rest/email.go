package rest

import (
	"errors"
	"fmt"
	"net/http"
	netmail "net/mail"
	"strings"

	"entrepot/app/mail"
	"entrepot/app/server"
	"entrepot/formats"
)

func (a *API) emailOperations() []operation {
	return []operation{
		{method: http.MethodGet, path: "v1/email", access: server.Permission("nexus:settings:read"), run: a.getEmail},
		{method: http.MethodPut, path: "v1/email", access: server.PermissionAfterBody("nexus:settings:update"), consumes: mediaJSON, run: a.setEmail},
		{method: http.MethodDelete, path: "v1/email", access: server.Permission("nexus:settings:update"), run: a.clearEmail},
		{method: http.MethodPost, path: "v1/email/verify", access: server.PermissionAfterBody("nexus:settings:update"), consumes: mediaTextOrJSON, run: a.verifyEmail},
	}
}

type emailBody struct {
	Enabled      bool    `json:"enabled"`
	Host         *string `json:"host"`
	Port         *int    `json:"port"`
	Username     string  `json:"username"`
	Password     string  `json:"password"`
	From         *string `json:"fromAddress"`
	Prefix       *string `json:"subjectPrefix"`
	StartTLS     bool    `json:"startTlsEnabled"`
	NeedStartTLS bool    `json:"startTlsRequired"`
	TLS          bool    `json:"sslOnConnectEnabled"`
	CheckName    bool    `json:"sslServerIdentityCheckEnabled"`
	TrustStore   bool    `json:"nexusTrustStoreEnabled"`
}

// email shows mail settings without their password. A server on which none were stored yet shows what clients know from a fresh one.
func email(m mail.Settings, found bool) object {
	var username any = m.Username
	if !found {
		m.Host, m.Port, m.From, username = "localhost", 25, "nexus@example.org", nil
	}
	return object{
		{"enabled", m.Enabled}, {"host", m.Host}, {"port", m.Port}, {"username", username}, {"password", nil}, {"fromAddress", m.From},
		{"subjectPrefix", m.SubjectPrefix}, {"startTlsEnabled", m.StartTLS}, {"startTlsRequired", m.NeedStartTLS},
		{"sslOnConnectEnabled", m.TLS}, {"sslServerIdentityCheckEnabled", m.CheckName}, {"nexusTrustStoreEnabled", m.TrustStore},
	}
}

func (a *API) getEmail(c *call) (any, error) {
	m, found, err := a.Mail.Settings(c.Context())
	if err != nil {
		return nil, err
	}
	return email(m, found), nil
}

// setEmail keeps the stored password when the placeholder comes back.
func (a *API) setEmail(c *call) (any, error) {
	var b emailBody
	if err := c.decode(&b); err != nil {
		return nil, err
	}
	m := mail.Settings{
		Enabled: b.Enabled, Host: deref(b.Host), Port: deref(b.Port), Username: b.Username, Password: mail.Secret(b.Password), From: deref(b.From),
		SubjectPrefix: b.Prefix, StartTLS: b.StartTLS, NeedStartTLS: b.NeedStartTLS, TLS: b.TLS, CheckName: b.CheckName, TrustStore: b.TrustStore,
	}
	var v violations
	for _, f := range m.Validate() {
		if f.Field == "port" && b.Port == nil {
			f.Message = mustNotBeNull
		}
		v.parameter(f.Field, f.Message)
	}
	if len(v) > 0 {
		return nil, v
	}
	if err := c.authorize(); err != nil {
		return nil, err
	}
	if b.Password == placeholder {
		before, _, err := a.Mail.Settings(c.Context())
		if err != nil {
			return nil, err
		}
		m.Password = before.Password
	}
	return nil, a.Mail.Set(c.Context(), m)
}

func (a *API) clearEmail(c *call) (any, error) {
	if err := c.signedIn(); err != nil {
		return nil, err
	}
	return nil, a.Mail.Clear(c.Context())
}

// verifyEmail sends a mail to the address that is the body.
func (a *API) verifyEmail(c *call) (any, error) {
	data, err := c.bytes()
	if err != nil {
		return nil, err
	}
	if err := c.authorize(); err != nil {
		return nil, err
	}
	to := string(data)
	if parsed, err := netmail.ParseAddress(to); err != nil || parsed.Address != to {
		if strings.TrimSpace(to) == "" {
			return nil, quotedf(http.StatusBadRequest, "Illegal address in string ``%s''", to)
		}
		return nil, quotedf(http.StatusBadRequest, "Missing final '@domain' in string ``%s''", to)
	}
	m, found, err := a.Mail.Settings(c.Context())
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, &formats.Error{Kind: formats.Invalid, Message: "Mail is not set up", Err: mail.ErrNotSetUp}
	}
	err = a.Mail.Send(c.Context(), mail.Message{To: to, Subject: "Email configuration verification", Text: "This server can send mail."})
	if err == nil {
		return object{{"success", true}, {"reason", nil}}, nil
	}
	if errors.Is(err, c.Context().Err()) {
		return nil, err
	}
	a.Log.WarnContext(c.Context(), "test mail was not sent", "error", err)
	return object{{"success", false}, {"reason", fmt.Sprintf("Sending the email to the following server failed : %s:%d", m.Host, m.Port)}}, nil
}
