package maven2

import (
	"archive/zip"
	"cmp"
	"context"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"entrepot/formats"
	"entrepot/storage/catalog"
)

const (
	pluginPackaging = "maven-plugin"

	// Plugin descriptors are read from archives that clients sent.
	maxPluginArchive    = 16 << 20
	maxPluginDescriptor = 4 << 20
	pluginDescriptor    = "META-INF/maven/plugin.xml"
)

// Derived implements formats.Rebuilder.
func (f *Format) Derived(r formats.Repository, c catalog.Component) []string {
	if r.Kind != formats.Hosted {
		return nil
	}
	base := cmp.Or(c.Attributes[attrBase], baseVersion(c.Version))
	paths := []string{folderOf(c.Group, c.Name) + metadataName}
	if isSnapshot(base) {
		paths = append(paths, folderOf(c.Group, c.Name, base)+metadataName)
	}
	if c.Kind == pluginPackaging {
		paths = append(paths, folderOf(c.Group)+metadataName)
	}
	return paths
}

// Rebuild implements formats.Rebuilder: the metadata at a path, as far as the stored components tell, and all its checksum files. The last
// one leaves no checksum file behind, which the next deployment would be compared with.
func (f *Format) Rebuild(ctx context.Context, _ formats.Repository, path string, src formats.Source) ([]*formats.Document, error) {
	folder, name := cutLast(strings.TrimPrefix(path, "/"))
	if name != metadataName || folder == "" {
		return nil, nil
	}
	m := &metadata{encoded: true}
	told, err := m.tellBuilds(ctx, folder, src)
	if err == nil && !told {
		if told, err = m.tellVersions(ctx, folder, src); err == nil {
			var plugins bool
			plugins, err = m.tellPlugins(ctx, strings.ReplaceAll(folder, "/", "."), src)
			told = told || plugins
		}
	}
	if err != nil {
		return nil, fmt.Errorf("maven2: rebuild %s: %w", path, err)
	}
	docs := []*formats.Document{{Path: path, ContentType: xmlType}}
	if !told {
		for _, algorithm := range checksums {
			docs = append(docs, &formats.Document{Path: path + "." + algorithm})
		}
		return docs, nil
	}
	if m.group != "" {
		m.lastUpdated = f.now().UTC().Format("20060102150405")
	}
	docs[0].Body = m.render()
	for _, algorithm := range checksums {
		docs = append(docs, checksumOf(path+"."+algorithm, algorithm, docs[0].Body))
	}
	return docs, nil
}

// tellVersions fills in the versions of an artifact. It reports whether there are any.
func (m *metadata) tellVersions(ctx context.Context, folder string, src formats.Source) (bool, error) {
	groupFolder, artifact := cutLast(folder)
	group := strings.ReplaceAll(groupFolder, "/", ".")
	seen := map[string]bool{}
	for c, err := range src.Content().Components(ctx, catalog.ComponentQuery{Group: &group, Name: &artifact}) {
		if err != nil {
			return false, err
		}
		base := cmp.Or(c.Attributes[attrBase], baseVersion(c.Version))
		if !seen[base] {
			seen[base] = true
			m.versions = append(m.versions, base)
		}
	}
	if len(m.versions) == 0 {
		return false, nil
	}
	m.group, m.artifact = group, artifact
	m.settle()
	return true, nil
}

// tellBuilds fills in the files of the newest build of a snapshot. It reports whether there is one.
func (m *metadata) tellBuilds(ctx context.Context, folder string, src formats.Source) (bool, error) {
	artifactFolder, version := cutLast(folder)
	groupFolder, artifact := cutLast(artifactFolder)
	if !isSnapshot(version) || groupFolder == "" || artifact == "" {
		return false, nil
	}
	for asset, err := range src.Content().AssetsUnder(ctx, "/"+folder) {
		if err != nil {
			return false, err
		}
		l := locate(asset.Path)
		if at, _ := cutLast(asset.Path); at != "/"+folder || l.kind != kindArtifact || l.subordinate() {
			continue
		}
		stamp, _ := cutBuild(strings.TrimPrefix(l.coords.version, strings.TrimSuffix(version, snapshot)))
		timestamp, number, ok := strings.Cut(stamp, "-")
		if !ok {
			continue // a file that is called SNAPSHOT itself
		}
		if timestamp != m.timestamp || number != m.buildNumber {
			if !newerBuild(timestamp, number, m.timestamp, m.buildNumber) {
				continue
			}
			m.timestamp, m.buildNumber, m.builds = timestamp, number, nil
		}
		m.builds = append(m.builds, build{
			classifier: l.coords.classifier, extension: l.coords.extension, value: l.coords.version,
			updated: strings.ReplaceAll(timestamp, ".", ""),
		})
	}
	if m.timestamp == "" {
		return false, nil
	}
	m.group, m.artifact, m.version = strings.ReplaceAll(groupFolder, "/", "."), artifact, version
	return true, nil
}

// tellPlugins fills in the plugins of a group, each as its newest version describes itself. It reports whether there are any.
func (m *metadata) tellPlugins(ctx context.Context, group string, src formats.Source) (bool, error) {
	newest := map[string]*catalog.Component{}
	for c, err := range src.Content().Components(ctx, catalog.ComponentQuery{Group: &group}) {
		if err != nil {
			return false, err
		}
		if c.Kind != pluginPackaging {
			continue
		}
		if known := newest[c.Name]; known == nil || newestVersion(known.Version, c.Version) == c.Version {
			newest[c.Name] = c
		}
	}
	for _, c := range newest {
		prefix, err := pluginPrefix(ctx, c, src)
		if err != nil {
			return false, err
		}
		m.plugins = append(m.plugins, plugin{name: cmp.Or(c.Attributes[attrName], c.Name), prefix: prefix, artifact: c.Name})
	}
	slices.SortFunc(m.plugins, func(a, b plugin) int {
		return cmp.Or(cmp.Compare(a.prefix, b.prefix), cmp.Compare(a.artifact, b.artifact))
	})
	return len(m.plugins) > 0, nil
}

// pluginPrefix gives the prefix that a plugin's archive declares, else the one that its name stands for.
func pluginPrefix(ctx context.Context, c *catalog.Component, src formats.Source) (string, error) {
	for asset, err := range src.Content().ComponentAssets(ctx, c.Coordinates) {
		if err != nil {
			return "", err
		}
		l := locate(asset.Path)
		if l.subordinate() || l.coords.hasClassifier || l.coords.extension != "jar" || asset.Size > maxPluginArchive {
			continue
		}
		declared, err := declaredPrefix(ctx, asset, src)
		if err != nil {
			return "", err
		}
		if declared != "" {
			return declared, nil
		}
	}
	return impliedPrefix(c.Name), nil
}

// declaredPrefix reads the prefix from a plugin's archive. It returns "" for one that cannot be read or declares none.
func declaredPrefix(ctx context.Context, asset *catalog.Asset, src formats.Source) (string, error) {
	object, err := src.Open(ctx, asset)
	if err != nil {
		return "", err
	}
	defer object.Close()
	archive, err := zip.NewReader(object, object.Size())
	if err != nil {
		return "", nil
	}
	entry, err := archive.Open(pluginDescriptor)
	if err != nil {
		return "", nil
	}
	defer entry.Close()
	return goalPrefix(entry), nil
}

// goalPrefix reads the prefix from a plugin descriptor, "" when it has none or cannot be read.
func goalPrefix(r io.Reader) string {
	var prefix string
	_, err := walk(r, maxPluginDescriptor, func(path, text string) {
		if path == "plugin/goalPrefix" {
			prefix = text
		}
	})
	if err != nil {
		return ""
	}
	return prefix
}

var (
	mavenInName  = regexp.MustCompile(`-?maven-?`)
	pluginInName = regexp.MustCompile(`-?plugin-?`)
)

// impliedPrefix is what Maven takes from a plugin's name: demo for demo-maven-plugin and for maven-demo-plugin.
func impliedPrefix(artifact string) string {
	if artifact == "maven-plugin-plugin" {
		return "plugin"
	}
	return pluginInName.ReplaceAllString(mavenInName.ReplaceAllString(artifact, ""), "")
}
