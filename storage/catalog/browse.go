package catalog

import (
	"context"
	"errors"
	"iter"

	"entrepot/storage/kv"
)

// browse reads the rows of one folder. Rows of one name are neighbours: the asset, the folder's counter, pointers.
func (t *Content) browse(ctx context.Context, dir, after string, limit int) iter.Seq2[Node, error] {
	return func(yield func(Node, error) bool) {
		r := kv.Prefix(dir + "\x00")
		if after != "" {
			base, _ := fit(dir+"\x00"+after, maxPathKey)
			r.From = base + afterNode
		}
		var node Node
		base, names := "", 0
		for e, err := range t.catalog.store.Scan(ctx, t.parts.assets, r) {
			if err != nil {
				yield(Node{}, wrap(err, "browse"))
				return
			}
			row, b, err := t.browseRow(ctx, dir, &e)
			if err != nil {
				yield(Node{}, err)
				return
			}
			if !row.Folder && row.Asset == nil {
				continue
			}
			if names == 0 || b != base {
				if names > 0 && (!yield(node, nil) || names == limit) {
					return
				}
				node, base = row, b
				names++
				continue
			}
			if row.Folder {
				node.Folder, node.Count = true, row.Count
			} else if node.Asset == nil {
				node.Asset = row.Asset
			}
		}
		if names > 0 {
			yield(node, nil)
		}
	}
}

// browseRow makes a node of one row; the zero Node when the row is no entry of the folder. base is what rows of one name share.
func (t *Content) browseRow(ctx context.Context, dir string, e *kv.Entry) (n Node, base string, err error) {
	kind, base := rowOf(e)
	var a *Asset
	switch kind {
	case rowFolder:
		name := base[len(dir)+1:]
		return Node{Name: name, Path: dir + "/" + name, Folder: true, Count: e.Counter}, base, nil
	case rowAsset:
		if a, err = assetOfRow(e); err == nil && a.Browse != "" {
			return Node{}, base, nil // hangs elsewhere
		}
	case rowPointer:
		if a, err = t.load(ctx, string(e.Value[1:])); errors.Is(err, ErrNotFound) {
			return Node{}, base, nil // removed since the scan began
		}
	default:
		return Node{}, base, nil
	}
	if err != nil {
		return Node{}, base, err
	}
	return assetNode(dir, a), base, nil
}

func assetNode(dir string, a *Asset) Node {
	path := a.browsePath()
	return Node{Name: path[len(dir)+1:], Path: path, Asset: a}
}

// browsePath is where the asset hangs in the browse tree.
func (a *Asset) browsePath() string {
	if a.Browse != "" {
		return a.Browse
	}
	return a.Path
}
