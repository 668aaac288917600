package rest

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"entrepot/app/repository"
	"entrepot/formats"
)

// section is a part of a repository's settings that belongs to its format, for example "maven". What its members may hold is the
// domain's to say, see repository.FormatSettings.
type section struct {
	name     string
	required bool
	kinds    []formats.Kind // that take it
	members  []string       // by the names that the domain keeps them under, in the order in which they are shown
	exact    bool           // a value that is none of the choices is reported as a violation of a constraint, in no other letter case
	show     showing
}

// showing says when a section is part of an answer.
type showing uint8

const (
	showAlways showing = iota
	showSet            // when one of its members is set; members that are not are left out
	showSigned         // null unless a passphrase is set, the key itself is never shown
	showNever
)

// The kinds that sections are for.
var (
	hosted    = []formats.Kind{formats.Hosted}
	cached    = []formats.Kind{formats.Cache}
	fetching  = []formats.Kind{formats.Hosted, formats.Cache}
	unhosted  = []formats.Kind{formats.Cache, formats.Proxy}
	everyKind = []formats.Kind{formats.Hosted, formats.Cache, formats.Proxy}
)

// sections are the sections of each format that has any.
var sections = map[string][]section{
	"apt": {
		{name: "apt", required: true, kinds: hosted, members: []string{"distribution"}},
		{name: "apt", required: true, kinds: cached, members: []string{"distribution", "flat"}},
		{name: "aptSigning", required: true, kinds: hosted, members: []string{"keypair", "passphrase"}, show: showSigned},
	},
	"bower": {{name: "bower", required: true, kinds: cached, members: []string{"rewritePackageUrls"}}},
	"cargo": {{name: "cargo", kinds: unhosted, members: []string{"requireAuthentication"}}},
	"conan": {{name: "conanProxy", kinds: cached, members: []string{"conanVersion"}, show: showSet}},
	"docker": {
		{name: "docker", required: true, kinds: everyKind, members: []string{"v1Enabled", "forceBasicAuth", "httpPort", "httpsPort", "subdomain"}},
		{name: "docker", kinds: everyKind, members: []string{"pathEnabled"}, show: showSet},
		{name: "dockerProxy", required: true, kinds: cached, members: []string{"indexType", "indexUrl", "cacheForeignLayers", "foreignLayerUrlWhitelist"}},
	},
	"maven2":    {{name: "maven", required: true, kinds: fetching, members: []string{"versionPolicy", "layoutPolicy", "contentDisposition"}, exact: true}},
	"npm":       {{name: "npm", kinds: cached, members: []string{"removeQuarantined"}}},
	"nuget":     {{name: "nugetProxy", required: true, kinds: cached, members: []string{"queryCacheItemMaxAge", "nugetVersion"}}},
	"pypi":      {{name: "pypi", kinds: cached, members: []string{"removeQuarantined"}}},
	"raw":       rawSections,
	"swift":     {{name: "swift", kinds: cached, members: []string{"requireAuthentication"}}},
	"terraform": terraformSections,
	"yum": {
		{name: "yum", required: true, kinds: hosted, members: []string{"repodataDepth", "deployPolicy"}},
		{name: "yumSigning", kinds: unhosted, members: []string{"keypair", "passphrase"}, show: showNever},
	},
}

var (
	rawSections = []section{
		{name: "raw", kinds: fetching, members: []string{"contentDisposition"}},
		{name: "raw", kinds: []formats.Kind{formats.Proxy}, members: []string{"contentDisposition"}, show: showNever},
	}
	terraformSections = []section{
		{name: "terraform", kinds: unhosted, members: []string{"requireAuthentication"}},
		{name: "terraformSigning", required: true, kinds: hosted, members: []string{"keypair", "passphrase"}, show: showSigned},
	}
)

// ownSettings are the settings of a format as a body has them. Both keep a setting under the name that the domain gives it.
type ownSettings struct {
	plain map[string]string
	// secrets holds those that are there, be they empty. Absent ones and placeholders are not: they keep what is stored.
	secrets map[string]repository.Secret
	update  bool
}

// readSections takes the format's own settings out of a body. update is whether they replace others, which have the secrets that are
// missing.
func readSections(format string, kind formats.Kind, body map[string]any, update bool, v *violations) (ownSettings, error) {
	own := ownSettings{plain: make(map[string]string), secrets: make(map[string]repository.Secret), update: update}
	known, _ := repository.FormatSettings(format, kind)
	for _, s := range sections[format] {
		if !slices.Contains(s.kinds, kind) {
			continue
		}
		members, ok := body[s.name].(map[string]any)
		switch {
		case body[s.name] == nil:
			if s.required {
				v.parameter(s.name, mustNotBeNull)
			}
			continue
		case !ok:
			return own, wrongShape([]string{s.name}, "an object", body[s.name])
		}
		for _, k := range known {
			if !slices.Contains(s.members, k.Name) {
				continue
			}
			if err := s.read(k, members[k.Name], &own, v); err != nil {
				return own, err
			}
		}
	}
	return own, nil
}

// read takes over one setting.
func (s section) read(k repository.Setting, value any, own *ownSettings, v *violations) error {
	path := []string{s.name, k.Name}
	text, err := scalarText(k, path, value)
	switch {
	case err != nil:
		return err
	case k.Type == repository.SettingSecret:
		if value == nil && own.update {
			return nil
		}
		if value == nil || text == "" && k.Required {
			break
		}
		if text != placeholder {
			own.secrets[k.Name] = repository.Secret(text)
		}
		return nil
	case text == "":
	case k.Choices != nil:
		return s.choose(k, path, text, own, v)
	default:
		own.plain[k.Name] = text
		return nil
	}
	if k.Required && (k.Type == repository.SettingFlag || k.Type == repository.SettingNumber) {
		v.parameter(k.Name, mustNotBeNull)
	} else if k.Required {
		v.parameter(k.Name, mustNotBeEmpty)
	}
	return nil
}

// choose takes over a setting that has to be one of some words.
func (s section) choose(k repository.Setting, path []string, text string, own *ownSettings, v *violations) error {
	for _, choice := range k.Choices {
		if choice == text || !s.exact && strings.EqualFold(choice, text) {
			own.plain[k.Name] = choice
			return nil
		}
	}
	if !s.exact {
		message := fmt.Sprintf("Cannot deserialize value from String %q: not one of the values accepted: [%s]", text, strings.Join(k.Choices, ", "))
		return &errShape{path, message}
	}
	v.parameter(k.Name, "must be one of "+strings.Join(k.Choices, ", "))
	return nil
}

// scalarText gives a member as the text that the domain keeps.
func scalarText(k repository.Setting, path []string, value any) (string, error) {
	list, isList := value.([]any)
	switch {
	case value == nil:
		return "", nil
	case k.Type == repository.SettingList && !isList:
		return "", wrongShape(path, "an array", value)
	case k.Type == repository.SettingList:
		var lines []string
		for _, item := range list {
			text, ok := item.(string)
			if !ok || strings.Contains(text, "\n") {
				return "", wrongShape(append(path, "*"), "a text of one line", item)
			}
			lines = append(lines, text)
		}
		return strings.Join(lines, "\n"), nil
	}
	var text string
	switch value := value.(type) {
	case string:
		text = value
	case bool:
		text = strconv.FormatBool(value)
	case json.Number:
		text = value.String()
	default:
		return "", wrongShape(path, "a text", value)
	}
	if text == "" {
		return "", nil
	}
	return typed(k, path, text)
}

// typed checks a text that stands for a truth value or a number, and writes it as the domain does.
func typed(k repository.Setting, path []string, text string) (string, error) {
	switch k.Type {
	case repository.SettingFlag:
		truth, ok := truthOf(text)
		if !ok {
			return "", &errShape{path, fmt.Sprintf(`Cannot deserialize value from String %q: only "true" or "false" recognized`, text)}
		}
		return strconv.FormatBool(truth), nil
	case repository.SettingNumber, repository.SettingPort:
		number, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
		if err != nil {
			return "", &errShape{path, fmt.Sprintf("Cannot deserialize value from String %q: not a valid number", text)}
		}
		if math.IsNaN(number) || number < math.MinInt32 || number > math.MaxInt32 {
			return "", &errShape{path, fmt.Sprintf("Numeric value (%s) out of range", text)}
		}
		return strconv.FormatInt(int64(number), 10), nil
	}
	return text, nil
}

// withStored adds the secrets that a body leaves as they are.
func (own ownSettings) withStored(before *repository.Definition) map[string]repository.Secret {
	all := make(map[string]repository.Secret)
	if before != nil {
		for name, secret := range before.Secrets {
			all[name] = secret
		}
	}
	for name, secret := range own.secrets {
		all[name] = secret
	}
	for name, secret := range all {
		if secret == "" {
			delete(all, name)
		}
	}
	return all
}

// special reports whether a kind of repositories has sections of its own: their answers have another order of members.
func special(format string, kind formats.Kind) bool {
	return slices.ContainsFunc(sections[format], func(s section) bool {
		return slices.Contains(s.kinds, kind) && s.show != showNever && s.show != showSet
	})
}

// writeSections gives the format's own settings as members of an answer.
func writeSections(d repository.Definition) object {
	known, _ := repository.FormatSettings(d.Format, d.Kind)
	var out object
	for _, s := range sections[d.Format] {
		if !slices.Contains(s.kinds, d.Kind) || s.show == showNever {
			continue
		}
		value := s.value(d, known)
		last := len(out) - 1
		switch {
		case value == nil && s.show == showSet:
		case last >= 0 && out[last].name == s.name: // more members of the same section
			out[last].value = append(out[last].value.(object), value.(object)...)
		default:
			out = append(out, member{s.name, value})
		}
	}
	return out
}

// value gives a section of an answer; nil when it has nothing to show.
func (s section) value(d repository.Definition, known []repository.Setting) any {
	if s.show == showSigned {
		if d.Secrets["passphrase"] == "" {
			return nil
		}
		return object{{"keypair", nil}, {"passphrase", nil}} // clients keep what they sent, where the placeholder would look like a change
	}
	var members object
	for _, name := range s.members {
		i := slices.IndexFunc(known, func(k repository.Setting) bool { return k.Name == name })
		if text := d.Settings[name]; i >= 0 && (text != "" || s.show != showSet) {
			members = append(members, member{name, settingValue(known[i].Type, text)})
		}
	}
	if members == nil {
		return nil
	}
	return members
}

// settingValue gives a setting as JSON has it.
func settingValue(t repository.SettingType, text string) any {
	switch {
	case t == repository.SettingList && text == "":
		return []string{}
	case t == repository.SettingList:
		return strings.Split(text, "\n")
	case text == "":
		return nil
	case t == repository.SettingFlag:
		return text == "true"
	case t == repository.SettingNumber, t == repository.SettingPort:
		return json.Number(text)
	}
	return text
}
