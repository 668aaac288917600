package main

import (
	"context"
	"encoding/json"
	"io"
	"net/url"

	"github.com/prometheus/client_golang/prometheus"

	"entrepot/app/access"
	"entrepot/app/audit"
	"entrepot/app/diagnostics"
)

// diagnose gives what looks at the server itself.
func (a *appliance) diagnose(g prometheus.Gatherer) *diagnostics.Diagnostics {
	return diagnostics.New(diagnostics.Options{
		Engine: a.Engine, Access: a.Access, Health: a.records.Health, Gatherer: g, SealKeys: a.sealer.Keys, Connections: a.cfg.Limits.Connections,
		Folder: a.cfg.Data, Version: version, Claimed: a.cfg.Claim.Version, Edition: a.cfg.Claim.Edition, NodeID: a.Node.ID,
		Configuration: a.configurationDocuments(), Security: a.securityDocuments(),
		Audit: []diagnostics.Document{{Name: "audit.jsonl", Write: a.writeAudit}},
	})
}

// configurationDocuments are what is set. The types of secrets encode as nothing that tells them.
func (a *appliance) configurationDocuments() []diagnostics.Document {
	return []diagnostics.Document{
		diagnostics.JSON("configuration.json", func(context.Context) (any, error) {
			cfg := a.cfg
			for _, text := range []*string{&cfg.Proxy.URL, &cfg.Tracing.Endpoint} {
				if u, err := url.Parse(*text); err == nil {
					*text = u.Redacted()
				}
			}
			return cfg, nil
		}),
		diagnostics.JSON("repositories.json", func(context.Context) (any, error) { return a.Engine.List(), nil }),
		diagnostics.JSON("blobstores.json", func(context.Context) (any, error) { return a.Engine.BlobStores(), nil }),
		diagnostics.JSON("routing-rules.json", func(context.Context) (any, error) { return a.Engine.RoutingRules(), nil }),
		diagnostics.JSON("capabilities.json", func(ctx context.Context) (any, error) {
			all, err := a.Settings.Capabilities(ctx)
			for i := range all {
				all[i] = all[i].Told()
			}
			return all, err
		}),
		diagnostics.JSON("http.json", func(context.Context) (any, error) { return a.Outbound.InForce(), nil }),
		diagnostics.JSON("mail.json", func(ctx context.Context) (any, error) {
			m, _, err := a.Mail.Settings(ctx)
			return m, err
		}),
	}
}

// securityDocuments are who may do what, without passwords and tokens.
func (a *appliance) securityDocuments() []diagnostics.Document {
	return []diagnostics.Document{
		diagnostics.JSON("users.json", func(ctx context.Context) (any, error) { return a.Access.Users(ctx, access.UserFilter{}) }),
		diagnostics.JSON("roles.json", func(ctx context.Context) (any, error) { return a.Access.Roles(ctx, "") }),
		diagnostics.JSON("privileges.json", func(ctx context.Context) (any, error) { return a.Access.Privileges(ctx) }),
		diagnostics.JSON("content-selectors.json", func(ctx context.Context) (any, error) { return a.Access.Selectors(ctx) }),
		diagnostics.JSON("realms.json", func(ctx context.Context) (any, error) { return a.Access.ConfiguredRealms(ctx) }),
		diagnostics.JSON("anonymous.json", func(ctx context.Context) (any, error) { return a.Access.Anonymous(ctx) }),
	}
}

// auditPage is how many events are read at once.
const auditPage = 500

// writeAudit writes what was changed, a line an event.
func (a *appliance) writeAudit(ctx context.Context, w io.Writer) error {
	lines, after := json.NewEncoder(w), ""
	for {
		found, next, err := a.Audit.Query(ctx, audit.Filter{}, after, auditPage)
		if err != nil {
			return err
		}
		for _, one := range found {
			if err := lines.Encode(one); err != nil {
				return err
			}
		}
		if next == "" {
			return nil
		}
		after = next
	}
}
