package remux

import (
	"errors"
	"time"
)

// period is the stretch between two calls of SetTracks.
type period struct {
	pictured bool   // it has video
	changes  bucket // periods that the encoder may yet begin: each costs viewers a request and a look at the decoder
}

var (
	errFlood      = errors.New("the decoder configuration or the timestamps change all the time: frames are dropped in between")
	errManyTracks = errors.New("more tracks than are taken")
	errManyUnits  = errors.New("a message has too many access units")
)

// maxUnits is how many access units a frame may have.
const maxUnits = 64

// write passes on the access units of a frame, the first of which belongs where the
// frame does; the others follow on it.
func (r *Remuxer) write(f *frame, arrived time.Duration) error {
	s := f.source
	if r.line.member != nil {
		if p, ok := r.soundPrint(f); ok {
			r.line.member.sound(p)
		}
	}
	behind := int64(0) // ns of the units before
	for data, n := f.Data, 0; len(data) > 0; n++ {
		if n == maxUnits {
			r.drop(errManyUnits)
			return nil
		}
		u, rest, err := s.bits.next(data, f.Keyframe)
		data = rest
		if err != nil {
			r.dropOf(s.trackKey, err)
		}
		if u == nil {
			behind += s.lane.usual
			continue
		}
		if u.odd != nil {
			r.say(s.on(u.odd))
		}
		if u.captions != 0 {
			r.caption(u.captions)
		}
		if u.sync && r.leads(s, arrived) && r.due(f) {
			if err := r.renew(f, arrived); err != nil {
				return err
			}
		}
		if c := s.bits.codec(); c == nil {
			r.withoutConfig(s.trackKey)
			return nil
		} else if c != s.codec || !u.sync && !s.joined {
			return nil // from the next keyframe on
		}
		s.joined = true
		if r.line.member != nil && s.rate != nil {
			s.rate.clock.pin = pinned{r.line.member, f.place.at + r.line.mended + behind, u.sync, s.lane == r.line.lead}
		}
		w := &r.writing
		w.Track, w.Sync, w.OpenGOP, w.Data = s.index, u.sync, u.openGOP, u.data
		w.DTS, w.Duration, w.CompositionOffset = s.clock.sample(r.line.ns(f.place)+behind, f.Composition, u)
		if err := r.out.WriteSample(w); err != nil {
			return err
		}
		if len(data) > 0 {
			behind += int64(time.Second) * int64(u.samples) / s.timescale
		}
	}
	return nil
}

// leads tells whether periods begin with units of a track: of the first video track
// that is there, or of any where there is none.
func (r *Remuxer) leads(s *source, arrived time.Duration) bool {
	if s.kind != Video {
		return !r.period.pictured // without a picture there is no keyframe to wait for
	}
	for _, o := range r.sources {
		if o == s {
			break
		}
		if o.bits.codec() != nil && arrived-o.lane.heard <= maxStepForward {
			return false
		}
	}
	return true
}

// due tells whether a new period is, where a frame is one to begin it with.
func (r *Remuxer) due(f *frame) bool {
	if r.line.mendable(f.place) {
		return true
	}
	for _, s := range r.sources {
		if s.changed() && s.kind >= f.source.kind { // no picture begins without a keyframe
			return true
		}
	}
	return false
}

// renew begins a period with a frame, if one may begin.
func (r *Remuxer) renew(f *frame, arrived time.Duration) error {
	k := f.Kind
	if !r.period.changes.take(arrived) {
		if k == Video {
			r.drop(errFlood)
		}
		return nil
	}
	if r.line.breach.open {
		later := r.line.mend(arrived)
		if r.line.member != nil {
			r.lay(f, nil, -later-int64(arrivalSlack), arrived)
		}
	}
	return r.setTracks(k == Video)
}

// lay puts a line that is about to begin on that of the other encoders: see landing.
func (r *Remuxer) lay(first *frame, waiting []frame, least int64, arrived time.Duration) {
	l := r.landing(first, waiting, least, arrived)
	var keys keyframes
	for i := range waiting {
		if f := &waiting[i]; f.Keyframe && f.source == first.source {
			keys.add(f.place.at)
		}
	}
	l.gop = keys.even(min(max(keys.n-1, 1), evenIntervals))
	r.line.member.lay(&r.line, l, r.line.opened+int64(arrived))
}

// landing is what a line lies on that of others with. It begins with a frame, has others
// that wait, and may be moved by so much at least.
func (r *Remuxer) landing(first *frame, waiting []frame, least int64, arrived time.Duration) landing {
	l := landing{
		lane: first.source.lane, line: first.place.at + r.line.mended, least: least,
		shown:    compositionTicks(first.Composition) * int64(time.Second) / VideoTimescale,
		pictured: first.Kind == Video && first.Keyframe,
		fresh:    milliseconds(first.Timestamp) < int64(arrived+time.Second),
	}
	for i := range waiting {
		if p, ok := r.soundPrint(&waiting[i]); ok {
			l.sounds = append(l.sounds, p)
		}
	}
	return l
}

// soundPrint is the fingerprint of a frame, if it is of the sound that encoders are told by.
func (r *Remuxer) soundPrint(f *frame) (p soundPrint, ok bool) {
	if f.Kind != Audio || f.source.number > 0 {
		return soundPrint{}, false
	}
	return soundPrintOf(f.place.at+r.line.mended, f.Data), true
}

// setTracks begins a period with the decoders that are known now.
func (r *Remuxer) setTracks(withVideo bool) error {
	var tracks []Track
	r.period.pictured = false
	for _, s := range r.sources {
		changed := s.changed()
		s.codec, s.joined = nil, false
		t, ok := s.track()
		if !ok || s.kind == Video && !withVideo {
			continue
		}
		s.codec, s.shown, s.timescale, s.index = t.Codec, s.colour, int64(t.Timescale), len(tracks)
		s.learn()
		if changed { // else it was said before, and frames said more
			s.clock.begin(t)
		}
		r.period.pictured = r.period.pictured || s.kind == Video
		tracks = append(tracks, t)
		r.takenIn(s.trackKey)
	}
	nameTracks(tracks)
	return r.out.SetTracks(tracks)
}

// bucket allows some at once, and some in the long run.
type bucket struct {
	taken int
	since time.Duration
}

func (b *bucket) take(now time.Duration) bool {
	const (
		most   = 10
		refill = 5 * time.Second
	)
	for b.taken > 0 && now-b.since >= refill {
		b.taken--
		b.since += refill
	}
	if b.taken == most {
		return false
	}
	if b.taken == 0 {
		b.since = now
	}
	b.taken++
	return true
}
