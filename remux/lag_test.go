package remux

import (
	"cmp"
	"math"
	"testing"
	"time"
)

// clockRow is an encoder whose frames come at their pace while the clock that stamps them does what it
// likes. Times are in ms.
type clockRow struct {
	name      string
	begin     [2]float64                         // when the first frame of picture and sound comes
	mute      func(k Kind, ms float64) bool      // no frame is sent then; nil: never
	stamp     [2]func(ms float64, n int) float64 // of the n-th frame, that comes then
	comes     func(k Kind, ms float64) float64   // when it really does; nil: then
	due       func(k Kind, ms float64) float64   // where it belongs; nil: there
	fps       float64                            // of the picture; 0: 30
	unsettled float64                            // how long it may lie elsewhere, behind a mute or a beginning
	slack     float64
}

// sent is a frame of clockRow.
type sent struct {
	kind      Kind
	ms, comes float64
}

// before tells which of two comes first: what comes at once comes in its order.
func (s sent) before(o sent) bool { return s.comes < o.comes || s.comes == o.comes && s.ms < o.ms }

func (c *clockRow) run(t *testing.T) {
	f := newFeed(t)
	f.videoConfig(record(mainSPS, mainPPS))
	f.audioConfig("1190")
	var all [2][]sent
	frame := [2]float64{1000 / cmp.Or(c.fps, 30), 1024. / 48}
	for k := range all {
		for n := 0; float64(n)*frame[k] < 60000; n++ {
			ms := float64(n) * frame[k]
			if ms < c.begin[k] || c.mute != nil && c.mute(Kind(k), ms) {
				continue
			}
			s := sent{Kind(k), ms, ms}
			if c.comes != nil {
				s.comes = c.comes(Kind(k), ms)
			}
			all[k] = append(all[k], s)
		}
	}
	var n [2]int
	for n[0] < len(all[0]) || n[1] < len(all[1]) {
		k := 0
		if n[0] == len(all[0]) || n[1] < len(all[1]) && all[1][n[1]].before(all[0][n[0]]) {
			k = 1
		}
		s := all[k][n[k]]
		f.now = time.UnixMilli(base).Add(time.Duration(s.comes * 1e6))
		at := uint32(max(c.stamp[k](s.ms, n[k]), 0))
		switch {
		case Kind(k) == Audio:
			f.sound(at)
		case n[k]%30 == 0:
			f.key(at)
		default:
			f.inter(at)
		}
		n[k]++
	}
	f.r.Close(nil)
	n = [2]int{}
	settled := [2]float64{c.begin[0] + c.unsettled, c.begin[1] + c.unsettled}
	last := [2]float64{}
	for i, s := range f.out.samples {
		track := f.out.periods[len(f.out.periods)-1][s.Track]
		if len(f.out.periods) > 1 && i < 200 {
			continue
		}
		k, rate := track.Kind(), int64(track.Timescale)
		at := float64(s.DTS/rate*1000-base) + float64(s.DTS%rate)*1000/float64(rate)
		due := all[k][n[k]].ms
		if due > last[k]+200 {
			settled[k] = max(settled[k], due+c.unsettled)
		}
		last[k] = due
		if c.due != nil {
			due = c.due(k, due)
		}
		if off := at - due; all[k][n[k]].ms > settled[k] && (off > c.slack || off < -c.slack) {
			t.Fatalf("%v %d is decoded at %.0f ms, not at %.0f", k, n[k], at, due)
		}
		n[k]++
	}
	if len(f.out.periods) == 1 && c.slack < 100 && (n[0] != len(all[0]) || n[1] != len(all[1])) {
		t.Errorf("%d pictures of %d, %d units of sound of %d", n[0], len(all[0]), n[1], len(all[1]))
	}
	if len(f.out.periods) > 2 {
		t.Errorf("%d periods", len(f.out.periods))
	}
}

// F32: clocks that lose time, and some that look like it.
func TestF32LostTime(t *testing.T) {
	even := func(ms float64, _ int) float64 { return ms }
	counts := [2]func(float64, int) float64{
		func(_ float64, n int) float64 { return float64(n) * 1000 / 30 },
		func(_ float64, n int) float64 { return float64(n) * 1024 / 48 },
	}
	from := func(begin, end float64, of Kind) func(Kind, float64) bool {
		return func(k Kind, ms float64) bool { return k == of && ms >= begin && ms < end }
	}
	often := func(k Kind, ms float64) bool { return k == Audio && int(ms)%7000 > 6600 }
	both := [2]func(float64, int) float64{even, even}
	set := func(by, each float64) func(float64, int) float64 { // back by that, again and again
		return func(ms float64, _ int) float64 { return 1e6 + ms - by*float64(int(ms/each)) }
	}
	for _, c := range []clockRow{
		{name: "sound that was mute goes on where it stopped", mute: from(10e3, 14e3, Audio), stamp: [2]func(float64, int) float64{even, counts[1]}, unsettled: 26e3, slack: 60},
		{name: "for 300 ms", mute: from(10e3, 10300, Audio), stamp: [2]func(float64, int) float64{even, counts[1]}, unsettled: 26e3, slack: 60},
		{name: "for 20 s", mute: from(10e3, 30e3, Audio), stamp: [2]func(float64, int) float64{even, counts[1]}, unsettled: 700, slack: 60},
		{name: "each 7 s", mute: often, stamp: [2]func(float64, int) float64{even, counts[1]}, slack: 2500},
		{name: "a picture", mute: from(10e3, 14e3, Video), stamp: [2]func(float64, int) float64{counts[0], even}, unsettled: 6e3, slack: 60},
		{name: "sound that was mute for true", mute: from(10e3, 14e3, Audio), stamp: both, slack: 60},
		{name: "sound that was held back", comes: func(k Kind, ms float64) float64 {
			if k == Audio && ms > 10e3 && ms < 14e3 {
				return 14e3
			}
			return ms
		}, stamp: both, slack: 60},
		{name: "… and catches up at twice the pace", comes: func(k Kind, ms float64) float64 {
			if k == Audio && ms > 10e3 && ms < 14e3 {
				return 12e3 + (ms-10e3)/2
			}
			return ms
		}, stamp: both, slack: 60},
		{name: "a network that stood still for 12 s", comes: func(_ Kind, ms float64) float64 {
			if ms > 10e3 && ms < 22e3 {
				return 22e3
			}
			return ms
		}, stamp: both, slack: 60},
		{name: "sound that is late for 20 s", comes: func(k Kind, ms float64) float64 {
			if k == Audio && ms > 10e3 && ms < 30e3 {
				return ms + 5000
			}
			if k == Audio && ms >= 30e3 {
				return max(ms, 35e3)
			}
			return ms
		}, stamp: both, slack: 60},
		{name: "… and a network that stands still as it catches up", comes: func(k Kind, ms float64) float64 {
			if k == Audio && ms > 10e3 && ms < 33e3 {
				ms += 1600
			}
			if ms > 33e3 && ms < 41e3 {
				return 41e3
			}
			return ms
		}, stamp: both, slack: 60},
		{name: "sound in bunches", comes: func(k Kind, ms float64) float64 {
			if k == Audio {
				return math.Ceil(ms/800) * 800
			}
			return ms
		}, stamp: both, slack: 60},
		{name: "… that is mute for 4 s", mute: from(10e3, 14e3, Audio), comes: func(k Kind, ms float64) float64 {
			if k == Audio {
				return math.Ceil(ms/400) * 400
			}
			return ms
		}, stamp: [2]func(float64, int) float64{even, counts[1]}, unsettled: 26e3, slack: 60},
		{name: "a network that jitters, and sound that was mute", mute: from(10e3, 14e3, Audio), comes: func(_ Kind, ms float64) float64 {
			return math.Ceil(ms/90) * 90
		}, stamp: [2]func(float64, int) float64{even, counts[1]}, unsettled: 26e3, slack: 60},
		{name: "pictures in the order of their decoding, stamped with when they are shown", stamp: [2]func(float64, int) float64{
			func(_ float64, n int) float64 { return float64(n/8*8+[8]int{8, 4, 2, 1, 3, 6, 5, 7}[n%8]) * 1000 / 30 }, even}, slack: 300},
		{name: "… in two levels", stamp: [2]func(float64, int) float64{
			func(_ float64, n int) float64 { return float64(n/8*8+[8]int{8, 1, 2, 3, 4, 5, 6, 7}[n%8]) * 1000 / 30 }, even}, slack: 300},
		{name: "a network that stood still, and stays late", comes: func(_ Kind, ms float64) float64 {
			if ms > 10e3 {
				return ms + 400
			}
			return ms
		}, stamp: both, slack: 60},
		{name: "sound that begins late, at nought", begin: [2]float64{0, 2000}, stamp: [2]func(float64, int) float64{even, func(ms float64, _ int) float64 { return ms - 2000 }}, unsettled: 700, slack: 60},
		{name: "pictures that lie long and are reordered, as they are sent three frames behind the sound", fps: 5, comes: func(k Kind, ms float64) float64 {
			if k == Video {
				return ms + 358
			}
			return ms
		}, stamp: [2]func(float64, int) float64{func(ms float64, _ int) float64 { return 348 + ms }, func(ms float64, _ int) float64 { return 548 + ms }}, due: func(k Kind, ms float64) float64 {
			if k == Video {
				return ms - 200
			}
			return ms
		}, slack: 60},
		{name: "a picture that begins late", begin: [2]float64{0, 2000}, stamp: both, slack: 60},
		{name: "both are set back by 400 ms each 4 s", stamp: [2]func(float64, int) float64{set(400, 4000), set(400, 4000)}, slack: 60},
		{name: "both by 150 ms each second", stamp: [2]func(float64, int) float64{set(150, 1000), set(150, 1000)}, slack: 60},
		{name: "the sound alone", stamp: [2]func(float64, int) float64{even, set(400, 4000)}, slack: 60},
		{name: "the picture alone", stamp: [2]func(float64, int) float64{set(400, 4000), even}, slack: 60},
		{name: "clocks that run fast, and are put right", stamp: [2]func(float64, int) float64{
			func(ms float64, _ int) float64 { return ms*1.1 - 400*float64(int(ms/4000)) },
			func(ms float64, _ int) float64 { return ms*1.1 - 400*float64(int(ms/4000)) },
		}, slack: 450},
	} {
		t.Run(c.name, c.run)
	}
}

// F32: what a network holds back where lanes begin to be compared says nothing of their clocks, whichever
// is heard first.
func TestF32StallBehindABreak(t *testing.T) {
	const unit = 40
	began := time.UnixMilli(base).UnixNano()
	line := timeline{opened: began, began: began}
	lanes := [2]*lane{line.lane(), line.lane()}
	for _, c := range lanes {
		c.pace.exact = true
	}
	hear := func(c *lane, ms, comes int) { line.at(c, uint32(ms), time.Duration(comes)*time.Millisecond) }
	for ms := 0; ms < 5000; ms += unit {
		hear(lanes[0], ms, ms)
		hear(lanes[1], ms, ms)
	}
	line.forgetLags() // as behind a break
	hear(lanes[0], 5000, 5000)
	hear(lanes[1], 5000, 7300)
	for ms := 5000 + unit; ms < 60000; ms += unit {
		hear(lanes[0], ms, max(ms, 7300))
		hear(lanes[1], ms, max(ms, 7300))
	}
	if d := lanes[0].line() - lanes[1].line(); d != 0 {
		t.Errorf("one lane is %v ahead of the other", time.Duration(d))
	}
}

// F32: units of sound come later where they become longer, if they are sent when they are complete, and as before
// if they are sent in their turn by their timestamps. Their clock has lost no time by that.
func TestF32UnitsOfAnotherLength(t *testing.T) {
	for _, c := range []struct {
		name     string
		before   int // ms that a unit lasts
		behind   int // … from 20 s on
		picture  int // ms that one lasts
		complete bool
	}{
		{"longer, each when it is complete", 64, 128, 40, true},
		{"shorter, each when it is complete", 128, 64, 40, true},
		{"longer, in their turn", 64, 128, 200, false},
		{"shorter, in their turn", 128, 64, 200, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			began := time.UnixMilli(base).UnixNano()
			line := timeline{opened: began, began: began}
			picture, sound := line.lane(), line.lane()
			sound.pace.exact = true
			unit := c.before
			for ms, at, n := 0, 0, 0; ms < 60000; ms += c.picture {
				line.at(picture, uint32(ms), time.Duration(ms)*time.Millisecond)
				if ms == 20000 {
					unit = c.behind
				}
				for ; at+unit <= ms || !c.complete && at <= ms; at, n = at+unit, n+1 {
					sound.usual = int64(unit) * int64(time.Millisecond)
					comes := ms
					if c.complete {
						comes = at + unit + n*37%60 // as the network has it
					}
					line.at(sound, uint32(at), time.Duration(comes)*time.Millisecond)
				}
			}
			if d := picture.offset - sound.offset; d != 0 {
				t.Errorf("the sound was moved by %v", -time.Duration(d))
			}
		})
	}
}
