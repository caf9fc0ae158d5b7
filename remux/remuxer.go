package remux

import (
	"bytes"
	"errors"
	"math"
	"sync/atomic"
	"time"

	"github.com/sluice-live/sluice/ingest/flv"
)

// Remuxer turns the tags of one publication into tracks and samples. It is an
// ingest.Sink and is used by one goroutine.
//
//	tag ─ flv.Packets ─▶ packet ─ timeline ─▶ frame ─ lobby ─▶ frame ─ bitstream ─▶ unit ─ clock ─▶ Sample
//
//	                                 gather                        wait                   flow
//	the lobby's stages:   frames until the decoders   sound until the first video   frames go through;
//	                      of all tracks are known ──▶ keyframe, and that until ───▶ new decoders take over
//	                                                  the frame behind it           at the next keyframe
type Remuxer struct {
	now      func() time.Time
	sources  []*source    // video first
	few      [2]*source   // what sources has, when that many are enough
	suspects int          // frames that wait for the one that tells whether their timestamps can be believed
	holds    atomic.Int64 // bytes that wait, for others
	out      Output
	first    time.Time // when the first frame came, by the clock of tags; zero before it
	reading  frame     // the newest
	writing  Sample    // the newest

	line    timeline
	period  period
	lobby   lobby
	monitor monitor

	began    time.Time // when the first frame came, by now: the clock of tags may be another one
	rush     rush
	metadata metadata
	silence  *uint32 // timestamp of the first tag that can't be used; nil before it
	reports
}

// New returns a Remuxer that writes to out. now is the wall clock, of which no
// step is seen.
func New(out Output, now func() time.Time, hooks Hooks) *Remuxer {
	r := &Remuxer{reports: reports{hooks: hooks}, out: out, now: now}
	r.sources = r.few[:0]
	return r
}

// WriteTag takes one tag. Damaged or unknown ones are dropped; an error means
// that nothing can be made of this stream.
func (r *Remuxer) WriteTag(tag flv.Tag) error {
	came := tag.Arrived
	if came.IsZero() {
		came = r.now()
	}
	f := &r.reading
	for err := range f.Read(&tag) {
		if err != nil {
			if err != flv.ErrEmpty {
				r.dropOf(trackKey{f.Kind, f.TrackID}, err)
			}
			if err = nil; len(tag.Body) > 0 {
				err = r.checkSilence(tag.Timestamp)
			}
		} else {
			err = r.packet(f, came)
		}
		if err == errNothing {
			return r.nothing()
		}
		if err != nil {
			return err
		}
	}
	f.Data, r.writing.Data = nil, nil // they are borrowed
	if r.lobby.stage != stageFlow || r.suspects > 0 || r.holds.Load() > 0 {
		r.count()
	}
	return nil
}

// packet takes what is a frame as far as its packet goes.
func (r *Remuxer) packet(f *frame, came time.Time) error {
	if f.Type == flv.PacketMetadata {
		r.metadata.read(f.Data)
		for _, s := range r.sources {
			s.told = r.metadata.tracks[s.trackKey]
		}
		return nil
	}
	if f.Type == flv.PacketChannels {
		return r.channels(&f.Packet, came.Sub(r.first))
	}
	if f.Type == flv.PacketEnd {
		return nil
	}
	f.source = r.source(&f.Packet)
	switch {
	case f.source == nil:
		return r.checkSilence(f.Timestamp)
	case f.Type == flv.PacketColour:
		if c, ok := readColour(f.Data); ok {
			f.source.colour = c // from the next keyframe on
		}
		return nil
	case f.Type == flv.PacketConfig:
		return r.configure(f.source, &f.Packet, came.Sub(r.first))
	case f.FourCC != f.source.fourCC:
		// What says by itself what it is needs no configuration.
		if _, err := newCodec(f.FourCC).configure(nil); err != nil {
			r.withoutConfig(f.source.trackKey)
			return nil
		}
		said := flv.Packet{FourCC: f.FourCC, Timestamp: f.Timestamp}
		if err := r.configure(f.source, &said, came.Sub(r.first)); err != nil {
			return err
		}
	}
	if r.first.IsZero() {
		r.begin(came)
	}
	arrived := came.Sub(r.first)
	r.monitor.frame(r, f, arrived)
	return r.frame(f, arrived)
}

// begin begins the line with the first frame.
func (r *Remuxer) begin(came time.Time) {
	now := r.now()
	r.began, r.first = now, came
	r.line.opened, r.line.began = now.UnixNano(), r.out.Begin(now).UnixNano()
	if g := r.hooks.Genlock; g != nil {
		r.line.member = g.member(r.hooks.Locked)
	}
}

// Held is how many bytes wait here: for decoders, for a keyframe, or for the frame that
// tells whether their timestamps can be believed. Anybody may ask at any time.
func (r *Remuxer) Held() int { return int(r.holds.Load()) }

func (r *Remuxer) count() {
	n := r.lobby.bytes
	for _, s := range r.sources {
		n += len(s.held.Data)
	}
	r.holds.Store(int64(n))
}

// Close writes what waits and ends the output.
func (r *Remuxer) Close(cause error) {
	err := r.finish(r.now().Sub(r.began))
	if cause == nil {
		cause = err
	}
	if r.line.member != nil {
		r.line.member.leave()
	}
	r.out.Close(cause)
}

func (r *Remuxer) finish(arrived time.Duration) error {
	for _, s := range r.sources {
		if err := r.settle(s, fateKept, arrived); err != nil {
			return err
		}
	}
	if r.lobby.stage != stageFlow && (known(r.sources, Audio) || r.lobby.ready(r.sources)) {
		// Shorter than the time that is given to a second track.
		return r.release(arrived)
	}
	return nil
}

// checkSilence gives up on a stream that sends only what can't be used.
func (r *Remuxer) checkSilence(timestamp uint32) error {
	if known(r.sources, Video) || known(r.sources, Audio) {
		return nil
	}
	// Not on the timeline: what can't be used must not move it.
	if r.silence == nil {
		r.silence = new(timestamp)
	}
	if milliseconds(timestamp-*r.silence) >= int64(silentTime) {
		return errNothing
	}
	return nil
}

// configure takes a configuration of a track.
func (r *Remuxer) configure(s *source, p *flv.Packet, arrived time.Duration) error {
	bits := s.bits
	if p.FourCC != s.fourCC {
		bits = newCodec(p.FourCC)
	}
	if !r.first.IsZero() && !s.lane.started {
		s.lane.told = arrived
	}
	return r.change(s, bits.configure, p, arrived)
}

// channels takes how many channels a track has, where its codec doesn't say.
func (r *Remuxer) channels(p *flv.Packet, arrived time.Duration) error {
	for _, s := range r.sources {
		bits, ok := s.bits.(channelled)
		if ok && s.kind == p.Kind && s.number == p.TrackID && s.fourCC == p.FourCC {
			return r.change(s, bits.channels, p, arrived)
		}
	}
	return nil
}

// change lets a bitstream take a packet, and the one that it returns read what comes behind
// that. What waits is decoded as it was encoded: it is released or, if it is before the first
// keyframe, dropped.
func (r *Remuxer) change(s *source, take func(record []byte) (bitstream, error), p *flv.Packet, arrived time.Duration) error {
	next, err := take(p.Data)
	if err != nil && p.FourCC != s.fourCC { // a broken one ends no codec that works
		r.dropOf(s.trackKey, err)
		return nil
	}
	if next != s.bits {
		if err := r.clear(s, p, arrived); err != nil {
			return err
		}
		next, err = take(p.Data) // what waited has been read: it may have told something
	}
	if err != nil {
		r.dropOf(s.trackKey, err)
	}
	if next != s.bits {
		s.bits, s.fourCC = next, p.FourCC
		s.learn()
	}
	return nil
}

// clear lets no frame of a track wait behind which a packet came.
func (r *Remuxer) clear(s *source, p *flv.Packet, arrived time.Duration) error {
	if s.held.source != nil {
		// The configuration's timestamp says as much as that of the frame behind it,
		// unless it has none.
		if err := r.settle(s, s.lane.judge(p.Timestamp, arrived), arrived); err != nil {
			return err
		}
	}
	if s.bits.codec() == nil || !r.lobby.holds(s) {
		return nil
	}
	if r.lobby.ready(r.sources) {
		return r.release(arrived)
	}
	r.lobby.drop(func(f frame) bool { return f.source == s })
	return nil
}

var errStray = errors.New("a frame far off the timestamps before and behind it, which are believed")

// frame puts one frame on the timeline, and with it the one that had to wait for
// that.
func (r *Remuxer) frame(f *frame, arrived time.Duration) error {
	s := f.source
	held := r.line.judge(s.lane, f.Timestamp, arrived)
	at, sure := r.line.at(s.lane, f.Timestamp, arrived)
	if held.fate != fateNone {
		before := r.unhold(s)
		before.place = held.place
		if err := r.judged(&before, held.fate, arrived); err != nil {
			return err
		}
	}
	if !sure {
		s.held = *f
		s.held.Data = bytes.Clone(f.Data)
		r.suspects++
		return nil
	}
	f.place = at
	return r.pass(f, arrived)
}

// unhold takes the frame of a track that waits for another one.
func (r *Remuxer) unhold(s *source) frame {
	held := s.held
	s.held = frame{}
	r.suspects--
	return held
}

// settle passes on the frame that waits for another one of its track, if any.
func (r *Remuxer) settle(s *source, f fate, arrived time.Duration) error {
	if s.held.source == nil {
		return nil
	}
	held := r.unhold(s)
	held.place = r.line.settle(s.lane, f)
	return r.judged(&held, f, arrived)
}

// judged passes on the frame that waited, if it is to be kept.
func (r *Remuxer) judged(held *frame, f fate, arrived time.Duration) error {
	if f == fateStray {
		r.drop(errStray)
		// Much depends on a keyframe: it goes where it belongs.
		if !held.Keyframe {
			held.source.clock.lose()
			return nil
		}
	}
	return r.pass(held, arrived)
}

// pass takes a frame through the stages.
func (r *Remuxer) pass(f *frame, arrived time.Duration) error {
	f.place.at += int64(f.Nanos)
	if r.lobby.stage != stageFlow && r.line.breach.open {
		if err := r.cutShort(arrived); err != nil {
			return err
		}
	}
	if r.lobby.stage == stageFlow {
		return r.write(f, arrived)
	}
	if r.line.member != nil {
		r.rush.note(r.line.slew.best(), arrived)
	}
	if key := r.lobby.enter(f); key || f.source.bits.codec() == nil {
		if err := r.peek(f, key); err != nil {
			r.dropOf(f.source.trackKey, err)
		}
	}
	begins, err := r.lobby.decide(r.sources, f.place)
	if err == errNothing {
		return err
	}
	if err != nil {
		r.drop(err)
	}
	if begins && !r.rushes(arrived) {
		return r.release(arrived)
	}
	return nil
}

// rushes tells whether the first period has to wait until it shows where the encoder lies
// beside others.
func (r *Remuxer) rushes(arrived time.Duration) bool {
	if r.line.member == nil || r.lobby.bytes >= gatherBytes || !r.rush.patient(arrived) {
		return false
	}
	on := r.rush.on(arrived)
	if !r.lobby.hasKey() {
		return on && r.line.member.beginsBeside()
	}
	l := r.landing(&r.lobby.key, r.lobby.frames, math.MinInt64, arrived)
	return r.line.member.early(&r.line, &l, on)
}

// peek takes from a frame that waits what it says beside its picture or sound.
func (r *Remuxer) peek(f *frame, key bool) error {
	gop, err := f.source.bits.peek(f.Data)
	f.source.learn()
	if key {
		f.source.rate.gop = gop
	}
	return err
}

// cutShort ends the waiting where the line breaks in the middle of it: with what
// there is, or, where nothing can be made of that, without.
func (r *Remuxer) cutShort(arrived time.Duration) error {
	if r.lobby.ready(r.sources) {
		return r.release(arrived)
	}
	// The line went on smoothly, and there is no period yet that could break.
	if r.line.mend(arrived) > 0 {
		r.lobby.empty()
	}
	return nil
}

// release begins the first period and writes what waited for it.
func (r *Remuxer) release(arrived time.Duration) error {
	key := r.lobby.key
	frame, sure := r.lobby.firstFrames()
	frames := r.lobby.leave()
	seen := make(map[*source]bool)
	for i := range frames {
		f := &frames[i]
		if f.Keyframe && !seen[f.source] { // so that its parameter sets are those of the period
			seen[f.source] = true
			if err := r.peek(f, false); err != nil {
				r.dropOf(f.source.trackKey, err)
			}
		}
	}
	if s := key.source; s != nil {
		s.rate.begin(frame, sure, s.bits.codec())
		s.rate.clock.reorder.begin(frames, s)
	}
	if r.line.member != nil && len(frames) > 0 {
		first := &frames[0]
		if key.source != nil {
			first = &key
		}
		r.lay(first, frames, math.MinInt64, arrived)
	}
	if err := r.setTracks(key.source != nil); err != nil {
		return err
	}
	if key.source != nil && frame > 0 {
		key.source.rate.clock.frame = ticks(frame, VideoTimescale)
	}
	for i := range frames {
		if err := r.write(&frames[i], arrived); err != nil {
			return err
		}
	}
	return nil
}
