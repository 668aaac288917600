package cleanup

import (
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"

	"entrepot/app/access/javaregex"
	"entrepot/app/repository"
	"entrepot/formats"
)

var (
	// ErrNotFound reports that there is no such policy.
	ErrNotFound = errors.New("cleanup: no such policy")
	// ErrExists is the cause of a refusal because the name of a policy is taken.
	ErrExists = errors.New("cleanup: name is taken")
	// ErrNotOffered is the cause of a refusal because a criterion means nothing for the policy's format.
	ErrNotOffered = errors.New("cleanup: criterion is not offered for the format")
)

// Policy says what is old.
type Policy struct {
	Name     string  `json:"name"`            // unique ignoring case
	Format   string  `json:"format"`          // repository.AnyFormat for all
	Notes    *string `json:"notes,omitempty"` // nil when never given
	Criteria `json:"criteria"`
}

// Criteria are what a component has to meet, all of those that are set.
type Criteria struct {
	UpdatedDays    *int64  `json:"updatedDays,omitempty"`    // all its assets were stored more than so many days ago
	DownloadedDays *int64  `json:"downloadedDays,omitempty"` // nothing of it was downloaded for so many days; without a download its storing counts
	Release        Release `json:"release,omitempty"`
	AssetRegex     string  `json:"assetRegex,omitempty"` // matches the whole path of one of its assets, with or without the first slash
	Retain         int     `json:"retain,omitempty"`     // it is not one of so many newest versions of its name; 0 means no such criterion
	SortBy         SortBy  `json:"sortBy,omitempty"`     // what newest means
}

const anyFormat = repository.AnyFormat

// Release tells released versions from those under development.
type Release string

// The kinds of releases.
const (
	Releases    Release = "releases"
	Prereleases Release = "prereleases"
)

// SortBy says what orders versions.
type SortBy string

// The orders.
const (
	ByVersion SortBy = "version"
	ByDate    SortBy = "date" // of storing
)

// Criterion is the name of a criterion.
type Criterion string

// The criteria.
const (
	Updated    Criterion = "updated"
	Downloaded Criterion = "downloaded"
	ByRelease  Criterion = "release"
	ByRegex    Criterion = "assetRegex"
	Retained   Criterion = "retain"
)

// Limits of policies.
const (
	maxName  = 255
	maxNotes = 400
	maxDays  = 1_000_000
)

// empty reports whether no criterion is set.
func (c *Criteria) empty() bool {
	return c.UpdatedDays == nil && c.DownloadedDays == nil && c.Release == "" && c.AssetRegex == "" && c.Retain == 0
}

// set gives the criteria that are set.
func (c *Criteria) set() map[Criterion]bool {
	return map[Criterion]bool{
		Updated: c.UpdatedDays != nil, Downloaded: c.DownloadedDays != nil, ByRelease: c.Release != "", ByRegex: c.AssetRegex != "",
		Retained: c.Retain != 0 || c.SortBy != "",
	}
}

// Offered gives the criteria that policies for a format may have; none for a format that is not known.
func (s *Service) Offered(format string) []Criterion {
	if format == anyFormat {
		return []Criterion{Downloaded, Updated}
	}
	if !slices.Contains(repository.KnownFormats(), format) {
		return nil
	}
	offered := []Criterion{ByRegex}
	f := s.engine.Abilities(format)
	if _, ok := f.(formats.Releaser); ok {
		offered = append(offered, ByRelease)
	}
	if _, ok := f.(formats.VersionOrderer); ok {
		offered = append(offered, Retained)
	}
	return append(offered, Downloaded, Updated)
}

// check finds what is wrong with a policy.
func (s *Service) check(p *Policy) error {
	var wrong formats.FieldErrors
	add := func(field, message string) { wrong = append(wrong, formats.FieldError{Field: field, Message: message}) }
	if p.Name == "" {
		add("name", "must not be empty")
	}
	if len(p.Name) > maxName {
		add("name", fmt.Sprintf("size must be between 0 and %d", maxName))
	}
	if !validName(p.Name) {
		add("name", "Only letters, digits, underscores(_), hyphens(-), and dots(.) are allowed and may not start with underscore or dot.")
	}
	if p.Notes != nil && len(*p.Notes) > maxNotes {
		add("notes", fmt.Sprintf("size must be between 0 and %d", maxNotes))
	}
	wrong = append(wrong, s.checkCriteria(&p.Criteria)...)
	offered := s.Offered(p.Format)
	switch {
	case p.Format == "":
		add("format", "must not be empty")
	case len(wrong) == 0 && offered == nil:
		add("format", "specified format "+p.Format+" is not valid.")
	}
	if len(wrong) > 0 {
		return wrong
	}
	for criterion, set := range p.set() {
		if set && !slices.Contains(offered, criterion) {
			return &formats.Error{
				Kind: formats.Invalid, Message: fmt.Sprintf("Criterion %s is not offered for format %s", criterion, p.Format), Err: ErrNotOffered,
			}
		}
	}
	return nil
}

func (s *Service) checkCriteria(c *Criteria) formats.FieldErrors {
	var wrong formats.FieldErrors
	add := func(field, message string) { wrong = append(wrong, formats.FieldError{Field: field, Message: message}) }
	for field, days := range map[string]*int64{"updatedDays": c.UpdatedDays, "downloadedDays": c.DownloadedDays} {
		if days != nil && (*days > maxDays || *days < -maxDays) {
			add(field, fmt.Sprintf("must be between %d and %d", -maxDays, maxDays))
		}
	}
	if c.Release != "" && c.Release != Releases && c.Release != Prereleases {
		add("release", "must be one of releases, prereleases")
	}
	if c.Retain < 0 || c.Retain > maxRetain {
		add("retain", fmt.Sprintf("must be between 1 and %d", maxRetain))
	}
	if c.SortBy != "" && c.SortBy != ByVersion && c.SortBy != ByDate {
		add("sortBy", "must be one of version, date")
	}
	if message := regexFault(c.AssetRegex); message != "" {
		add("assetRegex", "Invalid regular expression pattern: "+message)
	}
	return wrong
}

// regexFault tells what is wrong with an expression; "" when nothing is.
func regexFault(pattern string) string {
	_, err := javaregex.Compile(pattern)
	var syntax *javaregex.SyntaxError
	switch {
	case err == nil:
		return ""
	case errors.As(err, &syntax) && syntax.Index >= utf8.RuneCountInString(pattern):
		return "unexpected end-of-string"
	}
	return err.Error()
}

func validName(name string) bool {
	for i, c := range []byte(name) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-':
		case (c == '_' || c == '.') && i > 0:
		default:
			return false
		}
	}
	return name != ""
}
