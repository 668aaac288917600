package main

import (
	"bufio"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"entrepot/bench/nexusdir"
)

// imports measures the import of a data directory against plain copying and hashing of the same files, and how soon a server answers
// that adopts it.
func (b *bench) imports(ctx context.Context) error {
	old := filepath.Join(b.dir, "old")
	begin := time.Now()
	if err := nexusdir.Make(ctx, old, nexusdir.Options{Assets: b.imported, Bytes: b.importedBytes}); err != nil {
		return err
	}
	fmt.Printf("made %d assets in %s\n", b.imported, time.Since(begin).Round(time.Millisecond))
	if err := b.adoption(ctx, old); err != nil {
		return err
	}
	var runs []importRun
	for round := range b.rounds {
		run, err := b.importRound(ctx, old, round)
		if err != nil {
			return err
		}
		runs = append(runs, run)
	}
	b.printImports(runs)
	return nil
}

// importRun is what one round gave.
type importRun struct {
	ours   time.Duration
	peer   time.Duration // cp and hashing
	synced time.Duration // the same with a sync, after which the copies are as durable as ours
	rss    float64       // MiB, at its highest

	oursCPU, peerCPU time.Duration // processor time, user and system
}

// importRound imports and copies once each. Both start with the source in the page cache and with nothing left to write.
func (b *bench) importRound(ctx context.Context, old string, round int) (run importRun, err error) {
	data, copied := filepath.Join(b.dir, "imported"), filepath.Join(b.dir, "copied")
	defer os.RemoveAll(data)
	defer os.RemoveAll(copied)
	work := []func() error{
		func() error { return b.importOnce(ctx, data, old, &run) },
		func() error { return copyAndHash(ctx, filepath.Join(old, "blobs"), copied, &run) },
	}
	for i := range work {
		if _, err := readAll(filepath.Join(old, "blobs")); err != nil {
			return run, err
		}
		syscall.Sync()
		if err := work[(i+round)%len(work)](); err != nil {
			return run, err
		}
	}
	fmt.Printf("import: %s, peer %s, %.0f MiB\n", run.ours.Round(time.Millisecond), run.synced.Round(time.Millisecond), run.rss)
	return run, nil
}

// importOnce runs the program, which ends when all is durable.
func (b *bench) importOnce(ctx context.Context, data, old string, run *importRun) (err error) {
	begin := time.Now()
	run.rss, run.oursCPU, err = b.importNexus(ctx, data, old)
	run.ours = time.Since(begin)
	return err
}

// importNexus runs an import and gives its memory at its highest, in MiB, and its processor time.
func (b *bench) importNexus(ctx context.Context, data, old string, flags ...string) (float64, time.Duration, error) {
	cmd := exec.CommandContext(ctx, b.binary, append([]string{"import", "nexus", "--data", data, old}, flags...)...)
	cmd.Env = append(os.Environ(), "ENTREPOT_ADMIN_PASSWORD="+password)
	if out, err := cmd.CombinedOutput(); err != nil {
		return 0, 0, fmt.Errorf("%w: %s", err, out[max(0, len(out)-2000):])
	}
	usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		return 0, 0, errors.New("the system does not tell what a program used")
	}
	return float64(usage.Maxrss) / 1024, processor(usage), nil
}

func processor(usage *syscall.Rusage) time.Duration {
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// copyAndHash is what an administrator would do by hand: cp, and one pass of SHA-256 over the copies; a sync would come between.
func copyAndHash(ctx context.Context, from, to string, run *importRun) error {
	begin := time.Now()
	cp := exec.CommandContext(ctx, "cp", "-r", "--sparse=never", from, to)
	if out, err := cp.CombinedOutput(); err != nil {
		return fmt.Errorf("cp: %w: %s", err, out)
	}
	copied := time.Since(begin)
	syscall.Sync()
	waited := time.Since(begin) - copied
	var before, after syscall.Rusage
	err := syscall.Getrusage(syscall.RUSAGE_SELF, &before)
	if err == nil {
		_, err = hashAll(to)
	}
	if err == nil {
		err = syscall.Getrusage(syscall.RUSAGE_SELF, &after)
	}
	run.synced = time.Since(begin)
	run.peer = run.synced - waited
	run.peerCPU = cp.ProcessState.UserTime() + cp.ProcessState.SystemTime() + processor(&after) - processor(&before)
	return err
}

// readAll reads every body, so that the disk's own speed is out of the comparison.
func readAll(dir string) (int64, error) {
	return eachBody(dir, func(f *os.File) (int64, error) { return io.Copy(io.Discard, bufio.NewReaderSize(f, 1<<20)) })
}

func hashAll(dir string) (int64, error) {
	return eachBody(dir, func(f *os.File) (int64, error) { return io.Copy(sha256.New(), f) })
}

func eachBody(dir string, visit func(*os.File) (int64, error)) (total int64, err error) {
	err = filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || !strings.HasSuffix(path, ".bytes") {
			return err
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		n, err := visit(f)
		total += n
		return errors.Join(err, f.Close())
	})
	return total, err
}

func (b *bench) printImports(runs []importRun) {
	middle := func(of func(importRun) float64) float64 {
		var values []float64
		for _, r := range runs {
			values = append(values, of(r))
		}
		slices.Sort(values)
		return values[len(values)/2]
	}
	ours := middle(func(r importRun) float64 { return r.ours.Seconds() })
	peer := middle(func(r importRun) float64 { return r.peer.Seconds() })
	synced := middle(func(r importRun) float64 { return r.synced.Seconds() })
	assets, megabytes := float64(b.imported), float64(b.importedBytes)/1e6
	label := fmt.Sprintf("import of %d assets", b.imported)
	b.ratio(label+", plain cp", "assets/s", assets/ours, assets/peer, 0.8)
	b.ratio(label+", plain cp", "MB/s", megabytes/ours, megabytes/peer, 0.8)
	b.ratio(label+", cp and sync", "assets/s", assets/ours, assets/synced, 0.8)
	cpu := func(of func(importRun) time.Duration) time.Duration {
		return time.Duration(middle(func(r importRun) float64 { return float64(of(r)) }) / assets)
	}
	b.cost(label+", one asset", cpu(func(r importRun) time.Duration { return r.oursCPU }), cpu(func(r importRun) time.Duration { return r.peerCPU }))
	b.bound(label+": memory", "MiB", middle(func(r importRun) float64 { return r.rss }), 128)
}

// adoption measures the time from the start of an adopting import to the first good answer of the server.
func (b *bench) adoption(ctx context.Context, old string) error {
	data := filepath.Join(b.dir, "adopted")
	defer os.RemoveAll(data)
	begin := time.Now()
	rss, cpu, err := b.importNexus(ctx, data, old, "--adopt")
	if err != nil {
		return err
	}
	server, err := b.entrepot(data)
	if err != nil {
		return err
	}
	last := (b.imported - 1) / 9 * 9
	err = server.request(ctx, http.MethodGet, "/repository/"+nexusdir.Repository+nexusdir.PathOf(last), nil, "")
	took := time.Since(begin)
	if err = errors.Join(err, server.stop()); err != nil {
		return err
	}
	label := fmt.Sprintf("adopt %d assets", b.imported)
	b.bound(label+" to first 200", "s", took.Seconds(), 10)
	b.bound(label+": memory", "MiB", rss, 128)
	b.add(row{name: label + ": processor time", ours: cpu.Round(time.Millisecond).String()})
	return nil
}
