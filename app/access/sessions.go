package access

import (
	"context"
	"crypto/subtle"
	"sync"
	"sync/atomic"
	"time"
)

// maxSessions bounds the live sessions; the one unused longest makes room.
const maxSessions = 20_000

// sessions are the sign-ins by cookie, in memory.
type sessions struct {
	idle time.Duration
	mu   sync.RWMutex
	byID map[string]*session
}

// session is one sign-in. All but when it was last used and what that led to is fixed.
type session struct {
	id       string
	identity Identity
	seen     atomic.Int64 // Unix nanoseconds
	last     atomic.Pointer[signedIn]
}

func newSessions(idle time.Duration) *sessions {
	return &sessions{idle: idle, byID: map[string]*session{}}
}

// Login verifies a user and password and begins a session. Its id is a secret for the client's cookie.
func (s *Service) Login(ctx context.Context, c Credentials) (id string, subject *Subject, err error) {
	if c.Kind != Basic {
		return "", nil, ErrBadCredentials
	}
	snap, err := s.current(ctx)
	if err != nil {
		return "", nil, err
	}
	e, err := s.identify(ctx, snap, &c)
	if err != nil {
		return "", nil, err
	}
	if e.identity.realm == RealmAPIToken { // which ends, and may be narrower than its user
		return "", nil, ErrBadCredentials
	}
	return s.begin(snap, e.identity, e.subject)
}

// begin begins a session of a subject that an identity led to.
func (s *Service) begin(snap *snapshot, identity Identity, subject *Subject) (string, *Subject, error) {
	id, err := s.newID()
	if err != nil {
		return "", nil, err
	}
	sess := &session{id: id, identity: identity}
	sess.seen.Store(s.opts.Now().UnixNano())
	s.sessions.add(sess, s.opts.Now())
	subject = subject.within(id)
	sess.last.Store(s.remember(identity, subject, snap))
	return id, subject, nil
}

// within gives the subject as seen in a session.
func (s *Subject) within(session string) *Subject {
	same := *s
	same.session, same.needs = session, false
	return &same
}

// Logout ends a session and tells whether it was alive.
func (s *Service) Logout(id string) bool {
	return s.sessions.get(id, s.opts.Now()) != nil && s.sessions.end(id)
}

// resume gives the subject of a live session, or nil.
func (s *Service) resume(ctx context.Context, snap *snapshot, id string) (*Subject, error) {
	now := s.opts.Now()
	sess := s.sessions.get(id, now)
	if sess == nil {
		return nil, nil
	}
	last := sess.last.Load()
	if last == nil {
		last = &signedIn{identity: sess.identity}
	}
	if last.snap != snap || !last.expires.IsZero() && !now.Before(last.expires) {
		identity, err := s.confirm(ctx, snap, last)
		var subject *Subject
		if err == nil && identity != nil {
			subject, err = s.renew(ctx, snap, *identity)
		}
		if err != nil {
			return nil, err
		}
		if subject == nil {
			s.sessions.end(id)
			return nil, nil
		}
		last = s.remember(*identity, subject.within(id), snap)
		sess.last.Store(last)
	}
	sess.seen.Store(now.UnixNano())
	return last.subject, nil
}

// remember gives what a session keeps of a verified identity, and for how long when a directory may come to say otherwise.
func (s *Service) remember(id Identity, subject *Subject, snap *snapshot) *signedIn {
	e := &signedIn{identity: id, subject: subject, snap: snap, expires: id.Until}
	if r, ok := s.realmOf(id.Source); ok && r.Directory != nil {
		e.expires = id.before(s.opts.Now().Add(r.CacheFor))
	}
	return e
}

// confirm asks the directory of a session's user whether it still knows the user, and in which groups; nil when it does not.
func (s *Service) confirm(ctx context.Context, snap *snapshot, e *signedIn) (*Identity, error) {
	if e.expires.IsZero() || s.opts.Now().Before(e.expires) {
		return &e.identity, nil
	}
	groups, err := s.externalGroups(ctx, snap, e.identity.Source, e.identity.UserID)
	if err != nil {
		return nil, unless(err, ErrBadCredentials)
	}
	same := e.identity
	same.Groups = groups
	return &same, nil
}

func (s *sessions) add(sess *session, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.byID) >= maxSessions {
		s.makeRoom(now)
	}
	s.byID[sess.id] = sess
}

// makeRoom drops dead sessions, and the one unused longest when there are none.
func (s *sessions) makeRoom(now time.Time) {
	var oldest *session
	for id, sess := range s.byID {
		if s.dead(sess, now) {
			delete(s.byID, id)
		} else if oldest == nil || sess.seen.Load() < oldest.seen.Load() {
			oldest = sess
		}
	}
	if oldest != nil && len(s.byID) >= maxSessions {
		delete(s.byID, oldest.id)
	}
}

func (s *sessions) dead(sess *session, now time.Time) bool {
	return now.UnixNano()-sess.seen.Load() >= int64(s.idle)
}

// get gives a live session, or nil.
func (s *sessions) get(id string, now time.Time) *session {
	s.mu.RLock()
	sess := s.byID[id]
	s.mu.RUnlock()
	if sess != nil && s.dead(sess, now) {
		s.end(id)
		return nil
	}
	return sess
}

func (s *sessions) end(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, alive := s.byID[id]
	delete(s.byID, id)
	return alive
}

// endUser ends a user's sessions but one.
func (s *sessions) endUser(source, user, keep string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, sess := range s.byID {
		if sess.identity.Source == source && sess.identity.UserID == user && id != keep {
			delete(s.byID, id)
		}
	}
}

// restamp lets one of a user's sessions survive a new password.
func (s *sessions) restamp(id, source, user, stamp string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.byID[id]
	if old == nil || old.identity.Source != source || old.identity.UserID != user || old.identity.stamp == "" {
		return
	}
	kept := &session{id: id, identity: old.identity}
	kept.identity.stamp = stamp
	kept.seen.Store(old.seen.Load())
	s.byID[id] = kept
}

// CSRFToken is an anti-CSRF token as it came, or did not come, in a header, cookie or form field.
type CSRFToken struct {
	Value   string
	Present bool
}

// Same tells whether both tokens came and are equal.
func (t CSRFToken) Same(other CSRFToken) bool {
	return t.Present && other.Present && subtle.ConstantTimeCompare([]byte(t.Value), []byte(other.Value)) == 1
}

// CSRFResult is what is to be done about cross-site forgery.
type CSRFResult uint8

// The results.
const (
	CSRFPass     CSRFResult = iota // go on
	CSRFInForm                     // go on, but the form field of the token's name must be the Same as the cookie
	CSRFMismatch                   // refuse
)

// CSRFRequest is what the check needs of a request.
type CSRFRequest struct {
	Method    string
	Multipart bool // the body is a multipart form
	Header    CSRFToken
	Cookie    CSRFToken
}

// CheckCSRF tells whether a request may go on. Only requests of a caller in a session can be forged.
func (s *Subject) CheckCSRF(r CSRFRequest) CSRFResult {
	switch {
	case s.session == "" || r.Method == "GET" || r.Method == "HEAD":
		return CSRFPass
	case r.Method == "POST" && r.Multipart:
		return CSRFInForm
	case r.Header.Same(r.Cookie):
		return CSRFPass
	}
	return CSRFMismatch
}
