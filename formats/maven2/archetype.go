package maven2

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"slices"

	"entrepot/formats"
	"entrepot/storage/catalog"
)

// archetypePackaging is the packaging, and so the kind, of components that are archetypes.
const archetypePackaging = "maven-archetype"

// archetype is an entry of an archetype catalog.
type archetype struct {
	group, artifact, version, repository, description string
}

// parseCatalog reads a document of at most maxCatalog bytes.
func parseCatalog(body []byte) ([]archetype, error) {
	const entry = "archetype-catalog/archetypes/archetype"
	var (
		list []archetype
		a    archetype
	)
	fields := map[string]*string{
		entry + "/groupId": &a.group, entry + "/artifactId": &a.artifact, entry + "/version": &a.version,
		entry + "/repository": &a.repository, entry + "/description": &a.description,
	}
	doc, err := walk(bytes.NewReader(body), maxCatalog, func(path, text string) {
		if field, ok := fields[path]; ok {
			*field = text
		} else if path == entry {
			list = append(list, a)
			a = archetype{}
		}
	})
	if err != nil {
		return nil, err
	}
	if doc.root != "archetype-catalog" {
		return nil, errors.New("maven2: not an archetype catalog")
	}
	return list, nil
}

// renderCatalog writes a catalog, in the byte layout that clients know of an empty one.
func renderCatalog(list []archetype) []byte {
	var w xmlWriter
	w.prolog(true)
	w.WriteString(`<archetype-catalog xsi:schemaLocation="http://maven.apache.org/plugins/maven-archetype-plugin/archetype-catalog/1.0.0` +
		` http://maven.apache.org/xsd/archetype-catalog-1.0.0.xsd"` + "\n" +
		`    xmlns="http://maven.apache.org/plugins/maven-archetype-plugin/archetype-catalog/1.0.0"` + "\n" +
		`    xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"`)
	if len(list) == 0 {
		w.WriteString(" />\n")
		return []byte(w.String())
	}
	w.WriteString(">\n")
	w.depth = 1
	w.open("archetypes", "")
	for _, a := range list {
		w.open("archetype", "")
		w.leaf("groupId", a.group)
		w.leaf("artifactId", a.artifact)
		w.leaf("version", a.version)
		w.leaf("repository", a.repository)
		w.leaf("description", a.description)
		w.close("archetype")
	}
	w.close("archetypes")
	w.close("archetype-catalog")
	return []byte(w.String())
}

// uniteArchetypes keeps the first of the entries with the same coordinates, in the order of these.
func uniteArchetypes(list []archetype) []archetype {
	sorted := slices.Clone(list)
	slices.SortStableFunc(sorted, func(a, b archetype) int {
		return cmp.Or(cmp.Compare(a.group, b.group), cmp.Compare(a.artifact, b.artifact), cmp.Compare(a.version, b.version))
	})
	return slices.CompactFunc(sorted, func(a, b archetype) bool {
		return a.group == b.group && a.artifact == b.artifact && a.version == b.version
	})
}

// mergeCatalogs unites the members' catalogs. It returns nil when none can be read.
func mergeCatalogs(docs []*formats.Document) []byte {
	var (
		all  []archetype
		read bool
	)
	for _, doc := range docs {
		list, err := parseCatalog(doc.Body)
		if err != nil {
			continue
		}
		read = true
		all = append(all, list...)
	}
	if !read {
		return nil
	}
	return renderCatalog(uniteArchetypes(all))
}

// Generate implements formats.Generator: the archetype catalog of a hosted repository, and its checksum files.
func (f *Format) Generate(ctx context.Context, r formats.Repository, it formats.Item, src formats.Source) (*formats.Document, error) {
	l := locate(it.Path)
	if r.Kind != formats.Hosted || l.kind != kindCatalog {
		return nil, formats.ErrNotGenerated
	}
	var list []archetype
	for component, err := range src.Content().Components(ctx, catalog.ComponentQuery{}) {
		if err != nil {
			return nil, err
		}
		if component.Kind == archetypePackaging {
			list = append(list, archetype{
				group: component.Group, artifact: component.Name, version: baseVersion(component.Version),
				description: cmp.Or(component.Attributes[attrDescription], component.Attributes[attrName]),
			})
		}
	}
	body := renderCatalog(uniteArchetypes(list))
	if l.checksum != "" {
		return checksumOf(it.Path, l.checksum, body), nil
	}
	return &formats.Document{Path: it.Path, Body: body, ContentType: xmlType}, nil
}
