package remux

import (
	"bytes"
	"regexp"
	"testing"
)

var av1Name = regexp.MustCompile(`^av01\.[012]\.\d\d[MH]\.(08|10|12)(\.[01]\.[01][01][0-3]\.\d{2,3}\.\d{2,3}\.\d{2,3}\.[01])?$`)

// checkPicture holds what a decoder says to what all rooms behind this one count on.
func checkPicture(t *testing.T, p Picture) {
	t.Helper()
	if p.Width < 1 || p.Height < 1 || p.Width > maxDimension || p.Height > maxDimension {
		t.Errorf("a picture of %d × %d", p.Width, p.Height)
	}
	if p.SAR[1] > 0 {
		if shown := p.Width * int(p.SAR[0]) / int(p.SAR[1]); shown < 1 || shown > 0xFFFF {
			t.Errorf("%d pixels of %d:%d are %d wide", p.Width, p.SAR[0], p.SAR[1], shown)
		}
	}
	if r := p.FrameRate; (r.Num == 0) != (r.Den == 0) || r.Den > 0 && r.Num/r.Den >= maxFrameRate {
		t.Errorf("%d/%d frames in a second", r.Num, r.Den)
	}
}

// FuzzAV1 takes any record and any frame: what is accepted is a picture that exists, and
// units are what MP4 may have, and come out the same when they are read again.
func FuzzAV1(f *testing.F) {
	for _, c := range av1Files {
		for _, frame := range ivfFrames(f, c.name+".ivf")[:3] {
			f.Add(unhex(c.record), frame)
		}
	}
	f.Add(unhex("81000c00"), unhex("1200 0a0a00000002afff9f7f2008 7a0180 3010aabb"))
	f.Fuzz(func(t *testing.T, record, frame []byte) {
		bits, _ := newAV1Units().configure(record)
		clear(record)
		bits.peek(frame)
		before := bytes.Clone(frame)
		for data := frame; len(data) > 0; {
			size := len(data)
			u, rest, err := bits.next(data, true)
			if data = rest; len(rest) >= size {
				t.Fatal("it goes on for ever")
			}
			if !bytes.Equal(frame, before) {
				t.Fatal("the frame was written to")
			}
			c, _ := bits.codec().(*AV1)
			if c != nil {
				checkPicture(t, c.Picture)
				if again, err := newAV1(c.payload); err != nil || !bytes.Equal(again.Sequence, c.Sequence) || !av1Name.MatchString(c.String()) {
					t.Errorf("%s: %x becomes %v, %v", c, c.Sequence, again, err)
				}
			}
			if u == nil {
				continue
			}
			if len(u.data) > size+10*maxOBUs+maxAV1Sequence+2 {
				t.Errorf("%d bytes of %d", len(u.data), size)
			}
			if u.sync && c == nil {
				t.Error("decoding starts without a decoder")
			}
			again, rest, err2 := new(obuReader).temporalUnit(u.data)
			if err2 != nil || len(rest) > 0 || !bytes.Equal(again.data, u.data) || u.sync && again.sequence == nil {
				t.Errorf("%x (%v) reads as %x, rest %x, %v", u.data, err, again.data, rest, err2)
			}
		}
	})
}
