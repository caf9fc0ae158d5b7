package main

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// fault is something that happens to a session.
type fault struct {
	name   string
	when   moment
	weight int // among those of its moment; at the beginning, percent of sessions
	play   func(*encoder)
	gap    func(*rand.Rand) time.Duration // how long the encoder stays away, after an end
}

// moment is where in a session a fault has its place.
type moment uint8

const (
	atBegin moment = iota
	during
	atEnd
)

var faultTable = []fault{
	{name: "rough network", when: atBegin, weight: 40, play: func(e *encoder) { e.rough = true }},
	{name: "broken dialogue", when: atBegin, weight: 10, play: func(e *encoder) { e.fragile = true }},
	{name: "late keyframe", when: atBegin, weight: 15, play: lateKeyframe},
	{name: "wrap", when: atBegin, weight: 15, play: func(e *encoder) { e.base = [2]int64{1<<32 - 5000, 1<<32 - 5000} }},
	{name: "24 bits", when: atBegin, weight: 10, play: func(e *encoder) { e.base = [2]int64{1<<24 - 5000, 1<<24 - 5000} }},
	{name: "two bases", when: atBegin, weight: 10, play: twoBases},
	{name: "drift", when: atBegin, weight: 50, play: func(e *encoder) { e.drift = (e.rand.Float64() - 0.5) * 400e-6 }},
	{name: "other tracks", when: atBegin, weight: 10, play: otherTracks},
	{name: "late picture", when: atBegin, weight: 10, play: latePicture},
	{name: "clock step", when: atBegin, weight: 4, play: clockStep},
	{name: "fewer tracks", when: atBegin, weight: 8, play: fewerTracks},

	{name: "stall", when: during, weight: 10, play: stall},
	{name: "pause", when: during, weight: 3, play: stop},
	{name: "same again", when: during, weight: 5, play: sameAgain},
	{name: "new picture", when: during, weight: 4, play: newPicture},
	{name: "new sound", when: during, weight: 4, play: newSound},
	{name: "leap", when: during, weight: 4, play: leap},
	{name: "leap of one", when: during, weight: 3, play: leapOfOne},
	{name: "stray", when: during, weight: 4, play: stray},
	{name: "silent track", when: during, weight: 6, play: silentTrack},
	{name: "silent in turn", when: during, weight: 2, play: silentInTurn},
	{name: "silent for good", when: during, weight: 1, play: silentForGood},
	{name: "late sound", when: during, weight: 3, play: lateSound},
	{name: "frozen clock", when: during, weight: 2, play: frozenClock},
	{name: "crawling clock", when: during, weight: 2, play: crawlingClock},

	{name: "goodbye", when: atEnd, weight: 3, play: func(e *encoder) { e.client.Close() }, gap: between(200*time.Millisecond, 20*time.Second)},
	{name: "long goodbye", when: atEnd, weight: 1, play: func(e *encoder) { e.client.Close() }, gap: between(40*time.Second, 3*time.Minute)},
	{name: "cut", when: atEnd, weight: 6, play: cut, gap: between(100*time.Millisecond, 20*time.Second)},
	{name: "long cut", when: atEnd, weight: 2, play: cut, gap: between(40*time.Second, 2*time.Minute)},
	{name: "half-open", when: atEnd, weight: 2, play: halfOpen, gap: between(100*time.Millisecond, 10*time.Second)},
	{name: "silence", when: atEnd, weight: 1, play: silence, gap: between(100*time.Millisecond, 8*time.Second)},
	{name: "flapping", when: atEnd, weight: 1, play: flap, gap: between(20*time.Millisecond, 80*time.Millisecond)},
}

// chooseFaults reads SIMULATE_FAULTS.
func chooseFaults(choice string) ([]fault, error) {
	var chosen []fault
	names := strings.Split(choice, ",")
	for _, f := range faultTable {
		if choice == "" || choice == "all" || slices.Contains(names, f.name) {
			chosen = append(chosen, f)
			names = slices.DeleteFunc(names, func(n string) bool { return n == f.name })
		}
	}
	if choice != "" && choice != "all" && len(names) > 0 {
		return nil, fmt.Errorf("SIMULATE_FAULTS: there is no %q", names)
	}
	return chosen, nil
}

// choose returns a fault of that moment, or none.
func choose(r *rand.Rand, faults []fault, when moment) fault {
	sum := 0
	for _, f := range faults {
		if f.when == when {
			sum += f.weight
		}
	}
	if sum == 0 {
		return fault{}
	}
	n := r.IntN(sum)
	for _, f := range faults {
		if f.when != when {
			continue
		}
		if n -= f.weight; n < 0 {
			return f
		}
	}
	panic("unreachable")
}

func between(least, most time.Duration) func(*rand.Rand) time.Duration {
	return func(r *rand.Rand) time.Duration { return least + time.Duration(r.Int64N(int64(most-least))) }
}

// any returns one of the session's tracks.
func (e *encoder) any() int {
	if !e.video || e.audio && e.rand.IntN(2) == 0 {
		return audio
	}
	return video
}

func lateKeyframe(e *encoder) {
	if e.video {
		e.position = min(1+3*e.rand.IntN(10), e.gop-1)
		if e.reorder {
			e.position = (e.position-1)/3*3 + 1
		}
	}
}

// otherTracks is an encoder that sends what the one before did not.
func otherTracks(e *encoder) {
	if e.id > 0 {
		kind := 1 + e.rand.IntN(3)
		e.video, e.audio = kind&1 != 0, kind&2 != 0
	}
}

// latePicture sends frames as they are ready, and the picture is ready late.
func latePicture(e *encoder) {
	if e.video && e.audio {
		e.interleaved, e.reorder = false, true
	}
}

func twoBases(e *encoder) {
	e.base[audio] += int64(20_000 + e.rand.IntN(1_000_000_000))
	// Nothing but their arrival tells how the two belong together.
	e.calm = true
}

func clockStep(e *encoder) {
	d := time.Duration(e.rand.IntN(2)*2-1) * time.Hour
	e.sim.note("the server's clock goes %v", d)
	e.sim.setStep(e.sim.step.Add(int64(d)))
}

func stall(e *encoder) {
	if e.calm && e.capture(e.any()) < 2 {
		return // only their arrival tells how the tracks belong together
	}
	d := between(time.Second, 8*time.Second)(e.rand)
	e.sim.note("stall of %v", d)
	e.held = time.Now().Add(d)
	e.stalls = append(e.stalls, e.capture(e.any()))
}

func stop(e *encoder) {
	from := e.soundFrom + float64(e.sound)*1024/float64(e.rate)
	if e.video {
		from = float64(e.slot-e.position+e.gop) / e.fps
	}
	if e.oddNear(e.lapse(from)) {
		return
	}
	e.sim.note("pause of 4 s at %.3f", from)
	e.halts = append(e.halts, e.lapse(from))
	e.pauses = append(e.pauses, pause{from, 4})
	e.breaks += 2
}

func sameAgain(e *encoder) {
	e.sim.note("the same configurations again")
	e.changes[video], e.changes[audio] = e.video, e.audio
}

func newPicture(e *encoder) {
	if e.video && !e.oddNear(e.capture(video)) {
		e.sim.note("new picture")
		e.picture = (e.picture + 1 + e.rand.IntN(len(pictures)-1)) % len(pictures)
		e.changes[video] = true
		e.breaks++
	}
}

func newSound(e *encoder) {
	if !e.audio || e.oddNear(e.capture(audio)) {
		return
	}
	e.sim.note("new sound")
	if e.rand.IntN(2) == 0 {
		e.soundFrom += float64(e.sound) * 1024 / float64(e.rate)
		e.sound, e.rate = 0, map[int]int{8000: 16000, 16000: 8000, 44100: 16000}[e.rate]
	} else {
		e.channels = 3 - e.channels
	}
	e.changes[audio], e.soundChanged, e.waiting = true, true, e.video
	e.breaks++
}

// leapSteps are steps of the encoder's clock in milliseconds, 0 for back to zero.
var leapSteps = []int64{10_000, -10_000, 1 << 31, 0}

// hush has a track send nothing for some of its media time.
func (e *encoder) hush(track int, from, length float64) {
	e.sim.note("%s is silent from %.3f on, for %.3f s", trackNames[track], from, length)
	e.hushes = append(e.hushes, hush{track, from, from + length})
	e.sim.holed(track)
}

// maySilence tells whether both tracks go on, and nothing else is in the way of
// one falling silent.
func (e *encoder) maySilence() bool {
	const settled = 3
	at := min(e.capture(video), e.capture(audio))
	return e.video && e.audio && at > e.firstKeyOr(0)+settled && !e.oddNear(max(e.capture(video), e.capture(audio))) && !e.leaptNow(video) && !e.leaptNow(audio) && !e.changes[video] && !e.changes[audio] && !e.waiting
}

func silentTrack(e *encoder) {
	if e.maySilence() {
		length := 0.2 + 3*e.rand.Float64()
		if e.rand.IntN(2) == 0 {
			length = 2 + 28*e.rand.Float64()
		}
		e.hush(e.any(), max(e.capture(video), e.capture(audio)), length)
	}
}

func silentInTurn(e *encoder) {
	if !e.maySilence() {
		return
	}
	track, from := e.any(), max(e.capture(video), e.capture(audio))
	for range 2 + e.rand.IntN(4) {
		length := 0.5 + 8*e.rand.Float64()
		e.hush(track, from, length)
		track, from = 1-track, from+length+e.rand.Float64()
	}
}

func silentForGood(e *encoder) {
	if e.maySilence() {
		e.hush(e.any(), max(e.capture(video), e.capture(audio)), math.Inf(1))
	}
}

// fewerTracks is an encoder that comes back without its microphone, or its camera.
func fewerTracks(e *encoder) {
	if e.id > 0 && e.video && e.audio {
		if e.rand.IntN(3) == 0 {
			e.video = false
		} else {
			e.audio = false
		}
	}
}

// lateSound is sound that comes with the right timestamps, and too late.
func lateSound(e *encoder) {
	if e.maySilence() {
		from := e.capture(audio)
		l := lag{hush{audio, from, from + 2 + 20*e.rand.Float64()}, 0.3 + 5*e.rand.Float64()}
		e.sim.note("sound comes %.3f s late from %.3f to %.3f", l.by, l.from, l.to)
		e.lags = append(e.lags, l)
		e.sim.lateUntil(time.Now().Add(2 * time.Minute))
	}
}

// frozenClock is an encoder that sends on while its timestamps stand still.
func frozenClock(e *encoder) { e.freeze(0) }

// crawlingClock is one whose timestamps grow by a millisecond with each frame.
func crawlingClock(e *encoder) { e.freeze(e.fps / 1000) }

func (e *encoder) freeze(rate float64) {
	at := max(e.capture(video), e.capture(audio))
	if at < e.firstKeyOr(0)+3 || e.oddNear(at) || e.leaptNow(e.turn()) {
		return
	}
	f := freeze{from: at, to: at + 1 + 20*e.rand.Float64(), rate: rate, leaps: e.rand.IntN(2) == 0}
	e.sim.note("timestamps stand still from %.3f to %.3f, but for %.3f ms a second; then they leap: %v", f.from, f.to, 1000*f.rate, f.leaps)
	e.freezes = append(e.freezes, f)
	e.breaks += 2
}

// flap is an encoder that says goodbye, or is cut, many times a second.
func flap(e *encoder) {
	if e.rand.IntN(2) == 0 {
		e.client.Close()
	} else {
		e.client.Abort()
	}
	if e.flaps == 0 {
		e.flaps = 3 + e.rand.IntN(40)
	}
}

func (e *encoder) leap(track int) int64 {
	d := leapSteps[e.rand.IntN(len(leapSteps))]
	if d == 0 {
		d = 500 - e.timestamp(track, e.capture(track))
	}
	small := func(d int64) bool { // 32 bits are all that is sent, and this is a pause where the network stands still
		step := int64(int32(uint32(d)))
		return step > -3500 && step < 3500
	}
	if small(d) || small(d+e.pace(track)) {
		d = 10_000
	}
	return d
}

// pace is how far the next frame of a track is from its last, in milliseconds: a
// leap back over a pause is shorter by that.
func (e *encoder) pace(track int) int64 {
	frames := e.frames[track]
	if len(frames) == 0 {
		return 0
	}
	at := e.capture(audio)
	if track == video {
		at = e.decode()
	}
	return int64(1000 * (at - frames[len(frames)-1].at))
}

// leaptNow tells whether a track leapt just now: there and back for one frame is
// a stray frame.
func (e *encoder) leaptNow(track int) bool {
	return slices.ContainsFunc(slices.Concat(e.leaps, e.lonely), func(at float64) bool { return e.capture(track)-at < 2 })
}

func leap(e *encoder) {
	if e.leaptNow(e.turn()) || e.oddNear(e.capture(e.turn())) {
		return
	}
	d := e.leap(e.any())
	e.sim.note("leap of %d ms", d)
	e.added[video] += d
	e.added[audio] += d
	e.leapt = [2]bool{true, true}
	e.leaps = append(e.leaps, e.capture(e.turn()))
}

func leapOfOne(e *encoder) {
	const settled = 3 // before that, only arrival tells how the tracks belong together
	track := e.any()
	if e.capture(track) < settled || e.leaptNow(track) || e.oddNear(e.capture(track)) {
		return
	}
	d := e.leap(track)
	e.sim.note("leap of %d ms, of %s only", d, trackNames[track])
	e.added[track] += d
	e.leapt[track] = true
	e.lonely = append(e.lonely, e.capture(track))
	e.breaks++
}

func stray(e *encoder) {
	track := e.any()
	if e.oddNear(e.capture(track)) {
		return
	}
	e.stray[track] = int64(1+e.rand.IntN(100)) * 3_600_000 * int64(e.rand.IntN(2)*2-1)
	e.sim.mu.Lock()
	e.sim.strayAt = time.Now()
	e.sim.mu.Unlock()
	if e.leaptNow(track) || slices.ContainsFunc(e.halts, func(at float64) bool { return math.Abs(e.capture(track)-at) < 5 }) {
		e.breaks++ // the line may break twice there
	}
	e.sim.note("stray frame of %s by %d ms", trackNames[track], e.stray[track])
}

// cut breaks the line inside the next messages.
func cut(e *encoder) {
	e.line.left = e.rand.IntN(300)
	for e.frame(e.turn()) {
	}
	e.client.Abort()
}

// halfOpen is a line that neither carries anything nor ends: the encoder has
// another one.
func halfOpen(e *encoder) { e.dead = e.client }

// silence is an encoder that is gone without a word.
func silence(e *encoder) {
	time.Sleep(e.sim.app.cfg.RTMP.IdleTimeout + 2*time.Second)
	e.client.Abort()
}
