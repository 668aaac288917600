package upstream

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"
)

// TestSharedOptions wants what all clients share to hold for those that have nothing of their own.
func TestSharedOptions(t *testing.T) {
	var agent atomic.Value
	var scheme atomic.Value
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { agent.Store(r.UserAgent()) }))
	t.Cleanup(s.Close)
	one, five := 1, 5
	o := &Options{
		UserAgent: "Agent/1", Suffix: "shared", Timeout: 7 * time.Second, Retries: &five,
		Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
			scheme.Store(SchemeOf(ctx))
			return (&net.Dialer{}).DialContext(ctx, network, address)
		},
	}
	tests := []struct {
		settings Settings
		agent    string
		timeout  time.Duration
		retries  int
	}{
		{Settings{}, "Agent/1 shared", 7 * time.Second, 5},
		{Settings{UserAgentSuffix: "own", Timeout: time.Second, Retries: &one}, "Agent/1 own", time.Second, 1},
	}
	for _, tt := range tests {
		tt.settings.URL = s.URL
		c, err := New(tt.settings, o)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := c.Fetch(t.Context(), Request{Path: "a"})
		if err != nil {
			t.Fatal(err)
		}
		if err := resp.Body.Close(); err != nil {
			t.Error(err)
		}
		c.Close()
		if agent.Load() != tt.agent || c.retries != tt.retries || c.transport.ResponseHeaderTimeout != tt.timeout || scheme.Load() != "http" {
			t.Errorf("%+v: agent %q, %d retries, time-out %s, scheme %q", tt.settings, agent.Load(), c.retries, c.transport.ResponseHeaderTimeout, scheme.Load())
		}
	}
}
