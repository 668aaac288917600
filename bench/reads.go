package main

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"

	"golang.org/x/sync/errgroup"
)

const smallFiles = 10_000

// small gives the body of a small file.
func small(i int) []byte {
	r := rand.New(rand.NewPCG(uint64(i), 1))
	body := make([]byte, 1024)
	for j := range body {
		body[j] = byte(r.Uint32())
	}
	return body
}

// fill puts the small files below nginx's root and into ours.
func (b *bench) fill(ctx context.Context, root string, ours *process) error {
	if err := ours.rawRepository(ctx, "bench"); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(root, "f"), 0o755); err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(16)
	for i := range smallFiles {
		g.Go(func() error {
			body := small(i)
			if err := os.WriteFile(filepath.Join(root, "f", fmt.Sprint(i)+".bin"), body, 0o644); err != nil {
				return err
			}
			return ours.request(ctx, http.MethodPut, fmt.Sprintf("/repository/bench/f/%d.bin", i), bytes.NewReader(body), "")
		})
	}
	return g.Wait()
}

// reads measures small reads.
func (b *bench) reads(ctx context.Context) (err error) {
	root := filepath.Join(b.dir, "root")
	ours, err := b.entrepot(filepath.Join(b.dir, "reads"))
	if err != nil {
		return err
	}
	defer ours.stop()
	peer, err := b.nginx(root)
	if err != nil {
		return err
	}
	defer peer.stop()
	if err := b.fill(ctx, root, ours); err != nil {
		return err
	}
	const repo = "/repository/bench"
	one, all := "", many(smallFiles, "/f/", ".bin")
	ourAll := many(smallFiles, repo+"/f/", ".bin")
	for _, m := range []struct {
		name         string
		ours, peer   string // scripts
		path         string
		wanted       float64
		wantedErrors bool
	}{
		{"GET 1 KiB, one file", one, one, "/f/1.bin", 0.8, false},
		{"GET 1 KiB, 10,000 files", ourAll, all, "/", 0.8, false},
		{"HEAD 1 KiB", `wrk.method = "HEAD"`, `wrk.method = "HEAD"`, "/f/1.bin", 0.8, false},
		{"GET, 404", one, one, "/f/none.bin", 0.8, true},
		{"GET 1 KiB with Basic credentials", basicHeader(), one, "/f/1.bin", 0.6, false},
	} {
		o, p, err := b.pair(ctx, side{ours, repo + m.path, load{32, m.ours}}, side{peer, m.path, load{32, m.peer}}, m.wantedErrors)
		if err != nil {
			return err
		}
		b.ratio(m.name, "/s", o.perSecond, p.perSecond, m.wanted)
		b.slower(m.name+": p99", o.p99, p.p99, 2)
	}
	return nil
}
