package blobs

import (
	"context"
	"errors"
	"fmt"
	"path"
	"regexp"
	"sort"
	"strings"

	"entrepot/app/repository"
	"entrepot/formats"
	"entrepot/migrate/inventory"
)

// shapes tell a format by its paths, most telling first: share is how many of a repository's paths must look so.
var shapes = []struct {
	format string
	share  float64
	looks  func(path string) bool
}{
	{"docker", 0.8, regexp.MustCompile(`^/v2/.+/(manifests|blobs|tags)/`).MatchString},
	{"npm", 0.3, regexp.MustCompile(`^/(@[^/]+/)?[^/]+/-/[^/]+\.tgz$`).MatchString}, // the rest are package documents
	{"pypi", 0.8, regexp.MustCompile(`^/(packages|simple)/`).MatchString},
	{"go", 0.8, regexp.MustCompile(`/@v/(list|[^/]+\.(info|mod|zip))$|/@latest$`).MatchString},
	{"apt", 0.8, regexp.MustCompile(`^/(pool|dists|snapshots)/`).MatchString},
	{"yum", 0.8, regexp.MustCompile(`(^|/)repodata/|\.rpm$`).MatchString},
	{"rubygems", 0.8, regexp.MustCompile(`^/(gems/|specs|latest_specs|prerelease_specs|quick/)`).MatchString},
	{"nuget", 0.8, regexp.MustCompile(`^/v3/|\.nupkg$|\.nuspec$`).MatchString},
	{"r", 0.8, regexp.MustCompile(`^/(src|bin)/.*(PACKAGES|\.tar\.gz|\.zip|\.tgz)`).MatchString},
	{"maven2", 0.8, looksMaven},
	{"helm", 0.8, regexp.MustCompile(`^/(index\.yaml|[^/]+-[0-9][^/]*\.tgz(\.prov)?)$`).MatchString},
}

// looksMaven reports g/a/v/a-v… and metadata.
func looksMaven(p string) bool {
	file := path.Base(p)
	if strings.HasPrefix(file, "maven-metadata.xml") || p == "/archetype-catalog.xml" || strings.HasPrefix(p, "/.index/") {
		return true
	}
	version := path.Dir(p)
	artifact := path.Dir(version)
	return strings.Count(p, "/") >= 4 && strings.HasPrefix(file, path.Base(artifact)+"-")
}

// derived reports documents that a proxy (their group) makes of its members'.
func derived(p string) bool {
	return strings.HasPrefix(path.Base(p), "maven-metadata.xml") || strings.HasPrefix(p, "/archetype-catalog.xml")
}

type tally struct {
	assets, bytes, derived int64
	looks                  []int64 // by index of shapes
}

// Describe walks the store once to find repositories, and guesses their formats from their paths.
func (s *Store) Describe(ctx context.Context) (*inventory.Inventory, error) {
	inv := &inventory.Inventory{Origin: "blob store " + s.dir}
	tallies := make(map[string]*tally)
	var deleted, other int64
	for e, err := range s.entries(ctx) {
		var p *inventory.Problem
		switch {
		case errors.As(err, &p): // reported when it is met again
		case err != nil:
			return nil, err
		case e.deleted:
			deleted++
		case e.other:
			other++
		default:
			t := tallies[e.asset.Repository]
			if t == nil {
				t = &tally{looks: make([]int64, len(shapes))}
				tallies[e.asset.Repository] = t
			}
			t.count(e.asset)
			inv.Assets++
			inv.Bytes += e.asset.Size
		}
	}
	for name, t := range tallies {
		inv.Repositories = append(inv.Repositories, t.repository(name))
	}
	sort.Slice(inv.Repositories, func(i, j int) bool { return inv.Repositories[i].Name < inv.Repositories[j].Name })
	if deleted > 0 {
		inv.Notes = append(inv.Notes, fmt.Sprintf("%d deleted blobs stay behind.", deleted))
	}
	if other > 0 {
		inv.Notes = append(inv.Notes, fmt.Sprintf("%d temporary blobs, reports and left-over properties stay behind.", other))
	}
	inv.Notes = append(inv.Notes, "A blob store alone does not tell users, passwords, roles, upstream addresses or settings; formats and kinds are guessed.")
	return inv, nil
}

func (t *tally) count(a *inventory.Asset) {
	t.assets++
	t.bytes += a.Size
	if derived(a.Path) {
		t.derived++
	}
	for i, shape := range shapes {
		if shape.looks(a.Path) {
			t.looks[i]++
		}
	}
}

func (t *tally) repository(name string) inventory.Repository {
	r := inventory.Repository{Guessed: true, Assets: t.assets, Bytes: t.bytes, Definition: repository.Definition{
		Name: name, Format: "raw", Kind: formats.Hosted, Online: true, Write: repository.WriteAllow,
	}}
	for i, shape := range shapes {
		if float64(t.looks[i]) >= shape.share*float64(t.assets) {
			r.Format = shape.format
			break
		}
	}
	if r.Format == "maven2" {
		r.Settings = map[string]string{"versionPolicy": "MIXED", "layoutPolicy": "PERMISSIVE"}
		if t.derived == t.assets {
			r.Skip = "holds only documents derived from other repositories, as a proxy (group) does"
		}
	}
	return r
}
