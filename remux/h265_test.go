package remux

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/bluenviron/mediacommon/v2/pkg/codecs/h265"
)

// Parameter sets of libx265 by ffmpeg 5.1.
var (
	hevcMain = hevcSets{
		{unhex("40010c01ffff01600000030090000003000003003c959009")},
		{unhex("42010101600000030090000003000003003ca00a080c1f3e595912930bc05a020000030002000003003c10")}, // 320 × 180, 30/s
		{unhex("4401c073c189")},
	}
	hevcHD = hevcSets{
		{unhex("40010c01ffff016000000300900000030000030078959409")},
		{unhex("420101016000000300900000030000030078a003c0801107cb965654a4c2f0168080000003008000000f04")}, // 1920 × 1080, 30/s
		{unhex("4401c073c189")},
	}
	hevcPQ = hevcSets{
		{unhex("40010c01ffff02200000030090000003000003003c959409")},
		{unhex("42010102200000030090000003000003003ca00a080c1f3b6595952930bc05a848804820000003002000000303c1")},
		{unhex("4401c073c189")},
	}
	lightSEI     = unhex("4e01900403e8019080")
	masteringSEI = unhex("4e01891833c286c41d4c0bb884d03e803d13404200989680000003000180")
)

var hevcSetsOf = []struct{ name, sps, codec, want string }{
	{"main", fmt.Sprintf("%x", hevcMain[hevcSPS][0]), "hvc1.1.6.L60.90", "320×180 sar [1 1] rate 30 chroma 1 [8 8]"},
	{"cropped", fmt.Sprintf("%x", hevcHD[hevcSPS][0]), "hvc1.1.6.L120.90", "1920×1080 sar [1 1] rate 30 chroma 1 [8 8]"},
	{"main 10", "42010102200000030090000003000003003ca00a080c1f3b65ba4a4c2f016808000003000800000300f040", "hvc1.2.4.L60.90", "320×180 sar [1 1] rate 30 chroma 1 [10 10]"},
	{"PQ", fmt.Sprintf("%x", hevcPQ[hevcSPS][0]), "hvc1.2.4.L60.90", "320×180 sar [1 1] rate 30 chroma 1 [10 10] colour {9 16 9 false}"},
	{"HLG", "42010102200000030090000003000003003ca00a080c1f3b6595952930bc05a848904820000003002000000303c1", "hvc1.2.4.L60.90", "320×180 sar [1 1] rate 30 chroma 1 [10 10] colour {9 18 9 false}"},
	{"wide pixels", "42010101600000030090000003000003005aa005a200905965654a4c2f106808000003000800000300f040", "hvc1.1.6.L90.90", "720×576 sar [2 1] rate 30 chroma 1 [8 8]"},
	{"4:2:2", "4201010408000003009d0800000300003cb00a080c1f1ad965654a4c2f016808000003000800000300f040", "hvc1.4.10.L60.9D.8", "320×180 sar [1 1] rate 30 chroma 2 [10 10]"},
	{"4:4:4", "4201010408000003009e0800000300003c9001410183e372caca94985e02d010000003001000000301e080", "hvc1.4.10.L60.9E.8", "320×180 sar [1 1] rate 30 chroma 3 [8 8]"},
	{"an odd size", "42010101600000030090000003000003003ca00a080c1d446595952930bc05a020000003002000000303c1", "hvc1.1.6.L60.90", "318×178 sar [1 1] rate 30 chroma 1 [8 8]"},
	{"fields", "42010101600000030040000003000003003ca00a080c16595952930bc05a1a0000030002000003003c10", "hvc1.1.6.L60.40", "320×192 sar [1 1] rate 30 chroma 1 [8 8]"},
	{"two temporal layers, HRD", "42010201600000030090000003000003003c0000a00a080c1f3e59594aca94985e02d010000003001000000301e600c906e001e840007a12e001e840007a1220", "hvc1.1.6.L60.90", "320×180 sar [1 1] rate 30 chroma 1 [8 8]"},
	{"empty", "420101", "", "cut short"},
	{"noise", "42010101600000030090000003000003003cffffffffffff", "", "HEVC SPS"},
}

func TestH265(t *testing.T) {
	for _, c := range hevcSetsOf {
		h, err := newH265(hevcSets{hevcMain[hevcVPS], {unhex(c.sps)}, hevcMain[hevcPPS]})
		if err != nil {
			if c.codec != "" || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: %v", c.name, err)
			}
			continue
		}
		checkH265(t, h)
		got := fmt.Sprintf("%d×%d sar %v rate %v chroma %d %v", h.Width, h.Height, h.SAR, h.FrameRate.Num/max(h.FrameRate.Den, 1), h.ChromaFormat, h.BitDepth)
		if h.Colour != nil {
			got += fmt.Sprintf(" colour %v", *h.Colour)
		}
		if h.String() != c.codec || got != c.want {
			t.Errorf("%s: %v, %s; want %s, %s", c.name, h, got, c.codec, c.want)
		}
	}
}

// TestH265Name: flags that are zero at the end are left out, others have as many digits
// as they need (ISO/IEC 14496-15, section E.3).
func TestH265Name(t *testing.T) {
	for general, want := range map[string]string{
		"01 60000000 900000000000 5d": "hvc1.1.6.L93.90",
		"02 20000000 b00000000000 99": "hvc1.2.4.L153.B0",
		"22 20000000 900000000000 78": "hvc1.2.4.H120.90",
		"01 40000000 000000000000 7b": "hvc1.1.2.L123",
		"49 00400000 000c00000000 78": "hvc1.A9.200.L120.0.C",
		"c4 08000000 9d0800000001 3c": "hvc1.C4.10.L60.9D.8.0.0.0.1",
	} {
		if c := (&H265{General: [12]byte(unhex(general))}); c.String() != want {
			t.Errorf("%s is %s, not %s", general, c, want)
		}
	}
}

// TestHEVCFrameRate: where VUI says nothing of it, the VPS does.
func TestHEVCFrameRate(t *testing.T) {
	plain := unescape(hevcMain[hevcSPS][0])
	s, err := parseHEVCSPS(plain)
	if err != nil {
		t.Fatal(err)
	}
	sps := withoutVUI(plain, s.vuiAt, 1)
	vps := unescape(hevcMain[hevcVPS][0])
	r := bitReader{b: vps}
	var w bitWriter
	end := stopBit(vps) - 2 // in front of the flags of timing and of extensions
	for r.pos < end {
		w.put(r.take(1), 1)
	}
	w.put(1, 1)
	w.put(1001, 32)
	w.put(60000, 32)
	w.put(0, 2) // neither HRD nor what else is behind it
	w.put(1, 1)
	h, err := newH265(hevcSets{{escape(w.b)}, {sps}, hevcMain[hevcPPS]})
	if err != nil || h.FrameRate != (Rational{60000, 1001}) {
		t.Errorf("%+v, %v", h, err)
	}
	if h, err = newH265(hevcSets{hevcMain[hevcVPS], {sps}, hevcMain[hevcPPS]}); err != nil || h.FrameRate != (Rational{}) || h.Width != 320 {
		t.Errorf("%+v, %v", h, err)
	}
}

// hevcSPSOf is a set by hand: of a size, cropping, chroma format, depth, and what comes
// behind the sizes of blocks.
func hevcSPSOf(width, height, chroma, depth uint64, crop []uint64, rest func(w *spsBits)) []byte {
	w := new(spsBits).ue(0, chroma)
	if chroma == 3 {
		w.bit(0)
	}
	w.ue(width, height)
	if len(crop) > 0 {
		w.bit(1).ue(crop...)
	} else {
		w.bit(0)
	}
	w.ue(depth, depth, 4).bit(1).ue(4, 0, 0).ue(0, 3, 0, 3, 0, 0)
	rest(w)
	return w.end(unhex("42 01 01 01 60000000 900000000000 5d")...)
}

// plainRest is what nobody has an eye for.
func plainRest(w *spsBits) { w.bit(0).bit(0).bit(0).bit(0).ue(0).bit(0).bit(0).bit(0).bit(0).bit(0) }

var hostileHEVC = []struct {
	name string
	sps  []byte
	want string
}{
	{"no picture", hevcSPSOf(0, 0, 1, 0, nil, plainRest), "a picture of 0 × 0"},
	{"2^32 pixels", hevcSPSOf(1<<32-2, 16, 1, 0, nil, plainRest), "4294967294 × 16"},
	{"cropped by more than there is", hevcSPSOf(64, 64, 1, 0, []uint64{30, 30, 0, 0}, plainRest), "a picture of -56"},
	{"cropped by 2^31", hevcSPSOf(64, 64, 1, 0, []uint64{1 << 31, 1 << 31, 0, 0}, plainRest), "cropping of more"},
	{"chroma format 4", hevcSPSOf(64, 64, 4, 0, nil, plainRest), "chroma format"},
	{"17 bits", hevcSPSOf(64, 64, 1, 9, nil, plainRest), "bit depths"},
	{"65 reference picture sets", hevcSPSOf(64, 64, 1, 0, nil, func(w *spsBits) { w.bit(0).bit(0).bit(0).bit(0).ue(65) }), "65 reference picture sets"},
	{"2^32 reference pictures", hevcSPSOf(64, 64, 1, 0, nil, func(w *spsBits) { w.bit(0).bit(0).bit(0).bit(0).ue(1, 1<<32-2, 0) }), "reference pictures"},
	{"33 long-term reference pictures", hevcSPSOf(64, 64, 1, 0, nil, func(w *spsBits) { w.bit(0).bit(0).bit(0).bit(0).ue(0).bit(1).ue(33) }), "33 long-term"},
	{"longer than any", append(bytes.Clone(hevcMain[hevcSPS][0]), make([]byte, maxParameterSetSize)...), "too long"},
}

func TestH265Bounds(t *testing.T) {
	for _, c := range hostileHEVC {
		h, err := newH265(hevcSets{hevcMain[hevcVPS], {c.sps}, hevcMain[hevcPPS]})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, %v; want %q", c.name, h, err, c.want)
		}
	}
	sets := func(w *spsBits) { // reference picture sets, each from the one before
		w.bit(0).bit(0).bit(0).bit(0).ue(3)
		w.ue(2, 1).ue(0).bit(1).ue(0).bit(1).ue(0).bit(0)
		w.bit(1).bit(1).ue(0).bit(1).bit(0).bit(1).bit(0).bit(0).bit(1)
		w.bit(1).bit(0).ue(2).bit(1).bit(1).bit(0).bit(0)
		w.bit(1).ue(1).bit(0).bit(0).bit(0).bit(0).bit(0).bit(0).bit(0).bit(0).bit(1)
		w.bit(1).bit(0).bit(0).bit(0)
	}
	for name, good := range map[string][]byte{
		"plain":                  hevcSPSOf(64, 64, 1, 0, nil, plainRest),
		"the largest":            hevcSPSOf(maxDimension, maxDimension, 3, 7, nil, plainRest),
		"cropped":                hevcSPSOf(64, 64, 2, 0, []uint64{1, 2, 3, 4}, plainRest),
		"reference picture sets": hevcSPSOf(64, 64, 1, 0, nil, sets),
	} {
		h, err := newH265(hevcSets{hevcMain[hevcVPS], {good}, hevcMain[hevcPPS]})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		checkH265(t, h)
		var o h265.SPS
		if err := o.Unmarshal(good); err != nil || o.Width() != h.Width || o.Height() != h.Height {
			t.Errorf("%s: %d × %d, not %d × %d: %v", name, h.Width, h.Height, o.Width(), o.Height(), err)
		}
	}
}

var hevcName = regexp.MustCompile(`^hvc1\.[A-C]?\d{1,2}\.[0-9A-F]{1,8}\.[LH]\d{1,3}(\.[0-9A-F]{1,2}){0,6}$`)

// checkH265 holds a decoder to what all rooms behind this one count on.
func checkH265(t testing.TB, c *H265) {
	t.Helper()
	checkPicture(t, c.Picture)
	if c.ChromaFormat > maxChromaFormat || min(c.BitDepth[0], c.BitDepth[1]) < 8 || max(c.BitDepth[0], c.BitDepth[1]) > maxHEVCDepth {
		t.Errorf("chroma format %d, bit depths %v", c.ChromaFormat, c.BitDepth)
	}
	if c.SubLayers < 1 || c.SubLayers > maxSubLayers || c.Segmentation > 0xFFF {
		t.Errorf("%d temporal layers, segmentation %d", c.SubLayers, c.Segmentation)
	}
	if !hevcName.MatchString(c.String()) || strings.HasSuffix(c.String(), ".0") || !c.equal(c) {
		t.Errorf("%s is not a name, or unlike itself", c)
	}
	for _, list := range c.sets() {
		if len(list) == 0 || len(list) > maxParameterSets {
			t.Errorf("%d parameter sets of a kind", len(list))
		}
		for _, set := range list {
			if len(set) > maxParameterSetSize {
				t.Errorf("a parameter set of %d bytes", len(set))
			}
		}
	}
}

// FuzzHEVCSPS reads any SPS beside somebody else's reader: what both take, both take
// for the same picture.
func FuzzHEVCSPS(f *testing.F) {
	for _, c := range hevcSetsOf {
		f.Add(unhex(c.sps))
	}
	for _, c := range hostileHEVC {
		f.Add(c.sps)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) < 2 || b[0] != 0x42 || b[1] != 1 || len(b) > maxParameterSetSize {
			return
		}
		plain := unescape(b)
		s, err := parseHEVCSPS(plain)
		if err != nil {
			return
		}
		if s.cut {
			again, err := parseHEVCSPS(unescape(withoutVUI(plain, s.vuiAt, 1)))
			if err != nil || again.cut || again.vui != (vui{}) || again.width != s.width || again.general != s.general {
				t.Fatalf("without VUI %+v is %+v: %v", s, again, err)
			}
			return
		}
		if id, ok := hevcID[hevcSPS](b); ok && id != s.id {
			t.Errorf("id %d, not %d", id, s.id)
		}
		var o h265.SPS
		if o.Unmarshal(b) != nil {
			return
		}
		if w, h := s.size(); s.chroma > 0 && w > 0 && h > 0 && (w != o.Width() || h != o.Height()) { // of one colour, the other one crops nothing
			t.Errorf("%x: %d × %d, not %d × %d", b, w, h, o.Width(), o.Height())
		}
		if v := o.VUI; v != nil {
			if v.TimingInfo != nil && (v.TimingInfo.NumUnitsInTick != s.vui.tick || v.TimingInfo.TimeScale != s.vui.timescale) {
				t.Errorf("%x: %+v, not %+v", b, s.vui, v.TimingInfo)
			}
			if uint32(v.AspectRatioIdc) != s.vui.aspect || (s.vui.colour != nil) != v.ColourDescriptionPresentFlag {
				t.Errorf("%x: %+v, not %+v", b, s.vui, v)
			}
		}
	})
}
