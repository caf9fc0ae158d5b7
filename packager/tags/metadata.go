package tags

import (
	"strconv"

	"github.com/sluice-live/sluice/ingest/amf"
	"github.com/sluice-live/sluice/ingest/flv"
	"github.com/sluice-live/sluice/packager"
)

// metadata is the body of the script tag that tells readers what comes (FLV annex
// E.5). Tracks that are not the first of their kind are in maps by their numbers
// (Enhanced RTMP v2, "Enhancing onMetaData").
func metadata(tracks []*track) []byte {
	var all amf.ECMAArray
	more := make([]amf.Object, 2) // by kind
	for _, t := range tracks {
		if t.header == nil {
			continue
		}
		facts := t.facts()
		if t.framing.TrackID == 0 {
			all = append(all, facts...)
			continue
		}
		more[t.kind] = append(more[t.kind], amf.Property{Name: strconv.Itoa(int(t.framing.TrackID)), Value: facts})
	}
	for kind, name := range []string{flv.Video: "videoTrackIdInfoMap", flv.Audio: "audioTrackIdInfoMap"} {
		if len(more[kind]) > 0 {
			all = append(all, amf.Property{Name: name, Value: more[kind]})
		}
	}
	return amf.Append(nil, "onMetaData", all)
}

// facts are what metadata says of a track.
func (t *track) facts() (o amf.Object) {
	number := func(name string, v float64) {
		if v > 0 {
			o = append(o, amf.Property{Name: name, Value: v})
		}
	}
	kbit := float64(t.bitrate) / 1000
	if t.kind == flv.Video {
		p := t.header.Track.Picture
		number("width", float64(p.Width))
		number("height", float64(p.Height))
		number("framerate", t.frameRate)
		number("videodatarate", kbit)
		number("videocodecid", codecID(t.framing.FourCC))
		return o
	}
	s := t.header.Track.Sound
	number("audiosamplerate", float64(s.SampleRate))
	number("audiosamplesize", 16)
	number("audiochannels", float64(s.Channels))
	o = append(o, amf.Property{Name: "stereo", Value: s.Channels > 1})
	number("audiodatarate", kbit)
	number("audiocodecid", codecID(t.framing.FourCC))
	if language := t.header.Track.Language; language != "" {
		o = append(o, amf.Property{Name: "language", Value: language})
	}
	return o
}

// codecID is the number of a codec in metadata: an old one, or its FourCC.
func codecID(c flv.FourCC) float64 {
	switch c {
	case flv.AVC1:
		return 7
	case flv.MP4A:
		return 10
	case flv.MP3:
		return 2
	}
	return float64(c)
}

// frameRate is how many pictures of a rendition come in a second, 0 where that isn't
// known.
func frameRate(r *packager.Rendition, h *packager.Header) float64 {
	for _, rate := range [...]struct{ Num, Den uint32 }{r.FrameRate, h.Track.Picture.FrameRate} {
		if rate.Den > 0 {
			return float64(rate.Num) / float64(rate.Den)
		}
	}
	return 0
}
