package telemetry

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestJSONLinesAreThoseOfTheHandler(t *testing.T) {
	at := time.Date(2024, 2, 29, 13, 4, 5, 600, time.FixedZone("", 3600))
	for _, a := range []Access{
		{},
		{Time: at, ID: 1 << 63, Method: "GET", Path: "/repository/r/a.txt", Status: 200, Bytes: 1024, Duration: 1500 * time.Microsecond, Remote: "127.0.0.1"},
		{Time: at.UTC(), Method: "PUT", Path: "/a\"b\\c\x00\x1f\x7f/<&>/ü/\u2028\u2029\ufffd\xff\xe2\x80/日本", Caller: "jane", Repository: "r", Format: "raw", Class: "file", Error: "broken\npipe"},
	} {
		var want bytes.Buffer
		if err := slog.NewJSONHandler(&want, nil).Handle(context.Background(), a.record()); err != nil {
			t.Fatal(err)
		}
		got := JSONLines(nil, &a)
		if diff := cmp.Diff(decode(t, want.Bytes()), decode(t, got)); diff != "" {
			t.Errorf("%q differs from the handler's line:\n%s", got, diff)
		}
		if len(got) == 0 || got[len(got)-1] != '\n' {
			t.Errorf("%q is no line", got)
		}
	}
}

func decode(t *testing.T, line []byte) map[string]any {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(line))
	d.UseNumber()
	var m map[string]any
	if err := d.Decode(&m); err != nil {
		t.Fatalf("%q: %v", line, err)
	}
	delete(m, "time") // the handler leaves out a zero time
	return m
}
