package main

import (
	"bytes"
	"fmt"
	"hash/maphash"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// The tracks of a session.
const (
	video = 0
	audio = 1
	twin  = 2 // sound that is sent beside that of audio
)

var trackNames = [...]string{"video", "audio", "twin"}

// unit is the name of an access unit. It is inside the payload.
type unit struct{ session, track, index int }

func (u unit) String() string {
	return fmt.Sprintf("%d/%s/%d", u.session, trackNames[u.track], u.index)
}

// frame is what is known of an access unit.
type frame struct {
	captured int64   // true time, ns since 1970
	at       float64 // media time at which it is decoded
	key      bool
	stray    bool  // its timestamp is nowhere near
	leapt    bool  // it is the first behind a leap: the server waits for the next to be sure
	spare    bool  // it may be dropped
	sent     int64 // when, ns since 1970; 0 if it never was as a whole
	shown    int64 // when players show it, ns since 1970; 0 when it was not downloaded
	period   int64 // discontinuity sequence number that it came with
}

// take is one publication of an encoder, and how that encoder is.
type take struct {
	framing
	id                int
	follows           bool // the encoder is that of the session before
	video, audio      bool
	fps               float64
	gopLeast, gopMost int  // frames
	keyint            int  // told in the first frame, as x264 does; 0: it isn't
	reorder           bool // B-frames
	rate, firstRate   int  // of the sound: now, and at the beginning
	picture           int
	channels          byte
	floors            bool // timestamps are cut off, not rounded
	interleaved       bool // frames are sent in decoding order, not as they are ready
	rough             bool // the network delays this and that
	calm              bool // … but not in the first two seconds
	fragile           bool // the line breaks before the publication begins
	drift             float64
	base              [2]int64  // timestamp of media time 0, ms
	start             time.Time // of media time, in true time

	frames  [3][]frame
	leaps   []float64 // media times at which all tracks leapt
	breaks  int       // how many discontinuities there may be inside, beside those of leaps
	stalls  []float64 // media times at which the network stood still
	lonely  []float64 // and those at which one track leapt
	halts   []float64 // and those at which the encoder paused
	stepped int64     // how far the server's clock is ahead of the true time, ns
	hushes  []hush    // when tracks sent nothing
	lags    []lag     // when sound came late
	freezes []freeze  // when timestamps stood still
	refused bool      // the server sent it away, as it may where timestamps stood still
}

// hush is media time in which a track sends nothing.
type hush struct {
	track    int
	from, to float64
}

// lag is media time whose sound comes late.
type lag struct {
	hush
	by float64 // seconds
}

// freeze is media time in which timestamps stand still, or nearly.
type freeze struct {
	from, to float64
	rate     float64 // seconds of timestamps for one of media time
	leaps    bool    // they make good for it in the end; else they stay behind
}

// stoodStill is how many seconds timestamps are behind media time.
func (s *take) stoodStill(at float64) (behind float64) {
	for _, f := range s.freezes {
		if at >= f.from && (at < f.to || !f.leaps) {
			behind += (min(at, f.to) - f.from) * (1 - f.rate)
		}
	}
	return behind
}

// frozenAt tells whether timestamps stand still then, or did a moment ago.
func (s *take) frozenAt(at float64) bool {
	gop := float64(s.gopMost) / s.fps
	return slices.ContainsFunc(s.freezes, func(f freeze) bool { return at > f.from-1 && at < f.to+5+gop })
}

// frozenBefore tells whether timestamps have stood still before.
func (s *take) frozenBefore(at float64) bool {
	return slices.ContainsFunc(s.freezes, func(f freeze) bool { return at > f.from })
}

// oddNear tells whether something goes on then, or did or will soon, that other
// faults are to be kept apart from: nobody could say what is right.
func (s *take) oddNear(at float64) bool {
	const apart = 6
	gop := float64(s.gopMost) / s.fps
	near := func(from, to float64) bool { return at > from-apart-gop && at < to+apart+gop }
	return slices.ContainsFunc(s.hushes, func(h hush) bool { return near(h.from, h.to) }) ||
		slices.ContainsFunc(s.lags, func(l lag) bool { return near(l.from, l.to+l.by) }) ||
		slices.ContainsFunc(s.freezes, func(f freeze) bool { return near(f.from, f.to) }) ||
		slices.ContainsFunc(s.halts, func(h float64) bool { return near(h, h+4) })
}

// excuseLate lets sound be dropped that came later than the server waits for it:
// the picture was further by more than that when it was sent.
func (s *take) excuseLate() {
	const patience = 0.25 // seconds; the server waits for at least 0.3 s
	for _, track := range []int{audio, twin} {
		s.excuseLateOf(track, patience)
	}
}

func (s *take) excuseLateOf(track int, patience float64) {
	ahead, v := math.Inf(-1), 0
	for i := range s.frames[track] {
		f := &s.frames[track][i]
		for ; v < len(s.frames[video]) && s.frames[video][v].sent != 0 && s.frames[video][v].sent <= f.sent; v++ {
			ahead = max(ahead, s.frames[video][v].at)
		}
		further := 0.0
		if s.base[video] != s.base[audio] && slices.ContainsFunc(s.lags, func(l lag) bool { return f.at >= l.from && f.at < l.from+l.by+1 }) {
			further = 0.5 // nothing tells how the two belong together: the picture may lie that much further ahead
		}
		f.spare = f.spare || ahead+further-f.at > patience
	}
}

func (s *take) String() string {
	return fmt.Sprintf("%+v; video %v %.3f fps, GOP %d to %d, keyint %d, reorder %v; audio %v %d Hz; base %d, drift %.0f ppm, rough %v",
		s.framing, s.video, s.fps, s.gopLeast, s.gopMost, s.keyint, s.reorder, s.audio, s.rate, s.base, s.drift*1e6, s.rough)
}

// discontinuities tells how many there should be inside. Leaps without a
// keyframe between them, or behind them, show as one, or not.
func (s *take) discontinuities() (least, most int) {
	gop := 2 + 2*float64(s.gopMost)/s.fps
	last := math.Inf(-1)
	end := 0.0
	for _, frames := range s.frames {
		for i := range frames {
			if frames[i].sent != 0 {
				end = max(end, frames[i].at)
			}
		}
	}
	for i, at := range s.leaps {
		next := end
		if i+1 < len(s.leaps) {
			next = s.leaps[i+1]
		}
		if at-last > gop && next-at > gop && at > s.firstKeyOr(0)+gop {
			least++
		}
		last = at
	}
	return least, len(s.leaps) + s.breaks
}

// firstKeyOr is firstKey for sessions without video, too.
func (s *take) firstKeyOr(otherwise float64) float64 {
	if !s.video {
		return otherwise
	}
	return s.firstKey()
}

// firstKey is the media time of the first keyframe that came through.
func (s *take) firstKey() float64 {
	for _, f := range s.frames[video] {
		if f.key && f.sent != 0 && !f.stray {
			return f.at
		}
	}
	return math.Inf(1)
}

// wanted tells whether a frame must come out, as far as it is promised.
func (s *take) wanted(track int, f *frame, firstKey float64) bool {
	const lead, rounding = 0.25, 0.005
	switch {
	case f.sent == 0, f.stray, f.spare, s.refused && s.frozenBefore(f.at):
		return false
	case !s.video:
		return true
	case track == video:
		return f.at >= firstKey
	case s.calm: // how the two tracks belong together is known by their arrival alone
		const lead = 0.5
		return f.at >= firstKey+lead
	}
	return f.at > firstKey-lead+rounding
}

// ledger has what was sent, and what came out.
type ledger struct {
	complain func(property, format string, args ...any)

	mu       sync.Mutex
	sessions []*take
	steps    []int64
	diary    []string
	strayAt  time.Time        // when the newest stray frame was sent
	sums     map[string]sum   // by URL
	periods  map[string]int64 // discontinuity sequence numbers by URL of a segment
	numbers  map[string]int64 // media sequence numbers, the same
	floors   map[string][2]int64
	silence  map[string]string // the unit of silence, by URL of its header
	lateness time.Time         // sound is expected to be late until then
	goodbye  time.Time         // when a publication ended last: the next is another one
	holes    [3]bool           // a track fell silent, whenever that was
	count    struct{ playlists, files, units, manifests, silence, looks int }
}

func newLedger(complain func(property, format string, args ...any)) ledger {
	return ledger{complain: complain, steps: []int64{0}, sums: make(map[string]sum),
		periods: make(map[string]int64), numbers: make(map[string]int64), floors: make(map[string][2]int64), silence: make(map[string]string)}
}

func (l *ledger) note(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.diary = append(l.diary, time.Now().Format("15:04:05.000 ")+fmt.Sprintf(format, args...))
}

// lately is what happened before something went wrong. mu is held.
func (l *ledger) lately() string {
	return "now " + time.Now().Format("15:04:05.000") + "\n\t" + strings.Join(l.diary[max(0, len(l.diary)-6):], "\n\t")
}

func (l *ledger) summary() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return fmt.Sprintf("%d sessions, %d access units and %d of silence, %d playlists, %d manifests, %d files, %d looks at all renditions",
		len(l.sessions), l.count.units, l.count.silence, l.count.playlists, l.count.manifests, l.count.files, l.count.looks)
}

// lateUntil notes that sound is expected to be late until then.
func (l *ledger) lateUntil(t time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lateness = t
}

// over notes that a publication ends.
func (l *ledger) over() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.goodbye = time.Now()
}

// looked notes a look at all renditions, and tells whether a publication has ended since the one
// before. What was seen at the instant of its end may be what was there before: an answer that was held
// until a publication has something to play comes as it ends, where that is what makes it write.
func (l *ledger) looked(before time.Time) (ended bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.count.looks++
	return !l.goodbye.Before(before)
}

// holed notes that a track falls silent.
func (l *ledger) holed(track int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.holes[track] = true
	l.holes[twin] = l.holes[audio]
}

// hasHoles tells whether a track ever fell silent.
func (l *ledger) hasHoles(track int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.holes[track]
}

// silent tells whether an audio sample is the unit of silence of its track.
func (l *ledger) silent(header string, data []byte) bool {
	const most = 64
	l.mu.Lock()
	defer l.mu.Unlock()
	known, ok := l.silence[header]
	if !ok {
		known = string(data)
		l.silence[header] = known
	}
	if len(data) == 0 || len(data) > most || known != string(data) {
		return false
	}
	l.count.silence++
	return true
}

var frameRates = []float64{5, 5, 10, 10, 10, 15, 15, 24000. / 1001, 30000. / 1001}

// newTake begins a session of the encoder before, or of another one.
func (l *ledger) newTake(before *take, r *rand.Rand, same bool) *take {
	s := &take{}
	if before != nil && same {
		*s = take{follows: true, video: before.video, audio: before.audio, fps: before.fps, gopLeast: before.gopLeast,
			gopMost: before.gopMost, keyint: before.keyint, reorder: before.reorder, rate: before.rate,
			floors: before.floors, interleaved: before.interleaved, framing: before.framing}
	} else {
		kind := r.IntN(10)
		s.video, s.audio = kind != 0, kind != 1
		if before != nil {
			s.video, s.audio = before.video, before.audio
		}
		s.framing = newFraming(r)
		s.fps = frameRates[r.IntN(len(frameRates))]
		s.gopLeast = int(math.Ceil(s.fps * (1 + 3*r.Float64())))
		s.gopMost = s.gopLeast
		if r.IntN(2) == 0 {
			s.gopLeast, s.gopMost = int(s.fps), int(s.fps*(1.5+2.5*r.Float64()))
		}
		if r.IntN(2) == 0 {
			s.keyint = s.gopMost
		}
		s.reorder = r.IntN(3) == 0
		s.rate = []int{8000, 8000, 8000, 16000, 16000, 44100}[r.IntN(6)]
		s.floors, s.interleaved = r.IntN(2) == 0, r.IntN(2) == 0 || s.reorder
	}
	s.firstRate = s.rate
	base := int64(500 + r.IntN(100_000))
	if r.IntN(3) == 0 {
		base = r.Int64N(1 << 32)
	}
	s.base = [2]int64{base, base}
	l.mu.Lock()
	defer l.mu.Unlock()
	s.id = len(l.sessions)
	l.sessions = append(l.sessions, s)
	return s
}

// straySince is when the newest stray frame was sent.
func (l *ledger) straySince() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.strayAt
}

// setStep notes an offset of the server's clock.
func (l *ledger) setStep(d int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.steps = append(l.steps, d)
}

// add takes down a frame that will be sent.
func (l *ledger) add(s *take, track int, f frame) unit {
	l.mu.Lock()
	defer l.mu.Unlock()
	s.frames[track] = append(s.frames[track], f)
	return unit{s.id, track, len(s.frames[track]) - 1}
}

func (l *ledger) setSent(u unit, at int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sessions[u.session].frames[u.track][u.index].sent = at
}

// spareSound lets the sound so far be dropped.
func (l *ledger) spareSound(s *take) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, track := range []int{audio, twin} {
		for i := range s.frames[track] {
			s.frames[track][i].spare = true
		}
	}
}

// marker stands before a unit's name in its payload.
var marker = []byte("sluice-simulate!") // as long as the UUID of an SEI message

// appendPayload adds the access unit u as MP4 stores it. The same unit has the
// same bytes whenever it is asked for.
func (s *take) appendPayload(b []byte, u unit, key bool) []byte {
	name := fmt.Appendf(nil, "%s%04x%02x%010x", marker, u.session, u.track, u.index)
	if u.track != video {
		b = append(b, 0x21)
		b = append(b, name...)
		return append(b, name[len(name)-u.index%7:]...)
	}
	nal := func(nal ...[]byte) {
		body := bytes.Join(nal, nil)
		b = append(b, 0, 0, 0, byte(len(body)))
		b = append(b, body...)
	}
	sei, slice := []byte{6}, []byte{0x41}
	if key {
		slice = []byte{0x65}
	}
	if s.hevc { // PREFIX_SEI, TRAIL_R and IDR_W_RADL (ISO/IEC 23008-2, table 7-1)
		if sei, slice = []byte{39 << 1, 1}, []byte{1 << 1, 1}; key {
			slice = []byte{19 << 1, 1}
		}
	}
	if u.index == 0 && s.keyint > 0 && !s.hevc {
		nal([]byte{6, 5, 60}, []byte("0123456789abcdefx264 - options: keyint="), []byte(strconv.Itoa(s.keyint)), []byte(" scenecut=40 \x80"))
	}
	nal(sei, []byte{5, byte(len(name))}, name, []byte{0x80})
	nal(slice, name[len(name)-u.index%11:], []byte{0x80})
	return b
}

// parseUnit finds the name of the unit in a payload.
func parseUnit(payload []byte) (unit, bool) {
	_, name, ok := bytes.Cut(payload, marker)
	if !ok || len(name) < 16 {
		return unit{}, false
	}
	n, err := strconv.ParseUint(string(name[:16]), 16, 64)
	return unit{int(n >> 48), int(n >> 40 & 0xFF), int(n & (1<<40 - 1))}, err == nil
}

// same holds a URL to be the same bytes for ever.
func (l *ledger) same(path string, body []byte) {
	now := sum{len(body), maphash.Bytes(sumSeed, body)}
	l.mu.Lock()
	before, known := l.sums[path]
	l.sums[path] = now
	l.count.files++
	l.mu.Unlock()
	if known && before != now {
		l.complain("N5", "%s has other bytes than before: %d of them, there were %d", path, now.size, before.size)
	}
}

// sum is what a body is known by.
type sum struct {
	size int
	hash uint64
}

var sumSeed = maphash.MakeSeed()

// settle judges, at the end, what came out.
func (l *ledger) settle() {
	for _, s := range l.sessions {
		var missing []unit
		firstKey := s.firstKey()
		s.excuseLate()
		periods := make(map[int64]bool)
		for track := range s.frames {
			for i := range s.frames[track] {
				f := &s.frames[track][i]
				if f.shown == 0 && s.wanted(track, f, firstKey) {
					missing = append(missing, unit{s.id, track, i})
				}
				if f.shown != 0 && !f.stray {
					periods[f.period] = true
				}
			}
		}
		if n := len(missing); n > 0 {
			f := s.frames[missing[0].track][missing[0].index]
			l.complain("N1", "%d access units never came, %v (captured %v, media time %.3f) to %v, of session %d: %v", n, missing[0],
				time.Unix(0, f.captured).UTC().Format("15:04:05.000"), f.at, missing[n-1], s.id, s)
		}
		if least, most := s.discontinuities(); len(periods) > 0 && (len(periods)-1 < least || len(periods)-1 > most) {
			l.complain("F8", "%d discontinuities inside session %d, %d to %d expected for leaps at %.1f, of one track at %.1f, stalls at %.1f: %v", len(periods)-1, s.id, least, most, s.leaps, s.lonely, s.stalls, s)
		}
		l.compareTracks(s)
	}
}

// compareTracks holds sound and picture together.
func (l *ledger) compareTracks(s *take) {
	const most, near = 30 * time.Millisecond, int64(200 * time.Millisecond)
	allowed := most
	if s.calm { // how long each takes to be ready is all that is known
		wait := time.Duration((1024/float64(s.firstRate) + encoding/4 - encoding) * 1e9)
		if s.reorder {
			wait -= time.Duration(3 / s.fps * 1e9) // decoded one before it is shown, and sent two behind
		}
		allowed += wait.Abs()
	}
	var shown [3][]frame
	for track := range shown {
		for i, f := range s.frames[track] {
			// What follows a unit that was dropped may be heard in its place.
			follows := i > 0 && s.frames[track][i-1].stray
			if f.shown != 0 && !f.stray && !follows && !s.leaptNear(f.at) && !s.frozenAt(f.at) {
				shown[track] = append(shown[track], f)
			}
		}
		slices.SortFunc(shown[track], func(a, b frame) int { return int(a.captured - b.captured) })
	}
	if len(s.lonely) > 0 {
		// Where a track that leapt alone belongs is known to one of its steps.
		allowed += time.Second * 1024 / time.Duration(s.rate)
	}
	for _, track := range []int{audio, twin} {
		l.compare(s, shown[video], shown[track], allowed, near)
	}
}

// compare holds a sound to be shown with what was taken at the same time.
func (l *ledger) compare(s *take, pictures, sounds []frame, allowed time.Duration, near int64) {
	worst, bad, from := time.Duration(0), 0, int64(0)
	i := 0
	for _, a := range sounds {
		for i+1 < len(pictures) && pictures[i+1].captured <= a.captured {
			i++
		}
		if i >= len(pictures) || pictures[i].period != a.period {
			continue
		}
		v := pictures[i]
		if d := a.captured - v.captured; d > near || d < -near {
			continue
		}
		off := time.Duration((a.shown - a.captured) - (v.shown - v.captured))
		if off.Abs() > allowed {
			if bad++; from == 0 {
				from = a.captured
			}
			if off.Abs() > worst.Abs() {
				worst = off
			}
		}
	}
	if bad > 0 {
		l.complain("A/V", "sound is up to %v behind the picture at %d of %d access units, from %s on, of session %d: %v",
			worst, bad, len(sounds), time.Unix(0, from).UTC().Format("15:04:05.000"), s.id, s)
	}
}

func (s *take) leaptNear(at float64) bool {
	return slices.ContainsFunc(slices.Concat(s.lonely, s.leaps, s.halts), func(t float64) bool { return math.Abs(t-at) < 1 })
}

// inherited is how far a session's line begins ahead of the clock, as the one
// before had come that far: the numbers of a stream go on. mu is held.
func (l *ledger) inherited(s *take) time.Duration {
	var end int64
	for _, before := range l.sessions[:s.id] {
		for track := range before.frames {
			for i := range before.frames[track] {
				end = max(end, before.frames[track][i].shown)
			}
		}
	}
	return max(0, time.Duration(end-s.start.UnixNano()-s.stepped))
}

// unknowable tells whether the true time is lost behind a point: an encoder
// that is away while its clock is set, or behind a network that stands still.
func (s *take) unknowable(at float64) bool {
	if s.frozenBefore(at + 1) {
		return true
	}
	for _, h := range s.halts { // up to the next keyframe the line goes on as if there had been none
		if at > h-1 && at < h+5+float64(s.gopMost)/s.fps {
			return true
		}
	}
	breaks := slices.Concat(s.leaps, s.halts, s.lonely)
	for i, b := range breaks {
		near := func(t float64) bool { return math.Abs(t-b) < 15 }
		if b <= at && (slices.ContainsFunc(s.stalls, near) || slices.ContainsFunc(slices.Delete(slices.Clone(breaks), i, i+1), near)) {
			return true
		}
	}
	return len(s.stalls) > 0 && s.stalls[0] < 2 // its first frames came late
}
