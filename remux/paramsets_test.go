package remux

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"

	"github.com/sluice-live/sluice/ingest/flv"
)

// renamed is a parameter set whose first number, which is 0, is another one.
func renamed(set []byte, at int, id uint64) []byte {
	plain := unescape(set)
	r := bitReader{b: plain, pos: 8*at + 1}
	w := new(spsBits).ue(id)
	for end := stopBit(plain); r.pos < end; {
		w.bit(uint64(r.take(1)))
	}
	return w.end(plain[:at]...)
}

// recordOf is a configuration record of several sets.
func recordOf(sps, pps [][]byte) []byte {
	b := []byte{1, sps[0][1], sps[0][2], sps[0][3], 0xFF, 0xE0 | byte(len(sps))}
	for _, s := range sps {
		b = append(binary.BigEndian.AppendUint16(b, uint16(len(s))), s...)
	}
	b = append(b, byte(len(pps)))
	for _, s := range pps {
		b = append(binary.BigEndian.AppendUint16(b, uint16(len(s))), s...)
	}
	return b
}

// TestParameterSetsByID: a set takes the place of the one with its id, and only of
// that one.
func TestParameterSetsByID(t *testing.T) {
	other := renamed(mainPPS, 1, 1)
	large := renamed(highSPS, 4, 1) // of id 1
	ofLarge := append([]byte{0x68}, pps(1, 1)...)
	key := func(pps uint64) []byte { // an IDR slice
		return new(spsBits).ue(0, 7, pps).bit(1).bit(0).end(0x65)
	}
	for _, c := range []struct {
		name string
		send func(f *feed)
		want string
	}{
		{"each keyframe repeats one of two", func(f *feed) {
			f.videoConfig(recordOf([][]byte{mainSPS}, [][]byte{mainPPS, other}))
			f.key(0, mainSPS, mainPPS)
			f.key(1000, mainSPS, other)
			f.key(2000, mainSPS, mainPPS)
			f.key(3000, other)
		}, "tracks avc1.4d401e, video 0 key, video 1000 key, video 2000 key, video 3000 key"},
		{"the second is not in the record", func(f *feed) {
			f.videoConfig(record(mainSPS, mainPPS))
			f.key(0, mainSPS, mainPPS)
			f.key(1000, mainSPS, other)
			f.key(2000, mainSPS, mainPPS)
			f.key(3000, mainSPS, other)
		}, "tracks avc1.4d401e, video 0 key, tracks avc1.4d401e, video 1000 key, video 2000 key, video 3000 key"},
		{"the record comes again, with the first only", func(f *feed) {
			f.videoConfig(record(mainSPS, mainPPS))
			f.key(0, other)
			f.key(1000)
			f.videoConfig(record(mainSPS, mainPPS))
			f.inter(1040)
			f.key(1480, other)
		}, "tracks avc1.4d401e, video 0 key, video 1000 key, video 1040, video 1480 key"},
		{"inside a group of pictures", func(f *feed) {
			f.videoConfig(record(mainSPS, mainPPS))
			f.key(0)
			f.inter(1000)
			f.tag(flv.TagVideo, 1040, []byte{0x27, 1, 0, 0, 0}, lengths(other, slice))
			f.inter(1080)
			f.key(1480)
			f.inter(1520)
		}, "tracks avc1.4d401e, video 0 key, video 1000, video 1040, video 1080, tracks avc1.4d401e, video 1480 key, video 1520"},
		{"another picture by another id", func(f *feed) {
			f.videoConfig(recordOf([][]byte{mainSPS, large}, [][]byte{mainPPS, ofLarge}))
			f.tag(flv.TagVideo, 0, []byte{0x17, 1, 0, 0, 0}, lengths(key(0)))
			f.tag(flv.TagVideo, 1000, []byte{0x17, 1, 0, 0, 0}, lengths(key(0)))
			f.tag(flv.TagVideo, 2000, []byte{0x17, 1, 0, 0, 0}, lengths(key(1)))
			f.tag(flv.TagVideo, 3000, []byte{0x17, 1, 0, 0, 0}, lengths(key(1)))
		}, "tracks avc1.4d401e, video 0 key, video 1000 key, tracks avc1.640028, video 2000 key, video 3000 key"},
	} {
		f := newFeed(t)
		c.send(f)
		f.r.Close(nil)
		t.Log(c.name)
		f.expect(c.want)
		if len(f.notes) > 0 {
			t.Errorf("it is said: %q", f.notes)
		}
	}
}

// pps is a picture parameter set without its first byte.
func pps(id, sps uint64) []byte {
	w := new(spsBits).ue(id, sps).bit(1).bit(0).ue(0, 0, 0).bit(0).bit(0).bit(0)
	return w.ue(0, 0, 0).bit(0).bit(0).bit(0).end()
}

// TestVUICutShort: an SPS that ends anywhere in its VUI, which is optional, is one
// without VUI. So is what repeats it in band.
func TestVUICutShort(t *testing.T) {
	for _, c := range []struct {
		sps           []byte
		vui           int // bytes before it
		width, height int
	}{{mainSPS, 10, 854, 480}, {highSPS, 12, 1920, 1080}} {
		for end := c.vui + 1; end < len(c.sps); end++ {
			cut := c.sps[:end]
			f := newFeed(t)
			f.videoConfig(record(cut, mainPPS))
			f.key(0, cut, mainPPS)
			f.key(1000, cut, mainPPS)
			f.r.Close(nil)
			if len(f.out.periods) != 1 || len(f.out.samples) != 2 || len(f.notes) > 0 {
				t.Errorf("%d of %d bytes: %d periods, %d frames, said: %q", end, len(c.sps), len(f.out.periods), len(f.out.samples), f.notes)
				continue
			}
			h := f.out.periods[0][0].Codec.(*H264)
			if h.Width != c.width || h.Height != c.height || h.Colour != nil || h.FrameRate.Num != 0 || h.SAR[0] != 0 {
				t.Errorf("%d of %d bytes: %+v", end, len(c.sps), h)
			}
			if s, err := parseSPS(unescape(h.SPS[0])); err != nil || s.cut {
				t.Errorf("%d of %d bytes: players get %x: %v", end, len(c.sps), h.SPS[0], err)
			}
			if bytes.Contains(f.out.frames[0], cut) || !bytes.Contains(f.out.frames[0], mainPPS) {
				t.Errorf("%d of %d bytes: a frame has %x", end, len(c.sps), f.out.frames[0])
			}
		}
	}
	if _, err := newH264([][]byte{mainSPS[:8]}, [][]byte{mainPPS}); err == nil || !strings.Contains(err.Error(), "cut short") {
		t.Errorf("an SPS that ends before its picture does: %v", err)
	}
}

// TestSetsWithZeros: parameter sets with zeros behind them, as they lie in a byte stream, are the
// same ones without. No period begins where an encoder sends them both ways.
func TestSetsWithZeros(t *testing.T) {
	zeros := func(sets [][]byte) (padded [][]byte) {
		for _, b := range sets {
			padded = append(padded, append(b[:len(b):len(b)], 0, 0))
		}
		return padded
	}
	for name, send := range map[string]func(f *feed, at uint32){
		"H.264": func(f *feed, at uint32) {
			f.videoConfig(record(mainSPS, mainPPS))
			f.key(at, zeros([][]byte{mainSPS, mainPPS})...)
			f.inter(at + 40)
		},
		"HEVC": func(f *feed, at uint32) {
			f.hevcConfig(hevcMain.all()...)
			f.hevcKey(at, append(zeros(hevcMain.all()), hevcIDR)...)
			f.hevcInter(at+40, append(zeros(hevcMain.all()), hevcTrail)...)
		},
	} {
		f := newFeed(t)
		for n := range uint32(5) {
			send(f, 80*n)
		}
		f.r.Close(nil)
		if len(f.out.periods) != 1 || len(f.out.samples) != 10 {
			t.Errorf("%s: %q", name, f.out.events)
		}
		for _, b := range f.out.frames {
			if nals := checkNALUnits(t, b); name == "HEVC" && len(nals) != 1 {
				t.Errorf("%s: a sample of %x", name, nals)
			}
		}
	}
}
