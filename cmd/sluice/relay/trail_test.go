package relay

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/sluice-live/sluice/ingest"
	"github.com/sluice-live/sluice/ingest/flv"
)

// reel is what a source plays: tags in the order in which they are decoded.
type reel []frame

type frame struct {
	at   float64 // ms
	key  bool    // of the first picture
	tag  flv.Tag
	name string // of the track, and what is in it
}

// tape is a sink that notes what it gets.
type tape struct {
	t   *testing.T
	got []flv.Tag
}

func (s *tape) WriteTag(tag flv.Tag) error {
	tag.Body = slices.Clone(tag.Body)
	s.got = append(s.got, tag)
	return nil
}

func (s *tape) Close(error) {}

// shape is how a reel is made.
type shape struct {
	kinds  int // of contents: 1 is a picture that stands still, and silence
	gop    int
	tracks int // of pictures
	sounds int
	still  bool // keyframes are alike, too
}

func (s shape) reel(r *rand.Rand, length int) (all reel) {
	step := 1000.0 / 30
	configs := func(at float64) {
		for i := range s.tracks {
			f := flv.Framing{FourCC: flv.AVC1, TrackID: uint8(i)}
			all = append(all, frame{at: at, tag: flv.Tag{Type: flv.TagVideo, Body: append(f.AppendHead(nil, flv.PacketConfig, true, 0), 1, byte(i))}})
		}
		for i := range s.sounds {
			f := flv.Framing{FourCC: flv.MP4A, TrackID: uint8(i)}
			all = append(all, frame{at: at, tag: flv.Tag{Type: flv.TagAudio, Body: append(f.AppendHead(nil, flv.PacketConfig, true, 0), 2, byte(i))}})
		}
	}
	configs(0)
	next := make([]float64, s.sounds)
	for n := range length {
		at := float64(n) * step
		for i := range s.sounds {
			for ; next[i] < at; next[i] += 1024.0 / 48 {
				f := flv.Framing{FourCC: flv.MP4A, TrackID: uint8(i)}
				body := fmt.Appendf(f.AppendHead(nil, flv.PacketFrame, true, 0), "%d", r.IntN(s.kinds))
				all = append(all, frame{at: next[i], tag: flv.Tag{Type: flv.TagAudio, Body: body}})
			}
		}
		for i := range s.tracks {
			key := n%s.gop == 0
			f := flv.Framing{FourCC: flv.AVC1, TrackID: uint8(i)}
			what := fmt.Sprintf("%v %d", key, r.IntN(s.kinds))
			if key && !s.still {
				what = fmt.Sprint("key ", n)
			}
			body := append(f.AppendHead(nil, flv.PacketFrame, key, int32(r.IntN(3))), what...)
			all = append(all, frame{at: at, key: key && i == 0, tag: flv.Tag{Type: flv.TagVideo, Body: body}})
		}
	}
	for i, f := range all {
		all[i].name = nameOf(f.tag)
	}
	return all
}

// nameOf is a tag without what servers write anew.
func nameOf(tag flv.Tag) string {
	for p, err := range flv.Packets(tag) {
		if err == nil && p.Type == flv.PacketFrame {
			return fmt.Sprintf("%v%d %s", p.Kind, p.TrackID, p.Data)
		}
	}
	return ""
}

// from is what a server plays to one who comes when that is the newest keyframe, with timestamps
// that begin at base.
func (all reel) from(key int, base uint32) (tags []flv.Tag) {
	for i, f := range all {
		if i < key && f.name != "" {
			continue
		}
		tag := f.tag
		tag.Timestamp = base + uint32(int32(f.at-all[key].at+0.5))
		if i < key {
			tag.Timestamp = base
		}
		tags = append(tags, tag)
	}
	return tags
}

// names are those of one track, behind the first so many.
func names(track string, all []string, skip int) (list []string) {
	for _, n := range all {
		if strings.HasPrefix(n, track) {
			if skip--; skip < 0 {
				list = append(list, n)
			}
		}
	}
	return list
}

func namesOf(tags []flv.Tag) (list []string) {
	for _, tag := range tags {
		if n := nameOf(tag); n != "" {
			list = append(list, n)
		}
	}
	return list
}

// play leads a connection to a sink, as fetching does, until it has had so many tags. It tells whether it
// has found where the connection begins.
func play(p *passage, tags []flv.Tag) finding {
	s := p.trail.search()
	for i, tag := range tags {
		switch what := s.comes(tag); what {
		case searching:
			continue
		case found:
			p.begins(s)
			for _, tag := range tags[i+1:] {
				_ = p.WriteTag(tag)
			}
			return what
		default:
			return what
		}
	}
	return searching
}

func passageTo(sink ingest.Sink) *passage {
	return &passage{trail: newTrail(), configs: make(map[track]uint64), sink: sink}
}

// What comes by the next connection is passed on from where the one before has ended, each access
// unit once and in order, or nothing of it is; and where all that comes differs, it is found.
func TestTrail(t *testing.T) {
	for seed := range uint64(400) {
		comesBack(t, seed)
	}
}

func FuzzTrail(f *testing.F) {
	for seed := range uint64(20) {
		f.Add(seed)
	}
	f.Fuzz(comesBack)
}

func comesBack(t *testing.T, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 1))
	s := shape{kinds: []int{1, 2, 1 << 30}[r.IntN(3)], gop: 1 + r.IntN(80), tracks: r.IntN(3), sounds: r.IntN(3), still: r.IntN(2) == 0}
	if s.tracks+s.sounds == 0 {
		s.sounds = 1
	}
	all := s.reel(r, 400)
	sink := &tape{t: t}
	p := passageTo(sink)
	all0, cut := all.from(firstKey(all), r.Uint32()), len(all)/2
	for _, tag := range all0[:cut] {
		_ = p.WriteTag(tag)
	}
	passed := sink.got
	for range 1 + r.IntN(3) { // it breaks again
		var keys []int
		for i := range cut {
			if all[i].key || s.tracks == 0 && all[i].name != "" && i > cut-20 {
				keys = append(keys, i)
			}
		}
		key := keys[len(keys)-1-r.IntN(min(2, len(keys)))]
		tags := all.from(key, r.Uint32())
		before := len(sink.got)
		end := min(len(tags), cut+60+r.IntN(100)-key+s.tracks+s.sounds)
		how := play(p, tags[:end])
		if how != found {
			if len(sink.got) > before {
				t.Fatalf("seed %d: it isn't found, and %d tags are passed on", seed, len(sink.got)-before)
			}
			if s.kinds > 2 && cut-key > 10*(s.tracks+s.sounds) {
				t.Fatalf("seed %d: it isn't found (%d): %+v, %d tags again", seed, how, s, cut-key)
			}
			return
		}
		cut = key + end - s.tracks - s.sounds
		want, got := namesOf(all0[:cut]), namesOf(sink.got)
		for kind, n := range map[string]int{"video": s.tracks, "audio": s.sounds} {
			for i := range n {
				track := fmt.Sprint(kind, i)
				if w, g := names(track, want, 0), names(track, got, 0); !slices.Equal(w, g) {
					t.Fatalf("seed %d: %s: %d passed on, %d sent, of %d before; %+v", seed, track, len(g), len(w), len(names(track, namesOf(passed), 0)), s)
				}
			}
		}
		for i, tag := range sink.got {
			if near := all0[0].Timestamp; int32(tag.Timestamp-near) < -5 || i > 0 && int32(tag.Timestamp-sink.got[i-1].Timestamp) < -40 {
				t.Fatalf("seed %d: timestamps go back, from %d to %d", seed, sink.got[max(i-1, 0)].Timestamp, tag.Timestamp)
			}
		}
	}
}

// A server that sends sound until the next keyframe holds nobody up: it is nowhere at the first sound
// that is new, and in silence soon.
func TestTrailOfSound(t *testing.T) {
	for name, c := range map[string]struct {
		kinds, most int
	}{"sound": {1 << 30, 2}, "silence": {1, mostBefore + 2}} {
		all := shape{kinds: c.kinds, gop: 60, tracks: 1, sounds: 1}.reel(rand.New(rand.NewPCG(1, 1)), 400)
		tags := all.from(firstKey(all), 0)
		p := passageTo(&tape{t: t})
		cut := len(tags) / 2
		for _, tag := range tags[:cut] {
			_ = p.WriteTag(tag)
		}
		s, n := p.trail.search(), 0
		for _, tag := range tags[cut:] {
			if tag.Type == flv.TagVideo {
				continue
			}
			n++
			if s.comes(tag) != searching {
				break
			}
		}
		if n > c.most {
			t.Errorf("%s: %d tags are held", name, n)
		}
	}
}

// Whatever comes, a trail and a search hold no more than they say.
func TestTrailIsBounded(t *testing.T) {
	sink := &tape{t: t}
	p := passageTo(sink)
	f := flv.Framing{FourCC: flv.AVC1}
	for i := range uint32(50_000) {
		f.TrackID = uint8(i)
		for _, what := range []flv.PacketType{flv.PacketConfig, flv.PacketFrame} {
			body := append(f.AppendHead(nil, what, i%5000 == 0, 0), byte(i), byte(i>>8))
			_ = p.WriteTag(flv.Tag{Type: flv.TagVideo, Timestamp: i / 100, Body: body})
		}
		sink.got = nil
	}
	units := 0
	for _, all := range p.trail.tracks {
		units += cap(all)
	}
	if len(p.trail.tracks) > mostTracks || units > 2*mostTracks*mostUnits || len(p.trail.states) > 3*mostTracks || len(p.configs) > mostTracks {
		t.Errorf("%d tracks, %d units, %d states, %d configurations", len(p.trail.tracks), units, len(p.trail.states), len(p.configs))
	}
	for _, size := range []int{1, 1 << 20} {
		s := p.trail.search()
		sound := append([]byte{0xAF, 1}, make([]byte, size)...)
		n := 0
		for s.comes(flv.Tag{Type: flv.TagAudio, Body: sound}) == searching {
			n++
		}
		if n > mostTags || s.bytes > mostHeld+len(sound) {
			t.Errorf("%d tags, %d bytes", n, s.bytes)
		}
	}
}

func firstKey(all reel) int {
	return slices.IndexFunc(all, func(f frame) bool { return f.name != "" })
}
