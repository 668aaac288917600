package h2_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash"
	"hash/fnv"
	"io"
	"math/rand/v2"
	"os"
	"runtime"
	"testing"
	"time"

	"entrepot/migrate/h2"
)

// reading is what a database was seen to hold.
type reading struct {
	shape string // tables, columns and numbers of rows
	sum   uint64 // of all row ids and values
	torn  int
}

// readAll reads every row of a database.
func readAll(content []byte, limit int64) (reading, error) {
	var r reading
	db, err := h2.OpenReader(bytes.NewReader(content), int64(len(content)), &h2.Options{MaxValue: limit})
	if err != nil {
		return r, err
	}
	defer db.Close()
	r.torn = len(db.Info().Torn)
	h := fnv.New64a()
	for _, table := range db.Tables() {
		n := 0
		for row, err := range db.Rows(context.Background(), table.Schema+"."+table.Name) {
			if err != nil {
				return r, err
			}
			addRow(h, row)
			n++
		}
		r.shape += fmt.Sprintln(len(table.Columns), n)
	}
	r.sum = h.Sum64()
	return r, nil
}

func addRow(h hash.Hash, row h2.Row) {
	fmt.Fprintln(h, row.ID)
	for _, v := range row.Values {
		switch v := v.(type) {
		case []byte:
			h.Write(v)
		case string:
			io.WriteString(h, v)
		default:
			fmt.Fprintln(h, v)
		}
	}
}

// isExpected reports the errors that damage may cause. An encrypted or foreign file can only be told by its first bytes, and what a
// damaged type tag says can be a type that is not read.
func isExpected(err error) bool {
	for _, want := range []error{h2.ErrDamaged, h2.ErrTooLarge, h2.ErrUnsupported, h2.ErrFormat, h2.ErrEncrypted} {
		if errors.Is(err, want) {
			return true
		}
	}
	return false
}

// TestFlippedBytes changes single bits. The outcome must be an error, or the same tables with as many rows: the format has no
// checksum over the bytes of row ids, texts and numbers. An older version is fine when the unfinished newer one is told of.
func TestFlippedBytes(t *testing.T) {
	for _, name := range []string{"rolledback-2.3.232.mv.db.gz", "lzf-2.3.232.mv.db.gz", "deflate-2.3.232.mv.db.gz"} {
		t.Run(name, func(t *testing.T) {
			content := unzipped(t, name)
			want, err := readAll(content, 1<<24)
			if err != nil {
				t.Fatal(err)
			}
			random := rand.New(rand.NewPCG(1, 2))
			counts := map[string]int{}
			for range tries(60) {
				at := random.IntN(len(content))
				old := content[at]
				content[at] ^= 1 << random.IntN(8)
				counts[outcome(t, content, want, fmt.Sprintf("byte %d flipped", at))]++
				content[at] = old
			}
			t.Log(counts)
		})
	}
}

// outcome reads damaged content and says what came of it.
func outcome(t *testing.T, content []byte, want reading, what string) string {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := time.Now()
	got, err := readAll(content, 1<<24)
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > 256<<20 {
		t.Errorf("%s: %d bytes were allocated", what, n)
	}
	if spent := time.Since(start); spent > 10*time.Second {
		t.Errorf("%s: took %v", what, spent)
	}
	switch {
	case err != nil && !isExpected(err):
		t.Errorf("%s: unexpected kind of error: %v", what, err)
		return "strange error"
	case err != nil:
		return "error"
	case got.shape == want.shape && got.sum == want.sum:
		return "same"
	case got.shape == want.shape:
		return "value"
	case got.torn > 0:
		return "older, said so"
	}
	t.Errorf("%s: rows are missing or others came, and nothing was said", what)
	return "silent"
}

func TestTruncated(t *testing.T) {
	content := unzipped(t, "types-2.3.232.mv.db.gz")
	want, err := readAll(content, 1<<24)
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(3, 4))
	for range tries(60) {
		n := random.IntN(len(content))
		outcome(t, content[:n], want, fmt.Sprintf("cut at %d", n))
	}
	for n := 0; n < len(content); n += 4096 * (1 + len(content)/4096/100) {
		outcome(t, content[:n], want, fmt.Sprintf("cut at block %d", n/4096))
	}
}

// TestLostBlocks zeroes and swaps whole blocks, as failing disks do.
func TestLostBlocks(t *testing.T) {
	content := unzipped(t, "rolledback-2.3.232.mv.db.gz")
	want, err := readAll(content, 1<<24)
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(5, 6))
	blocks := len(content) / 4096
	for range tries(60) {
		a, b := random.IntN(blocks), random.IntN(blocks)
		damaged := bytes.Clone(content)
		clear(damaged[a*4096 : (a+1)*4096])
		outcome(t, damaged, want, fmt.Sprintf("block %d zeroed", a))
		copy(damaged[a*4096:], content[b*4096:(b+1)*4096])
		copy(damaged[b*4096:(b+1)*4096], content[a*4096:])
		outcome(t, damaged, want, fmt.Sprintf("blocks %d and %d swapped", a, b))
	}
}

// tries is how many random changes are made; TRIES in the environment asks for more.
func tries(n int) int {
	if s := os.Getenv("TRIES"); s != "" {
		fmt.Sscan(s, &n)
	}
	return n
}
