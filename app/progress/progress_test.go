package progress

import (
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestLine(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	clock := func() time.Time { return now }
	tests := []struct {
		terminal               bool
		totalItems, totalBytes int64
		items, bytes           int64
		want                   string
	}{
		{false, 0, 0, 10, 2048, "x  10  2.0 KiB  1/s  204 B/s"},
		{false, 100, 1 << 20, 50, 256 << 10, "x   25 %  50/100  256.0 KiB/1.0 MiB  5/s  25.6 KiB/s  30s left"},
		{true, 4, 0, 4, 0, "x  [############################] 100 %  4/4  0 B/0 B  0/s  0 B/s"},
	}
	for _, tt := range tests {
		now = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		var out strings.Builder
		m := Start(&out, Options{Title: "x", Terminal: tt.terminal, Now: clock, Every: time.Hour})
		m.Total(tt.totalItems, tt.totalBytes)
		m.Add(tt.items, tt.bytes)
		now = now.Add(10 * time.Second)
		if got := m.Line(); got != tt.want {
			t.Errorf("got  %q\nwant %q", got, tt.want)
		}
		m.Close()
		if !strings.Contains(out.String(), tt.want) {
			t.Errorf("final line %q", out.String())
		}
	}
}

func TestBytes(t *testing.T) {
	for n, want := range map[int64]string{0: "0 B", 1023: "1023 B", 1024: "1.0 KiB", 5 << 30: "5.0 GiB", 1 << 62: "4.0 EiB"} {
		if got := Bytes(n); got != want {
			t.Errorf("%d: got %s, want %s", n, got, want)
		}
	}
}
