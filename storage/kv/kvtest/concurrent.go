package kvtest

import (
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"entrepot/storage/kv"
)

const (
	clients = 8
	rounds  = 40
)

// together runs work in several goroutines and reports their errors.
func together(t *testing.T, work func(client int) error) {
	t.Helper()
	var wg sync.WaitGroup
	for client := range clients {
		wg.Go(func() {
			if err := work(client); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

// testConcurrentReplace increments a number by compare and swap.
func testConcurrentReplace(t *testing.T, s *kv.Store) {
	ctx := t.Context()
	apply(t, s, kv.Put(row("n"), []byte("0")))
	together(t, func(int) error {
		for done := 0; done < rounds; {
			e, err := s.Get(ctx, row("n"))
			if err != nil {
				return err
			}
			n, err := strconv.Atoi(string(e.Value))
			if err != nil {
				return err
			}
			switch err := s.Apply(ctx, kv.PutIf(row("n"), []byte(strconv.Itoa(n+1)), e.Version)); {
			case err == nil:
				done++
			case !errors.Is(err, kv.ErrConflict):
				return err
			}
		}
		return nil
	})
	if got := get(t, s, row("n")).Value; string(got) != strconv.Itoa(clients*rounds) {
		t.Errorf("%s increments survive of %d", got, clients*rounds)
	}
}

// testConcurrentAdd adds to one counter and reads its own writes.
func testConcurrentAdd(t *testing.T, s *kv.Store) {
	ctx := t.Context()
	together(t, func(client int) error {
		for i := range rounds {
			mine := row(fmt.Sprintf("row %d %d", client, i))
			if err := s.Apply(ctx, kv.PutNew(mine, nil), kv.Add(row("total"), 3)); err != nil {
				return err
			}
			if _, err := s.Get(ctx, mine); err != nil {
				return fmt.Errorf("own acknowledged row: %w", err)
			}
		}
		return nil
	})
	if n, err := s.Count(ctx, row("total")); n != 3*clients*rounds || err != nil {
		t.Errorf("counter = %d, %v; want %d", n, err, 3*clients*rounds)
	}
	if got := len(sorts(t, s, part, kv.Prefix("row "))); got != clients*rounds {
		t.Errorf("%d rows, want %d", got, clients*rounds)
	}
}

// testConcurrentMake lets all clients make the same row: one wins.
func testConcurrentMake(t *testing.T, s *kv.Store) {
	ctx := t.Context()
	var won [rounds]atomic.Int32
	together(t, func(client int) error {
		for i := range rounds {
			err := s.Apply(ctx, kv.PutNew(row(fmt.Sprint(i)), []byte{byte(client)}), kv.Add(row("made"), 1))
			switch {
			case err == nil:
				won[i].Add(1)
			case !errors.Is(err, kv.ErrConflict):
				return err
			}
		}
		return nil
	})
	for i := range won {
		if n := won[i].Load(); n != 1 {
			t.Errorf("row %d was made %d times", i, n)
		}
	}
	if n, err := s.Count(ctx, row("made")); n != rounds || err != nil {
		t.Errorf("counter = %d, %v; want %d", n, err, rounds)
	}
}

// testScanWhileMoving moves one token between rows; every scan must see it exactly once.
func testScanWhileMoving(t *testing.T, s *kv.Store) {
	ctx := t.Context()
	const places = 64
	apply(t, s, kv.Put(row(fmt.Sprintf("token%02d", 0)), nil))
	for i := range 300 {
		apply(t, s, kv.Put(row(fmt.Sprintf("token00 filler %d", i)), make([]byte, 500)))
	}
	var done atomic.Bool
	var wg sync.WaitGroup
	wg.Go(func() {
		defer done.Store(true)
		for i := range rounds * clients {
			from, to := fmt.Sprintf("token%02d", i*37%places), fmt.Sprintf("token%02d", (i+1)*37%places)
			if err := s.Apply(ctx, kv.Delete(row(from)), kv.PutNew(row(to), nil)); err != nil {
				t.Error(err)
				return
			}
		}
	})
	for i := 0; !done.Load(); i++ {
		seen := 0
		for e, err := range s.Scan(ctx, part, kv.Range{Reverse: i%2 == 0}) {
			if err != nil {
				t.Fatal(err)
			}
			if len(e.Sort) == len("token00") {
				seen++
			}
		}
		if seen != 1 {
			t.Errorf("scan saw the token %d times", seen)
			break
		}
	}
	wg.Wait()
}
