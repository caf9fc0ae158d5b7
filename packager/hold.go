package packager

import (
	"bytes"
	"slices"

	"github.com/sluice-live/sluice/remux"
)

// hold is samples that wait, from a keyframe on: those of a publisher that stands by,
// or is about to join others.
type hold struct {
	samples []remux.Sample // their data is ours
	bytes   int
}

const (
	mostHeld        = 8 << 20 // bytes
	mostHeldSamples = 1 << 12
)

// isKey tells whether a publisher can begin with a sample: of its first picture, or of
// its sound where it has no picture.
func (c *Contribution) isKey(s *remux.Sample) bool { return s.Sync && s.Track == 0 }

// keep lets a sample wait, and copies it. Where too much waits, the oldest go.
func (c *Contribution) keep(s *remux.Sample) {
	h := &c.hold
	if len(h.samples) == 0 && !c.isKey(s) {
		return
	}
	ours := *s
	ours.Data = bytes.Clone(s.Data)
	h.samples = append(h.samples, ours)
	h.bytes += len(ours.Data)
	if h.bytes > mostHeld || len(h.samples) > mostHeldSamples {
		c.pass()
	}
	c.held.Store(int64(h.bytes))
}

// pass gives up what waits in front of the second keyframe.
func (c *Contribution) pass() {
	h := &c.hold
	n := 1
	for n < len(h.samples) && !c.isKey(&h.samples[n]) {
		n++
	}
	for _, s := range h.samples[:n] {
		h.bytes -= len(s.Data)
	}
	h.samples = slices.Delete(h.samples, 0, n)
	c.held.Store(int64(h.bytes))
}

// take takes those samples out that are wanted, in order.
func (h *hold) take(wanted func(*remux.Sample) bool) (taken []remux.Sample) {
	h.samples = slices.DeleteFunc(h.samples, func(s remux.Sample) bool {
		if !wanted(&s) {
			return false
		}
		taken, h.bytes = append(taken, s), h.bytes-len(s.Data)
		return true
	})
	return taken
}

// release gives up all that waits, and returns it.
func (c *Contribution) release() []remux.Sample {
	all := c.hold.samples
	c.hold = hold{}
	c.held.Store(0)
	return all
}
