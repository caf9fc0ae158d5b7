package remux

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/sluice-live/sluice/ingest/flv"
)

// studio is several encoders of one program, each with a Remuxer, and one Genlock.
type studio struct {
	t        testing.TB
	genlock  *Genlock
	rnd      *rand.Rand
	begin    time.Time
	now      time.Time
	encoders []*encoder
	thin     bool // pictures are not kept
}

// encoder is one of them. The program's pictures are counted at 60 fps, or 60000/1001.
type encoder struct {
	studio *studio
	kind   string
	r      *Remuxer
	locks  []Lock

	every   int           // pictures of the program for each that it sends: 1 is 60 fps
	rate    float64       // pictures of the program in a second
	gop     int           // frames
	reorder bool          // it has B-frames
	starts  time.Duration // when it starts, on the program's clock
	zero    bool          // its timestamps count from its start, not from the program's
	base    int64         // what is added to its timestamps, ms
	behind  time.Duration // how far it looks ahead
	jitter  time.Duration
	ppm     float64
	silent  bool             // no sound
	held    [2]time.Duration // its network stands still from … to
	stalls  bool             // … and every few minutes, and its way becomes longer or shorter
	ends    time.Duration

	frame, unit      int     // next
	first            int     // number of its first picture
	arrived          float64 // s
	pending          bool    // … was settled of what comes next
	stall            float64 // when the next is, s
	longer           int     // ms
	worst, step, off float64 // how far pictures were off the true time, and each from the one before, s
	pts              map[int]int64
	keys             map[int]bool
	dts              int64
	rates            [8]int64
	kinds            [8]Kind
	periods          int
	leaps            []leapAt
}

// leapAt changes the base of the timestamps.
type leapAt struct {
	at time.Duration
	by int64
}

func newStudio(t testing.TB) *studio {
	begin := time.Unix(1_700_000_000, 0)
	return &studio{t: t, genlock: NewGenlock(), rnd: rand.New(rand.NewPCG(1, 2)), begin: begin, now: begin}
}

func (s *studio) add(e encoder) *encoder {
	if e.every == 0 {
		e.every = 2
	}
	if e.rate == 0 {
		e.rate = 60
	}
	if e.gop == 0 {
		e.gop = 120 / e.every
	}
	if e.ends == 0 {
		e.ends = math.MaxInt64
	}
	e.studio = s
	s.encoders = append(s.encoders, &e)
	e.connect()
	return &e
}

func (e *encoder) connect() {
	e.pts, e.keys = make(map[int]int64), make(map[int]bool)
	// It starts with a keyframe, where the keyframes of all are.
	gop := e.gop * e.every
	e.first = int(math.Ceil(e.starts.Seconds()*e.rate/float64(gop)-1e-9)) * gop
	e.frame, e.unit = 0, 0
	s := e.studio
	e.r = New(e, func() time.Time { return s.now }, Hooks{
		Genlock: s.genlock,
		Locked:  func(l Lock) { e.locks = append(e.locks, l) },
		Note:    func(text string) { s.t.Errorf("%s: %s", e.kind, text) },
	})
	e.dts = 0
}

// shows is which picture of a GOP is the n-th to be decoded.
func (e *encoder) shows(n int) int {
	in := n % e.gop
	if !e.reorder || in == 0 {
		return n
	}
	group := (in - 1) / 3 * 3
	last := min(group+3, e.gop-1)
	if in == group+1 {
		return n - in + last
	}
	return n - 1
}

// time is when a picture of the program was, s.
func (e *encoder) time(picture int) float64 { return float64(picture) / e.rate }

// next is when its next message arrives, and whether that is sound.
func (e *encoder) next() (at float64, sound bool) {
	at = e.time(e.first + e.frame*e.every)
	if u := e.time(e.first) + float64(e.unit)*1024/48000; !e.silent && u < at {
		at, sound = u, true
	}
	return at, sound
}

// stamp is a timestamp, ms, of its clock.
func (e *encoder) stamp(at float64) int64 {
	ms := at * 1000
	if e.zero {
		ms -= e.time(e.first) * 1000
	}
	base := e.base
	for _, l := range e.leaps {
		if at >= l.at.Seconds() {
			base += l.by
		}
	}
	return base + int64(math.Round(ms*(1+e.ppm/1e6)))
}

// send sends what comes next.
func (e *encoder) send(at float64, sound bool) {
	e.studio.now = e.studio.begin.Add(time.Duration(e.arrived * 1e9))
	if e.frame == 0 && e.unit == 0 {
		e.write(flv.TagVideo, 0, append([]byte{0x17, 0, 0, 0, 0}, record(highSPS, highPPS)...))
		if !e.silent {
			e.write(flv.TagAudio, 0, append([]byte{0xAF, 0}, unhex(stereo48)...))
		}
	}
	if sound {
		e.write(flv.TagAudio, uint32(e.stamp(at)), binary.BigEndian.AppendUint32([]byte{0xAF, 1, 0x21, 0x10}, uint32(at*1e6)))
		e.unit++
		return
	}
	decoded := at
	if e.reorder {
		decoded -= float64(e.every) / e.rate
	}
	picture := e.first + e.shows(e.frame)*e.every
	head, nal := byte(0x27), slice
	if e.frame%e.gop == 0 {
		head, nal = 0x17, idr
	}
	dts := e.stamp(decoded)
	cts := e.stamp(e.time(picture)) - dts
	nal = binary.BigEndian.AppendUint32(slices.Clone(nal), 0x80000000|uint32(picture))
	e.write(flv.TagVideo, uint32(dts), append([]byte{head, 1, byte(cts >> 16), byte(cts >> 8), byte(cts)}, lengths(nal)...))
	e.frame++
}

func (e *encoder) write(typ flv.TagType, timestamp uint32, body []byte) {
	if err := e.r.WriteTag(flv.Tag{Type: typ, Timestamp: timestamp, Body: body}); err != nil {
		e.studio.t.Fatal(err)
	}
}

// run lets the program go on until then.
func (s *studio) run(until time.Duration) {
	for {
		var next *encoder
		var at float64
		var sound bool
		for _, e := range s.encoders {
			if e.r == nil {
				continue
			}
			a, snd := e.next()
			if a > e.ends.Seconds() {
				e.close()
				continue
			}
			if e.due(a); e.arrived <= until.Seconds() && (next == nil || e.arrived < next.arrived) {
				next, at, sound = e, a, snd
			}
		}
		if next == nil {
			return
		}
		next.send(at, sound)
		next.pending = false
	}
}

// due settles when what was sent at a time arrives.
func (e *encoder) due(at float64) {
	if e.pending {
		return
	}
	e.pending = true
	arrives := at + e.behind.Seconds() + e.studio.rnd.Float64()*e.jitter.Seconds()
	if arrives > e.held[0].Seconds() && arrives < e.held[1].Seconds() {
		arrives = e.held[1].Seconds()
	}
	if e.stalls {
		arrives += float64(e.longer) / 1000
		if at > e.stall {
			if e.stall > 0 {
				e.arrived = max(e.arrived, arrives+2+e.studio.rnd.Float64()*98)
				e.longer += e.studio.rnd.IntN(1000) - e.longer
			}
			e.stall = at + 60 + e.studio.rnd.Float64()*400
		}
	}
	e.arrived = max(e.arrived, arrives)
}

func (e *encoder) close() {
	e.r.Close(nil)
	e.r = nil
}

func (e *encoder) Begin(now time.Time) time.Time { return now }
func (e *encoder) Close(error)                   {}
func (e *encoder) SetTracks(tracks []Track) error {
	e.periods++
	for i := range tracks {
		e.kinds[i], e.rates[i] = tracks[i].Kind(), int64(tracks[i].Timescale)
	}
	return nil
}

func (e *encoder) WriteSample(s Sample) error {
	if e.kinds[s.Track] == Audio {
		return nil
	}
	if s.DTS <= e.dts {
		e.studio.t.Errorf("%s: DTS goes from %d to %d", e.kind, e.dts, s.DTS)
	}
	e.dts = s.DTS
	picture := int(binary.BigEndian.Uint32(s.Data[len(s.Data)-4:]) &^ 0x80000000)
	if off := float64(s.DTS-e.studio.begin.Unix()*VideoTimescale)/VideoTimescale - e.time(picture) - e.behind.Seconds(); e.studio.thin {
		if e.periods == 1 && e.frame > 10 {
			e.step = max(e.step, math.Abs(off-e.off))
		}
		e.off = off
		e.worst = max(e.worst, math.Abs(off))
		return nil
	}
	e.pts[picture] = s.DTS + int64(s.CompositionOffset)
	e.keys[picture] = s.Sync
	return nil
}

// state is the newest lock.
func (e *encoder) state() Lock {
	if len(e.locks) == 0 {
		return Lock{}
	}
	return e.locks[len(e.locks)-1]
}

// agree holds all encoders to the same time for the same picture, from one on.
func (s *studio) agree(from time.Duration, encoders ...*encoder) {
	s.t.Helper()
	seen := make(map[int]int64)
	who := make(map[int]*encoder)
	shared, keys, off := 0, 0, 0
	for _, e := range encoders {
		for picture, pts := range e.pts {
			if e.time(picture) < from.Seconds() {
				continue
			}
			if o, ok := seen[picture]; ok {
				shared++
				if e.keys[picture] && who[picture].keys[picture] {
					keys++
				}
				if pts != o {
					if off++; off < 6 {
						s.t.Errorf("picture %d (%.3f s, key %v) is shown at %d by %s, and %d ticks later by %s", picture, e.time(picture), e.keys[picture], o, who[picture].kind, pts-o, e.kind)
					}
				}
				continue
			}
			seen[picture], who[picture] = pts, e
		}
	}
	if off > 0 {
		s.t.Errorf("%d of %d pictures are off", off, shared)
	}
	if shared == 0 || keys == 0 {
		s.t.Errorf("%d pictures and %d keyframes in common", shared, keys)
	}
}

func (s *studio) states(want ...LockState) {
	s.t.Helper()
	var got []LockState
	for _, e := range s.encoders {
		got = append(got, e.state().State)
	}
	if !slices.Equal(got, want) {
		s.t.Errorf("locks are %v, and not %v", got, want)
		for _, e := range s.encoders {
			s.t.Log(e.kind, fmt.Sprintf("%+v", e.locks))
		}
	}
}

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
