package rest

import (
	"crypto/rand"
	"encoding/base64"
	"net/http"
	"sync"
	"time"
)

const (
	ticketLife = time.Minute
	maxTickets = 10_000 // at once; the oldest give way
)

// errTicket is the answer to a ticket that is not good, or not any more.
var errTicket = &message{status: http.StatusForbidden, text: "Invalid authentication ticket", plain: true}

// tickets are tokens for one use, which prove that a user gave the password just now. They live in memory: a restart ends them.
type tickets struct {
	mu    sync.Mutex
	given map[string]ticket
}

type ticket struct {
	user    string
	expires time.Time
}

// issue makes a ticket for a user.
func (t *tickets) issue(user string, now time.Time) string {
	raw := make([]byte, 48)
	rand.Read(raw) // never fails
	text := base64.StdEncoding.EncodeToString(raw)
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.given == nil {
		t.given = make(map[string]ticket)
	}
	if len(t.given) >= maxTickets {
		t.prune(now)
	}
	t.given[text] = ticket{user, now.Add(ticketLife)}
	return text
}

// prune makes room: it drops what has expired, and the oldest one.
func (t *tickets) prune(now time.Time) {
	oldest := ""
	for text, one := range t.given {
		if !one.expires.After(now) {
			delete(t.given, text)
		} else if oldest == "" || one.expires.Before(t.given[oldest].expires) {
			oldest = text
		}
	}
	delete(t.given, oldest)
}

// redeem takes a ticket back. It reports whether it was good for this user.
func (t *tickets) redeem(text, user string, now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	one, ok := t.given[text]
	delete(t.given, text)
	return ok && one.user == user && one.expires.After(now)
}
