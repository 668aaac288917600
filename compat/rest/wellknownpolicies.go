package rest

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"entrepot/app/access/permission"
	"entrepot/app/cleanup"
	"entrepot/app/repository"
)

// keptPolicy is a cleanup policy as a script has it: what it is told in days it tells in seconds, as text.
type keptPolicy struct {
	Name     string  `json:"name"`
	Format   string  `json:"format"`
	Notes    *string `json:"notes"`
	Criteria *struct {
		Updated    json.Number `json:"lastBlobUpdated"`
		Downloaded json.Number `json:"lastDownloaded"`
		Regex      string      `json:"regex"`
	} `json:"criteria"`
}

// scriptPolicies lists the cleanup policies for no argument, shows the one that is named, or makes one as it is described.
func (a *API) scriptPolicies(c *call, argument string) (string, error) {
	if !c.subject.Permits(permission.Everything()) {
		return "", forbidden()
	}
	if strings.TrimSpace(argument) == "" {
		all := []object{}
		for _, p := range a.Cleanup.List() {
			all = append(all, keptForm(p))
		}
		text, err := compact(all)
		return string(text), err
	}
	var told keptPolicy
	if err := json.Unmarshal([]byte(argument), &told); err != nil {
		return "", messagef(http.StatusBadRequest, "Could not process the input: %s", err)
	}
	if told.Criteria != nil {
		if err := a.storePolicy(c, told); err != nil {
			return "", err
		}
	}
	p, known := a.Cleanup.Get(told.Name)
	if !known {
		return "", messagef(http.StatusBadRequest, "Cleanup policy not found: %s", told.Name)
	}
	text, err := compact(keptForm(p))
	return string(text), err
}

// storePolicy makes a policy, or replaces the criteria and notes of the one with its name.
func (a *API) storePolicy(c *call, told keptPolicy) error {
	p := cleanup.Policy{Name: told.Name, Format: told.Format, Notes: told.Notes, Criteria: cleanup.Criteria{AssetRegex: told.Criteria.Regex}}
	if p.Format == "all" {
		p.Format = repository.AnyFormat
	}
	for _, age := range []struct {
		told json.Number
		days **int64
	}{{told.Criteria.Updated, &p.UpdatedDays}, {told.Criteria.Downloaded, &p.DownloadedDays}} {
		if age.told == "" {
			continue
		}
		days, err := age.told.Int64()
		if err != nil {
			return messagef(http.StatusBadRequest, "%s is no number of days", age.told)
		}
		*age.days = &days
	}
	store := a.Cleanup.Create
	if before, known := a.Cleanup.Get(p.Name); known {
		p.Name, p.Format, store = before.Name, before.Format, a.Cleanup.Update
	}
	err := store(c.Context(), p, c.subject.UserID())
	if errors.Is(err, cleanup.ErrNotOffered) {
		return messagef(http.StatusBadRequest, "Repositories of format %s have no such criterion", p.Format)
	}
	return wordPolicy(err, nil, false)
}

// keptForm is a policy as the old server keeps it.
func keptForm(p cleanup.Policy) object {
	criteria := object{}
	for _, age := range []struct {
		name string
		days *int64
	}{{"lastBlobUpdated", p.UpdatedDays}, {"lastDownloaded", p.DownloadedDays}} {
		if age.days != nil {
			criteria = append(criteria, member{age.name, strconv.FormatInt(*age.days*24*60*60, 10)})
		}
	}
	if p.AssetRegex != "" {
		criteria = append(criteria, member{"regex", p.AssetRegex})
	}
	format := p.Format
	if format == repository.AnyFormat {
		format = "ALL_FORMATS"
	}
	return object{{"name", p.Name}, {"notes", p.Notes}, {"mode", "delete"}, {"format", format}, {"criteria", criteria}}
}
