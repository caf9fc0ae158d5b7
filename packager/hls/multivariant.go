package hls

import (
	"cmp"
	"fmt"
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
	var video, audio []*packager.Rendition
	allIndependent := true
	for i := range w.Renditions {
		r := &w.Renditions[i]
		allIndependent = allIndependent && independent(r.Segments)
		switch {
		case !r.Media():
		case r.Newest().Track.Kind() == remux.Video:
			video = append(video, r)
		default:
			audio = append(audio, r)
		}
	}
	if allIndependent {
		b = append(b, "#EXT-X-INDEPENDENT-SEGMENTS\n"...)
	}
	for i, sentence := range w.LeftOut { // for our page: others know no such name
		b = fmt.Appendf(b, "#EXT-X-SESSION-DATA:DATA-ID=\"live.sluice.left-out.%d\",VALUE=\"%s\",LANGUAGE=\"en\"\n", i+1, quotable.Replace(sentence))
	}
	if len(video) == 0 { // a variant of its own
		video, audio = audio, nil
	}
	for i, r := range audio {
		b = appendAudio(b, r, i == 0)
	}
	captions := ""
	if len(video) > 0 {
		for _, channel := range w.Captions.Channels() {
			captions = captionsGroup
			b = fmt.Appendf(b, "#EXT-X-MEDIA:TYPE=CLOSED-CAPTIONS,GROUP-ID=%q,NAME=%q,DEFAULT=NO,AUTOSELECT=YES,INSTREAM-ID=%q\n", captionsGroup, channel, channel)
		}
	}
	for _, r := range video {
		b = appendVariant(b, r, audio, captions)
	}
	return b
}

func appendAudio(b []byte, r *packager.Rendition, isDefault bool) []byte {
	choice := "NO"
	if isDefault {
		choice = "YES"
	}
	t := r.Newest().Track
	b = fmt.Appendf(b, "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=%q,NAME=\"%s\",LANGUAGE=\"%s\",DEFAULT=%s,AUTOSELECT=YES",
		audioGroup, quotable.Replace(cmp.Or(t.Name, string(r.ID))), quotable.Replace(cmp.Or(t.Language, "und")), choice)
	if n := t.Sound.Channels; n > 0 {
		b = fmt.Appendf(b, ",CHANNELS=\"%d\"", n)
	}
	return fmt.Appendf(b, ",URI=\"%s.m3u8\"\n", r.ID)
}

// appendVariant adds a rendition with the audio that goes with it.
func appendVariant(b []byte, r *packager.Rendition, audio []*packager.Rendition, captions string) []byte {
	peak, average, codecs := r.Peak, r.Average, r.Newest().Track.Codecs
	if len(audio) > 0 {
		peak += audio[0].Peak
		average += audio[0].Average
		codecs += "," + audio[0].Newest().Track.Codecs
	}
	b = fmt.Appendf(b, "#EXT-X-STREAM-INF:BANDWIDTH=%d,AVERAGE-BANDWIDTH=%d,CODECS=%q", max(peak, 1), max(average, 1), codecs)
	if p := r.Newest().Track.Picture; p.Width > 0 {
		b = fmt.Appendf(b, ",RESOLUTION=%dx%d", p.Width, p.Height)
		if r.FrameRate.Den > 0 {
			b = fmt.Appendf(b, ",FRAME-RATE=%.3f", float64(r.FrameRate.Num)/float64(r.FrameRate.Den))
		}
		if captions == "" {
			b = append(b, ",CLOSED-CAPTIONS=NONE"...)
		} else {
			b = fmt.Appendf(b, ",CLOSED-CAPTIONS=%q", captions)
		}
	}
	if len(audio) > 0 {
		b = fmt.Appendf(b, ",AUDIO=%q", audioGroup)
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
