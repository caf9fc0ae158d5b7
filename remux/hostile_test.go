package remux

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluice-live/sluice/ingest/flv"
)

// spsBits writes a parameter set by hand.
type spsBits struct {
	b []byte
	n int // bits
}

func (w *spsBits) bit(v uint64) *spsBits {
	if w.n%8 == 0 {
		w.b = append(w.b, 0)
	}
	w.b[w.n/8] |= byte(v&1) << (7 - w.n%8)
	w.n++
	return w
}

// ue writes an unsigned Exp-Golomb number (H.264, section 9.1).
func (w *spsBits) ue(values ...uint64) *spsBits {
	for _, v := range values {
		v++
		size := 0
		for v>>size > 1 {
			size++
		}
		for range size {
			w.bit(0)
		}
		for i := size; i >= 0; i-- {
			w.bit(v >> i)
		}
	}
	return w
}

// end adds the stop bit and the bytes that keep start codes out.
func (w *spsBits) end(head ...byte) []byte {
	w.bit(1)
	out := slices.Clone(head)
	zeros := 0
	for _, b := range w.b {
		if zeros == 2 && b <= 3 {
			out, zeros = append(out, 3), 0
		}
		if out = append(out, b); b == 0 {
			zeros++
		} else {
			zeros = 0
		}
	}
	return out
}

// baseline is an SPS of so many macroblocks, reference frames and pixels cut
// off on each side.
func baseline(width, height, references uint64, crop ...uint64) []byte {
	w := new(spsBits).ue(0, 0, 2, references).bit(0).ue(width-1, height-1).bit(1).bit(1)
	if len(crop) == 0 {
		return w.bit(0).bit(0).end(0x67, 0x42, 0xC0, 0x0D)
	}
	return w.bit(1).ue(crop...).bit(0).end(0x67, 0x42, 0xC0, 0x0D)
}

// high is one of the High profile, with what that adds.
func high(chroma, luma, chromaDepth uint64) []byte {
	w := new(spsBits).ue(0, chroma)
	if chroma == 3 {
		w.bit(0)
	}
	return w.ue(luma, chromaDepth).bit(0).bit(0).ue(0, 2, 4).bit(0).ue(19, 10).bit(1).bit(1).bit(0).bit(0).end(0x67, 100, 0, 0x28)
}

// hostileSPS are parameter sets that no encoder means, and what is said to them.
var hostileSPS = []struct{ name, sps, want string }{
	{"empty", "67", "without SPS"},
	{"of three bytes", "674200", "without SPS"},
	{"no size", fmt.Sprintf("%x", baseline(1, 1, 4, 4, 4, 4, 4)), "a picture of 0 × 0"},
	{"65,535²", fmt.Sprintf("%x", baseline(4096, 4096, 4)), "4096 × 4096 macroblocks"},
	{"a width of 2^32 + 16", fmt.Sprintf("%x", baseline(1<<28+1, 20, 4)), "268435457 × 20 macroblocks"},
	{"a height of 2^32 + 16", fmt.Sprintf("%x", baseline(20, 1<<28+1, 4)), "20 × 268435457 macroblocks"},
	{"the largest number", fmt.Sprintf("%x", baseline(1<<32-1, 1<<32-1, 4)), "macroblocks"},
	{"cropped by more than there is", fmt.Sprintf("%x", baseline(20, 20, 4, 100, 100, 0, 0)), "a picture of"},
	{"cropped by 2^32", fmt.Sprintf("%x", baseline(20, 20, 4, 1<<31, 1<<31, 0, 0)), "cropping of more"},
	{"17 reference frames", fmt.Sprintf("%x", baseline(20, 20, 17)), "17 reference frames"},
	{"256 offsets of reference frames", fmt.Sprintf("%x", new(spsBits).ue(0, 0, 1).bit(0).ue(0, 0, 256).end(0x67, 0x42, 0xC0, 0x0D)), "num_ref_frames_in_pic_order_cnt_cycle"},
	{"2^32−2 offsets of reference frames", fmt.Sprintf("%x", new(spsBits).ue(0, 0, 1).bit(0).ue(0, 0, 1<<32-2).end(0x67, 0x42, 0xC0, 0x0D)), "num_ref_frames_in_pic_order_cnt_cycle"},
	{"order of pictures by method 3", fmt.Sprintf("%x", new(spsBits).ue(0, 0, 3).end(0x67, 0x42, 0xC0, 0x0D)), "pic_order_cnt_type"},
	{"chroma format 4", fmt.Sprintf("%x", high(4, 0, 0)), "chroma format 4"},
	{"15 bits deep", fmt.Sprintf("%x", high(1, 7, 0)), "bit depths"},
	{"2^32 bits deep", fmt.Sprintf("%x", high(1, 0, 1<<32-2)), "bit depths"},
	{"Exp-Golomb overflow", "6742c00d" + strings.Repeat("00", 12), "H.264 SPS"},
	{"longer than any", fmt.Sprintf("%x", append(baseline(20, 20, 4), make([]byte, maxParameterSetSize)...)), "too long"},
}

func TestH264Bounds(t *testing.T) {
	for _, c := range hostileSPS {
		r, err := parseAVCConfig(record(unhex(c.sps), highPPS))
		var h *H264
		if err == nil {
			h, err = newH264(r.sps, r.pps)
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, %v; want %q", c.name, h, err, c.want)
		}
	}
	for _, good := range [][]byte{baseline(20, 20, 16), baseline(1024, 1024, 4), high(3, 6, 6)} {
		if h, err := newH264([][]byte{good}, [][]byte{highPPS}); err != nil {
			t.Errorf("%x: %v", good, err)
		} else {
			checkH264(t, h)
		}
	}
}

// F24: what can't be read is dropped and told once; the frames around it come
// out as if it hadn't been, and it costs no time.
func TestF24Media(t *testing.T) {
	const fourCC, multitrack = 0x80, 6
	frame := func(nals ...[]byte) []byte { return append([]byte{0x27, 1, 0, 0, 0}, lengths(nals...)...) }
	type bad struct {
		name string
		typ  flv.TagType
		body []byte
		want string
	}
	all := []bad{
		{"a NAL unit longer than the rest", flv.TagVideo, append([]byte{0x27, 1, 0, 0, 0}, unhex("00000009 419a02")...), "longer than the frame"},
		{"a NAL unit of 4 GB", flv.TagVideo, append([]byte{0x27, 1, 0, 0, 0}, unhex("ffffffff 419a02")...), "longer than the frame"},
		{"100,000 NAL units", flv.TagVideo, append([]byte{0x27, 1, 0, 0, 0}, bytes.Repeat(unhex("00000001 41"), 100_000)...), "longer than the frame"},
		{"100,000 start codes", flv.TagVideo, append([]byte{0x27, 1, 0, 0, 0}, bytes.Repeat(unhex("00000001 419a"), 100_000)...), "longer than the frame"},
		{"2,000,000 empty NAL units", flv.TagVideo, append([]byte{0x27, 1, 0, 0, 0}, make([]byte, 8_000_000)...), "without NAL units"},
		{"unknown FourCC", flv.TagVideo, append([]byte{fourCC | 0x11}, "abcd\x00\x01\x02"...), "FourCC"},
		{"FourCC with line breaks", flv.TagVideo, append([]byte{fourCC | 0x11}, "a\r\nb\x00\x01"...), `"a\r\nb"`},
		{"multitrack in multitrack", flv.TagVideo, append([]byte{fourCC | 0x10 | multitrack}, bytes.Repeat([]byte{0x20 | multitrack}, 10_000)...), "ends inside its header"},
		{"audio multitrack in multitrack", flv.TagAudio, append([]byte{0x90 | 5}, bytes.Repeat([]byte{0x25}, 10_000)...), "ends inside its header"},
		{"a record of version 9", flv.TagVideo, unhex("17 00 000000 0964001fff"), "version 9"},
		{"a record that ends early", flv.TagVideo, unhex("17 00 000000 0164001fffe1ffff67"), "cut short"},
		{"AAC of a 1 Hz rate", flv.TagAudio, unhex("af00 1780000090"), "sample rate"},
		{"AAC of 10 MB", flv.TagAudio, append(unhex("af00 1180"), make([]byte, 10<<20)...), "10485762 bytes"},
		{"codec 0", flv.TagVideo, unhex("10 00 000000 00"), "video codec 0"},
		{"audio format 4", flv.TagAudio, unhex("4f 00"), "Nellymoser"},
	}
	for _, c := range hostileSPS {
		all = append(all, bad{"SPS " + c.name, flv.TagVideo, frame(unhex(c.sps), highPPS, slice), ""})
	}
	for _, c := range all {
		f := newFeed(t)
		f.configs()
		f.key(0)
		f.sound(0)
		f.inter(10)
		f.out.events = nil
		began := time.Now()
		f.tag(c.typ, 20, c.body)
		if took := time.Since(began); took > time.Second { // microseconds, but for the largest
			t.Errorf("%s: %v", c.name, took)
		}
		if f.err != nil {
			t.Errorf("%s ends the stream: %v", c.name, f.err)
		}
		hidden := c.want == "" // the frame is good, and its parameter sets are not used
		if told := strings.Join(f.notes, "\n"); !hidden && (len(f.notes) != 1 || !strings.Contains(told, c.want)) {
			t.Errorf("%s: told %q, want %q", c.name, told, c.want)
		} else if len(told) > 1000 {
			t.Errorf("%s: told in %d bytes", c.name, len(told))
		}
		if f.out.events = nil; f.err == nil {
			f.inter(40)
			f.sound(43)
			if f.r.Close(nil); strings.Join(f.out.events, ", ") != "video 40, audio 43" || f.out.closed != 1 {
				t.Errorf("%s: then %q", c.name, f.out.events)
			}
		}
		for _, period := range f.out.periods {
			for _, track := range period {
				if h, ok := track.Codec.(*H264); ok {
					checkH264(t, h)
				}
			}
		}
	}
}

// F24: an encoder that sends nothing else is refused in bounded time and memory.
func TestF24NothingElse(t *testing.T) {
	f := newFeed(t)
	tags := 0
	for ts := uint32(0); f.err == nil && ts < 60_000; ts += 20 {
		f.tag(flv.TagVideo, ts, []byte{0x17, 0, 0, 0, 0}, record(baseline(4096, 4096, 4), highPPS))
		f.tag(flv.TagVideo, ts, append([]byte{0x91}, "abcd"...))
		f.now = f.now.Add(20 * time.Millisecond)
		tags++
	}
	if f.err == nil || !strings.Contains(f.err.Error(), "H.264") || tags > 600 {
		t.Errorf("after %d tags: %v", tags, f.err)
	}
	if len(f.notes) > 32 {
		t.Errorf("told %d times", len(f.notes))
	}
}
