package main

import (
	"cmp"
	"context"

	"entrepot/app/access"
	"entrepot/app/settings"
	"entrepot/storage/catalog"
)

// openSettings opens the capabilities and puts in force what they say.
func (a *appliance) openSettings(ctx context.Context) (err error) {
	a.settings, err = settings.Open(ctx, a.store, settings.Options{Sealer: a.sealer, Writable: a.engine.Writable, Audit: a.audit, Changed: a.settingsChanged})
	if err != nil {
		return err
	}
	a.recordDownloads(a.settings.Effect())
	return nil
}

// settingsChanged has the parts of the server follow a change.
func (a *appliance) settingsChanged(ctx context.Context, before, now settings.Effect) error {
	a.recordDownloads(now)
	if before.DefaultRole == now.DefaultRole {
		return nil
	}
	return a.access.SetDefaultRole(ctx, access.System(), now.DefaultRole)
}

func (a *appliance) recordDownloads(e settings.Effect) {
	a.catalog.SetDownloadInterval(cmp.Or(e.DownloadInterval, catalog.DefaultDownloadInterval))
}

// legacyURLs reports whether the URLs of Nexus 2 are answered.
func (a *appliance) legacyURLs() bool { return a.cfg.LegacyURLs || a.settings.Effect().LegacyURLs }

// baseURL is the external URL of the server for what is written outside of a request; "" when nobody set it.
func (a *appliance) baseURL() string { return cmp.Or(a.cfg.BaseURL, a.settings.Effect().BaseURL) }
