package repository

import (
	"slices"
	"strconv"
	"strings"

	"entrepot/formats"
)

// SettingType says what a setting of a format may hold. All but secrets are kept as text in Definition.Settings.
type SettingType uint8

// The types of settings.
const (
	SettingText   SettingType = iota
	SettingFlag               // "true" or "false"
	SettingNumber             // a whole number, not negative
	SettingPort               // a TCP port that no other repository may have
	SettingList               // texts, one a line
	SettingSecret             // kept sealed, in Definition.Secrets
)

// Setting describes a setting that belongs to a format.
type Setting struct {
	Name     string
	Type     SettingType
	Required bool
	Choices  []string // nil means any value
	Default  string   // stored when none is given; "" means that none is
}

// ofKinds are a format's settings by the kinds of repositories that it has.
type ofKinds map[formats.Kind][]Setting

// knownFormats are the formats whose repositories can be described, served or not. A format that is served checks its settings
// itself, see formats.Configurer; those of the others are checked against this table.
var knownFormats = map[string]ofKinds{
	"apt":         {formats.Hosted: {distribution, keypair, passphrase}, formats.Cache: {distribution, mustFlag("flat")}},
	"bower":       {formats.Hosted: nil, formats.Cache: {mustFlag("rewritePackageUrls")}, formats.Proxy: nil},
	"cargo":       {formats.Hosted: nil, formats.Cache: {requireAuthentication}, formats.Proxy: {requireAuthentication}},
	"cocoapods":   {formats.Cache: nil},
	"composer":    {formats.Cache: nil},
	"conan":       {formats.Hosted: nil, formats.Cache: {{Name: "conanVersion", Choices: []string{"V1", "V2"}}}, formats.Proxy: nil},
	"conda":       {formats.Cache: nil},
	"docker":      {formats.Hosted: connectors, formats.Cache: append(slices.Clone(dockerIndex), connectors...), formats.Proxy: connectors},
	"gitlfs":      {formats.Hosted: nil},
	"go":          {formats.Cache: nil, formats.Proxy: nil},
	"helm":        {formats.Hosted: nil, formats.Cache: nil},
	"huggingface": {formats.Cache: nil},
	"maven2":      {formats.Hosted: mavenPolicies, formats.Cache: mavenPolicies, formats.Proxy: nil},
	"npm":         {formats.Hosted: nil, formats.Cache: {removeQuarantined}, formats.Proxy: nil},
	"nuget": {formats.Hosted: nil, formats.Proxy: nil, formats.Cache: {
		{Name: "queryCacheItemMaxAge", Type: SettingNumber, Default: "3600"}, {Name: "nugetVersion", Choices: []string{"V2", "V3"}, Default: "V3"},
	}},
	"p2":       {formats.Cache: nil},
	"pypi":     {formats.Hosted: nil, formats.Cache: {removeQuarantined}, formats.Proxy: nil},
	"r":        {formats.Hosted: nil, formats.Cache: nil, formats.Proxy: nil},
	"raw":      {formats.Hosted: {contentDisposition}, formats.Cache: {contentDisposition}, formats.Proxy: {contentDisposition}},
	"rubygems": {formats.Hosted: nil, formats.Cache: nil, formats.Proxy: nil},
	"swift":    {formats.Hosted: nil, formats.Cache: {requireAuthentication}, formats.Proxy: nil},
	"terraform": {
		formats.Hosted: {keypair, passphrase}, formats.Cache: {requireAuthentication}, formats.Proxy: {requireAuthentication},
	},
	"yum": {
		formats.Hosted: {
			{Name: "repodataDepth", Type: SettingNumber, Required: true}, {Name: "deployPolicy", Choices: []string{"PERMISSIVE", "STRICT"}},
		},
		formats.Cache: optionalSigning, formats.Proxy: optionalSigning,
	},
}

// Settings that several formats or kinds have.
var (
	contentDisposition    = Setting{Name: "contentDisposition", Choices: []string{"INLINE", "ATTACHMENT"}}
	distribution          = Setting{Name: "distribution", Required: true}
	keypair               = Setting{Name: "keypair", Type: SettingSecret, Required: true}
	passphrase            = Setting{Name: "passphrase", Type: SettingSecret}
	optionalSigning       = []Setting{{Name: "keypair", Type: SettingSecret}, passphrase}
	removeQuarantined     = Setting{Name: "removeQuarantined", Type: SettingFlag, Default: "false"}
	requireAuthentication = Setting{Name: "requireAuthentication", Type: SettingFlag, Default: "false"}

	mavenPolicies = []Setting{
		{Name: "versionPolicy", Required: true, Choices: []string{"RELEASE", "SNAPSHOT", "MIXED"}},
		{Name: "layoutPolicy", Required: true, Choices: []string{"STRICT", "PERMISSIVE"}},
		contentDisposition,
	}
	// connectors are the ways to a registry beside its path: ports and subdomain are kept until they are listened on.
	connectors = []Setting{
		mustFlag("v1Enabled"), mustFlag("forceBasicAuth"), {Name: "httpPort", Type: SettingPort}, {Name: "httpsPort", Type: SettingPort},
		{Name: "subdomain"}, {Name: "pathEnabled", Type: SettingFlag},
	}
	dockerIndex = []Setting{
		{Name: "indexType", Required: true, Choices: []string{"HUB", "REGISTRY", "CUSTOM"}}, {Name: "indexUrl"},
		{Name: "useTrustStoreForIndexAccess", Type: SettingFlag},
		{Name: "cacheForeignLayers", Type: SettingFlag}, {Name: "foreignLayerUrlWhitelist", Type: SettingList},
	}
)

func mustFlag(name string) Setting { return Setting{Name: name, Type: SettingFlag, Required: true} }

// KnownFormats gives the formats whose repositories can be described, sorted.
func KnownFormats() []string {
	names := make([]string, 0, len(knownFormats))
	for name := range knownFormats {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// KindsOf gives the kinds of repositories that a format has.
func KindsOf(format string) []formats.Kind {
	var kinds []formats.Kind
	for _, kind := range []formats.Kind{formats.Hosted, formats.Cache, formats.Proxy} {
		if _, ok := knownFormats[format][kind]; ok {
			kinds = append(kinds, kind)
		}
	}
	return kinds
}

// FormatSettings describes what a kind of repositories of a format has as its own settings. The second result is false when there are
// no such repositories.
func FormatSettings(format string, kind formats.Kind) ([]Setting, bool) {
	settings, ok := knownFormats[format][kind]
	return settings, ok
}

// checkKnown checks the settings of a format that is not served, and fills in the defaults. Settings that the format does not have
// go.
func (p *problems) checkKnown(s *state, d *Definition) {
	known, ok := FormatSettings(d.Format, d.Kind)
	if !ok {
		p.add("format", "There are no "+string(d.Kind)+" repositories of format "+d.Format)
		return
	}
	settings, secrets := make(map[string]string), make(map[string]Secret)
	for _, k := range known {
		value := d.Settings[k.Name]
		if k.Type == SettingSecret {
			value = string(d.Secrets[k.Name])
		}
		if value == "" {
			value = k.Default
		}
		switch {
		case value == "" && k.Required:
			p.add(k.Name, "must not be empty")
		case value == "":
		case k.Type == SettingSecret:
			secrets[k.Name] = Secret(value)
		default:
			settings[k.Name] = value
			p.checkSetting(k, value)
		}
	}
	d.Settings, d.Secrets = settings, secrets
	if d.Format == "docker" {
		p.checkConnectors(s, d)
	}
}

func (p *problems) checkSetting(k Setting, value string) {
	number, err := strconv.ParseInt(value, 10, 32)
	switch {
	case len(k.Choices) > 0 && !slices.Contains(k.Choices, value):
		p.add(k.Name, "must be one of "+strings.Join(k.Choices, ", "))
	case k.Type == SettingFlag && value != "true" && value != "false":
		p.add(k.Name, "must be true or false")
	case k.Type == SettingNumber && (err != nil || number < 0):
		p.add(k.Name, "must be greater than or equal to 0")
	case k.Type == SettingPort && (err != nil || number < 1 || number > 65535):
		p.add(k.Name, "must be between 1 and 65535")
	}
}

// checkConnectors refuses ways to a registry that another one has.
func (p *problems) checkConnectors(s *state, d *Definition) {
	http, https := d.Settings["httpPort"], d.Settings["httpsPort"]
	if http != "" && http == https {
		p.add("httpsPort", "must not be the same as httpPort")
	}
	if d.Settings["indexType"] == "CUSTOM" && d.Settings["indexUrl"] == "" {
		p.add("indexUrl", "must not be empty")
	}
	for _, other := range s.ordered {
		if other.def.Format != d.Format || strings.EqualFold(other.def.Name, d.Name) {
			continue
		}
		for _, port := range []string{"httpPort", "httpsPort"} {
			if n := d.Settings[port]; n != "" && (n == other.def.Settings["httpPort"] || n == other.def.Settings["httpsPort"]) {
				p.add(port, "Port "+n+" is already used by repository "+other.def.Name)
			}
		}
		if sub := d.Settings["subdomain"]; sub != "" && strings.EqualFold(sub, other.def.Settings["subdomain"]) {
			p.add("subdomain", "Subdomain "+sub+" is already used by repository "+other.def.Name)
		}
	}
}
