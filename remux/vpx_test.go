package remux

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/sluice-live/sluice/ingest/flv"
)

// vpxFiles are streams of encoders, with the records that ffmpeg sends with them.
var vpxFiles = []struct {
	name           string
	codec          flv.FourCC
	record         string
	string, bare   string // with the record, and without
	picture        string
	keys           []int
	colourOfRecord bool
}{
	{name: "vp9", codec: flv.VP09, record: "01000000 00 0a 82 02 02 02 0000", string: "vp09.00.10.08", picture: "64×36", keys: []int{0, 20}},
	{name: "vp9-pq", codec: flv.VP09, record: "01000000 02 0a a2 09 10 09 0000", string: "vp09.02.10.10.01.09.16.09.00", bare: "vp09.02.10.10.01.02.02.09.00", picture: "32×18 {9 16 9 false}", keys: []int{0, 3}, colourOfRecord: true},
	{name: "vp9-444", codec: flv.VP09, record: "01 0a 86 02 02 02 0000", string: "vp09.01.10.08.03.02.02.02.00", picture: "32×18", keys: []int{0}},
	{name: "vp9-rgb", codec: flv.VP09, record: "01 0a 87 02 02 00 0000", string: "vp09.01.10.08.03.02.02.00.01", picture: "32×18 {2 2 0 true}", keys: []int{0}},
	{name: "vp8", codec: flv.VP08, record: "00 1f 82 02 02 02 0000", string: "vp08.00.31.08", bare: "vp08.00.10.08", picture: "32×18", keys: []int{0, 3, 6}},
}

// TestVPX: streams of encoders come through byte by byte, hidden frames in superframes
// among them, with and without a configuration in front.
func TestVPX(t *testing.T) {
	for _, c := range vpxFiles {
		frames := ivfFrames(t, c.name+".ivf")
		for _, record := range [][]byte{unhex(c.record), nil} {
			f := newFeed(t)
			f.film(c.codec, record, frames)
			told := strings.Join(f.notes, ", ")
			if len(f.out.periods) != 1 || (told == errVP8.text) != (c.codec == flv.VP08) || told != "" && c.codec == flv.VP09 {
				t.Fatalf("%s: %d periods, %q", c.name, len(f.out.periods), f.notes)
			}
			want := c.string
			if record == nil && c.bare != "" {
				want = c.bare
			}
			track := f.out.periods[0][0]
			if track.Codecs != want {
				t.Errorf("%s: %s and not %s", c.name, track.Codecs, want)
			}
			if got := describe(track.Picture); got != c.picture && (record != nil || !c.colourOfRecord) {
				t.Errorf("%s: %s", c.name, got)
			}
			if keys := f.out.pictures(); !slices.Equal(keys, c.keys) {
				t.Errorf("%s: keyframes are %v", c.name, keys)
			}
			if !slices.EqualFunc(f.out.frames, frames, bytes.Equal) {
				t.Errorf("%s: frames don't come as they are", c.name)
			}
		}
	}
	hidden := 0
	for _, frame := range ivfFrames(t, "vp9.ivf") {
		if frame[len(frame)-1]&0xE0 == 0xC0 {
			hidden++
		}
	}
	if hidden == 0 {
		t.Error("no superframe was tried")
	}
}

// TestVPXChange: another picture in band begins a period, and so does a record that says
// something else.
func TestVPXChange(t *testing.T) {
	big, small := ivfFrames(t, "vp9.ivf"), ivfFrames(t, "vp9-pq.ivf")
	f := newFeed(t)
	f.film(flv.VP09, nil, slices.Concat(big, small, small))
	var sizes []int
	for _, p := range f.out.periods {
		sizes = append(sizes, p[0].Picture.Width)
	}
	if !slices.Equal(sizes, []int{64, 32}) {
		t.Errorf("periods of widths %v", sizes)
	}

	f = newFeed(t)
	f.audioConfig(stereo48)
	records := []string{"00 0a 82 02 02 02 0000", "01000000 00 0a 82 02 02 02 0000", "00 1f 82 02 02 02 0000", "00 1f 82 02 02 02 0000"}
	for i, record := range records {
		at := uint32(400 * i)
		f.enhanced(flv.VP09, flv.PacketConfig, true, at, unhex(record))
		for k, frame := range big[:10] {
			f.now = f.now.Add(40e6)
			f.sound(at + uint32(40*k))
			f.enhanced(flv.VP09, flv.PacketFrame, k == 0, at+uint32(40*k), frame)
			f.sound(at + uint32(40*k+20))
		}
	}
	f.r.Close(nil)
	if len(f.out.periods) != 2 || f.out.periods[1][0].Codecs != "vp09.00.31.08" || len(f.out.frames) != 40 {
		t.Errorf("with records: %d periods of %d frames", len(f.out.periods), len(f.out.frames))
	}
}

// TestVPXHostile: what can't be used is told in words.
func TestVPXHostile(t *testing.T) {
	for _, c := range []struct {
		name          string
		codec         flv.FourCC
		record, frame string
		note          string
	}{
		{"a short record", flv.VP09, "01000000", "", "cut short"},
		{"no frame marker", flv.VP09, "", "02498342", "frame marker"},
		{"no sync code", flv.VP09, "", "82000000", "sync code"},
		{"a key frame that ends early", flv.VP09, "", "8249834200", "cut short"},
		{"a picture that is too large", flv.VP09, "", "82498342 0f fff ffff 0 0000", "too large"},
		{"VP8 of version 4", flv.VP08, "", "09", "version 4"},
		{"VP8 without a start code", flv.VP08, "", "1000009d012b2000 1200", "start code"},
		{"VP8 without a size", flv.VP08, "", "1000009d012a0000 1200", "0 × 18"},
	} {
		f := newFeed(t)
		if c.record != "" {
			f.enhanced(c.codec, flv.PacketConfig, true, 0, unhex(c.record))
		}
		if c.frame != "" {
			name := map[flv.FourCC]string{flv.VP09: "vp9.ivf", flv.VP08: "vp8.ivf"}[c.codec]
			f.film(c.codec, nil, append(ivfFrames(t, name)[:2:2], unhex(c.frame)))
		}
		if notes := strings.Join(f.notes, ", "); !strings.Contains(notes, c.note) {
			t.Errorf("%s: it is said %q", c.name, notes)
		}
	}
	var left []string
	f := newFeed(t)
	f.r.hooks.LeaveOut = func(l []string) { left = l }
	f.film(flv.VP09, nil, ivfFrames(t, "vp9-440.ivf"))
	if len(left) != 1 || !strings.Contains(left[0], "4:2:0") {
		t.Errorf("4:4:0: %q", left)
	}
}

// TestVPLevel: a level that exists is taken, and else the one for the size.
func TestVPLevel(t *testing.T) {
	for _, c := range []struct {
		stated        uint8
		width, height int
		want          uint8
	}{
		{31, 64, 64, 31}, {0, 64, 64, 10}, {99, 640, 360, 30}, {0, 1280, 720, 40}, {0, 1920, 1080, 41},
		{0, 3840, 2160, 51}, {0, 7680, 4320, 61}, {0, 16384, 16384, 62}, {0, 2000, 16, 30},
	} {
		if got := vpLevel(c.stated, c.width, c.height); got != c.want {
			t.Errorf("%d × %d: level %d and not %d", c.width, c.height, got, c.want)
		}
	}
}

// TestWebFramesAllocateNothing: a frame between two keyframes costs no memory.
func TestWebFramesAllocateNothing(t *testing.T) {
	for name, newCodec := range map[string]func() bitstream{"av1-aom.ivf": newAV1Units, "vp9.ivf": newVP9, "vp8.ivf": newVP8} {
		frames, bits := ivfFrames(t, name), newCodec()
		bits.peek(frames[0])
		if n := testing.AllocsPerRun(100, func() { bits.next(frames[1], false) }); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}
