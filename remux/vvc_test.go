package remux

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/sluice-live/sluice/ingest/flv"
)

// Of a stream of 1280 × 720 pixels, 10 bits, six temporal layers.
var (
	vvcSPS  = unhex("007900ad0233800000800a0200b446a007374dba6469149bce13656304")
	vvcPPS  = unhex("008100000501005a22241fb820")
	vvcHead = unhex("ff 0065 5f 01 02 33 80 00 00 0500 02d0 0000")
)

// vvcRecord is a VvcDecoderConfigurationRecord of an SPS and a PPS.
func vvcRecord() []byte {
	return slices.Concat(vvcHead, unhex("02 8f 0001 001d"), vvcSPS, unhex("90 0001 000d"), vvcPPS)
}

// vvcSlice is a picture of a type.
func vvcSlice(kind byte) []byte { return []byte{0, kind<<3 | 1, 0xC4, 0x60, kind} }

func TestVVC(t *testing.T) {
	aps, aud := unhex("008907f8"), unhex("00a18800")
	other := unhex("008100000501005a22241fb840")
	for _, c := range []struct {
		name string
		send func(send func(at uint32, keyframe bool, nals ...[]byte))
		want string
		nals int // in all samples
	}{
		{"sets that the record has are taken out", func(send func(uint32, bool, ...[]byte)) {
			send(0, true, aud, vvcSPS, vvcPPS, aps, vvcSlice(7))
			send(33, false, aud, aps, vvcSlice(0))
			send(66, true, vvcSPS, vvcSlice(8))
			send(80, false, vvcSPS, vvcPPS)
			send(100, false, other, vvcSlice(1))
		}, "video 0 key, video 33, video 66 key, video 100", 3 + 3 + 1 + 2},
		{"each type", func(send func(uint32, bool, ...[]byte)) {
			send(0, true, vvcSlice(7))
			for kind := range byte(12) {
				send(33*uint32(kind+1), true, vvcSlice(kind))
			}
		}, "video 0 key, video 33, video 66, video 99, video 132, video 165, video 198, video 231, video 264 key, video 297 key, video 330 key, video 363, video 396", 13},
		{"the encoder's word alone", func(send func(uint32, bool, ...[]byte)) {
			send(0, true, vvcSlice(0))
			send(33, false, vvcSlice(0))
			send(66, true, vvcSlice(0))
		}, "video 0 key, video 33, video 66 key", 3},
	} {
		f := newFeed(t)
		f.tag(flv.TagVideo, 0, []byte("\x90vvc1"), vvcRecord())
		c.send(func(at uint32, keyframe bool, nals ...[]byte) {
			head := "\xA1vvc1\x00\x00\x00"
			if keyframe {
				head = "\x91vvc1\x00\x00\x00"
			}
			f.tag(flv.TagVideo, at, []byte(head), lengths(nals...))
		})
		f.r.Close(nil)
		t.Log(c.name)
		f.expect("tracks vvc1.1.L51.CQA, " + c.want)
		n := 0
		for _, b := range f.out.frames {
			n += len(checkNALUnits(t, b))
		}
		if n != c.nals {
			t.Errorf("%d NAL units, not %d", n, c.nals)
		}
		for i, s := range f.out.samples {
			if s.OpenGOP != (f.out.frames[i][5]>>3 == vvcCRA) {
				t.Errorf("sample %d begins an open group: %v", i, s.OpenGOP)
			}
		}
		h := f.out.periods[0][0].Codec.(*H266)
		if !bytes.Equal(h.Record, vvcRecord()) || h.Width != 1280 || h.Height != 720 || !h.equal(h) {
			t.Errorf("%+v", h)
		}
	}
}

func TestH266(t *testing.T) {
	long := slices.Concat(vvcRecord(), make([]byte, maxVVCRecord))
	for name, c := range map[string]struct {
		record []byte
		want   string
	}{
		"whole":                        {vvcRecord(), "vvc1.1.L51.CQA 1280×720 4"},
		"short lengths":                {slices.Concat([]byte{0xFB}, vvcRecord()[1:]), "vvc1.1.L51.CQA 1280×720 2"},
		"one layer, high tier, a rate": {unhex("ff 0015 1f 01 43 53 00 00 0f00 0870 3c00 00"), "vvc1.33.H83 3840×2160 4 60"},
		"levels of layers, a profile":  {unhex("ff 0035 1f 02 02 33 00 01 80 33 01 00000001 0140 00b4 0000 00"), "vvc1.1.L51.CAAAQ 320×180 4"},
		"operating points":             {slices.Concat(vvcHead, unhex("01 8c 0003 006100")), "vvc1.1.L51.CQA 1280×720 4"},
		"nothing":                      {nil, "cut short"},
		"no profile":                   {unhex("fe 00"), "without profile"},
		"no picture":                   {unhex("ff 0015 1f 01 43 53 00 00 0000 0000 0000 00"), "a picture of 0 × 0"},
		"65,535²":                      {unhex("ff 0015 1f 01 43 53 00 00 ffff ffff 0000 00"), "65535 × 65535"},
		"255 sub-profiles":             {unhex("ff 0015 1f 01 43 53 00 ff 0140 00b4 0000 00"), "cut short"},
		"arrays that aren't there":     {slices.Concat(vvcHead, []byte{2}), "cut short"},
		"65,535 sets":                  {slices.Concat(vvcHead, unhex("01 8f ffff 0000")), "cut short"},
		"of 16 KiB":                    {long, "bytes"},
	} {
		h, lengthSize, err := newH266(c.record)
		got := fmt.Sprint(err)
		if err == nil {
			got = fmt.Sprintf("%s %d×%d %d", h, h.Width, h.Height, lengthSize)
			if h.FrameRate.Den > 0 {
				got += fmt.Sprintf(" %d", h.FrameRate.Num/h.FrameRate.Den)
			}
		}
		if got != c.want && (err == nil || !strings.Contains(got, c.want)) {
			t.Errorf("%s: %s, not %s", name, got, c.want)
		}
	}
	for end := range len(vvcRecord()) {
		if _, _, err := newH266(vvcRecord()[:end]); err == nil {
			t.Errorf("%d bytes are a record", end)
		}
	}
}

// FuzzVVC reads any record and any frame behind it: what comes out has the frame's NAL
// units, in order, but for sets that the record has.
func FuzzVVC(f *testing.F) {
	f.Add(vvcRecord(), lengths(vvcSPS, vvcPPS, vvcSlice(7)))
	f.Add(vvcHead, lengths(masteringSEI, vvcSlice(9)))
	f.Add(slices.Concat(vvcHead, unhex("01 8c 0003 006100")), append(unhex("00000001"), vvcSlice(0)...))
	f.Fuzz(func(t *testing.T, record, frame []byte) {
		bits, err := newVVC().configure(record)
		if err != nil {
			return
		}
		clear(record) // it was borrowed
		before := bytes.Clone(frame)
		bits.peek(frame)
		u, _, _ := bits.next(frame, true)
		if !bytes.Equal(frame, before) {
			t.Fatal("the frame was written to")
		}
		h := bits.codec().(*H266)
		checkPicture(t, h.Picture)
		if again, n, err := newH266(h.Record); err != nil || n != 4 || !again.with(hdr{h.Mastering, h.Light}).equal(h) || again.String() != h.String() {
			t.Errorf("its own record makes %v, %d, %v", again, n, err)
		}
		if u == nil {
			return
		}
		if len(u.data) == 0 {
			t.Fatal("a unit without data")
		}
		at := frame
		for _, nal := range checkNALUnits(t, u.data) {
			i := bytes.Index(at, nal)
			if i < 0 {
				t.Fatalf("%x is not in what is left of the frame", nal)
			}
			at = at[i+len(nal):]
		}
	})
}
