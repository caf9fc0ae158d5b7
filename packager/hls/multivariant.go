package hls

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/sluice-live/sluice/packager"
	"github.com/sluice-live/sluice/remux"
)

const (
	audioGroup    = "audio"
	captionsGroup = "captions"
)

// quotable takes out what a quoted string must not have (RFC 8216bis, section 4.2).
var quotable = strings.NewReplacer("\"", "'", "\r", " ", "\n", " ")

// Multivariant draws the multivariant playlist of a Window that is playable.
func Multivariant(w *packager.Window) []byte {
	b := []byte("#EXTM3U\n#EXT-X-VERSION:6\n")
	allIndependent := !slices.ContainsFunc(w.Renditions, func(r packager.Rendition) bool { return !independent(r.Segments) })
	if allIndependent {
		b = append(b, "#EXT-X-INDEPENDENT-SEGMENTS\n"...)
	}
	b = appendSentences(b, "left-out", w.LeftOut)
	b = appendSentences(b, "keyframes", w.Sentences())
	pictures, sounds := choices(w)
	if len(pictures) == 0 { // variants of their own
		for _, group := range sounds {
			for _, r := range group.renditions {
				pictures = append(pictures, variantOf(packager.Quality{Rendition: r}))
			}
		}
		sounds = nil
	}
	for _, group := range sounds {
		for i, r := range group.renditions {
			b = appendAudio(b, group.id, r, i == 0)
		}
	}
	captions := ""
	if len(pictures) > 0 {
		for _, channel := range w.Captions.Channels() {
			captions = captionsGroup
			b = fmt.Appendf(b, "#EXT-X-MEDIA:TYPE=CLOSED-CAPTIONS,GROUP-ID=%q,NAME=%q,DEFAULT=NO,AUTOSELECT=YES,INSTREAM-ID=%q\n", captionsGroup, channel, channel)
		}
	}
	// All say their range where one is not SDR (HLS Authoring Specification, 9.16).
	ranges := slices.ContainsFunc(pictures, func(v variant) bool { return rangeOf(v.Rendition) != remux.SDR })
	for _, v := range pictures {
		if len(sounds) == 0 {
			b = appendVariant(b, v, group{}, ranges, captions)
		}
		for _, g := range sounds {
			b = appendVariant(b, v, g, ranges, captions)
		}
	}
	return b
}

// appendSentences adds what our page shows: others know no such names.
func appendSentences(b []byte, about string, sentences []string) []byte {
	for i, sentence := range sentences {
		b = fmt.Appendf(b, "#EXT-X-SESSION-DATA:DATA-ID=\"live.sluice.%s.%d\",VALUE=\"%s\",LANGUAGE=\"en\"\n", about, i+1, quotable.Replace(sentence))
	}
	return b
}

func rangeOf(r *packager.Rendition) remux.Range { return r.Newest().Track.Picture.Range() }

// group is the sounds of one codec family, one of which is played with a picture.
type group struct {
	id         string
	renditions []*packager.Rendition
}

// variant is a picture, or a sound where there is none.
type variant struct {
	packager.Quality
	peak, average int  // bit/s that it needs
	named         bool // players are told what it is called: there are several
	score         int  // the better the higher; 0 where bit rates say that
}

func variantOf(q packager.Quality) variant {
	v := variant{Quality: q}
	v.peak, v.average = q.Bandwidth()
	return v
}

// choices returns what a player chooses from: each picture is a variant, with each
// group of sounds. What has no media is not among them.
func choices(w *packager.Window) (pictures []variant, sounds []group) {
	for _, q := range w.Qualities() {
		pictures = append(pictures, variantOf(q))
	}
	rank(pictures)
	for _, set := range w.Sets() {
		for _, r := range set.Renditions {
			if !r.Media() || set.Kind() == remux.Video {
				continue
			}
			i := slices.IndexFunc(sounds, func(g group) bool { return g.renditions[0].Family() == r.Family() })
			if i < 0 {
				i, sounds = len(sounds), append(sounds, group{id: audioGroup})
				if i > 0 {
					sounds[i].id = fmt.Sprint(audioGroup, i+1)
				}
			}
			sounds[i].renditions = append(sounds[i].renditions, r)
		}
	}
	return pictures, sounds
}

// rank brings pictures into the order in which players that know nothing yet try them: the
// first is the best that needs no more than usual (HLS Authoring Specification, 9.22), of
// those in H.264, which all play, where there are any; the others follow from the best to
// the least.
func rank(pictures []variant) {
	const usual = 2_000_000 // bit/s
	if len(pictures) < 2 {
		return
	}
	slices.SortStableFunc(pictures, func(a, b variant) int { return cmp.Compare(b.peak, a.peak) })
	families := false
	for i := range pictures {
		pictures[i].named = true
		families = families || pictures[i].Family() != pictures[0].Family() || rangeOf(pictures[i].Rendition) != rangeOf(pictures[0].Rendition)
	}
	if families { // of two codecs one needs less for the same: bit rates don't compare
		order := slices.Clone(pictures)
		slices.SortStableFunc(order, func(a, b variant) int { return slices.Compare(merits(a), merits(b)) })
		for i := range pictures {
			pictures[i].score = 1 + slices.IndexFunc(order, func(v variant) bool { return v.ID == pictures[i].ID })
		}
	}
	first, known := len(pictures)-1, slices.ContainsFunc(pictures, isH264)
	for i := len(pictures) - 1; i >= 0; i-- {
		v, least := pictures[i], known && !isH264(pictures[first])
		if (!known || isH264(v)) && (least || v.peak <= usual) {
			first = i
		}
	}
	v := pictures[first]
	copy(pictures[1:], pictures[:first])
	pictures[0] = v
}

func isH264(v variant) bool { return v.Family() == "avc1" }

// merits are what makes a picture better than another, the most important first.
func merits(v variant) []int {
	newer := []string{"avc1", "vp09", "hvc1", "av01", "vvc1"}
	p := v.Newest().Track.Picture
	rate := 0
	if v.FrameRate.Den > 0 {
		rate = int(v.FrameRate.Num) / int(v.FrameRate.Den)
	}
	wide := 0
	if rangeOf(v.Rendition) != remux.SDR {
		wide = 1
	}
	return []int{p.Width * p.Height, rate, wide, slices.Index(newer, v.Family()), v.peak}
}

func appendAudio(b []byte, group string, r *packager.Rendition, isDefault bool) []byte {
	choice := "NO"
	if isDefault {
		choice = "YES"
	}
	t := r.Newest().Track
	b = fmt.Appendf(b, "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=%q,NAME=\"%s\",LANGUAGE=\"%s\",DEFAULT=%s,AUTOSELECT=YES",
		group, quotable.Replace(cmp.Or(t.Name, string(r.ID))), quotable.Replace(cmp.Or(t.Language, "und")), choice)
	switch s := t.Sound; {
	case s.Objects > 0:
		b = fmt.Appendf(b, ",CHANNELS=\"%d/JOC\"", s.Objects)
	case s.Channels > 0:
		b = fmt.Appendf(b, ",CHANNELS=\"%d\"", s.Channels)
	}
	return fmt.Appendf(b, ",URI=\"%s.m3u8\"\n", r.ID)
}

// appendVariant adds a rendition with the sounds that go with it. It needs as much as
// with the largest of them.
func appendVariant(b []byte, r variant, sounds group, ranges bool, captions string) []byte {
	peak, average, codecs := 0, 0, r.Newest().Track.Codecs
	for _, s := range sounds.renditions {
		most, usual := s.Bandwidth()
		peak, average = max(peak, most), max(average, usual)
		if c := s.Newest().Track.Codecs; !slices.Contains(strings.Split(codecs, ","), c) {
			codecs += "," + c
		}
	}
	peak, average = peak+r.peak, average+r.average
	b = fmt.Appendf(b, "#EXT-X-STREAM-INF:BANDWIDTH=%d,AVERAGE-BANDWIDTH=%d,CODECS=%q", max(peak, 1), max(average, 1), codecs)
	if p := r.Newest().Track.Picture; p.Width > 0 {
		b = fmt.Appendf(b, ",RESOLUTION=%dx%d", p.Width, p.Height)
		if r.FrameRate.Den > 0 {
			b = fmt.Appendf(b, ",FRAME-RATE=%.3f", float64(r.FrameRate.Num)/float64(r.FrameRate.Den))
		}
		if ranges {
			b = fmt.Appendf(b, ",VIDEO-RANGE=%v", rangeOf(r.Rendition))
		}
		if captions == "" {
			b = append(b, ",CLOSED-CAPTIONS=NONE"...)
		} else {
			b = fmt.Appendf(b, ",CLOSED-CAPTIONS=%q", captions)
		}
	}
	if sounds.id != "" {
		b = fmt.Appendf(b, ",AUDIO=%q", sounds.id)
	}
	if r.score > 0 {
		b = fmt.Appendf(b, ",SCORE=%d", r.score)
	}
	if r.named { // no attribute of the standard's, so it is ignored, but by players that show it
		b = fmt.Appendf(b, ",NAME=\"%s\"", quotable.Replace(r.Name))
	}
	return fmt.Appendf(b, "\n%s.m3u8\n", r.ID)
}

// independent tells whether every segment can be decoded without another.
func independent(list []*packager.Segment) bool {
	for _, s := range list {
		if !s.Independent || s.Leading {
			return false
		}
	}
	return true
}
