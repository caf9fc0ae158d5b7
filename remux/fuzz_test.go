package remux

import (
	"bytes"
	"regexp"
	"testing"
)

var avcName = regexp.MustCompile(`^avc1\.[0-9a-f]{6}$`)

// checkH264 holds a decoder to what all rooms behind this one count on.
func checkH264(t testing.TB, c *H264) {
	t.Helper()
	checkPicture(t, c.Picture)
	if c.ChromaFormat > maxChromaFormat || min(c.BitDepth[0], c.BitDepth[1]) < 8 || max(c.BitDepth[0], c.BitDepth[1]) > maxBitDepth {
		t.Errorf("chroma format %d, bit depths %v", c.ChromaFormat, c.BitDepth)
	}
	if !avcName.MatchString(c.String()) || !c.equal(c) {
		t.Errorf("%s is not a name, or unlike itself", c)
	}
	size := 0
	for _, sets := range [][][]byte{c.SPS, c.PPS} {
		for _, set := range sets {
			size += len(set)
		}
		if len(sets) == 0 || len(sets) > maxParameterSets {
			t.Errorf("%d parameter sets of a kind", len(sets))
		}
	}
	if size > 2*maxParameterSets*maxParameterSetSize {
		t.Errorf("parameter sets of %d bytes", size)
	}
}

// checkPicture holds a picture to what all rooms behind this one count on.
func checkPicture(t testing.TB, c Picture) {
	t.Helper()
	if c.Width < 1 || c.Height < 1 || c.Width > maxDimension || c.Height > maxDimension {
		t.Errorf("a picture of %d × %d", c.Width, c.Height)
	}
	if (c.SAR[0] == 0) != (c.SAR[1] == 0) {
		t.Errorf("pixels of %d:%d", c.SAR[0], c.SAR[1])
	}
	if c.SAR[1] > 0 {
		if shown := c.Width * int(c.SAR[0]) / int(c.SAR[1]); shown < 1 || shown > 0xFFFF {
			t.Errorf("%d pixels of %d:%d are %d wide", c.Width, c.SAR[0], c.SAR[1], shown)
		}
	}
	if r := c.FrameRate; (r.Num == 0) != (r.Den == 0) || r.Den > 0 && r.Num/r.Den >= maxFrameRate {
		t.Errorf("%d/%d frames in a second", r.Num, r.Den)
	}
}

// FuzzH264 takes any configuration record: what is accepted has a picture that
// exists, and the same comes out of the sets in it.
func FuzzH264(f *testing.F) {
	for _, c := range avcConfigs {
		f.Add(unhex(c.record))
	}
	for _, s := range hostileSPS {
		f.Add(record(unhex(s.sps), highPPS))
	}
	f.Add(record(mainSPS, mainPPS))
	f.Add(record(highSPS, highPPS))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := parseAVCConfig(b)
		if err != nil {
			return
		}
		c, err := newH264(r.sps, r.pps)
		if err != nil {
			return
		}
		before := bytes.Clone(c.SPS[0])
		clear(b) // it was borrowed
		if !bytes.Equal(before, c.SPS[0]) {
			t.Fatal("the decoder lives in the message")
		}
		checkH264(t, c)
		if again, err := newH264(c.SPS, c.PPS); err != nil || !again.equal(c) || again.Width != c.Width {
			t.Errorf("its own parameter sets make %v, %v", again, err)
		}
	})
}

var aacName = regexp.MustCompile(`^mp4a\.40\.(2|5|29)$`)

// FuzzAAC takes any AudioSpecificConfig: what is accepted has a rate and
// channels that exist, and is stable.
func FuzzAAC(f *testing.F) {
	for _, c := range aacConfigs {
		f.Add(unhex(c.config))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := newAAC(b)
		if err != nil {
			return
		}
		clear(b)
		if c.SampleRate < 7350 || c.SampleRate > 96000 || c.Channels < 1 || c.Channels > 8 || c.FrameSamples != 1024 && c.FrameSamples != 960 {
			t.Errorf("%d Hz, %d channels, frames of %d", c.SampleRate, c.Channels, c.FrameSamples)
		}
		if !aacName.MatchString(c.String()) || len(c.Config) == 0 || len(c.Config) > maxAACConfig {
			t.Errorf("%s of %d bytes", c, len(c.Config))
		}
		again, err := newAAC(c.Config)
		if err != nil || !bytes.Equal(again.Config, c.Config) || again.SampleRate != c.SampleRate || again.Channels != c.Channels || again.ObjectType != c.ObjectType {
			t.Errorf("%+v becomes %+v, %v", c, again, err)
		}
	})
}

// FuzzAccessUnit reads any frame, by any length size: NAL units come out as
// they are in it, in order, and the frame isn't written to.
func FuzzAccessUnit(f *testing.F) {
	for _, c := range accessUnits {
		f.Add(uint8(c.lengthSize), unhex(c.frame))
	}
	f.Fuzz(func(t *testing.T, size uint8, b []byte) {
		before := bytes.Clone(b)
		r := newAVCReader(int(size%4) + 1)
		var au accessUnit
		err := r.accessUnit(b, &au)
		if !bytes.Equal(b, before) {
			t.Fatal("the frame was written to")
		}
		if err != nil {
			return
		}
		nals := checkNALUnits(t, au.data)
		if len(nals) == 0 || len(nals) > maxNALUnits+1 || len(au.data) > len(b)+4*len(nals) {
			t.Fatalf("%d NAL units, %d bytes out of %d", len(nals), len(au.data), len(b))
		}
		rest := b
		idr := false
		for _, nal := range nals {
			at := bytes.Index(rest, nal)
			if at < 0 {
				t.Fatalf("%x is not in what is left of the frame", nal)
			}
			rest = rest[at+len(nal):]
			idr = idr || nal[0]&0x1F == nalIDR
		}
		if idr != au.idr {
			t.Errorf("IDR: %v", au.idr)
		}
	})
}
