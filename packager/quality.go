package packager

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/sluice-live/sluice/remux"
)

// Quality is a picture that viewers may choose, and what it is called.
type Quality struct {
	*Rendition
	Name string // 1080p, 720p60, 1080p HEVC; or as the encoder calls it
}

// Qualities returns the pictures that have media to come, or, where none has, all that have
// some, in the order of Sets. Those who begin must not choose one that stays away; who
// holds one goes on being answered.
func (w *Window) Qualities() []Quality {
	all := w.pictures()
	if slices.ContainsFunc(all, func(q Quality) bool { return q.comes() }) {
		return slices.DeleteFunc(all, func(q Quality) bool { return !q.comes() })
	}
	return slices.DeleteFunc(all, func(q Quality) bool { return !q.Media() })
}

// QualityNames returns what all pictures are called, by their rendition.
func (w *Window) QualityNames() map[RenditionID]string {
	names := make(map[RenditionID]string)
	for _, q := range w.pictures() {
		names[q.ID] = q.Name
	}
	return names
}

// pictures are all that have had something, with their names.
func (w *Window) pictures() (all []Quality) {
	families := make(map[string]bool)
	for _, s := range w.Sets() {
		if s.Kind() != remux.Video {
			continue
		}
		families[s.Renditions[0].Family()] = true
		for _, r := range s.Renditions {
			all = append(all, Quality{Rendition: r})
		}
	}
	for i := range all {
		q := &all[i]
		q.Name = cmp.Or(q.Newest().Track.Name, q.size())
		if q.Newest().Track.Name == "" && len(families) > 1 {
			q.Name = strings.TrimSpace(q.Name + " " + familyNames[q.Family()])
		}
	}
	return all
}

// comes tells whether the newest segment that is listed has media.
func (r *Rendition) comes() bool {
	n := len(r.Segments)
	return n > 0 && !r.Segments[n-1].Gap()
}

// familyNames are those of codecs as people say them.
var familyNames = map[string]string{
	"avc1": "H.264", "hvc1": "HEVC", "av01": "AV1", "vp09": "VP9", "vp08": "VP8", "vvc1": "VVC",
}

// size is what people call the size of a picture and its rate: its lines, or its columns
// where it stands upright, and the rate where that is more than the usual.
func (r *Rendition) size() string {
	const usual = 31
	p := r.Newest().Track.Picture
	if p.Width == 0 {
		return string(r.ID)
	}
	name := fmt.Sprint(min(p.Width, p.Height), "p")
	if f := r.FrameRate; f.Den > 0 {
		if fps := float64(f.Num) / float64(f.Den); fps > usual {
			name += fmt.Sprint(math.Round(fps))
		}
	}
	return name
}

// Unaligned is a picture of a set whose keyframes lie elsewhere than those of the set's
// first one.
type Unaligned struct {
	Rendition, First *Rendition
	Off              time.Duration // how far behind the other's its segments begin, at most; negative: before
}

// Unaligned lists the pictures that are unaligned, of all sets.
func (w *Window) Unaligned() (all []Unaligned) {
	for _, s := range w.Sets() {
		if s.Aligned {
			continue
		}
		first := s.Renditions[0]
		for _, r := range s.Renditions[1:] {
			if off := first.off(r); off.Abs() > alignment {
				all = append(all, Unaligned{r, first, off})
			}
		}
	}
	return all
}

// Sentences says of the pictures that are unaligned by how much, and what to set. What it
// says stays the same while little changes.
func (w *Window) Sentences() (all []string) {
	var names map[RenditionID]string
	for _, u := range w.Unaligned() {
		if names == nil {
			names = w.QualityNames()
		}
		all = append(all, fmt.Sprintf("Keyframes of %s come %s %s those of %s: where players switch, they show a moment twice or leave one out. "+
			"Set the same keyframe interval in all encoders, of the same number of seconds at every frame rate, and no keyframes at scene cuts; better, let one encoder send all qualities.",
			names[u.Rendition.ID], about(u.Off.Abs()), map[bool]string{true: "before", false: "behind"}[u.Off < 0], names[u.First.ID]))
	}
	return all
}

// about is a duration in whole seconds.
func about(d time.Duration) string {
	const most = 5
	n := (d + time.Second - 1) / time.Second
	if n > most {
		return fmt.Sprintf("more than %d s", most)
	}
	return fmt.Sprintf("up to %d s", n)
}

// alignment is how far apart the starts of segments may lie that are still the same: less
// than a frame.
const alignment = 10 * time.Millisecond

// off is the most that segments of o begin behind those of r with the same number, of those
// that are listed and have media; it is negative where they begin before them.
func (r *Rendition) off(o *Rendition) (most time.Duration) {
	a, b := r.Segments, o.Segments
	for len(a) > 0 && len(b) > 0 {
		switch {
		case a[0].MSN < b[0].MSN:
			a = a[1:]
		case b[0].MSN < a[0].MSN:
			b = b[1:]
		default:
			if d := b[0].Time().Sub(a[0].Time()); !a[0].Gap() && !b[0].Gap() && d.Abs() > most.Abs() {
				most = d
			}
			a, b = a[1:], b[1:]
		}
	}
	return most
}
