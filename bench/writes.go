package main

import (
	"bytes"
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/zeebo/blake3"
	"golang.org/x/sync/errgroup"
)

// writes measures durable writes: small ones against nginx, which does not sync, larger ones against a plain program that writes,
// syncs and hashes in one pass on the same disk.
func (b *bench) writes(ctx context.Context) error {
	ours, err := b.entrepot(filepath.Join(b.dir, "writes"))
	if err != nil {
		return err
	}
	defer ours.stop()
	peer, err := b.nginx(filepath.Join(b.dir, "root"))
	if err != nil {
		return err
	}
	defer peer.stop()
	if err := ours.rawRepository(ctx, "bench"); err != nil {
		return err
	}
	o, p, err := b.pair(ctx,
		side{ours, "/", load{connections: 16, script: basicHeader() + puts("/repository/bench/", 1024)}},
		side{peer, "/", load{connections: 16, script: puts("/dav/", 1024)}})
	if err != nil {
		return err
	}
	b.ratio("PUT 1 KiB x 16, durable", "/s", o.perSecond, p.perSecond, 0.26)
	b.cost("PUT 1 KiB x 16, durable", o.cpu, p.cpu)
	for _, u := range []upload{
		{"PUT 1 MiB x 8, durable", 8, 64, 1 << 20},
		{"PUT 1 GiB, durable", 1, 1, 1 << 30},
	} {
		if err := b.upload(ctx, ours, u); err != nil {
			return err
		}
	}
	return nil
}

// upload is a number of bodies that so many writers write at once.
type upload struct {
	name       string
	writers, n int
	size       int64 // of each, in bytes
}

// upload measures uploads against the plain program.
func (b *bench) upload(ctx context.Context, ours *process, u upload) error {
	dir := filepath.Join(b.dir, "plain")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	var best [2]float64
	for round := range b.rounds {
		for i, write := range []func(id string, body io.Reader) error{
			func(id string, body io.Reader) error {
				return ours.request(ctx, http.MethodPut, "/repository/bench/"+id, body, "")
			},
			func(id string, body io.Reader) error { return plain(filepath.Join(dir, id), body) },
		} {
			rate, err := timed(u.writers, u.n, u.size, func(k int) error {
				id := fmt.Sprintf("%d-%d-%d", u.size, round, k)
				return write(id, newPattern(id, u.size))
			})
			if err != nil {
				return err
			}
			best[i] = max(best[i], rate)
		}
	}
	b.ratio(u.name, "MB/s", best[0], best[1], 0.8)
	return nil
}

// timed gives the megabytes per second of n writes of size bytes.
func timed(writers, n int, size int64, write func(k int) error) (float64, error) {
	begin := time.Now()
	var g errgroup.Group
	g.SetLimit(writers)
	for k := range n {
		g.Go(func() error { return write(k) })
	}
	err := g.Wait()
	return float64(n) * float64(size) / 1e6 / time.Since(begin).Seconds(), err
}

// plain is the small program: one pass of writing and three hashes, one sync.
func plain(path string, body io.Reader) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	buf := make([]byte, 256<<10)
	_, err = io.CopyBuffer(io.MultiWriter(f, blake3.New(), sha256.New(), sha1.New()), struct{ io.Reader }{body}, buf)
	return errors.Join(err, f.Sync(), f.Close())
}

// newPattern gives size bytes that differ between ids and cost nothing to make.
func newPattern(id string, size int64) io.Reader {
	block := bytes.Repeat([]byte(id+"\n"), (64<<10)/(len(id)+1)+1)
	return io.LimitReader(&repeated{block: block}, size)
}

type repeated struct {
	block []byte
	at    int
}

func (r *repeated) Read(p []byte) (int, error) {
	n := copy(p, r.block[r.at:])
	r.at = (r.at + n) % len(r.block)
	return n, nil
}
