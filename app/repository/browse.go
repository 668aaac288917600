package repository

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"entrepot/formats"
	"entrepot/storage/catalog"
)

// maxFolderProbe is how many assets beneath a folder are looked at to find one that the subject may see. Only a subject whose
// permissions depend on paths, and do not cover the folder as such, makes it necessary.
const maxFolderProbe = 1000

// BrowseNode is an entry of a folder with the repository that keeps it, behind a proxy the first one that has it.
type BrowseNode struct {
	catalog.Node
	Holder Definition
}

// Browse lists at most limit entries of a folder behind the name after, in the order of their names, as far as a subject may see
// them; limit 0 means all. The refusal is of kind NotFound when there is no such folder.
func (e *Engine) Browse(ctx context.Context, s Subject, repository, dir string, page BrowsePage) ([]BrowseNode, error) {
	v, err := e.view(s, repository)
	if err != nil {
		return nil, err
	}
	merged := make(map[string]*BrowseNode)
	known := strings.Trim(dir, "/") == ""
	for _, holder := range v.holders() {
		for node, err := range holder.content.Browse(ctx, dir, page.After, page.Limit) {
			if errors.Is(err, catalog.ErrNotFound) {
				break
			}
			if err != nil {
				return nil, err
			}
			known = true
			mergeNode(merged, node, holder.def)
		}
	}
	if !known {
		return nil, &formats.Error{Kind: formats.NotFound, Message: "Path not found"}
	}
	nodes := make([]BrowseNode, 0, len(merged))
	for _, n := range merged {
		visible, err := v.seesNode(ctx, n)
		if err != nil {
			return nil, err
		}
		if visible {
			nodes = append(nodes, *n)
		}
	}
	slices.SortFunc(nodes, func(a, b BrowseNode) int { return cmp.Compare(a.Name, b.Name) })
	if page.Limit > 0 && len(nodes) > page.Limit {
		nodes = nodes[:page.Limit]
	}
	return nodes, nil
}

// BrowsePage is a part of a folder.
type BrowsePage struct {
	After string // name of the last entry seen; "" for the start
	Limit int    // 0 means all
}

// mergeNode adds an entry to those of the holders before.
func mergeNode(merged map[string]*BrowseNode, node catalog.Node, holder Definition) {
	first := merged[node.Name]
	if first == nil {
		merged[node.Name] = &BrowseNode{node, holder}
		return
	}
	first.Folder = first.Folder || node.Folder
	first.Count += node.Count
	if first.Asset == nil && node.Asset != nil {
		first.Asset, first.Holder = node.Asset, holder
	}
}

// seesNode hides what the subject may not see: an asset by its path, a folder when nothing beneath is visible.
func (v *view) seesNode(ctx context.Context, n *BrowseNode) (bool, error) {
	if n.Asset != nil && !v.sees(n.Asset.Path) {
		n.Asset = nil
	}
	if n.Asset != nil || !n.Folder {
		return n.Asset != nil, nil
	}
	if v.sees(strings.TrimSuffix(n.Path, "/") + "/") {
		return true, nil
	}
	for _, holder := range v.holders() {
		probed := 0
		for a, err := range holder.content.AssetsUnder(ctx, n.Path) {
			if err != nil {
				return false, err
			}
			if v.sees(a.Path) {
				return true, nil
			}
			if probed++; probed == maxFolderProbe {
				break
			}
		}
	}
	return false, nil
}
