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
