package extdirect

func (c *Calls) serverMethods() []method {
	return []method{
		{"coreui_Email.read", "nexus:settings:read", 0, c.email},
	}
}

// email gives the mail settings. On a server on which none were stored yet they are what clients know from a fresh one.
func (c *Calls) email(q *request) (any, error) {
	type shown struct {
		Enabled      bool    `json:"enabled"`
		Host         string  `json:"host"`
		Port         int     `json:"port"`
		Username     *string `json:"username"`
		Password     *string `json:"password"`
		From         string  `json:"fromAddress"`
		Prefix       *string `json:"subjectPrefix"`
		StartTLS     bool    `json:"startTlsEnabled"`
		NeedStartTLS bool    `json:"startTlsRequired"`
		TLS          bool    `json:"sslOnConnectEnabled"`
		CheckName    bool    `json:"sslCheckServerIdentityEnabled"`
		TrustStore   bool    `json:"nexusTrustStoreEnabled"`
	}
	m, found, err := c.Mail.Settings(q.Context())
	if err != nil {
		return nil, err
	}
	if !found {
		return shown{Host: "localhost", Port: 25, From: "nexus@example.org"}, nil
	}
	out := shown{
		Enabled: m.Enabled, Host: m.Host, Port: m.Port, Username: &m.Username, From: m.From, Prefix: m.SubjectPrefix, StartTLS: m.StartTLS,
		NeedStartTLS: m.NeedStartTLS, TLS: m.TLS, CheckName: m.CheckName, TrustStore: m.TrustStore,
	}
	if m.Password != "" {
		placeholder := hidden
		out.Password = &placeholder
	}
	return out, nil
}
