package remux

import (
	"slices"
	"time"
)

// videoClock turns the times of frames into the DTS of a video track: the
// encoder's own, made to grow, and freed from rounding where frames come at an
// even rate.
type videoClock struct {
	started bool
	last    int64
	frame   int64 // ticks that a frame should last
	lost    int64 // frames that are known to be missing before the next
	odd     int64 // that the latest lasted where that is something else, 0 where it isn't
	grid    grid
	pin     pinned

	reorder reorder
	shown   [16]int64 // when the newest frames are shown, ticks
	next    int       // in shown
}

// reorder is how much later than they are decoded pictures are shown.
type reorder struct {
	frames      int   // that it was taken from
	least, most int64 // of late, ticks
	beyond      int   // frames of late that are shown much later or earlier than that
	far         bool  // all are shown seconds later, for sure
	doubted     int64 // how much later one frame is that is so alone, ticks
}

// offset bounds the offset of the composition of a frame, in ticks. Where an
// encoder's clock leaps between the two times of a frame, they are apart by that.
func (r *reorder) offset(composition int64) int64 {
	const (
		known    = 16 // frames, before which all is believed
		mistakes = 4  // more of them are none
		off      = VideoTimescale / 2
	)
	usual := min(max(composition, r.least), r.most)
	if !r.far && composition > farOffset {
		if r.far = near(composition, r.doubted, VideoTimescale); !r.far {
			r.doubted = composition
			return usual
		}
	}
	if r.frames == 0 {
		r.least, r.most = composition, composition
	}
	if r.frames < known {
		r.frames++
		r.least, r.most = min(r.least, composition), max(r.most, composition)
		return composition
	}
	if !near(composition, usual, off) && r.beyond < mistakes*known {
		r.beyond += known
		return usual
	}
	r.beyond = max(r.beyond-1, 0)
	r.least = min(composition, r.least+(composition-r.least)/256)
	r.most = max(composition, r.most-(r.most-composition)/256)
	return composition
}

// farOffset is more than a frame alone is believed to be shown from when it is decoded.
const farOffset = 5 * VideoTimescale

// begin is told the first frames, those of a track among them: where two are shown seconds
// later, none is alone.
func (r *reorder) begin(frames []frame, s *source) {
	var first []int64
	for i := range frames {
		if f := &frames[i]; f.source == s && len(first) < 2 {
			first = append(first, compositionTicks(f.Composition))
		}
	}
	r.far = len(first) == 2 && first[0] > farOffset && near(first[0], first[1], VideoTimescale)
}

// expect tells the frame rate that the encoder states, if any. How long frames
// last is taken from it only before there were some: encoders often state another.
func (v *videoClock) expect(r Rational) {
	if r.Num > 0 && r.Den > 0 {
		if !v.started {
			v.frame = int64(r.Den) * VideoTimescale / int64(r.Num)
		}
		v.grid.stated = int64(r.Den) * VideoTimescale * fine / int64(r.Num)
	}
}

func (v *videoClock) begin(t Track) { v.expect(t.Picture.FrameRate) }

func (v *videoClock) lose() { v.lost++ }

func (v *videoClock) sample(ns int64, composition int32, _ *unit) (dts int64, duration uint32, offset int32) {
	dts, later := v.place(ns, compositionTicks(composition))
	return dts, uint32(v.frame), int32(later)
}

// compositionTicks turns a composition time into ticks. No encoder shows a
// picture many seconds from when it is decoded: such a number is a mistake.
func compositionTicks(ms int32) int64 {
	const most, least = 10000, -5000
	if ms > most || ms < least {
		return 0
	}
	return int64(ms) * millisecond
}

// place returns the DTS in ticks, and the offset of the composition from it,
// for a frame that the encoder wants decoded at ns and shown that many ticks
// later.
func (v *videoClock) place(ns, composition int64) (dts, offset int64) {
	before := v.last
	dts, offset = v.settle(ticks(ns, VideoTimescale), v.reorder.offset(composition))
	if v.pin.member != nil {
		if by := v.pin.off(dts+offset, composition); dts+by > before {
			dts += by
			v.move(by)
		}
	}
	// Encoders repeat timestamps. No two frames are shown at one time: half a
	// frame later there is room, whether the next one is a frame or two behind.
	for later := max(v.frame/2, millisecond); slices.Contains(v.shown[:], dts+offset); later = millisecond {
		offset += later
	}
	v.shown[v.next] = dts + offset
	v.next = (v.next + 1) % len(v.shown)
	return dts, offset
}

// pinned is where on the line of several encoders a frame is.
type pinned struct {
	member *member // nil for one encoder alone
	place  int64   // ns
	key    bool
	leads  bool // it is of the track that the encoder's keyframes are known by
}

// off is how far a picture that would be shown at pts is from when others show it, ticks.
func (p *pinned) off(pts, composition int64) int64 {
	return p.member.pin(p, p.place+composition*int64(time.Second)/VideoTimescale, pts) - pts
}

// move moves the frame that was placed last, and all behind it.
func (v *videoClock) move(by int64) {
	v.last += by
	v.grid.at += by * fine
	v.grid.off -= by * fine
}

// settle is place, but that several may be shown at one time.
func (v *videoClock) settle(want, composition int64) (dts, offset int64) {
	if !v.started {
		v.started, v.last, v.odd = true, want, longestFrame
		if v.frame <= 0 || v.frame > VideoTimescale {
			v.frame = VideoTimescale / 30
		}
		v.grid.begin(want)
		return want, composition
	}
	dts, even := v.grid.place(want, v.last)
	if even {
		offset = v.grid.whole(composition)
	} else {
		dts = max(want, v.last+millisecond)
		offset = composition + want - dts
	}
	step := (dts - v.last) / (1 + v.lost)
	switch {
	case even && step*fine < v.grid.frame+2*fine: // one frame, not several
		v.frame, v.odd = step, 0
	case near(step, v.frame, jitter):
		v.frame += (step - v.frame) / 16 // towards the encoder's true rate
		v.odd = 0
	case v.odd == 0: // one was lost, or there was a pause: that tells nothing
		v.odd = step
	default:
		v.frame, v.odd = min(step, v.odd, longestFrame), step
	}
	v.last, v.lost = dts, 0
	return dts, offset
}
