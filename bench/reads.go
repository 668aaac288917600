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
	for _, m := range []struct {
		name       string
		ours, peer load
		path       string
		wanted     float64
	}{
		{"GET 1 KiB, one file", load{}, load{}, "/f/1.bin", 0.8},
		{"GET 1 KiB, 10,000 files", load{script: many(smallFiles, repo+"/f/", ".bin")}, load{script: many(smallFiles, "/f/", ".bin")}, "/", 0.8},
		{"HEAD 1 KiB", load{head: true}, load{head: true}, "/f/1.bin", 0.8},
		{"GET, 404", load{refused: true}, load{refused: true}, "/f/none.bin", 0.8},
		{"GET 1 KiB with Basic credentials", load{script: basicHeader()}, load{}, "/f/1.bin", 0.6},
	} {
		m.ours.connections, m.peer.connections = 32, 32
		o, p, err := b.pair(ctx, side{ours, repo + m.path, m.ours}, side{peer, m.path, m.peer})
		if err != nil {
			return err
		}
		b.ratio(m.name, "/s", o.perSecond, p.perSecond, m.wanted)
		b.cost(m.name, o.cpu, p.cpu)
		b.slower(m.name+": p99", o.p99, p.p99, 2)
	}
	return nil
}
