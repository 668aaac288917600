package rest

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"entrepot/app/cleanup"
	"entrepot/app/repository"
	"entrepot/app/server"
	"entrepot/formats"
)

func (a *API) cleanupOperations() []operation {
	const public, ui = "v1/cleanup-policies", "internal/cleanup-policies"
	admin, adminAfter := server.Permission("nexus:*"), server.PermissionAfterBody("nexus:*")
	return []operation{
		{method: http.MethodGet, path: public, access: admin, run: a.listPolicies(false)},
		{method: http.MethodPost, path: public, access: adminAfter, consumes: mediaJSON, status: http.StatusCreated, run: a.createPolicy(false)},
		{method: http.MethodGet, path: public + "/{name}", access: admin, run: a.getPolicy(false)},
		{method: http.MethodPut, path: public + "/{name}", access: adminAfter, consumes: mediaJSON, run: a.updatePolicy(false)},
		{method: http.MethodDelete, path: public + "/{name}", access: admin, run: a.deletePolicy},

		{method: http.MethodGet, path: ui, access: server.Permission("nexus:settings:read"), run: a.listPolicies(true)},
		{method: http.MethodPost, path: ui, access: adminAfter, consumes: mediaJSON, run: a.createPolicy(true)},
		{method: http.MethodGet, path: ui + "/criteria/formats", access: admin, run: a.cleanupFormats},
		{method: http.MethodPost, path: ui + "/preview/components", access: adminAfter, consumes: mediaJSON, run: a.previewCleanup},
		{method: http.MethodGet, path: ui + "/preview/components/csv", access: admin, produces: mediaAny, run: a.listCleanup},
		{method: http.MethodGet, path: ui + "/{name}", access: admin, run: a.getPolicy(true)},
		{method: http.MethodPut, path: ui + "/{name}", access: adminAfter, consumes: mediaJSON, run: a.updatePolicy(true)},
		{method: http.MethodDelete, path: ui + "/{name}", access: admin, run: a.deletePolicy},
	}
}

type criteriaBody struct {
	Updated    *int64  `json:"criteriaLastBlobUpdated"`
	Downloaded *int64  `json:"criteriaLastDownloaded"`
	Release    *string `json:"criteriaReleaseType"`
	Regex      *string `json:"criteriaAssetRegex"`
	Retain     *int    `json:"retain"`
	SortBy     *string `json:"sortBy"`
}

type policyBody struct {
	Name   *string `json:"name"`
	Format *string `json:"format"`
	Notes  *string `json:"notes"`
	criteriaBody
}

// releaseTypes are the kinds of releases in the old words.
var releaseTypes = map[string]cleanup.Release{
	"": "", "RELEASES": cleanup.Releases, "PRERELEASES": cleanup.Prereleases, "RELEASES_AND_PRERELEASES": "",
}

func (b *criteriaBody) criteria() (cleanup.Criteria, error) {
	release, known := releaseTypes[strings.ToUpper(deref(b.Release))]
	if !known {
		text := fmt.Sprintf("Cannot deserialize value from String %q: not one of the values accepted: [RELEASES, PRERELEASES]", *b.Release)
		return cleanup.Criteria{}, &errShape{[]string{"criteriaReleaseType"}, text}
	}
	return cleanup.Criteria{
		UpdatedDays: b.Updated, DownloadedDays: b.Downloaded, Release: release, AssetRegex: deref(b.Regex), Retain: deref(b.Retain),
		SortBy: cleanup.SortBy(strings.ToLower(deref(b.SortBy))),
	}, nil
}

// maxPolicyDays is the greatest age that the public API takes, in days: the seconds of more do not fit 31 bits.
const maxPolicyDays = 24855

// checkRange applies the bounds that only the public API has.
func (b *criteriaBody) checkRange(v *violations) {
	for _, days := range []struct {
		name  string
		value *int64
	}{{"criteriaLastBlobUpdated", b.Updated}, {"criteriaLastDownloaded", b.Downloaded}} {
		if days.value != nil && (*days.value < 1 || *days.value > maxPolicyDays) {
			v.parameter(days.name, fmt.Sprintf("must be between 1 and %d", maxPolicyDays))
		}
	}
	if b.Retain != nil && *b.Retain < 1 {
		v.parameter("retain", "must be greater than or equal to 1")
	}
}

// policyObject is a policy as clients see it; the user interface also wants to know how many repositories have it.
func (a *API) policyObject(p cleanup.Policy, ui bool) object {
	var release, regex, retain, sortBy any
	switch p.Release {
	case cleanup.Releases:
		release = "RELEASES"
	case cleanup.Prereleases:
		release = "PRERELEASES"
	}
	if p.AssetRegex != "" {
		regex = p.AssetRegex
	}
	if p.Retain > 0 {
		retain = p.Retain
	}
	if p.SortBy != "" {
		sortBy = p.SortBy
	}
	o := object{
		{"name", p.Name}, {"format", p.Format}, {"notes", p.Notes}, {"criteriaLastBlobUpdated", p.UpdatedDays},
		{"criteriaLastDownloaded", p.DownloadedDays}, {"retain", retain}, {"sortBy", sortBy}, {"criteriaReleaseType", release},
		{"criteriaAssetRegex", regex},
	}
	if ui {
		o = append(o, member{"inUseCount", len(a.Cleanup.Users(p.Name))})
	}
	return o
}

func (a *API) listPolicies(ui bool) func(*call) (any, error) {
	return func(*call) (any, error) {
		all := []object{}
		for _, p := range a.Cleanup.List() {
			all = append(all, a.policyObject(p, ui))
		}
		return all, nil
	}
}

func (a *API) getPolicy(ui bool) func(*call) (any, error) {
	return func(c *call) (any, error) {
		p, known := a.Cleanup.Get(c.Param("name"))
		if !known {
			return nil, statusOnly(http.StatusNotFound)
		}
		return a.policyObject(p, ui), nil
	}
}

// policy reads a body. name is the one in the path, nil for a new policy.
func (c *call) policy(ui bool, name *string) (cleanup.Policy, *policyBody, error) {
	var b policyBody
	if err := c.decode(&b); err != nil {
		return cleanup.Policy{}, nil, err
	}
	criteria, err := b.criteria()
	if err != nil {
		return cleanup.Policy{}, nil, err
	}
	if !ui {
		var v violations
		if b.checkRange(&v); len(v) > 0 {
			return cleanup.Policy{}, nil, v
		}
	}
	if name != nil {
		b.Name = name
	}
	return cleanup.Policy{Name: deref(b.Name), Format: deref(b.Format), Notes: b.Notes, Criteria: criteria}, &b, nil
}

func (a *API) createPolicy(ui bool) func(*call) (any, error) {
	return func(c *call) (any, error) {
		p, body, err := c.policy(ui, nil)
		if err != nil {
			return nil, err
		}
		if err := a.Cleanup.Check(p); err != nil {
			return nil, wordPolicy(err, body, ui)
		}
		if err := c.authorize(); err != nil {
			return nil, err
		}
		if err := a.Cleanup.Create(c.Context(), p, c.subject.UserID()); err != nil {
			return nil, wordPolicy(err, body, ui)
		}
		return a.policyObject(p, ui), nil
	}
}

func (a *API) updatePolicy(ui bool) func(*call) (any, error) {
	return func(c *call) (any, error) {
		name := c.Param("name")
		p, body, err := c.policy(ui, &name)
		if err != nil {
			return nil, err
		}
		if err := a.Cleanup.Check(p); err != nil {
			return nil, wordPolicy(err, body, ui)
		}
		if err := c.authorize(); err != nil {
			return nil, err
		}
		if err := a.Cleanup.Update(c.Context(), p, c.subject.UserID()); err != nil || !ui {
			return nil, wordPolicy(err, body, ui)
		}
		return a.policyObject(p, ui), nil
	}
}

func (a *API) deletePolicy(c *call) (any, error) {
	if err := c.signedIn(); err != nil {
		return nil, err
	}
	return nil, wordPolicy(a.Cleanup.Delete(c.Context(), c.Param("name"), c.subject.UserID()), nil, true)
}

// policyFields are the members of a body by what the domain calls them.
var policyFields = map[string]string{
	"updatedDays": "criteriaLastBlobUpdated", "downloadedDays": "criteriaLastDownloaded", "release": "criteriaReleaseType",
	"assetRegex": "criteriaAssetRegex",
}

// wordPolicy gives a refusal in the words that clients know.
func wordPolicy(err error, b *policyBody, ui bool) error {
	var fields formats.FieldErrors
	switch {
	case errors.Is(err, cleanup.ErrNotFound):
		return statusOnly(http.StatusNotFound)
	case errors.Is(err, cleanup.ErrExists) && ui:
		return violations{{"PARAMETER name", "Name is already used, must be unique (ignoring case)"}}
	case errors.Is(err, cleanup.ErrExists):
		return quotedf(http.StatusConflict, "Name is already used, must be unique (ignoring case)")
	case errors.Is(err, cleanup.ErrNotOffered) && ui:
		return statusOnly(http.StatusBadRequest)
	case errors.As(err, &fields):
		var v violations
		for _, f := range fields {
			id := f.Field
			if old, ok := policyFields[id]; ok {
				id = old
			}
			switch {
			case id == "name" && b != nil && b.Name == nil && f.Message != mustNotBeEmpty: // it is missing, that is all
			case id == "format" && f.Message != mustNotBeEmpty:
				v.add(id, f.Message)
			default:
				v.parameter(id, f.Message)
			}
		}
		return v
	}
	return err
}

// criterionNames are the criteria in the old words.
var criterionNames = map[cleanup.Criterion][]string{
	cleanup.ByRegex: {"regex"}, cleanup.ByRelease: {"isPrerelease"}, cleanup.Retained: {"retain", "sortBy"},
	cleanup.Downloaded: {"lastDownloaded"}, cleanup.Updated: {"lastBlobUpdated"},
}

// cleanupFormats tells which criteria policies may have.
func (a *API) cleanupFormats(*call) (any, error) {
	all := []object{}
	for _, format := range append([]string{repository.AnyFormat}, repository.KnownFormats()...) {
		name, criteria := format, []string{}
		if format == repository.AnyFormat {
			name = "All Formats"
		}
		for _, c := range a.Cleanup.Offered(format) {
			criteria = append(criteria, criterionNames[c]...)
		}
		all = append(all, object{{"id", format}, {"name", name}, {"availableCriteria", criteria}})
	}
	return all, nil
}

type previewCleanupBody struct {
	Repository *string `json:"repository"`
	criteriaBody
}

// previewCleanup shows the first components that a policy would remove. How many there are in all is not counted.
func (a *API) previewCleanup(c *call) (any, error) {
	var b previewCleanupBody
	if err := c.decode(&b); err != nil {
		return nil, err
	}
	criteria, err := b.criteria()
	if err != nil {
		return nil, err
	}
	var v violations
	needText(&v, "repository", b.Repository)
	if len(v) > 0 {
		return nil, v
	}
	if err := c.authorize(); err != nil {
		return nil, err
	}
	d, known := a.engine.Lookup(*b.Repository)
	if !known {
		return nil, statusOnly(http.StatusNotFound)
	}
	found, _, err := a.Cleanup.Preview(c.Context(), d.Name, criteria)
	if err != nil {
		return nil, err
	}
	results := []object{}
	for _, f := range found {
		co := f.Component
		results = append(results, object{
			{"id", reference(componentNumber, repository.Locator{Repository: d.Name, ID: co.ID})}, {"repositoryName", d.Name}, {"group", co.Group}, {"name", co.Name}, {"version", co.Version},
			{"format", d.Format},
		})
	}
	return object{{"total", -1}, {"results", results}}, nil
}

// listCleanup is the same as a table of their assets.
func (a *API) listCleanup(c *call) (any, error) {
	q := c.Query()
	d, known := a.engine.Lookup(q.Get("repository"))
	if !known {
		return nil, statusOnly(http.StatusNotFound)
	}
	name := q.Get("name")
	p, known := a.Cleanup.Get(name)
	if !known {
		criteria, err := queryCriteria(q.Get)
		if err != nil {
			return nil, err
		}
		p.Criteria, name = criteria, "CleanupPreview"
	}
	found, _, err := a.Cleanup.Preview(c.Context(), d.Name, p.Criteria)
	if err != nil {
		return nil, err
	}
	body := cleanupTable(found)
	file := fmt.Sprintf("%s-%s-%s.csv", name, d.Name, a.Now().UTC().Format("2006-01-02-15-04-05"))
	header := http.Header{"Content-Type": {"application/octet-stream"}, "Content-Disposition": {"attachment; filename=" + file}}
	return &formats.Response{Status: http.StatusOK, Header: header, Body: formats.Body{Bytes: body, Size: int64(len(body))}}, nil
}

// queryCriteria reads the criteria of a policy that is not stored yet from parameters of the URL.
func queryCriteria(get func(string) string) (cleanup.Criteria, error) {
	var b criteriaBody
	for name, to := range map[string]**int64{"criteriaLastBlobUpdated": &b.Updated, "criteriaLastDownloaded": &b.Downloaded} {
		if text := get(name); text != "" {
			n, err := strconv.ParseInt(text, 10, 64)
			if err != nil {
				return cleanup.Criteria{}, statusOnly(http.StatusBadRequest)
			}
			*to = &n
		}
	}
	release, regex := get("criteriaReleaseType"), get("criteriaAssetRegex")
	b.Release, b.Regex = &release, &regex
	return b.criteria()
}

func cleanupTable(found []*cleanup.Candidate) []byte {
	var out bytes.Buffer
	w := csv.NewWriter(&out)
	rows := [][]string{{
		"Namespace", "Name", "Version", "Path", "Blob Store Name", "Asset Size", "Downloaded Date ISO-8601", "Published Date ISO-8601",
	}}
	for _, f := range found {
		for _, a := range f.Assets {
			downloaded := ""
			if !a.LastDownloaded.IsZero() {
				downloaded = a.LastDownloaded.UTC().Format(time.RFC3339)
			}
			rows = append(rows, []string{
				f.Component.Group, f.Component.Name, f.Component.Version, a.Path, a.Blob.Store, strconv.FormatInt(a.Size, 10), downloaded,
				a.BlobCreated.UTC().Format(time.RFC3339),
			})
		}
	}
	for _, row := range rows {
		_ = w.Write(row) // a buffer never fails
	}
	w.Flush()
	return slices.Clip(out.Bytes())
}
