package maven2

import (
	"context"
	"errors"
	"io"
	"maps"
	"unicode/utf8"

	"entrepot/formats"
	"entrepot/storage/blob"
)

// maxPOMText is how much of a POM's name or description is kept, in bytes.
const maxPOMText = 8 << 10

var errNoPOM = errors.New("maven2: not a POM")

// pom is what is read of a POM.
type pom struct {
	group, artifact, version   string // taken from the parent where the POM has none of its own
	packaging                  string
	title, description         string
	parentGroup, parentVersion string
}

// parsePOM reads a POM of at most maxPOM bytes.
func parsePOM(r io.Reader) (*pom, error) {
	var p pom
	fields := map[string]*string{
		"project/groupId": &p.group, "project/artifactId": &p.artifact, "project/version": &p.version,
		"project/packaging": &p.packaging, "project/name": &p.title, "project/description": &p.description,
		"project/parent/groupId": &p.parentGroup, "project/parent/version": &p.parentVersion,
	}
	doc, err := walk(r, maxPOM, func(path, text string) {
		if field, ok := fields[path]; ok {
			*field = text
		}
	})
	if err != nil {
		return nil, err
	}
	if doc.root != "project" {
		return nil, errNoPOM
	}
	if p.group == "" {
		p.group = p.parentGroup
	}
	if p.version == "" {
		p.version = p.parentVersion
	}
	if p.packaging == "" {
		p.packaging = "jar"
	}
	return &p, nil
}

// Describe implements formats.Describer: a component gets its packaging, name and description from its POM.
func (f *Format) Describe(_ context.Context, _ formats.Repository, it formats.Item, body io.ReaderAt, info blob.Info) formats.Item {
	l := locate(it.Path)
	if l.kind != kindArtifact || l.subordinate() || l.coords.extension != "pom" || l.coords.hasClassifier {
		return it
	}
	p, err := parsePOM(io.NewSectionReader(body, 0, info.Size))
	if err != nil {
		return it
	}
	it.ComponentKind = cut(p.packaging)
	it.ComponentAttributes = maps.Clone(it.ComponentAttributes)
	for name, text := range map[string]string{attrPackaging: p.packaging, attrName: p.title, attrDescription: p.description} {
		if text != "" {
			it.ComponentAttributes[name] = cut(text)
		}
	}
	return it
}

// cut shortens text to maxPOMText at a character's border.
func cut(text string) string {
	if len(text) <= maxPOMText {
		return text
	}
	end := maxPOMText
	for !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end]
}
