package remux

import (
	"fmt"
	"strings"
	"testing"

	"github.com/sluice-live/sluice/ingest/amf"
	"github.com/sluice-live/sluice/ingest/flv"
)

// colorInfo is what an encoder says of the colours of HDR10, and of HLG.
func colorInfo(transfer float64) []byte {
	return amf.Append(nil, "colorInfo", amf.Object{
		{Name: "colorConfig", Value: amf.Object{
			{Name: "bitDepth", Value: 10.0}, {Name: "colorPrimaries", Value: 9.0},
			{Name: "transferCharacteristics", Value: transfer}, {Name: "matrixCoefficients", Value: 9.0},
		}},
		{Name: "hdrCll", Value: amf.Object{{Name: "maxFall", Value: 400.0}, {Name: "maxCLL", Value: 1000.0}}},
		{Name: "hdrMdcv", Value: amf.Object{
			{Name: "redX", Value: 0.708}, {Name: "redY", Value: 0.292}, {Name: "greenX", Value: 0.17}, {Name: "greenY", Value: 0.797},
			{Name: "blueX", Value: 0.131}, {Name: "blueY", Value: 0.046}, {Name: "whitePointX", Value: 0.3127}, {Name: "whitePointY", Value: 0.329},
			{Name: "maxLuminance", Value: 1000.0}, {Name: "minLuminance", Value: 0.005},
		}},
	})
}

func (p *Picture) colours() string {
	var all []string
	if c := p.Colour; c != nil {
		all = append(all, fmt.Sprint(*c))
	}
	if m := p.Mastering; m != nil {
		all = append(all, fmt.Sprint(*m))
	}
	if l := p.Light; l != nil {
		all = append(all, fmt.Sprint(*l))
	}
	return strings.Join(all, " ")
}

// TestColour: what the encoder says of colours counts more than what the bitstream
// does, and begins a period where it changes in mid-stream.
func TestColour(t *testing.T) {
	const hdr10 = "{9 16 9 false} {[[8500 39850] [6550 2300] [35400 14600]] [15635 16450] 10000000 50} {1000 400}"
	f := newFeed(t)
	say := func(ts uint32, body []byte) {
		f.tag(flv.TagVideo, ts, append([]byte{0x80 | 5<<4 | 4}, "avc1"...), body)
	}
	gop := func(ts uint32) {
		f.key(ts)
		for i := range uint32(24) {
			f.inter(ts + 40*(i+1))
		}
	}
	say(0, colorInfo(16)) // before the configuration, as ffmpeg does
	f.configs()
	gop(0)
	say(1000, colorInfo(16)) // the same again
	gop(1000)
	say(2000, colorInfo(18))
	gop(2000)
	say(3000, amf.Append(nil, "colorInfo", amf.Object{}))
	gop(3000)
	say(4000, amf.Append(nil, "weather", amf.Object{}))
	say(4000, amf.Append(nil, "colorInfo"))
	say(4000, []byte{2, 0})
	gop(4000)
	f.r.Close(nil)
	var got []string
	for _, p := range f.out.periods {
		got = append(got, fmt.Sprintf("%v %s", p[0].Picture.Range(), p[0].Picture.colours()))
	}
	plain := strings.TrimSpace("SDR " + f.out.periods[len(f.out.periods)-1][0].Picture.colours())
	want := []string{"PQ " + hdr10, "HLG " + strings.Replace(hdr10, "16", "18", 1), plain}
	if strings.TrimSpace(strings.Join(got, ", ")) != strings.Join(want, ", ") || strings.Contains(plain, "10000000") {
		t.Errorf("periods of %q, want %q", got, want)
	}
	for i, p := range f.out.periods[1:] {
		if p[0].Same(f.out.periods[i][0]) {
			t.Errorf("period %d has the same header", i+1)
		}
	}
}

// What an encoder can't mean is not said.
func TestColourBounds(t *testing.T) {
	for name, info := range map[string]amf.Object{
		"nothing":      {},
		"negative":     {{Name: "colorConfig", Value: amf.Object{{Name: "colorPrimaries", Value: -9.0}}}},
		"too large":    {{Name: "colorConfig", Value: amf.Object{{Name: "colorPrimaries", Value: 256.0}}}},
		"no object":    {{Name: "colorConfig", Value: 3.0}, {Name: "hdrCll", Value: "x"}, {Name: "hdrMdcv", Value: amf.Null{}}},
		"undefined":    {{Name: "colorConfig", Value: amf.Undefined{}}},
		"no luminance": {{Name: "hdrMdcv", Value: amf.Object{{Name: "redX", Value: 0.7}}}},
	} {
		if c := colourOf(info); c != (colour{}) {
			t.Errorf("%s: %+v", name, c)
		}
	}
}

// Each code that the encoder doesn't say is the bitstream's.
func TestColourInPart(t *testing.T) {
	for _, c := range []struct {
		said       string
		code       float64
		vui, wants *ColourCodes
	}{
		{"transferCharacteristics", 16, nil, &ColourCodes{2, 16, 2, false}},
		{"transferCharacteristics", 16, &ColourCodes{9, 1, 9, true}, &ColourCodes{9, 16, 9, true}},
		{"matrixCoefficients", 9, &ColourCodes{9, 16, 9, false}, &ColourCodes{9, 16, 9, false}}, // ffmpeg 9 with x265's transfer=smpte2084
		{"transferCharacteristics", 2, &ColourCodes{9, 16, 9, false}, &ColourCodes{9, 16, 9, false}},
		{"transferCharacteristics", 2, nil, nil},
	} {
		info := colourOf(amf.Object{{Name: "colorConfig", Value: amf.Object{{Name: c.said, Value: c.code}}}})
		p := Picture{Colour: c.vui}
		if info.tell(&p); !sameValue(p.Colour, c.wants) {
			t.Errorf("%s %v beside %v is %v, not %v", c.said, c.code, c.vui, p.Colour, c.wants)
		}
	}
}
