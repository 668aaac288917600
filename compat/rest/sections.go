package rest

import (
	"fmt"
	"strconv"
	"strings"

	"entrepot/formats"
)

// section is a part of a repository's settings that belongs to its format, for example "maven".
type section struct {
	name     string
	required bool
	kinds    []formats.Kind // that take it
	members  []setting
}

// setting is one member of a section; the domain keeps it under the same name.
type setting struct {
	name     string
	required bool
	choices  []string
	shape    bool // any other value makes the body one of the wrong shape
}

// sections are the sections of each format.
func sections(format string) []section {
	disposition := setting{name: "contentDisposition", choices: []string{"INLINE", "ATTACHMENT"}, shape: format == "raw"}
	switch format {
	case "maven2":
		return []section{{name: "maven", required: true, kinds: []formats.Kind{formats.Hosted, formats.Cache}, members: []setting{
			{name: "versionPolicy", required: true, choices: []string{"RELEASE", "SNAPSHOT", "MIXED"}},
			{name: "layoutPolicy", required: true, choices: []string{"STRICT", "PERMISSIVE"}},
			disposition,
		}}}
	case "raw":
		return []section{{name: "raw", kinds: []formats.Kind{formats.Hosted, formats.Cache, formats.Proxy}, members: []setting{disposition}}}
	}
	return nil
}

func (s section) takes(kind formats.Kind) bool {
	for _, k := range s.kinds {
		if k == kind {
			return true
		}
	}
	return false
}

// readSections takes the format's own settings out of a body.
func readSections(format string, kind formats.Kind, body map[string]any, v *violations) (map[string]string, error) {
	settings := make(map[string]string)
	for _, s := range sections(format) {
		if !s.takes(kind) {
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
			return nil, wrongShape([]string{s.name}, "an object", body[s.name])
		}
		for _, m := range s.members {
			text, ok, err := m.read(s.name, members[m.name], v)
			if err != nil {
				return nil, err
			}
			if ok {
				settings[m.name] = text
			}
		}
	}
	return settings, nil
}

// read gives a setting's value; false when there is none.
func (m setting) read(section string, value any, v *violations) (string, bool, error) {
	text := ""
	switch value := value.(type) {
	case string:
		text = value
	case bool:
		text = strconv.FormatBool(value)
	case nil:
	case map[string]any, []any:
		return "", false, wrongShape([]string{section, m.name}, "a text", value)
	default:
		text = fmt.Sprint(value)
	}
	if text == "" {
		if m.required {
			v.parameter(m.name, mustNotBeEmpty)
		}
		return "", false, nil
	}
	if len(m.choices) == 0 {
		return text, true, nil
	}
	for _, choice := range m.choices {
		if choice == text || m.shape && strings.EqualFold(choice, text) {
			return choice, true, nil
		}
	}
	if m.shape {
		message := fmt.Sprintf("Cannot deserialize value from String %q: not one of the values accepted: [%s]", text, strings.Join(m.choices, ", "))
		return "", false, &errShape{[]string{section, m.name}, message}
	}
	v.parameter(m.name, "must be one of "+strings.Join(m.choices, ", "))
	return "", false, nil
}

// writeSections gives the format's own settings as members of an answer.
func writeSections(format string, kind formats.Kind, settings map[string]string) object {
	var out object
	for _, s := range sections(format) {
		if !s.takes(kind) || kind == formats.Proxy {
			continue
		}
		var members object
		for _, m := range s.members {
			members = append(members, member{m.name, emptyAsNull(settings[m.name])})
		}
		out = append(out, member{s.name, members})
	}
	return out
}
