package main

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/sluice-live/sluice/ingest/client"
	"github.com/sluice-live/sluice/ingest/flv"
)

// encoder publishes session after session, and does to them what the faults
// say. Its own clock, media time, is in seconds since its session began:
//
//	capture ──media time──▶ timestamp: base + media time + what leaps added, whole milliseconds
//	   │
//	   └──true time: ledger     ready ──+ network──▶ sent, in order
type encoder struct {
	sim  *simulation
	rand *rand.Rand

	// Of the session that is on.
	*take
	line   *line
	client *client.Publisher
	sent   time.Time // when the last message was
	held   time.Time // nothing passes the network before
	ending fault
	dead   *client.Publisher // of a session before, whose line went silent

	length       float64 // media time at which it ends
	nextFault    float64
	added        [2]int64 // ms, by leaps
	leapt        [2]bool  // by the frame that is next
	stray        [2]int64 // ms, to be added to one frame
	pauses       []pause  // in media time
	slot         int      // of the next video frame, in decoding order
	position     int      // of it in its GOP
	gop          int      // frames of it
	sound        int      // audio frames since soundFrom
	soundFrom    float64  // media time
	picture      int      // index into pictures
	channels     byte     // of the sound
	waiting      bool     // the audio's decoder changed, and no keyframe came since
	keyOff       bool     // the last video frame was a keyframe that leapt, or a stray one
	soundChanged bool     // … for another one
	changes      [2]bool  // decoders to be changed, before the next keyframe or audio frame
	flaps        int      // sessions to come that are over as soon as they have begun
	flapping     bool     // this is one …
	flapped      bool     // … and this was the one before
}

// pause is media time in which nothing was captured.
type pause struct{ from, length float64 }

var sampleRates = map[int]byte{44100: 4, 16000: 8, 8000: 11} // ISO/IEC 14496-3, table 1.18

const (
	latency  = 20 * time.Millisecond // of the network
	encoding = 0.03                  // seconds from capture to a frame
	jitter   = 60 * time.Millisecond // the most that a rough network adds
)

// run publishes until then.
func (e *encoder) run(until time.Time) {
	for time.Now().Before(until) {
		e.begin(until)
		if e.connect() {
			e.publish()
			e.hangUp()
		}
		time.Sleep(e.gap())
	}
	if e.dead != nil {
		e.dead.Abort()
	}
}

// begin decides on a session: often the one before goes on.
func (e *encoder) begin(until time.Time) {
	before := e.take
	*e = encoder{sim: e.sim, rand: e.rand, ending: e.ending, dead: e.dead, flaps: e.flaps, flapped: e.flapping}
	e.take = e.sim.newTake(before, e.rand, e.ending.when == atEnd && e.rand.IntN(4) > 0)
	e.picture, e.channels = e.rand.IntN(len(pictures[e.hevc])), byte(1+e.rand.IntN(2))
	if before != nil && e.take.follows {
		e.picture, e.channels = before.picture, before.channels
	}
	e.take.picture, e.take.channels = e.picture, e.channels
	switch e.length = 10 + 230*e.rand.Float64(); e.rand.IntN(12) {
	case 0:
		e.length = 0.2 + 8*e.rand.Float64()
	case 1:
		e.length *= 8
	}
	e.length = min(e.length, time.Until(until).Seconds()+1)
	e.nextFault = 30 * e.rand.ExpFloat64()
	e.newGOP()
	for _, f := range e.sim.faults {
		if f.when == atBegin && e.rand.IntN(100) < f.weight {
			f.play(e)
		}
	}
	if e.flapping = e.flaps > 0; !e.flapping {
		e.ending = choose(e.rand, e.sim.faults, atEnd)
		return
	}
	e.length = 0.3 * e.rand.Float64() // the ending stays
	if e.flaps--; e.flaps == 0 {
		e.ending = choose(e.rand, slices.DeleteFunc(slices.Clone(e.sim.faults), func(f fault) bool { return f.name == e.ending.name }), atEnd)
	}
}

// connect returns false if the line broke before the publication began, as
// wanted.
func (e *encoder) connect() bool {
	for tries := 0; ; tries++ {
		e.line = e.sim.door.dial()
		broken := e.fragile && tries == 0
		if broken {
			e.line.left = e.rand.IntN(4000) // the dialogue has no more
		}
		var err error
		e.client, err = client.New(e.line, "live", "cam1", "rtmp://sluice/live")
		if err == nil {
			e.line.left = -1
			break
		}
		e.line.Close()
		if (e.flapping || e.flapped) && strings.Contains(err.Error(), "too often") {
			time.Sleep(time.Second)
			continue
		}
		if !broken {
			e.sim.violate("F3", "no publication: %v", err)
			return false
		}
		time.Sleep(time.Second)
	}
	if e.dead != nil {
		e.dead.Abort()
		e.dead = nil
	}
	e.start, e.sent = time.Now(), time.Now()
	e.sim.note("session %d: %v", e.id, e.take)
	if e.calm {
		e.held = e.start.Add(time.Duration(e.rand.IntN(50)) * time.Millisecond)
	}
	return true
}

// publish sends the session's media.
func (e *encoder) publish() {
	e.take.stepped = int64(time.Until(e.sim.app.clock.now()))
	if e.video {
		e.configurePicture(0)
	}
	if e.audio {
		e.configureSound(0)
	}
	for {
		track := e.turn()
		at := e.capture(track)
		if at > e.length {
			return
		}
		if e.hushed(track, at) {
			e.skip(track)
			continue
		}
		for at > e.nextFault {
			e.nextFault += 30 * e.rand.ExpFloat64()
			if f := choose(e.rand, e.sim.faults, during); f.play != nil {
				f.play(e)
			}
		}
		if !e.frame(track) {
			return
		}
	}
}

// turn is whose frame is sent next.
func (e *encoder) turn() int {
	switch {
	case !e.audio:
		return video
	case !e.video:
		return audio
	}
	v, a := e.decode(), e.capture(audio)+e.late(e.capture(audio))
	if !e.interleaved {
		v, a = e.ready(video), e.ready(audio)
	}
	if v <= a {
		return video
	}
	return audio
}

// hushed tells whether the next frame of a track isn't made.
func (e *encoder) hushed(track int, at float64) bool {
	if track == video && e.reorder && e.position%3 != 1 && e.position != 0 {
		return false // it is one that others were made from, or for
	}
	return slices.ContainsFunc(e.hushes, func(h hush) bool { return h.track == track && at >= h.from && at < h.to })
}

// skip leaves out the next frame of a track.
func (e *encoder) skip(track int) {
	if track == audio {
		e.sound++
	} else {
		e.slot++
	}
}

// late is how much later sound of that media time is ready than it should be, in
// seconds.
func (e *encoder) late(at float64) (by float64) {
	for _, l := range e.lags {
		if at >= l.from && at < l.to {
			by = max(by, l.by)
		}
	}
	return by
}

// lapse turns the number of seconds that frames make into media time.
func (e *encoder) lapse(seconds float64) float64 {
	at := seconds
	for _, p := range e.pauses {
		if seconds >= p.from-1e-9 {
			at += p.length
		}
	}
	return at
}

// capture is the media time at which the next frame of a track was taken.
func (e *encoder) capture(track int) float64 {
	if track == audio {
		return e.lapse(e.soundFrom + float64(e.sound)*1024/float64(e.rate))
	}
	return e.lapse(float64(e.slot-e.position+e.shownAs()) / e.fps)
}

// decode is the decoding time of the next video frame.
func (e *encoder) decode() float64 {
	at := e.lapse(float64(e.slot) / e.fps)
	if e.reorder {
		at -= 1 / e.fps
	}
	return at
}

// ready is when the encoder has the next frame of a track.
func (e *encoder) ready(track int) float64 {
	if track == audio {
		return e.capture(audio) + 1024/float64(e.rate) + encoding/4 + e.late(e.capture(audio))
	}
	at := e.lapse(float64(e.slot) / e.fps)
	if e.reorder {
		at += 2 / e.fps // what follows is decoded first
	}
	return at + encoding
}

// shownAs is the place of the next video frame in its GOP as it is shown: two
// of three wait for the third.
func (e *encoder) shownAs() int {
	n := e.position
	third := (n-1)/3*3 + 3
	if !e.reorder || n == 0 || third >= e.gop {
		return n
	}
	return third + [...]int{0, -2, -1}[(n-1)%3]
}

func (e *encoder) newGOP() {
	e.gop = e.gopLeast + e.rand.IntN(e.gopMost-e.gopLeast+1)
}

// true turns media time into the time of the world.
func (e *encoder) trueTime(at float64) time.Time {
	return e.start.Add(time.Duration(at / (1 + e.drift) * 1e9))
}

// timestamp turns media time into what RTMP says.
func (e *encoder) timestamp(track int, at float64) int64 {
	ms := (at - e.stoodStill(at)) * 1000
	if e.floors {
		ms = math.Floor(ms + 1e-6)
	}
	return e.base[track] + e.added[track] + int64(math.Round(ms))
}

// frame sends the next frame of a track. It returns false when the session
// is over.
func (e *encoder) frame(track int) bool {
	at := e.capture(track)
	f := frame{captured: e.trueTime(at).UnixNano(), at: at, stray: e.stray[track] != 0, leapt: e.leapt[track], spare: e.flapping}
	e.leapt[track] = false
	stamp, offset := e.timestamp(audio, at), int64(0)
	ready := e.ready(track)
	if track == video {
		f.at = e.decode()
		f.key = e.position == 0
		// The server believes a keyframe that is off the line when the next frame comes.
		off := f.leapt || f.stray
		if believed := e.keyOff && !f.leapt; f.key && !off || believed {
			e.waiting = e.waiting && e.changes[audio] // what was not sent yet waits for the next one
		}
		e.keyOff = f.key && off
		if f.key {
			e.keyframeComes()
		}
		stamp = e.timestamp(video, f.at)
		offset = e.timestamp(video, at) - stamp
		e.slot++
		if e.position++; e.position == e.gop {
			e.position = 0
			e.newGOP()
		}
	} else {
		if e.changes[audio] {
			e.changes[audio] = false
			e.configureSound(stamp)
			if e.soundChanged && math.IsInf(e.firstKeyOr(0), 1) {
				e.sim.spareSound(e.take) // no picture came with it, and none will
			}
			e.soundChanged = false
		}
		f.spare = f.spare || e.waiting
		e.sound++
	}
	straight := stamp
	stamp += e.stray[track]
	e.stray[track] = 0
	units := []unit{e.sim.add(e.take, track, f)}
	if track == audio && e.twin {
		f.stray = false
		units = append(units, e.sim.add(e.take, twin, f))
	}

	due := e.trueTime(ready).Add(latency)
	if e.rough && (!e.calm || at > 2) {
		due = due.Add(time.Duration(e.rand.Int64N(int64(jitter))))
	}
	if due.Before(e.held) {
		due = e.held
	}
	if due.After(e.sent) {
		e.sent = due
	}
	time.Sleep(time.Until(e.sent))
	if track == video {
		frameType := byte(interFrame)
		if f.key {
			frameType = keyframe
		}
		body := e.framing.picture(frameType, e.nanos(f.at), packet{offset: offset, body: e.appendPayload(nil, units[0], f.key)})
		return e.send(flv.TagVideo, stamp, body, units...)
	}
	sounds := make([]packet, len(units))
	for i, u := range units {
		sounds[i] = packet{number: byte(i), body: e.appendPayload(nil, u, false)}
	}
	if e.joined && stamp == straight {
		return e.send(flv.TagAudio, stamp, e.framing.sounds(e.nanos(at), sounds...), units...)
	}
	for i := range units {
		if !e.send(flv.TagAudio, stamp, e.framing.sounds(e.nanos(at), sounds[i]), units[i]) {
			return false
		}
		stamp = straight
	}
	return true
}

// keyframeComes changes what changes at a keyframe.
func (e *encoder) keyframeComes() {
	if e.changes[video] {
		e.changes[video] = false
		e.configurePicture(e.timestamp(video, e.decode()))
	}
}

// configurePicture sends a configuration record.
func (e *encoder) configurePicture(stamp int64) {
	e.send(flv.TagVideo, stamp, e.framing.picture(keyframe, 0, packet{config: true, body: pictures[e.hevc][e.picture]}))
}

// configureSound sends an AudioSpecificConfig.
func (e *encoder) configureSound(stamp int64) {
	i := sampleRates[e.rate]
	sounds := []packet{{config: true, body: []byte{2<<3 | i>>1, i<<7 | e.channels<<3}}}
	if e.twin {
		sounds = append(sounds, packet{number: 1, config: true, body: sounds[0].body})
	}
	if e.joined {
		e.send(flv.TagAudio, stamp, e.framing.sounds(0, sounds...))
		return
	}
	for _, p := range sounds {
		e.send(flv.TagAudio, stamp, e.framing.sounds(0, p))
	}
}

// send sends one message, which has the units that are given.
func (e *encoder) send(kind flv.TagType, stamp int64, body []byte, units ...unit) bool {
	for _, u := range units {
		e.sim.setSent(u, e.sent.UnixNano())
	}
	err := e.client.WriteTag(flv.Tag{Type: kind, Timestamp: uint32(stamp), Body: body})
	if err == nil {
		return true
	}
	for _, u := range units {
		e.sim.setSent(u, 0)
	}
	if e.frozenBefore(e.capture(e.turn())) { // it may be sent away for that
		e.refused = true
		return false
	}
	if e.line.left < 0 { // nobody cut it
		e.sim.violate("F6", "the server hung up: %v", err)
	}
	return false
}

// hangUp ends the session as its ending wants, with a goodbye if nothing else
// is chosen.
func (e *encoder) hangUp() {
	e.sim.note("end of session %d: %s", e.id, e.ending.name)
	if e.ending.play == nil || strings.HasSuffix(e.ending.name, "goodbye") || e.ending.name == "flapping" {
		e.sim.over()
	}
	if e.ending.play == nil {
		e.client.Close()
		return
	}
	e.ending.play(e)
}

// gap is how long the encoder stays away.
func (e *encoder) gap() time.Duration {
	if e.ending.gap == nil {
		return time.Duration(2+e.rand.IntN(20)) * time.Second
	}
	return e.ending.gap(e.rand)
}
