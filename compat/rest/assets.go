package rest

import (
	"cmp"
	"encoding/base64"
	"errors"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"entrepot/app/repository"
	"entrepot/app/server"
	"entrepot/formats"
)

func (a *API) assetOperations() []operation {
	return []operation{
		{method: http.MethodGet, path: "v1/assets", access: server.Content(), run: a.listAssets},
		{method: http.MethodGet, path: "v1/assets/{id}", access: server.Content(), run: a.getAsset},
		{method: http.MethodDelete, path: "v1/assets/{id}", access: server.Content(), run: a.deleteAsset},
		{method: http.MethodGet, path: "v1/components", access: server.Content(), run: a.listComponents},
		{method: http.MethodPost, path: "v1/components", access: server.Content(), consumes: mediaMultipart, run: a.upload},
		{method: http.MethodGet, path: "v1/components/{id}", access: server.Content(), run: a.getComponent},
		{method: http.MethodDelete, path: "v1/components/{id}", access: server.Content(), run: a.deleteComponent},
	}
}

// numbered is what a number belongs to: assets and components count apart.
type numbered uint64

const (
	assetNumber numbered = iota
	componentNumber
	numberKinds
)

// nothing is a number that no record has.
const nothing = math.MaxUint64

// reference is the id under which clients name an asset or a component of a repository. holder is the repository that has it, when that
// is another one.
func reference(kind numbered, at repository.Locator) string {
	text := at.Repository
	if at.Holder != "" && at.Holder != at.Repository {
		text += ":" + at.Holder
	}
	text += ":" + ownNumber(kind, at.ID)
	return base64.RawURLEncoding.EncodeToString([]byte(text))
}

// AssetID gives the id under which clients name an asset that a repository has itself, and what it says beside the repository.
func AssetID(repository string, number uint64) (own, id string) {
	return idOf(assetNumber, repository, number)
}

// ComponentID is AssetID of a component.
func ComponentID(repository string, number uint64) (own, id string) {
	return idOf(componentNumber, repository, number)
}

func idOf(kind numbered, name string, number uint64) (own, id string) {
	return ownNumber(kind, number), reference(kind, repository.Locator{Repository: name, ID: number})
}

// ownNumber tells assets from components.
func ownNumber(kind numbered, number uint64) string {
	return strconv.FormatUint(number*uint64(numberKinds)+uint64(kind), 16)
}

// parseReference reads an id. One that says no repository or no number cannot be processed; one that is no id at all is not found; one
// of something else names nothing.
func parseReference(kind numbered, text string) (repository.Locator, error) {
	raw, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(text, "="))
	if err != nil {
		return repository.Locator{}, statusOnly(http.StatusNotFound)
	}
	name, number, ok := strings.Cut(string(raw), ":")
	holder, rest, shown := strings.Cut(number, ":")
	if shown {
		number = rest
	} else {
		holder = ""
	}
	n, err := strconv.ParseUint(number, 16, 64)
	switch {
	case !ok || err != nil:
		return repository.Locator{}, statusOnly(http.StatusUnprocessableEntity)
	case n%uint64(numberKinds) != uint64(kind):
		return repository.Locator{Repository: name, Holder: holder, ID: nothing}, nil
	}
	return repository.Locator{Repository: name, Holder: holder, ID: n / uint64(numberKinds)}, nil
}

// wordListing gives refusals of listings without a body.
func wordListing(err error) error {
	switch formats.KindOf(err) {
	case formats.NotFound:
		return statusOnly(http.StatusNotFound)
	case formats.Forbidden, formats.Unauthenticated: // no challenge: clients of this API send credentials by themselves
		return forbidden()
	}
	if errors.Is(err, repository.ErrBadToken) {
		return statusOnly(http.StatusNotAcceptable)
	}
	return err
}

// repositoryParameter gives the repository that a listing is about.
func (c *call) repositoryParameter() (string, error) {
	if !c.Query().Has("repository") {
		return "", statusOnly(http.StatusUnprocessableEntity)
	}
	return c.Query().Get("repository"), nil
}

func page(items []object, next string) object {
	return object{{"items", items}, {"continuationToken", emptyAsNull(next)}}
}

func (a *API) listAssets(c *call) (any, error) {
	name, err := c.repositoryParameter()
	if err != nil {
		return nil, err
	}
	found, err := a.engine.Assets(c.Context(), c.subject, name, c.Query().Get("continuationToken"))
	if err != nil {
		return nil, wordListing(err)
	}
	items := []object{}
	for _, f := range found.Items {
		items = append(items, asset(c, f))
	}
	return page(items, found.Next), nil
}

func (a *API) listComponents(c *call) (any, error) {
	name, err := c.repositoryParameter()
	if err != nil {
		return nil, err
	}
	found, err := a.engine.Components(c.Context(), c.subject, name, c.Query().Get("continuationToken"))
	if err != nil {
		return nil, wordListing(err)
	}
	items := []object{}
	for _, f := range found.Items {
		items = append(items, component(c, f))
	}
	return page(items, found.Next), nil
}

func (a *API) getAsset(c *call) (any, error) {
	at, err := parseReference(assetNumber, c.Param("id"))
	if err != nil {
		return nil, err
	}
	f, err := a.engine.Asset(c.Context(), c.subject, at)
	if err != nil {
		return nil, wordListing(err)
	}
	return asset(c, f), nil
}

func (a *API) getComponent(c *call) (any, error) {
	at, err := parseReference(componentNumber, c.Param("id"))
	if err != nil {
		return nil, err
	}
	f, err := a.engine.Component(c.Context(), c.subject, at)
	if err != nil {
		return nil, wordListing(err)
	}
	return component(c, f), nil
}

func (a *API) deleteAsset(c *call) (any, error) {
	at, err := parseReference(assetNumber, c.Param("id"))
	if err == nil {
		err = c.signedIn()
	}
	if err != nil {
		return nil, err
	}
	return nil, wordListing(a.engine.DeleteAsset(c.Context(), c.subject, at))
}

func (a *API) deleteComponent(c *call) (any, error) {
	at, err := parseReference(componentNumber, c.Param("id"))
	if err == nil {
		err = c.signedIn()
	}
	if err != nil {
		return nil, err
	}
	return nil, wordListing(a.engine.DeleteComponent(c.Context(), c.subject, at))
}

// asset is an asset as listings show it.
func asset(c *call, f repository.FoundAsset) object {
	d := f.Digests
	checksum := object{}
	for _, sum := range []member{{"sha1", d.SHA1}, {"sha256", d.SHA256}, {"sha512", d.SHA512}, {"md5", d.MD5}} {
		if sum.value != "" {
			checksum = append(checksum, sum)
		}
	}
	return object{
		{"downloadUrl", repositoryURL(c, f.Repository.Name) + f.Path}, {"path", f.Path}, {"id", reference(assetNumber, repository.Locator{Repository: f.Repository.Name, Holder: f.Holder.Name, ID: f.ID})},
		{"repository", f.Repository.Name}, {"format", f.Repository.Format}, {"checksum", checksum}, {"contentType", f.ContentType},
		{"lastModified", instant(f.BlobCreated)}, {"lastDownloaded", instant(f.LastDownloaded)}, {"uploader", emptyAsNull(f.Uploader)},
		{"uploaderIp", emptyAsNull(f.UploaderIP)}, {"fileSize", f.Size}, {"blobCreated", instant(f.Created)}, {"blobStoreName", nil},
		formatMember(f),
	}
}

// shown are the attributes of a format that listings show, in order.
var shown = map[string][]string{"maven2": {"extension", "groupId", "classifier", "artifactId", "version"}}

// formatMember is the member of an asset that is named after its format. It is there even when it is empty.
func formatMember(f repository.FoundAsset) member {
	attributes := object{}
	for _, name := range shown[f.Repository.Format] {
		if value, ok := f.Format[name]; ok {
			attributes = append(attributes, member{name, value})
		}
	}
	return member{f.Repository.Format, attributes}
}

// component is a component with its assets.
func component(c *call, f repository.FoundComponent) object {
	slices.SortFunc(f.Assets, func(a, b repository.FoundAsset) int { return cmp.Compare(a.ID, b.ID) }) // as they came
	assets := []object{}
	for _, a := range f.Assets {
		assets = append(assets, asset(c, a))
	}
	return object{
		{"id", reference(componentNumber, repository.Locator{Repository: f.Repository.Name, Holder: f.Holder.Name, ID: f.ID})}, {"repository", f.Repository.Name}, {"format", f.Repository.Format},
		{"group", f.Group}, {"name", f.Name}, {"version", f.Version}, {"assets", assets},
	}
}

// instant writes a time as the old server does; null for none.
func instant(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UTC().Format("2006-01-02T15:04:05.000-07:00")
}
