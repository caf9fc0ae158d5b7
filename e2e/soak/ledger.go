package main

import (
	"fmt"
	"hash/maphash"
	"sync"
	"time"
)

// ledger knows what was sent and when, what came out, and what was wrong.
type ledger struct {
	mu         sync.Mutex
	sessions   map[[2]int]*session // by publisher and number
	sums       map[string]sum      // by URL
	floors     map[string][2]int64 // sequence numbers by playlist
	violations map[string]int
	text       []string // of the first of each kind
	count      map[string]int
}

// sum is what a body is known by.
type sum struct {
	size int
	hash uint64
}

var seed = maphash.MakeSeed()

func newLedger() *ledger {
	return &ledger{
		sessions: make(map[[2]int]*session), sums: make(map[string]sum), floors: make(map[string][2]int64),
		violations: make(map[string]int), count: make(map[string]int),
	}
}

// session is one publication.
type session struct {
	publisher, number int
	mu                sync.Mutex
	times             [2][]int64 // when units were sent, by track
	found             [2]int     // units that came out, all in order
	end               farewell
	over              bool
}

// tail is how many units of the end of a session may be missing.
func (s *session) tail(track int) int {
	switch {
	case !s.over:
		return len(s.times[track])
	case s.end != reset:
		return 0
	case track == audio:
		return 3 * sampleRate / 1024
	}
	return 3 * framesPerSecond
}

func (s *session) note(track int, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.times[track] = append(s.times[track], at.UnixNano())
}

func (s *session) sent(track int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.times[track])
}

func (l *ledger) begin(publisher, number int) *session {
	s := &session{publisher: publisher, number: number}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sessions[[2]int{publisher, number}] = s
	l.count["sessions"]++
	return s
}

func (l *ledger) ended(s *session, end farewell) {
	s.mu.Lock()
	s.end, s.over = end, true
	s.mu.Unlock()
	l.add("sessions: "+farewellNames[end], 1)
}

func (l *ledger) session(u unit) *session {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.sessions[[2]int{u.publisher, u.session}]
}

// sentAt is when a unit was sent.
func (l *ledger) sentAt(u unit) (time.Time, bool) {
	s := l.session(u)
	if s == nil {
		return time.Time{}, false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if u.track > audio || u.index >= len(s.times[u.track]) {
		return time.Time{}, false
	}
	return time.Unix(0, s.times[u.track][u.index]), true
}

// see takes down a unit that came out: each once, and in order (N1).
func (l *ledger) see(u unit, where string) {
	s := l.session(u)
	if s == nil {
		l.violate("N1", "%s: %v was never sent", where, u)
		return
	}
	s.mu.Lock()
	want, sent := s.found[u.track], len(s.times[u.track])
	s.found[u.track] = u.index + 1
	s.mu.Unlock()
	switch {
	case u.index >= sent:
		l.violate("N1", "%s: %v was never sent", where, u)
	case u.index < want:
		l.violate("N1", "%s: %v again", where, u)
	case u.index > want:
		l.violate("N1", "%s: %v, and %d before it never came", where, u, u.index-want)
	}
	l.add("access units found", 1)
}

// same holds a URL to be the same bytes for ever (N5).
func (l *ledger) same(url string, body []byte) {
	now := sum{len(body), maphash.Bytes(seed, body)}
	l.mu.Lock()
	before, known := l.sums[url]
	l.sums[url] = now
	l.mu.Unlock()
	if known && before != now {
		l.violate("N5", "%s has other bytes than before: %d, there were %d", url, now.size, before.size)
	}
}

// floor is the least that sequence numbers may be from now on.
func (l *ledger) floor(playlist string) [2]int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.floors[playlist]
}

// raise says that a playlist had these numbers, asked for when floor held.
func (l *ledger) raise(playlist string, floor, now [2]int64) {
	l.mu.Lock()
	before := l.floors[playlist]
	l.floors[playlist] = [2]int64{max(before[0], now[0]), max(before[1], now[1])}
	l.mu.Unlock()
	if now[0] < floor[0] || now[1] < floor[1] {
		l.violate("N5", "%s: sequences %d after %d", playlist, now, floor)
	}
}

func (l *ledger) add(what string, n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.count[what] += n
}

func (l *ledger) violate(promise, format string, args ...any) {
	const most = 10
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.violations[promise]++; l.violations[promise] <= most {
		l.text = append(l.text, fmt.Sprintf("%s %s: %s", time.Now().UTC().Format("15:04:05.000"), promise, fmt.Sprintf(format, args...)))
	}
}

func (l *ledger) broken() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.violations) > 0
}

// settle judges what never came.
func (l *ledger) settle() {
	l.mu.Lock()
	all := make([]*session, 0, len(l.sessions))
	for _, s := range l.sessions {
		all = append(all, s)
	}
	l.mu.Unlock()
	for _, s := range all {
		for track, times := range s.times {
			l.add("access units sent", len(times))
			missing := len(times) - s.found[track]
			if missing > s.tail(track) {
				l.violate("N1", "the last %d of %d units of track %d, session %d of s%d, never came (it ended by: %s)",
					missing, len(times), track, s.number, s.publisher, farewellNames[s.end])
			}
			l.add("access units lost with a reset", max(0, missing))
		}
	}
}
