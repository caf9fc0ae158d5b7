package remux

import (
	"fmt"
	"testing"
	"time"

	"github.com/sluice-live/sluice/ingest/amf"
	"github.com/sluice-live/sluice/ingest/flv"
)

// TestStatedFrameRate: keyframes are so many frames apart, as x264's note says, and
// frames last as long as they do, whatever is stated.
func TestStatedFrameRate(t *testing.T) {
	for _, c := range []struct {
		name   string
		rate   int // frames in a second, of which VUI says 29.97
		keyint int
		hiccup time.Duration // that the first frame lasts longer
		want   time.Duration
	}{
		{"as stated", 30, 60, 0, 2002 * time.Millisecond},
		{"half of it", 15, 60, 0, 4 * time.Second},
		{"double", 60, 60, 0, time.Second},
		{"film", 24, 48, 0, 2 * time.Second},
		{"as stated, but for the first", 30, 60, 70 * time.Millisecond, 2002 * time.Millisecond},
		{"very few", 2, 60, 0, 0}, // not before a second has passed
	} {
		f := newFeed(t)
		note := append([]byte{nalSEI, 5, 40}, fmt.Sprintf("x264 - options: keyint=%d keyint_min=1 ", c.keyint)...)
		f.videoConfig(record(highSPS, highPPS))
		for i := range 70 {
			at := time.Duration(i) * time.Second / time.Duration(c.rate)
			if i > 0 {
				at += c.hiccup
			}
			head, nals := byte(0x27), [][]byte{slice}
			if i == 0 {
				head, nals = 0x17, [][]byte{note, idr}
			}
			f.now = time.UnixMilli(base).Add(at)
			f.tag(flv.TagVideo, uint32(at.Milliseconds()), []byte{head, 1, 0, 0, 0}, lengths(nals...))
		}
		f.r.Close(nil)
		got := f.out.periods[0][0].KeyframeInterval
		if off := got - c.want; off > c.want/100 || off < -c.want/100 {
			t.Errorf("%s: keyframes are said to be %v apart, not %v", c.name, got, c.want)
		}
	}
}

// TestToldFrameRate: pictures of a codec that leaves the rate out of the bitstream are on
// its grid as soon as they come as the metadata says, and not where they don't.
func TestToldFrameRate(t *testing.T) {
	frames := ivfFrames(t, "av1-aom.ivf")
	for _, c := range []struct {
		told float64
		even bool
		want Rational
	}{
		{29.97, true, Rational{30000, 1001}},
		{30000.0 / 1001, true, Rational{30000, 1001}},
		{0, false, Rational{}},
		{25, false, Rational{25000, 1000}},
		{5000, false, Rational{}},
	} {
		f := newFeed(t)
		f.tag(flv.TagScript, 0, amf.Append(nil, "onMetaData", amf.ECMAArray{{Name: "framerate", Value: c.told}}))
		for i := range 120 {
			at := uint32(i * 1001 / 30)
			f.now = time.UnixMilli(base + int64(at))
			f.enhanced(flv.AV01, flv.PacketFrame, i%len(frames) == 0, at, frames[i%len(frames)])
		}
		f.r.Close(nil)
		if got := f.out.periods[0][0].Picture.FrameRate; got != c.want {
			t.Errorf("%v: a rate of %v", c.told, got)
		}
		even := true
		for i := 20; i < 120; i++ {
			even = even && f.out.samples[i].DTS-f.out.samples[i-1].DTS == 3003
		}
		if even != c.even {
			t.Errorf("%v: frames are even: %v", c.told, even)
		}
	}
}

// What was measured is a little off: the rate is the one that encoders have.
func TestUsualRate(t *testing.T) {
	for _, c := range []struct {
		measured float64
		want     Rational
	}{
		{29.97, Rational{30000, 1001}}, {30.01, Rational{30, 1}}, {24.976, Rational{25, 1}}, {23.98, Rational{24000, 1001}},
		{9.98, Rational{10, 1}}, {119.87, Rational{120000, 1001}}, {59.95, Rational{60000, 1001}}, {40, Rational{}}, {0, Rational{}},
	} {
		if got, ok := UsualRate(c.measured, 0.005); got != c.want || ok != (c.want.Den > 0) {
			t.Errorf("%v a second are %v (%v), not %v", c.measured, got, ok, c.want)
		}
	}
}
