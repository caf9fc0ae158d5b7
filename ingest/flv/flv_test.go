package flv_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/sluice-live/sluice/ingest/flv"
)

// unhex reads hex text; spaces are for the eye.
func unhex(s string) []byte {
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		panic(err)
	}
	return b
}

var bodies = []struct {
	name, body string
	kind       flv.TagType
	want       flv.Packet
	err        string // of the error, "" for none
}{
	{"keyframe", "17 01 000000 65 88", flv.TagVideo, flv.Packet{Kind: flv.Video, FourCC: flv.AVC1, Type: flv.PacketFrame, Keyframe: true, Data: unhex("65 88")}, ""},
	{"inter frame", "27 01 000050 41", flv.TagVideo, flv.Packet{Kind: flv.Video, FourCC: flv.AVC1, Type: flv.PacketFrame, Composition: 80, Data: unhex("41")}, ""},
	{"generated keyframe", "47 01 000000 65", flv.TagVideo, flv.Packet{Kind: flv.Video, FourCC: flv.AVC1, Type: flv.PacketFrame, Keyframe: true, Data: unhex("65")}, ""},
	{"configuration", "17 00 000000 01 64", flv.TagVideo, flv.Packet{Kind: flv.Video, FourCC: flv.AVC1, Keyframe: true, Data: unhex("01 64")}, ""},
	{"end of sequence", "17 02 000000", flv.TagVideo, flv.Packet{Kind: flv.Video, FourCC: flv.AVC1, Type: flv.PacketEnd, Keyframe: true, Data: []byte{}}, ""},
	{"composition time −1", "27 01 ffffff 41", flv.TagVideo, flv.Packet{Kind: flv.Video, FourCC: flv.AVC1, Type: flv.PacketFrame, Composition: -1, Data: unhex("41")}, ""},
	{"composition time −2^23", "27 01 800000 41", flv.TagVideo, flv.Packet{Kind: flv.Video, FourCC: flv.AVC1, Type: flv.PacketFrame, Composition: -1 << 23, Data: unhex("41")}, ""},
	{"composition time 2^23−1", "27 01 7fffff 41", flv.TagVideo, flv.Packet{Kind: flv.Video, FourCC: flv.AVC1, Type: flv.PacketFrame, Composition: 1<<23 - 1, Data: unhex("41")}, ""},
	{"packet type of tomorrow", "27 07 000000 41", flv.TagVideo, flv.Packet{}, ""},
	{"nothing", "", flv.TagVideo, flv.Packet{}, "empty tag"},
	{"one byte", "17", flv.TagVideo, flv.Packet{}, "tag ends inside its header"},
	{"four bytes", "17 01 0000", flv.TagVideo, flv.Packet{}, "tag ends inside its header"},
	{"frame without data", "17 01 000000", flv.TagVideo, flv.Packet{}, "empty tag"},
	{"configuration without data", "17 00 000000", flv.TagVideo, flv.Packet{}, "empty tag"},
	{"seek command", "57 00", flv.TagVideo, flv.Packet{}, "empty tag"},
	{"seek command of one byte", "50", flv.TagVideo, flv.Packet{}, "empty tag"},
	{"HEVC by FourCC", "90 68766331 01", flv.TagVideo, flv.Packet{Kind: flv.Video, FourCC: flv.HVC1, Keyframe: true, Data: unhex("01")}, ""},
	{"HEVC frame", "a1 68766331 000021 0001", flv.TagVideo, flv.Packet{Kind: flv.Video, FourCC: flv.HVC1, Type: flv.PacketFrame, Composition: 33, Data: unhex("0001")}, ""},
	{"HEVC frame, shown before", "a1 68766331 ffffff 0001", flv.TagVideo, flv.Packet{Kind: flv.Video, FourCC: flv.HVC1, Type: flv.PacketFrame, Composition: -1, Data: unhex("0001")}, ""},
	{"HEVC frame without composition time", "93 68766331 0001", flv.TagVideo, flv.Packet{Kind: flv.Video, FourCC: flv.HVC1, Type: flv.PacketFrame, Keyframe: true, Data: unhex("0001")}, ""},
	{"HEVC frame cut short", "91 68766331 0001", flv.TagVideo, flv.Packet{}, "tag ends inside its header"},
	{"AV1 frame", "91 61763031 0a0b", flv.TagVideo, flv.Packet{Kind: flv.Video, FourCC: flv.AV01, Type: flv.PacketFrame, Keyframe: true, Data: unhex("0a0b")}, ""},
	{"AV1 end", "a2 61763031", flv.TagVideo, flv.Packet{Kind: flv.Video, FourCC: flv.AV01, Type: flv.PacketEnd, Data: []byte{}}, ""},
	{"AV1 configuration without data", "90 61763031", flv.TagVideo, flv.Packet{}, "empty tag"},
	{"colour", "d4 68766331 0200", flv.TagVideo, flv.Packet{Kind: flv.Video, FourCC: flv.HVC1, Type: flv.PacketColour, Data: unhex("0200")}, ""},
	{"colour of another track", "d6 04 68766331 01 0200", flv.TagVideo, flv.Packet{Kind: flv.Video, TrackID: 1, FourCC: flv.HVC1, Type: flv.PacketColour, Data: unhex("0200")}, ""},
	{"command of another track", "d6 01 68766331 01 0200", flv.TagVideo, flv.Packet{}, "empty tag"},
	{"configuration as in MPEG-2 TS", "95 61763031 80", flv.TagVideo, flv.Packet{}, ""},
	{"packet type of tomorrow, enhanced", "9e 68766331 01", flv.TagVideo, flv.Packet{}, ""},
	{"seek command, enhanced", "d1 00", flv.TagVideo, flv.Packet{}, "empty tag"},
	{"nanoseconds", "97 02 061a80 01 61763031 0a", flv.TagVideo, flv.Packet{Kind: flv.Video, FourCC: flv.AV01, Type: flv.PacketFrame, Keyframe: true, Nanos: 400_000, Data: unhex("0a")}, ""},
	{"too many nanoseconds", "97 02 ffffff 01 61763031 0a", flv.TagVideo, flv.Packet{Kind: flv.Video, FourCC: flv.AV01, Type: flv.PacketFrame, Keyframe: true, Nanos: 777_215, Data: unhex("0a")}, ""},
	{"two modifiers, one of tomorrow", "97 00 ee 57 02 000001 01 61763031 0a", flv.TagVideo, flv.Packet{Kind: flv.Video, FourCC: flv.AV01, Type: flv.PacketFrame, Keyframe: true, Nanos: 1, Data: unhex("0a")}, ""},
	{"modifier cut short", "97 02 061a", flv.TagVideo, flv.Packet{}, "tag ends inside its header"},
	{"long modifier cut short", "97 ff ffff 00", flv.TagVideo, flv.Packet{}, "tag ends inside its header"},
	{"one track", "96 01 61763031 07 0a", flv.TagVideo, flv.Packet{Kind: flv.Video, FourCC: flv.AV01, Type: flv.PacketFrame, TrackID: 7, Keyframe: true, Data: unhex("0a")}, ""},
	{"no track", "96", flv.TagVideo, flv.Packet{}, "tag ends inside its header"},
	{"one track without a number", "96 01 61763031", flv.TagVideo, flv.Packet{}, "tag ends inside its header"},
	{"tracks in a track", "96 06 61763031 01 00", flv.TagVideo, flv.Packet{}, ""},
	{"layout of tomorrow", "96 31 61763031 01 00", flv.TagVideo, flv.Packet{}, ""},
	{"a track that says too much", "96 11 61763031 01 000002 0a", flv.TagVideo, flv.Packet{}, "tag ends inside its header"},
	{"FourCC cut short", "90 6876", flv.TagVideo, flv.Packet{}, "tag ends inside its header"},
	{"FourCC of sound", "90 6d703461 1190", flv.TagVideo, flv.Packet{}, `video by FourCC "mp4a" is not supported`},
	{"FourCC of tomorrow", "91 61766332 00", flv.TagVideo, flv.Packet{Kind: flv.Video, FourCC: 0x61766332, Type: flv.PacketFrame, Keyframe: true, Data: unhex("00")}, ""},
	{"DJI's garbage", "ff ffffffff ff", flv.TagVideo, flv.Packet{}, `video by FourCC "\xff\xff\xff\xff" is not supported`},
	{"more of it", "f1 ffffffff ffffff", flv.TagVideo, flv.Packet{}, `video by FourCC "\xff\xff\xff\xff" is not supported`},
	{"VP6", "14 00", flv.TagVideo, flv.Packet{}, "video codec VP6 is not supported"},
	{"HEVC by codec id", "1c 01 000021 26", flv.TagVideo, flv.Packet{Kind: flv.Video, FourCC: flv.HVC1, Type: flv.PacketFrame, Keyframe: true, Composition: 33, Data: unhex("26")}, ""},
	{"AV1 by codec id", "2d 01 000000 0a", flv.TagVideo, flv.Packet{Kind: flv.Video, FourCC: flv.AV01, Type: flv.PacketFrame, Data: unhex("0a")}, ""},
	{"codec id 15", "1f", flv.TagVideo, flv.Packet{}, "video codec 15 is not supported"},
	{"frame", "af 01 21 10", flv.TagAudio, flv.Packet{Kind: flv.Audio, FourCC: flv.MP4A, Type: flv.PacketFrame, Data: unhex("21 10")}, ""},
	{"configuration", "af 00 11 90", flv.TagAudio, flv.Packet{Kind: flv.Audio, FourCC: flv.MP4A, Data: unhex("11 90")}, ""},
	{"rate, size and type mean nothing", "a0 01 21", flv.TagAudio, flv.Packet{Kind: flv.Audio, FourCC: flv.MP4A, Type: flv.PacketFrame, Data: unhex("21")}, ""},
	{"nothing", "", flv.TagAudio, flv.Packet{}, "empty tag"},
	{"one byte", "af", flv.TagAudio, flv.Packet{}, "tag ends inside its header"},
	{"frame without data", "af 01", flv.TagAudio, flv.Packet{}, "empty tag"},
	{"configuration without data", "af 00", flv.TagAudio, flv.Packet{}, "empty tag"},
	{"MP3", "2f ff fb", flv.TagAudio, flv.Packet{Kind: flv.Audio, FourCC: flv.MP3, Type: flv.PacketFrame, Data: unhex("ff fb")}, ""},
	{"MP3 at 8 kHz", "ef ff fb", flv.TagAudio, flv.Packet{Kind: flv.Audio, FourCC: flv.MP3, Type: flv.PacketFrame, Data: unhex("ff fb")}, ""},
	{"MP3 without data", "2f", flv.TagAudio, flv.Packet{}, "empty tag"},
	{"Opus by number", "d1 01 fc", flv.TagAudio, flv.Packet{Kind: flv.Audio, FourCC: flv.Opus, Type: flv.PacketFrame, Data: unhex("fc")}, ""},
	{"Speex", "b2 00", flv.TagAudio, flv.Packet{}, "audio format Speex is not supported"},
	{"µ-law", "82 00", flv.TagAudio, flv.Packet{}, "audio format G.711 µ-law is not supported"},
	{"DJI's format 15", "ff", flv.TagAudio, flv.Packet{}, "audio format 15 is not supported"},
	{"Opus by FourCC", "90 4f707573", flv.TagAudio, flv.Packet{Kind: flv.Audio, FourCC: flv.Opus, Data: []byte{}}, ""},
	{"Opus frame", "91 4f707573 fc", flv.TagAudio, flv.Packet{Kind: flv.Audio, FourCC: flv.Opus, Type: flv.PacketFrame, Data: unhex("fc")}, ""},
	{"silence", "91 4f707573", flv.TagAudio, flv.Packet{}, "empty tag"},
	{"AAC by FourCC", "90 6d703461 1190", flv.TagAudio, flv.Packet{Kind: flv.Audio, FourCC: flv.MP4A, Data: unhex("1190")}, ""},
	{"AAC configuration without data, by FourCC", "90 6d703461", flv.TagAudio, flv.Packet{}, "empty tag"},
	{"channels", "94 4f707573 01 02 00000003", flv.TagAudio, flv.Packet{Kind: flv.Audio, FourCC: flv.Opus, Type: flv.PacketChannels, Data: unhex("010200000003")}, ""},
	{"one track", "95 01 6d703461 02 21", flv.TagAudio, flv.Packet{Kind: flv.Audio, FourCC: flv.MP4A, Type: flv.PacketFrame, TrackID: 2, Data: unhex("21")}, ""},
	{"nanoseconds", "97 02 00000a 01 4f707573 fc", flv.TagAudio, flv.Packet{Kind: flv.Audio, FourCC: flv.Opus, Type: flv.PacketFrame, Nanos: 10, Data: unhex("fc")}, ""},
	{"FourCC missing", "90", flv.TagAudio, flv.Packet{}, "tag ends inside its header"},
	{"FourCC of a picture", "91 61763031 00", flv.TagAudio, flv.Packet{}, `audio by FourCC "av01" is not supported`},
	{"script", "02 0001 78", flv.TagScript, flv.Packet{Type: flv.PacketMetadata, Data: unhex("02 0001 78")}, ""},
	{"empty script", "", flv.TagScript, flv.Packet{Type: flv.PacketMetadata}, ""},
	{"tag type 3", "17 01 000000 65", 3, flv.Packet{}, ""},
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// packet is the only packet of a tag.
func packet(tag flv.Tag) (p flv.Packet, n int, err error) {
	for p, err = range flv.Packets(tag) {
		n++
	}
	return p, n, err
}

func TestPackets(t *testing.T) {
	for _, c := range bodies {
		got, n, err := packet(flv.Tag{Type: c.kind, Timestamp: 7, Body: unhex(c.body)})
		c.want.Timestamp = got.Timestamp
		if text(err) != c.err || err == nil && fmt.Sprint(got) != fmt.Sprint(c.want) || n > 1 {
			t.Errorf("%s: %v, %v; want %v, %q", c.name, got, err, c.want, c.err)
		}
		if n == 1 && got.Timestamp != 7 {
			t.Errorf("%s: at %d", c.name, got.Timestamp)
		}
		if err != nil && (got.Kind == flv.Video) != (c.kind == flv.TagVideo) {
			t.Errorf("%s: what can't be read is said to be %v", c.name, got.Kind)
		}
		checkType(t, err)
	}
}

// A tag may carry several tracks, of one codec or of many.
func TestPacketsOfTracks(t *testing.T) {
	for _, c := range []struct {
		name, body string
		kind       flv.TagType
		want       string
	}{
		{"one codec", "96 11 68766331 00 000005 000021 aabb 03 000004 000000 cc", flv.TagVideo, "video 0 hvc1 +33 aabb, video 3 hvc1 +0 cc"},
		{"many codecs", "96 21 68766331 00 000004 000021 aa 61763031 01 000001 bb", flv.TagVideo, "video 0 hvc1 +33 aa, video 1 av01 +0 bb"},
		{"one is empty", "96 11 61763031 00 000000 01 000001 bb", flv.TagVideo, "empty tag, video 1 av01 +0 bb"},
		{"one of a codec that can't be", "96 21 6d703461 00 000001 aa 61763031 01 000001 bb", flv.TagVideo, "video by FourCC \"mp4a\" is not supported, video 1 av01 +0 bb"},
		{"the second is cut short", "96 11 61763031 00 000001 aa 01 000002 bb", flv.TagVideo, "video 0 av01 +0 aa, tag ends inside its header"},
		{"the second has no size", "96 11 61763031 00 000001 aa 01", flv.TagVideo, "video 0 av01 +0 aa, tag ends inside its header"},
		{"sounds", "95 21 4f707573 01 000001 aa 664c6143 00 000001 bb", flv.TagAudio, "audio 1 Opus +0 aa, audio 0 fLaC +0 bb"},
	} {
		var got []string
		for p, err := range flv.Packets(flv.Tag{Type: c.kind, Body: unhex(c.body)}) {
			if err != nil {
				got = append(got, err.Error())
				continue
			}
			got = append(got, fmt.Sprintf("%v %d %v +%d %x", p.Kind, p.TrackID, p.FourCC, p.Composition, p.Data))
		}
		if s := strings.Join(got, ", "); s != c.want {
			t.Errorf("%s: %s; want %s", c.name, s, c.want)
		}
	}
}

// A tag is parsed with no allocation.
func TestPacketsAllocate(t *testing.T) {
	tag := flv.Tag{Type: flv.TagVideo, Body: unhex("17 01 000000 65 88")}
	sum := 0
	if n := testing.AllocsPerRun(100, func() {
		for p, err := range flv.Packets(tag) {
			if err == nil {
				sum += len(p.Data)
			}
		}
	}); n != 0 || sum == 0 {
		t.Errorf("%v allocations", n)
	}
}

// checkType finds an error that a caller couldn't tell from others.
func checkType(t *testing.T, err error) {
	t.Helper()
	var unsupported *flv.UnsupportedError
	if err != nil && !errors.Is(err, flv.ErrEmpty) && !errors.Is(err, flv.ErrShort) && !errors.As(err, &unsupported) {
		t.Errorf("untyped error %v", err)
	}
}

// Tags as they are inside an aggregate message: two of audio, one of video.
const (
	tagA = "08 000002 0003e8 00 000000 af01 0000000d"
	tagB = "08 000002 0003ff 00 000000 af02 0000000d"
	tagV = "09 000001 000000 01 000000 17 0000000c" // timestamp 0x01000000
)

var aggregates = []struct {
	name, body string
	timestamp  uint32
	want       string
	err        string
}{
	{"nothing", "", 5, "", ""},
	{"its own timestamp", tagA + tagB, 1000, "audio 1000 af01, audio 1023 af02", ""},
	{"rebased forward", tagA + tagB, 5000, "audio 5000 af01, audio 5023 af02", ""},
	{"rebased back", tagA + tagB, 0, "audio 0 af01, audio 23 af02", ""},
	{"rebased over 2^32", tagA + tagB, 1<<32 - 10, "audio 4294967286 af01, audio 13 af02", ""},
	{"fourth byte of the timestamp", tagV + tagV, 0x01000000, "video 16777216 17, video 16777216 17", ""},
	{"body of no bytes", "08 000000 000000 00 000000 0000000b", 7, "audio 7 ", ""},
	{"without the last back pointer", tagA + tagB[:len(tagB)-9], 1000, "audio 1000 af01, audio 1023 af02", ""},
	{"back pointer of two bytes", tagA[:len(tagA)-4], 1000, "audio 1000 af01", ""},
	{"back pointer is wrong", "08 000002 0003e8 00 000000 af01 ffffffff" + tagB, 1000, "audio 1000 af01, audio 1023 af02", ""},
	{"header cut short", tagA + "08 0000", 1000, "audio 1000 af01", "aggregate message: short tag header"},
	{"body cut short", tagA + "08 000002 0003e8 00 000000 af", 1000, "audio 1000 af01", "aggregate message: a tag of 2 bytes where 1 are left"},
	{"filter flag", strings.Replace(tagA, "08", "28", 1), 1000, "audio 1000 af01", ""},
	{"unknown type", strings.Replace(tagA, "08", "07", 1), 1000, "tag type 7 1000 af01", ""},
}

func TestSplitAggregate(t *testing.T) {
	for _, c := range aggregates {
		var got []string
		err := flv.SplitAggregate(unhex(c.body), c.timestamp, func(tag flv.Tag) error {
			got = append(got, fmt.Sprintf("%v %d %x", tag.Type, tag.Timestamp, tag.Body))
			return nil
		})
		if s := strings.Join(got, ", "); s != c.want || text(err) != c.err {
			t.Errorf("%s: %s, %v; want %s, %q", c.name, s, err, c.want, c.err)
		}
	}
	stop := errors.New("enough")
	calls := 0
	err := flv.SplitAggregate(unhex(tagA+tagB), 0, func(flv.Tag) error { calls++; return stop })
	if err != stop || calls != 1 {
		t.Errorf("an error of yield: %d calls, %v", calls, err)
	}
}

func clip(t testing.TB) []byte {
	b, err := os.ReadFile("../../cmd/sluice/clip.flv")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// readTags returns a line for each tag, and the error at the end.
func readTags(r io.Reader) (tags []string, err error) {
	reader, err := flv.NewReader(r)
	if err != nil {
		return nil, err
	}
	for {
		tag, err := reader.ReadTag()
		if err != nil {
			return tags, err
		}
		tags = append(tags, fmt.Sprintf("%v %d %d", tag.Type, tag.Timestamp, len(tag.Body)))
	}
}

func TestReader(t *testing.T) {
	b := clip(t)
	tags, err := readTags(bytes.NewReader(b))
	if err != io.EOF || len(tags) < 100 {
		t.Fatalf("%d tags, then %v", len(tags), err)
	}
	// The file's sum: its header, and 15 bytes around each body.
	size := 13
	kinds := map[string]int{}
	for _, tag := range tags {
		var kind string
		var timestamp, n int
		fmt.Sscan(tag, &kind, &timestamp, &n)
		size += 15 + n
		kinds[kind]++
	}
	if size != len(b) || kinds["video"] == 0 || kinds["audio"] == 0 || kinds["script"] == 0 {
		t.Errorf("%v make %d of %d bytes", kinds, size, len(b))
	}
	slow, err := readTags(iotest.HalfReader(bytes.NewReader(b)))
	if err != io.EOF || strings.Join(slow, "\n") != strings.Join(tags, "\n") {
		t.Errorf("read in halves: %d tags of %d, then %v", len(slow), len(tags), err)
	}
}

// A file that is cut anywhere but between two tags doesn't look whole.
func TestReaderPrefixes(t *testing.T) {
	b := clip(t)[:5000]
	borders := map[int]bool{13: true}
	for k := 13; k+11 < len(b); {
		k += 15 + int(b[k+1])<<16 + int(b[k+2])<<8 + int(b[k+3])
		borders[k] = true
	}
	for k := range b {
		_, err := readTags(bytes.NewReader(b[:k]))
		if clean := err == io.EOF; clean != borders[k] || !clean && k > 0 && !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%d bytes end with %v", k, err)
		}
	}
	for name, header := range map[string]string{
		"version 2": "464c56 02 05 00000009 00000000",
		"MP4":       "00000018 66747970 6d703432 00000000",
	} {
		if _, err := flv.NewReader(bytes.NewReader(unhex(header))); text(err) != "not an FLV file" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzTag holds the parsers of bodies to: no panic, typed errors, no copies.
func FuzzTag(f *testing.F) {
	for _, c := range bodies {
		f.Add(unhex(c.body), uint32(0))
	}
	for _, c := range aggregates {
		f.Add(unhex(c.body), c.timestamp)
	}
	for _, path := range recordings(f) {
		n := 0
		tagsOf(f, path, func(tag flv.Tag) {
			if n++; n <= 12 {
				f.Add(bytes.Clone(tag.Body), tag.Timestamp)
			}
		})
	}
	f.Fuzz(func(t *testing.T, body []byte, timestamp uint32) {
		for _, kind := range []flv.TagType{flv.TagVideo, flv.TagAudio, flv.TagScript} {
			p, n, err := packet(flv.Tag{Type: kind, Body: body})
			checkType(t, err)
			if legacy := len(body) > 0 && body[0] < 0x80; err == nil && n == 1 && kind == flv.TagVideo && legacy && len(p.Data) != len(body)-5 {
				t.Errorf("video data of %d bytes out of %d", len(p.Data), len(body))
			}
			if most := len(body)/4 + 1; n > most || p.Nanos >= 1e6 {
				t.Errorf("%d packets out of %d bytes, %d ns", n, len(body), p.Nanos)
			}
			checkInside(t, body, p.Data)
		}

		total, first := 0, true
		flv.SplitAggregate(body, timestamp, func(tag flv.Tag) error {
			if first && tag.Timestamp != timestamp {
				t.Errorf("the first tag is at %d, the message at %d", tag.Timestamp, timestamp)
			}
			first = false
			total += 11 + len(tag.Body)
			checkInside(t, body, tag.Body)
			return nil
		})
		if total > len(body) {
			t.Errorf("tags of %d bytes in a message of %d", total, len(body))
		}
	})
}

// checkInside is an error unless part lies in whole's memory.
func checkInside(t *testing.T, whole, part []byte) {
	t.Helper()
	if len(part) == 0 {
		return
	}
	for i := range whole {
		if &whole[i] == &part[0] {
			if i+len(part) > len(whole) {
				t.Error("data reaches beyond the body")
			}
			return
		}
	}
	t.Error("data is a copy")
}
