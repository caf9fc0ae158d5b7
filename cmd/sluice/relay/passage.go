package relay

import (
	"sync"
	"time"

	"github.com/sluice-live/sluice/ingest"
	"github.com/sluice-live/sluice/ingest/flv"
)

// passage is where a pull leads what it fetches: a sink of the gate. It outlives a connection that
// is lost, or left, for a moment: who comes back in time, and begins with what was passed on, goes on
// where it was, and viewers see nothing of it.
type passage struct {
	trail   *trail
	configs map[track]uint64
	shift   uint32 // is added to timestamps
	rest    *rest  // nil: nothing comes again
	peer    *peer

	mu   sync.Mutex
	sink ingest.Sink // nil once it is closed
	why  error       // it is kept: the connection is gone
	kept *time.Timer // that closes it; nil: it isn't kept
}

// keepTime is how long a passage is kept without a connection: longer than that, few sources still
// begin with what was passed on, and viewers are to know that they wait.
const keepTime = 5 * time.Second

// WriteTag passes on what of a tag is still to be.
func (p *passage) WriteTag(tag flv.Tag) error {
	return p.write(heldTag{tag, p.trail.mark(tag, p.configs)})
}

func (p *passage) write(h heldTag) error {
	r := p.rest
	if r == nil {
		return p.pass(h)
	}
	if err := r.leads(h, p.pass); err != nil || !r.over(h.Timestamp) {
		return err
	}
	p.rest = nil
	for key := range r.told {
		if err := r.tells(key.of, p.pass); err != nil {
			return err
		}
	}
	return nil
}

func (p *passage) pass(h heldTag) error {
	h.Timestamp += p.shift
	h.at += p.shift
	p.trail.passes(h.mark)
	return p.sink.WriteTag(h.Tag)
}

// held is what it holds of what has come.
func (p *passage) held() int {
	if p.rest != nil {
		return p.rest.bytes
	}
	return 0
}

// close ends the passage.
func (p *passage) close(cause error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.kept != nil {
		p.kept.Stop()
	}
	if p.sink != nil {
		p.sink.Close(cause)
		p.sink = nil
	}
}

// keep lets it wait for another connection, for that long.
func (p *passage) keep(why error, d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.why = why
	p.kept = time.AfterFunc(d, p.expires)
	p.peer.hangs(func(cause error) {
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.kept != nil {
			p.why = cause
			p.kept.Reset(0)
		}
	})
}

// expires ends it, if it is kept.
func (p *passage) expires() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.kept == nil {
		return
	}
	p.kept.Stop()
	if p.sink != nil {
		p.sink.Close(p.why)
		p.sink = nil
	}
}

// open tells whether it is kept yet.
func (p *passage) open() bool {
	if p == nil {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.sink != nil
}

// take lets it go on with a connection; false where it is too late.
func (p *passage) take() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.kept.Stop()
	p.kept = nil
	return p.sink != nil
}

// begins goes on with what has come in a search that has found where that lies.
func (p *passage) begins(s *search) error {
	p.rest, p.configs = s.rest(), s.configs
	p.shift = p.rest.shift
	for _, h := range s.held {
		if err := p.write(h); err != nil {
			return err
		}
	}
	return nil
}

// goesOn lets a passage that is kept go on with a connection that begins where it has been, and
// tells whether it does. What has come by then is what the connection begins with, where it doesn't.
func (f *fetching) goesOn(from *source) (bool, error) {
	p := f.kept
	s := p.trail.search()
	for len(from.first) > 0 || p.open() {
		var tag flv.Tag
		if len(from.first) > 0 {
			tag, from.first = from.first[0], from.first[1:]
		} else {
			var err error
			if tag, err = from.read(); err != nil {
				return false, err
			}
			p.peer.held.Store(int64(from.Held() + s.bytes))
		}
		what := s.comes(tag)
		if what == searching {
			continue
		}
		if what == nowhere || !p.take() {
			break
		}
		if err := f.relay.Gate.Follow(p.sink, from.Via()); err != nil {
			p.close(err)
			return false, err
		}
		p.peer.hangs(from.hang)
		return true, p.begins(s)
	}
	var begins []flv.Tag
	for _, h := range s.held {
		begins = append(begins, h.Tag)
	}
	from.first = append(begins, from.first...)
	return false, nil
}
