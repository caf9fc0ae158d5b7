package cmaf

import (
	"testing"

	"github.com/sluice-live/sluice/remux"
)

// TestVPXHeader: mp4ff finds in the header of VP9 and VP8 what the key frame says.
func TestVPXHeader(t *testing.T) {
	for _, name := range []string{"vp09", "vp08"} {
		_, e := entry(t, &remux.VPX{Name: name, Profile: 2, Level: 31, BitDepth: 10, Chroma: 1,
			Picture: remux.Picture{Width: 1280, Height: 720, Colour: &remux.ColourCodes{Primaries: 9, Transfer: 18, Matrix: 9, FullRange: true}}})
		v := e.VppC
		if e.Type() != name || v == nil || e.Width != 1280 || e.Height != 720 {
			t.Fatalf("%s: %+v", e.Type(), e)
		}
		if v.Version != 1 || v.Profile != 2 || v.Level != 31 || v.BitDepth != 10 || v.ChromaSubsampling != 1 ||
			v.ColourPrimaries != 9 || v.TransferCharacteristics != 18 || v.MatrixCoefficients != 9 || v.VideoFullRangeFlag != 1 {
			t.Errorf("%s: %+v", name, v)
		}
		_, e = entry(t, &remux.VPX{Name: name, Level: 10, BitDepth: 8, Picture: remux.Picture{Width: 64, Height: 36}})
		if v := e.VppC; v.ColourPrimaries != 2 || v.TransferCharacteristics != 2 || v.MatrixCoefficients != 2 {
			t.Errorf("%s without colours: %+v", name, v)
		}
	}
}
