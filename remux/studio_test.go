package remux

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
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
	burst   time.Duration // so much of what was before comes at once where it starts
	ppm     float64
	odd     bool             // its first keyframe is where it starts, and not where the others' are
	mid     int              // it starts so many frames into a GOP
	begins  time.Duration    // its Output goes on so much later
	silent  bool             // no sound
	held    [2]time.Duration // its network stands still from … to
	stalls  bool             // … and every few minutes, and its way becomes longer or shorter
	ends    time.Duration

	frame, unit      int     // next
	first            int     // number of its first picture
	arrived          float64 // s
	configured       bool
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
	e.frame, e.unit = e.mid, 0
	if e.odd {
		e.first = int(math.Ceil(e.starts.Seconds() * e.rate))
	}
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
	if u := e.time(e.first) + float64(e.unit)*1024/48000 + float64(e.mid*e.every)/e.rate; !e.silent && u < at {
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
	if !e.configured {
		e.configured = true
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
	at = max(at, e.time(e.first)+e.burst.Seconds())
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

func (e *encoder) Begin(now time.Time) time.Time { return now.Add(e.begins) }
func (e *encoder) Close(error)                   {}
func (e *encoder) SetTracks(tracks []Track) error {
	e.periods++
	for i := range tracks {
		e.kinds[i], e.rates[i] = tracks[i].Kind(), int64(tracks[i].Timescale)
	}
	return nil
}

func (e *encoder) WriteSample(s *Sample) error {
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
