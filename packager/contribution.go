package packager

import (
	"errors"
	"math"
	"slices"
	"sync/atomic"
	"time"

	"github.com/sluice-live/sluice/remux"
)

// Contributor is who contributes to a stream.
type Contributor struct {
	Label string // of the quality: the suffix of the name that it pushes; "" without one
	Name  string // of the quality, for people; "" where the encoder says it, or nobody
	Order int    // place of the label among those that may be, the one without a suffix first
}

// Contribution is what one publisher gives to a stream: a remux.Output. It is used by
// one goroutine; several contribute to one stream at the same time.
//
//	          SetTracks          a keyframe where it can begin
//	joined ───────────▶ held ─────────────────────────────────▶ on air
//	                     ▲ ◀── another takes its place, or its own line breaks ──┘
//
// While it is held, its samples wait. The only publisher of a stream is on air at once.
type Contribution struct {
	p     *publication
	feeds []feed // what its tracks go to, by their indexes; guarded by p.mu
	onAir bool   // guarded by p.mu

	Contributor
	OnLate func()            // called for each sample that comes when its place is filled; may be nil
	OnAir  func(cause Cause) // called when it goes on air in the place of another; may be nil

	over func(lost bool)
	held atomic.Int64

	// All that follows is guarded by p.mu.
	leftOut  []string
	captions remux.Captions

	tracks  []remux.Track // of its newest period
	since   time.Time     // of onAir
	heard   time.Time     // kept where several contribute
	hold    hold
	missed  int       // keyframes that were none to join with
	cause   Cause     // why it goes on air next, in the place of another
	standIn bool      // it took over from one that was lost
	next    time.Time // until then it is to take over by hand
	coming  time.Time // until then its place is kept for it
}

// feed is what one track of a contribution goes to.
type feed struct {
	writer *writer // nil: nothing
	fresh  bool    // no sample has gone there yet
	from   int64   // its first picture is a keyframe from there on, ns; 0 for any
	told   int64   // and is shown from there on, ns; 0 where it isn't asked, or is there already
}

// Cause is why one publisher takes the place of another.
type Cause string

// The causes.
const (
	Lost   Cause = "lost"   // the other is gone
	Silent Cause = "silent" // nothing came from the other
	ByHand Cause = "hand"   // somebody wanted it
	Return Cause = "return" // the other only stood in
)

var _ remux.Output = (*Contribution)(nil)

// Genlock is what keeps the publishers of the stream on one line; nil where there is
// never more than one.
func (c *Contribution) Genlock() *remux.Genlock { return c.p.genlock }

// LeaveOut notes, in sentences, what viewers don't get. It keeps the list.
func (c *Contribution) LeaveOut(sentences []string) {
	c.p.mu.Lock()
	defer c.p.mu.Unlock()
	c.leftOut = sentences
	c.p.hear()
}

// Caption notes which captions the pictures have.
func (c *Contribution) Caption(captions remux.Captions) {
	c.p.mu.Lock()
	defer c.p.mu.Unlock()
	c.captions = captions
	c.p.hear()
}

// Held is how many bytes of it wait, and are in no Window. Anybody may ask at any time.
func (c *Contribution) Held() int { return int(c.held.Load()) }

// Airing tells whether viewers get what it contributes, and since when that is so or
// not. Anybody may ask at any time.
func (c *Contribution) Airing() (on bool, since time.Time) {
	c.p.mu.Lock()
	defer c.p.mu.Unlock()
	return c.onAir, c.since
}

// errNobodyElse is for who is to take the place of nobody.
var errNobodyElse = errors.New("it is on air, or has no other to take over from")

// TakeOver lets a publisher that stands by go on air at its next keyframe. Anybody may
// ask for it at any time.
func (c *Contribution) TakeOver() error {
	c.p.mu.Lock()
	defer c.p.mu.Unlock()
	if c.onAir || c.p.rival(c) == nil {
		return errNobodyElse
	}
	c.next = c.p.now().Add(takeoverTime)
	return nil
}

// Begin is part of remux.Output.
func (c *Contribution) Begin(now time.Time) time.Time {
	c.p.mu.Lock()
	defer c.p.mu.Unlock()
	if len(c.p.by) > 1 {
		return now
	}
	return c.p.begin(now)
}

// SetTracks is part of remux.Output.
func (c *Contribution) SetTracks(tracks []remux.Track) error {
	c.p.mu.Lock()
	defer c.p.mu.Unlock()
	return c.p.setTracks(c, tracks)
}

// WriteSample is part of remux.Output.
func (c *Contribution) WriteSample(s *remux.Sample) error {
	p := c.p
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.by) > 1 || !c.onAir {
		if wait, err := p.waits(c, s); wait || err != nil {
			return err
		}
	}
	return p.put(c, s)
}

// Close ends what the publisher contributes. The stream ends with its last one, unless
// that was lost and may come back.
func (c *Contribution) Close(cause error) {
	c.over(c.p.leave(c, cause != nil))
}

// join takes in another contributor.
func (p *publication) join(from Contributor, over func(lost bool)) (*Contribution, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	places := 1
	if p.set.Backup {
		places++
	}
	for _, o := range p.by {
		if o.Label == from.Label {
			places--
		}
	}
	if places <= 0 {
		return nil, ErrBusy
	}
	now := p.now()
	if len(p.by) == 1 { // until now nobody looked
		p.by[0].heard = now
	}
	c := &Contribution{Contributor: from, p: p, over: over, since: now}
	at, _ := slices.BinarySearchFunc(p.by, c, func(a, b *Contribution) int {
		if a.Order > b.Order {
			return 1
		}
		return -1
	})
	p.by = slices.Insert(p.by, at, c)
	return c, nil
}

// leave takes a contribution out: all that was received of it can be had. It tells
// whether its publisher was lost, and may come back.
func (p *publication) leave(c *Contribution, lost bool) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.by = slices.DeleteFunc(p.by, func(o *Contribution) bool { return o == c })
	c.release()
	if len(p.by) == 0 {
		p.closeSegments(math.MaxInt64)
		c.air(false, p.now())
		return lost && len(p.writers) > 0
	}
	p.goesOffAir(c)
	for _, o := range p.by {
		if !o.onAir {
			_ = p.admit(o) // an error would be another's: its next sample brings it
		}
	}
	p.publish()
	return lost
}

// idle tells that nobody contributes.
func (p *publication) idle() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.by) == 0
}

// hear takes note of what publishers say of what they send.
func (p *publication) hear() {
	p.leftOut, p.captions = nil, 0
	for _, c := range p.by {
		for _, s := range c.leftOut {
			if !slices.Contains(p.leftOut, s) {
				p.leftOut = append(p.leftOut, s)
			}
		}
		p.captions |= c.captions
	}
}
