package remux

import (
	"math"
	"slices"
	"time"
)

// A clock that counts only what it sends loses the time in which the encoder sends
// nothing: sound that was mute goes on where it stopped, and a track that begins late
// begins at nought. Its timestamps say nothing of that; when its frames arrive, beside those
// of the other tracks, does.
//
//	picture │ │ │ │ │ │ │ │ │ │ │ │ │ │ │ │     arrives as before
//	sound   │ │ │ │               │ │ │ │ │     goes on a frame later, and comes no nearer
//	                              ├ sure ┤
//
// What was only held back comes in a burst, and is where it was before long. Encoders whose
// sound is late for a while, and stamped as it should be, are known: nobody can tell them
// from a clock that lost a little time, until they have had time to catch up.

// lag is how a track comes beside the others.
type lag struct {
	ahead   int64         // how far ahead of the clock its newest frame was, ns
	best    int64         // … its frames were at most in this window
	until   time.Duration // end of this window; 0 before that
	unit    int64         // how long its units of sound last, ns
	alone   bool          // others were away in the window: encoders wait for them, or don't
	fresh   bool          // it begins, and its timestamps may be of a base of their own
	watched bool          // its clock may have lost time
	begins  bool          // … since before it began

	before int64         // how far ahead of the clock its frames were at most in the window before
	first  time.Duration // when its first frame arrived
	behind [5]int64      // how far behind the others it was at best in the newest windows in which they weren't, ns
	known  int           // … of which there were so many

	since   time.Duration // when it arrived that its clock may have lost time
	usual   int64         // how far behind the others it was before, ns
	nearest int64         // how far ahead it has been since
	others  int64         // … the others
	risen   int64         // … when they came nearer last
	rose    time.Duration // when that was
}

const (
	lagWindow = 2 * time.Second

	// soundLag and pictureLag are how far a track falls behind, at least, when its clock
	// loses time: encoders of pictures are slow now and then. Where a track begins,
	// ownLag is.
	soundLag   = 100 * time.Millisecond
	pictureLag = time.Second
	ownLag     = 500 * time.Millisecond

	// lagSure is how long a track has to come no nearer that begins, or is behind by more than
	// any that is merely late: mostLag. soundSure and pictureSure are how long the others have.
	lagSure     = 500 * time.Millisecond
	soundSure   = 25 * time.Second
	pictureSure = 5 * time.Second
	mostLag     = 6 * time.Second

	// lagTold is how long the others may not be heard meanwhile.
	lagTold = 3 * time.Second
)

// heard takes how far ahead of the clock a frame is, and returns by how much it is further
// back than the one before.
func (g *lag) heard(ahead int64, arrived time.Duration) (back int64) {
	if g.until == 0 {
		g.ahead = ahead
	}
	back, g.ahead = g.ahead-ahead, ahead
	switch {
	case g.until == 0:
		g.best, g.before, g.first, g.until = ahead, ahead, arrived, arrived+lagWindow
	case arrived >= g.until:
		g.before, g.best, g.until = g.best, ahead, arrived+lagWindow
	}
	g.best = max(g.best, ahead)
	return back
}

// most is how far ahead of the clock its frames are where nothing is late.
func (g *lag) most() int64 { return max(g.best, g.before) }

// watch begins to look whether the clock has lost time.
func (g *lag) watch(usual int64, arrived time.Duration) {
	g.watched, g.since, g.rose = true, arrived, arrived
	g.usual, g.nearest, g.risen, g.others = usual, g.ahead, g.ahead, math.MinInt64
}

// lags is told how far ahead of the clock a frame is, and lets its lane make up for time that its
// clock has lost.
func (t *timeline) lags(c *lane, ahead int64, arrived time.Duration) {
	g := &c.lag
	if c.pace.exact && g.unit != c.usual {
		if g.unit > 0 {
			t.unsure(max(g.unit-c.usual, c.usual-g.unit))
		}
		g.unit = c.usual
	}
	t.compare(c, arrived)
	back := g.heard(ahead, arrived)
	switch {
	case g.watched:
		t.watch(c, arrived)
	case g.fresh:
		g.watch(0, arrived)
		g.fresh, g.begins = false, true
	case back >= c.leastLag() && g.known > 0 && !t.still && !t.breach.open:
		if t.onTime(c, back, arrived) {
			g.watch(slices.Max(g.behind[:min(g.known, len(g.behind))]), arrived)
			g.begins = false
		}
	}
}

// unsure lets tracks come so much further behind the others than before, as units of sound last longer or
// shorter by that: some encoders send each when it is complete, others when it is its turn by its timestamp.
func (t *timeline) unsure(by int64) {
	for _, c := range t.lanes {
		c.lag.usual += by
		for i := range c.lag.behind {
			c.lag.behind[i] += by
		}
	}
}

// compare takes down how far a lane is behind the others, at the end of a window in which they were
// heard, from its beginning on: what was in time in front of a stall is far ahead of what came behind it.
func (t *timeline) compare(c *lane, arrived time.Duration) {
	const away = 500 * time.Millisecond
	g, newest := &c.lag, t.newest(c)
	g.alone = g.alone || newest.lane == nil || arrived-newest.when > away
	if arrived < g.until || g.until == 0 {
		return
	}
	if !g.alone && !g.watched && arrived < g.until+away && newest.lane.lag.first <= g.until-lagWindow {
		others := newest.lane.lag.most()
		for _, o := range t.lanes {
			if o != c && o.started && arrived-o.heard <= away {
				others = max(others, o.lag.most())
			}
		}
		g.behind[g.known%len(g.behind)] = others - g.best
		g.known++
	}
	g.alone = false
}

// leastLag is how far the lane falls behind at least where its clock loses time.
func (c *lane) leastLag() int64 {
	if c.pace.exact {
		return int64(soundLag)
	}
	return int64(pictureLag)
}

// leastOwn is how far a lane that begins is behind the others at least where it counts from a nought of its
// own. Encoders send pictures some frames behind the sound, those that they reorder at least three.
func (c *lane) leastOwn() int64 {
	if c.pace.exact {
		return int64(ownLag)
	}
	return max(int64(ownLag), 4*c.step)
}

// lagSure is how long the lane has to come no nearer to lose its clock's word.
func (c *lane) lagSure(lost int64) time.Duration {
	switch {
	case c.lag.begins || lost >= int64(mostLag):
		return lagSure
	case c.pace.exact:
		return soundSure
	}
	return pictureSure
}

// watch looks whether a lane that has fallen behind comes nearer to where it was.
func (t *timeline) watch(c *lane, arrived time.Duration) {
	g := &c.lag
	if pause := arrived - c.heard; pause > lagWindow {
		g.rose += pause // the network stood still, and nothing of it could come nearer
	}
	lost, known := t.lost(c, arrived)
	switch {
	case t.still, t.breach.open, !known && arrived-g.since > lagTold, known && lost < c.leastLag()/2:
		g.watched = false
	case known && arrived-g.rose >= c.lagSure(lost) && g.begins && lost < c.leastOwn():
		g.watched = false
	case known && arrived-g.rose >= c.lagSure(lost):
		c.offset += lost
		*g = lag{}
		g.heard(t.ahead(c, arrived), arrived)
	}
}

// lost is how much further behind the others a lane has been of late than it was before it was watched;
// false where they are not heard.
func (t *timeline) lost(c *lane, arrived time.Duration) (ns int64, known bool) {
	const nearer = int64(20 * time.Millisecond)
	g := &c.lag
	if g.nearest = max(g.nearest, g.ahead); g.nearest > g.risen+nearer {
		g.risen, g.rose = g.nearest, arrived
	}
	others, ours := int64(math.MinInt64), g.nearest
	for _, o := range t.lanes {
		if o != c && o.started && o.heard >= g.since {
			g.others = max(g.others, o.lag.ahead)
			others = max(others, o.lag.most())
		}
	}
	if arrived-g.since < 2*lagWindow { // else what is of late is what has been since
		others = g.others
	} else {
		ours = g.most()
	}
	return others - g.usual - ours, others > math.MinInt64
}

// onTime tells whether another lane is on time: one that was heard while this one fell back so far.
func (t *timeline) onTime(c *lane, back int64, arrived time.Duration) bool {
	return slices.ContainsFunc(t.lanes, func(o *lane) bool {
		return o != c && o.started && int64(arrived-o.heard) <= min(back/2, int64(lagSure)) && o.lag.most()-o.lag.ahead < back/2
	})
}

// ownNought tells whether a lane that begins may count from a nought of its own: it is behind
// the others, whose base it has been taken to have. A picture that was told of long before
// it came is one that its encoder looks ahead in.
func (t *timeline) ownNought(c, o *lane, arrived time.Duration) bool {
	const nought = 500 // ms
	return c.last < nought && o.line()-c.line() >= int64(ownLag) && (c.pace.exact || arrived-c.told < ownLag)
}

// forgetLags forgets how the lanes came, where the line is moved.
func (t *timeline) forgetLags() {
	for _, c := range t.lanes {
		c.lag = lag{}
	}
}
