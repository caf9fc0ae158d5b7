package remux

import (
	"cmp"
	"slices"
	"sync"
	"time"
)

// Genlock keeps the encoders of one stream on one line, as broadcast's reference
// signal does: the same picture of one program is shown at the same tick, whoever sends
// it. Each encoder has a Remuxer with a timeline of its own; that is laid on the line of
// the others when its first period is about to begin, and again whenever its own line was
// broken. It is safe for several goroutines.
//
//	master  ├─K───────K───────K───────K──▶  its arrivals drive the bends of the line
//	other       ├─────K───────K───────K──▶  same timestamps, or keyframes: same places
//
// Any encoder on the line may become the master, as all see the same bends.
type Genlock struct {
	bends bends

	mu      sync.Mutex
	members []*member
	master  *member // nil before the first, and while none is on the line
	left    *member // the master that was the last there, where others wait that came beside it
	lead    int64   // ns that the line is ahead of the clock, as the stream was left there
	pins    pins
	gone    departures
}

// NewGenlock returns one without encoders. All their Remuxers go by one clock.
func NewGenlock() *Genlock { return new(Genlock) }

const (
	// silence is how long the master may not be heard before another takes over.
	silence = time.Second

	// reportTime is how often the others hear of an encoder.
	reportTime = 100 * time.Millisecond
)

// member is an encoder.
type member struct {
	genlock *Genlock
	tell    func(Lock)

	// By its own goroutine:
	told Lock
	due  int64 // when the others hear of it again, ns since 1970; 0 before it lies anywhere

	// By whoever holds genlock.mu:
	lock   Lock
	broken bool // its line is, and it was on that of the others before
	heard  int64
	last   uint32 // timestamp of its first track, and where that is on the line, ns
	line   int64
	best   int64 // how far it is ahead of where the line is to be: slew.ahead
	young  int64 // it came to lie beside the master a short while ago, until then
	keys   keyframes
	sounds sounds
	drift  drift
}

// member makes one.
func (g *Genlock) member(tell func(Lock)) *member {
	m := &member{genlock: g, tell: tell}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.members = append(g.members, m)
	return m
}

// beginsBeside tells whether there are others to lie beside.
func (m *member) beginsBeside() bool {
	m.genlock.mu.Lock()
	defer m.genlock.mu.Unlock()
	return m.genlock.master != nil
}

// leave is called when the encoder is gone.
func (m *member) leave() {
	g := m.genlock
	g.mu.Lock()
	defer g.mu.Unlock()
	g.members = slices.DeleteFunc(g.members, func(o *member) bool { return o == m })
	if m.lock.State.locked() {
		g.gone.add(m.last, m.line)
	}
	if g.master != m {
		return
	}
	if g.elect(); g.master == nil && len(g.members) > 0 {
		g.left = m
	}
}

// elect makes another encoder on the line the master: the first that isn't silent.
func (g *Genlock) elect() {
	var next *member
	for _, m := range g.members {
		if m.lock.State.locked() && (next == nil || m.heard > next.heard+int64(silence)) {
			next = m
		}
	}
	g.follow(next)
}

// follow makes an encoder on the line the master of all others there; nil is none.
func (g *Genlock) follow(master *member) {
	g.master = master
	for _, m := range g.members {
		if m.lock.State.locked() {
			m.lock = m.beside(master)
		}
	}
}

// beside is how an encoder on the line lies there, beside the master.
func (m *member) beside(o *member) Lock {
	if m == o {
		return Lock{State: LockMaster}
	}
	apart := milliseconds(m.last-o.last) - (m.line - o.line)
	if near(apart, 0, 2*rounding) {
		return Lock{State: LockCommon}
	}
	return Lock{State: LockConstant, Difference: time.Duration(apart).Round(time.Millisecond)}
}

// report tells the others how an encoder fares, and the encoder what became of it.
func (m *member) report(t *timeline, now int64) {
	g := m.genlock
	g.mu.Lock()
	defer m.announce()
	defer g.mu.Unlock()
	m.note(t, now)
	switch {
	case t.breach.open:
		m.part(t)
	case m.lock.State.locked():
		m.watch(now)
	case g.master == nil && !slices.ContainsFunc(g.members, func(o *member) bool { return o.broken }):
		m.lead(t) // those on the line have gone
	}
	if !m.lock.State.locked() {
		t.slew.detach(m.line)
	}
}

// part leaves the line, as that of the encoder is broken.
func (m *member) part(t *timeline) {
	if m.lock.State == LockNone {
		return
	}
	m.broken, m.lock = m.lock.State.locked(), Lock{}
	if m.genlock.master == m {
		m.genlock.elect()
	}
}

// watch looks at an encoder on the line and the master: whether that leads well, and whether their
// clocks stay together.
func (m *member) watch(now int64) {
	g, o := m.genlock, m.genlock.master
	if m == o {
		return
	}
	const far = int64(commonSkew)
	switch {
	case m.best > far: // no network makes it so early
		m.lock = runningAhead()
	case o.best > far:
		o.lock = runningAhead()
		g.follow(m)
	case now-o.heard > int64(silence), o.best < m.best-far:
		g.follow(m)
	default:
		if ppm, away := m.drift.away(m, o, now); away {
			m.lock = drifting(ppm)
		}
	}
}

// note takes down where an encoder is. One that has come beside the master is as far ahead of where the line is
// to be as that, however late its first frame came: so another that leads leaves the line where it is.
func (m *member) note(t *timeline, now int64) {
	c, o := t.lead, m.genlock.master
	if o != nil && o != m && m.lock.State.locked() && now < m.young {
		t.slew.right = t.slew.best() - o.best
	}
	m.due, m.heard, m.last, m.line, m.best = now+int64(reportTime), now, c.last, c.line(), t.slew.ahead()
}

// lead makes an encoder the master, and the line its own.
func (m *member) lead(t *timeline) {
	g := m.genlock
	g.left = nil
	if g.master = m; !m.broken { // else the line is as far ahead of the clock as it was
		g.lead = t.began - t.opened + t.slew.right
	}
	g.bends.begin(&t.slew)
	g.pins, g.gone = pins{}, departures{}
	m.lock, m.broken, m.keys, m.sounds = Lock{State: LockMaster}, false, keyframes{}, sounds{}
	t.slew.member = m
}

// landing is what an encoder lies on the line with: its first keyframe, or what comes
// first where there is no picture.
type landing struct {
	lane     *lane
	line     int64 // where it is
	shown    int64 // how much later it is shown, ns
	pictured bool
	gop      int64        // how far its keyframes are apart that wait, ns; 0 where that doesn't show
	least    int64        // how far it may be moved, at least
	sounds   []soundPrint // that wait
	fresh    bool         // its timestamps began with its connection
}

// lay puts the line of an encoder on that of the others.
func (m *member) lay(t *timeline, l landing, now int64) {
	g := m.genlock
	g.mu.Lock()
	defer m.announce()
	defer g.mu.Unlock()
	t.lead = l.lane
	switch o := cmp.Or(g.master, g.left); {
	case o == nil, !m.join(o, t, l) && g.master == nil:
		m.lead(t)
	case g.master == nil:
		g.left = nil
		g.follow(m)
	}
	m.young = now + int64(slewWindow)
	m.note(t, now)
}

// join is lay beside the master, or beside the one that left while others waited: what those
// send means what it did when they came. It returns false where it doesn't lie there.
func (m *member) join(o *member, t *timeline, l landing) bool {
	g := m.genlock
	f := m.fit(o, t, &l)
	state, by := f.lock()
	if state == LockFree {
		if back, ok := g.gone.goesOn(l.lane, f.arrives); ok {
			state, by = LockConstant, back
		}
	}
	free := state == LockFree || by < l.least
	if g.master == nil && free {
		return false
	}
	m.broken, m.keys, m.sounds, m.drift = false, keyframes{}, sounds{}, drift{}
	m.lock = Lock{State: state}
	if state == LockConstant {
		m.lock.Difference = time.Duration(f.common - by).Round(time.Millisecond)
	}
	if free {
		m.lock = f.free()
		by = max(g.ahead(t), 0)
		if g.master != nil { // what came first may have been late, or early
			t.slew.right = t.slew.best() - o.best
			by = max(g.ahead(t)-t.slew.right, l.least)
		}
		t.move(by, by)
		return false
	}
	t.move(by, by+g.bends.at(l.line+by)-t.slew.at(l.line))
	t.slew.member = m
	return true
}

// ahead is how far the line is ahead of the clock beyond what an encoder has it.
func (g *Genlock) ahead(t *timeline) int64 { return g.lead - (t.began - t.opened) }

// fit is how an encoder would lie beside the master, o.
func (m *member) fit(o *member, t *timeline, l *landing) fit {
	g := m.genlock
	f := fit{
		common:  o.line + milliseconds(l.lane.last-o.last) - l.lane.line(),
		arrives: g.bends.line(l.line+t.slew.at(l.line)-t.slew.best()+g.ahead(t)+o.best) - l.line,
		fresh:   l.fresh,
	}
	if l.pictured {
		shown := l.line + l.shown
		keys := g.keysBy(o, shown+f.arrives, o.heard)
		gop := cmp.Or(l.gop, keys.even(evenIntervals-1)) // fewer than tell for sure are better than arrival alone
		if f.passed = o.line >= shown+f.arrives+int64(arrivalSlack); f.passed {
			gop = 0 // it would have come
		}
		var key int64
		if key, f.keyed = keys.nearest(shown+f.arrives, gop); f.keyed {
			f.snap = key - shown - f.arrives
			key, _ = keys.nearest(shown+f.common, 0)
			f.aside = key - shown - f.common
			f.borne = keys.bear(shown + f.common)
			f.heard = o.sounds.bear(l.sounds, f.common) - o.sounds.bear(l.sounds, f.arrives+f.snap)
		}
	}
	return f
}

// early tells whether it doesn't show yet where an encoder lies. While it rushes, arrival
// says nothing: then timestamps alone tell, where the same sound or the same keyframes bear them
// out. Later, the keyframe that it would lie on may yet have to come from the master,
// for all that is known: how far its own are apart isn't.
func (m *member) early(t *timeline, l *landing, rushes bool) bool {
	g := m.genlock
	g.mu.Lock()
	defer g.mu.Unlock()
	o := g.master
	if o == nil || o == m || !rushes && o.keys.interval() > 0 {
		return false
	}
	f := m.fit(o, t, l)
	state, _ := f.lock()
	if rushes {
		return state != LockCommon || f.heard <= 0 && (f.borne <= 0 || f.fresh)
	}
	return state == LockFree && !f.passed
}

// keysBy are the keyframes that tell where one lies that arrives at a place: the
// master's, or, where none of its is near, those of another encoder on the line, which
// may have more of them.
func (g *Genlock) keysBy(master *member, place, now int64) *keyframes {
	for _, o := range append([]*member{master}, g.members...) {
		if !o.lock.State.locked() || now-o.heard > int64(silence) {
			continue
		}
		if key, ok := o.keys.nearest(place, 0); ok && near(key, place, int64(arrivalSlack)) {
			return &o.keys
		}
	}
	return &master.keys
}

// move moves the line by so many ns, which makes it so much later.
func (t *timeline) move(by, later int64) {
	for _, c := range t.lanes {
		c.offset += by
	}
	t.mended += by
	t.began += later
	t.slew.move(by)
	t.forgetLags()
}

// announce tells of a Lock that changed.
func (m *member) announce() {
	m.genlock.mu.Lock()
	l := m.lock
	m.genlock.mu.Unlock()
	if l == m.told {
		return
	}
	m.told = l
	if m.tell != nil {
		m.tell(l)
	}
}

// bend is slew's: the master bends the line for all.
func (m *member) bend(line int64, rate float64) {
	m.genlock.mu.Lock()
	defer m.genlock.mu.Unlock()
	if m.genlock.master == m {
		m.genlock.bends.add(line, rate)
	}
}

// pin is when a picture at a place on the line is shown that would be at pts, ticks: then,
// where nobody said another time.
func (m *member) pin(p *pinned, place, pts int64) int64 {
	const most = 4 * millisecond // of rounding, and of what the grids of both lag
	g := m.genlock
	g.mu.Lock()
	defer g.mu.Unlock()
	if !m.lock.State.locked() {
		return pts
	}
	if p.key && p.leads {
		m.keys.add(place)
	}
	said := g.pins.said(place, p.key)
	if said == 0 && place < g.master.line+bendAhead { // who runs ahead says nothing to the others
		g.pins.say(place, pts, p.key)
	}
	if said == 0 || !near(said, pts, most) {
		return pts
	}
	return said
}

// sound takes down a unit of sound.
func (m *member) sound(p soundPrint) {
	g := m.genlock
	g.mu.Lock()
	defer g.mu.Unlock()
	m.sounds.add(p)
}
