package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
)

// head loads a server with HEAD requests, one after the other on each connection, and gives their number, too. wrk would wait for
// the body that Content-Length speaks of.
func (b *bench) head(ctx context.Context, s side) (r result, n int, err error) {
	request := fmt.Appendf(nil, "HEAD %s HTTP/1.1\r\nHost: %s\r\n\r\n", s.path, s.p.addr)
	times := make([][]time.Duration, s.load.connections)
	begin := time.Now()
	g, ctx := errgroup.WithContext(ctx)
	for i := range times {
		g.Go(func() (err error) {
			times[i], err = heads(ctx, s.p.addr, request, begin.Add(b.duration))
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return r, 0, fmt.Errorf("HEAD %s: %w", s.p.url(s.path), err)
	}
	elapsed := time.Since(begin)
	all := slices.Concat(times...)
	slices.Sort(all)
	return result{perSecond: float64(len(all)) / elapsed.Seconds(), p99: all[len(all)*99/100]}, len(all), nil
}

// heads sends a request again and again on one connection until a time, and gives how long each answer took.
func heads(ctx context.Context, addr string, request []byte, until time.Time) ([]time.Duration, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	if err := conn.SetDeadline(until.Add(time.Minute)); err != nil {
		return nil, err
	}
	in := bufio.NewReader(conn)
	var times []time.Duration
	for begin := time.Now(); ctx.Err() == nil && begin.Before(until); {
		if _, err := conn.Write(request); err != nil {
			return nil, err
		}
		if err := readHead(in); err != nil {
			return nil, err
		}
		now := time.Now()
		times = append(times, now.Sub(begin))
		begin = now
	}
	return times, ctx.Err()
}

// readHead reads one answer of status 200, which has no body.
func readHead(in *bufio.Reader) error {
	line, err := in.ReadSlice('\n')
	if err != nil {
		return err
	}
	if !bytes.HasPrefix(line, []byte("HTTP/1.1 200 ")) {
		return fmt.Errorf("answer %q", line)
	}
	for len(bytes.TrimSpace(line)) > 0 {
		if line, err = in.ReadSlice('\n'); err != nil {
			return err
		}
	}
	return nil
}
