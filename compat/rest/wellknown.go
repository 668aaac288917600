package rest

import (
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"

	"entrepot/app/access/permission"
	"entrepot/app/repository"
	"entrepot/compat/names"
)

// wellKnownScript gives what is done in the place of a script that a client of old brings along and cannot do without, by its name; nil
// for others. The caller needs the rights for what is done, besides that to run the script.
func (a *API) wellKnownScript(name string) func(c *call, argument string) (string, error) {
	switch name {
	case "nexus3-cli-repository-get":
		return a.scriptGet
	case "nexus3-cli-repository-delete":
		return a.scriptDelete
	case "nexus3-cli-repository-create", "nexus3-cli-repository-create_3.21.0":
		return a.scriptCreate
	case "nexus3-cli-cleanup-policy", "nexus3-cli-cleanup-policy_3.20.0", "nexus3-cli-cleanup-policy_3.27.0":
		return a.scriptPolicies
	}
	return nil
}

// noResult is what a script returns that returns nothing.
const noResult = "null"

// runWellKnown answers as if the script had run.
func (a *API) runWellKnown(c *call, name string, run func(c *call, argument string) (string, error)) (any, error) {
	argument, err := c.bytes()
	if err != nil {
		return nil, err
	}
	result, err := run(c, string(argument))
	var list violations
	var said *message
	switch {
	case errors.As(err, &list), errors.As(err, &said):
		return scriptResult(http.StatusBadRequest, name, err.Error())
	case err != nil:
		return nil, err
	}
	return scriptResult(http.StatusOK, name, result)
}

// sections of settings, and what the old server calls them where it keeps them.
const (
	shownClient, keptClient     = "httpClient", "httpclient"
	shownPolicies, keptPolicies = "policyNames", "policyName"
)

// scriptGet describes a repository in the form in which the old server keeps it.
func (a *API) scriptGet(c *call, name string) (string, error) {
	d, ok := a.engine.Lookup(name)
	if !ok {
		return noResult, nil
	}
	if err := c.administers(d.Format, d.Name, permission.Read); err != nil {
		return "", err
	}
	attributes := object{}
	for _, section := range settings(c, d) {
		members, ok := section.value.(object)
		switch {
		case !ok: // not a section
			continue
		case section.name == shownClient:
			connection := object{{"blocked", d.Upstream.Blocked}, {"autoBlock", d.Upstream.AutoBlock}}
			section = member{keptClient, append(object{{"connection", connection}}, members[:2]...)}
		case section.name == "cleanup":
			section.value = object{{keptPolicies, members[0].value}}
		}
		attributes = append(attributes, section)
	}
	text, err := encode(object{
		{"repositoryName", d.Name}, {"recipeName", names.Recipe(d.Format, d.Kind)}, {"online", d.Online}, {"attributes", attributes},
	})
	return string(text), err
}

func (a *API) scriptDelete(c *call, name string) (string, error) {
	d, ok := a.engine.Lookup(name)
	if !ok {
		return "", messagef(http.StatusBadRequest, "Repository not found: %s", name)
	}
	if err := c.administers(d.Format, d.Name, permission.Delete); err != nil {
		return "", err
	}
	return noResult, a.engine.Delete(c.Context(), d.Name, c.subject.UserID())
}

// scriptCreate makes a repository from a description such as scriptGet gives.
func (a *API) scriptCreate(c *call, argument string) (string, error) {
	parsed, err := parse([]byte(argument))
	if err != nil {
		return "", err
	}
	kept, _ := parsed.(map[string]any)
	recipe, _ := kept["recipeName"].(string)
	format, word, _ := strings.Cut(recipe, "-")
	kind, known := names.Kind(word)
	if !known || !slices.Contains(repository.KindsOf(format), kind) {
		return "", messagef(http.StatusBadRequest, "Unknown recipe: %s", recipe)
	}
	b, err := readSettings(format, kind, shownSettings(kept), false)
	if err != nil {
		return "", err
	}
	if err := c.administers(format, *b.Name, permission.Add); err != nil {
		return "", err
	}
	d := a.withKnownRule(b.definition(nil))
	return noResult, wordDefinition(a.engine.Create(c.Context(), d, c.subject.UserID()), d, nil)
}

// shownSettings are the settings of a repository as the API has them, of those that the old server keeps.
func shownSettings(kept map[string]any) map[string]any {
	shown := map[string]any{"name": kept["name"], "online": true}
	if online, ok := kept["online"].(bool); ok {
		shown["online"] = online
	}
	attributes, _ := kept["attributes"].(map[string]any)
	for name, section := range attributes {
		members, _ := section.(map[string]any)
		switch name {
		case keptClient:
			client := map[string]any{"blocked": false, "autoBlock": true}
			connection, _ := members["connection"].(map[string]any)
			maps.Copy(client, connection)
			maps.Copy(client, members)
			delete(client, "connection") // what else it may have is the default
			shown[shownClient] = client
		case "cleanup":
			policies := members[keptPolicies]
			if one, ok := policies.(string); ok {
				policies = []any{one}
			}
			shown[name] = map[string]any{shownPolicies: policies}
		default:
			shown[name] = section
		}
	}
	return shown
}
