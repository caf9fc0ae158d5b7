package remux

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/sluice-live/sluice/ingest/flv"
)

// source is one track as the encoder sends it.
type source struct {
	// Every frame needs these, and with many streams memory is cold when one comes:
	// so they lie together.
	trackKey
	fourCC flv.FourCC
	inPeriod
	bits  bitstream
	clock clock
	lane  *lane
	rate  *frameRate // nil of sound
	gauge gauge

	held   frame // whose timestamp can't be believed yet; zero when there is none
	name   string
	told   description
	colour colour
	shown  colour // in the current period
}

// inPeriod is what a source is in the current period.
type inPeriod struct {
	joined    bool  // decoding has started
	codec     Codec // nil where the track isn't in it
	timescale int64
	index     int // in its tracks
}

// frame is a packet on its way, at its place on the line.
type frame struct {
	flv.Packet
	source *source
	place  place
}

// mostSources are more tracks than an encoder sends.
const mostSources = 16

// source is the track that a packet is of; nil for one that can't be taken.
func (r *Remuxer) source(p *flv.Packet) *source {
	for i := range r.sources {
		if p.Kind == Audio { // it lies behind pictures, whose memory is cold: with many streams that is what a frame costs
			i = len(r.sources) - 1 - i
		}
		s := r.sources[i]
		if s.kind == p.Kind && s.number == p.TrackID && (s.fourCC == p.FourCC || codecs[p.FourCC] != nil) {
			return s
		}
	}
	bits := newCodec(p.FourCC)
	if bits == nil {
		r.dropOf(trackKey{p.Kind, p.TrackID}, &flv.UnsupportedError{Format: fmt.Sprintf("%v by FourCC %q", p.Kind, p.FourCC)})
		return nil
	}
	if len(r.sources) == mostSources {
		r.drop(errManyTracks)
		return nil
	}
	s := &source{
		trackKey: trackKey{p.Kind, p.TrackID}, name: fmt.Sprintf("%c%d", p.Kind.String()[0], int(p.TrackID)+1),
		fourCC: p.FourCC, bits: bits, lane: r.line.lane(), told: r.metadata.tracks[trackKey{p.Kind, p.TrackID}],
	}
	if s.kind == Video {
		clock := new(videoClock)
		s.clock, s.rate = clock, &frameRate{clock: clock, told: &s.told}
	} else {
		s.clock = new(audioClock)
	}
	at, _ := slices.BinarySearchFunc(r.sources, s, func(a, b *source) int {
		return cmp.Or(cmp.Compare(a.kind, b.kind), cmp.Compare(a.number, b.number))
	})
	r.sources = slices.Insert(r.sources, at, s) // the order of tracks in a period
	return s
}

// changed tells whether the decoder is another one than the period began with.
func (s *source) changed() bool {
	c := s.bits.codec()
	return c != nil && (c != s.codec || s.colour != s.shown)
}

// learn takes note of a decoder.
func (s *source) learn() {
	if c := s.bits.codec(); c != nil {
		t := c.track()
		s.lane.usual = int64(time.Second) * int64(t.UnitDuration) / int64(t.Timescale)
		s.lane.pace.exact = s.kind == Audio
	}
}

// track is what the source is in a period that begins; false where there is no
// decoder for it.
func (s *source) track() (Track, bool) {
	c := s.bits.codec()
	if c == nil {
		return Track{}, false
	}
	t := TrackOf(c)
	t.ID, t.Name, t.Language, t.Bitrate = s.name, s.told.name, s.told.language, s.told.bitrate
	s.colour.tell(&t.Picture)
	if s.rate != nil {
		t.Picture.FrameRate = s.rate.expected(&t)
		t.KeyframeInterval = s.rate.keyframeInterval(c)
	}
	return t, true
}

// nameTracks gives a name to each sound that has none, where viewers have a choice.
// Pictures are called by their size, which says more.
func nameTracks(tracks []Track) {
	for i := range tracks {
		t := &tracks[i]
		if t.Name == "" && t.kind == Audio && slices.ContainsFunc(tracks, func(o Track) bool { return o.kind == t.kind && o.ID != t.ID }) {
			t.Name = "Track " + t.ID[1:]
		}
	}
}
