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
	for i, sentence := range w.LeftOut { // for our page: others know no such name
		b = fmt.Appendf(b, "#EXT-X-SESSION-DATA:DATA-ID=\"live.sluice.left-out.%d\",VALUE=\"%s\",LANGUAGE=\"en\"\n", i+1, quotable.Replace(sentence))
	}
	pictures, sounds := choices(w)
	if len(pictures) == 0 { // variants of their own
		for _, group := range sounds {
			pictures = append(pictures, group.renditions...)
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
	ranges := slices.ContainsFunc(pictures, func(r *packager.Rendition) bool { return rangeOf(r) != remux.SDR })
	for _, r := range pictures {
		if len(sounds) == 0 {
			b = appendVariant(b, r, group{}, ranges, captions)
		}
		for _, g := range sounds {
			b = appendVariant(b, r, g, ranges, captions)
		}
	}
	return b
}

func rangeOf(r *packager.Rendition) remux.Range { return r.Newest().Track.Picture.Range() }

// group is the sounds of one codec family, one of which is played with a picture.
type group struct {
	id         string
	renditions []*packager.Rendition
}

// choices returns what a player chooses from: each picture is a variant, with each
// group of sounds. What has no media is not among them.
func choices(w *packager.Window) (pictures []*packager.Rendition, sounds []group) {
	for _, set := range w.Sets() {
		for _, r := range set.Renditions {
			if !r.Media() {
				continue
			}
			if set.Kind() == remux.Video {
				pictures = append(pictures, r)
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
func appendVariant(b []byte, r *packager.Rendition, sounds group, ranges bool, captions string) []byte {
	peak, average, codecs := 0, 0, r.Newest().Track.Codecs
	for _, s := range sounds.renditions {
		peak, average = max(peak, s.Peak), max(average, s.Average)
		if c := s.Newest().Track.Codecs; !slices.Contains(strings.Split(codecs, ","), c) {
			codecs += "," + c
		}
	}
	peak, average = peak+r.Peak, average+r.Average
	b = fmt.Appendf(b, "#EXT-X-STREAM-INF:BANDWIDTH=%d,AVERAGE-BANDWIDTH=%d,CODECS=%q", max(peak, 1), max(average, 1), codecs)
	if p := r.Newest().Track.Picture; p.Width > 0 {
		b = fmt.Appendf(b, ",RESOLUTION=%dx%d", p.Width, p.Height)
		if r.FrameRate.Den > 0 {
			b = fmt.Appendf(b, ",FRAME-RATE=%.3f", float64(r.FrameRate.Num)/float64(r.FrameRate.Den))
		}
		if ranges {
			b = fmt.Appendf(b, ",VIDEO-RANGE=%v", rangeOf(r))
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
