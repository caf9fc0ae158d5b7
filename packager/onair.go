package packager

import (
	"fmt"
	"slices"
	"time"

	"github.com/sluice-live/sluice/remux"
)

// Several publishers contribute to one stream: to each quality one, and perhaps another
// that stands by for it. Sound is taken from one of them.
//
//	_1080p  ──▶ on air ──▶ v1_1080p      and a1
//	_720p   ──▶ on air ──▶ v1_720p
//	_720p   ──▶ held: stands by
//
// Who comes while others are on air begins at a keyframe that lies where a segment of
// theirs does, or, behind an absence, at the first that lies behind it. What was on air
// in its place ends there. No period begins for that, unless decoders must begin anew.

const (
	// liveTime is how long nothing may come from a publisher that others keep to.
	liveTime = 2 * time.Second

	// takeoverTime is how long a publisher that is to take over waits for its keyframe.
	takeoverTime = 15 * time.Second

	// mostMissed is how many keyframes may miss the others' segments before a publisher
	// joins without that.
	mostMissed = 3
)

// setTracks takes the tracks of one of the publishers. With the only one that is heard
// a period begins, others wait for their place.
func (p *publication) setTracks(c *Contribution, tracks []remux.Track) error {
	c.tracks = tracks
	c.release()
	if p.rival(c) == nil && !p.othersLive(c) && !p.trails(c) {
		return p.beginPeriod(c)
	}
	if c.onAir {
		p.interrupt(c)
	} else {
		c.feeds = nil
	}
	c.expect()
	return nil
}

// expect lets the renditions that a publisher is about to go on with wait for it.
func (c *Contribution) expect() {
	for i := range c.tracks {
		if w := c.p.writerOf(c.renditionID(i)); w != nil {
			w.absence.trackless = false
		}
	}
}

// rival is who is on air with the label of another.
func (p *publication) rival(c *Contribution) *Contribution {
	for _, o := range p.by {
		if o != c && o.Label == c.Label && o.onAir {
			return o
		}
	}
	return nil
}

// live tells whether a publisher is on air, and something comes from it.
func (c *Contribution) live(now time.Time) bool { return c.onAir && now.Sub(c.heard) < liveTime }

// hasPicture tells whether a publisher has one.
func (c *Contribution) hasPicture() bool {
	return len(c.tracks) > 0 && c.tracks[0].Kind() == remux.Video
}

// othersLive tells whether anything comes from others that are on air.
func (p *publication) othersLive(c *Contribution) bool {
	now := p.now()
	return slices.ContainsFunc(p.by, func(o *Contribution) bool { return o != c && o.live(now) })
}

// othersShow tells whether pictures come from others that are on air.
func (p *publication) othersShow(c *Contribution) bool {
	now := p.now()
	return slices.ContainsFunc(p.by, func(o *Contribution) bool { return o != c && o.live(now) && o.hasPicture() })
}

// renditionID is what a track of the contribution is called.
func (c *Contribution) renditionID(i int) RenditionID {
	t := &c.tracks[i]
	id := t.ID
	if id == "" {
		n := 0
		for k := range c.tracks[:i+1] {
			if c.tracks[k].Kind() == t.Kind() {
				n++
			}
		}
		id = fmt.Sprintf("%c%d", t.Kind().String()[0], n)
	}
	if t.Kind() == remux.Video {
		id += c.Label
	}
	return RenditionID(id)
}

// track is one of the contribution as viewers are told of it.
func (c *Contribution) track(i int) remux.Track {
	t := c.tracks[i]
	if t.Kind() == remux.Video && t.Name == "" {
		t.Name = c.Name
	}
	return t
}

func (p *publication) writerOf(id RenditionID) *writer {
	for _, w := range p.writers {
		if w.id == id {
			return w
		}
	}
	return nil
}

// waits lets a sample wait whose publisher is not on air, and has it go on air if this
// is the moment. It tells whether the sample is done with.
func (p *publication) waits(c *Contribution, s *remux.Sample) (bool, error) {
	now := p.now()
	c.heard = now
	if c.onAir {
		if !c.isKey(s) || !p.yields(c, now) {
			return false, nil
		}
		c.air(false, now)
	}
	if len(c.hold.samples) == 0 && c.speaks(s) {
		return false, nil
	}
	if rival := p.rival(c); rival != nil && c.isKey(s) && !p.silent(rival, now) {
		c.release() // the newest group of pictures is all that may be needed
	}
	if c.isKey(s) {
		c.expect() // a period may have begun without it
	}
	c.keep(s)
	if w := p.writerOf(c.renditionID(s.Track)); w != nil {
		w.absence.late.note(time.Duration(p.beat.head - nanoseconds(s.DTS, c.tracks[s.Track].Timescale)))
	}
	if err := p.admit(c); err != nil {
		return true, err
	}
	return true, p.speak(c, s)
}

// silent tells whether nothing came from a publisher for longer than one that stands
// by is to wait.
func (p *publication) silent(c *Contribution, now time.Time) bool {
	return now.Sub(c.heard) >= p.set.BackupAfter
}

// yields tells whether one that is on air gives its place to another, at a keyframe of
// its own: it waits itself from there on, and goes on if the other doesn't come.
func (p *publication) yields(c *Contribution, now time.Time) bool {
	for _, o := range p.by {
		if o == c || o.Label != c.Label || p.silent(o, now) {
			continue
		}
		switch {
		case o.next.After(now):
			o.cause, o.next, o.coming = ByHand, time.Time{}, now.Add(p.set.BackupAfter)
			return true
		case p.set.BackupReturn && c.standIn && !o.standIn && now.Sub(o.since) > liveTime:
			o.cause, o.coming = Return, now.Add(p.set.BackupAfter)
			return true
		}
	}
	return false
}

// admit lets a publisher that waits go on air, if it is its turn, from the first of its
// keyframes on that lies where it can begin.
func (p *publication) admit(c *Contribution) error {
	now := p.now()
	if len(c.hold.samples) == 0 || p.othersComing(c, now) {
		return nil
	}
	rival := p.rival(c)
	if rival != nil {
		if !p.silent(rival, now) {
			return nil
		}
		c.cause = Silent
	}
	for len(c.hold.samples) > 0 {
		switch key := &c.hold.samples[0]; p.place(c, key) {
		case placeFits:
			if p.overtakes(c, rival, key) {
				return p.enter(c, rival, now)
			}
		case placeUnknown:
			return nil
		}
		c.pass()
	}
	return nil
}

// othersComing tells whether the place of a publisher is kept for another.
func (p *publication) othersComing(c *Contribution, now time.Time) bool {
	for _, o := range p.by {
		if o != c && o.Label == c.Label && !o.onAir && o.coming.After(now) {
			return true
		}
	}
	return false
}

// placing is what can be said of a keyframe that a publisher may begin with.
type placing uint8

const (
	placeFits placing = iota
	placeMissed
	placeUnknown
)

// place tells whether a publisher can begin with a keyframe.
func (p *publication) place(c *Contribution, key *remux.Sample) placing {
	t := &c.tracks[key.Track]
	half := nanoseconds(int64(key.Duration), t.Timescale) / 2
	at := nanoseconds(key.DTS+int64(key.CompositionOffset), t.Timescale)
	if t.Kind() != remux.Video || p.beat.period == nil {
		return placeFits
	}
	if !p.leader.isVideo() { // a period begins with the first picture beside sound
		if at < p.leader.place()-int64(picturePatience) && c.missed < mostMissed {
			c.missed++
			return placeMissed
		}
		return placeFits
	}
	if w := p.writerOf(c.renditionID(key.Track)); w != nil {
		if !w.isBehind(key, w.place()) {
			return placeMissed
		}
		return placeFits
	}
	fits := p.beat.lies(at, half)
	switch {
	case fits == placeUnknown && !p.othersLive(c): // and it would stay so
		return placeFits
	case fits == placeMissed && c.missed < mostMissed:
		c.missed++
	case fits == placeMissed && at >= p.beat.period.Start:
		return placeFits // its keyframes are elsewhere
	}
	return fits
}

// trails tells whether the pictures of others, who are gone, are further than those of
// a publisher that is on air: no period may begin with it before it has come there.
func (p *publication) trails(c *Contribution) bool {
	if !c.onAir || len(c.feeds) == 0 || c.feeds[0].writer == nil {
		return false
	}
	own := c.feeds[0].writer
	return slices.ContainsFunc(p.writers, func(w *writer) bool {
		return w.isVideo() && own.isVideo() && w.place() > own.place() && !slices.ContainsFunc(c.feeds, func(f feed) bool { return f.writer == w })
	})
}

// overtakes tells whether nothing that viewers have lies behind a keyframe with which a
// period would begin at once. While others are heard it begins where they say.
func (p *publication) overtakes(c, rival *Contribution, key *remux.Sample) bool {
	if p.beat.period == nil || p.othersLive(c) || !p.anew(c, rival) && !p.strands(c) {
		return true
	}
	t := &c.tracks[key.Track]
	middle := nanoseconds(key.DTS+int64(key.CompositionOffset)+int64(key.Duration)/2, t.Timescale)
	for _, w := range p.writers {
		if w.header.Track.Kind() == t.Kind() && w.place() > middle {
			return false
		}
	}
	return true
}

// enter lets a publisher go on air with all that waits, in the place of its rival, if it
// has one. Where decoders must begin anew, a period begins first: at once where nobody
// else is heard, else where the others' next segment does.
func (p *publication) enter(c *Contribution, rival *Contribution, now time.Time) error {
	switch anew := p.anew(c, rival); {
	case p.beat.period == nil, p.strands(c),
		anew && c.hasPicture() && !p.othersShow(c),
		anew && (!p.othersLive(c) || !p.leader.isVideo()): // sound goes on wherever a period begins
		if rival != nil {
			rival.air(false, now)
		}
		return p.beginPeriod(c)
	case anew:
		if rival != nil { // its decoder is over: it would go on with the header of another
			rival.air(false, now)
		}
		c.coming = now.Add(p.set.BackupAfter)
		p.plan(c)
		if p.turns(c) {
			return p.admit(c)
		}
		return nil
	}
	if rival != nil {
		rival.air(false, now)
	}
	p.unplan(c)
	if p.soundFrom == nil || p.soundFrom == rival {
		p.soundFrom = c
	}
	even := c.missed < mostMissed
	c.goOnAir(now)
	for i := range c.tracks {
		if c.tracks[i].Kind() == remux.Video {
			c.feeds[i].writer = p.take(c, i, even)
		}
	}
	return p.flush(c)
}

// strands tells whether the picture of a publisher is new, and nobody is heard whose
// segments could tell where it begins.
func (p *publication) strands(c *Contribution) bool {
	return c.hasPicture() && p.writerOf(c.renditionID(0)) == nil && !p.othersLive(c)
}

// goOnAir notes that a publisher is on air from now on, and tells why.
func (c *Contribution) goOnAir(now time.Time) {
	c.air(true, now)
	c.feeds = make([]feed, len(c.tracks))
	for i := range c.feeds {
		c.feeds[i].fresh = true
	}
	if c.missed = 0; c.cause == "" {
		return
	}
	c.standIn = c.cause == Lost || c.cause == Silent
	if c.OnAir != nil {
		c.OnAir(c.cause)
	}
	c.cause = ""
}

// air notes whether a publisher is on air.
func (c *Contribution) air(on bool, now time.Time) {
	if c.onAir != on {
		c.onAir, c.since = on, now
	}
	c.feeds = nil
}

// anew tells whether a publisher can't go on with the headers that there are.
func (p *publication) anew(c, rival *Contribution) bool {
	for i := range c.tracks {
		t := c.track(i)
		if t.Kind() == remux.Audio && !p.soundIs(c) && p.soundFrom != rival {
			continue
		}
		if w := p.writerOf(c.renditionID(i)); w != nil && (!w.header.Track.Same(t) || !w.coming().Same(t)) {
			return true
		}
		if t.Kind() == remux.Video && !p.leader.isVideo() {
			return true // pictures lead
		}
	}
	return false
}

// take returns the writer that a track of a publisher goes to: it joins the others, if
// there is none yet. even tells that its first keyframe lies where the leader's do.
func (p *publication) take(c *Contribution, i int, even bool) *writer {
	id := c.renditionID(i)
	w := p.writerOf(id)
	if w == nil {
		w = p.writer(id, nil)
		w.order = c.Order
		w.joined = p.beat.head
		w.begin(c.track(i))
		p.insert(w)
		p.leadWith(p.leader)
		if w.isVideo() { // there are several to choose from
			p.beat.opening = openingDone
			if even {
				w.step.even = evenSteps
			}
		}
	}
	w.absence.trackless = false
	return w
}

// flush writes what waited.
func (p *publication) flush(c *Contribution) error {
	for _, s := range c.release() {
		if err := p.put(c, &s); err != nil {
			return err
		}
	}
	return nil
}

// interrupt takes a publisher off the air that is about to go on: it begins anew. Its sound is
// heard meanwhile, if that is what it was.
func (p *publication) interrupt(c *Contribution) {
	for _, f := range c.feeds {
		if f.writer != nil && !(p.soundFrom == c && c.soundOf(f.writer) >= 0) {
			_ = f.writer.beginGap() // only a header that can't be written fails, and it was
		}
	}
	before, now := c.feeds, p.now()
	c.air(false, now)
	c.coming = now.Add(p.set.BackupAfter)
	for _, f := range before {
		if i := c.soundOf(f.writer); i >= 0 && p.soundFrom == c {
			c.feeds = append(c.feeds, make([]feed, len(c.tracks)-len(c.feeds))...)
			c.feeds[i] = feed{writer: f.writer, fresh: true}
		}
	}
}

// goesOffAir takes a publisher off the air that is gone. The time of what it leaves is
// filled, until another takes its place.
func (p *publication) goesOffAir(c *Contribution) {
	if !c.onAir {
		c.feeds = nil
		return
	}
	for _, f := range c.feeds {
		if w := f.writer; w != nil {
			_ = w.beginGap()
			w.leave()
			w.absence.trackless = true
			w.step.even = min(w.step.even, evenSteps) // another encoder may have other keyframes
		}
	}
	c.air(false, p.now())
	if p.soundFrom == c {
		p.soundFrom = nil
	}
	for _, o := range p.by {
		if o.Label == c.Label {
			o.cause = Lost
		}
		if o.Label == c.Label || o.hasSound() {
			o.expect()
		}
	}
	p.promote()
}
