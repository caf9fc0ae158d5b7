package relay

import (
	"maps"
	"slices"

	"github.com/sluice-live/sluice/ingest/flv"
)

// search looks where on a trail lies what a new connection begins with. It is found where all
// that was passed on of the picture, from there to the end, comes again: byte for byte, in order, and in the
// same time, and the sound beside it does, too. Where that could be in two places, or is too little to be
// sure, it is nowhere.
type search struct {
	trail   *trail
	configs map[track]uint64
	lead    track // the picture, or the sound where there is none
	places  []*place
	begun   bool
	before  int       // units of other tracks
	held    []heldTag // what has come
	bytes   int
}

type heldTag struct {
	flv.Tag
	mark
}

// place is where on a trail a connection may begin.
type place struct {
	trail map[track][]unit // as it was
	shift uint32           // is added to timestamps
	next  map[track]int    // unit that is to come again
	alike int              // those that have
	off   int64            // ms that they were off, in sum
	more  int              // those behind the end
}

const (
	mostHeld   = 16 << 20 // bytes
	mostTags   = 8192
	mostPlaces = 16
	leastAlike = 3
	mostAwry   = 10 // ms that a unit may be off
	mostMore   = 64 // units behind the end, while it isn't sure
	mostBefore = 32 // units of other tracks before the first of the leading one
)

// finding is what is known of where a connection begins.
type finding uint8

const (
	searching finding = iota
	found
	nowhere
)

func (t *trail) search() *search {
	s := &search{trail: t, configs: make(map[track]uint64)}
	none := true
	for of := range t.tracks {
		if none || of.kind < s.lead.kind || of.kind == s.lead.kind && of.id < s.lead.id {
			s.lead, none = of, false
		}
	}
	return s
}

// comes takes the next tag of the connection, and tells what is known by it.
func (s *search) comes(tag flv.Tag) finding {
	tag.Body = slices.Clone(tag.Body)
	m := s.trail.mark(tag, s.configs)
	s.held = append(s.held, heldTag{tag, m})
	s.bytes += len(tag.Body)
	switch {
	case len(s.trail.tracks) == 0, s.bytes > mostHeld, len(s.held) == mostTags:
		return nowhere
	case m.what != flv.PacketFrame:
		return searching
	case !s.begun && m.of != s.lead:
		if s.before++; s.before > mostBefore || !s.trail.knows(m) {
			return nowhere // some servers send sound until the next keyframe
		}
		return searching
	}
	marks := s.held[len(s.held)-1:]
	if !s.begun {
		s.begun, marks = true, s.held
		for i, u := range s.trail.tracks[s.lead] {
			if u.digest == m.digest {
				s.places = append(s.places, &place{trail: s.trail.tracks, shift: u.at - m.at, next: map[track]int{s.lead: i}})
			}
		}
		if len(s.places) > mostPlaces {
			return nowhere
		}
	}
	s.places = slices.DeleteFunc(s.places, func(p *place) bool {
		return slices.ContainsFunc(marks, func(h heldTag) bool { return h.what == flv.PacketFrame && p.takes(h.mark) == differs })
	})
	return s.judge()
}

// knows tells whether a unit is on the trail, or of a track that isn't.
func (t *trail) knows(m mark) bool {
	units, known := t.tracks[m.of]
	return !known || slices.ContainsFunc(units, func(u unit) bool { return u.digest == m.digest })
}

// judge tells whether one place is left, for sure.
func (s *search) judge() finding {
	ends := 0
	for _, p := range s.places {
		if p.next[s.lead] < len(p.trail[s.lead]) {
			continue
		}
		if ends++; ends > 1 || p.more > mostMore {
			return nowhere
		}
	}
	switch {
	case len(s.places) == 0:
		return nowhere
	case ends == 1 && len(s.places) == 1 && s.places[0].alike >= leastAlike:
		return found
	}
	return searching
}

// relation is what a unit is to a place.
type relation uint8

const (
	again   relation = iota // it was passed on
	anew                    // it is behind what was
	differs                 // something else was passed on in its time
)

// takes compares a unit with the one that is to come again.
func (p *place) takes(m mark) relation {
	units := p.trail[m.of]
	at := m.at + p.shift
	i, begun := p.next[m.of]
	switch {
	case len(units) == 0 || begun && i == len(units):
		p.more++
		return anew
	case !begun:
		if i = nearest(units, m.digest, at); i < 0 {
			switch {
			case later(at, units[len(units)-1].at) > 0:
				p.next[m.of] = len(units)
				p.more++
				return anew
			case later(at, units[0].at) < 0:
				return again // and forgotten since
			}
			return differs
		}
	case units[i].digest != m.digest || !near(units[i].at, at):
		return differs
	}
	p.next[m.of] = i + 1
	p.alike++
	p.off += int64(later(units[i].at, at))
	return again
}

// nearest is the unit with a digest that is nearest to a time; -1 where none is near.
func nearest(units []unit, digest uint64, at uint32) int {
	best := -1
	for i, u := range units {
		if u.digest == digest && near(u.at, at) && (best < 0 || distance(u.at, at) < distance(units[best].at, at)) {
			best = i
		}
	}
	return best
}

func near(a, b uint32) bool { return distance(a, b) <= mostAwry }

func distance(a, b uint32) int64 {
	d := int64(later(a, b))
	return max(d, -d)
}

// rest is what a connection repeats yet, behind the place that was found.
type rest struct {
	*place
	trail *trail
	told  map[state]heldTag // to decoders, of tracks that repeat yet
	bytes int
}

// rest begins with what has come in the search.
func (s *search) rest() *rest {
	p := s.places[0]
	half := int64(p.alike) / 2
	if p.off < 0 {
		half = -half
	}
	p.shift += uint32(int32((p.off + half) / int64(p.alike))) // each of them is rounded
	p.next = make(map[track]int)
	p.trail = maps.Clone(p.trail)
	for of, units := range p.trail {
		p.trail[of] = slices.Clone(units)
	}
	return &rest{place: p, trail: s.trail, told: make(map[state]heldTag)}
}

// leads passes on what of a tag is still to be.
func (r *rest) leads(h heldTag, pass func(heldTag) error) error {
	units := r.trailOf(h.of)
	switch over := len(units) == 0 || r.next[h.of] == len(units); {
	case h.what == flv.PacketMetadata:
	case h.what != flv.PacketFrame && !over && r.bytes < mostHeld:
		h.Body = slices.Clone(h.Body)
		r.bytes += len(h.Body)
		r.told[h.state] = h
		return nil
	case h.what == flv.PacketFrame:
		how := r.takes(h.mark)
		if how == again || how == differs && later(h.at+r.shift, units[len(units)-1].at) <= 0 {
			return nil
		}
		if err := r.tells(h.of, pass); err != nil {
			return err
		}
	}
	return pass(h)
}

func (r *rest) trailOf(of track) []unit { return r.place.trail[of] }

// tells passes on what decoders of a track have been told meanwhile, where that is new to them.
func (r *rest) tells(of track, pass func(heldTag) error) error {
	for what := range flv.PacketChannels + 1 { // the configuration is the first
		key := state{of, what}
		h, told := r.told[key]
		delete(r.told, key)
		if !told || r.trail.states[key] == h.digest {
			continue
		}
		if err := pass(h); err != nil {
			return err
		}
	}
	return nil
}

// over tells whether a connection repeats nothing any more.
func (r *rest) over(at uint32) bool {
	for of, units := range r.place.trail {
		if r.next[of] < len(units) && later(at+r.shift, units[len(units)-1].at) < lately {
			return false
		}
	}
	return true
}
