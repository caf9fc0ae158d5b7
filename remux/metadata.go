package remux

import (
	"cmp"
	"strconv"
	"strings"

	"github.com/sluice-live/sluice/ingest/amf"
)

// metadata is what onMetaData says of the tracks. Little else in it is needed, and
// little can be trusted.
type metadata struct {
	tracks map[trackKey]description
}

// trackKey is a track as encoders number it.
type trackKey struct {
	kind   Kind
	number uint8
}

// description is what is said of a track. What isn't said is zero.
type description struct {
	bitrate        int // bit/s
	frameRate      int // per 1000 s
	name, language string
}

// read takes the body of a script tag. The first track of a kind, or only one, is
// described at its top; the others have objects of their own there (Enhanced RTMP v2,
// videoTrackIdInfoMap and audioTrackIdInfoMap), which may say only in what they
// differ from it.
func (m *metadata) read(body []byte) {
	values, _ := amf.Decode(body)
	if len(values) < 2 || values[0] != any("onMetaData") {
		return
	}
	top := amf.Properties(values[1])
	if m.tracks == nil {
		m.tracks = make(map[trackKey]description)
	}
	for kind, keys := range map[Kind]struct{ bitrate, tracks string }{
		Video: {"videodatarate", "videoTrackIdInfoMap"},
		Audio: {"audiodatarate", "audioTrackIdInfoMap"},
	} {
		first := description{bitrate: thousand(top, keys.bitrate), frameRate: thousand(top, "framerate")}
		m.say(trackKey{kind, 0}, first)
		each, _ := top.Get(keys.tracks)
		for _, p := range amf.Properties(each) {
			number, err := strconv.ParseUint(p.Name, 10, 8)
			if err != nil {
				continue
			}
			o := amf.Properties(p.Value)
			m.say(trackKey{kind, uint8(number)}, description{
				bitrate:   cmp.Or(thousand(o, keys.bitrate), first.bitrate),
				frameRate: cmp.Or(thousand(o, "framerate"), first.frameRate),
				name:      name(cmp.Or(o.String("name"), o.String("title"))),
				language:  language(cmp.Or(o.String("language"), o.String("lang"))),
			})
		}
	}
}

// say takes what is said of a track. Encoders say again what has changed, and not all of it:
// what isn't said stays as it was.
func (m *metadata) say(k trackKey, d description) {
	old := m.tracks[k]
	m.tracks[k] = description{
		bitrate:   cmp.Or(d.bitrate, old.bitrate),
		frameRate: cmp.Or(d.frameRate, old.frameRate),
		name:      cmp.Or(d.name, old.name),
		language:  cmp.Or(d.language, old.language),
	}
}

// thousand is a thousand times a number; 0 where there is none that makes sense.
func thousand(o amf.Object, key string) int {
	n, _ := o.Number(key)
	if n > 0 && n < 1e6 { // false for NaN
		return int(n * 1000)
	}
	return 0
}

// name is what viewers choose a track by: one line, not too long.
func name(s string) string {
	const most = 40 // letters
	s = strings.Join(strings.Fields(strings.ToValidUTF8(s, "")), " ")
	if letters := []rune(s); len(letters) > most {
		s = string(letters[:most])
	}
	return s
}

// language is a tag as RFC 5646 has them, empty where s is none.
func language(s string) string {
	const most = 35 // letters (section 4.4.1)
	if len(s) < 2 || len(s) > most {
		return ""
	}
	for part := range strings.SplitSeq(s, "-") {
		if len(part) == 0 || len(part) > 8 || strings.Trim(part, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") != "" {
			return ""
		}
	}
	return s
}
