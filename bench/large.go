package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
)

const largeSize = 1 << 30

// large measures downloads of a large file and what they cost in memory.
func (b *bench) large(ctx context.Context) error {
	root := filepath.Join(b.dir, "root")
	ours, err := b.entrepot(filepath.Join(b.dir, "large"))
	if err != nil {
		return err
	}
	defer ours.stop()
	peer, err := b.nginx(root)
	if err != nil {
		return err
	}
	defer peer.stop()
	if err := ours.rawRepository(ctx, "bench"); err != nil {
		return err
	}
	if err := ours.request(ctx, http.MethodPut, "/repository/bench/large.bin", newPattern("large", largeSize), ""); err != nil {
		return err
	}
	f, err := os.Create(filepath.Join(root, "large.bin"))
	if err != nil {
		return err
	}
	if _, err := io.Copy(f, newPattern("large", largeSize)); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	before, err := ours.memory("VmRSS")
	if err != nil {
		return err
	}
	for _, connections := range []int{1, 4} {
		var best [2]float64
		for range b.rounds {
			for i, url := range []string{ours.url("/repository/bench/large.bin"), peer.url("/large.bin")} {
				rate, err := timed(connections, connections, largeSize, func(int) error { return download(ctx, url) })
				if err != nil {
					return err
				}
				best[i] = max(best[i], rate)
			}
		}
		b.ratio(fmt.Sprintf("GET 1 GiB, %d connections", connections), "MB/s", best[0], best[1], 0.95)
	}
	after, err := ours.memory("VmHWM")
	if err != nil {
		return err
	}
	b.bound("GET 1 GiB: growth of memory", "MiB", max(0, after-before), 16)
	return nil
}

func download(ctx context.Context, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	n, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, resp.Body, make([]byte, 1<<20))
	if err == nil && n != largeSize {
		err = fmt.Errorf("%s: %d bytes", url, n)
	}
	return err
}
