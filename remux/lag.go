package remux

import (
	"math"
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
// What was only held back comes in a burst, and is soon where it was.

// lag is how a track comes beside the others.
type lag struct {
	ahead  int64         // how far ahead of the clock its newest frame was, ns
	best   int64         // … its frames were at most in this window
	before int64         // … in the window before
	until  time.Duration // end of this window; 0 before the first frame

	fresh   bool          // it begins, and its timestamps may be of a base of their own
	watched bool          // its clock may have lost time
	since   time.Duration // when it arrived that it may
	usual   int64         // how far behind the others it was before, ns
	nearest int64         // how far ahead it has been since
	others  int64         // … the others
	risen   int64         // … when they came nearer last
	rose    time.Duration // when that was
}

const (
	lagWindow = 4 * time.Second

	// soundLag and pictureLag are how far a track falls behind, at least, when its clock
	// loses time: encoders of pictures are slow now and then. Where a track begins,
	// ownLag is.
	soundLag   = 100 * time.Millisecond
	pictureLag = time.Second
	ownLag     = 500 * time.Millisecond

	// lagSure is how long it has to come no nearer, and lagTold how long others may not
	// be heard meanwhile.
	lagSure = 500 * time.Millisecond
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
		g.best, g.before, g.until = ahead, ahead, arrived+lagWindow
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
	g, most := &c.lag, c.lag.most()
	back := g.heard(ahead, arrived)
	switch {
	case g.watched:
		t.watch(c, arrived)
	case g.fresh:
		g.fresh = false
		g.watch(0, arrived)
	case back >= c.leastLag() && len(t.lanes) > 1 && !t.still && !t.breach.open:
		if others, onTime := t.others(c, back, arrived); onTime {
			g.watch(others-most, arrived)
		}
	}
}

// leastLag is how far the lane falls behind at least where its clock loses time.
func (c *lane) leastLag() int64 {
	if c.pace.exact {
		return int64(soundLag)
	}
	return int64(pictureLag)
}

// watch looks whether a lane that has fallen behind comes nearer to where it was.
func (t *timeline) watch(c *lane, arrived time.Duration) {
	const nearer = int64(20 * time.Millisecond)
	g := &c.lag
	for _, o := range t.lanes {
		if o != c && o.started && o.heard >= g.since {
			g.others = max(g.others, o.lag.ahead)
		}
	}
	g.nearest = max(g.nearest, g.ahead)
	if g.nearest > g.risen+nearer {
		g.risen, g.rose = g.nearest, arrived
	}
	lost := g.others - g.usual - g.nearest
	switch {
	case t.still, t.breach.open, arrived-g.since > lagTold && g.others == math.MinInt64:
		g.watched = false
	case g.others == math.MinInt64:
	case lost < c.leastLag()/2:
		g.watched = false
	case arrived-g.rose >= lagSure:
		c.offset += lost
		*g = lag{}
		g.heard(t.ahead(c, arrived), arrived)
	}
}

// others is how far ahead of the clock the lanes but one are where nothing is late, and
// whether any of them is on time now: one that was heard while that one fell back so far.
func (t *timeline) others(c *lane, back int64, arrived time.Duration) (most int64, onTime bool) {
	most = math.MinInt64
	for _, o := range t.lanes {
		if o == c || !o.started || int64(arrived-o.heard) > min(back/2, int64(lagSure)) {
			continue
		}
		most = max(most, o.lag.most())
		onTime = onTime || o.lag.most()-o.lag.ahead < back/2
	}
	return most, onTime
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
