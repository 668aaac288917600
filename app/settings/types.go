package settings

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"

	"entrepot/formats"
)

// Types of capabilities that mean something here.
const (
	// TypeBaseURL has the external URL of the server in its property "url".
	TypeBaseURL = "baseurl"
	// TypeDefaultRole has the role of every signed-in user in its property "role", for when the realm DefaultRole is active.
	TypeDefaultRole = "defaultrole"
	// TypeHealthCheck lets the content of caches be chosen for examination. Nothing examines it here.
	TypeHealthCheck = "healthcheck"
	// TypeLegacyURLs switches the URLs of Nexus 2 on.
	TypeLegacyURLs = "LegacyUrlCapability"
	// TypeStorage has the hours between two downloads of an asset that are recorded in its property "lastDownloadedInterval".
	TypeStorage = "StorageSettings"
	// TypeGlobalHook and TypeRepositoryHook have a "url" that is told of events called "names", signed with a "secret"; the latter those of a
	// "repository", "*" for all.
	TypeGlobalHook     = "webhook.global"
	TypeRepositoryHook = "webhook.repository"
)

// Kind is how a field of a capability is entered.
type Kind string

// The kinds of fields, as clients name them.
const (
	Text     Kind = "string"
	LongText Kind = "text-area"
	URL      Kind = "url"
	Number   Kind = "number"
	Checkbox Kind = "checkbox"
	Choice   Kind = "combobox"
	Several  Kind = "itemselect"
	Password Kind = "password" // sealed at rest, never shown
)

// Field is a property of a capability.
type Field struct {
	ID, Label, Help string
	Kind            Kind
	Required        bool
	Initial         string // "" for none
	Choices         string // Choice: the remote procedure that gives the choices
	Among           []string
}

// Type is a kind of capability.
type Type struct {
	ID, Name, About string
	Category        string
	Fields          []Field
	Many            bool   // there may be more than one
	Idle            string // why it has no effect here; "" when it has one
}

// Types gives the types that can be created, in the order in which clients show them.
func Types() []Type { return slices.Clone(types) }

// TypeOf finds a type; false when it is not known.
func TypeOf(id string) (Type, bool) {
	i := slices.IndexFunc(types, func(t Type) bool { return t.ID == id })
	if i < 0 {
		return Type{}, false
	}
	return types[i], true
}

const (
	idleUI      = "The pages of this server do not look at it"
	idleService = "The service that it belongs to is not part of this server"
)

var hookFields = []Field{
	{ID: "url", Label: "URL", Help: "Where the event is sent", Kind: URL, Required: true},
	{ID: "secret", Label: "Secret Key", Help: "Signs what is sent", Kind: Password},
}

func several(label string, among ...string) Field {
	return Field{ID: "names", Label: label, Help: "What is told", Kind: Several, Required: true, Among: among}
}

var types = []Type{
	{ID: TypeDefaultRole, Name: "Default Role", Category: "Security", About: "Gives a role to every signed-in user.", Fields: []Field{
		{ID: "role", Label: "Role", Help: "The role that signed-in users get", Kind: Choice, Required: true, Choices: "coreui_Role.read"},
	}},
	{ID: TypeLegacyURLs, Name: "NXRM2 style URLs", Category: "Core", About: "Answers the URLs of Nexus 2."},
	{ID: TypeStorage, Name: "Storage Settings", Category: "Core", About: "Says how often downloads are recorded.", Fields: []Field{
		{
			ID: "lastDownloadedInterval", Label: "Last Downloaded Interval",
			Help: "Hours between two downloads of an asset that are recorded", Kind: Number, Required: true, Initial: "12",
		},
	}},
	{
		ID: TypeRepositoryHook, Name: "Webhook: Repository", Category: "Webhook",
		About: "Tells another server of changes in a repository.", Many: true,
		Fields: append([]Field{
			{ID: "repository", Label: "Repository", Help: "The repository whose changes are told", Kind: Choice, Required: true, Choices: "coreui_Repository.readReferences"},
			several("Event Types", "asset", "component"),
		}, hookFields...)},
	{ID: TypeBaseURL, Name: "Base URL", Category: "Core", About: "Is the URL that mails and other texts of the server name.", Fields: []Field{
		{ID: "url", Label: "URL", Help: "The external URL of the server", Kind: URL, Required: true},
	}},
	{ID: "node.identity", Name: "Node: Identity", Category: "Core", About: "Tells one server from another."},
	{ID: "scheduling.scheduler", Name: "Scheduler", Category: "Scheduling", About: "Runs tasks."},
	{ID: TypeGlobalHook, Name: "Webhook: Global", Category: "Webhook", About: "Tells another server of events.", Many: true,
		Fields: append([]Field{several("Event Types", "audit", "repository")}, hookFields...)},
	{
		ID: "customs3regions", Name: "Custom S3 Regions", Category: "Core",
		About: "Names regions of object stores.", Idle: "Object stores of this server name their region themselves", Fields: []Field{
			{ID: "regions", Label: "Regions", Help: "Names with commas between them", Kind: Text, Required: true},
		}},
	{
		ID: "audit", Name: "Audit", Category: "Audit",
		About: "Records what administrators change.", Idle: "What administrators change is recorded whether or not this is on",
	},
	{ID: "rapture.branding", Name: "UI: Branding", Category: "UI", About: "Adds a header and a footer to the pages.", Idle: idleUI, Fields: []Field{
		{ID: "headerEnabled", Label: "Header Enabled", Help: "Whether there is a header", Kind: Checkbox, Initial: "true"},
		{ID: "headerHtml", Label: "Header HTML", Help: "What it says", Kind: LongText},
		{ID: "footerEnabled", Label: "Footer Enabled", Help: "Whether there is a footer", Kind: Checkbox, Initial: "true"},
		{ID: "footerHtml", Label: "Footer HTML", Help: "What it says", Kind: LongText},
	}},
	{ID: "rapture.settings", Name: "UI: Settings", Category: "UI", About: "Tunes the pages.", Idle: idleUI, Fields: []Field{
		{ID: "title", Label: "Title", Help: "Of the pages", Kind: Text, Required: true, Initial: "Nexus Repository"},
		{ID: "debugAllowed", Label: "Debug Allowed", Help: "Whether browsers may ask for readable sources", Kind: Checkbox, Initial: "true"},
		number("statusIntervalAuthenticated", "Authenticated User Status Interval", "5"), number("statusIntervalAnonymous", "Anonymous User Status Interval", "60"),
		number("sessionTimeout", "Session Timeout", "30"), number("requestTimeout", "Standard Request Timeout", "60"), number("longRequestTimeout", "Extended Request Timeout", "180"),
	}},
	{
		ID: "OutreachManagementCapability", Name: "Outreach: Management", Category: "Core",
		About: "Chooses what the welcome page shows.", Idle: idleService, Fields: []Field{
			{ID: "overrideUrl", Label: "Override URL", Help: "Where the content comes from", Kind: Text},
			{ID: "alwaysRemote", Label: "Always Remote", Help: "Whether it is asked for each time", Kind: Checkbox},
		}},
	{ID: TypeHealthCheck, Name: "Health Check: Configuration", Category: "Core", About: "Has the content of caches examined.", Idle: idleService, Fields: []Field{
		{ID: "configuredForAll", Label: "Configured For All", Help: "Whether it is on for every cache", Kind: Checkbox},
		{ID: "useTrustStore", Label: "Use Trust Store", Help: "Whether certificates of the trust store count", Kind: Checkbox},
	}},
	{
		ID: "firewall.audit", Name: "Firewall: Audit and Quarantine", Category: "IQ",
		About: "Has a cache examined.", Many: true, Idle: idleService, Fields: []Field{
			{ID: "repository", Label: "Repository", Help: "The cache", Kind: Choice, Required: true, Choices: "coreui_Repository.readReferences"},
			{ID: "quarantine", Label: "Quarantine", Help: "Whether bad content is withheld", Kind: Checkbox},
		}},
	{
		ID: "rutauth", Name: "Rut Auth", Category: "Security",
		About: "Takes the name of the user from a header.", Idle: "No realm of this server reads a user's name from a header", Fields: []Field{
			{ID: "httpHeader", Label: "HTTP Header name", Help: "The header", Kind: Text, Required: true},
		}},
}

func number(id, label, initial string) Field {
	return Field{ID: id, Label: label, Help: "In the unit that clients know", Kind: Number, Required: true, Initial: initial}
}

// validName keeps names apart from ids of types, which may have dots, and within addresses.
var validName = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9 _.-]{0,199}$`)

// checkName finds what is wrong with the name of a new capability; "" is none.
func (t *Type) checkName(name string) error {
	_, isType := TypeOf(name)
	message := ""
	switch {
	case name == "":
	case !t.Many:
		message = "belongs to capabilities of which there can be several"
	case isType:
		message = "must not be that of a type"
	case !validName.MatchString(name):
		message = "must have at most 200 letters, digits, blanks, underscores, dots and hyphens"
	}
	if message == "" {
		return nil
	}
	return formats.FieldErrors{{Field: "name", Message: message}}
}

// validate finds the faults of a capability's properties.
func (t *Type) validate(c *Capability) formats.FieldErrors {
	var wrong formats.FieldErrors
	for _, f := range t.Fields {
		value := c.Properties[f.ID]
		if f.Kind == Password {
			continue
		}
		if message := f.validate(value); message != "" {
			wrong = append(wrong, formats.FieldError{Field: f.ID, Message: message})
		}
	}
	return wrong
}

func (f *Field) validate(value string) string {
	if value == "" {
		if f.Required {
			return "must not be empty"
		}
		return ""
	}
	switch f.Kind {
	case URL:
		if u, err := url.Parse(value); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return "URL should be in the format 'http://www.example.com'"
		}
	case Number:
		if n, err := strconv.Atoi(value); err != nil || n < 1 || n > maxNumber {
			return fmt.Sprintf("must be a number from 1 to %d", maxNumber)
		}
	case Checkbox:
		if _, err := strconv.ParseBool(value); err != nil {
			return "must be true or false"
		}
	}
	return ""
}

// maxNumber bounds the numbers of capabilities: hours, minutes and seconds.
const maxNumber = 1_000_000
