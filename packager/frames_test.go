package packager_test

import (
	"bytes"
	"encoding/binary"
	"slices"
	"testing"
	"time"

	"github.com/Eyevinn/mp4ff/mp4"

	"github.com/sluice-live/sluice/ingest/flv"
	"github.com/sluice-live/sluice/packager"
	"github.com/sluice-live/sluice/remux"
)

// script is a fuzzer's input, read as numbers. Behind its end all are 0.
type script []byte

func (s *script) next() byte {
	if len(*s) == 0 {
		return 0
	}
	b := (*s)[0]
	*s = (*s)[1:]
	return b
}

// take returns n bytes.
func (s *script) take(n int) []byte {
	b := make([]byte, n)
	*s = (*s)[copy(b, *s):]
	return b
}

// camera makes frames as a script says, and keeps what is in them.
type camera struct {
	*script
	lengthSize int
	now        time.Time
	timestamp  uint32
	video      [][]byte // NAL units from the first keyframe on
	before     [][]byte // … that wait for a picture
	audio      [][]byte
	key        bool // there was one
}

// tag returns the next frame.
func (c *camera) tag() flv.Tag {
	op := c.next()
	step := uint32(op>>2&0x1F) + 1
	c.timestamp += step
	c.now = c.now.Add(time.Duration(step) * time.Millisecond)
	const key, sound = 0, 3
	if op&3 == sound {
		unit := append(c.take(int(c.next())), 0x21)
		unit[0] &= 0x7F // no unit begins with its end, as ADTS does
		c.audio = append(c.audio, unit)
		return flv.Tag{Type: flv.TagAudio, Timestamp: c.timestamp, Body: append([]byte{0xAF, 1}, unit...)}
	}
	annexB := op&0x80 != 0
	head := []byte{0x27, 1, 0, 0, c.next()}
	nals := c.nals(annexB)
	if op&3 == key {
		head[0], c.key = 0x17, true
		nals = append(nals, []byte{0x65, 0x88, 0x84})
	}
	if c.key {
		c.before = append(c.before, nals...)
		if slices.ContainsFunc(nals, func(nal []byte) bool { return nal[0] == 0x41 || nal[0] == 0x65 }) {
			c.video, c.before = append(c.video, c.before...), nil
		}
	}
	return flv.Tag{Type: flv.TagVideo, Timestamp: c.timestamp, Body: append(head, c.frame(nals, annexB)...)}
}

// nals returns NAL units of any bytes behind a type that isn't a parameter set's.
func (c *camera) nals(annexB bool) (nals [][]byte) {
	for range 1 + c.next()%4 {
		nal := append([]byte{[]byte{0x41, 0x06, 0x09, 0x0C}[c.next()%4]}, c.take(1+int(c.next()))...)
		if annexB { // no start code, and no zero that could belong to one
			for i, b := range nal {
				nal[i] = max(b, 1)
			}
		}
		nals = append(nals, nal)
	}
	return nals
}

func (c *camera) frame(nals [][]byte, annexB bool) (b []byte) {
	var length [4]byte
	for i, nal := range nals {
		switch binary.BigEndian.PutUint32(length[:], uint32(len(nal))); {
		case annexB && i == 0:
			b = append(b, 0, 0, 0, 1)
		case annexB:
			b = append(b, 0, 0, 1)
		default:
			b = append(b, length[4-c.lengthSize:]...)
		}
		b = append(b, nal...)
	}
	return b
}

// config returns the decoders' configurations, for lengths of that size.
func (c *camera) config() [2]flv.Tag {
	codec := video.Codec.(*remux.H264)
	sps, pps := codec.SPS[0], codec.PPS[0]
	record := []byte{0x17, 0, 0, 0, 0, 1, sps[1], sps[2], sps[3], 0xFC | byte(c.lengthSize-1), 0xE1, 0, byte(len(sps))}
	record = append(append(record, sps...), 1, 0, byte(len(pps)))
	return [2]flv.Tag{
		{Type: flv.TagVideo, Body: append(record, pps...)},
		{Type: flv.TagAudio, Body: []byte{0xAF, 0, 0x11, 0x90}},
	}
}

// FuzzFrames sends frames through remux and packager, however they are laid
// out: mp4ff finds the same NAL units in the segments, in order, and one sample
// is decoded where the one before ends.
func FuzzFrames(f *testing.F) {
	f.Add([]byte{3, 0x80, 0, 1, 0, 5, 1, 2, 3, 4, 5, 0x84, 0, 1, 0, 0, 9, 0x83, 2, 1, 1, 0x81, 7, 2, 1, 3, 7, 7, 7})
	f.Add(append([]byte{1}, bytes.Repeat([]byte{0x7C, 0, 0, 0, 0, 0x7D, 0, 0, 0, 0, 0x7F, 3, 9, 9, 9}, 40)...))
	f.Add(append([]byte{6}, bytes.Repeat([]byte{0x7C, 40, 1, 2, 40}, 150)...))
	f.Add(append([]byte{2}, bytes.Repeat([]byte{0x7F, 0, 0x7D, 0, 0, 3, 200}, 60)...))
	f.Fuzz(func(t *testing.T, b []byte) {
		s := script(b[:min(len(b), 8<<10)])
		shape := s.next()
		c := &camera{script: &s, lengthSize: []int{4, 1, 2, 3}[shape&3], now: start}
		if c.lengthSize == 1 { // longer NAL units have no room for their length
			for i := range s {
				s[i] &= 0x7F
			}
		}
		set := settings
		set.Segments, set.FrameFragments = 1<<20, shape&4 != 0
		catalog := packager.NewCatalog(set, func() time.Time { return c.now })
		name, _ := packager.ParseStreamName("live", "cam1")
		p, err := catalog.Publish(name)
		if err != nil {
			t.Fatal(err)
		}
		r := remux.New(p, func() time.Time { return c.now }, remux.Hooks{Drop: func() { t.Error("a frame was dropped") }})
		for _, tag := range c.config() {
			if err := r.WriteTag(tag); err != nil {
				t.Fatal(err)
			}
		}
		for len(s) > 0 {
			if err := r.WriteTag(c.tag()); err != nil {
				t.Fatal(err)
			}
		}
		r.Close(nil)
		stream, _ := catalog.Lookup(name)
		for rendition := range allRenditions(stream.Window()) {
			got := readBack(t, rendition)
			if rendition.ID == "v1" {
				var nals [][]byte
				for _, data := range got {
					nals = append(nals, splitNALUnits(t, data)...)
				}
				checkUnits(t, nals, c.video)
			} else { // what was long before the first keyframe isn't kept
				checkUnits(t, got, c.audio[max(0, len(c.audio)-len(got)):])
			}
		}
	})
}

func allRenditions(w *packager.Window) func(func(*packager.Rendition) bool) {
	return func(yield func(*packager.Rendition) bool) {
		for i := range w.Renditions {
			if !yield(&w.Renditions[i]) {
				return
			}
		}
	}
}

// readBack reads all samples of a rendition, and holds their times together.
func readBack(t *testing.T, r *packager.Rendition) (data [][]byte) {
	t.Helper()
	next, period := int64(-1), ""
	for i, seg := range r.Segments {
		if i > 0 && seg.MSN != r.Segments[i-1].MSN+1 {
			t.Errorf("segment %d behind %d", seg.MSN, r.Segments[i-1].MSN)
		}
		init, err := mp4.DecodeFile(bytes.NewReader(seg.Header.Bytes))
		if err != nil {
			t.Fatal(err)
		}
		if seg.Gap() {
			continue
		}
		if seg.Gaps {
			next = -1 // it goes on behind a hole
		}
		file, err := mp4.DecodeFile(bytes.NewReader(segmentBytes(seg)))
		if err != nil {
			t.Fatal(err)
		}
		if id := seg.Header.Period.ID; id != period {
			period, next = id, -1
		}
		for _, fragment := range file.Segments[0].Fragments {
			samples, err := fragment.GetFullSamples(init.Init.Moov.Mvex.Trex)
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range samples {
				if dts := int64(s.DecodeTime); next >= 0 && dts != next && !seg.Gaps || s.Dur == 0 {
					t.Errorf("%s: a sample of %d ticks at %d, the one before ends at %d", r.ID, s.Dur, dts, next)
				}
				next = int64(s.DecodeTime) + int64(s.Dur)
				if silence := seg.Header.Track.Silence; silence == nil || !bytes.Equal(s.Data, silence) {
					data = append(data, s.Data)
				}
			}
		}
		if seg.Tail > 0 {
			next = -1
		}
	}
	return data
}

func splitNALUnits(t *testing.T, b []byte) (nals [][]byte) {
	t.Helper()
	for len(b) >= 4 {
		n := binary.BigEndian.Uint32(b)
		if n == 0 || uint64(n) > uint64(len(b)-4) {
			t.Fatalf("a NAL unit of %d bytes where %d are left", n, len(b)-4)
		}
		nals, b = append(nals, b[4:4+n]), b[4+n:]
	}
	if len(b) > 0 {
		t.Fatalf("%d bytes behind the last NAL unit", len(b))
	}
	return nals
}

func checkUnits(t *testing.T, got, want [][]byte) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%d units came out, %d went in", len(got), len(want))
	}
	for i := range min(len(got), len(want)) {
		if !bytes.Equal(got[i], want[i]) {
			t.Fatalf("unit %d is %.20x and not %.20x", i, got[i], want[i])
		}
	}
}
