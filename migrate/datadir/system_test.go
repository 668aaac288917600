package datadir_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"entrepot/app/mail"
	"entrepot/app/outbound"
)

// TestSystemSettings wants what a real server was told of mail, proxies and certificates, member by member.
func TestSystemSettings(t *testing.T) {
	inv, err := open(t, unpack(t, "nexus-3.77-small"), nil).Describe(t.Context())
	must(t, err)
	s := &inv.System
	prefix, retries := "[fixture]", 3
	want := &mail.Settings{
		Enabled: true, Host: "127.0.0.1", Port: 2525, Username: "mailer", Password: s.Mail.Password, From: "nexus@example.org", SubjectPrefix: &prefix,
		StartTLS: true, CheckName: true, TrustStore: true,
	}
	if d := cmp.Diff(want, s.Mail); d != "" {
		t.Error(d)
	}
	http := &outbound.Settings{
		UserAgentSuffix: "fixture", Timeout: 33 * time.Second, Retries: &retries, Direct: s.HTTP.Direct,
		HTTP: &outbound.Proxy{Enabled: true, Host: "proxy.example.org", Port: 3128, Auth: &outbound.ProxyAuth{Enabled: true, Username: "proxyuser", Password: s.HTTP.HTTP.Auth.Password}},
		HTTPS: &outbound.Proxy{Enabled: true, Host: "sproxy.example.org", Port: s.HTTP.HTTPS.Port, Auth: &outbound.ProxyAuth{
			Enabled: true, Username: s.HTTP.HTTPS.Auth.Username, Password: s.HTTP.HTTPS.Auth.Password, NTLMHost: "NTH", NTLMDomain: "NTD",
		}},
	}
	if d := cmp.Diff(http, s.HTTP); d != "" {
		t.Error(d)
	}
	if wrong := append(s.Mail.Validate(), s.HTTP.Validate()...); len(wrong) > 0 {
		t.Errorf("settings of a real server are refused: %v", wrong)
	}
	if len(s.Certificates) != 2 || s.NodeID != inv.SystemID || s.NodeID == "" {
		t.Errorf("%d certificates, node %q", len(s.Certificates), s.NodeID)
	}
}
