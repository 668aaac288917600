package repository

import (
	"net/http"
	"testing"
	"time"
)

func TestHTTPTime(t *testing.T) {
	zone := time.FixedZone("", -7*3600)
	for _, at := range []time.Time{
		{}, time.Unix(0, 0), time.Date(2024, 2, 29, 23, 59, 59, 999, zone), time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC),
		time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC), time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(-1, 1, 1, 0, 0, 0, 0, time.UTC),
	} {
		if got, want := httpTime(at), at.UTC().Format(http.TimeFormat); got != want {
			t.Errorf("%v: %q; want %q", at, got, want)
		}
	}
	start := time.Date(2023, 12, 31, 22, 58, 57, 0, zone)
	for i := range 400 {
		at := start.Add(time.Duration(i) * (23*time.Hour + 61*time.Second))
		if got, want := httpTime(at), at.UTC().Format(http.TimeFormat); got != want {
			t.Errorf("%v: %q; want %q", at, got, want)
		}
	}
}
