package remux

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluice-live/sluice/ingest/flv"
)

// base is the wall clock of these tests, and where their samples begin.
const base = 1_700_000_000_000 // ms

// recorder is an Output that writes down what it gets, and holds it to the
// laws that all outputs rely on.
type recorder struct {
	t       testing.TB
	events  []string
	periods [][]Track
	samples []Sample // without data
	units   [][]byte // data of the audio samples
	frames  [][]byte // data of the video samples
	closed  int
	cause   error

	byID map[string]*recorded
}

// recorded is what came of a track.
type recorded struct {
	shown  []int64 // when frames are, ticks
	joined bool    // a sample has come in this period
	last   int64   // DTS in ns
}

func (o *recorder) Begin(now time.Time) time.Time { return now }

func (o *recorder) SetTracks(tracks []Track) error {
	if len(tracks) == 0 {
		o.t.Error("a period without tracks")
	}
	if o.byID == nil {
		o.byID = make(map[string]*recorded)
	}
	var names []string
	for i, track := range tracks {
		names = append(names, track.Codecs)
		if i > 0 {
			a, b := tracks[i-1], track // v129 is behind v2
			if cmp.Or(cmp.Compare(a.Kind(), b.Kind()), cmp.Compare(len(a.ID), len(b.ID)), strings.Compare(a.ID, b.ID)) >= 0 {
				o.t.Errorf("%s comes behind %s", b.ID, a.ID)
			}
		}
		if o.byID[track.ID] == nil {
			o.byID[track.ID] = new(recorded)
		}
		o.byID[track.ID].joined = false
	}
	o.events = append(o.events, "tracks "+strings.Join(names, " "))
	o.periods = append(o.periods, tracks)
	return nil
}

func (o *recorder) WriteSample(s *Sample) error {
	if len(o.periods) == 0 {
		o.t.Fatal("a sample before all tracks")
	}
	track := o.periods[len(o.periods)-1][s.Track]
	rate, before := int64(track.Timescale), o.byID[track.ID]
	ns := s.DTS/rate*1e9 + s.DTS%rate*1e9/rate
	if ns <= before.last { // over periods, too
		o.t.Errorf("%s: DTS goes from %d to %d ns", track.ID, before.last, ns)
	}
	before.last = ns
	if s.Duration == 0 || len(s.Data) == 0 {
		o.t.Errorf("a sample of %d ticks and %d bytes", s.Duration, len(s.Data))
	}
	line := fmt.Sprintf("%v %s", track.Kind(), at(track, s.DTS))
	if track.Kind() == Video {
		if !before.joined && !s.Sync {
			o.t.Error("a period begins inside a group of pictures")
		}
		before.joined = true
		if _, ok := track.Codec.(*H264); ok {
			checkNALUnits(o.t, s.Data)
		}
		if s.Sync {
			line += " key"
		}
		if s.CompositionOffset != 0 {
			line += fmt.Sprintf(" %+d", s.CompositionOffset/90)
		}
	}
	if track.Kind() == Video {
		pts := s.DTS + int64(s.CompositionOffset)
		if slices.Contains(before.shown[max(0, len(before.shown)-15):], pts) {
			o.t.Errorf("two frames are shown at %s", at(track, pts))
		}
		before.shown = append(before.shown, pts)
	}
	if track.Kind() == Audio {
		o.units = append(o.units, bytes.Clone(s.Data))
	} else {
		o.frames = append(o.frames, bytes.Clone(s.Data))
	}
	o.events = append(o.events, line)
	s.Data = nil
	o.samples = append(o.samples, *s)
	return nil
}

func (o *recorder) Close(cause error) { o.closed++; o.cause = cause }

// at is a DTS in milliseconds behind base.
func at(track Track, dts int64) string {
	rate := int64(track.Timescale)
	whole, rest := dts/rate*1000-base, dts%rate*1000 // not dts*1000: 64 bits are too few
	return fmt.Sprint(whole + (rest+rate/2)/rate)
}

// checkNALUnits reads data as MP4 has it.
func checkNALUnits(t testing.TB, b []byte) (nals [][]byte) {
	t.Helper()
	for len(b) > 0 {
		if len(b) < 4 {
			t.Fatalf("%d bytes behind the last NAL unit", len(b))
		}
		n := binary.BigEndian.Uint32(b)
		if n == 0 || uint64(n) > uint64(len(b)-4) {
			t.Fatalf("a NAL unit of %d bytes where %d are left", n, len(b)-4)
		}
		nals = append(nals, b[4:4+n])
		b = b[4+n:]
	}
	return nals
}

// feed is an encoder written by hand.
type feed struct {
	t     testing.TB
	r     *Remuxer
	out   *recorder
	now   time.Time
	off   time.Duration // the clock by which tags come
	notes []string
	err   error // of the last tag
}

func newFeed(t testing.TB) *feed {
	f := &feed{t: t, out: &recorder{t: t}, now: time.UnixMilli(base)}
	f.r = New(f.out, func() time.Time { return f.now }, Hooks{Note: func(s string) { f.notes = append(f.notes, s) }})
	return f
}

func (f *feed) tag(typ flv.TagType, timestamp uint32, parts ...[]byte) {
	var body []byte
	for _, p := range parts {
		body = append(body, p...)
	}
	tag := flv.Tag{Type: typ, Timestamp: timestamp, Body: body}
	if f.off != 0 {
		tag.Arrived = f.now.Add(f.off)
	}
	f.err = f.r.WriteTag(tag)
	clear(body) // it was borrowed
}

func (f *feed) videoConfig(record []byte) {
	f.tag(flv.TagVideo, 0, []byte{0x17, 0, 0, 0, 0}, record)
}

func (f *feed) audioConfig(config string) {
	f.tag(flv.TagAudio, 0, []byte{0xAF, 0}, unhex(config))
}

// key, inter and sound are frames at a timestamp.
func (f *feed) key(timestamp uint32, nals ...[]byte) {
	f.tag(flv.TagVideo, timestamp, []byte{0x17, 1, 0, 0, 0}, lengths(append(nals, idr)...))
}

func (f *feed) inter(timestamp uint32) {
	f.tag(flv.TagVideo, timestamp, []byte{0x27, 1, 0, 0, 0}, lengths(slice))
}

func (f *feed) sound(timestamp uint32) {
	f.tag(flv.TagAudio, timestamp, []byte{0xAF, 1, 0x21, 0x10})
}

// expect is an error unless these events came since the last time.
func (f *feed) expect(want string) {
	f.t.Helper()
	got := strings.Join(f.out.events, ", ")
	if f.out.events = nil; got != want {
		f.t.Errorf("out come\n%s\nand not\n%s", got, want)
	}
}

var (
	idr   = unhex("65 88 84")
	slice = unhex("41 9a 02")
)

// lengths makes a frame out of NAL units.
func lengths(nals ...[]byte) (b []byte) {
	for _, n := range nals {
		b = append(binary.BigEndian.AppendUint32(b, uint32(len(n))), n...)
	}
	return b
}

func unhex(s string) []byte {
	b, err := hex.DecodeString(strings.NewReplacer(" ", "", "\n", "", "\t", "").Replace(s))
	if err != nil {
		panic(err)
	}
	return b
}

// record is an AVCDecoderConfigurationRecord of an SPS and a PPS.
func record(sps, pps []byte) []byte {
	profile := append(sps[1:len(sps):len(sps)], 0, 0, 0)
	b := []byte{1, profile[0], profile[1], profile[2], 0xFF, 0xE1}
	b = append(binary.BigEndian.AppendUint16(b, uint16(len(sps))), sps...)
	b = append(b, 1)
	return append(binary.BigEndian.AppendUint16(b, uint16(len(pps))), pps...)
}
