// Package tags draws Windows as FLV tags, for those who play by RTMP: pure.
//
//	Window ─look─▶ tracks: units that wait, in each ─Next─▶ the earliest of all, as a tag
//
// Nothing is copied: what is behind a tag's head lies in the Window's parts, and many
// readers share it. A Reader holds no more than the units that it hasn't given out.
package tags

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/sluice-live/sluice/ingest/flv"
	"github.com/sluice-live/sluice/packager"
	"github.com/sluice-live/sluice/remux"
)

// Start is where a reader begins.
type Start uint8

// Where a reader can begin.
const (
	Fast Start = iota // with the newest keyframe that there is, at once
	Live              // with the next keyframe that comes: no later than the stream is
)

// Options are what a reader wants, and can take.
type Options struct {
	Start Start

	// Takes tells whether the reader takes a codec. Those that are older than Enhanced
	// RTMP it isn't asked for: all readers take them. nil takes no others.
	Takes func(flv.FourCC) bool

	// Tracks lets all renditions through that the reader takes, each with a number;
	// else there is one of a kind: the best picture, and the first sound.
	Tracks bool
}

// Reader draws the Windows of one stream for one reader. Timestamps begin with 0 and
// go on for as long as the Reader does, over periods and over an encoder that is lost
// and returns: they are the stream's own time. It is used by one goroutine.
type Reader struct {
	o      Options
	tracks []*track
	ids    map[packager.RenditionID]uint8 // numbers of those that were seen
	count  [2]uint8                       // of numbers, by kind
	mute   [2]bool                        // what isn't wanted, by kind

	began  bool
	base   int64       // the time that has timestamp 0, ns since 1970
	due    []flv.Drawn // configurations and metadata that come before all else
	head   []byte      // of the tag that Next returned
	state  packager.State
	placed bool // the tracks have a place in the Windows

	last   int64 // time of the tag that was given out last
	starts bool  // see Starts
}

// NewReader returns a Reader that has seen no Window.
func NewReader(o Options) *Reader {
	return &Reader{o: o, ids: make(map[packager.RenditionID]uint8)}
}

// UnplayableError is a stream that a reader can't take, in words for people.
type UnplayableError struct{ Text string }

func (e *UnplayableError) Error() string { return e.Text }

// Ready tells whether a stream has enough for readers to begin with, and returns an
// *UnplayableError where that is nothing for this one.
func (r *Reader) Ready(w *packager.Window) (bool, error) {
	if !w.StillPlayable() {
		return false, nil
	}
	codec, pictures, playable := "", false, false
	for i := range w.Renditions {
		h := w.Renditions[i].Newest()
		if h == nil {
			continue
		}
		video := h.Track.Kind() == remux.Video
		takes := r.takes(h)
		if !takes && (video || codec == "") {
			codec = h.Track.Codecs
		}
		if video && !pictures { // sound is not all that they want
			pictures, playable = true, false
		}
		if video == pictures {
			playable = playable || takes
		}
	}
	if !playable {
		return false, &UnplayableError{fmt.Sprintf("this stream is %s, and the reader doesn't say that it takes that: "+
			"if it does all the same, add ?codecs=* to the name; docs/rtmp.md has more", codec)}
	}
	return true, nil
}

// Takes tells whether the reader takes what has that header.
func (r *Reader) Takes(h *packager.Header) bool { return r.takes(h) }

func (r *Reader) takes(h *packager.Header) bool {
	f, _, _ := framing(h, 0)
	return f.FourCC.Legacy() || r.o.Takes != nil && f.FourCC != 0 && r.o.Takes(f.FourCC)
}

// Look takes what is new in a Window: the newest of the stream, and never an older
// one. It tells whether something was left out since the one before: the reader has
// gone on with a newer keyframe.
func (r *Reader) Look(w *packager.Window) (skipped bool) {
	r.state = w.State
	r.choose(w)
	if len(r.tracks) == 0 {
		return false
	}
	if !r.placed {
		r.place(w, r.o.Start)
		r.placed = true
	} else if r.behind(w) > patienceOf(w) {
		skipped = r.jump(w)
	}
	for _, t := range r.tracks {
		o := r.rendition(w, t)
		if t.vanished = o == nil; t.vanished {
			continue
		}
		if t.look(o) {
			r.replace(t, o)
			t.look(o)
			skipped = true
		}
	}
	return skipped
}

// rendition is what a Window has of a track; nil where that is nothing, or what the
// reader can't take.
func (r *Reader) rendition(w *packager.Window, t *track) *packager.Rendition {
	for i := range w.Renditions {
		if o := &w.Renditions[i]; o.ID == t.id {
			if h := o.Newest(); h == nil || r.takes(h) {
				return o
			}
		}
	}
	return nil
}

// patienceOf is how far a reader may be behind before it goes on with a newer
// keyframe: it begins up to a segment behind.
func patienceOf(w *packager.Window) time.Duration {
	const least = 5 * time.Second
	return max(least, 2*w.Longest())
}

// Late tells whether a reader that has got all that was given out is so far behind a
// Window that Look would skip.
func (r *Reader) Late(w *packager.Window) bool { return r.began && r.behind(w) > patienceOf(w) }

// behind is how far the next tag is behind the end of a Window.
func (r *Reader) behind(w *packager.Window) time.Duration {
	if !r.began {
		return 0
	}
	const never = 1<<63 - 1
	newest, at := int64(0), int64(never)
	for _, t := range r.tracks {
		o := r.rendition(w, t)
		if o == nil || t.mute {
			continue
		}
		newest = max(newest, end(o))
		if t.held() > 0 {
			at = min(at, t.queue[t.first].dts)
		} else if o.NextPart > t.next {
			at = min(at, t.reached)
		}
	}
	if at == never {
		return 0
	}
	return time.Duration(newest - at)
}

// end is where the media of a rendition ends, about.
func end(r *packager.Rendition) (at int64) {
	if n := len(r.Segments); n > 0 {
		s := r.Segments[n-1]
		at = s.Header.Time(s.PTS + s.Duration).UnixNano()
	}
	if n := len(r.Parts); n > 0 && r.Header != nil {
		ticks := r.OpenPTS
		for i := range r.Parts {
			ticks += r.Parts[i].Duration
		}
		at = max(at, r.Header.Time(ticks).UnixNano())
	}
	return at
}

// choose settles which renditions the reader gets. One that it has it keeps.
func (r *Reader) choose(w *packager.Window) {
	r.tracks = slices.DeleteFunc(r.tracks, func(t *track) bool {
		return t.held() == 0 && r.rendition(w, t) == nil
	})
	for _, kind := range []flv.Kind{flv.Video, flv.Audio} {
		var best *packager.Rendition
		for i := range w.Renditions {
			o := &w.Renditions[i]
			h := o.Newest()
			if h == nil || h.Track.Kind() != kind || !r.takes(h) {
				continue
			}
			if r.o.Tracks {
				r.add(o, kind)
			} else if best == nil || kind == flv.Video && pixels(h) > pixels(best.Newest()) {
				best = o
			}
		}
		if best != nil && !slices.ContainsFunc(r.tracks, func(t *track) bool { return t.kind == kind }) {
			r.add(best, kind)
		}
	}
	for _, t := range r.tracks {
		for i := range w.Renditions {
			if o := &w.Renditions[i]; o.ID == t.id && o.Newest() != nil {
				t.bitrate, t.frameRate = o.Average, frameRate(o, o.Newest())
			}
		}
	}
}

func pixels(h *packager.Header) int { return h.Track.Picture.Width * h.Track.Picture.Height }

// add adds a rendition, if the reader hasn't got it.
func (r *Reader) add(o *packager.Rendition, kind flv.Kind) {
	if slices.ContainsFunc(r.tracks, func(t *track) bool { return t.id == o.ID }) {
		return
	}
	t := &track{id: o.ID, kind: kind, mute: r.mute[kind]}
	if r.o.Tracks {
		number, ok := r.ids[o.ID]
		if !ok {
			number = r.count[kind]
			r.ids[o.ID] = number
			r.count[kind]++
		}
		t.number = number
	}
	if r.placed {
		r.replace(t, o)
	}
	r.tracks = append(r.tracks, t)
	slices.SortStableFunc(r.tracks, func(a, b *track) int {
		return cmp.Or(cmp.Compare(a.kind, b.kind), cmp.Compare(a.number, b.number))
	})
}

// place puts all tracks where a reader begins.
func (r *Reader) place(w *packager.Window, start Start) {
	at := int64(-1)              // where the picture begins, or -1
	for _, t := range r.tracks { // pictures first
		o := r.rendition(w, t)
		if o == nil {
			continue
		}
		newest := end(o)
		t.restart(o.NextPart, newest)
		if start == Live {
			continue
		}
		if t.kind == flv.Video {
			if k, ok := newestKey(o); ok {
				t.restart(k.part, k.at)
				if at < 0 || k.at < at {
					at = k.at
				}
			}
			continue
		}
		if from := at; from >= 0 {
			newest = from
		}
		t.restart(partAt(o, newest-1), newest)
	}
}

// restart lets a track go on with a part, which begins at about that time.
func (t *track) restart(part, at int64) {
	t.drop()
	t.next, t.taken, t.reached, t.waits = part, 0, at, t.kind == flv.Video
}

// jump lets a reader that is late go on with the newest keyframe, if there is one that
// it hasn't come to yet.
func (r *Reader) jump(w *packager.Window) bool {
	for _, t := range r.tracks {
		o := r.rendition(w, t)
		if o == nil || t.kind != flv.Video {
			continue
		}
		k, ok := newestKey(o)
		if !ok || t.held() > 0 && k.at <= t.queue[t.first].dts || t.held() == 0 && k.part <= t.next {
			return false
		}
		break // the first decides for all
	}
	r.place(w, Fast)
	return true
}

// replace puts one track where a reader begins: its place is no more, or it had none.
func (r *Reader) replace(t *track, o *packager.Rendition) {
	if k, ok := newestKey(o); ok && t.kind == flv.Video {
		t.restart(k.part, k.at)
		return
	}
	t.restart(partAt(o, r.last), max(r.last, end(o)))
}

// Receive switches sound or pictures on and off. Pictures come back with a keyframe.
func (r *Reader) Receive(kind flv.Kind, on bool) {
	r.mute[kind] = !on
	for _, t := range r.tracks {
		if t.kind == kind && t.mute == on {
			t.mute = !on
			t.waits = kind == flv.Video
			if on && t.waits {
				t.drop()
			}
		}
	}
}

// Rest lets go of the units that wait: the next Look begins as the first one did, and timestamps
// go on.
func (r *Reader) Rest() {
	for _, t := range r.tracks {
		t.drop()
	}
	r.placed = false
}

// Held is the memory of the units that wait, each part once; and how many they are.
func (r *Reader) Held() (parts packager.Memory) {
	for _, t := range r.tracks {
		for _, u := range t.queue[t.first:] {
			if n := len(parts); n == 0 || &parts[n-1][0] != &u.part[0] {
				parts = append(parts, u.part)
			}
		}
	}
	return parts
}

// Ended tells that the stream has: when Next has returned false, nothing more comes.
func (r *Reader) Ended() bool { return r.state == packager.Ended }

// Next returns the next tag: the one that is decoded first, of all tracks. It returns
// false where it can't be known yet which that is, or there is none. Its Head is valid
// until the next call; what is behind it is the Window's, and must not be modified.
func (r *Reader) Next() (flv.Drawn, bool) {
	for {
		if !r.began && !r.begin() {
			return flv.Drawn{}, false
		}
		if len(r.due) > 0 {
			d := r.due[0]
			r.due, r.starts = r.due[1:], false
			return d, true
		}
		t := r.earliest()
		if t == nil {
			return flv.Drawn{}, false
		}
		if u := &t.queue[t.first]; u.header != t.header && !t.mute && r.configure(t, u) {
			continue
		}
		u := t.pop()
		if t.mute {
			continue
		}
		r.starts = t == r.tracks[0] && (u.sync || t.kind == flv.Audio) // pictures are before sound
		return r.frame(t, &u), true
	}
}

// Starts tells whether the tag that Next has returned last is one that somebody can begin with who
// has had nothing, behind an Introduction.
func (r *Reader) Starts() bool { return r.starts }

// Introduction is what somebody needs who has had nothing, before the tag that Next has
// returned last: metadata and configurations. Nothing of it is given out by Next for that.
func (r *Reader) Introduction() []flv.Drawn {
	due := r.due
	defer func() { r.due = due }()
	r.due = nil
	r.tell()
	for _, t := range r.tracks {
		if t.header != nil {
			r.instruct(t, r.last)
		}
	}
	return r.due
}

// begin settles where timestamps begin: with the first picture, and no sound is
// earlier. It returns false where that has not come.
func (r *Reader) begin() bool {
	first := slices.IndexFunc(r.tracks, func(t *track) bool { return !t.vanished })
	if first < 0 || r.tracks[first].held() == 0 {
		return false
	}
	leader := r.tracks[first]
	r.base = leader.queue[leader.first].dts
	for _, t := range r.tracks {
		for t.held() > 0 && t.queue[t.first].dts < r.base && t.kind == flv.Audio {
			t.pop()
		}
	}
	for _, t := range r.tracks {
		if t.held() > 0 {
			r.base = min(r.base, t.queue[t.first].dts)
		} else if r.expects(t, leader, r.base) {
			return false // it is told of in the metadata
		}
	}
	r.began = true
	for _, t := range r.tracks {
		if t.held() > 0 {
			t.describe(t.queue[t.first].header)
		}
	}
	r.tell()
	for _, t := range r.tracks {
		if t.header != nil {
			r.instruct(t, r.base)
		}
	}
	return true
}

// earliest is the track whose unit comes next; nil where another's may come before
// it, which is not there yet.
func (r *Reader) earliest() (first *track) {
	for _, t := range r.tracks {
		if t.held() > 0 && (first == nil || t.queue[t.first].dts < first.queue[first.first].dts) {
			first = t
		}
	}
	if first == nil {
		return nil
	}
	for _, t := range r.tracks {
		if t.held() == 0 && r.expects(t, first, first.queue[first.first].dts) {
			return nil
		}
	}
	return first
}

// expects tells that a track on which nothing waits may soon have a unit that is before
// at: one of another track must wait for it. It isn't waited for longer than the
// packager waits before it fills its time.
func (r *Reader) expects(t, other *track, at int64) bool {
	const patience = int64(2 * time.Second)
	return r.state == packager.Live && !t.vanished && !t.mute && t.reached < at && other.reached-t.reached < patience
}

// configure lets a track go on with another header. It tells whether something comes
// before the unit.
func (r *Reader) configure(t *track, u *unit) bool {
	before := *t
	t.describe(u.header)
	if before.header == nil || t.framing != before.framing || !bytes.Equal(t.config, before.config) {
		r.tell()
		r.instruct(t, u.dts)
	} else if !before.header.Track.Same(u.header.Track) {
		r.tell()
	}
	return len(r.due) > 0
}

// describe lets a track begin with a header.
func (t *track) describe(h *packager.Header) {
	t.header = h
	t.framing, t.config, t.told = framing(h, t.number)
}

// tell sends metadata.
func (r *Reader) tell() {
	r.due = append(r.due, flv.Drawn{Tag: flv.Tag{Type: flv.TagScript, Timestamp: r.timestamp(max(r.last, r.base)), Body: metadata(r.tracks)}})
}

// instruct sends a track's configuration, at that time.
func (r *Reader) instruct(t *track, at int64) {
	if !t.told {
		return
	}
	r.due = append(r.due, flv.Drawn{
		Head: t.framing.AppendHead(nil, flv.PacketConfig, true, 0),
		Tag:  flv.Tag{Type: tagType(t.kind), Timestamp: r.timestamp(at), Body: t.config},
	})
}

// frame is the tag of a unit.
func (r *Reader) frame(t *track, u *unit) flv.Drawn {
	dts, pts := milliseconds(u.dts-r.base), milliseconds(u.pts-r.base)
	if t.begun {
		dts = max(dts, t.last)
	}
	t.begun, t.last = true, dts
	r.last = max(r.last, u.dts)
	r.head = t.framing.AppendHead(r.head[:0], flv.PacketFrame, u.sync, int32(pts-dts))
	return flv.Drawn{Head: r.head, Tag: flv.Tag{Type: tagType(t.kind), Timestamp: uint32(dts), Body: u.data}}
}

func tagType(k flv.Kind) flv.TagType {
	if k == flv.Video {
		return flv.TagVideo
	}
	return flv.TagAudio
}

// timestamp is that of a time: milliseconds modulo 2^32.
func (r *Reader) timestamp(at int64) uint32 { return uint32(milliseconds(at - r.base)) }

// milliseconds rounds, so that no time is off by more than half a one.
func milliseconds(ns int64) int64 {
	const half = int64(time.Millisecond / 2)
	return (max(ns, 0) + half) / int64(time.Millisecond)
}
