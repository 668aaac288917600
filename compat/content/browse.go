package content

import (
	"cmp"
	"context"
	"errors"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"deps.dev/util/semver"
	"github.com/google/uuid"

	"entrepot/app/access"
	"entrepot/app/repository"
	"entrepot/app/server"
	"entrepot/formats"
	"entrepot/storage/catalog"
)

const (
	browsePrefix = "/service/rest/repository/browse/"
	// maxEntries is how many entries of a folder are shown.
	maxEntries = 10000
)

// indexFace is what the answers below browsePrefix look like: those of the REST API.
type indexFace struct{}

// Lines implements server.Face.
func (indexFace) Lines(*server.Request, int) []server.Line {
	return []server.Line{{Name: "X-Content-Type-Options", Value: "nosniff"}}
}

// Error implements server.Face. The page's own refusals say nothing; a fault id lets an administrator find the line in the log.
func (indexFace) Error(r *server.Request, err error) *formats.Response {
	out := translate(err, r.Method)
	switch {
	case out.status == http.StatusUnauthorized:
		return &formats.Response{Status: out.status, Header: http.Header{"Www-Authenticate": {challenge}}}
	case out.status == http.StatusForbidden:
		out.status = http.StatusNotFound // what one may not see does not exist
	}
	header := http.Header{"X-Siesta-Faultid": {uuid.NewString()}}
	return &formats.Response{Status: out.status, Header: header}
}

// browse answers with the HTML index of a folder.
func (c *Content) browse(r *server.Request) (*formats.Response, error) {
	name, dir, ok := strings.Cut(strings.TrimPrefix(r.Path, browsePrefix), "/")
	if name == "" {
		return nil, &formats.Error{Kind: formats.NotFound}
	}
	if !ok || dir != "" && !strings.HasSuffix(dir, "/") {
		return &formats.Response{Status: http.StatusSeeOther, Header: http.Header{"Location": {r.BaseURL() + r.Target + "/"}}}, nil
	}
	def, found := c.opts.Engine.Lookup(name)
	if !found || !cleanFolder(dir) {
		return nil, &formats.Error{Kind: formats.NotFound}
	}
	r.Labels.Repository, r.Labels.Format = def.Name, def.Format
	entries, err := c.entries(r.Context(), def, "/"+dir)
	if err != nil {
		return nil, err
	}
	subject := r.Caller.(*access.Subject)
	visible := entries[:0]
	for _, e := range entries {
		if subject.MayBrowse(def.Format, def.Name, e.shown()) {
			visible = append(visible, e)
		}
	}
	if len(visible) == 0 && (dir != "" || !subject.MayBrowse(def.Format, def.Name, "/")) {
		return nil, &formats.Error{Kind: formats.NotFound}
	}
	slices.SortFunc(visible, compareEntries)
	return &formats.Response{
		Status: http.StatusOK, Header: http.Header{"Content-Type": {"text/html;charset=utf-8"}},
		Body: formats.Body{Bytes: indexPage("/"+dir, r.BaseURL()+"/repository/"+def.Name, visible)},
	}, nil
}

// cleanFolder reports whether a decoded path below a repository, which ends in "/" or is empty, can name a folder.
func cleanFolder(dir string) bool {
	if dir == "" {
		return true
	}
	for segment := range strings.SplitSeq(strings.TrimSuffix(dir, "/"), "/") {
		if segment == "" || segment == "." || segment == ".." {
			return false
		}
	}
	return true
}

// entry is a line of an index.
type entry struct {
	catalog.Node
	version *semver.Version // nil when the name is none
}

// shown is the path whose visibility counts: a folder's ends in "/".
func (e *entry) shown() string {
	if e.Folder {
		return e.Path + "/"
	}
	return e.Path
}

// entries gives the entries of a folder, of a proxy those of its members: of one name the first member's.
func (c *Content) entries(ctx context.Context, def repository.Definition, dir string) ([]entry, error) {
	if def.Kind != formats.Proxy {
		return c.folder(ctx, def, dir)
	}
	var all []entry
	at := make(map[string]int)
	for _, member := range c.leaves(def, make(map[string]bool)) {
		entries, err := c.folder(ctx, member, dir)
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			i, seen := at[e.Name]
			switch {
			case seen:
				all[i].Folder = all[i].Folder || e.Folder
				if all[i].Asset == nil {
					all[i].Asset = e.Asset
				}
			case len(all) < maxEntries:
				at[e.Name] = len(all)
				all = append(all, e)
			}
		}
	}
	return all, nil
}

// leaves gives the members of a proxy that are none themselves, in order.
func (c *Content) leaves(def repository.Definition, seen map[string]bool) []repository.Definition {
	var leaves []repository.Definition
	for _, name := range def.Members {
		member, ok := c.opts.Engine.Lookup(name)
		if !ok || seen[member.Name] {
			continue
		}
		seen[member.Name] = true
		if member.Kind == formats.Proxy {
			leaves = append(leaves, c.leaves(member, seen)...)
		} else {
			leaves = append(leaves, member)
		}
	}
	return leaves
}

func (c *Content) folder(ctx context.Context, def repository.Definition, dir string) ([]entry, error) {
	var entries []entry
	for node, err := range c.opts.Trees.Content(def.Content).Browse(ctx, dir, "", maxEntries) {
		if errors.Is(err, catalog.ErrNotFound) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		entries = append(entries, entry{Node: node, version: versionOf(node.Name)})
	}
	return entries, nil
}

var versionLike = regexp.MustCompile(`(?i)^\d+([._-][0-9a-z]+)*$`)

// versionOf gives a name as a version, nil when it does not look like one.
func versionOf(name string) *semver.Version {
	if !versionLike.MatchString(name) {
		return nil
	}
	v, err := semver.Maven.Parse(name)
	if err != nil {
		return nil
	}
	return v
}

// compareEntries orders components before folders before other files; in each, names come before versions.
func compareEntries(a, b entry) int {
	if c := cmp.Compare(a.rank(), b.rank()); c != 0 {
		return c
	}
	switch {
	case a.version != nil && b.version != nil:
		if c := a.version.Compare(b.version); c != 0 {
			return c
		}
	case a.version != nil:
		return 1
	case b.version != nil:
		return -1
	}
	return strings.Compare(a.Name, b.Name)
}

func (e *entry) rank() int {
	switch {
	case e.Asset != nil && e.Asset.Component != nil:
		return 0
	case e.Folder:
		return 1
	}
	return 2
}

// indexPage gives the HTML of a folder's index. Files link to their content, folders to their index.
func indexPage(dir, base string, entries []entry) []byte {
	title := html.EscapeString("Index of " + strings.TrimSuffix(dir, "/"))
	if dir == "/" {
		title = "Index of /"
	}
	b := make([]byte, 0, 1024+256*len(entries))
	b = append(b, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>"+title+"</title>\n"...)
	b = append(b, "<style>body{font:16px/1.5 system-ui,sans-serif;color:#17324d;margin:2em}th,td{text-align:left;padding:0 2em 0 0}</style>\n"...)
	b = append(b, "</head>\n<body>\n<h1>"+title+"</h1>\n<table>\n"...)
	b = append(b, "<tr><th>Name</th><th>Last Modified</th><th>Size</th><th>Description</th></tr>\n"...)
	if dir != "/" {
		b = append(b, "<tr><td><a href=\"../\">Parent Directory</a></td></tr>\n"...)
	}
	for i := range entries {
		e := &entries[i]
		name := html.EscapeString(e.Name)
		if e.Folder {
			b = append(b, "<tr><td><a href=\""+escapeSegment(e.Name)+"/\">"+name+"</a></td></tr>\n"...)
			continue
		}
		b = append(b, "<tr><td><a href=\""+html.EscapeString(base)+escapePath(e.Asset.Path)+"\">"+name+"</a></td><td>"...)
		b = append(b, e.Asset.BlobUpdated.UTC().Format("Mon Jan 02 15:04:05 Z 2006")...)
		b = append(b, "</td><td>"...)
		b = strconv.AppendInt(b, e.Asset.Size, 10)
		b = append(b, "</td><td></td></tr>\n"...)
	}
	return append(b, "</table>\n</body>\n</html>\n"...)
}

// escapePath escapes a path for a link, segment by segment.
func escapePath(path string) string {
	segments := strings.Split(path, "/")
	for i, s := range segments {
		segments[i] = escapeSegment(s)
	}
	return strings.Join(segments, "/")
}

func escapeSegment(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }
