package remux

import (
	"testing"

	"github.com/bluenviron/mediacommon/v2/pkg/codecs/h264"
)

// FuzzSPS reads any SPS beside somebody else's reader: what both take, both take
// for the same picture.
func FuzzSPS(f *testing.F) {
	f.Add([]byte(mainSPS))
	f.Add([]byte(highSPS))
	f.Add(high(3, 6, 6))
	f.Add(baseline(20, 20, 4, 1, 2, 3, 4))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) < 4 || b[0]&0x1F != nalSPS {
			return
		}
		plain := unescape(b)
		s, err := parseSPS(plain)
		if err != nil {
			return
		}
		if s.cut {
			again, err := parseSPS(unescape(withoutVUI(plain, s.vuiAt, 0)))
			if err != nil {
				t.Fatal(err)
			}
			w, h := again.size()
			if w0, h0 := s.size(); w != w0 || h != h0 || again.cut || again.vui != (vui{}) {
				t.Fatalf("without VUI %+v is %+v", s, again)
			}
			return
		}
		var o h264.SPS
		if o.Unmarshal(b) != nil {
			return
		}
		w, h := s.size() // of one colour, the other one crops nothing
		if s.chroma > 0 && !s.separate && w > 0 && h > 0 && (w != o.Width() || h != o.Height()) {
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
