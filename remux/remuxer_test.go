package remux

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluice-live/sluice/ingest/amf"
	"github.com/sluice-live/sluice/ingest/flv"
)

const (
	stereo48 = "1190"
	mono44   = "1208"
)

func (f *feed) configs() {
	f.videoConfig(record(highSPS, highPPS))
	f.audioConfig(stereo48)
}

func TestRemuxer(t *testing.T) {
	const both = "tracks avc1.640028 mp4a.40.2"
	for _, c := range []struct {
		name string
		do   func(f *feed)
		want string
	}{
		{"audio and video begin together", func(f *feed) {
			f.configs()
			f.key(0)
			f.sound(3)
			f.inter(40)
			f.sound(24)
		}, both + ", video 0 key, audio 3, video 40, audio 24"},
		{"audio first", func(f *feed) {
			f.configs()
			f.sound(0)
			f.key(20)
			f.sound(21)
			f.inter(60)
		}, both + ", audio 0, video 20 key, audio 21, video 60"},
		{"the first sample of video is a keyframe", func(f *feed) {
			f.configs()
			f.inter(0)
			f.inter(40)
			f.key(80)
			f.inter(120)
		}, both + ", video 80 key, video 120"},
		{"audio up to 250 ms before the keyframe", func(f *feed) {
			f.configs()
			for ts := uint32(0); ts <= 400; ts += 100 {
				f.sound(ts)
			}
			f.inter(405)
			f.key(450)
			f.inter(490)
		}, both + ", audio 200, audio 300, audio 400, video 450 key, video 490"},
		{"frames before their configurations", func(f *feed) {
			f.sound(0)
			f.key(0)
			f.sound(21)
			f.configs()
			f.inter(40)
		}, both + ", audio 0, video 0 key, audio 21, video 40"},
		{"video alone, after a second", func(f *feed) {
			f.videoConfig(record(highSPS, highPPS))
			f.key(0)
			f.inter(500)
			f.inter(999)
			f.expect("")
			f.inter(1000)
		}, "tracks avc1.640028, video 0 key, video 500, video 999, video 1000"},
		{"audio alone, after a second", func(f *feed) {
			f.audioConfig(stereo48)
			f.sound(0)
			f.sound(980)
			f.expect("")
			f.sound(1000)
		}, "tracks mp4a.40.2, audio 0, audio 980, audio 1001"},
		{"late audio joins at the next keyframe", func(f *feed) {
			f.videoConfig(record(highSPS, highPPS))
			f.key(0)
			f.inter(1000)
			f.audioConfig(stereo48)
			f.sound(1020)
			f.inter(1040)
			f.now = f.now.Add(2 * time.Second)
			f.key(2000)
			f.sound(2010)
		}, "tracks avc1.640028, video 0 key, video 1000, video 1040, " + both + ", video 2000 key, audio 2010"},
		{"late video joins at its keyframe", func(f *feed) {
			f.audioConfig(stereo48)
			f.sound(0)
			f.sound(1000)
			f.videoConfig(record(highSPS, highPPS))
			f.inter(1100)
			f.sound(1100)
			f.key(1200)
			f.inter(1240)
		}, "tracks mp4a.40.2, audio 0, audio 1000, audio 1100, " + both + ", video 1200 key, video 1240"},
		{"video never comes to a keyframe: audio goes on alone", func(f *feed) {
			f.configs()
			f.inter(0)
			for ts := uint32(0); ts < 10_000; ts += 100 {
				f.sound(ts)
				f.inter(ts)
			}
			f.expect("")
			f.sound(10_000)
			f.inter(10_040)
			f.now = f.now.Add(11 * time.Second)
			f.key(11_000)
		}, "tracks mp4a.40.2, audio 8700, audio 8800, audio 8900, audio 9000, audio 9100, audio 9200, audio 9300, audio 9400, audio 9500, audio 9600, audio 9700, audio 9800, audio 9900, audio 10000, " + both + ", video 11000 key"},
		{"in-band parameter sets: the same again", func(f *feed) {
			f.configs()
			f.key(0, highSPS, highPPS)
			f.key(40, highSPS, highPPS)
			f.key(80, highPPS)
		}, both + ", video 0 key, video 40 key, video 80 key"},
		{"in-band parameter sets: others, exactly at the keyframe", func(f *feed) {
			f.configs()
			f.key(0, highSPS, highPPS)
			f.inter(40)
			f.key(80, mainSPS, mainPPS)
			f.key(120, mainSPS, mainPPS)
		}, both + ", video 0 key, video 40, tracks avc1.4d401e mp4a.40.2, video 80 key, video 120 key"},
		{"new configuration record", func(f *feed) {
			f.configs()
			f.key(0)
			f.videoConfig(record(highSPS, highPPS))
			f.inter(40)
			f.videoConfig(record(mainSPS, mainPPS))
			f.inter(80) // of neither
			f.key(120)
			f.inter(160)
		}, both + ", video 0 key, video 40, tracks avc1.4d401e mp4a.40.2, video 120 key, video 160"},
		{"new audio configuration, at the next keyframe", func(f *feed) {
			f.configs()
			f.key(0)
			f.sound(0)
			f.audioConfig(stereo48)
			f.sound(21)
			f.audioConfig(mono44)
			f.sound(43) // of neither
			f.key(80)
			f.sound(80)
		}, both + ", video 0 key, audio 0, audio 21, " + both + ", video 80 key, audio 80"},
		{"new audio configuration without video, at once", func(f *feed) {
			f.audioConfig(stereo48)
			f.sound(0)
			f.sound(1000)
			f.audioConfig(mono44)
			f.sound(1020)
		}, "tracks mp4a.40.2, audio 0, audio 1000, tracks mp4a.40.2, audio 1021"},
		{"negative composition offsets", func(f *feed) {
			f.configs()
			f.tag(flv.TagVideo, 0, []byte{0x17, 1, 0, 0, 90}, lengths(idr))
			f.tag(flv.TagVideo, 40, []byte{0x27, 1, 0xFF, 0xFF, 0xD8}, lengths(slice))
			f.tag(flv.TagVideo, 80, []byte{0x27, 1, 0x80, 0, 0}, lengths(slice))
		}, both + ", video 0 key +90, video 40 -40, video 80"},
		{"a frame behind schedule keeps its PTS", func(f *feed) {
			f.configs()
			f.key(0)
			f.tag(flv.TagVideo, 0, []byte{0x27, 1, 0, 0, 80}, lengths(slice))
			f.tag(flv.TagVideo, 0, []byte{0x27, 1, 0, 0, 40}, lengths(slice))
		}, both + ", video 0 key, video 1 +79, video 2 +38"},
		{"intra refresh: the encoder's word counts", func(f *feed) {
			f.configs()
			f.tag(flv.TagVideo, 0, []byte{0x17, 1, 0, 0, 0}, lengths(slice))
			f.inter(40)
			f.tag(flv.TagVideo, 80, []byte{0x17, 1, 0, 0, 0}, lengths(slice))
		}, both + ", video 0 key, video 40, video 80 key"},
		{"but not where there are IDR pictures", func(f *feed) {
			f.configs()
			f.key(0)
			f.tag(flv.TagVideo, 40, []byte{0x17, 1, 0, 0, 0}, lengths(slice))
			f.tag(flv.TagVideo, 80, []byte{0x27, 1, 0, 0, 0}, lengths(idr))
		}, both + ", video 0 key, video 40, video 80 key"},
		{"damaged frames are dropped", func(f *feed) {
			f.configs()
			f.key(0)
			f.tag(flv.TagVideo, 40, []byte{0x27, 1, 0, 0, 0}, unhex("000000ff 419a"))
			f.tag(flv.TagVideo, 80, []byte{0x27, 1, 0, 0, 0})
			f.tag(flv.TagAudio, 80, []byte{0xAF, 1})
			f.tag(flv.TagVideo, 80)
			f.tag(flv.TagVideo, 80, []byte{0x27, 9, 0, 0, 0, 1})
			f.tag(flv.TagVideo, 80, []byte{0x90, 'h', 'v', 'c', '1', 1})
			f.tag(flv.TagVideo, 80, []byte{0x27, 2, 0, 0, 0})
			f.inter(120)
		}, both + ", video 0 key, video 120"},
		{"length size 2, padding and Annex B come out the same", func(f *feed) {
			r := record(highSPS, highPPS)
			r[4] = 0xFD
			f.videoConfig(r)
			f.audioConfig(stereo48)
			f.tag(flv.TagVideo, 0, []byte{0x17, 1, 0, 0, 0}, unhex("0002 09f0 0000 0003 658884"))
			f.tag(flv.TagVideo, 40, []byte{0x17, 1, 0, 0, 0}, unhex("00000001 09f0 000001 658884"))
		}, both + ", video 0 key, video 40 key"},
		{"no configuration record, all in band", func(f *feed) {
			f.audioConfig(stereo48)
			f.sound(0)
			f.tag(flv.TagVideo, 0, []byte{0x17, 1, 0, 0, 0}, unhex("00000001"), highSPS, unhex("00000001"), highPPS, unhex("00000001 658884"))
			f.inter(40)
		}, both + ", audio 0, video 0 key, video 40"},
		{"all in band, parameter sets in a frame of their own", func(f *feed) {
			f.audioConfig(stereo48)
			f.sound(0)
			f.tag(flv.TagVideo, 0, []byte{0x17, 1, 0, 0, 0}, unhex("00000001"), highSPS, unhex("00000001"), highPPS)
			f.tag(flv.TagVideo, 0, []byte{0x17, 1, 0, 0, 0}, unhex("00000001 658884"))
			f.inter(40)
		}, both + ", audio 0, video 0 key, video 40"},
		{"other parameter sets, and what describes a picture, in frames of their own", func(f *feed) {
			f.configs()
			f.sound(0)
			f.key(0)
			f.inter(40)
			f.tag(flv.TagVideo, 80, []byte{0x27, 1, 0, 0, 0}, unhex("00000002 09f0"))
			f.inter(80)
			f.tag(flv.TagVideo, 120, []byte{0x17, 1, 0, 0, 0}, []byte{0, 0, 0, byte(len(mainSPS))}, mainSPS, []byte{0, 0, 0, byte(len(mainPPS))}, mainPPS)
			f.key(120)
			f.inter(160)
		}, both + ", audio 0, video 0 key, video 40, video 80, tracks avc1.4d401e mp4a.40.2, video 120 key, video 160"},
		{"a record without parameter sets, all in band", func(f *feed) {
			f.videoConfig(unhex("01640028 ffe0 00"))
			f.key(0, highSPS, highPPS)
			f.inter(1000)
		}, "tracks avc1.640028, video 0 key, video 1000"},
		{"a record without PPS, which comes in band", func(f *feed) {
			f.videoConfig(record(highSPS, highPPS)[:8+len(highSPS)])
			f.key(0, highSPS, highPPS)
			f.inter(1000)
		}, "tracks avc1.640028, video 0 key, video 1000"},
		{"ends before a second", func(f *feed) {
			f.videoConfig(record(highSPS, highPPS))
			f.key(0)
			f.inter(40)
			f.expect("")
			f.r.Close(nil)
		}, "tracks avc1.640028, video 0 key, video 40"},
		{"another sound before the first keyframe", func(f *feed) {
			f.videoConfig(record(highSPS, highPPS))
			f.audioConfig(stereo48)
			f.sound(0)
			f.sound(21)
			f.audioConfig(mono44)
			f.sound(42)
			f.key(50)
			f.inter(90)
		}, "tracks avc1.640028 mp4a.40.2, audio 42, video 50 key, video 90"},
		{"another picture while sound is waited for", func(f *feed) {
			f.videoConfig(record(highSPS, highPPS))
			f.key(0)
			f.inter(40)
			f.tag(flv.TagVideo, 80, []byte{0x17, 0, 0, 0, 0}, record(mainSPS, mainPPS))
			f.key(80)
		}, "tracks avc1.640028, video 0 key, video 40, tracks avc1.4d401e, video 80 key"},
		{"ends without a keyframe", func(f *feed) {
			f.videoConfig(record(highSPS, highPPS))
			f.inter(40)
			f.r.Close(nil)
		}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFeed(t)
			f.t = t
			c.do(f)
			if f.expect(c.want); f.err != nil {
				t.Error(f.err)
			}
		})
	}
}

// The clip that sluice demo sends comes out whole.
func TestClip(t *testing.T) {
	file, err := os.Open("../cmd/sluice/clip.flv")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	tags, err := flv.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	f := newFeed(t)
	var in, out [2]int
	for {
		tag, err := tags.ReadTag()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		for p, err := range flv.Packets(tag) {
			if err == nil && p.Type == flv.PacketFrame {
				in[p.Kind]++
			}
		}
		if f.tag(tag.Type, tag.Timestamp, tag.Body); f.err != nil {
			t.Fatal(f.err)
		}
	}
	f.r.Close(nil)
	for _, s := range f.out.samples {
		out[s.Track]++
	}
	if in != out || in[Video] == 0 || in[Audio] == 0 || len(f.out.periods) != 1 || len(f.notes) != 0 {
		t.Errorf("%v frames in, %v out in %d periods, notes %q", in, out, len(f.out.periods), f.notes)
	}
}

func TestClose(t *testing.T) {
	for _, cause := range []error{nil, io.ErrUnexpectedEOF} {
		f := newFeed(t)
		f.configs()
		f.key(0)
		f.r.Close(cause)
		if f.out.closed != 1 || f.out.cause != cause {
			t.Errorf("closed %d times, cause %v", f.out.closed, f.out.cause)
		}
	}
}

// A stream of which nothing can be made ends after 10 s of media, not of time.
func TestNothingUsable(t *testing.T) {
	for name, send := range map[string]func(f *feed, ts uint32){
		"codecs of which nobody knows anything": func(f *feed, ts uint32) {
			f.tag(flv.TagVideo, ts, []byte{0x90, 'd', 'i', 'v', 'x', 1})
			f.tag(flv.TagAudio, ts, []byte{0x90, 'a', 'c', '-', '4', 1})
		},
		"MP3 that is none":          func(f *feed, ts uint32) { f.tag(flv.TagAudio, ts, []byte{0x2F, 0xFF, 0xFB}) },
		"frames, no configurations": func(f *feed, ts uint32) { f.inter(ts); f.sound(ts) },
	} {
		f := newFeed(t)
		for ts := uint32(5000); f.err == nil && ts < 30_000; ts += 20 {
			if send(f, ts); f.err != nil && ts != 15_000 {
				t.Errorf("%s: given up at %d", name, ts)
			}
		}
		if f.expect(""); !errors.Is(f.err, errNothing) || len(f.notes) > 3 {
			t.Errorf("%s: %v, notes %q", name, f.err, f.notes)
		}
	}
	f := newFeed(t) // silence is not a codec
	f.audioConfig(stereo48)
	for ts := uint32(0); ts < 30_000; ts += 20 {
		if f.tag(flv.TagVideo, ts, []byte{0x90, 'a', 'v', '0', '1', 1}); f.err != nil {
			t.Fatal(f.err)
		}
		f.sound(ts)
	}
}

// Whatever a stream waits for, the wait costs a bounded amount of memory.
func TestWaitIsBounded(t *testing.T) {
	frame := append([]byte{0x27, 1, 0, 0, 0}, lengths(make([]byte, 20_000))...)
	frame[9] = 0x41
	for name, send := range map[string]func(f *feed, i uint32){
		"video that never comes to a keyframe": func(f *feed, i uint32) { f.tag(flv.TagVideo, 40*i, frame) },
		"the same, and time stands still":      func(f *feed, i uint32) { f.tag(flv.TagVideo, 0, frame) },
		"audio while time stands still": func(f *feed, i uint32) {
			f.inter(0)
			f.tag(flv.TagAudio, 0, append([]byte{0xAF, 1}, frame...))
		},
	} {
		f := newFeed(t)
		f.videoConfig(record(highSPS, highPPS))
		if strings.HasPrefix(name, "audio") {
			f.audioConfig(stereo48)
		}
		for i := range uint32(1000) {
			if send(f, i); i%50 != 49 {
				continue
			}
			held := 0
			for _, q := range f.r.lobby.frames {
				held += cap(q.Data)
			}
			if held > gatherBytes+1<<20 {
				t.Errorf("%s: %d bytes wait after %d frames", name, held, i)
				break
			}
		}
	}
	f := newFeed(t)
	f.configs()
	for range 20_000 { // tags so small that their bookkeeping is what they cost
		f.tag(flv.TagAudio, 0, []byte{0xAF, 1, 0})
	}
	if n := len(f.r.lobby.frames); n > gatherBytes/queuedCost {
		t.Errorf("%d tags wait", n)
	}
}

func TestMetadata(t *testing.T) {
	for _, c := range []struct {
		value any
		want  [2]int
	}{
		{amf.ECMAArray{{Name: "videodatarate", Value: 2500.0}, {Name: "audiodatarate", Value: 128.0}}, [2]int{2_500_000, 128_000}},
		{amf.Object{{Name: "videodatarate", Value: 2500.5}}, [2]int{2_500_500, 0}},
		{amf.Object{{Name: "videodatarate", Value: "2500"}, {Name: "audiodatarate", Value: math.NaN()}}, [2]int{}},
		{amf.Object{{Name: "videodatarate", Value: math.Inf(1)}, {Name: "audiodatarate", Value: -1.0}}, [2]int{}},
		{"no object", [2]int{}},
	} {
		f := newFeed(t)
		f.tag(flv.TagScript, 0, amf.Append(nil, "onMetaData", c.value))
		f.configs()
		f.key(0)
		f.inter(40)
		tracks := f.out.periods[0]
		if got := [2]int{tracks[0].Bitrate, tracks[1].Bitrate}; got != c.want {
			t.Errorf("%v: %v", c.value, got)
		}
	}
	f := newFeed(t)
	f.tag(flv.TagScript, 0, []byte{2, 0})
	f.tag(flv.TagScript, 0)
	if f.err != nil {
		t.Error(f.err)
	}
}

// failing is an Output that refuses.
type failing struct {
	Output
	tracks, sample error
}

func (o failing) Begin(now time.Time) time.Time { return now }

func (o failing) SetTracks([]Track) error   { return o.tracks }
func (o failing) WriteSample(*Sample) error { return o.sample }

func TestOutputErrors(t *testing.T) {
	broken := errors.New("disk full")
	for _, out := range []failing{{tracks: broken}, {sample: broken}} {
		f := newFeed(t)
		f.r.out = out
		f.configs()
		f.key(0)
		if f.inter(40); f.err != broken {
			t.Errorf("%+v: %v", out, f.err)
		}
	}
}

func TestF8F9Timeline(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(f *feed)
		want string
	}{
		{"32 bits wrap", func(f *feed) {
			f.key(1<<32 - 40)
			f.sound(1<<32 - 10)
			f.inter(0)
			f.sound(11)
			f.inter(40)
		}, "video 0 key, audio 30, video 40, audio 51, video 80"},
		{"24 bits end", func(f *feed) {
			f.key(1<<24 - 40)
			f.sound(1<<24 - 10)
			f.inter(1 << 24)
			f.sound(1<<24 + 11)
			f.inter(1<<24 + 40)
		}, "video 0 key, audio 30, video 40, audio 51, video 80"},
		{"31 bits end", func(f *feed) {
			f.key(1<<31 - 40)
			f.sound(1<<31 - 10)
			f.inter(1 << 31)
			f.sound(1<<31 + 11)
		}, "video 0 key, audio 30, video 40, audio 51"},
		{"the second track begins behind the wrap", func(f *feed) {
			f.key(1<<32 - 20)
			f.inter(20)
			f.sound(25)
		}, "video 0 key, video 40, audio 45"},
		{"the second track begins before the wrap", func(f *feed) {
			f.key(5)
			f.sound(1<<32 - 5)
			f.inter(45)
		}, "video 0 key, audio -10, video 40"},
		{"audio ±1 ms is one grid", func(f *feed) {
			f.key(0)
			for i, jitter := range []uint32{0, 1, 0, 1, 1, 0} {
				f.sound(uint32(i)*64/3 + jitter)
			}
			f.inter(100)
		}, "video 0 key, audio 0, audio 21, audio 43, audio 64, audio 85, audio 107, video 100"},
		{"an audio unit is lost", func(f *feed) {
			f.key(0)
			f.sound(0)
			f.sound(43)
			f.sound(64)
			f.inter(64)
		}, "video 0 key, audio 0, audio 43, audio 64, video 64"},
		{"video ±1 ms is kept", func(f *feed) {
			f.key(0)
			f.inter(33)
			f.inter(67)
			f.inter(99)
		}, "video 0 key, video 33, video 67, video 99"},
		{"DTS equal and backwards", func(f *feed) {
			f.key(0)
			f.inter(40)
			f.inter(40)
			f.inter(10)
			f.inter(80)
		}, "video 0 key, video 40, video 41 +19, video 42 -32, video 80"},
		{"audio equal and backwards", func(f *feed) {
			f.key(0)
			f.sound(0)
			f.sound(0)
			f.sound(0)
			f.sound(64)
			f.inter(40)
		}, "video 0 key, audio 0, audio 21, audio 21, audio 64, video 40"},
		{"one hour forward, video first", func(f *feed) {
			f.key(0)
			f.sound(10)
			f.inter(40)
			f.sound(31)
			f.inter(3_600_080)
			f.sound(3_600_074)
			f.inter(3_600_120)
			f.sound(3_600_095)
			f.key(3_600_160)
			f.sound(3_600_117)
		}, "video 0 key, audio 10, video 40, audio 31, video 80, video 120, audio 74, audio 95, tracks avc1.640028 mp4a.40.2, video 160 key, audio 117"},
		{"one hour forward, audio first", func(f *feed) {
			f.key(0)
			f.sound(10)
			f.inter(40)
			f.sound(31)
			f.sound(3_600_053)
			f.inter(3_600_080)
			f.sound(3_600_074)
			f.key(3_600_120)
		}, "video 0 key, audio 10, video 40, audio 31, audio 53, audio 74, video 79, tracks avc1.640028 mp4a.40.2, video 119 key"},
		{"back to zero", func(f *feed) {
			f.key(3_600_000)
			f.sound(3_600_010)
			f.inter(3_600_040)
			f.key(0)
			f.sound(2)
			f.inter(40)
			f.sound(23)
			f.key(80)
		}, "video 0 key, audio 10, video 40, tracks avc1.640028 mp4a.40.2, video 80 key, video 120, audio 82, audio 103, video 160 key"},
		{"2^31 forward", func(f *feed) {
			f.key(0)
			f.sound(0)
			f.inter(40)
			f.inter(1<<31 + 80)
			f.sound(1<<31 + 80)
			f.inter(1<<31 + 120)
			f.sound(1<<31 + 101)
			f.key(1<<31 + 160)
		}, "video 0 key, audio 0, video 40, video 80, video 120, audio 80, audio 101, tracks avc1.640028 mp4a.40.2, video 160 key"},
		{"one track jumps alone", func(f *feed) {
			f.key(0)
			f.sound(10)
			f.inter(40)
			f.inter(500_080)
			f.sound(31)
			f.inter(500_120)
			f.sound(52)
			f.key(500_160)
		}, "video 0 key, audio 10, video 40, audio 31, video 80, video 120, audio 53, video 160 key"},
		{"a stray frame", func(f *feed) {
			f.key(0)
			f.sound(10)
			f.inter(40)
			f.inter(500_080)
			f.inter(120)
			f.sound(31)
			f.inter(160)
			f.key(200)
		}, "video 0 key, audio 10, video 40, video 120, audio 31, video 160, video 200 key"},
		{"a stray frame, and then a silence of the track alone", func(f *feed) {
			f.key(0)
			f.inter(40)
			f.inter(500_080)
			for i := range uint32(7 * 48) {
				f.sound(i * 64 / 3)
			}
			f.out.events = f.out.events[:2]
			f.now = time.UnixMilli(base + 7100)
			f.inter(7100)
			f.inter(7140)
		}, "video 0 key, video 7100, video 7140"},
		{"a stray frame, and the decoder again", func(f *feed) {
			f.key(0)
			f.sound(10)
			f.inter(40)
			f.inter(500_080)
			f.sound(500_031)
			f.videoConfig(record(highSPS, highPPS))
			f.audioConfig(stereo48)
			f.inter(120)
			f.sound(53)
			f.key(160)
		}, "video 0 key, audio 10, video 40, video 120, audio 53, video 160 key"},
		{"a stray frame, and another decoder", func(f *feed) {
			f.key(0)
			f.inter(40)
			f.inter(500_080)
			f.tag(flv.TagVideo, 120, []byte{0x17, 0, 0, 0, 0}, record(mainSPS, mainPPS))
			f.key(120)
			f.inter(160)
		}, "video 0 key, video 40, tracks avc1.4d401e mp4a.40.2, video 120 key, video 160"},
		{"the clock is set right behind the first sound", func(f *feed) {
			f.sound(0)
			f.now = f.now.Add(200 * time.Millisecond)
			f.key(10_000)
			f.sound(10_021)
			f.inter(10_040)
			f.sound(10_043)
		}, "audio 0, video 200 key, video 240, audio 221, audio 242"},
		{"two stray frames", func(f *feed) {
			f.key(0)
			f.inter(40)
			f.inter(500_080)
			f.inter(900_120)
			f.inter(160)
			f.key(200)
		}, "video 0 key, video 40, video 80, video 160, video 200 key"},
		{"a stray frame as the stream leaps", func(f *feed) {
			f.key(0)
			f.sound(0)
			f.inter(40)
			f.sound(21)
			f.inter(700_080)
			f.inter(10_120)
			f.sound(10_043)
			f.inter(10_160)
			f.sound(10_064)
			f.key(10_200)
		}, "video 0 key, audio 0, video 40, audio 21, video 80, video 120, video 160, audio 43, audio 64, tracks avc1.640028 mp4a.40.2, video 200 key"},
		{"a stray frame behind a leap", func(f *feed) {
			f.key(0)
			f.sound(0)
			f.inter(40)
			f.sound(21)
			f.inter(10_080)
			f.inter(700_120)
			f.sound(10_043)
			f.inter(10_160)
			f.sound(10_064)
			f.inter(10_200)
			f.key(10_240)
		}, "video 0 key, audio 0, video 40, audio 21, video 80, video 120, audio 43, audio 64, video 159, video 199, tracks avc1.640028 mp4a.40.2, video 239 key"},
		{"a leap right before a pause is no news to wait for", func(f *feed) {
			f.key(0)
			f.inter(40)
			f.inter(500_080)
			f.now = f.now.Add(4 * time.Second)
			f.inter(504_080)
		}, "video 0 key, video 40, video 80, video 120"},
		{"a leap, and no two frames behind it that are near each other", func(f *feed) {
			f.key(0)
			f.inter(40)
			for ts := uint32(12_040); ts < 24_040; ts += 2000 {
				f.now = f.now.Add(time.Second) // they come faster than they were taken
				f.inter(ts)
			}
		}, "video 0 key, video 40, video 80, video 120, video 160, video 2160, video 4160, video 6160"},
		{"no two timestamps that belong together", func(f *feed) {
			f.key(0)
			f.inter(40)
			for i := range uint32(6) {
				f.inter(100_000 * (7*i*i + 3*i + 1))
			}
		}, "video 0 key, video 40, video 80, video 120, video 160, video 200, video 240"},
		{"2 s forward", func(f *feed) {
			f.key(0)
			f.sound(0)
			f.inter(40)
			f.sound(21)
			f.inter(2080)
			f.sound(2043)
			f.inter(2120)
			f.sound(2064)
			f.key(2160)
		}, "video 0 key, audio 0, video 40, audio 21, video 80, video 120, audio 43, audio 64, tracks avc1.640028 mp4a.40.2, video 160 key"},
		{"a stray keyframe", func(f *feed) {
			f.key(0)
			f.inter(40)
			f.key(500_080)
			f.inter(120)
		}, "video 0 key, video 40, video 80 key, video 120"},
		{"a gap of 2 s is a gap", func(f *feed) {
			f.key(0)
			f.sound(0)
			f.now = f.now.Add(2 * time.Second)
			f.sound(2000)
			f.inter(2000)
		}, "video 0 key, audio 0, audio 2000, video 2000"},
		{"10 s forward and back, and again", func(f *feed) {
			for i, ts := range []uint32{0, 10_040, 80, 10_120} {
				f.key(ts)
				f.inter(ts + 20)
				f.sound(ts + 10)
				f.sound(ts + 31)
				f.now = f.now.Add(time.Duration(40*(i+1)) * time.Millisecond)
			}
		}, "video 0 key, video 20, audio 10, audio 31, video 40 key, video 60, audio 53, audio 74, tracks avc1.640028 mp4a.40.2, video 80 key, video 100, audio 95, audio 117, tracks avc1.640028 mp4a.40.2, video 120 key, video 140, audio 138, audio 159"},
		{"a pause of 4 s is a hole, from the next keyframe on", func(f *feed) {
			f.key(0)
			f.sound(10)
			f.inter(40)
			f.now = f.now.Add(4 * time.Second)
			f.inter(4040)
			f.sound(4031)
			f.key(4080)
			f.sound(4052)
		}, "video 0 key, audio 10, video 40, video 80, audio 71, tracks avc1.640028 mp4a.40.2, video 4080 key, audio 4052"},
		{"a pause of 4 s, and a leap at the keyframe behind it", func(f *feed) {
			f.key(0)
			f.inter(40)
			f.now = f.now.Add(4 * time.Second)
			f.inter(4040)
			f.key(500_000)
			f.inter(500_040)
			f.inter(500_080)
		}, "video 0 key, video 40, video 80, tracks avc1.640028 mp4a.40.2, video 4080 key, video 4120, video 4160"},
		{"video pauses 4 s, audio doesn't", func(f *feed) {
			f.key(0)
			for i := range uint32(190) {
				f.sound(i * 64 / 3)
			}
			f.out.events = f.out.events[:2]
			f.inter(4040)
			f.key(4080)
		}, "video 0 key, video 4040, video 4080 key"},
		{"sound begins where the picture is about to jump to, late", func(f *feed) {
			f.key(0)
			f.inter(40)
			f.now = f.now.Add(5 * time.Second)
			f.inter(10_080)
			f.sound(10_080)
			f.inter(10_120)
			f.sound(10_101)
		}, "video 0 key, video 40, audio 80, video 80, video 120, audio 101"},
		{"sound pauses 3.4 s, and all of it comes in a burst", func(f *feed) {
			f.key(0)
			f.sound(3_600_000)
			f.now = f.now.Add(4 * time.Second)
			f.sound(3_600_021)
			for i := range uint32(86) {
				f.inter(40 + 40*i)
			}
			f.sound(3_603_456)
			f.out.events = slices.DeleteFunc(f.out.events, func(e string) bool { return strings.HasPrefix(e, "video") && !strings.HasSuffix(e, "key") })
		}, "video 0 key, audio 0, audio 21, audio 3456"},
		{"… and the picture leaps in it", func(f *feed) {
			f.key(20_000)
			f.sound(20_000)
			f.now = f.now.Add(13 * time.Second)
			f.sound(20_021)
			for i := range uint32(320) {
				f.inter(10_040 + 40*i)
			}
			f.sound(32_821)
			f.out.events = slices.DeleteFunc(f.out.events, func(e string) bool { return strings.HasPrefix(e, "video") && !strings.HasSuffix(e, "key") })
		}, "video 0 key, audio 0, audio 21, audio 12821"},
		{"the last frame jumps", func(f *feed) {
			f.key(0)
			f.sound(10)
			f.inter(500_040)
			f.r.Close(nil)
		}, "video 0 key, audio 10, video 20"},
		{"bases 0.4 s apart leap alike", func(f *feed) {
			f.key(0)
			f.sound(0)
			f.inter(40)
			f.sound(21)
			for _, ts := range []uint32{10_080, 10_120, 560, 600} { // 10 s forward, 9.6 s back
				f.inter(ts)
			}
			f.now = f.now.Add(11 * time.Second)
			for i := range uint32(6) {
				f.sound(43 + 64*i/3)
			}
			f.key(500_640)
			f.sound(500_171)
			f.inter(500_680)
			f.sound(500_192)
			f.key(500_720)
			f.sound(500_213)
		}, "video 0 key, audio 0, video 40, audio 21, video 80, video 120, video 160, video 200, audio 43, audio 64, audio 85, audio 107, audio 128, audio 149, tracks avc1.640028 mp4a.40.2, video 240 key, video 280, audio 171, audio 192, video 320 key, audio 213"},
		{"bases 0 and 1 h", func(f *feed) {
			f.key(0)
			f.sound(3_600_000)
			f.inter(40)
			f.sound(3_600_021)
		}, "video 0 key, audio 0, video 40, audio 21"},
		{"bases 1 h and 0", func(f *feed) {
			f.key(3_600_000)
			f.sound(0)
			f.inter(3_600_040)
			f.sound(21)
		}, "video 0 key, audio 0, video 40, audio 21"},
		{"bases 0 and 49 days", func(f *feed) {
			f.key(0)
			f.sound(0xF000_0000)
			f.inter(40)
			f.sound(0xF000_0015)
		}, "video 0 key, audio 0, video 40, audio 21"},
		{"bases 49 days and 0", func(f *feed) {
			f.key(0xF000_0000)
			f.sound(0)
			f.inter(0xF000_0028)
			f.sound(21)
		}, "video 0 key, audio 0, video 40, audio 21"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFeed(t)
			f.configs()
			c.do(f)
			f.expect("tracks avc1.640028 mp4a.40.2, " + c.want)
		})
	}
}

// Timestamps that jump while nothing comes: where the encoder was away, all that
// follows is later by that; where a network stood still, the burst behind it shows
// that nothing is.
func TestF8LeapInASilence(t *testing.T) {
	const frame, gop, silence = 40 * time.Millisecond, 25, 5 * time.Second
	for _, c := range []struct {
		name string
		late func(n int) time.Duration // how much later than it was taken a frame comes
		hole time.Duration
	}{
		{"away", func(int) time.Duration { return silence }, silence},
		{"a burst", func(n int) time.Duration { return max(0, silence-time.Duration(n)*frame) }, 0},
		{"twice as fast as it was taken", func(n int) time.Duration { return max(0, silence-time.Duration(n)*frame/2) }, 0},
		{"a burst of one second of it", func(n int) time.Duration { return silence - time.Duration(min(n, gop))*frame }, silence - gop*frame},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFeed(t)
			f.configs()
			began, stamp, hole := f.now, uint32(0), time.Duration(0)
			for n := range 500 {
				taken := time.Duration(n) * frame
				f.now = began.Add(taken)
				if n == 4*gop+7 {
					stamp = 500_000
				}
				if n >= 4*gop+7 {
					f.now = f.now.Add(c.late(n - 4*gop - 7))
				}
				if n%gop == 0 {
					f.key(stamp)
				} else {
					f.inter(stamp)
				}
				f.sound(stamp + 10)
				stamp += uint32(frame / time.Millisecond)
			}
			if n := len(f.out.periods); n != 2 {
				t.Errorf("%d periods, not 2", n)
			}
			last := f.out.samples[0].DTS
			for _, s := range f.out.samples {
				if s.Track == 0 {
					hole = max(hole, time.Duration(s.DTS-last)*time.Second/VideoTimescale-frame)
					last = s.DTS
				}
			}
			if !near(int64(hole), int64(c.hole), int64(200*time.Millisecond)) {
				t.Errorf("a hole of %v, not %v", hole, c.hole)
			}
		})
	}
}

// A leap that sound follows late, when the line is mended already, is one leap, and
// the next one like it is another.
func TestF8LeapsOneByOne(t *testing.T) {
	f := newFeed(t)
	f.configs()
	f.key(0)
	stamp := uint32(40)
	for range 3 {
		for range 50 {
			f.now = f.now.Add(40 * time.Millisecond)
			f.inter(stamp)
			f.sound(stamp + 10)
			stamp += 40
		}
		f.now = f.now.Add(40 * time.Millisecond)
		f.inter(stamp + 10_000)
		f.sound(stamp + 10_010)
		f.key(stamp + 10_040)
		f.sound(stamp + 10_050)
		stamp += 10_080
		for range 300 {
			f.now = f.now.Add(40 * time.Millisecond)
			f.key(stamp)
			f.sound(stamp + 10)
			stamp += 40
		}
	}
	if n := len(f.out.periods); n != 4 {
		t.Errorf("%d periods for 3 leaps, not 4", n)
	}
}

// How much of a leap behind the very first frames is the step to the next one,
// sound knows by its decoder, and tells the picture.
func TestLeapBehindTheFirstFrames(t *testing.T) {
	f := newFeed(t)
	f.videoConfig(record(highSPS, highPPS))
	f.audioConfig("1588") // 8000 Hz: 128 ms
	f.key(0)
	f.sound(900_000)
	f.sound(910_128)
	f.inter(10_100)
	f.sound(910_256)
	f.inter(10_200)
	f.expect("tracks avc1.640028 mp4a.40.2, video 0 key, audio 0, audio 128, audio 256, video 100, video 200")
}

// Where a period begins in the middle of a stream, its first frame is expected to
// last as long as those before it did, and not what the encoder states: 1/30 s.
func TestFrameDurationOverPeriods(t *testing.T) {
	f := newFeed(t)
	f.videoConfig(record(highSPS, highPPS))
	f.key(0)
	ts := uint32(0)
	more := func() {
		for range 20 {
			ts += 200
			f.inter(ts)
		}
		ts += 200
	}
	more()
	ts += 10_000 // the stream leaps
	f.key(ts)
	more()
	f.key(ts, mainSPS, mainPPS) // and gets another picture
	more()
	if n := len(f.out.periods); n != 3 {
		t.Fatalf("%d periods, not 3", n)
	}
	for i, s := range f.out.samples[2:] {
		if s.Duration != 200*90 {
			t.Errorf("frame %d should last %d ticks, and not 200 ms", i+2, s.Duration)
		}
	}
}

// A stray frame is dropped, and its time is not that of the one before.
func TestFrameDurationAroundAStray(t *testing.T) {
	f := newFeed(t)
	f.configs()
	f.key(0)
	f.inter(500_000)
	f.inter(400)
	f.inter(600)
	for i, s := range f.out.samples[1:] {
		if s.Duration != 200*90 {
			t.Errorf("frame %d should last %d ticks, and not 200 ms", i+1, s.Duration)
		}
	}
}

// The second frame tells the frame rate, whatever the encoder states, and the first
// one is expected to last as long.
func TestFirstFrameDuration(t *testing.T) {
	for i, sps := range []string{spsHex, spsHex, hex.EncodeToString(highSPS)} {
		sound := i > 0
		f := newFeed(t)
		f.videoConfig(record(unhex(sps), mainPPS))
		if sound {
			f.audioConfig(stereo48)
		}
		f.key(0)
		if len(f.out.samples) > 0 {
			t.Error("it is there already")
		}
		for ts := uint32(200); ts <= 1000; ts += 200 {
			f.inter(ts)
		}
		if len(f.out.samples) < 5 {
			t.Fatalf("%d samples", len(f.out.samples))
		}
		for i, s := range f.out.samples {
			if s.Duration != 200*90 {
				t.Errorf("frame %d should last %d ticks, and not 200 ms", i, s.Duration)
			}
		}
	}
}

// The wall clock is looked at once for each track: its steps change nothing.
func TestF10WallClockSteps(t *testing.T) {
	f := newFeed(t)
	f.configs()
	f.key(0)
	f.sound(0)
	f.now = f.now.Add(time.Hour)
	f.inter(40)
	f.now = f.now.Add(-2 * time.Hour)
	f.sound(21)
	f.inter(80)
	f.expect("tracks avc1.640028 mp4a.40.2, video 0 key, audio 0, video 40, audio 21, video 80")
}

// Issue: A/V offset between tracks within 10 ms of the source over 10 minutes
// of 44.1 kHz audio with millisecond timestamps.
func TestAVOffset10Minutes(t *testing.T) {
	const units = 10 * 60 * 44100 / 1024
	for _, c := range []struct {
		name  string
		round func(float64) float64
		lose  int // each audio unit of this number is lost on the way
	}{
		{"rounded", math.Round, math.MaxInt},
		{"cut off", math.Floor, math.MaxInt},
		{"cut off, an audio unit lost in each minute", math.Floor, 2584},
	} {
		name, round, lose := c.name, c.round, c.lose
		for phase := range 3 { // audio begins a little behind video
			f := newFeed(t)
			f.videoConfig(record(highSPS, highPPS))
			f.audioConfig(mono44)
			begin := float64(phase) * 7.37
			audio, video := 0, 0
			var sourceAudio, sourceVideo []float64
			for audio < units {
				a, v := begin+float64(audio)*1024/44.1, float64(video)*1000/29.97
				if v <= a {
					if video%60 == 0 {
						f.key(uint32(round(v)))
					} else {
						f.inter(uint32(round(v)))
					}
					sourceVideo = append(sourceVideo, v)
					video++
					continue
				}
				if audio++; audio%lose != 0 {
					f.sound(uint32(round(a)))
					sourceAudio = append(sourceAudio, a)
				}
			}
			// Offset of each audio sample to the picture before it, against the source's.
			worst, a, v := 0.0, 0, -1
			var videoError float64
			for _, s := range f.out.samples {
				if s.Track == 0 {
					v++
					videoError = float64(s.DTS-base*90)/90 - sourceVideo[v]
					continue
				}
				audioError := float64(s.DTS-base*441/10)/44.1 - sourceAudio[a]
				a++
				worst = max(worst, math.Abs(audioError-videoError))
			}
			t.Logf("timestamps %s, audio %.2f ms behind: the worst offset in %d audio and %d video samples is %.2f ms", name, begin, a, v+1, worst)
			if worst > 10 || a != len(sourceAudio) || v+1 != len(sourceVideo) {
				t.Errorf("worst offset %.2f ms in %d samples", worst, a)
			}
		}
	}
}

// Whatever the timestamps do, DTS grows (the recorder looks), and stays near
// the clock of the wall as long as that ticks along.
func TestRandomTimestamps(t *testing.T) {
	for seed := range uint64(50) {
		rnd := rand.New(rand.NewPCG(seed, 0))
		f := newFeed(t)
		f.configs()
		f.key(0)
		steps := []uint32{0, 1, 20, 21, 40, 1<<32 - 10, 1<<32 - 900, 2900, 3100, 1 << 24, 1 << 31, 1<<32 - 5000}
		ts := [2]uint32{rnd.Uint32(), rnd.Uint32()}
		for range 2000 {
			k := rnd.IntN(2)
			step := uint32(20)
			if rnd.IntN(10) == 0 {
				step = steps[rnd.IntN(len(steps))]
			}
			switch ts[k] += step; {
			case k == 1:
				f.sound(ts[k])
			case rnd.IntN(20) == 0:
				f.key(ts[k], [][]byte{highSPS, mainSPS}[rnd.IntN(2)])
			default:
				f.inter(ts[k])
			}
			if rnd.IntN(200) == 0 {
				f.audioConfig([]string{stereo48, mono44, "1194"}[rnd.IntN(3)])
			}
			f.now = f.now.Add(20 * time.Millisecond)
		}
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

// recordings are what encoders have sent: see the README there.
func recordings(t testing.TB) (all [][]flv.Tag) {
	t.Helper()
	paths, err := filepath.Glob("../ingest/testdata/wire/*.flv")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no recordings: %v", err)
	}
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		r, err := flv.NewReader(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		var tags []flv.Tag
		for {
			tag, err := r.ReadTag()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v", path, err)
			}
			tag.Body = bytes.Clone(tag.Body)
			tags = append(tags, tag)
		}
		all = append(all, tags)
	}
	return all
}

// TestRecordings: whatever codec it has, a recording is taken to its end.
func TestRecordings(t *testing.T) {
	for i, tags := range recordings(t) {
		feed := newFeed(t)
		for _, tag := range tags {
			feed.tag(tag.Type, tag.Timestamp, tag.Body)
		}
		feed.r.Close(nil)
		if feed.err != nil || feed.out.closed != 1 {
			t.Errorf("recording %d: %v, closed %d times", i, feed.err, feed.out.closed)
		}
	}
}

// FuzzRemuxer reads its input as tags: type, step of the timestamp, length,
// body.
func FuzzRemuxer(f *testing.F) {
	tag := func(typ byte, step uint16, body ...[]byte) []byte {
		b := slices.Concat(body...)
		return append(binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16([]byte{typ}, step), uint16(len(b))), b...)
	}
	head := func(b ...byte) []byte { return b }
	videoConfig := tag(9, 0, head(0x17, 0, 0, 0, 0), record(highSPS, highPPS))
	audioConfig := tag(8, 0, head(0xAF, 0), unhex(stereo48))
	key := tag(9, 20, head(0x17, 1, 0, 0, 0), lengths(highSPS, highPPS, idr))
	inter := tag(9, 40, head(0x27, 1, 0xFF, 0xFF, 0xFF), lengths(slice))
	annexB := tag(9, 40, head(0x27, 1, 0, 0, 0), unhex("00000001 09f0 000001 419a02"))
	sound := tag(8, 3, head(0xAF, 1, 0x21))
	f.Add(slices.Concat(videoConfig, audioConfig, key, sound, inter, annexB))
	f.Add(slices.Concat(videoConfig, key, tag(9, 1100, head(0x27, 1, 0, 0, 0), lengths(slice)), audioConfig, sound, key, sound))
	f.Add(slices.Concat(audioConfig, sound, tag(8, 2000, head(0xAF, 1, 1)), tag(8, 0, head(0xAF, 0), unhex("2b118800")), sound))
	f.Add(slices.Concat(tag(9, 0, head(0x17, 0, 0, 0, 0), unhex("01640028 fde0 00")), key, inter, tag(9, 9999, head(0x17, 1, 0, 0, 0), lengths(mainSPS, mainPPS, idr))))
	for _, recording := range recordings(f) {
		var b []byte
		last := recording[0].Timestamp
		for _, t := range recording[:min(len(recording), 12)] {
			b = append(b, tag(byte(t.Type), uint16(t.Timestamp-last), t.Body)...)
			last = t.Timestamp
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		feed := newFeed(t)
		var timestamp uint32
		for len(b) >= 5 && feed.err == nil {
			typ, n := flv.TagType(b[0]), min(int(binary.BigEndian.Uint16(b[3:])), len(b)-5)
			timestamp += uint32(int32(int16(binary.BigEndian.Uint16(b[1:]))))
			feed.tag(typ, timestamp, bytes.Clone(b[5:5+n]))
			b = b[5+n:]
		}
		feed.r.Close(nil)
		if feed.out.closed != 1 {
			t.Error(fmt.Sprint("closed ", feed.out.closed, " times"))
		}
	})
}

// Tags may come by another clock than the one that all rooms go by: somebody set the machine's while
// streams were live. What is written is dated by the rooms'.
func TestTagsByAnotherClock(t *testing.T) {
	var want []string
	for _, off := range []time.Duration{0, time.Hour, -2 * time.Hour} {
		f := newFeed(t)
		f.off = off
		f.configs()
		for ms := uint32(0); ms < 4000; ms += 40 {
			f.now = time.UnixMilli(base + int64(ms))
			if ms%1000 == 0 {
				f.key(ms)
			} else {
				f.inter(ms)
			}
			f.sound(ms)
		}
		f.r.Close(nil)
		if off == 0 {
			want = f.out.events
		}
		if !slices.Equal(f.out.events, want) || len(want) < 100 {
			t.Errorf("by a clock that is %v ahead: %v, not %v", off, f.out.events, want)
		}
	}
}

func BenchmarkRemuxer(b *testing.B) {
	f := newFeed(b)
	r := New(discard{}, time.Now, Hooks{})
	f.r = r
	f.configs()
	f.key(0)
	frame := append([]byte{0x27, 1, 0, 0, 0}, lengths(append([]byte{0x41}, make([]byte, 25_000)...))...)
	sound := append([]byte{0xAF, 1}, make([]byte, 400)...)
	b.ReportAllocs()
	b.SetBytes(int64(len(frame) + 2*len(sound)))
	at, ts := time.Now(), uint32(0) // all come at once
	for b.Loop() {
		ts += 33
		r.WriteTag(flv.Tag{Type: flv.TagVideo, Timestamp: ts, Body: frame, Arrived: at})
		r.WriteTag(flv.Tag{Type: flv.TagAudio, Timestamp: ts, Body: sound, Arrived: at})
		r.WriteTag(flv.Tag{Type: flv.TagAudio, Timestamp: ts + 21, Body: sound, Arrived: at})
	}
}

type discard struct{}

func (discard) Begin(now time.Time) time.Time { return now }
func (discard) SetTracks([]Track) error       { return nil }
func (discard) WriteSample(*Sample) error     { return nil }
func (discard) Close(error)                   {}
