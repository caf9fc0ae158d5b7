package packager

import (
	"slices"
	"sync/atomic"
	"time"

	"github.com/sluice-live/sluice/remux"
)

// Contributor is who contributes to a stream.
type Contributor struct {
	Label string // of the quality: the suffix of the name that it pushes; "" without one
	Order int    // place of the label among those that may be, the one without a suffix first
}

// Contribution is what one publisher gives to a stream: a remux.Output. It is used by
// one goroutine; several contribute to one stream at the same time.
type Contribution struct {
	Contributor
	OnLate func() // called for each sample that comes when its place is filled; may be nil

	p    *publication
	over func(lost bool)
	held atomic.Int64

	leftOut  []string
	captions remux.Captions
}

var _ remux.Output = (*Contribution)(nil)

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

// Begin is part of remux.Output.
func (c *Contribution) Begin(now time.Time) time.Time {
	c.p.mu.Lock()
	defer c.p.mu.Unlock()
	return c.p.begin(now)
}

// SetTracks is part of remux.Output.
func (c *Contribution) SetTracks(tracks []remux.Track) error {
	c.p.mu.Lock()
	defer c.p.mu.Unlock()
	return c.p.setTracks(tracks)
}

// WriteSample is part of remux.Output.
func (c *Contribution) WriteSample(s remux.Sample) error {
	c.p.mu.Lock()
	defer c.p.mu.Unlock()
	return c.p.write(s, c.OnLate)
}

// Close ends what the publisher contributes. The stream ends with its last one, unless
// that was lost and may come back.
func (c *Contribution) Close(cause error) {
	c.over(c.p.leave(c, cause != nil))
}

// leave takes a contribution out. It tells whether its publisher was lost, and may come
// back.
func (p *publication) leave(c *Contribution, lost bool) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.by = slices.DeleteFunc(p.by, func(o *Contribution) bool { return o == c })
	p.closeSegments()
	return lost && len(p.writers) > 0
}

// join takes in another contributor.
func (p *publication) join(from Contributor, over func(lost bool)) (*Contribution, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.by) > 0 {
		return nil, ErrBusy
	}
	c := &Contribution{Contributor: from, p: p, over: over}
	p.by = append(p.by, c)
	return c, nil
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
