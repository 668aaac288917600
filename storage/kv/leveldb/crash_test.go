package leveldb_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"

	"entrepot/storage/kv"
	"entrepot/storage/kv/leveldb"
)

// crashChild is the environment variable that makes the test binary a writer to be killed; it names the folder.
const crashChild = "KV_LEVELDB_CRASH_CHILD"

// crashRounds is the environment variable that asks for more rounds than the usual few.
const crashRounds = "KV_LEVELDB_CRASH_ROUNDS"

// crashOptions make tables, segments and checkpoints turn over while the writer runs.
var crashOptions = leveldb.Options{WriteBufferBytes: 64 << 10, SegmentBytes: 32 << 10, CheckpointBytes: 128 << 10}

const crashClients = 8

// writeUntilKilled commits batches in several goroutines and prints the number of each one that was acknowledged.
func writeUntilKilled(dir string) int {
	opts := crashOptions
	driver, err := leveldb.Open(dir, &opts)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	store := kv.New(driver)
	var wg sync.WaitGroup
	var out sync.Mutex
	for client := range crashClients {
		wg.Go(func() {
			if err := writeAsClient(store, client, &out); err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
		})
	}
	wg.Wait()
	return 0
}

// writeAsClient makes rows client/0, client/1, ...: the batch of row i also adds to a counter and removes row i-20.
func writeAsClient(store *kv.Store, client int, out *sync.Mutex) error {
	ctx := context.Background()
	n, err := store.Count(ctx, crashKey(client, "made"))
	if err != nil {
		return err
	}
	for i := int(n); ; i++ {
		if err := store.Apply(ctx, kv.PutNew(crashKey(client, strconv.Itoa(i)), crashValue(client, i)),
			kv.Add(crashKey(client, "made"), 1), kv.Delete(crashKey(client, strconv.Itoa(i-20)))); err != nil {
			return err
		}
		out.Lock()
		fmt.Printf("%d %d\n", client, i)
		out.Unlock()
	}
}

func crashKey(client int, sort string) kv.Key {
	return kv.Key{Partition: fmt.Sprintf("client %d", client), Sort: sort}
}

func crashValue(client, i int) []byte {
	return []byte(strings.Repeat(fmt.Sprintf("%d/%d ", client, i), 1+i*31%60))
}

// TestKill kills a writing process at random moments and checks that every acknowledged batch is there, whole.
func TestKill(t *testing.T) {
	rounds := 10
	if s := os.Getenv(crashRounds); s != "" {
		var err error
		if rounds, err = strconv.Atoi(s); err != nil {
			t.Fatal(err)
		}
	}
	dir := t.TempDir()
	acked := make([]int, crashClients)
	for i := range acked {
		acked[i] = -1
	}
	for round := range rounds {
		runAndKill(t, dir, 20+rand.IntN(2000), acked)
		switch round % 4 {
		case 2:
			if err := os.RemoveAll(dir + "/db"); err != nil {
				t.Fatal(err)
			}
		case 3:
			if err := leveldb.Rebuild(dir, &crashOptions); err != nil {
				t.Fatal(err)
			}
		}
		checkAcked(t, dir, acked)
	}
	t.Logf("acknowledged by client: %v", acked)
}

// runAndKill starts a writer and kills it after so many acknowledgements, which it notes.
func runAndKill(t *testing.T, dir string, after int, acked []int) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), crashChild+"="+dir)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	in := bufio.NewReader(stdout)
	for n := 0; ; n++ {
		if n == after {
			if err := cmd.Process.Kill(); err != nil {
				t.Error(err)
			}
		}
		line, err := in.ReadString('\n')
		if err == io.EOF {
			break
		}
		var client, i int
		if _, err := fmt.Sscanf(line, "%d %d", &client, &i); err != nil {
			t.Fatalf("the writer printed %q", line)
		}
		acked[client] = i
	}
	if err := cmd.Wait(); err == nil || stderr.Len() > 0 {
		t.Fatalf("the writer ended with %v: %s", err, &stderr)
	}
}

func checkAcked(t *testing.T, dir string, acked []int) {
	t.Helper()
	driver, err := leveldb.Open(dir, &crashOptions)
	if err != nil {
		t.Fatal(err)
	}
	store := kv.New(driver)
	for client, last := range acked {
		n, err := store.Count(t.Context(), crashKey(client, "made"))
		if err != nil || int(n) < last+1 || int(n) > last+2 {
			t.Fatalf("client %d: %d batches are there (%v), %d were acknowledged", client, n, err, last+1)
		}
		rows := 0
		for e, err := range store.Scan(t.Context(), crashKey(client, "").Partition, kv.Range{To: "a"}) {
			if err != nil {
				t.Fatal(err)
			}
			i, err := strconv.Atoi(e.Sort)
			if err != nil || i < int(n)-20 || i >= int(n) || string(e.Value) != string(crashValue(client, i)) {
				t.Fatalf("client %d has %d batches and row %q = %q", client, n, e.Sort, e.Value)
			}
			rows++
		}
		if want := min(int(n), 20); rows != want {
			t.Fatalf("client %d has %d batches and %d rows, want %d", client, n, rows, want)
		}
	}
	if _, err := driver.Verify(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
}
