package remux

import (
	"slices"
	"sync"
	"time"
)

const (
	stretch   = 5 * time.Second // that is measured at a time
	stretches = 24              // that are remembered: two minutes
	minute    = 12              // stretches

	// stall is how much later than its timestamp says a frame must come, when nothing
	// came before it, for the network to have stood still.
	stall = time.Second

	// hop is a step of the timestamps that tells nothing of how even frames come.
	hop = 2 * time.Second

	never = time.Duration(1) << 60
)

// Measure is what the encoder has sent of late, as it came: by arrivals and by its own
// timestamps, before anything is mended.
type Measure struct {
	At    time.Time // when the newest stretch ended; zero before there is one
	Bytes uint64    // of frames, since the beginning

	// Over a minute:
	Stalls  int           // of the network
	Longest time.Duration // of them
	Dropped int           // frames that could not be used
	Mended  int           // leaps of the timestamps of a track

	// Jitter is how much later than the earliest frame of the stretch, by their
	// timestamps, the latest came.
	Jitter time.Duration

	// Pace is how much media comes in a second, over four stretches; 0 while that isn't
	// known. Drift is how fast the encoder's clock is, in millionths, over two minutes; 0
	// while that isn't known, and where it is slight beside what networks do.
	Pace, Drift float64

	// Lead is how far the sound is ahead of the picture that comes with it, on average.
	Lead time.Duration

	Tracks []TrackMeasure // video first
}

// TrackMeasure is the same of one track.
type TrackMeasure struct {
	ID     string // that of Track
	Kind   Kind
	Frames float64 // a second, over the stretch
	Uneven float64 // share of frames whose distance isn't the usual one
	Rate   int     // bit/s, over a minute at most

	// What the encoder says of them; 0 where it says nothing.
	StatedFrames float64
	StatedRate   int

	// Reorder is the most that a frame is shown later than it is decoded.
	Reorder time.Duration

	// Keys are the distances of the last keyframes, oldest first, and SinceKey how
	// long ago the newest was.
	Keys     []time.Duration
	SinceKey time.Duration
}

// monitor measures. All fields but shown are the writing goroutine's.
type monitor struct {
	began, last time.Duration // of the stretch, and when a frame came last
	stalls      int
	longest     time.Duration
	before      struct{ dropped, jumps int } // what the stretch began with
	leads       int                          // units of sound behind a picture
	lead        int64
	picture     uint32 // RTMP timestamp of the newest of the first track
	pictured    bool   // there is one
	bytes       uint64
	ring        [stretches]past
	n           int // stretches so far

	mu    sync.Mutex
	shown Measure // its slices are filled again and again
}

// past is what is remembered of a stretch.
type past struct {
	earliest                time.Duration // see gauge
	known                   bool          // … it goes on from the stretch before
	stalls, dropped, mended int
	longest                 time.Duration
}

// gauge is the monitor of one track.
type gauge struct {
	started  bool
	restart  bool          // the timestamps have leaped in this stretch
	at       uint32        // RTMP timestamp
	media    time.Duration // how far they have come
	earliest time.Duration // how much later than the timestamps frames came, at least in the stretch …
	latest   time.Duration // … and at most
	usual    int64         // ms between frames in the stretch before, in 1/256
	steps    int64         // sum, ms, of the plausible steps
	frames   int
	stepped  int // frames of which the step is known
	uneven   int
	bytes    int
	reorder  int32 // ms
	key      time.Duration
	keyed    bool
	keys     [8]time.Duration
	nkeys    int
	rates    [minute]int // bytes of each stretch
}

// frame takes a frame as it comes. It runs for each of them: no more than a few
// comparisons and sums.
func (m *monitor) frame(r *Remuxer, f *frame, arrived time.Duration) {
	g := &f.source.gauge
	step := int64(int32(f.Timestamp - g.at))
	switch {
	case !g.started:
		g.started, g.restart = true, true
		g.media, step = arrived, 0
		g.earliest, g.latest = 0, 0
	case step > int64(hop/time.Millisecond) || step < -int64(hop/time.Millisecond):
		g.restart = true
		g.media = arrived
		g.earliest, g.latest = 0, 0
	default:
		g.media += time.Duration(step) * time.Millisecond
		g.steps += step
		g.stepped++
		if off := step<<8 - g.usual; off > g.usual/3+5<<8 || off < -g.usual/3-5<<8 {
			g.uneven++
		}
		late := arrived - g.media
		g.earliest, g.latest = min(g.earliest, late), max(g.latest, late)
		if gap := arrived - m.last - time.Duration(step)*time.Millisecond; gap > stall && m.last > 0 {
			m.stalls++
			m.longest = max(m.longest, gap)
		}
	}
	g.at = f.Timestamp
	m.last = arrived
	g.frames++
	g.bytes += len(f.Data)
	if f.Kind == Video {
		g.reorder = max(g.reorder, f.Composition)
		if f.Keyframe {
			g.keyframe()
		}
		if f.source == r.sources[0] {
			m.picture, m.pictured = f.Timestamp, true
		}
	} else if m.pictured {
		m.leads++
		m.lead += int64(int32(f.Timestamp - m.picture))
	}
	if arrived-m.began >= stretch {
		m.turn(r, arrived)
	}
}

func (g *gauge) keyframe() {
	if g.keyed {
		g.keys[g.nkeys%len(g.keys)] = g.media - g.key
		g.nkeys++
	}
	g.key, g.keyed = g.media, true
}

// turn ends a stretch.
func (m *monitor) turn(r *Remuxer, arrived time.Duration) {
	length := arrived - m.began
	m.ring[m.n%stretches] = past{
		stalls: m.stalls, longest: m.longest, dropped: r.unusable - m.before.dropped, mended: r.line.jumps - m.before.jumps,
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	now := Measure{At: r.began.Add(arrived), Tracks: m.shown.Tracks[:0]}
	for i, s := range r.sources {
		g := &s.gauge
		if !g.started {
			continue
		}
		if i == 0 {
			p := &m.ring[m.n%stretches]
			p.earliest, p.known = g.earliest, !g.restart && g.stepped > 0
		}
		if g.stepped > 0 {
			now.Jitter = max(now.Jitter, g.latest-g.earliest)
		}
		m.bytes += uint64(g.bytes)
		if n := len(now.Tracks); n < cap(now.Tracks) {
			now.Tracks = now.Tracks[:n+1] // with the Keys that it had
		} else {
			now.Tracks = append(now.Tracks, TrackMeasure{})
		}
		g.show(&now.Tracks[len(now.Tracks)-1], s, length, m.n)
		g.next()
	}
	if m.leads > 0 {
		now.Lead = time.Duration(m.lead/int64(m.leads)) * time.Millisecond
		if now.Lead > 10*time.Second || now.Lead < -10*time.Second {
			now.Lead = 0 // they have nothing to do with each other
		}
	}
	now.Bytes = m.bytes
	m.n++
	m.sum(&now)
	m.began, m.stalls, m.longest, m.leads, m.lead = arrived, 0, 0, 0, 0
	m.before.dropped, m.before.jumps = r.unusable, r.line.jumps
	m.shown = now
}

// next begins another stretch.
func (g *gauge) next() {
	if g.stepped > 0 {
		g.usual = g.steps << 8 / int64(g.stepped)
	}
	g.earliest, g.latest = never, -never
	g.restart, g.steps, g.frames, g.stepped, g.uneven, g.bytes, g.reorder = false, 0, 0, 0, 0, 0, 0
}

func (g *gauge) show(t *TrackMeasure, s *source, length time.Duration, n int) {
	g.rates[n%minute] = g.bytes
	sum, over := 0, min(n+1, minute)
	for _, b := range g.rates[:over] {
		sum += b
	}
	*t = TrackMeasure{
		ID: s.name, Kind: s.kind, Keys: t.Keys[:0], StatedRate: s.told.bitrate, Reorder: time.Duration(g.reorder) * time.Millisecond,
		Rate: int(int64(sum) * 8 * int64(time.Second) / (int64(over) * int64(length))),
	}
	if g.steps > 0 {
		t.Frames = 1000 * float64(g.stepped) / float64(g.steps)
	}
	if g.stepped > 0 && g.usual > 0 {
		t.Uneven = float64(g.uneven) / float64(g.stepped)
	}
	if s.rate != nil {
		t.StatedFrames = float64(s.told.frameRate) / 1000
		if frame := s.rate.stated(s.bits.codec()); frame > 0 && t.StatedFrames == 0 {
			t.StatedFrames = float64(time.Second) / float64(frame)
		}
	}
	if g.keyed {
		t.SinceKey = g.media - g.key
		known := min(g.nkeys, len(g.keys))
		for i := g.nkeys - known; i < g.nkeys; i++ {
			t.Keys = append(t.Keys, g.keys[i%len(g.keys)])
		}
	}
}

// sum says what the stretches that are remembered say together.
func (m *monitor) sum(now *Measure) {
	for i := range min(m.n, minute) {
		p := &m.ring[(m.n-1-i)%stretches]
		now.Stalls += p.stalls
		now.Longest = max(now.Longest, p.longest)
		now.Dropped += p.dropped
		now.Mended += p.mended
	}
	var room [stretches]time.Duration
	list := m.earliest(&room)
	now.Pace, now.Drift = paceOf(list), driftOf(list)
}

// earliest returns how late even the earliest frames were, a stretch each, oldest
// first: as many as go on from each other.
func (m *monitor) earliest(room *[stretches]time.Duration) []time.Duration {
	list := room[:0]
	for i := range min(m.n, stretches) {
		p := &m.ring[(m.n-1-i)%stretches]
		list = append(list, p.earliest)
		if !p.known {
			break
		}
	}
	slices.Reverse(list)
	return list
}

func paceOf(list []time.Duration) float64 {
	const over = 4
	if len(list) <= over {
		return 0
	}
	return 1 - float64(list[len(list)-1]-list[len(list)-1-over])/float64(over*stretch)
}

// driftOf tells a clock that is wrong from a network that is slower than before: in
// that, one stretch differs much from the one before, and not all of them a little.
func driftOf(list []time.Duration) float64 {
	if len(list) < stretches {
		return 0
	}
	short, long := slope(list, 1), slope(list, stretches/2)
	if short > 0 != (long > 0) || short == 0 {
		return 0
	}
	if short < 0 {
		return max(short, long) * 1e6
	}
	return min(short, long) * 1e6
}

// slope is the median of how much faster the encoder's clock went, over so many
// stretches each.
func slope(list []time.Duration, over int) float64 {
	var room [stretches]time.Duration
	steps := room[:0]
	for i := over; i < len(list); i++ {
		steps = append(steps, list[i-over]-list[i])
	}
	slices.Sort(steps)
	return float64(steps[len(steps)/2]) / float64(over) / float64(stretch)
}

// Measured is what has come of late, and new for each who asks. Anybody may at any
// time. since is the At of the one before: where nothing has come since, ok is false.
func (r *Remuxer) Measured(since time.Time) (now Measure, ok bool) {
	m := &r.monitor
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.shown.At.Equal(since) {
		return Measure{}, false
	}
	now = m.shown
	now.Tracks = slices.Clone(now.Tracks)
	for i := range now.Tracks {
		now.Tracks[i].Keys = slices.Clone(now.Tracks[i].Keys)
	}
	return now, true
}
