// Package forms describes the forms of the old user interface: which fields a privilege or a blob store of some type has. The REST
// API and the remote procedure calls both give them to clients, each in its own layout.
//
// Invariant: ids, kinds and choices are those that clients know; labels and help are our own words.
package forms

import (
	"entrepot/app/access"
	"entrepot/app/repository"
)

// Kind is how a field is drawn.
type Kind string

// The kinds of fields.
const (
	Text     Kind = "string"
	Choice   Kind = "combobox"
	Selected Kind = "setOfCheckboxes"
)

// Field is one field of a form.
type Field struct {
	ID, Label, Help string
	Kind            Kind
	Attributes      map[string]any // of the kind, for example what to choose from; never nil
	Choices         string         // Choice: the remote procedure that gives the choices
	Free            bool           // Choice: other texts than the choices are taken as well
}

// Type is something that has a form, for example a type of privileges.
type Type struct {
	ID, Name string
	Fields   []Field // all of them are required
}

// Remote procedures that give the choices of a form.
const (
	repositoryOrAll    = "coreui_Repository.readReferencesAddingEntryForAll"
	repositoryOrFormat = "coreui_Repository.readReferencesAddingEntriesForAllFormats"
	selector           = "coreui_Selector.readReferences"
)

// Privileges gives the forms of all types of privileges.
func Privileges() []Type {
	actions := func(all ...string) Field {
		return Field{ID: "actions", Label: "Actions", Help: "What the privilege allows", Kind: Selected, Attributes: map[string]any{"options": all}}
	}
	text := func(id, label, help string) Field {
		return Field{ID: id, Label: label, Help: help, Kind: Text, Attributes: map[string]any{}}
	}
	choice := func(id, label, help, choices string, free bool) Field {
		return Field{ID: id, Label: label, Help: help, Kind: Choice, Attributes: map[string]any{}, Choices: choices, Free: free}
	}
	content := actions("browse", "read", "edit", "add", "delete")
	format := text("format", "Format", "Format of the repositories, or * for all")
	repository := choice("repository", "Repository", "Name of a repository, or * for all", repositoryOrAll, true)
	return []Type{
		{string(access.TypeScript), "Script", []Field{
			text("name", "Script Name", "Name of a script, or * for all"), actions("browse", "read", "edit", "add", "delete", "run"),
		}},
		{string(access.TypeAdmin), "Repository Admin", []Field{format, repository, content}},
		{string(access.TypeSelector), "Repository Content Selector", []Field{
			choice("contentSelector", "Content Selector", "Name of the content selector", selector, false),
			choice("repository", "Repository", "Name of a repository, * for all, or *-FORMAT for all of a format", repositoryOrFormat, true),
			content,
		}},
		{string(access.TypeView), "Repository View", []Field{format, repository, content}},
		{string(access.TypeApplication), "Application", []Field{
			text("domain", "Domain", "Part of the application"),
			actions("create", "read", "update", "delete", "start", "stop", "associate", "disassociate"),
		}},
		{string(access.TypeWildcard), "Wildcard", []Field{text("pattern", "Privilege String", "Parts between colons; * is any")}},
	}
}

// BlobStores gives the forms of the types of blob stores that can be created.
func BlobStores() []Type {
	return []Type{{repository.BlobStoreFile, "File", []Field{{
		ID: "path", Label: "Path", Help: "Absolute, or relative to the blobs folder of the data folder", Kind: Text,
		Attributes: map[string]any{"tokenReplacement": "${name}", "long": true},
	}}}}
}
