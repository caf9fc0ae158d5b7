package remux

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/sluice-live/sluice/ingest/flv"
)

// av1Files are streams of encoders: what ffprobe and MP4's readers say of them.
var av1Files = []struct {
	name, record, codec, picture string
	keys                         []int
}{
	{"av1-svt", "81000c000a0a00000002afff9f7f2008", "av01.0.00M.08", "64×64", []int{0, 4, 8}},
	{"av1-svt-pq", "81004c000a0d000000032c1fcfbf95091009042a060103e80190802a1a02ae1451ec43d7b0a426660f5c500d54390003e8000000005280",
		"av01.0.00M.10.0.110.09.16.09.0", "66×64 {9 16 9 false} mastering {[[13250 34500] [7500 3000] [34000 16000]] [15635 16450] 10000000 50} light {1000 400}", []int{0, 2, 4}},
	{"av1-aom", "81000c000a0a0000000227e26d7c8020", "av01.0.00M.08", "32×18", []int{0, 3, 6}},
	{"av1-aom-hlg", "81004c000a0d0000000227e26d7ca848904820", "av01.0.00M.10.0.110.09.18.09.0", "32×18 {9 18 9 false}", []int{0, 3}},
	{"av1-aom-444", "812000000a092000000227e26d7c89", "av01.1.00M.08.0.000.02.02.02.1", "32×18 {2 2 2 true}", []int{0, 3}},
	{"av1-aom-mono", "81001c000a090000000227e26d7c95", "av01.0.00M.08.1.110.02.02.02.1", "32×18 {2 2 2 true}", []int{0, 3}},
	{"av1-aom-422-12", "814068000a0a4000000227e26d7cb110", "av01.2.00M.12.0.100.02.02.02.0", "32×18", []int{0, 3}},
	{"av1-rav1e", "811f0c000a0d000000f913f710850408080850", "av01.0.31M.08", "32×24 43:32", []int{0, 3}},
}

// describe is a picture in words.
func describe(p Picture) string {
	s := fmt.Sprintf("%d×%d", p.Width, p.Height)
	if p.SAR[0] > 0 {
		s += fmt.Sprintf(" %d:%d", p.SAR[0], p.SAR[1])
	}
	if p.FrameRate.Num > 0 {
		s += fmt.Sprintf(" %d/%d", p.FrameRate.Num, p.FrameRate.Den)
	}
	if p.Colour != nil {
		s += fmt.Sprintf(" %v", *p.Colour)
	}
	if p.Mastering != nil {
		s += fmt.Sprintf(" mastering %v", *p.Mastering)
	}
	if p.Light != nil {
		s += fmt.Sprintf(" light %v", *p.Light)
	}
	return s
}

// TestAV1: streams of encoders come through as MP4 has them, with and without a
// configuration in front.
func TestAV1(t *testing.T) {
	for _, c := range av1Files {
		frames := ivfFrames(t, c.name+".ivf")
		for kind, record := range map[string][]byte{"whole": unhex(c.record), "without OBUs": unhex(c.record[:8]), "none": nil} {
			f := newFeed(t)
			f.film(flv.AV01, record, frames)
			if len(f.out.periods) != 1 || len(f.notes) > 0 {
				t.Fatalf("%s, record %s: %d periods, %q", c.name, kind, len(f.out.periods), f.notes)
			}
			track := f.out.periods[0][0]
			if got := describe(track.Picture); track.Codecs != c.codec || got != c.picture {
				t.Errorf("%s, record %s: %s, %s", c.name, kind, track.Codecs, got)
			}
			if got := track.Codec.(*AV1).Sequence; !bytes.HasPrefix(unhex(c.record)[4:], got) {
				t.Errorf("%s: the sequence header is %x", c.name, got)
			}
			if keys := f.out.pictures(); !slices.Equal(keys, c.keys) {
				t.Errorf("%s, record %s: keyframes are %v", c.name, kind, keys)
			}
			for i, frame := range frames { // but for the temporal delimiter
				if !bytes.Equal(f.out.frames[i], frame[2:]) {
					t.Errorf("%s: frame %d comes as\n%x and not\n%x", c.name, i, f.out.frames[i], frame[2:])
				}
			}
		}
	}
}

// TestAV1KeyWithoutSequence: where an encoder sends the sequence header in the record
// only, players find it in each keyframe all the same, and pixels are as wide.
func TestAV1KeyWithoutSequence(t *testing.T) {
	for _, c := range av1Files {
		if c.name != "av1-aom" && c.name != "av1-rav1e" {
			continue
		}
		sequence := unhex(c.record)[4:]
		var bare [][]byte
		whole := ivfFrames(t, c.name+".ivf")
		for _, frame := range whole {
			bare = append(bare, bytes.TrimPrefix(frame[2:], sequence))
		}
		f := newFeed(t)
		f.film(flv.AV01, unhex(c.record), bare)
		if got := describe(f.out.periods[0][0].Picture); len(f.out.periods) != 1 || got != c.picture {
			t.Errorf("%s: %d periods, %s", c.name, len(f.out.periods), got)
		}
		if keys := f.out.pictures(); !slices.Equal(keys, c.keys) {
			t.Errorf("%s: keyframes are %v", c.name, keys)
		}
		for i, frame := range whole {
			if !bytes.Equal(f.out.frames[i], frame[2:]) {
				t.Errorf("%s: frame %d comes as %x", c.name, i, f.out.frames[i])
			}
		}
	}
}

// TestAV1Change: another sequence header, in a record or in band, begins a period at its
// keyframe; the same again doesn't.
func TestAV1Change(t *testing.T) {
	sdr, hlg := ivfFrames(t, "av1-aom.ivf"), ivfFrames(t, "av1-aom-hlg.ivf")
	all := slices.Concat(sdr, hlg, hlg)
	f := newFeed(t)
	f.film(flv.AV01, nil, all)
	if len(f.out.periods) != 2 || f.out.periods[1][0].Codecs != av1Files[3].codec || len(f.out.frames) != len(all) {
		t.Errorf("%d periods, %d frames", len(f.out.periods), len(f.out.frames))
	}

	f = newFeed(t)
	f.audioConfig(stereo48)
	for i, frame := range all {
		f.now = f.now.Add(40e6)
		at := uint32(40 * i)
		f.sound(at)
		switch i {
		case 0, len(sdr) - 1:
			f.enhanced(flv.AV01, flv.PacketConfig, true, at, unhex(av1Files[2].record))
		case len(sdr), len(sdr) + len(hlg):
			f.enhanced(flv.AV01, flv.PacketConfig, true, at, unhex(av1Files[3].record))
		}
		f.enhanced(flv.AV01, flv.PacketFrame, false, at, frame)
		if i == 0 {
			f.enhanced(flv.AV01, flv.PacketFrame, true, at+20, frame)
		}
	}
	f.r.Close(nil)
	if len(f.out.periods) != 2 || f.out.periods[1][0].Codecs != av1Files[3].codec {
		t.Errorf("with records: %d periods", len(f.out.periods))
	}
}

// TestTemporalUnit: what MP4 has no place for is left out, and all OBUs say how long they
// are.
func TestTemporalUnit(t *testing.T) {
	for _, c := range []struct{ name, frame, want, rest string }{
		{"as it is", "0a0101 320210aa", "0a0101 320210aa", ""},
		{"a temporal delimiter", "1200 0a0101 320210aa", "0a0101 320210aa", ""},
		{"padding behind it", "1200 0a0101 320210aa 7a020080", "0a0101 320210aa", ""},
		{"zeros behind it", "1200 0a0101 320210aa 000000", "0a0101 320210aa", ""},
		{"padding in it", "0a0101 7a0180 320210aa 7a0180 32020abb", "0a0101 320210aa 32020abb", ""},
		{"a tile list", "0a0101 4204000000ff 320210aa", "0a0101 320210aa", ""},
		{"the last without a size", "1200 0a0101 3010aabb", "0a0101 320310aabb", ""},
		{"one alone without a size", "3010aabb", "320310aabb", ""},
		{"an extension", "3608 0210aa", "36080210aa", ""},
		{"an extension without a size", "3408 10aa", "36080210aa", ""},
		{"a size of more bytes than it needs", "0a818000 01 320210aa", "0a818000 01 320210aa", ""},
		{"two units", "1200 320210aa 1200 320210bb", "320210aa", "1200 320210bb"},
		{"nothing else", "1200", "", ""},
		{"a size that is too large", "320310aa", "error: longer than the frame", ""},
		{"a size without an end", "32ffffffffffffffffff10aa", "error: longer than the frame", ""},
		{"a size of 33 bits", "32808080801010aa", "error: longer than the frame", ""},
		{"the forbidden bit", "b20210aa", "error: no OBU", ""},
		{"an extension that isn't there", "36", "error: no OBU", ""},
		{"too many", strings.Repeat("1200", maxOBUs+1), "error: too many", ""},
	} {
		frame := unhex(c.frame)
		before := bytes.Clone(frame)
		u, rest, err := new(obuReader).temporalUnit(frame)
		if want, ok := strings.CutPrefix(c.want, "error: "); ok {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v", c.name, err)
			}
			continue
		}
		if err != nil || !bytes.Equal(u.data, unhex(c.want)) || !bytes.Equal(rest, unhex(c.rest)) {
			t.Errorf("%s: %x, rest %x, %v", c.name, u.data, rest, err)
		}
		if !bytes.Equal(frame, before) {
			t.Errorf("%s: the frame was written to", c.name)
		}
	}
}

// TestAV1Join: decoding starts at key frames that are shown when they come.
func TestAV1Join(t *testing.T) {
	a := &av1Units{decoder: new(AV1)}
	for _, c := range []struct {
		name   string
		header byte
		sync   bool
	}{
		{"a key frame", 0x10, true},
		{"a forward key frame", 0x00, false},
		{"one that was sent before", 0x80, false},
		{"an inter frame", 0x30, false},
		{"intra only", 0x50, false},
		{"a switch frame", 0x70, false},
	} {
		u, _, err := a.next([]byte{0x32, 2, c.header, 0xAA}, true)
		if err != nil || u.sync != c.sync || (u.odd == errForwardKeys) != (c.name == "a forward key frame") {
			t.Errorf("%s: sync %v, %v, %v", c.name, u.sync, u.odd, err)
		}
	}
}

// TestAV1Hostile: what can't be used is told in words.
func TestAV1Hostile(t *testing.T) {
	for _, c := range []struct{ name, record, frame, note string }{
		{"a short record", "8100", "", "cut short"},
		{"a record of H.264", "0164001f ffe1", "", "marker and version"},
		{"a record of cut OBUs", "81000c00 0a20", "", "longer than the frame"},
		{"a sequence header that ends early", "81000c00 0a020000", "", "cut short"},
		{"a profile that isn't there", "81000c00 0a0ae0000002afff9f7f2008", "", "profile 7"},
		{"annex B", "", "0c 0b 0a 0a00000002afff9f7f2008", "annex B"},
		{"no frame", "", "1200 2a0101", "without a frame"},
	} {
		f := newFeed(t)
		if c.record != "" {
			f.enhanced(flv.AV01, flv.PacketConfig, true, 0, unhex(c.record))
		}
		if c.frame != "" {
			f.film(flv.AV01, unhex(av1Files[0].record), append(ivfFrames(t, "av1-svt.ivf")[:2:2], unhex(c.frame)))
		}
		if notes := strings.Join(f.notes, ", "); !strings.Contains(notes, c.note) {
			t.Errorf("%s: it is said %q", c.name, notes)
		}
	}
}

// TestAV1AspectRatio: samples are as wide as a key frame says, whatever is in front of that
// in its header.
func TestAV1AspectRatio(t *testing.T) {
	for _, c := range []struct {
		name string
		bits av1FrameBits
		put  func(*bitWriter)
		want [2]uint32
	}{
		{"nothing else", av1FrameBits{}, func(w *bitWriter) { w.put(0, 1+1) }, [2]uint32{64, 45}},
		{"a choice of tools", av1FrameBits{screenContent: true, integer: true}, func(w *bitWriter) { w.put(0b0110, 4) }, [2]uint32{64, 45}},
		{"no tools", av1FrameBits{screenContent: true, integer: true}, func(w *bitWriter) { w.put(0b000, 3) }, [2]uint32{64, 45}},
		{"forced tools", av1FrameBits{forced: true, integer: true}, func(w *bitWriter) { w.put(0b010, 3) }, [2]uint32{64, 45}},
		{"times, an id and an order", av1FrameBits{presentation: 9, removal: 7, removals: 2, id: 12, order: 5}, func(w *bitWriter) {
			w.put(0x155, 9)
			w.put(0, 1)
			w.put(0xABC, 12)
			w.put(0, 1)
			w.put(0x15, 5)
			w.put(1, 1)
			w.put(0x3FFF, 14)
		}, [2]uint32{64, 45}},
		{"another size", av1FrameBits{width: 10, height: 10}, func(w *bitWriter) {
			w.put(0b01, 2)
			w.put(511, 10)
			w.put(575, 10)
		}, [2]uint32{2, 1}},
		{"a size that is far from the sequence's", av1FrameBits{width: 10, height: 10}, func(w *bitWriter) {
			w.put(0b01, 2)
			w.put(0, 10)
			w.put(575, 10)
		}, [2]uint32{}}, // no field holds how wide the sequence's would be shown
		{"super-resolution", av1FrameBits{superres: true}, func(w *bitWriter) { w.put(0b00_1_101, 6) }, [2]uint32{64, 45}},
		{"cut short", av1FrameBits{order: 60}, func(*bitWriter) {}, [2]uint32{}},
	} {
		var w bitWriter
		w.put(0b0001, 4)
		c.put(&w)
		w.put(1, 1)
		w.put(1023, 16)
		w.put(575, 16)
		s := av1Sequence{width: 720, height: 576, frame: c.bits}
		if got := s.aspectRatio(w.b); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

// TestAV1Timing: a frame rate is taken where the encoder says that it is even.
func TestAV1Timing(t *testing.T) {
	for _, c := range []struct {
		name        string
		tick, scale uint32
		even        uint32
		want        Rational
	}{
		{"25", 1, 25, 1, Rational{25, 1}},
		{"29.97", 1001, 30000, 1, Rational{30000, 1001}},
		{"as they come", 1, 25, 0, Rational{}},
		{"too fast", 1, 90000, 1, Rational{}},
		{"never", 0, 25, 1, Rational{}},
	} {
		var w bitWriter
		w.put(0, 3+1+1) // profile, still
		w.put(1, 1)
		w.put(c.tick, 32)
		w.put(c.scale, 32)
		w.put(c.even, 1)
		if c.even == 1 {
			w.put(1, 1) // a picture lasts one tick
		}
		w.put(0, 1+1+5+12) // no decoder model, no delay, one operating point
		w.put(8, 5)
		w.put(1, 1) // high tier
		w.put(9<<4|9, 8)
		w.put(639<<10|359, 20)
		w.put(0, 1+3+4+1) // no ids, no tools, no order
		w.put(3, 2)
		w.put(0, 1)
		w.put(0, 3+1+1+1+1+2+1+1) // tools, 8 bits, colour
		w.put(1, 1)
		s, err := parseAV1Sequence(w.b)
		if err != nil || s.frameRate != c.want || s.width != 640 || s.height != 360 || s.level != 8 || s.tier != 1 {
			t.Errorf("%s: %+v, %v", c.name, s, err)
		}
	}
}

// TestCodecChange: an encoder that goes on in another codec begins a period with its first
// keyframe, and no frame is lost.
func TestCodecChange(t *testing.T) {
	av1, vp9 := ivfFrames(t, "av1-aom.ivf"), ivfFrames(t, "vp9.ivf")
	for _, record1 := range []string{av1Files[2].record, av1Files[2].record[:8]} {
		f := newFeed(t)
		at := uint32(0)
		play := func(frames int, frame func(i int)) {
			for i := range frames {
				f.now = f.now.Add(40e6)
				f.sound(at)
				frame(i)
				f.sound(at + 20)
				at += 40
			}
		}
		h264 := func(i int) {
			if i%5 == 0 {
				f.key(at)
			} else {
				f.inter(at)
			}
		}
		f.audioConfig(stereo48)
		f.videoConfig(record(highSPS, highPPS))
		play(20, h264)
		f.enhanced(flv.AV01, flv.PacketConfig, true, at, unhex(record1))
		play(len(av1), func(i int) { f.enhanced(flv.AV01, flv.PacketFrame, i == 0, at, av1[i]) })
		f.enhanced(flv.VP09, flv.PacketConfig, true, at, unhex(vpxFiles[0].record))
		play(len(vp9), func(i int) { f.enhanced(flv.VP09, flv.PacketFrame, i == 0, at, vp9[i]) })
		f.videoConfig(record(highSPS, highPPS))
		play(20, h264)
		f.r.Close(nil)
		var names []string
		for _, p := range f.out.periods {
			names = append(names, p[0].Codecs)
		}
		if got := strings.Join(names, " "); got != "avc1.640028 av01.0.00M.08 vp09.00.10.08 avc1.640028" || len(f.notes) > 0 {
			t.Errorf("periods of %s, %q", got, f.notes)
		}
		if got, want := len(f.out.frames), 20+len(av1)+len(vp9)+20; got != want {
			t.Errorf("%d frames of %d", got, want)
		}
	}
}
