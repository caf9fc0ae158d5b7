package remux

import (
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluice-live/sluice/ingest/flv"
)

// TestGenlock: the same picture is shown at the same tick, whoever sends it.
func TestGenlock(t *testing.T) {
	const ms, sec = time.Millisecond, time.Second
	for _, c := range []struct {
		kind     string
		encoders []encoder
		want     []LockState
	}{
		{"one encoder, three outputs", []encoder{{}, {jitter: 50 * ms}, {jitter: 300 * ms}},
			[]LockState{LockMaster, LockCommon, LockCommon}},
		{"… that look ahead", []encoder{{}, {behind: 1600 * ms}, {behind: 800 * ms, jitter: 100 * ms}},
			[]LockState{LockMaster, LockCommon, LockCommon}},
		{"… the first of which does", []encoder{{behind: 2 * sec}, {}, {behind: 500 * ms}},
			[]LockState{LockCommon, LockMaster, LockCommon}},
		{"… with B-frames in one", []encoder{{}, {reorder: true}, {reorder: true, behind: 700 * ms}},
			[]LockState{LockMaster, LockCommon, LockCommon}},
		{"… that counts from its first DTS", []encoder{{}, {reorder: true, base: 33}, {reorder: true, base: 33, behind: 1300 * ms}},
			[]LockState{LockMaster, LockConstant, LockConstant}},
		{"… with 60 and 30 fps", []encoder{{every: 1}, {}, {every: 4}},
			[]LockState{LockMaster, LockCommon, LockCommon}},
		{"… with 59.94 and 29.97 fps", []encoder{{every: 1, rate: 60000.0 / 1001}, {rate: 60000.0 / 1001}, {rate: 60000.0 / 1001, reorder: true}},
			[]LockState{LockMaster, LockCommon, LockCommon}},
		{"… with jitter, on a clock that is off", []encoder{{jitter: 60 * ms, ppm: 200}, {jitter: 300 * ms, ppm: 200}, {behind: 1600 * ms, jitter: 300 * ms, ppm: 200}},
			[]LockState{LockMaster, LockCommon, LockCommon}},
		{"… of which one comes later", []encoder{{}, {starts: 31 * sec}, {starts: 47 * sec, behind: 1700 * ms}},
			[]LockState{LockMaster, LockCommon, LockCommon}},
		{"outputs that count from 0 each", []encoder{{zero: true}, {zero: true, starts: 1 * sec}, {zero: true, starts: 31 * sec, jitter: 200 * ms}},
			[]LockState{LockMaster, LockConstant, LockConstant}},
		{"… at 29.97 fps", []encoder{{zero: true, rate: 60000.0 / 1001}, {zero: true, rate: 60000.0 / 1001, starts: 11 * sec, jitter: 100 * ms}},
			[]LockState{LockMaster, LockConstant}},
		{"a constant difference", []encoder{{jitter: 30 * ms}, {base: 3_600_000, starts: 9 * sec}, {base: 1 << 31, starts: 20 * sec, reorder: true}},
			[]LockState{LockMaster, LockConstant, LockConstant}},
		{"four, with all of that", []encoder{{jitter: 30 * ms, reorder: true}, {every: 1, behind: sec, base: 0, starts: 5 * sec}, {base: 777777, starts: 9 * sec, jitter: 90 * ms}, {every: 4, starts: 33 * sec, jitter: 300 * ms}},
			[]LockState{LockMaster, LockCommon, LockConstant, LockCommon}},
		{"keyframes 1 s apart", []encoder{{gop: 30}, {gop: 30, behind: 1200 * ms}, {gop: 30, zero: true, starts: 1 * sec}, {gop: 30, behind: 1900 * ms}},
			[]LockState{LockMaster, LockCommon, LockConstant, LockCommon}},
		{"… in one, 4 s in another", []encoder{{gop: 30}, {gop: 120, behind: 600 * ms}, {gop: 120, starts: 13 * sec, base: 5000}},
			[]LockState{LockMaster, LockCommon, LockConstant}},
		{"keyframes 4 s apart in the first, 2 s in others", []encoder{{gop: 120}, {gop: 60}, {gop: 60, base: 98765, starts: 13 * sec}},
			[]LockState{LockMaster, LockCommon, LockConstant}},
		{"all begin with a burst", []encoder{{burst: 2500 * ms}, {burst: 2500 * ms, jitter: 20 * ms}, {burst: 2500 * ms}},
			[]LockState{LockMaster, LockCommon, LockCommon}},
		{"all begin with a burst, and count from 0", []encoder{{zero: true, burst: 2500 * ms}, {zero: true, burst: 2500 * ms, jitter: 20 * ms}, {zero: true, burst: 2500 * ms}},
			[]LockState{LockMaster, LockCommon, LockCommon}},
		{"all begin with a burst, some later", []encoder{{burst: 2500 * ms}, {burst: 2500 * ms, jitter: 20 * ms, starts: 10 * sec}, {burst: 2500 * ms, starts: 17 * sec}},
			[]LockState{LockMaster, LockCommon, LockCommon}},
		{"others begin with a burst", []encoder{{}, {burst: 2500 * ms, starts: 10 * sec}, {burst: 2500 * ms, starts: 17 * sec, base: 98765}, {burst: 2500 * ms, starts: 27 * sec, zero: true}},
			[]LockState{LockMaster, LockCommon, LockConstant, LockConstant}},
		{"the first begins with a burst", []encoder{{burst: 2500 * ms}, {starts: 4 * sec}, {starts: 10 * sec, base: 98765}},
			[]LockState{LockMaster, LockCommon, LockConstant}},
		{"all begin with a burst, keyframes 1 s apart", []encoder{{gop: 30, burst: 2500 * ms}, {gop: 30, burst: 2500 * ms, jitter: 20 * ms, starts: 10 * sec}, {gop: 30, burst: 2500 * ms, starts: 17 * sec, base: 98765}},
			[]LockState{LockMaster, LockCommon, LockConstant}},
		{"a constant difference, one GOP later, and earlier on its way", []encoder{{behind: 111 * ms}, {base: 98765, starts: 1 * sec, behind: 38 * ms}, {base: 5555, starts: 3 * sec}},
			[]LockState{LockMaster, LockConstant, LockConstant}},
		{"one that comes in the middle of a GOP", []encoder{{}, {starts: 12 * sec, mid: 17}, {starts: 16 * sec, mid: 44, base: 1 << 30}},
			[]LockState{LockMaster, LockCommon, LockConstant}},
		{"one that comes while the first is held up, before that has shown how far its keyframes are apart", []encoder{{gop: 30, held: [2]time.Duration{1600 * ms, 6500 * ms}}, {gop: 30, starts: 3700 * ms, base: 98765, behind: 39 * ms}},
			[]LockState{LockConstant, LockMaster}},
		{"… by its first one alone", []encoder{{held: [2]time.Duration{600 * ms, 9 * sec}}, {starts: 3700 * ms, base: 98765, behind: 39 * ms}},
			[]LockState{LockConstant, LockMaster}},
		{"… by two intervals of the first", []encoder{{gop: 90, held: [2]time.Duration{6600 * ms, 14 * sec}}, {gop: 90, starts: 7700 * ms, base: 98765, behind: 39 * ms}},
			[]LockState{LockConstant, LockMaster}},
		{"without sound", []encoder{{silent: true}, {silent: true, behind: 1600 * ms}, {silent: true, base: 98765, starts: 10 * sec}, {silent: true, starts: 20 * sec, behind: 2 * sec}},
			[]LockState{LockMaster, LockCommon, LockConstant, LockCommon}},
		{"a stream that was left ahead of the clock", []encoder{{begins: 5 * sec}, {}, {base: 98765, starts: 10 * sec}},
			[]LockState{LockMaster, LockCommon, LockConstant}},
		{"timestamps that wrap", []encoder{{base: 1<<32 - 30_000}, {base: 1<<32 - 30_000, jitter: 100 * ms}, {base: 1<<32 - 30_000, starts: 40 * sec}},
			[]LockState{LockMaster, LockCommon, LockCommon}},
	} {
		t.Run(c.kind, func(t *testing.T) {
			s := newStudio(t)
			for i, e := range c.encoders {
				e.kind = fmt.Sprint("encoder ", i+1)
				s.add(e)
			}
			s.run(90 * sec)
			s.states(c.want...)
			s.agree(0, s.encoders...)
		})
	}
}

// TestGenlockAtOnce: encoders that come, write and go at the same time, each in its own
// goroutine.
func TestGenlockAtOnce(t *testing.T) {
	g := NewGenlock()
	var wait sync.WaitGroup
	for range 4 {
		wait.Go(func() {
			for range 20 {
				s := newStudio(t)
				s.genlock = g
				s.add(encoder{kind: "one", jitter: 50 * time.Millisecond})
				s.run(10 * time.Second)
				s.encoders[0].close()
			}
		})
	}
	wait.Wait()
	if len(g.members) > 0 || g.master != nil {
		t.Errorf("%d encoders, master %v", len(g.members), g.master)
	}
}

// TestGenlockBreaks: a line that breaks is laid on that of the others again, and theirs
// goes on.
func TestGenlockBreaks(t *testing.T) {
	const ms, sec = time.Millisecond, time.Second
	leaps := []leapAt{{30700 * ms, 3_600_000}}
	for _, c := range []struct {
		kind     string
		encoders []encoder
		before   []LockState // at 30 s
		after    []LockState
		whole    []int // who are on the line all the time
	}{
		{"one leaps", []encoder{{}, {}, {leaps: leaps}},
			[]LockState{LockMaster, LockCommon, LockCommon}, []LockState{LockMaster, LockCommon, LockConstant}, []int{0, 1}},
		{"the master leaps", []encoder{{leaps: leaps}, {}, {behind: 400 * ms}},
			[]LockState{LockMaster, LockCommon, LockCommon}, []LockState{LockConstant, LockMaster, LockCommon}, []int{1, 2}},
		{"one leaps back", []encoder{{}, {leaps: []leapAt{{30700 * ms, -20_000}}, jitter: 100 * ms}},
			[]LockState{LockMaster, LockCommon}, []LockState{LockMaster, LockConstant}, []int{0}},
		{"one begins at 0 again", []encoder{{}, {leaps: []leapAt{{30700 * ms, -30_700}}, base: 0}, {}},
			[]LockState{LockMaster, LockCommon, LockCommon}, []LockState{LockMaster, LockConstant, LockCommon}, []int{0, 2}},
		{"all leap", []encoder{{leaps: leaps}, {leaps: leaps}, {leaps: leaps, jitter: 100 * ms}},
			[]LockState{LockMaster, LockCommon, LockCommon}, nil, nil},
		{"all leap, some later", []encoder{{leaps: leaps}, {leaps: leaps, behind: 1600 * ms}, {leaps: leaps, behind: 900 * ms, jitter: 100 * ms}},
			[]LockState{LockMaster, LockCommon, LockCommon}, nil, nil},
		{"all leap on a clock that is off", []encoder{{leaps: leaps, ppm: 150}, {leaps: leaps, ppm: 150, jitter: 60 * ms}, {leaps: leaps, ppm: 150, reorder: true}},
			[]LockState{LockMaster, LockCommon, LockCommon}, nil, nil},
		{"one is held up", []encoder{{}, {held: [2]time.Duration{31 * sec, 43 * sec}}, {}},
			[]LockState{LockMaster, LockCommon, LockCommon}, []LockState{LockMaster, LockCommon, LockCommon}, []int{0, 1, 2}},
		{"the master is held up", []encoder{{held: [2]time.Duration{31 * sec, 43 * sec}}, {}, {}},
			[]LockState{LockMaster, LockCommon, LockCommon}, nil, []int{0, 1, 2}},
		{"the master goes", []encoder{{ends: 31 * sec}, {}, {behind: 900 * ms}},
			[]LockState{LockMaster, LockCommon, LockCommon}, nil, []int{0, 1, 2}},
		{"the master goes, others come", []encoder{{ends: 31 * sec}, {}, {starts: 40 * sec}, {starts: 50 * sec, base: 99_999}},
			[]LockState{LockMaster, LockCommon, LockNone, LockNone}, []LockState{LockMaster, LockMaster, LockCommon, LockConstant}, []int{0, 1, 2, 3}},
		{"all go, one after the other", []encoder{{ends: 31 * sec}, {ends: 44 * sec, starts: 2 * sec}, {starts: 30 * sec, ends: 59 * sec}, {starts: 50 * sec}},
			[]LockState{LockMaster, LockCommon, LockNone, LockNone}, nil, []int{0, 1, 2, 3}},
		{"the master goes while another comes with a burst", []encoder{{ends: 3550 * ms}, {starts: 2 * sec, burst: 1500 * ms}, {starts: 32 * sec}},
			[]LockState{LockMaster, LockMaster, LockNone}, []LockState{LockMaster, LockMaster, LockCommon}, []int{0, 1, 2}},
		{"one goes and comes back, between two keyframes", []encoder{{gop: 120}, {base: 98765, starts: 3 * sec, ends: 31 * sec}, {base: 98765, starts: 33 * sec}},
			[]LockState{LockMaster, LockConstant, LockNone}, []LockState{LockMaster, LockConstant, LockConstant}, []int{0, 1, 2}},
	} {
		t.Run(c.kind, func(t *testing.T) {
			s := newStudio(t)
			for i, e := range c.encoders {
				e.kind = fmt.Sprint("encoder ", i+1)
				s.add(e)
			}
			s.run(30 * sec)
			s.states(c.before...)
			s.run(120 * sec)
			if c.after != nil {
				s.states(c.after...)
			}
			var whole []*encoder
			for _, i := range c.whole {
				whole = append(whole, s.encoders[i])
			}
			if len(whole) > 1 {
				s.agree(0, whole...)
			}
			masters := 0
			for _, e := range s.encoders {
				if e.r == nil {
					continue
				}
				if e.state().State == LockMaster {
					masters++
				}
				if !e.state().State.locked() {
					t.Errorf("%s is %+v", e.kind, e.locks)
				}
			}
			if masters != 1 {
				t.Errorf("%d masters", masters)
			}
			s.agree(36*sec, s.encoders...)
		})
	}
}

// TestGenlockLeft: an encoder that waits for its keyframe beside others, which are gone before that
// comes, lies where it would beside them.
func TestGenlockLeft(t *testing.T) {
	const ms, sec = time.Millisecond, time.Second
	for _, c := range []struct {
		kind  string
		other encoder
		ends  time.Duration // that the first does
		off   time.Duration // that its pictures are shown later than those of the one that left would be
	}{
		{"common timestamps", encoder{behind: 1100 * ms}, 27 * sec, 0},
		{"… and a keyframe that the first had, too", encoder{behind: 1100 * ms}, 28500 * ms, 0},
		{"… that hardly look further ahead", encoder{behind: 300 * ms}, 27 * sec, 0},
		{"a constant difference", encoder{behind: 200 * ms, base: 98765}, 27 * sec, 0},
		{"nothing that tells", encoder{behind: 1100 * ms, base: 98765}, 27 * sec, 1100 * ms},
	} {
		t.Run(c.kind, func(t *testing.T) {
			s := newStudio(t)
			c.other.kind, c.other.gop, c.other.starts, c.other.mid = "other", 120, 24*sec, 30
			s.add(encoder{kind: "first", gop: 120, ends: c.ends})
			s.add(c.other)
			s.run(60 * sec)
			other := s.encoders[1]
			if l := other.state(); l.State != LockMaster || len(other.pts) < 800 {
				t.Errorf("%+v, %d pictures", other.locks, len(other.pts))
			}
			for picture, pts := range other.pts {
				late := time.Duration(pts-s.begin.Unix()*VideoTimescale)*time.Second/VideoTimescale - time.Duration(other.time(picture)*1e9)
				if (late - c.off).Abs() > 15*ms {
					t.Fatalf("picture %d is shown %v late, and not %v", picture, late, c.off)
				}
			}
		})
	}
}

// TestGenlockDrift: an encoder whose clock runs away from the master's goes on by itself, without
// a step, and each stays by the true time as one encoder alone does.
func TestGenlockDrift(t *testing.T) {
	length := 6 * time.Hour
	if race || testing.Short() {
		length = time.Hour
	}
	for _, ppm := range [][2]float64{{0, 100}, {0, -100}, {100, -100}, {50, 50}} {
		t.Run(fmt.Sprint(ppm), func(t *testing.T) {
			s := newStudio(t)
			s.thin = true
			s.add(encoder{kind: "first", ppm: ppm[0], jitter: 40 * time.Millisecond, silent: true, every: 12, gop: 10})
			s.add(encoder{kind: "second", ppm: ppm[1], jitter: 300 * time.Millisecond, silent: true, every: 12, gop: 10})
			s.run(length)
			want := ppm[1] - ppm[0]
			switch l := s.encoders[1].state(); {
			case want == 0:
				s.states(LockMaster, LockCommon)
			case l.State != LockDrifting || math.Abs(l.PPM-want) > 15:
				t.Errorf("%+v", s.encoders[1].locks)
			}
			for _, e := range s.encoders {
				if e.periods != 1 || e.worst > 0.3 || e.step > 0.01 {
					t.Errorf("%s: %d periods, off by %.3f s, with steps of %.3f s", e.kind, e.periods, e.worst, e.step)
				}
				t.Logf("%s: off by %.3f s at most, %+v", e.kind, e.worst, e.locks)
			}
		})
	}
}

// TestGenlockInTurn: encoders that come and go in turn leave the line by the true time, however late the first
// frame of each was.
func TestGenlockInTurn(t *testing.T) {
	const turn, beside, late = 10 * time.Minute, 30 * time.Second, 200 * time.Millisecond
	for _, odd := range []bool{false, true} { // where nothing ties them to each other, they lie there, too
		s := newStudio(t)
		s.thin = true
		for i := range 12 {
			at := time.Duration(i) * turn
			s.add(encoder{
				kind: fmt.Sprint("encoder ", i+1), silent: true, every: 12, gop: 10, base: int64(i) * 1e8, burst: late, odd: odd,
				starts: at + time.Duration(i%2)*800*time.Millisecond, ends: at + turn + beside,
			})
		}
		s.run(12 * turn)
		for _, e := range s.encoders {
			if e.periods != 1 || e.worst > late.Seconds()+0.1 || e.off < -0.1 {
				t.Errorf("%s: %d periods, off by %.3f s, %.3f at most, %+v", e.kind, e.periods, e.off, e.worst, e.locks)
			}
		}
	}
}

// TestGenlockRunaway: an encoder whose timestamps run ahead of the time leaves the others
// alone, even if it was the master; and one that lags is no master for long.
func TestGenlockRunaway(t *testing.T) {
	for _, c := range []struct {
		kind   string
		ppm    [3]float64
		locked []int
	}{
		{"one", [3]float64{0, 0, 100_000}, []int{0, 1}},
		{"the master", [3]float64{100_000, 0, 0}, []int{1, 2}},
		{"the master lags", [3]float64{-100_000, 0, 0}, []int{1, 2}},
	} {
		t.Run(c.kind, func(t *testing.T) {
			s := newStudio(t)
			for i, ppm := range c.ppm {
				s.add(encoder{kind: fmt.Sprint("encoder ", i+1), ppm: ppm, jitter: 20 * time.Millisecond})
			}
			s.run(5 * time.Minute)
			var locked []*encoder
			for _, i := range c.locked {
				e := s.encoders[i]
				if !e.state().State.locked() || e.periods != 1 {
					t.Errorf("%s: %d periods, %+v", e.kind, e.periods, e.locks)
				}
				for picture, pts := range e.pts {
					if off := float64(pts-s.begin.Unix()*VideoTimescale)/VideoTimescale - e.time(picture); math.Abs(off) > 0.1 {
						t.Fatalf("%s: picture %d is off by %.3f s", e.kind, picture, off)
					}
				}
				locked = append(locked, e)
			}
			s.agree(0, locked...)
			for _, e := range s.encoders {
				t.Logf("%s: %+v", e.kind, e.locks)
			}
		})
	}
}

// TestGenlockStalls: a network that stands still, or becomes slower, is no clock that
// runs away.
func TestGenlockStalls(t *testing.T) {
	s := newStudio(t)
	s.thin = true
	for i := range 3 {
		s.add(encoder{kind: fmt.Sprint("encoder ", i+1), jitter: 100 * time.Millisecond, silent: true, every: 12, gop: 10, ppm: 100, stalls: true})
	}
	s.run(3 * time.Hour)
	for _, e := range s.encoders {
		if !e.state().State.locked() || e.step > 0.01 {
			t.Errorf("%s: steps of %.3f s, %+v", e.kind, e.step, e.state())
		}
		t.Logf("%s: off by %.3f s at most, %d locks", e.kind, e.worst, len(e.locks))
	}
}

// TestGenlockFree: an encoder that nothing ties to the others lies where it arrives, and
// says so; with common timestamps it lies where the others do, wherever its keyframes are.
func TestGenlockFree(t *testing.T) {
	const sec = time.Second
	for _, c := range []struct {
		kind  string
		first encoder
		other encoder
		want  LockState
		off   float64 // s
	}{
		{"keyframes elsewhere", encoder{}, encoder{odd: true, starts: 10*sec + 900*time.Millisecond, base: 1 << 30}, LockFree, 0.05},
		{"… behind a stream that was left ahead", encoder{begins: 5 * sec}, encoder{odd: true, starts: 10*sec + 900*time.Millisecond, base: 1 << 30}, LockFree, 0.05},
		{"… with a burst", encoder{}, encoder{odd: true, starts: 10*sec + 900*time.Millisecond, base: 1 << 30, burst: 250 * time.Millisecond}, LockFree, 0.05},
		{"… with a long burst", encoder{}, encoder{odd: true, starts: 10*sec + 900*time.Millisecond, base: 1 << 30, burst: 1500 * time.Millisecond}, LockFree, 0.05},
		{"… beside a first whose keyframes would have come", encoder{}, encoder{odd: true, gop: 8, starts: 2*sec + 900*time.Millisecond, base: 1 << 30}, LockFree, 0.05},
		{"… with common timestamps", encoder{}, encoder{odd: true, starts: 10*sec + 900*time.Millisecond}, LockCommon, 0.001},
		{"… that looks ahead, without sound", encoder{silent: true}, encoder{silent: true, odd: true, starts: 10*sec + 900*time.Millisecond, behind: sec}, LockCommon, 0.001},
		{"… that looks ahead", encoder{}, encoder{odd: true, starts: 10*sec + 900*time.Millisecond, behind: sec}, LockCommon, 0.001},
	} {
		t.Run(c.kind, func(t *testing.T) {
			s := newStudio(t)
			c.first.kind, c.other.kind = "first", "other"
			s.add(c.first)
			s.add(c.other)
			s.run(60 * sec)
			s.states(LockMaster, c.want)
			other := s.encoders[1]
			for picture, pts := range s.encoders[0].pts {
				if o, ok := other.pts[picture]; ok && math.Abs(float64(o-pts)/VideoTimescale) > c.off {
					t.Fatalf("picture %d is shown %d ticks later", picture, o-pts)
				}
			}
			if l := other.state(); c.want == LockFree && (!strings.Contains(l.Why, "0.9 s from theirs") || !strings.Contains(l.Why, "set the same keyframe interval")) {
				t.Error(l.Why)
			}
		})
	}
}

// TestGenlockTracks: pictures of one connection are shown at the same ticks.
func TestGenlockTracks(t *testing.T) {
	m := newMany(t)
	m.r.hooks.Genlock = NewGenlock()
	m.base = [5]int64{0, 1, 0, 0, 0} // another rounding
	m.configure()
	m.play(0, 20_000)
	pts := m.out.byID
	if len(pts["v1"].shown) < 490 || len(pts["v2"].shown) < 490 {
		t.Fatalf("%d and %d pictures", len(pts["v1"].shown), len(pts["v2"].shown))
	}
	seen := make(map[int64]bool)
	for _, at := range pts["v1"].shown {
		seen[at] = true
	}
	for i, at := range pts["v2"].shown {
		if !seen[at] {
			t.Fatalf("picture %d of v2 is shown at %d", i, at)
		}
	}
}

// TestGenlockCost: what an encoder does for the others allocates nothing.
func TestGenlockCost(t *testing.T) {
	if race {
		t.Skip("the race detector allocates")
	}
	f := newFeed(t)
	f.r = New(discard{}, func() time.Time { return f.now }, Hooks{Genlock: NewGenlock()})
	f.configs()
	f.key(0)
	frame := append([]byte{0x27, 1, 0, 0, 0}, lengths(slice)...)
	ts := uint32(0)
	write := func() {
		ts += 33
		f.now = f.now.Add(33 * time.Millisecond)
		f.r.WriteTag(flv.Tag{Type: flv.TagVideo, Timestamp: ts, Body: frame})
		f.r.WriteTag(flv.Tag{Type: flv.TagAudio, Timestamp: ts, Body: []byte{0xAF, 1, 0x21, 0x10}})
	}
	for range 100 {
		write()
	}
	if n := testing.AllocsPerRun(200, write); n > 1 { // the slice above
		t.Errorf("%.1f allocations a frame", n)
	}
}
