package main

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/sluice-live/sluice/ingest/flv"
)

// rewrite lets change make the tags of a short recording anew, one for one. It
// returns nil for a tag that stays as it is.
func rewrite(tags []flv.Tag, change func(frame) *flv.Tag) []flv.Tag {
	var out []flv.Tag
	for _, tag := range tags {
		if tag.Timestamp >= short {
			continue
		}
		if f, ok := parse(tag); ok {
			if t := change(f); t != nil {
				tag = *t
			}
		}
		out = append(out, tag)
	}
	return out
}

func ptr(t flv.Tag) *flv.Tag { return &t }

// byFourCC has no composition time where it is zero, as Enhanced RTMP may.
func byFourCC(f frame) *flv.Tag {
	if f.video && f.packet == coded && string(f.composition) == "\x00\x00\x00" {
		return ptr(f.tag([]byte{f.first(codedNoCTS)}, []byte(f.fourCC), f.data))
	}
	return ptr(f.plain())
}

// legacyVideo is AVC's old layout with another number.
func legacyVideo(id byte) func(frame) *flv.Tag {
	return func(f frame) *flv.Tag {
		if !f.video || f.packet > end {
			return nil
		}
		return ptr(f.tag([]byte{f.key<<4 | id, f.packet}, f.composition, f.data))
	}
}

// legacyOpus is AAC's old layout with sound format 13.
func legacyOpus(f frame) *flv.Tag {
	if f.fourCC != "Opus" || f.packet > coded {
		return nil
	}
	return ptr(f.tag([]byte{13<<4 | 15, f.packet}, f.data))
}

func mp3At8kHz(f frame) *flv.Tag {
	if f.fourCC != ".mp3" {
		return nil
	}
	return ptr(f.tag([]byte{14<<4 | 14}, f.data))
}

// vp6 has the frames of another old codec under VP6's number.
func vp6(tags []flv.Tag) []flv.Tag {
	tags = rewrite(tags, func(frame) *flv.Tag { return nil })
	for i, tag := range tags {
		if tag.Type == flv.TagVideo {
			tags[i].Body = append([]byte{tag.Body[0]&0xF0 | 4}, tag.Body[1:]...)
		}
	}
	return tags
}

func renamed(from, to string) func(frame) *flv.Tag {
	return func(f frame) *flv.Tag {
		if f.fourCC != from || f.packet > codedNoCTS {
			return nil
		}
		return ptr(f.tag([]byte{f.first(f.packet)}, []byte(to), f.body()))
	}
}

// wholeFLACHeader is the header as the text of Enhanced RTMP has it: with "fLaC"
// and the header of the metadata block in front.
func wholeFLACHeader(f frame) *flv.Tag {
	if f.fourCC != "fLaC" || f.packet != config {
		return nil
	}
	f.data = slices.Concat([]byte("fLaC\x80\x00\x00\x22"), f.data[len(f.data)-34:])
	return ptr(f.plain())
}

// bareVP9Record is the record without the version and flags of its box.
func bareVP9Record(f frame) *flv.Tag {
	if f.fourCC != "vp09" || f.packet != config {
		return nil
	}
	f.data = f.data[4:]
	return ptr(f.plain())
}

// bareAV1Record has no sequence header: the one in the first keyframe must do.
func bareAV1Record(f frame) *flv.Tag {
	if f.fourCC != "av01" || f.packet != config {
		return nil
	}
	f.data = f.data[:4]
	return ptr(f.plain())
}

// noOpusHeader leaves the channels to the MultichannelConfig behind it.
func noOpusHeader(f frame) *flv.Tag {
	if f.fourCC != "Opus" || f.packet != config {
		return nil
	}
	f.data = nil
	return ptr(f.plain())
}

// hevcInBand moves the parameter sets from the record into the keyframe.
func hevcInBand(tags []flv.Tag) []flv.Tag {
	var sets []byte // with lengths
	return rewrite(tags, func(f frame) *flv.Tag {
		switch {
		case f.fourCC != "hvc1":
			return nil
		case f.packet == config:
			record := f.data
			for arrays, at := record[22], 23; arrays > 0; arrays-- {
				n := binary.BigEndian.Uint16(record[at+1:])
				at += 3
				for ; n > 0; n-- {
					size := int(binary.BigEndian.Uint16(record[at:]))
					sets = append(binary.BigEndian.AppendUint32(sets, uint32(size)), record[at+2:at+2+size]...)
					at += 2 + size
				}
			}
			f.data = append(slices.Clone(record[:22]), 0)
		case f.packet == coded && f.key == 1:
			f.data = slices.Concat(sets, f.data)
		}
		return ptr(f.plain())
	})
}

// colourInfo has HDR metadata in a packet of its own, twice: the second is {},
// which takes the first back.
func colourInfo(tags []flv.Tag) []flv.Tag {
	info := object(
		"colorConfig", object("bitDepth", 10.0, "colorPrimaries", 9.0, "transferCharacteristics", 16.0, "matrixCoefficients", 9.0),
		"hdrCll", object("maxFall", 400.0, "maxCLL", 1000.0),
		"hdrMdcv", object("redX", 0.68, "redY", 0.32, "greenX", 0.265, "greenY", 0.69, "blueX", 0.15, "blueY", 0.06,
			"whitePointX", 0.3127, "whitePointY", 0.329, "maxLuminance", 1000.0, "minLuminance", 0.0001),
	)
	var out []flv.Tag
	for _, tag := range rewrite(tags, func(f frame) *flv.Tag { return nil }) {
		f, ok := parse(tag)
		if ok && f.video && f.packet == 4 {
			continue // the encoder's own
		}
		out = append(out, tag)
		if !ok || !f.video {
			continue
		}
		metadata := frame{timestamp: f.timestamp, video: true, key: 5, packet: 4, fourCC: f.fourCC}
		switch {
		case f.packet == config:
			metadata.data = slices.Concat(amfString("colorInfo"), info)
		case f.timestamp >= 400 && f.timestamp < 433:
			metadata.data = slices.Concat(amfString("colorInfo"), object())
		default:
			continue
		}
		out = append(out, metadata.plain())
	}
	return out
}

// modEx is 120 frames a second, whose times have nanoseconds; each tenth has a
// modifier of tomorrow in front, which is long.
func modEx(tags []flv.Tag) []flv.Tag {
	n := 0
	var out []flv.Tag
	for _, tag := range tags {
		f, ok := parse(tag)
		if !ok || !f.video {
			if tag.Timestamp < 600 {
				out = append(out, tag)
			}
			continue
		}
		if f.packet != coded {
			out = append(out, f.plain())
			continue
		}
		at := n * 1_000_000_000 / 120
		f.timestamp = uint32(at / 1_000_000)
		nanos := at % 1_000_000
		body := []byte{f.first(modExType)}
		if n%10 == 9 {
			const size = 300
			body = append(body, 255, (size-1)>>8, (size-1)&255)
			body = append(body, make([]byte, size)...)
			body = append(body, 5<<4|modExType)
		}
		body = append(body, 3-1, byte(nanos>>16), byte(nanos>>8), byte(nanos), 0<<4|f.packet)
		out = append(out, f.tag(body, []byte(f.fourCC), f.body()))
		n++
	}
	slices.SortStableFunc(out, func(a, b flv.Tag) int { return int(a.Timestamp) - int(b.Timestamp) })
	return out
}

// together puts packets of several tracks into one message, where they have the
// type, the time and the frame type in common. The later track comes first.
func together(tags []flv.Tag, how byte) []flv.Tag {
	var out []flv.Tag
	waiting := make(map[string]frame)
	for _, tag := range tags {
		if tag.Timestamp >= short {
			continue
		}
		f, ok := parse(tag)
		if !ok {
			out = append(out, tag)
			continue
		}
		about := fmt.Sprint(f.video, f.packet, f.timestamp, f.key)
		if how == manyTracks {
			about += f.fourCC
		}
		other, both := waiting[about]
		if !both {
			if f.track == 0 && slices.ContainsFunc(tags, func(t flv.Tag) bool {
				g, ok := parse(t)
				return ok && g.video == f.video && g.packet == f.packet && g.timestamp == f.timestamp && g.key == f.key && g.track != f.track && (how == manyCodecs || g.fourCC == f.fourCC)
			}) {
				waiting[about] = f
				continue
			}
			if f.track == 0 {
				out = append(out, f.plain())
			} else {
				out = append(out, f.multi(oneTrack, f))
			}
			continue
		}
		delete(waiting, about)
		out = append(out, f.multi(how, f, other))
	}
	return out
}

// comeAndGo: the second picture ends in the middle, and says so; the second sound
// begins there, with a configuration, and has track 7.
func comeAndGo(tags []flv.Tag) []flv.Tag {
	const middle = 400
	var out []flv.Tag
	var late *frame
	for _, tag := range tags {
		f, ok := parse(tag)
		switch {
		case tag.Timestamp >= short:
			continue
		case !ok || f.track == 0:
			out = append(out, tag)
		case f.video && f.timestamp < middle:
			out = append(out, tag)
		case f.video && f.timestamp < middle+33:
			f.packet, f.data = end, nil
			out = append(out, f.multi(oneTrack, f))
		case !f.video:
			f.track = 7
			if f.packet == config {
				late = &f
			} else if f.packet == coded && f.timestamp >= middle {
				if late != nil {
					late.timestamp = f.timestamp
					out = append(out, late.multi(oneTrack, *late))
					late = nil
				}
				out = append(out, f.multi(oneTrack, f))
			}
		}
	}
	return out
}

// named has metadata that says what the tracks are.
func named(tags []flv.Tag) []flv.Tag {
	var out []flv.Tag
	for _, tag := range tags {
		if tag.Timestamp >= short {
			continue
		}
		if tag.Type == flv.TagScript {
			tag.Body = slices.Concat(amfString("onMetaData"), object(
				"width", 320.0, "height", 180.0, "framerate", 30.0, "videocodecid", "avc1", "audiocodecid", "mp4a",
				"audioTrackIdInfoMap", object(
					"0", object("title", "Main", "language", "en"),
					"1", object("title", "Kommentar", "language", "de", "channels", 1.0, "samplerate", 48000.0)),
				"videoTrackIdInfoMap", object("1", object("width", 160.0, "height", 90.0)),
			))
		}
		out = append(out, tag)
	}
	return out
}

// withVP8 has VP8's frames in the place of another picture's.
func withVP8(tags []flv.Tag, frames [][]byte) []flv.Tag {
	n := 0
	return slices.DeleteFunc(rewrite(tags, func(f frame) *flv.Tag {
		switch {
		case !f.video || f.packet > coded:
			return nil
		case f.packet == config:
			// version 1, profile 0, level 1, 8 bits 4:2:0, BT.709
			f.data = []byte{1, 0, 0, 0, 0, 10, 8<<4 | 1<<1, 1, 1, 1, 0, 0}
		default:
			f.data = frames[n]
			f.key = 1 + f.data[0]&1 // RFC 6386, 9.1: bit 0 is 0 in a keyframe
			n++
		}
		f.fourCC = "vp08"
		return ptr(f.plain())
	}), func(tag flv.Tag) bool { // what was said of VP9's colours
		f, ok := parse(tag)
		return ok && f.video && f.packet > coded
	})
}
