package cmaf

import (
	"bytes"
	"testing"

	"github.com/Eyevinn/mp4ff/mp4"

	"github.com/sluice-live/sluice/remux"
)

// entry is the sample entry of a track as another reader sees it.
func entry(t *testing.T, c remux.Codec) (*mp4.File, *mp4.VisualSampleEntryBox) {
	t.Helper()
	b, err := Header(remux.TrackOf(c), 2_000_000, 1_000_000)
	if err != nil {
		t.Fatal(err)
	}
	f, err := mp4.DecodeFile(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	e, ok := f.Init.Moov.Trak.Mdia.Minf.Stbl.Stsd.Children[0].(*mp4.VisualSampleEntryBox)
	if !ok {
		t.Fatalf("%T", f.Init.Moov.Trak.Mdia.Minf.Stbl.Stsd.Children[0])
	}
	return f, e
}

// TestAV1Header: mp4ff finds in the header what the sequence header says.
func TestAV1Header(t *testing.T) {
	c := &remux.AV1{ // by libsvtav1
		Sequence: []byte{0x0A, 0x0D, 0x00, 0x00, 0x00, 0x03, 0x2C, 0x1F, 0xCF, 0xBF, 0x95, 0x09, 0x10, 0x09, 0x04},
		BitDepth: 10, SubX: 1, SubY: 1,
		Picture: remux.Picture{Width: 66, Height: 64, Colour: &remux.ColourCodes{Primaries: 9, Transfer: 16, Matrix: 9}},
	}
	f, e := entry(t, c)
	if e.Type() != "av01" || e.Av1C == nil || e.Width != 66 || e.Height != 64 || e.Btrt == nil {
		t.Fatalf("%s: %+v", e.Type(), e)
	}
	seq, err := e.Av1C.SequenceHeader()
	if err != nil || seq.Width() != 66 || seq.Height() != 64 || seq.CodecString("av01") != c.String() {
		t.Errorf("%+v, %v", seq, err)
	}
	if got := e.Av1C.CodecString("av01"); !bytes.HasPrefix([]byte(c.String()), []byte(got)) {
		t.Errorf("the record says %s, the playlists %s", got, c)
	}
	if brands := f.Init.Ftyp.CompatibleBrands(); brands[len(brands)-1] != "av01" {
		t.Errorf("brands %v", brands)
	}
}
