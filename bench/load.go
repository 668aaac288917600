package main

import (
	"context"
	"encoding/base64"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"time"
)

// load is one use of wrk.
type load struct {
	connections int
	script      string // Lua
}

// result is what wrk saw.
type result struct {
	perSecond float64
	p99       time.Duration
}

var (
	wrkRate   = regexp.MustCompile(`Requests/sec:\s+([\d.]+)`)
	wrkP99    = regexp.MustCompile(`99%\s+([\d.]+)(us|ms|s)`)
	wrkErrors = regexp.MustCompile(`Non-2xx or 3xx responses: (\d+)|Socket errors: .*`)
)

// run loads a server. Answers other than 2xx and 3xx are an error unless wantErrors.
func (b *bench) wrk(ctx context.Context, p *process, path string, l load, wantErrors bool) (result, error) {
	script := filepath.Join(b.dir, "load.lua")
	if err := os.WriteFile(script, []byte(l.script), 0o644); err != nil {
		return result{}, err
	}
	out, err := exec.CommandContext(ctx, "wrk", "-t2", "-c", strconv.Itoa(l.connections), "-d", b.duration.String(),
		"--latency", "-s", script, p.url(path)).CombinedOutput()
	if err != nil {
		return result{}, fmt.Errorf("wrk: %w: %s", err, out)
	}
	if m := wrkErrors.Find(out); m != nil && !wantErrors {
		return result{}, fmt.Errorf("wrk on %s: %s", p.url(path), m)
	}
	rate, tail := wrkRate.FindSubmatch(out), wrkP99.FindSubmatch(out)
	if rate == nil || tail == nil {
		return result{}, fmt.Errorf("wrk: cannot read %s", out)
	}
	var r result
	if r.perSecond, err = strconv.ParseFloat(string(rate[1]), 64); err != nil {
		return result{}, err
	}
	r.p99, err = time.ParseDuration(string(tail[1]) + string(tail[2]))
	return r, err
}

// side is one server of a pair with what it is asked.
type side struct {
	p    *process
	path string
	load load
}

// pair loads ours and the peer in turn and gives the medians.
func (b *bench) pair(ctx context.Context, ours, peer side, wantErrors bool) (o, p result, err error) {
	var all [2][]result
	for range b.rounds {
		for i, s := range []side{ours, peer} {
			r, err := b.wrk(ctx, s.p, s.path, s.load, wantErrors)
			if err != nil {
				return o, p, err
			}
			all[i] = append(all[i], r)
		}
	}
	return median(all[0]), median(all[1]), nil
}

func median(rs []result) result {
	slices.SortFunc(rs, func(a, b result) int { return int(a.perSecond - b.perSecond) })
	m := rs[len(rs)/2]
	slices.SortFunc(rs, func(a, b result) int { return int(a.p99 - b.p99) })
	m.p99 = rs[len(rs)/2].p99
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
