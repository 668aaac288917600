package cleanup

import (
	"container/heap"
	"context"
	"errors"
	"strings"
	"time"

	"entrepot/app/access/javaregex"
	"entrepot/formats"
	"entrepot/storage/catalog"
)

// maxRetain is the greatest number of versions to retain, which all are in memory at once.
const maxRetain = 10_000

const day = 24 * time.Hour

// Candidate is a component with its assets as they were looked at.
type Candidate struct {
	Component *catalog.Component
	Assets    []*catalog.Asset
}

// stored gives when the youngest asset was stored.
func (c *Candidate) stored() time.Time {
	var latest time.Time
	for _, a := range c.Assets {
		if a.BlobCreated.After(latest) {
			latest = a.BlobCreated
		}
	}
	return latest
}

// used gives when the component was last downloaded, or stored when that was later.
func (c *Candidate) used() time.Time {
	latest := c.stored()
	for _, a := range c.Assets {
		if a.LastDownloaded.After(latest) {
			latest = a.LastDownloaded
		}
	}
	return latest
}

// matcher decides by the criteria of one policy, but Retain.
type matcher struct {
	Criteria
	now      time.Time
	regex    *javaregex.Regexp
	releaser formats.Releaser
	orderer  formats.VersionOrderer
	nothing  bool // it selects nothing
}

// newMatcher makes a matcher for content of a format; f may be nil.
func newMatcher(c Criteria, f formats.Format, now time.Time) *matcher {
	m := &matcher{Criteria: c, now: now, nothing: c.empty()}
	m.releaser, _ = f.(formats.Releaser)
	m.orderer, _ = f.(formats.VersionOrderer)
	if c.AssetRegex != "" {
		var err error
		if m.regex, err = javaregex.Compile(c.AssetRegex); err != nil {
			m.nothing = true
		}
	}
	byVersion := c.Retain > 0 && c.SortBy != ByDate
	if c.Release != "" && m.releaser == nil || byVersion && m.orderer == nil {
		m.nothing = true
	}
	return m
}

// releases reports whether a component is of the kind of release that the policy is for.
func (m *matcher) releases(c *catalog.Component) bool {
	return m.Release == "" || m.releaser.Prerelease(c) == (m.Release == Prereleases)
}

// matches reports whether a component meets all criteria but Retain.
func (m *matcher) matches(c *Candidate) bool {
	switch {
	case m.nothing, len(c.Assets) == 0, !m.releases(c.Component):
		return false
	case m.UpdatedDays != nil && !m.older(c.stored(), *m.UpdatedDays):
		return false
	case m.DownloadedDays != nil && !m.older(c.used(), *m.DownloadedDays):
		return false
	}
	return m.regex == nil || m.named(c)
}

// older reports whether a moment is more than some days ago. Fewer than no days are none.
func (m *matcher) older(t time.Time, days int64) bool {
	return t.Before(m.now.Add(-time.Duration(max(days, 0)) * day))
}

func (m *matcher) named(c *Candidate) bool {
	for _, a := range c.Assets {
		if m.regex.Match(a.Path) || m.regex.Match(strings.TrimPrefix(a.Path, "/")) {
			return true
		}
	}
	return false
}

// newest gathers the versions of one name that are retained: the greatest by the policy's order.
type newest struct {
	limit int
	less  func(a, b rank) bool
	ranks []rank
}

// rank is what versions are ordered by.
type rank struct {
	version string
	stored  time.Time
}

func (m *matcher) newest() *newest {
	n := &newest{limit: m.Retain}
	n.less = func(a, b rank) bool { return m.orderer.CompareVersions(a.version, b.version) < 0 }
	if m.SortBy == ByDate {
		n.less = func(a, b rank) bool {
			if !a.stored.Equal(b.stored) {
				return a.stored.Before(b.stored)
			}
			return a.version < b.version
		}
	}
	return n
}

// Len, Less, Swap, Push and Pop make it a heap whose top is the oldest.
func (n *newest) Len() int           { return len(n.ranks) }
func (n *newest) Less(i, j int) bool { return n.less(n.ranks[i], n.ranks[j]) }
func (n *newest) Swap(i, j int)      { n.ranks[i], n.ranks[j] = n.ranks[j], n.ranks[i] }

// Push adds a rank.
func (n *newest) Push(v any) { n.ranks = append(n.ranks, v.(rank)) }

// Pop takes the last rank away.
func (n *newest) Pop() any {
	last := n.ranks[len(n.ranks)-1]
	n.ranks = n.ranks[:len(n.ranks)-1]
	return last
}

func (n *newest) add(r rank) {
	heap.Push(n, r)
	if n.Len() > n.limit {
		heap.Pop(n)
	}
}

// retained finds the newest versions of a name, among those of the release kind that the policy is for.
func (m *matcher) retained(ctx context.Context, tree *catalog.Content, at catalog.Coordinates) (map[string]bool, error) {
	n := m.newest()
	for c, err := range tree.Components(ctx, catalog.ComponentQuery{Group: &at.Group, Name: &at.Name}) {
		if err != nil {
			return nil, err
		}
		if !m.releases(c) {
			continue
		}
		r := rank{version: c.Version}
		if m.SortBy == ByDate {
			candidate, err := candidateOf(ctx, tree, c)
			if err != nil {
				return nil, err
			}
			r.stored = candidate.stored()
		}
		n.add(r)
	}
	versions := make(map[string]bool, len(n.ranks))
	for _, r := range n.ranks {
		versions[r.version] = true
	}
	return versions, nil
}

func candidateOf(ctx context.Context, tree *catalog.Content, c *catalog.Component) (*Candidate, error) {
	candidate := &Candidate{Component: c}
	for a, err := range tree.ComponentAssets(ctx, c.Coordinates) {
		if err != nil {
			return nil, err
		}
		candidate.Assets = append(candidate.Assets, a)
	}
	return candidate, nil
}

// Look gives a component with its assets; nil when there is none.
func Look(ctx context.Context, tree *catalog.Content, at catalog.Coordinates) (*Candidate, error) {
	c, err := tree.Component(ctx, at)
	if errors.Is(err, catalog.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return candidateOf(ctx, tree, c)
}
