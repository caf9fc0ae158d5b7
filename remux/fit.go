package remux

import "time"

const (
	// commonSkew is how far encoders of one program may be apart in what they send: they
	// look ahead differently.
	commonSkew = 3 * time.Second

	// arrivalSlack is how far off arrival may be by chance: what comes first on a new
	// connection is late.
	arrivalSlack = 300 * time.Millisecond

	// reorderSlack is how far encoders' first DTS may be apart where they reorder
	// pictures differently.
	reorderSlack = 150 * time.Millisecond

	// rounding is how far apart the same picture may be in two encoders' milliseconds:
	// each rounds, and the line was laid by a rounded one.
	rounding = int64(2 * time.Millisecond)
)

// fit is how the line of an encoder lies beside that of the others, in ns. It can be laid
// on it so that its timestamps mean what they mean there, or so that its keyframe lies on
// one of theirs.
type fit struct {
	common  int64 // how far it is to be moved for the one
	arrives int64 // … to lie where arrival says
	borne   int   // whether keyframes bear out common timestamps: 1 yes, -1 no, 0 there is no knowing

	keyed bool  // there are keyframes
	snap  int64 // from where arrival says to the nearest
	aside int64 // from where common timestamps say to the nearest

	passed bool // the master is further than where arrival says: all its keyframes there have come

	heard int  // 1 where the same sound bears out common timestamps, -1 where it does the keyframe
	fresh bool // its timestamps began with its connection
}

// lock is how the line is laid, and how far it is moved for that.
func (f *fit) lock() (state LockState, by int64) {
	apart := f.delta()
	common := near(apart, 0, int64(commonSkew))
	snap := f.keyed && near(f.snap, 0, int64(arrivalSlack))
	switch {
	case common && f.heard > 0,
		near(apart, 0, int64(arrivalSlack)) && f.borne >= 0,
		common && f.borne >= 0 && (!snap || f.alike()):
		return LockCommon, f.common
	case snap && (!common || f.fresh || f.heard < 0): // outputs of one encoder that count from 0 each
		return LockConstant, f.arrives + f.snap
	case common && f.borne < 0 && near(f.aside, 0, int64(reorderSlack)): // they count from their first DTS
		return LockConstant, f.common + f.aside
	case common:
		return LockCommon, f.common
	}
	return LockFree, 0
}

// alike tells whether timestamps are common, where keyframes bear that out and would bear
// out, too, that they count from when each output began.
func (f *fit) alike() bool {
	const sure = 100 * time.Millisecond
	return f.heard == 0 && (!f.fresh || !near(f.snap, 0, int64(sure)))
}

// delta is how far common timestamps are from where arrival says.
func (f *fit) delta() int64 { return f.common - f.arrives }

// keyframes are the newest of one encoder: where on the line they are shown, ns.
type keyframes struct {
	at [16]int64
	n  int
}

func (k *keyframes) add(place int64) {
	k.at[k.n%len(k.at)] = place
	k.n++
}

// newest is the i-th newest.
func (k *keyframes) newest(i int) int64 { return k.at[(k.n-1-i)%len(k.at)] }

// evenIntervals are so many alike that they tell how far all keyframes are apart.
const evenIntervals = 3

// interval is how far they are apart, 0 where that isn't even, or where too few have come to tell.
func (k *keyframes) interval() int64 { return k.even(evenIntervals) }

// even is how far the newest are apart, 0 where so many intervals are not alike.
func (k *keyframes) even(intervals int) int64 {
	if k.n <= intervals {
		return 0
	}
	least, most := int64(1<<62), int64(0)
	for i := range intervals {
		d := k.newest(i) - k.newest(i+1)
		least, most = min(least, d), max(most, d)
	}
	if least <= 0 || most-least > 2*rounding {
		return 0
	}
	return (k.newest(0) - k.newest(intervals)) / int64(intervals)
}

// nearest is the keyframe that is nearest to a place, or will be. Where too few have come to tell
// how far they are apart, gop says it; 0 where that isn't known either.
func (k *keyframes) nearest(place, gop int64) (key int64, ok bool) {
	const foreseen = 8
	for i := range min(k.n, len(k.at)) {
		key, ok = nearer(key, k.newest(i), place, ok), true
	}
	d := k.interval()
	if k.n <= evenIntervals {
		d = gop
	}
	if ok && d > 0 {
		for i := range int64(foreseen) {
			key = nearer(key, k.newest(0)+(i+1)*d, place, ok)
		}
	}
	return key, ok
}

func nearer(a, b, place int64, ok bool) int64 {
	if !ok || max(b-place, place-b) < max(a-place, place-a) {
		return b
	}
	return a
}

// bear tells whether keyframes bear out that there is one at a place: see fit.borne.
func (k *keyframes) bear(place int64) int {
	key, ok := k.nearest(place, 0)
	switch {
	case !ok:
		return 0
	case near(key, place, rounding+rounding/2):
		return 1
	case near(key, place, int64(arrivalSlack)): // no encoder makes another one so soon
		return -1
	case place > k.newest(0) && k.interval() == 0:
		return 0
	}
	return -1
}
