package main

import (
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"time"
)

// load is what a server is asked for a while.
type load struct {
	connections int
	script      string // Lua, for wrk
	head        bool   // HEAD requests, with which wrk cannot deal
	refused     bool   // answers other than 2xx and 3xx are what is wanted
}

// result is what a load saw.
type result struct {
	perSecond float64
	p99       time.Duration
	cpu       time.Duration // of the server, user and system, for one request
}

var (
	wrkCount  = regexp.MustCompile(`(\d+) requests in `)
	wrkRate   = regexp.MustCompile(`Requests/sec:\s+([\d.]+)`)
	wrkP99    = regexp.MustCompile(`99%\s+([\d.]+)(us|ms|s)`)
	wrkErrors = regexp.MustCompile(`Non-2xx or 3xx responses: (\d+)|Socket errors: .*`)
)

// side is one server of a pair with what it is asked.
type side struct {
	p    *process
	path string
	load load
}

// run loads a server. Answers that are not wanted are an error.
func (b *bench) run(ctx context.Context, s side) (result, error) {
	before, err := s.p.cpu()
	if err != nil {
		return result{}, err
	}
	load := b.wrk
	if s.load.head {
		load = b.head
	}
	r, n, err := load(ctx, s)
	if err != nil {
		return result{}, err
	}
	after, err := s.p.cpu()
	r.cpu = (after - before) / time.Duration(max(n, 1))
	return r, err
}

// wrk loads a server with wrk and gives the number of requests, too.
func (b *bench) wrk(ctx context.Context, s side) (r result, n int, err error) {
	script := filepath.Join(b.dir, "load.lua")
	if err := os.WriteFile(script, []byte(s.load.script), 0o644); err != nil {
		return r, 0, err
	}
	out, err := exec.CommandContext(ctx, "wrk", "-t2", "-c", strconv.Itoa(s.load.connections), "-d", b.duration.String(),
		"--latency", "-s", script, s.p.url(s.path)).CombinedOutput()
	if err != nil {
		return r, 0, fmt.Errorf("wrk: %w: %s", err, out)
	}
	if m := wrkErrors.Find(out); m != nil && !s.load.refused {
		return r, 0, fmt.Errorf("wrk on %s: %s", s.p.url(s.path), m)
	}
	count, rate, tail := wrkCount.FindSubmatch(out), wrkRate.FindSubmatch(out), wrkP99.FindSubmatch(out)
	if count == nil || rate == nil || tail == nil {
		return r, 0, fmt.Errorf("wrk: cannot read %s", out)
	}
	n, countErr := strconv.Atoi(string(count[1]))
	perSecond, rateErr := strconv.ParseFloat(string(rate[1]), 64)
	p99, tailErr := time.ParseDuration(string(tail[1]) + string(tail[2]))
	return result{perSecond: perSecond, p99: p99}, n, errors.Join(countErr, rateErr, tailErr)
}

// pair loads ours and the peer in turn and gives the medians.
func (b *bench) pair(ctx context.Context, ours, peer side) (o, p result, err error) {
	var all [2][]result
	for range b.rounds {
		for i, s := range []side{ours, peer} {
			r, err := b.run(ctx, s)
			if err != nil {
				return o, p, err
			}
			all[i] = append(all[i], r)
		}
	}
	return median(all[0]), median(all[1]), nil
}

// median takes the median of each figure.
func median(rs []result) (m result) {
	middle := func(by func(a, b result) int) result {
		slices.SortFunc(rs, by)
		return rs[len(rs)/2]
	}
	m.perSecond = middle(func(a, b result) int { return cmp.Compare(a.perSecond, b.perSecond) }).perSecond
	m.p99 = middle(func(a, b result) int { return cmp.Compare(a.p99, b.p99) }).p99
	m.cpu = middle(func(a, b result) int { return cmp.Compare(a.cpu, b.cpu) }).cpu
	return m
}

func basicHeader() string {
	return fmt.Sprintf("wrk.headers[\"Authorization\"] = \"Basic %s\"\n", base64.StdEncoding.EncodeToString([]byte("admin:"+password)))
}

// many asks for prefix followed by a number below n and suffix, each connection its own way through.
func many(n int, prefix, suffix string) string {
	return fmt.Sprintf(`local threads = 0
function setup(thread) thread:set("id", threads); threads = threads + 1 end
function init() math.randomseed(id * 7919 + 1) end
function request() return wrk.format(nil, %q .. math.random(0, %d) .. %q) end
`, prefix, n-1, suffix)
}

// puts writes bodies of size bytes to ever new paths below prefix.
func puts(prefix string, size int) string {
	return fmt.Sprintf(`local threads = 0
function setup(thread) thread:set("id", threads); threads = threads + 1 end
function init() n = 0; body = string.rep("x", %d - 24); math.randomseed(os.time() + id) ; run = math.random(1, 1000000000) end
function request()
  n = n + 1
  return wrk.format("PUT", %q .. run .. "-" .. id .. "-" .. (n %% 256) .. "/" .. n, nil, string.format("%%010d%%04d%%010d", run, id, n) .. body)
end
`, size, prefix)
}
