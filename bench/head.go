package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"
)

// headThreads is how many threads send HEAD requests, as wrk does.
const headThreads = 2

// head loads a server with HEAD requests, one after the other on each connection, and gives their number, too. wrk would wait for
// the body that Content-Length speaks of. It works as wrk does, with a few threads that wait for many sockets, to cost as little.
func (b *bench) head(ctx context.Context, s side) (r result, n int, err error) {
	request := fmt.Appendf(nil, "HEAD %s HTTP/1.1\r\nHost: %s\r\n\r\n", s.path, s.p.addr)
	times := make([][]time.Duration, headThreads)
	begin := time.Now()
	g, ctx := errgroup.WithContext(ctx)
	for i := range times {
		g.Go(func() (err error) {
			t := headThread{request: request, until: begin.Add(b.duration), conns: make(map[int32]*headConn)}
			times[i], err = t.run(ctx, s.p.addr, s.load.connections/headThreads)
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

// headThread waits for the sockets of some connections.
type headThread struct {
	request []byte
	until   time.Time
	epoll   int
	conns   map[int32]*headConn // by descriptor
	times   []time.Duration
}

// headConn is one connection with what has come of an answer.
type headConn struct {
	sent time.Time
	have []byte
}

// run sends until it is time, and gives how long each answer took.
func (t *headThread) run(ctx context.Context, addr string, connections int) (_ []time.Duration, err error) {
	if t.epoll, err = unix.EpollCreate1(0); err != nil {
		return nil, err
	}
	defer unix.Close(t.epoll)
	for range connections {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
		if err != nil {
			return nil, err
		}
		file, err := conn.(*net.TCPConn).File()
		if err := errors.Join(err, conn.Close()); err != nil {
			return nil, err
		}
		defer file.Close()
		fd := int32(file.Fd())
		t.conns[fd] = &headConn{}
		if err := unix.EpollCtl(t.epoll, unix.EPOLL_CTL_ADD, int(fd), &unix.EpollEvent{Events: unix.EPOLLIN, Fd: fd}); err != nil {
			return nil, err
		}
		if err := t.send(fd); err != nil {
			return nil, err
		}
	}
	events := make([]unix.EpollEvent, connections)
	for ctx.Err() == nil && time.Now().Before(t.until) {
		n, err := unix.EpollWait(t.epoll, events, 100)
		if err != nil && err != unix.EINTR {
			return nil, err
		}
		for _, e := range events[:max(n, 0)] {
			if err := t.receive(e.Fd); err != nil {
				return nil, err
			}
		}
	}
	return t.times, ctx.Err()
}

func (t *headThread) send(fd int32) error {
	t.conns[fd].sent = time.Now()
	n, err := unix.Write(int(fd), t.request)
	if err == nil && n < len(t.request) {
		err = errors.New("a request was not taken whole")
	}
	return err
}

// receive takes what has come, and asks again after the end of an answer, which has to be a good one and has no body.
func (t *headThread) receive(fd int32) error {
	c, buf := t.conns[fd], [4096]byte{}
	n, err := unix.Read(int(fd), buf[:])
	if err == nil && n == 0 {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return err
	}
	c.have = append(c.have, buf[:n]...)
	if !bytes.HasSuffix(c.have, []byte("\r\n\r\n")) {
		return nil
	}
	if !bytes.HasPrefix(c.have, []byte("HTTP/1.1 200 ")) {
		return fmt.Errorf("answer %q", c.have)
	}
	c.have = c.have[:0]
	t.times = append(t.times, time.Since(c.sent))
	return t.send(fd)
}
