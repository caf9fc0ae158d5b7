package httpserve

import (
	"hash/maphash"
	"net/http"
	"net/netip"
	"strconv"
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

// longestSession is how much of a session's id tells it from others: CTA-5004 allows no more.
const longestSession = 64

// identify is the number of whoever asks.
func (a *audiences) identify(r *http.Request, from netip.Addr) uint64 {
	var room [longestSession]byte
	if sid := sessionID(r, room[:0]); len(sid) > 0 {
		return maphash.Bytes(a.key, sid)
	}
	address := from.As16()
	return maphash.Bytes(a.key, address[:]) ^ maphash.String(a.key, r.UserAgent())
}

// sessionID is what a player calls its session, in room, or empty: in a header (CTA-5004,
// section 2.2: CMCD-Session) or in the query (CMCD=, escaped). It is the same in both, and
// however it is escaped.
func sessionID(r *http.Request, room []byte) []byte {
	for _, list := range r.Header["Cmcd-Session"] {
		if sid := sessionIn(list, false, room); len(sid) > 0 {
			return sid
		}
	}
	for query := r.URL.RawQuery; query != ""; {
		var one string
		one, query, _ = strings.Cut(query, "&")
		if list, ok := strings.CutPrefix(one, "CMCD="); ok {
			if sid := sessionIn(list, true, room); len(sid) > 0 {
				return sid
			}
		}
	}
	return nil
}

// sessionIn is the value of the key sid in a list such as bl=21300,sid="6e2fb550",v=1.
func sessionIn(list string, escaped bool, room []byte) []byte {
	const begin = `sid="`
	sid, is := room[:0], 0 // so much of begin is there; -1: it is another key, or its value
	quoted, literal := false, false
	for len(list) > 0 {
		c, n := list[0], 1
		if escaped {
			c, n = decodeFirst(list)
		}
		list = list[n:]
		inside := is == len(begin)
		switch {
		case (inside || quoted) && !literal && c == '\\':
			literal = true
			continue
		case inside && c == '"' && !literal:
			return sid
		case inside && len(sid) < longestSession:
			sid = append(sid, c)
		case inside:
		case is >= 0 && c == begin[is]:
			is++
		case c == '"' && !literal:
			quoted, is = !quoted, -1
		case quoted:
		case c == ',':
			is = 0
		case c == ' ' && is == 0:
		default:
			is = -1
		}
		literal = false
	}
	return nil // it has no end
}

// decodeFirst is the first character of a query, and how long that is there.
func decodeFirst(s string) (c byte, n int) {
	if s[0] == '+' {
		return ' ', 1
	}
	if s[0] == '%' && len(s) > 2 {
		if v, err := strconv.ParseUint(s[1:3], 16, 8); err == nil {
			return byte(v), 3
		}
	}
	return s[0], 1
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
