package packager

import (
	"slices"
	"time"

	"github.com/sluice-live/sluice/remux"
)

// soundTime is how long nothing may come from whom the sound is taken from.
const soundTime = time.Second

// soundIs tells whether the sound is taken from a publisher: from the one that was
// asked for, where that is heard, else from the first that has it.
func (p *publication) soundIs(c *Contribution) bool {
	from := p.soundFrom
	if from == c || from == nil {
		return true
	}
	now := p.now()
	return !from.onAir && from.feeds == nil || !from.hasSound() || now.Sub(from.heard) >= soundTime || p.set.Sound != "" && c.Label == p.set.Sound && from.Label != c.Label
}

func (c *Contribution) hasSound() bool {
	return len(c.tracks) > 0 && c.tracks[len(c.tracks)-1].Kind() == remux.Audio
}

// hears lets a track of sound go to its rendition, where the sound is taken from its
// publisher now.
func (p *publication) hears(c *Contribution, i int) *writer {
	if c.tracks[i].Kind() != remux.Audio || !p.soundIs(c) {
		return nil
	}
	if w := p.writerOf(c.renditionID(i)); w != nil && !w.header.Track.Same(c.track(i)) {
		p.plan(c)
		return nil
	}
	if from := p.soundFrom; from != nil && from != c {
		from.mute()
	}
	p.soundFrom = c
	return p.take(c, i, false)
}

// mute lets the sound of a publisher go nowhere.
func (c *Contribution) mute() {
	for i := range c.feeds {
		if c.tracks[i].Kind() == remux.Audio {
			c.feeds[i] = feed{fresh: true}
		}
	}
}

// soundOf is the track of a publisher whose sound goes on in a rendition, −1 where none does.
func (c *Contribution) soundOf(w *writer) int {
	for i := range c.tracks {
		if w != nil && !w.isVideo() && w.id == c.renditionID(i) && w.header.Track.Same(c.track(i)) {
			return i
		}
	}
	return -1
}

// speaks tells whether a sample of a publisher that waits is heard all the same.
func (c *Contribution) speaks(s *remux.Sample) bool {
	return !c.onAir && s.Track < len(c.feeds) && c.feeds[s.Track].writer != nil
}

// speak lets the sound of a publisher that waits be heard, up to the sample that came, where the
// others' pictures have gone beyond the keyframe that it waits with: that is none to go on at.
func (p *publication) speak(c *Contribution, came *remux.Sample) error {
	if len(c.hold.samples) == 0 || !c.speaks(came) {
		return nil
	}
	key := &c.hold.samples[0]
	own, at := p.writerOf(c.renditionID(key.Track)), nanoseconds(key.DTS+int64(key.CompositionOffset), c.tracks[key.Track].Timescale)
	if !slices.ContainsFunc(p.writers, func(w *writer) bool { return w != own && w.isVideo() && w.place() > at }) {
		return nil
	}
	said := c.hold.take(c.speaks)
	c.held.Store(int64(c.hold.bytes))
	for _, s := range said {
		if err := p.put(c, &s); err != nil {
			return err
		}
	}
	return nil
}
