// Command bench measures the built binary against nginx on the same files, in the same run on the same machine, and prints ratios,
// because absolute figures say more about the machine. It needs bin/entrepot, nginx and wrk.
//
//	go run ./bench                      # everything
//	go run ./bench -only 'get|start'    # some of it
//	go run ./bench -assets 100000       # a smaller server for the figures at scale
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"text/tabwriter"
	"time"
)

// bench is one run.
type bench struct {
	dir        string // working folder
	binary     string
	assets     int
	components int

	imported      int // assets of the imported data directory
	importedBytes int64
	rounds        int
	duration      time.Duration
	only          *regexp.Regexp
	rows          []row
}

// row is one figure with what it is held against; wanted is "" where nothing is asked of it.
type row struct {
	name, ours, peer string
	ratio            float64
	wanted           string
	met              bool
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	b := &bench{}
	dir := flag.String("dir", ".cache/bench", "working folder; emptied first")
	only := flag.String("only", "", "expression on the names of measurements")
	flag.StringVar(&b.binary, "binary", "bin/entrepot", "the server to measure")
	flag.IntVar(&b.assets, "assets", 1_000_000, "assets of the large server")
	flag.IntVar(&b.components, "components", 1_000_000, "components that are searched in")
	flag.IntVar(&b.imported, "import-assets", 200_000, "assets of the data directory that is imported")
	size := flag.Float64("import-gib", 4, "size of all bodies that are imported, in GiB; three times as much is needed on disk")
	flag.IntVar(&b.rounds, "rounds", 3, "how often each pair is measured; the median counts")
	flag.DurationVar(&b.duration, "duration", 3*time.Second, "of one load")
	flag.Parse()
	b.importedBytes = int64(*size * (1 << 30))
	b.only = regexp.MustCompile(*only)
	if err := b.measure(ctx, *dir); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
	b.print()
}

func (b *bench) measure(ctx context.Context, dir string) error {
	var err error
	if b.dir, err = filepath.Abs(dir); err != nil {
		return err
	}
	if b.binary, err = filepath.Abs(b.binary); err != nil {
		return err
	}
	if err := os.RemoveAll(b.dir); err != nil {
		return err
	}
	if err := os.MkdirAll(b.dir, 0o755); err != nil {
		return err
	}
	for _, part := range []struct {
		name string
		run  func(context.Context) error
	}{
		{"get", b.reads},
		{"put", b.writes},
		{"large", b.large},
		{"start", b.starts},
		{"scale", b.scale},
		{"search", b.search},
		{"import", b.imports},
	} {
		if !b.only.MatchString(part.name) || part.name == "import" && b.only.String() == "" { // minutes: when asked for
			continue
		}
		if err := part.run(ctx); err != nil {
			return fmt.Errorf("%s: %w", part.name, err)
		}
	}
	return nil
}

// ratio adds a figure that is held against a peer's; more is better.
func (b *bench) ratio(name, unit string, ours, peer, atLeast float64) {
	r := row{name: name, ours: number(ours, unit), peer: number(peer, unit), ratio: ours / peer, wanted: fmt.Sprintf(">= %.2f x", atLeast)}
	r.met = r.ratio >= atLeast
	b.add(r)
}

// slower adds a time that may be at most so many times a peer's.
func (b *bench) slower(name string, ours, peer time.Duration, atMost float64) {
	r := row{name: name, ours: ours.String(), peer: peer.String(), ratio: ours.Seconds() / peer.Seconds(), wanted: fmt.Sprintf("<= %.2f x", atMost)}
	r.met = r.ratio <= atMost
	b.add(r)
}

// cost adds the processor time of one request, which tells more than the rate where others use the machine as well.
func (b *bench) cost(name string, ours, peer time.Duration) {
	b.add(row{name: name + ": processor time", ours: ours.String(), peer: peer.String(), ratio: ours.Seconds() / peer.Seconds()})
}

// bound adds a figure that may not be exceeded.
func (b *bench) bound(name, unit string, ours, atMost float64) {
	b.add(row{name: name, ours: number(ours, unit), peer: "", wanted: "<= " + number(atMost, unit), met: ours <= atMost})
}

func (b *bench) add(r row) {
	b.rows = append(b.rows, r)
	fmt.Fprintf(os.Stderr, "%-48s %14s %14s %6.2f  %s\n", r.name, r.ours, r.peer, r.ratio, r.wanted)
}

func number(v float64, unit string) string {
	if v >= 100 {
		return fmt.Sprintf("%.0f %s", v, unit)
	}
	return fmt.Sprintf("%.3g %s", v, unit)
}

func (b *bench) print() {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "work\tours\tpeer\tratio\twanted\tmet")
	for _, r := range b.rows {
		ratio := ""
		if r.ratio > 0 {
			ratio = fmt.Sprintf("%.2f x", r.ratio)
		}
		met := ""
		switch {
		case r.wanted == "":
		case r.met:
			met = "yes"
		default:
			met = "NO"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", r.name, r.ours, r.peer, ratio, r.wanted, met)
	}
	_ = w.Flush() // to the terminal
}
