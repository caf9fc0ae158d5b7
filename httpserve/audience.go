package httpserve

import (
	"hash/maphash"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/sluice-live/sluice/packager"
)

const (
	// turnover is how often an audience forgets those that were not seen since the
	// turnover before: who stays away for 15 to 30 s watches no more. Players ask
	// for something each few seconds.
	turnover = 15 * time.Second

	mostWatching  = 1 << 16 // that are told apart, of one stream: 1.5 MiB
	mostAudiences = 1 << 12 // streams whose viewers are told apart
)

// audiences is who watches which stream. What is known of a viewer is a number that
// means nothing elsewhere: a hash under a key of this process, of the id that the
// player gives its session (CMCD, CTA-5004: sid) or, where it gives none, of where it
// is and what it calls itself. It is forgotten within half a minute.
type audiences struct {
	once sync.Once
	key  maphash.Seed

	mu      sync.Mutex
	streams map[packager.StreamName]*audience
}

// audience is who watches one stream.
//
//	seen:   before ◀──turnover── now ◀── who asks for something
type audience struct {
	mu          sync.Mutex
	turned      time.Time
	now, before map[uint64]struct{} // nobody is in both
}

// note counts whoever asks for something of a stream.
func (a *audiences) note(name packager.StreamName, r *http.Request, from netip.Addr, now time.Time) {
	a.once.Do(func() { a.key = maphash.MakeSeed() })
	if of := a.of(name, true); of != nil {
		of.note(a.identify(r, from), now)
	}
}

// of is the audience of a stream, which may be made; nil where there is none.
func (a *audiences) of(name packager.StreamName, create bool) *audience {
	a.mu.Lock()
	defer a.mu.Unlock()
	of := a.streams[name]
	if of == nil && create && len(a.streams) < mostAudiences {
		if a.streams == nil {
			a.streams = make(map[packager.StreamName]*audience)
		}
		of = &audience{now: make(map[uint64]struct{}), before: make(map[uint64]struct{})}
		a.streams[name] = of
	}
	return of
}

// identify is the number of whoever asks.
func (a *audiences) identify(r *http.Request, from netip.Addr) uint64 {
	if sid := sessionID(r); sid != "" {
		return maphash.String(a.key, sid)
	}
	address := from.As16()
	return maphash.Bytes(a.key, address[:]) ^ maphash.String(a.key, r.UserAgent())
}

// sessionID is what a player calls its session, as it writes that, or empty: in a
// header (CTA-5004, section 2.2: CMCD-Session) or in the query (CMCD=, escaped).
func sessionID(r *http.Request) string {
	if h := r.Header["Cmcd-Session"]; len(h) > 0 {
		return quoted(h[0], `sid="`, `"`)
	}
	_, cmcd, ok := strings.Cut(r.URL.RawQuery, "CMCD=")
	if !ok {
		return ""
	}
	cmcd, _, _ = strings.Cut(cmcd, "&")
	return quoted(cmcd, "sid%3D%22", "%22")
}

// quoted is what lies between two marks, empty where it doesn't.
func quoted(s, open, end string) string {
	_, s, found := strings.Cut(s, open)
	s, _, closed := strings.Cut(s, end)
	if !found || !closed {
		return ""
	}
	return s
}

func (a *audience) note(who uint64, now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.turn(now)
	if _, known := a.now[who]; known {
		return
	}
	if len(a.now)+len(a.before) >= mostWatching {
		if _, known := a.before[who]; !known {
			return
		}
	}
	delete(a.before, who)
	a.now[who] = struct{}{}
}

func (a *audience) turn(now time.Time) {
	switch passed := now.Sub(a.turned); {
	case passed < turnover:
		return
	case passed < 2*turnover:
		a.before, a.now = a.now, a.before
	default:
		clear(a.before)
	}
	clear(a.now)
	a.turned = now
}

func (a *audience) size(now time.Time) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.turn(now)
	return len(a.now) + len(a.before)
}

// Watching is how many watch a stream, about.
func (s *Server) Watching(name packager.StreamName) int {
	if of := s.audiences.of(name, false); of != nil {
		return of.size(s.Now())
	}
	return 0
}

// ForgetAudiences forgets those that have nobody in them. It is to be called now and
// then.
func (s *Server) ForgetAudiences() {
	a, now := &s.audiences, s.Now()
	a.mu.Lock()
	defer a.mu.Unlock()
	for name, of := range a.streams {
		if of.size(now) == 0 {
			delete(a.streams, name)
		}
	}
}
