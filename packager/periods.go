package packager

import (
	"math"
	"slices"
	"time"

	"github.com/sluice-live/sluice/remux"
)

// beginPeriod begins a period with a publisher, and with the others that are heard.
func (p *publication) beginPeriod(c *Contribution) error {
	p.closeSegments(p.picturesEnd(c))
	p.turn = nil
	now := p.now()
	heard := p.heard()
	p.beat.begin(now)
	p.beat.period.Start = heard
	before, led, told := p.writers, p.led(), p.told()
	for _, w := range before {
		p.beat.number = max(p.beat.number, w.msn)
	}
	p.writers, p.leader = nil, nil
	joins := p.genlock != nil && !c.onAir && len(c.hold.samples) == 0
	for _, o := range p.by {
		if !o.onAir { // its sound waits, too, for the period
			o.feeds = nil
		}
	}
	if p.soundFrom == nil || p.soundIs(c) {
		p.soundFrom = c
	}
	for _, o := range p.by {
		switch {
		case o == c:
			c.goOnAir(now)
			for i := range c.feeds {
				c.feeds[i].fresh = p.genlock != nil && c.tracks[i].Kind() == remux.Audio // pictures begin with what comes first
			}
		case o.onAir && (o.Label == c.Label || !o.live(now)):
			o.air(false, now)
			continue
		case !o.onAir:
			continue
		}
		p.bind(o, before)
	}
	for i := range c.feeds {
		if w := c.feeds[i].writer; joins && w != nil && w.isVideo() { // those who have left may have shown what it begins with
			c.feeds[i].from, c.feeds[i].told = w.over(), max(told, w.told())
		}
	}
	pictures := 0
	for _, w := range p.writers {
		if p.leader == nil || !p.leader.isVideo() && w.isVideo() {
			p.leader = w
		}
		if w.isVideo() {
			pictures++
		}
	}
	for _, w := range before {
		if slices.Contains(p.writers, w) || p.goesOn(w) {
			continue
		}
		var r Rendition
		w.snapshot(&r)
		p.retire(&r, p.retention.extent+p.beat.longest())
	}
	p.align()
	if p.led() != led {
		p.beat.regularity = regularity{}
	}
	// The rest of the first GOP is not to come, or there are several pictures to choose
	// from: players change from one to another where segments begin with keyframes.
	if p.beat.opening == openingSecond || pictures > 1 || c.Label != "" {
		p.beat.opening = openingDone
	}
	return p.flush(c)
}

// told is where the lists of pictures end, ns.
func (p *publication) told() int64 {
	end := int64(0)
	for _, w := range p.writers {
		if w.isVideo() {
			end = max(end, w.told())
		}
	}
	return end
}

// picturesEnd is where pictures end in front of a period that begins with a publisher, ns: no later than
// where the one lies that waits to begin it, or than where its own end, if it is on air and goes on; anywhere
// if nothing tells.
func (p *publication) picturesEnd(c *Contribution) int64 {
	if len(c.hold.samples) > 0 {
		s := &c.hold.samples[0]
		return nanoseconds(s.DTS+int64(s.CompositionOffset), c.tracks[s.Track].Timescale)
	}
	end := int64(0)
	for _, f := range c.feeds {
		if w := f.writer; w != nil && w.isVideo() && w.absence.wrote && !w.absence.away {
			end = max(end, w.place())
		}
	}
	if end == 0 {
		return math.MaxInt64
	}
	return end
}

// heard is how far a stream of sound alone has come, ns, −1 where there are pictures: a
// period that begins with one begins no earlier.
func (p *publication) heard() int64 {
	if len(p.by) < 2 || p.leader == nil || p.leader.isVideo() {
		return -1
	}
	return p.leader.place()
}

// bind gives the tracks of a publisher to writers, which are those of before where they
// go on.
func (p *publication) bind(c *Contribution, before []*writer) {
	for i := range c.tracks {
		t := c.track(i)
		if t.Kind() == remux.Audio && p.soundFrom != c {
			c.feeds[i].writer = nil
			continue
		}
		w := p.writer(c.renditionID(i), before)
		w.order = c.Order
		w.begin(t)
		c.feeds[i].writer = w
		p.insert(w)
	}
}

// insert adds a writer, in the order that viewers see: pictures first, and those in the
// order of their labels.
func (p *publication) insert(w *writer) {
	i := len(p.writers)
	for i > 0 && w.before(p.writers[i-1]) {
		i--
	}
	p.writers = slices.Insert(p.writers, i, w)
	p.beat.calm = 0 // nobody knows how far behind it may be
}

// before tells whether viewers see a rendition before another one.
func (w *writer) before(o *writer) bool {
	if w.isVideo() != o.isVideo() {
		return w.isVideo()
	}
	return w.isVideo() && w.order < o.order
}

// lead is what the regularity of segments depends on.
type lead struct {
	writer *writer
	told   time.Duration // see remux.Track.KeyframeInterval
}

func (p *publication) led() lead {
	if p.leader == nil {
		return lead{}
	}
	return lead{p.leader, p.leader.header.Track.KeyframeInterval}
}

// writer returns the writer of a rendition, which goes on from period to
// period and takes over what an earlier one left.
func (p *publication) writer(id RenditionID, before []*writer) *writer {
	for _, w := range before {
		if w.id == id {
			return w
		}
	}
	closed, open := p.former.take(id)
	return &writer{common: &p.common, id: id, msn: max(p.beat.number, open), shelf: shelf{closed: closed, listed: len(closed)}}
}

// align lets all renditions of a period begin with the same number, and keep to
// the leader's beat.
func (p *publication) align() {
	first := MSN(0)
	for _, w := range p.writers {
		first = max(first, w.msn)
	}
	for _, w := range p.writers {
		if w.unlisted() { // no gap in a playlist
			w.msn = first
		}
	}
	if p.leader != nil {
		p.leadWith(p.leader)
		p.beat.first = p.leader.msn
	}
}

// leadWith lets a writer lead the beat.
func (p *publication) leadWith(leader *writer) {
	p.leader = leader
	p.beat.followers, p.beat.pictured = nil, false
	for _, w := range p.writers {
		if leads := w == leader; leads != w.leads {
			w.leads = leads
			w.step.begin()
		}
		if !w.leads {
			p.beat.followers = append(p.beat.followers, w)
			p.beat.pictured = p.beat.pictured || w.isVideo()
		}
	}
}

// promote lets another picture lead where the leader is away: one whose keyframes lie
// where the leader's did, or, where that stays away for long, any. It tells whether
// there is one. Until then segments end by the clock.
func (p *publication) promote() bool {
	const long = 10 * time.Second
	goneLong := time.Duration(p.beat.head-p.leader.place()) >= long || p.beat.head-p.leader.absence.since >= int64(long)
	for _, w := range p.writers {
		if w.isVideo() && w.absence.wrote && !w.absence.away && (w.step.even >= evenSteps || goneLong) {
			p.leader.step.even = w.step.even // where one is in step, so is the other
			p.leadWith(w)
			w.leadAlong()
			if f, known := w.frames(); known { // where its segments may end depends on how long its frames last
				p.beat.measure(f)
			}
			return true
		}
	}
	return false
}
