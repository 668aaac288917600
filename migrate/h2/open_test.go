package h2_test

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"entrepot/migrate/h2"
)

// zipped builds a zip file of the entries.
func zipped(t testing.TB, entries map[string][]byte) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for name, content := range entries {
		w, err := z.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(content); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func openBytes(content []byte, temp string) (*h2.Database, error) {
	return h2.OpenReader(bytes.NewReader(content), int64(len(content)), &h2.Options{TempDir: temp})
}

// TestBackupZip opens what the database task writes, and leaves nothing behind.
func TestBackupZip(t *testing.T) {
	temp := t.TempDir()
	content := zipped(t, map[string][]byte{
		"nexus.mv.db":    unzipped(t, "types-2.3.232.mv.db.gz"),
		"nexus.trace.db": []byte("a log"),
	})
	db, err := openBytes(content, temp)
	if err != nil {
		t.Fatal(err)
	}
	compareDump(t, db, dumped(t, "types-2.3.232.jsonl.gz"))
	if err := db.Close(); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(temp); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestZippedScript(t *testing.T) {
	db, err := openBytes(zipped(t, map[string][]byte{"script.sql": unzipped(t, "types-2.3.232.sql.gz")}), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	compareDump(t, db, dumped(t, "types-2.3.232.jsonl.gz"))
}

func TestRefusedPackages(t *testing.T) {
	store := unzipped(t, "deflate-2.3.232.mv.db.gz")
	good := zipped(t, map[string][]byte{"nexus.mv.db": store})
	encrypted := bytes.Clone(good)
	encrypted[6] |= 1 // the flag in the entry's own header and in the directory
	encrypted[bytes.Index(encrypted, []byte("PK\x01\x02"))+8] |= 1
	torn := bytes.Clone(good)
	torn[len(torn)/2] ^= 0x40
	temp := t.TempDir()
	for name, c := range map[string]struct {
		content []byte
		want    error
	}{
		"two databases": {zipped(t, map[string][]byte{"a.mv.db": store, "b.mv.db": store}), h2.ErrFormat},
		"none":          {zipped(t, map[string][]byte{"readme": nil}), h2.ErrFormat},
		"zip in a zip":  {zipped(t, map[string][]byte{"nexus.mv.db": good}), h2.ErrFormat},
		"encrypted":     {encrypted, h2.ErrEncrypted},
		"torn":          {torn, h2.ErrDamaged},
		"cut":           {good[:len(good)-100], h2.ErrDamaged},
		"empty":         {nil, h2.ErrFormat},
		"zeros":         {make([]byte, 1<<20), h2.ErrFormat},
	} {
		db, err := openBytes(c.content, temp)
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
		if err == nil {
			db.Close()
		}
	}
	if left, _ := os.ReadDir(temp); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

// TestTornWrite cuts a store inside of its newest chunk, as kill -9 does: the version before it is read, and Info says so.
func TestTornWrite(t *testing.T) {
	content := unzipped(t, "rolledback-2.3.232.mv.db.gz")
	db, err := openBytes(content[:len(content)-4096], t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	whole, err := openBytes(content, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	info := db.Info()
	if len(info.Torn) != 1 || info.Torn[0].Version != whole.Info().Version || info.Version >= info.Torn[0].Version || !info.Recovered {
		t.Errorf("%+v", info)
	}
}

// TestHeaderAhead takes the chunk away that a cleanly closed store names: falling back to an older one would lose rows unseen.
func TestHeaderAhead(t *testing.T) {
	content := unzipped(t, "types-2.3.232.mv.db.gz")
	db, err := openBytes(content, "")
	if err != nil || !db.Info().Clean {
		t.Fatalf("the sample is not clean: %v", err)
	}
	last := bytes.LastIndex(content, []byte("chunk:"))
	content[last+len("chunk:")] ^= 1
	var damage *h2.DamageError
	if _, err := openBytes(content, ""); !errors.As(err, &damage) {
		t.Errorf("%v, want damage", err)
	}
	wanted := db.Info().Version
	db, err = h2.OpenReader(bytes.NewReader(content), int64(len(content)), &h2.Options{FallBack: true})
	if err != nil {
		t.Fatal(err)
	}
	if info := db.Info(); len(info.Rejected) == 0 || info.Rejected[0].Version != wanted || info.Version >= wanted {
		t.Errorf("%+v", info)
	}
}

func TestShortScript(t *testing.T) {
	const script = `;
CREATE CACHED TABLE "PUBLIC"."T"( "A" INTEGER );
-- 3 +/- SELECT COUNT(*) FROM PUBLIC.T;
INSERT INTO "PUBLIC"."T" VALUES (1), (2);
`
	db, err := openBytes([]byte(script), "")
	if err != nil || len(db.Info().Short) != 1 {
		t.Fatalf("%v, %+v", err, db.Info())
	}
	for n := range len(script) - 2 {
		db, err := openBytes([]byte(script)[:n], "")
		if err == nil && db.Tables()[0].Entries != 0 {
			t.Errorf("cut at %d: %d rows are said to be there", n, db.Tables()[0].Entries)
		}
		if err != nil && !isExpected(err) {
			t.Errorf("cut at %d: %v", n, err)
		}
	}
}

func TestLookup(t *testing.T) {
	db, err := openBytes(unzipped(t, "types-2.3.232.mv.db.gz"), "")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for name, want := range map[string]string{"types": "PUBLIC.TYPES", "Public.Empty": "PUBLIC.EMPTY", "empty": "PUBLIC.EMPTY",
		"other.empty": "OTHER.EMPTY"} {
		if table, ok := db.Table(name); !ok || table.Schema+"."+table.Name != want {
			t.Errorf("%s: %v", name, table)
		}
	}
	for _, err := range db.Rows(t.Context(), "seen") { // a view
		if !errors.Is(err, h2.ErrNotFound) {
			t.Errorf("%v, want ErrNotFound", err)
		}
	}
	for row, err := range db.Rows(t.Context(), "types") {
		if err != nil {
			t.Fatal(err)
		}
		if v, ok, err := h2.Get[int64](row, "id"); v != 1 || !ok || err != nil {
			t.Errorf("id: %d %v %v", v, ok, err)
		}
		if v, ok, err := h2.Get[string](row, "VC"); v != "" || ok || err != nil {
			t.Errorf("NULL: %q %v %v", v, ok, err)
		}
		if _, _, err := h2.Get[string](row, "id"); !errors.Is(err, h2.ErrType) {
			t.Errorf("%v, want ErrType", err)
		}
		if _, _, err := h2.Get[string](row, "nothing"); !errors.Is(err, h2.ErrNotFound) {
			t.Errorf("%v, want ErrNotFound", err)
		}
		break
	}
}

func TestLimitAndCancel(t *testing.T) {
	for _, file := range []string{"types-2.3.232.mv.db.gz", "types-2.3.232.sql.gz"} {
		content := unzipped(t, file)
		db, err := h2.OpenReader(bytes.NewReader(content), int64(len(content)), &h2.Options{MaxValue: 64 << 10})
		if err != nil {
			t.Fatal(err)
		}
		var last error
		for _, err := range db.Rows(t.Context(), "types") {
			last = err
		}
		if !errors.Is(last, h2.ErrTooLarge) {
			t.Errorf("%s: %v, want ErrTooLarge", file, last)
		}
		ctx, cancel := context.WithCancel(t.Context())
		n := 0
		for _, err := range db.Rows(ctx, "wide") {
			n++
			last = err
			cancel()
		}
		cancel()
		if !errors.Is(last, context.Canceled) || n > 500 {
			t.Errorf("%s: %v after %d rows", file, last, n)
		}
	}
}

func TestManyReaders(t *testing.T) {
	db, err := openBytes(unzipped(t, "lzf-2.3.232.mv.db.gz"), "")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			n := 0
			for _, err := range db.Rows(context.Background(), "wide") {
				if err != nil {
					t.Error(err)
				}
				n++
			}
			if n != 1200 {
				t.Errorf("%d rows", n)
			}
		})
	}
	wg.Wait()
}

// TestNothingWritten opens a database in a folder that cannot be written, and looks at the folder afterwards.
func TestNothingWritten(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "nexus.mv.db")
	content := unzipped(t, "rolledback-2.3.232.mv.db.gz")
	if err := os.WriteFile(name, content, 0o400); err != nil {
		t.Fatal(err)
	}
	before, err := os.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Chmod(dir, 0o700) })
	db, err := h2.Open(name, nil)
	if err != nil {
		t.Fatal(err)
	}
	compareDump(t, db, dumped(t, "rolledback-2.3.232.jsonl.gz"))
	if err := db.Close(); err != nil {
		t.Error(err)
	}
	after, err := os.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	entries, _ := os.ReadDir(dir)
	now, _ := os.ReadFile(name)
	if !after.ModTime().Equal(before.ModTime()) || len(entries) != 1 || !bytes.Equal(now, content) {
		t.Errorf("the folder changed: %v", entries)
	}
}

// TestMain can also be the process that holds a database open: with HOLD_LOCK it locks that file as H2 does, and waits.
func TestMain(m *testing.M) {
	if name := os.Getenv("HOLD_LOCK"); name != "" {
		f, err := holdLock(name)
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println("locked")
		_, _ = os.Stdin.Read(make([]byte, 1))
		f.Close()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func TestLocked(t *testing.T) {
	name := filepath.Join(t.TempDir(), "nexus.mv.db")
	if err := os.WriteFile(name, unzipped(t, "types-2.3.232.mv.db.gz"), 0o600); err != nil {
		t.Fatal(err)
	}
	server := exec.Command(os.Args[0])
	server.Env = append(os.Environ(), "HOLD_LOCK="+name)
	in, err := server.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := server.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	line := make([]byte, 100)
	n, err := out.Read(line)
	if err != nil || !strings.HasPrefix(string(line[:n]), "locked") {
		t.Skipf("NOT TESTED: no lock can be taken here: %q, %v", line[:n], err)
	}
	if _, err := h2.Open(name, nil); !errors.Is(err, h2.ErrLocked) || !strings.Contains(err.Error(), fmt.Sprint(server.Process.Pid)) {
		t.Errorf("%v, want ErrLocked with process id %d", err, server.Process.Pid)
	}
	in.Close()
	if err := server.Wait(); err != nil {
		t.Fatal(err)
	}
	db, err := h2.Open(name, nil)
	if err != nil {
		t.Fatalf("after the server ended: %v", err)
	}
	db.Close()
}
