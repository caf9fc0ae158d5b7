package remux

import (
	"bytes"
	"regexp"
	"slices"
	"testing"
)

var vpxName = regexp.MustCompile(`^vp0[89]\.0[0-3]\.[1-6][0-2]\.(08|10|12)(\.0[0-3]\.\d{2,3}\.\d{2,3}\.\d{2,3}\.0[01])?$`)

// FuzzVPX takes any record and any frame of VP9 or VP8: what is accepted is a picture that
// exists, and the frame itself.
func FuzzVPX(f *testing.F) {
	for _, c := range vpxFiles {
		for _, frame := range ivfFrames(f, c.name+".ivf")[:2] {
			f.Add(c.name == "vp8", unhex(c.record), frame)
		}
	}
	f.Fuzz(func(t *testing.T, eight bool, record, frame []byte) {
		if len(frame) == 0 {
			return
		}
		bits := newVP9()
		if eight {
			bits = newVP8()
		}
		bits, _ = bits.configure(record)
		bits.peek(frame)
		u, rest, err := bits.next(slices.Clip(frame), false)
		if err != nil {
			return
		}
		if len(rest) > 0 || !bytes.Equal(u.data, frame) {
			t.Errorf("%x comes as %x, rest %x", frame, u.data, rest)
		}
		c, _ := bits.codec().(*VPX)
		if (c != nil) != u.sync {
			t.Errorf("a decoder: %v; decoding starts: %v", c != nil, u.sync)
		}
		if c != nil {
			checkPicture(t, c.Picture)
			if !vpxName.MatchString(c.String()) || !c.equal(c) {
				t.Errorf("%s is not a name, or unlike itself", c)
			}
		}
	})
}
