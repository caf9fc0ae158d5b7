package remux

import (
	"testing"

	"github.com/sluice-live/sluice/ingest/flv"
)

// TestRecoveryPoints: decoding can start where an SEI message says so, and at once;
// not where the picture is whole some frames later only.
func TestRecoveryPoints(t *testing.T) {
	point := func(frames uint64) []byte {
		b := new(spsBits).ue(frames).bit(1).bit(0).bit(0).bit(0)
		return append([]byte{nalSEI, seiRecoveryPoint, byte(len(b.b))}, append(b.b, 0x80)...)
	}
	note := append([]byte{nalSEI, 5, 20}, append(make([]byte, 20), 0x80)...)
	f := newFeed(t)
	f.videoConfig(record(highSPS, highPPS))
	send := func(at uint32, nals ...[]byte) {
		f.tag(flv.TagVideo, at, []byte{0x17, 1, 0, 0, 0}, lengths(nals...))
	}
	send(0, note, idr)
	send(33, slice) // an I-frame that is called a keyframe
	send(66, point(0), slice)
	send(100, note, point(0), slice)
	send(133, point(12), slice)
	send(166, point(0)[:3], slice)
	f.r.Close(nil)
	f.expect("tracks avc1.640028, video 0 key, video 33, video 66 key, video 100 key, video 133, video 166")
	for i, want := range []bool{false, false, true, true, false, false} {
		if f.out.samples[i].OpenGOP != want {
			t.Errorf("frame %d begins an open group: %v", i, !want)
		}
	}
}

// caption is an SEI message of one pair of bytes in a field.
func caption(field, a, b byte) []byte {
	body := append([]byte("\xB5\x00\x31GA94\x03\x41\xFF"), 0xFC|field, a, b, 0xFF)
	return append(append([]byte{nalSEI, seiRegistered, byte(len(body))}, body...), 0x80)
}

// TestCaptions: channels of captions are those that messages have something for.
func TestCaptions(t *testing.T) {
	for _, c := range []struct {
		name string
		nals [][]byte
		want Captions
	}{
		{"none", nil, 0},
		{"the first field", [][]byte{caption(0, 0x94, 0x2C)}, CC1},
		{"the first field, nobody speaks", [][]byte{caption(0, 0x80, 0x80)}, CC1},
		{"the second field", [][]byte{caption(1, 0x15, 0x2C)}, CC3},
		{"the second field, which is never used", [][]byte{caption(1, 0x80, 0x80)}, 0},
		{"both", [][]byte{caption(0, 0x94, 0x2C), caption(1, 0x15, 0x2C)}, CC1 | CC3},
		{"behind a message with bytes that keep start codes out", [][]byte{append([]byte{nalSEI, 5, 5, 1, 0, 0, 3, 0, 1}, caption(0, 0x94, 0x2C)[1:]...)}, CC1},
		{"CEA-708 alone", [][]byte{caption(3, 0x94, 0x2C)}, 0},
		{"cut short", [][]byte{caption(0, 0x94, 0x2C)[:12]}, 0},
		{"another provider", [][]byte{append([]byte{nalSEI, 4, 14}, append([]byte("\xB5\x00\x2FGA94\x03\x41\xFF\xFC\x94\x2C\xFF"), 0x80)...)}, 0},
	} {
		f := newFeed(t)
		var told []Captions
		f.r.hooks.Captions = func(c Captions) { told = append(told, c) }
		f.videoConfig(record(highSPS, highPPS))
		for i := range uint32(3) {
			var nals [][]byte
			for _, n := range c.nals {
				if len(n) > 0 {
					nals = append(nals, n)
				}
			}
			f.key(33*i, nals...)
		}
		f.r.Close(nil)
		var got Captions
		if len(told) > 0 {
			got = told[len(told)-1]
		}
		if got != c.want || len(told) > 2 || got != 0 && len(told) == 0 {
			t.Errorf("%s: told %v, want %v", c.name, told, c.want)
		}
	}
}
