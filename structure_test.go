package entrepot_test

import (
	"bufio"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"
)

const (
	module       = "entrepot"
	maxFile      = 600 // lines
	maxFunction  = 60  // lines
	maxInterface = 5   // methods; the contract packages may have more
	maxParams    = 5
)

// contracts are the packages whose interfaces drivers and formats implement.
var contracts = map[string]bool{"storage/blob": true, "storage/kv": true, "formats": true}

// layers may import only layers further down, and themselves. The first match of a package's path counts.
var layers = []struct {
	prefix string
	level  int
}{
	{"app/entrepot", 5},
	{"e2e", 5},
	{"bench", 5},
	{"compat", 4},
	{"migrate", 4},
	{"ui", 4},
	{"app", 3},
	{"formats", 2},
	{"storage", 1},
}

// fiberAllowed are the only places that see the HTTP framework.
var fiberAllowed = []string{"app/server", "app/api", "compat"}

type pkg struct {
	dir   string
	files map[string]*ast.File // by path, tests left out
}

func within(p, dir string) bool { return p == dir || strings.HasPrefix(p, dir+"/") }

func layerOf(p string) int {
	for _, l := range layers {
		if within(p, l.prefix) {
			return l.level
		}
	}
	return 0
}

func goPackages(t *testing.T, fset *token.FileSet) map[string]*pkg {
	t.Helper()
	packages := make(map[string]*pkg)
	err := filepath.WalkDir(".", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			name := d.Name()
			if p != "." && (strings.HasPrefix(name, ".") || name == "node_modules" || name == "testdata" || name == "bin" || name == "data") {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(p, ".go") || strings.HasSuffix(p, "_test.go") {
			return nil
		}
		f, err := parser.ParseFile(fset, p, nil, parser.ParseComments)
		if err != nil {
			return err
		}
		dir := filepath.ToSlash(filepath.Dir(p))
		if packages[dir] == nil {
			packages[dir] = &pkg{dir: dir, files: make(map[string]*ast.File)}
		}
		packages[dir].files[p] = f
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return packages
}

func TestImportRule(t *testing.T) {
	fset := token.NewFileSet()
	for dir, p := range goPackages(t, fset) {
		for file, f := range p.files {
			for _, spec := range f.Imports {
				checkImport(t, dir, file, strings.Trim(spec.Path.Value, `"`))
			}
		}
	}
}

func checkImport(t *testing.T, dir, file, imported string) {
	t.Helper()
	if strings.HasPrefix(imported, "github.com/gofiber/") || strings.HasPrefix(imported, "github.com/valyala/fasthttp") {
		for _, ok := range fiberAllowed {
			if within(dir, ok) {
				return
			}
		}
		t.Errorf("%s: the HTTP framework belongs to %v only", file, fiberAllowed)
	}
	target, ours := strings.CutPrefix(imported, module+"/")
	if !ours {
		return
	}
	switch {
	case within(target, "app/entrepot"):
		t.Errorf("%s: nothing imports app/entrepot", file)
	case layerOf(target) > layerOf(dir):
		t.Errorf("%s: %s imports upwards: %s", file, dir, target)
	case within(dir, "compat") && within(target, "migrate"), within(dir, "migrate") && within(target, "compat") && target != "compat/names":
		t.Errorf("%s: compat and migrate meet in compat/names only, not in %s", file, target)
	case dir == "formats" && within(target, "formats") && target != "formats":
		t.Errorf("%s: the contract imports a format: %s", file, target)
	}
}

func TestEveryPackageSaysWhatItIsFor(t *testing.T) {
	fset := token.NewFileSet()
	for dir, p := range goPackages(t, fset) {
		comments := 0
		for file, f := range p.files {
			if f.Doc == nil {
				continue
			}
			comments++
			if text := f.Doc.Text(); !strings.HasPrefix(text, "Package ") && !strings.HasPrefix(text, "Command ") {
				t.Errorf("%s: package comment begins %q", file, strings.SplitN(text, "\n", 2)[0])
			}
		}
		if comments != 1 {
			t.Errorf("%s: %d package comments; want one", dir, comments)
		}
		switch name := path.Base(dir); name {
		case "util", "utils", "common", "helpers", "types", "models":
			t.Errorf("%s: a package is named after what it does", dir)
		}
	}
}

func TestSizes(t *testing.T) {
	fset := token.NewFileSet()
	for dir, p := range goPackages(t, fset) {
		for file, f := range p.files {
			if n := fset.Position(f.End()).Line; n > maxFile && !ast.IsGenerated(f) {
				t.Errorf("%s: %d lines; at most %d", file, n, maxFile)
			}
			ast.Inspect(f, func(n ast.Node) bool { checkNode(t, fset, dir, n); return true })
		}
	}
}

func checkNode(t *testing.T, fset *token.FileSet, dir string, n ast.Node) {
	t.Helper()
	switch n := n.(type) {
	case *ast.FuncDecl:
		if lines := fset.Position(n.End()).Line - fset.Position(n.Pos()).Line; lines > maxFunction {
			t.Errorf("%s: %s has %d lines; at most %d", fset.Position(n.Pos()), n.Name.Name, lines, maxFunction)
		}
		if n.Name.Name == "init" && n.Recv == nil {
			t.Errorf("%s: no init functions", fset.Position(n.Pos()))
		}
		if params := n.Type.Params.NumFields(); params > maxParams {
			t.Errorf("%s: %s takes %d parameters; at most %d, else a struct", fset.Position(n.Pos()), n.Name.Name, params, maxParams)
		}
	case *ast.InterfaceType:
		if methods := n.Methods.NumFields(); methods > maxInterface && !contracts[dir] {
			t.Errorf("%s: interface of %d methods; at most %d", fset.Position(n.Pos()), methods, maxInterface)
		}
	}
}

// TestNoLeftovers keeps marks of unfinished work out of the tree.
func TestNoLeftovers(t *testing.T) {
	marks := []string{"TO" + "DO", "FIX" + "ME", "XX" + "X:"}
	fset := token.NewFileSet()
	for _, p := range goPackages(t, fset) {
		for file := range p.files {
			f, err := os.Open(file)
			if err != nil {
				t.Fatal(err)
			}
			lines := bufio.NewScanner(f)
			for n := 1; lines.Scan(); n++ {
				for _, mark := range marks {
					if strings.Contains(lines.Text(), mark) {
						t.Errorf("%s:%d: %s", file, n, mark)
					}
				}
			}
			f.Close()
		}
	}
}
