package remux

import (
	"bytes"
	"regexp"
	"testing"
)

var av1Name = regexp.MustCompile(`^av01\.[012]\.\d\d[MH]\.(08|10|12)(\.[01]\.[01][01][0-3]\.\d{2,3}\.\d{2,3}\.\d{2,3}\.[01])?$`)

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
