package file

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"entrepot/storage/blob"
	"entrepot/storage/blob/blobtest"
)

func TestOpenMakesTheFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b", "c")
	d := openWith(t, dir, nil)
	body := blobtest.Body(100, 1)
	h := blobtest.Put(t, d, body)
	if _, err := os.Stat(filepath.Join(dir, "content", h.String()[:2], h.String())); err != nil {
		t.Error(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	wantOnly(t, openWith(t, dir, nil), body)
}

func TestSecondServerIsRefused(t *testing.T) {
	dir := t.TempDir()
	first := openWith(t, dir, nil)
	if _, err := Open(dir, nil); !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), dir) {
		t.Errorf("while the first runs: %v", err)
	}
	if err := errors.Join(first.Close(), first.Close()); err != nil {
		t.Error(err)
	}
	openWith(t, dir, nil)
}

// Who is late at the end of the process gets an error, and nothing is written behind the back of the next process.
func TestNothingIsCommittedAfterClose(t *testing.T) {
	dir := t.TempDir()
	d := openWith(t, dir, nil)
	var writers []*blob.Writer
	for _, size := range []int{100, 300 << 10} {
		w, err := blob.New("test", d, nil).Create(t.Context(), blob.WriteOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(blobtest.Body(size, 1)); err != nil {
			t.Fatal(err)
		}
		writers = append(writers, w)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Create(t.Context(), 0); !errors.Is(err, blob.ErrClosed) {
		t.Errorf("create: %v", err)
	}
	for _, w := range writers {
		if _, err := w.Commit(t.Context()); !errors.Is(err, blob.ErrClosed) {
			t.Errorf("commit: %v", err)
		}
		w.Discard()
	}
	wantOnly(t, openWith(t, dir, nil))
}

func TestForeignFolderIsRefusedAndLeftAlone(t *testing.T) {
	for name, text := range map[string]string{
		"notes.txt": "mine",
		formatFile:  "entrepot blob folder, version 99\n",
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), fileMode); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(dir, nil); !errors.Is(err, ErrForeign) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
		if got := names(t, dir); len(got) > 2 {
			t.Errorf("%s: now there is %v", name, got)
		}
	}
	name := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, nil, fileMode); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(name, nil); !errors.Is(err, ErrForeign) {
		t.Errorf("a file: %v", err)
	}
}

// A folder that is a disk of its own has a lost+found; a start that was cut off leaves a lock and half a marker.
func TestOpenTakesAFolderThatIsAsGoodAsEmpty(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "lost+found"), folderMode); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{lockFile, formatFile + ".new"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("entre"), fileMode); err != nil {
			t.Fatal(err)
		}
	}
	openWith(t, dir, nil)
}

func TestOpenEmptiesTmp(t *testing.T) {
	dir := t.TempDir()
	if err := openWith(t, dir, nil).Close(); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"1", "left"} {
		if err := os.WriteFile(filepath.Join(dir, tmpFolder, name), []byte("half a bo"), fileMode); err != nil {
			t.Fatal(err)
		}
	}
	wantOnly(t, openWith(t, dir, nil))
}

// Files that do not have the name of a blob of their folder are none.
func TestListSkipsOtherFiles(t *testing.T) {
	d := openWith(t, t.TempDir(), nil)
	body := blobtest.Body(100, 1)
	h := blobtest.Put(t, d, body)
	folder := d.folder(int(h[0]))
	for _, name := range []string{"notes", strings.ToUpper(h.String()), blob.Hash{h[0] + 1}.String(), h.String() + "0"} {
		if name == h.String() {
			continue // no letter in the name
		}
		if err := os.WriteFile(filepath.Join(folder, name), nil, fileMode); err != nil {
			t.Fatal(err)
		}
	}
	wantOnly(t, d, body)
}
