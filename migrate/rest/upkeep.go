package rest

import (
	"context"
	"strings"

	"entrepot/app/cleanup"
	"entrepot/migrate/inventory"
)

// internalPolicies is where a server without the public resource lists cleanup policies for its own user interface.
const internalPolicies = "/service/rest/internal/cleanup-policies"

// releases are the kinds of releases by the old words. Both together are no criterion.
var releases = map[string]cleanup.Release{"RELEASES": cleanup.Releases, "PRERELEASES": cleanup.Prereleases}

// readPolicies reads cleanup policies. Tasks cannot be had: their lists tell neither schedules nor what they work on.
func (s *Server) readPolicies(ctx context.Context, inv *inventory.Inventory) error {
	var policies []struct {
		Name, Format                                           string
		Notes, SortBy, CriteriaReleaseType, CriteriaAssetRegex *string
		CriteriaLastBlobUpdated, CriteriaLastDownloaded        *int64
		Retain                                                 int
	}
	found, err := s.read(ctx, &policies, "cleanup-policies", nil)
	if err == nil && !found {
		_, err = s.readURL(ctx, &policies, s.base.String()+internalPolicies)
	}
	if err != nil {
		return err
	}
	for _, p := range policies {
		here := cleanup.Policy{Name: p.Name, Format: p.Format, Notes: p.Notes, Criteria: cleanup.Criteria{
			UpdatedDays: p.CriteriaLastBlobUpdated, DownloadedDays: p.CriteriaLastDownloaded, Retain: p.Retain,
		}}
		for _, text := range []struct {
			from *string
			to   func(string)
		}{
			{p.SortBy, func(v string) { here.SortBy = cleanup.SortBy(strings.ToLower(v)) }},
			{p.CriteriaReleaseType, func(v string) { here.Release = releases[v] }}, {p.CriteriaAssetRegex, func(v string) { here.AssetRegex = v }},
		} {
			if text.from != nil {
				text.to(*text.from)
			}
		}
		inv.Upkeep.Policies = append(inv.Upkeep.Policies, here)
	}
	return nil
}
