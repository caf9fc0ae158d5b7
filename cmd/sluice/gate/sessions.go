package gate

import (
	"crypto/rand"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sluice-live/sluice/httpserve/admin"
	"github.com/sluice-live/sluice/ingest"
	"github.com/sluice-live/sluice/packager"
)

const (
	memorable    = time.Hour // how long it is known who published and who was refused
	mostSessions = 1024      // that ended
	mostRefusals = 512
)

// errEnded is for an encoder whose session an operator ends.
var errEnded = errors.New("the operator has ended this publication")

// sessions are the publications that go on, and those that ended of late.
type sessions struct {
	mu   sync.Mutex
	live []*session // in the order they began
	past []admin.Session
}

// session is one publication. What is in it never changes.
type session struct {
	admin.Session
	by *publisher
}

// began notes a publication, and tells of it.
func (g *Gate) began(p *publisher, r ingest.Request, by string) *session {
	s := &session{by: p, Session: admin.Session{
		ID: strings.ToLower(rand.Text()[:12]), Stream: p.shown(), Pushed: p.name.String(), Remote: r.Remote.String(),
		Software: r.Software, By: by, TLS: r.Encrypted, Began: g.Now().UTC(),
	}}
	g.sessions.mu.Lock()
	g.sessions.live = append(g.sessions.live, s)
	g.sessions.mu.Unlock()
	g.tell(admin.Event{Kind: admin.Published, Stream: s.Stream, Pushed: s.Pushed, Session: s.ID, Remote: s.Remote})
	return s
}

// ended notes that it is over, and tells of that.
func (g *Gate) ended(s *session, cause error) {
	if s == nil {
		return // it was over before anybody was told that it began
	}
	over := s.shown()
	over.Ended, over.Why = new(g.Now().UTC()), "the encoder said goodbye, or this server did"
	if cause != nil {
		over.Why = cause.Error()
	}
	all := &g.sessions
	all.mu.Lock()
	all.live = slices.DeleteFunc(all.live, func(o *session) bool { return o == s })
	all.past = append(all.past, over)
	if len(all.past) > mostSessions {
		all.past = slices.Delete(all.past, 0, mostSessions/4)
	}
	all.mu.Unlock()
	g.tell(admin.Event{Kind: admin.Unpublished, Stream: s.Stream, Pushed: s.Pushed, Session: s.ID, Remote: s.Remote, Text: over.Why})
}

// shown is a session as operators see it now.
func (s *session) shown() admin.Session {
	shown := s.Session
	m, _ := s.by.measured(time.Time{})
	shown.Bytes, shown.Measured = m.Bytes, admin.MeasuredOf(m)
	return shown
}

// list has those that go on, and those that ended within the hour.
func (all *sessions) list(now time.Time) []admin.Session {
	all.mu.Lock()
	defer all.mu.Unlock()
	all.past = slices.DeleteFunc(all.past, func(s admin.Session) bool { return now.Sub(*s.Ended) > memorable })
	list := slices.Clone(all.past)
	for _, s := range all.live {
		list = append(list, s.shown())
	}
	slices.SortStableFunc(list, func(a, b admin.Session) int { return b.Began.Compare(a.Began) })
	return list
}

// that returns those that go on of which a condition is true.
func (all *sessions) that(is func(*session) bool) (found []*session) {
	all.mu.Lock()
	defer all.mu.Unlock()
	for _, s := range all.live {
		if is(s) {
			found = append(found, s)
		}
	}
	return found
}

// Sessions is part of admin.Publishers.
func (g *Gate) Sessions() []admin.Session { return g.sessions.list(g.Now()) }

// End is part of admin.Publishers.
func (g *Gate) End(name packager.StreamName) bool {
	found := g.sessions.that(func(s *session) bool { return s.by.stream == name || s.by.name == name })
	for _, s := range found {
		s.by.dismiss(errEnded)
	}
	return g.Catalog.Finish(name) || len(found) > 0
}

// EndSession is part of admin.Publishers.
func (g *Gate) EndSession(id string) bool {
	found := g.sessions.that(func(s *session) bool { return s.ID == id })
	for _, s := range found {
		s.by.dismiss(errSessionEnded)
	}
	return len(found) > 0
}

var errSessionEnded = errors.New("the operator has ended this session")

// dismiss ends a publisher by its next tag, so that its encoder hears why, or where none comes: at once, if
// it is silent already.
func (s *publisher) dismiss(why error) {
	const patience = time.Second
	s.away.CompareAndSwap(nil, &why)
	if s.peer.Silent() > patience {
		s.peer.Hang(why)
		return
	}
	time.AfterFunc(patience, func() {
		select {
		case <-s.over:
		default:
			s.peer.Hang(why)
		}
	})
}
