package rest

import (
	"net/http"
	"reflect"
	"slices"
	"strings"
	"time"

	"entrepot/app/repository"
	"entrepot/compat/names"
	"entrepot/formats"
)

// Tags, see describe_security.go.
const (
	tagRepositories = "Repository Management"
	tagRules        = "Routing rules"
	tagAssets       = "assets"
	tagComponents   = "components"
	tagSearch       = "Search"
	tagFormats      = "Formats"
)

func (a *API) repositoryDescriptions() map[string]description {
	summaryModel := nullable(literal("RepositoryXO", object{
		{"name", ""}, {"format", ""}, {"type", ""}, {"url", ""}, {"attributes", mapOf(anything)},
	}))
	rule := choices(given("RoutingRuleXO", routingRule), "mode", string(repository.RuleBlock), string(repository.RuleAllow))
	settingsList := literal("AbstractApiRepository", object{{"name", ""}, {"format", ""}, {"type", ""}, {"url", ""}, {"online", false}})
	settingsList = choices(settingsList, "type", names.Type(formats.Hosted), names.Type(formats.Cache), names.Type(formats.Proxy))
	const one = "v1/repositories/{name}"
	all := map[string]description{
		"GET v1/repositories":               {tag: tagRepositories, summary: "List the repositories that the caller may browse", reply: arrayOf(summaryModel)},
		"GET " + one:                        {tag: tagRepositories, summary: "Read what a repository is", reply: summaryModel},
		"DELETE " + one:                     {tag: tagRepositories, summary: "Delete a repository with its content"},
		"POST " + one + "/rebuild-index":    {tag: tagRepositories, summary: "Build the search index of a hosted or proxy repository anew"},
		"POST " + one + "/invalidate-cache": {tag: tagRepositories, summary: "Ask upstreams again for everything that a proxy or group repository keeps"},
		"POST " + one + "/health-check": {
			tag: tagRepositories, summary: "Note that the content of a proxy repository is to be examined, which nothing here does", refuses: []int{http.StatusConflict},
		},
		"DELETE " + one + "/health-check": {tag: tagRepositories, summary: "Note that the content of a proxy repository is not to be examined"},
		"GET v1/repositorySettings":       {tag: tagRepositories, summary: "List the settings of repositories", reply: arrayOf(settingsList)},

		"GET v1/routing-rules":           {tag: tagRules, summary: "List routing rules", reply: arrayOf(rule)},
		"POST v1/routing-rules":          {tag: tagRules, summary: "Create a routing rule", body: rule},
		"GET v1/routing-rules/{name}":    {tag: tagRules, summary: "Read a routing rule", reply: rule},
		"PUT v1/routing-rules/{name}":    {tag: tagRules, summary: "Change a routing rule", body: rule},
		"DELETE v1/routing-rules/{name}": {tag: tagRules, summary: "Delete a routing rule"},
	}
	for _, kind := range []formats.Kind{formats.Hosted, formats.Cache, formats.Proxy} {
		path := "v1/repositories/{format}/" + names.Type(kind)
		all["POST "+path] = description{tag: tagRepositories, summary: "Create a %s repository"}
		all["GET "+path+"/{name}"] = description{tag: tagRepositories, summary: "Read the settings of a %s repository"}
		all["PUT "+path+"/{name}"] = description{tag: tagRepositories, summary: "Change the settings of a %s repository"}
	}
	return all
}

// formatWord is how names of definitions spell a format.
func formatWord(format string) string {
	word := names.Segment(format)
	return strings.ToUpper(word[:1]) + word[1:]
}

// settingsRequest is the body that a repository's settings come as.
func settingsRequest(format string, kind formats.Kind, own []repository.Setting) model {
	return func(d definitions) *schema {
		s := settingsSchema(d, format, kind, own)
		s.Required = append([]string{"name"}, s.Required...)
		return d.add(formatWord(format)+typeWord(kind)+"RepositoryApiRequest", s)
	}
}

// settingsReply is how a repository's settings are shown: as they are sent, with where the repository is and what it is.
func settingsReply(format string, kind formats.Kind, own []repository.Setting) model {
	return func(d definitions) *schema {
		s := settingsSchema(d, format, kind, own)
		if kind == formats.Cache {
			s.Properties["httpClient"] = clientSchema(d, "") // as all formats show it
		}
		for _, name := range []string{"url", "format", "type"} {
			s.Properties[name] = &schema{Type: "string"}
		}
		if rule := s.Properties["routingRule"]; rule != nil {
			delete(s.Properties, "routingRule")
			s.Properties["routingRuleName"] = rule
		}
		s.Required = nil
		if special(format, kind) && format != "raw" {
			return d.add(formatWord(format)+typeWord(kind)+"ApiRepository", s)
		}
		for _, section := range sections[format] { // shown only when set
			delete(s.Properties, section.name)
		}
		deploy := ""
		if kind == formats.Proxy && slices.Contains(writableGroups, format) {
			deploy = "Deploy"
		}
		return d.add("SimpleApi"+typeWord(kind)+deploy+"Repository", s)
	}
}

func typeWord(kind formats.Kind) string {
	word := names.Type(kind)
	return strings.ToUpper(word[:1]) + word[1:]
}

// membersOf are the members of a repository's settings that each kind has, besides name, online and storage; the second list must be
// there.
func membersOf(kind formats.Kind) (all, required []string) {
	switch kind {
	case formats.Hosted:
		return []string{"cleanup", "component"}, nil
	case formats.Cache:
		return []string{"cleanup", "proxy", "negativeCache", "httpClient", "routingRule", "replication"}, []string{"proxy", "negativeCache", "httpClient"}
	}
	return []string{"group"}, []string{"group"}
}

func settingsSchema(d definitions, format string, kind formats.Kind, own []repository.Setting) *schema {
	full := taken[settingsBody]("settings")
	parts := definitions{}
	full(parts)
	all := parts["settings"].Properties
	optional, required := membersOf(kind)
	s := &schema{Type: "object", Required: append([]string{"online", "storage"}, required...), Properties: map[string]*schema{
		"name": {Type: "string"}, "online": {Type: "boolean"}, "storage": storageSchema(d, format, kind),
	}}
	for _, name := range optional {
		s.Properties[name] = all[name]
	}
	for name, part := range parts {
		if name != "settings" && slices.Contains(usedParts[kind], name) {
			d.add(name, part)
		}
	}
	switch kind {
	case formats.Cache:
		s.Properties["httpClient"] = clientSchema(d, format)
	case formats.Proxy:
		s.Properties["group"] = groupSchema(d, format)
	}
	addSections(d, s, format, kind, own)
	return s
}

// usedParts are the definitions that the settings of each kind refer to.
var usedParts = map[formats.Kind][]string{
	formats.Hosted: {"CleanupPolicyAttributes", "ComponentAttributes"},
	formats.Cache:  {"CleanupPolicyAttributes", "ProxyAttributes", "NegativeCacheAttributes", "ReplicationAttributes", "HttpClientConnectionAttributes"},
}

func storageSchema(d definitions, format string, kind formats.Kind) *schema {
	s := &schema{Type: "object", Required: []string{"blobStoreName", "strictContentTypeValidation"}, Properties: map[string]*schema{
		"blobStoreName": {Type: "string"}, "strictContentTypeValidation": {Type: "boolean"},
	}}
	if kind != formats.Hosted {
		return d.add("StorageAttributes", s)
	}
	s.Properties["writePolicy"] = &schema{Type: "string"} // in any letter case
	s.Required = append(s.Required, "writePolicy")
	if format == "docker" {
		s.Properties["latestPolicy"] = &schema{Type: "boolean"}
		return d.add("DockerHostedStorageAttributes", s)
	}
	return d.add("HostedStorageAttributes", s)
}

// clientSchema is how a cache connects; only Maven sends credentials unasked.
func clientSchema(d definitions, format string) *schema {
	suffix, clientSuffix, without := "", "", []string{"preemptive"}
	if format == "maven2" {
		suffix, clientSuffix, without = "WithPreemptive", "WithPreemptiveAuth", nil
	}
	s := d.ofStruct(reflect.TypeFor[httpClientBody]())
	auth := taken[authenticationBody]("HttpClientConnectionAuthenticationAttributes"+suffix, without...)
	ref := choices(auth, "type", "username", "ntlm", "bearerToken")(d)
	ref.Nullable = true
	s.Properties["authentication"] = ref
	return d.add("HttpClientAttributes"+clientSuffix, s)
}

func groupSchema(d definitions, format string) *schema {
	if slices.Contains(writableGroups, format) {
		return taken[groupBody]("GroupDeployAttributes")(d)
	}
	return taken[groupBody]("GroupAttributes", "writableMember")(d)
}

// addSections adds the sections of a format.
func addSections(d definitions, s *schema, format string, kind formats.Kind, own []repository.Setting) {
	parts, unset := map[string]*schema{}, map[string]bool{}
	for _, section := range sections[format] {
		if !slices.Contains(section.kinds, kind) {
			continue
		}
		part := parts[section.name]
		if part == nil {
			part = &schema{Type: "object", Properties: map[string]*schema{}}
			parts[section.name] = part
		}
		unset[section.name] = section.show == showSigned
		if section.required && !slices.Contains(s.Required, section.name) {
			s.Required = append(s.Required, section.name)
		}
		for _, setting := range own {
			if slices.Contains(section.members, setting.Name) {
				part.Properties[setting.Name] = settingSchema(setting)
			}
		}
	}
	for name, part := range parts {
		ref := d.add(sectionWord(name, kind), part)
		ref.Nullable = unset[name]
		s.Properties[name] = ref
	}
}

// sectionWord is the name of the definition of a section.
func sectionWord(name string, kind formats.Kind) string {
	switch name {
	case "maven", "raw":
		return strings.ToUpper(name[:1]) + name[1:] + "Attributes"
	case "apt":
		return "Apt" + typeWord(kind) + "RepositoriesAttributes"
	case "aptSigning":
		return "AptSigningRepositoriesAttributes"
	}
	return strings.ToUpper(name[:1]) + name[1:] + typeWord(kind) + "Attributes"
}

func settingSchema(s repository.Setting) *schema {
	switch s.Type {
	case repository.SettingFlag:
		return &schema{Type: "boolean", Nullable: !s.Required}
	case repository.SettingNumber, repository.SettingPort:
		return &schema{Type: "integer", Format: "int32", Nullable: !s.Required}
	case repository.SettingList:
		return &schema{Type: "array", Items: &schema{Type: "string"}}
	}
	return &schema{Type: "string", Enum: s.Choices, Nullable: !s.Required || s.Type == repository.SettingSecret} // an answer has null for a secret
}

func (a *API) contentDescriptions() map[string]description {
	now := time.Unix(0, 0)
	asset := nullable(literal("AssetXO", object{
		{"downloadUrl", ""}, {"path", ""}, {"id", ""}, {"repository", ""}, {"format", ""}, {"checksum", mapOf(textual)}, {"contentType", ""},
		{"lastModified", now}, {"lastDownloaded", now}, {"uploader", ""}, {"uploaderIp", ""}, {"fileSize", int64(0)}, {"blobCreated", now},
		{"blobStoreName", ""},
	}), "lastDownloaded", "lastModified", "uploader", "uploaderIp", "blobCreated", "blobStoreName", "contentType")
	component := nullable(literal("ComponentXO", object{
		{"id", ""}, {"repository", ""}, {"format", ""}, {"group", ""}, {"name", ""}, {"version", ""}, {"assets", arrayOf(asset)},
	}), "group", "version")
	assets, components := pageOf("PageAssetXO", asset), pageOf("PageComponentXO", component)
	listed := []parameter{query("continuationToken", "of the page before"), {Name: "repository", About: "name of the repository", Required: true, Type: "string"}}
	unprocessable := []int{http.StatusUnprocessableEntity, http.StatusNotFound}
	field := literal("UploadFieldDefinitionXO", object{{"name", ""}, {"type", ""}, {"description", ""}, {"optional", false}, {"group", ""}})
	field = nullable(field, "description", "group")
	form := literal("UploadDefinitionXO", object{{"format", ""}, {"multipleUpload", false}, {"componentFields", arrayOf(field)}, {"assetFields", arrayOf(field)}})
	return map[string]description{
		"GET v1/assets":             {tag: tagAssets, summary: "List the assets of a repository", query: listed, reply: assets, refuses: unprocessable},
		"GET v1/assets/{id}":        {tag: tagAssets, summary: "Read an asset", reply: asset, refuses: unprocessable},
		"DELETE v1/assets/{id}":     {tag: tagAssets, summary: "Delete an asset", refuses: unprocessable},
		"GET v1/components":         {tag: tagComponents, summary: "List the components of a repository", query: listed, reply: components, refuses: unprocessable},
		"POST v1/components":        {tag: tagComponents, summary: "Upload a component", query: listed[1:], form: a.uploadParameters(), refuses: unprocessable},
		"GET v1/components/{id}":    {tag: tagComponents, summary: "Read a component", reply: component, refuses: unprocessable},
		"DELETE v1/components/{id}": {tag: tagComponents, summary: "Delete a component with its assets", refuses: unprocessable},

		"GET v1/search":        {tag: tagSearch, summary: "Search components", query: searchParameters(true), reply: components, refuses: []int{http.StatusNotFound}},
		"GET v1/search/assets": {tag: tagSearch, summary: "Search assets", query: searchParameters(true), reply: assets, refuses: []int{http.StatusNotFound}},
		"GET v1/search/assets/download": {
			tag: tagSearch, summary: "Go to the one asset that a search finds, or to the first in an order", query: searchParameters(false),
			refuses: []int{http.StatusFound, http.StatusNotFound},
		},
		"GET v1/formats/upload-specs":          {tag: tagFormats, summary: "Read the fields of uploads", reply: arrayOf(form)},
		"GET v1/formats/{format}/upload-specs": {tag: tagFormats, summary: "Read the fields of a format's uploads", reply: form},
	}
}

// uploadParameters are the fields of the forms of all formats. Where several files may come, three of them are shown.
func (a *API) uploadParameters() []parameter {
	var out []parameter
	for _, format := range a.engine.UploadFormats() {
		spec, err := a.engine.UploadSpec(format)
		if err != nil {
			continue // it has just been listed
		}
		add := func(name, about string, kind string) {
			out = append(out, parameter{Name: format + "." + name, About: about, Type: kind})
		}
		fields := func(prefix string, list []formats.UploadField) {
			for _, f := range list {
				kind := "string"
				if f.Boolean {
					kind = "boolean"
				}
				add(prefix+f.Name, f.Display, kind)
			}
		}
		fields("", spec.Component)
		files := []string{"asset"}
		if spec.Multiple {
			files = []string{"asset1", "asset2", "asset3"}
		}
		for _, file := range files {
			add(file, "content of a file", "file")
			fields(file+".", spec.Asset)
		}
	}
	return out
}

// searchParameters are the parameters of searches that the document shows; those in pages may go on.
func searchParameters(pages bool) []parameter {
	var out []parameter
	if pages {
		out = append(out, query("continuationToken", "of the page before"))
	}
	out = append(out, query("sort", "group, name, version or repository"), query("direction", "asc or desc"),
		parameter{Name: "timeout", About: "seconds", Type: "integer"}, query("q", "words anywhere"), query("repository", "name of a repository"),
		query("format", "name of a format"))
	for _, name := range []string{
		"group", "name", "version", "prerelease", "md5", "sha1", "sha256", "sha512",
		"maven.groupId", "maven.artifactId", "maven.baseVersion", "maven.extension", "maven.classifier", "gavec",
	} {
		out = append(out, query(name, "* and ? stand for any letters"))
	}
	return out
}
