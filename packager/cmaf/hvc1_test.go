package cmaf

import (
	"bytes"
	"encoding/hex"
	"testing"

	"github.com/Eyevinn/mp4ff/hevc"

	"github.com/sluice-live/sluice/remux"
)

// TestHVC1Header: mp4ff finds in the header of HEVC what the parameter sets say, and the
// sets themselves, with nothing left to come in band.
func TestHVC1Header(t *testing.T) {
	set := func(s string) [][]byte {
		b, err := hex.DecodeString(s)
		if err != nil {
			t.Fatal(err)
		}
		return [][]byte{b}
	}
	c := &remux.H265{
		VPS:     set("40010c01ffff02200000030090000003000003003c959409"),
		SPS:     set("42010102200000030090000003000003003ca00a080c1f3b6595952930bc05a848804820000003002000000303c1"),
		PPS:     append(set("4401c073c189"), set("44014073c189")...),
		General: [12]byte{0x22, 0x20, 0, 0, 0, 0x90, 0, 0, 0, 0, 0x01, 60}, SubLayers: 2, Nested: true, Segmentation: 3,
		ChromaFormat: 1, BitDepth: [2]uint8{10, 9},
		Picture: remux.Picture{
			Width: 320, Height: 180, SAR: [2]uint32{4, 3}, Colour: &remux.ColourCodes{Primaries: 9, Transfer: 16, Matrix: 9},
			Mastering: &remux.Mastering{
				Primaries: [3][2]uint16{{13250, 34500}, {7500, 3000}, {34000, 16000}}, WhitePoint: [2]uint16{15635, 16450},
				MaxLuminance: 10_000_000, MinLuminance: 1,
			},
			Light: &remux.Light{MaxCLL: 1000, MaxFALL: 400},
		},
	}
	_, e := entry(t, c)
	r := e.HvcC
	if e.Type() != "hvc1" || r == nil || e.Width != 320 || e.Height != 180 {
		t.Fatalf("%s: %+v", e.Type(), e)
	}
	if r.GeneralProfileSpace != 0 || !r.GeneralTierFlag || r.GeneralProfileIDC != 2 || r.GeneralProfileCompatibilityFlags != 0x20000000 ||
		r.GeneralConstraintIndicatorFlags != 0x900000000001 || r.GeneralLevelIDC != 60 || r.MinSpatialSegmentationIDC != 3 ||
		r.ChromaFormatIDC != 1 || r.BitDepthLumaMinus8 != 2 || r.BitDepthChromaMinus8 != 1 || r.NumTemporalLayers != 2 || r.TemporalIDNested != 1 {
		t.Errorf("%+v", r)
	}
	for i, want := range [][][]byte{c.VPS, c.SPS, c.PPS} {
		a := r.NaluArrays[i]
		if a.NaluType() != hevc.NALU_VPS+hevc.NaluType(i) || a.Complete() != 1 || !bytes.Equal(bytes.Join(a.Nalus, nil), bytes.Join(want, nil)) {
			t.Errorf("array %d: %v, %d, %x", i, a.NaluType(), a.Complete(), a.Nalus)
		}
	}
	if m := e.Mdcv; m == nil || m.DisplayPrimariesX != [3]uint16{13250, 7500, 34000} || m.DisplayPrimariesY != [3]uint16{34500, 3000, 16000} ||
		m.WhitePointX != 15635 || m.WhitePointY != 16450 || m.MaxDisplayMasteringLuminance != 10_000_000 || m.MinDisplayMasteringLuminance != 1 {
		t.Errorf("mdcv %+v", m)
	}
	if l := e.Clli; l == nil || l.MaxContentLightLevel != 1000 || l.MaxPicAverageLightLevel != 400 {
		t.Errorf("clli %+v", l)
	}
	if e.Pasp == nil || e.Pasp.HSpacing != 4 || e.Pasp.VSpacing != 3 || e.Btrt == nil {
		t.Errorf("pasp %+v, btrt %+v", e.Pasp, e.Btrt)
	}
}
