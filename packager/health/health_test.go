package health

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluice-live/sluice/ingest/flv"
	"github.com/sluice-live/sluice/packager/packagertest"
	"github.com/sluice-live/sluice/remux"
)

// encoder is an encoder that sends a picture and sound as its fields say, to a
// Remuxer, in a time of its own.
type encoder struct {
	fps, stated float64
	gop         func(n int) float64      // seconds from keyframe n to the next
	size        int                      // bytes of a frame
	rate        int                      // bit/s as it states
	skew        func(at float64) float64 // seconds that a picture's timestamp is off its time
	early       float64                  // seconds by which sound is sent before its time
	drift       float64                  // how fast its clock is
	reorder     int                      // ms
	late        func(at float64) float64 // seconds that the network holds back what is sent at that time
	junk        bool
}

func healthy() encoder {
	return encoder{
		fps: 30, stated: 30, size: 1000, rate: 300_000,
		gop:  func(int) float64 { return 2 },
		skew: func(float64) float64 { return 0 }, late: func(float64) float64 { return 0 },
	}
}

var start = packagertest.Start

// run sends so many seconds, and has look called each second.
func (e encoder) run(t *testing.T, length float64, look func(m remux.Measure, now time.Time)) {
	t.Helper()
	type message struct {
		arrives, sent float64
		tag           flv.Tag
	}
	var all []message
	add := func(sent, stamp float64, tag flv.Tag) {
		tag.Timestamp = uint32(max(0, stamp*(1+e.drift)*1000+0.5))
		all = append(all, message{sent + e.late(sent), sent, tag})
	}
	add(0, 0, flv.Tag{Type: flv.TagVideo, Body: slices.Concat([]byte{0x17, 0, 0, 0, 0}, avcRecord)})
	add(0, 0, flv.Tag{Type: flv.TagAudio, Body: []byte{0xAF, 0, 0x11, 0x90}})
	key, keys := 0.0, 0
	for at := 0.0; at < length; at += 1 / e.fps {
		head := byte(0x27)
		if at >= key-0.001 {
			head, key = 0x17, at+e.gop(keys)
			keys++
		}
		n := e.size
		body := append([]byte{head, 1, 0, byte(e.reorder >> 8), byte(e.reorder), 0, 0, byte(n >> 8), byte(n), 0x65}, make([]byte, n-1)...)
		if head == 0x27 {
			body[9] = 0x41
		}
		add(at, at+e.skew(at), flv.Tag{Type: flv.TagVideo, Body: body})
		if e.junk && int(at*e.fps)%60 == 7 {
			add(at, at, flv.Tag{Type: flv.TagAudio, Body: []byte{0xAF, 1, 0xFF}})
			add(at, at, flv.Tag{Type: flv.TagVideo, Body: []byte{0x27, 1, 0, 0, 0, 0xFF, 0, 0, 9, 9}})
		}
	}
	for at := 0.0; at < length; at += 1024.0 / 48000 {
		add(at, at+e.early, flv.Tag{Type: flv.TagAudio, Body: []byte{0xAF, 1, 0x21, 0x10, 0x04, 0x99, 0x90, 0xa0}})
	}
	slices.SortStableFunc(all, func(a, b message) int {
		if a.sent != b.sent { // a connection keeps the order
			return compare(a.sent, b.sent)
		}
		return 0
	})
	now := start
	r := remux.New(void{}, func() time.Time { return now }, remux.Hooks{})
	meta := []byte("\x02\x00\x0aonMetaData\x08\x00\x00\x00\x02")
	for _, p := range []struct {
		name  string
		value float64
	}{{"framerate", e.stated}, {"videodatarate", float64(e.rate) / 1000}} {
		meta = appendNumber(meta, p.name, p.value)
	}
	if err := r.WriteTag(flv.Tag{Type: flv.TagScript, Body: append(meta, 0, 0, 9)}); err != nil {
		t.Fatal(err)
	}
	reached, looked := 0.0, 0.0
	for _, m := range all {
		reached = max(reached, m.arrives)
		for ; looked+1 <= reached; looked++ {
			look(measured(r), start.Add(time.Duration((looked+1)*float64(time.Second))))
		}
		now = start.Add(time.Duration(reached * float64(time.Second)))
		if err := r.WriteTag(m.tag); err != nil {
			t.Fatal(err)
		}
	}
}

func measured(r *remux.Remuxer) remux.Measure {
	m, _ := r.Measured(time.Time{})
	return m
}

// What is sent is told in the sentences that it should be, and in no others; each
// comes once and stays, and goes when it is over.
func TestSentences(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	every := func(period, length float64) func(float64) float64 {
		return func(at float64) float64 {
			if into := at - period*float64(int(at/period)); at > 30 && into < length {
				return length - into
			}
			return 0
		}
	}
	for _, c := range []struct {
		name   string
		change func(e *encoder)
		want   string // codes
		has    string // of the first
	}{
		{"a healthy stream", func(e *encoder) {}, "", ""},
		{"a healthy stream of 25 fps and a keyframe a second", func(e *encoder) { e.fps, e.stated, e.size, e.gop = 25, 25, 1200, func(int) float64 { return 1 } }, "", ""},
		{"of 59.94 fps with B-frames", func(e *encoder) { e.fps, e.stated, e.reorder, e.size = 59.94, 59.94, 50, 500 }, "", ""},
		{"over a network like many", func(e *encoder) { e.late = func(float64) float64 { return 0.1 * random.Float64() } }, "", ""},
		{"of a usual clock", func(e *encoder) { e.drift = 50e-6 }, "", ""},
		{"that stalled once for a moment", func(e *encoder) { e.late = every(1000, 0); e.late = once(60, 2) }, "", ""},
		{"GOPs of 10 s", func(e *encoder) { e.gop = func(int) float64 { return 10 } }, "keyframes_far", "v1: keyframes come every 10 s"},
		{"GOPs of 8.3 s", func(e *encoder) { e.gop = func(int) float64 { return 250.0 / 30 } }, "keyframes_far", "v1: keyframes come every 8.3 s"},
		{"one keyframe alone", func(e *encoder) { e.gop = func(int) float64 { return 1000 } }, "keyframes_far", "keyframes come every"},
		{"GOPs of 1.5 s", func(e *encoder) { e.gop = func(int) float64 { return 1.5 } }, "keyframes_undivided", "they end at keyframes, and last 3 s"},
		{"scene changes", func(e *encoder) { e.gop = func(n int) float64 { return []float64{2, 0.7, 2, 1.1, 0.3}[n%5] } }, "keyframes_uneven", "0.3 s to 2 s apart"},
		{"frames that come anyhow", func(e *encoder) {
			e.skew = func(float64) float64 { return 0.04 * (random.Float64() - 0.5) }
		}, "frame_rate_unsteady", "a second on average"},
		{"a frame rate of 7 with jitter", func(e *encoder) {
			e.fps, e.stated = 7, 7
			e.skew = func(float64) float64 { return 0.2 * (random.Float64() - 0.5) }
		}, "frame_rate_unsteady", "a second on average"},
		{"half of the frames", func(e *encoder) { e.fps = 15 }, "frame_rate_low", "states 30 frames a second, and sends 15"},
		{"three times the bit rate", func(e *encoder) { e.size = 4000 }, "bitrate_over", "states 300 kbit/s, and sends 96"},
		{"sound 400 ms early", func(e *encoder) { e.early = 0.4 }, "sound_early", "the sound comes 0.4"},
		{"sound 500 ms late", func(e *encoder) { e.early = -0.5 }, "sound_late", "behind the picture"},
		{"a clock that is 600 ppm fast", func(e *encoder) { e.drift = 600e-6 }, "clock_drift", "fast by 2.2 s an hour"},
		{"a clock that is 600 ppm slow, over a network like many", func(e *encoder) {
			e.drift = -600e-6
			e.late = func(float64) float64 { return 0.05 * random.Float64() }
		}, "clock_drift", "slow by"},
		{"stalls", func(e *encoder) { e.late = every(20, 2.5) }, "network_stalls", "for up to 2.5 s"},
		{"late frames", func(e *encoder) {
			e.late = func(at float64) float64 { return 0.8 * float64(int(at)%2) * (1 - (at - float64(int(at)))) }
		}, "network_jitter", "up to 0.8 s late"},
		{"a file as fast as it goes", func(e *encoder) { e.late = func(at float64) float64 { return -at / 3 } }, "too_fast", "1.5 s of media a second"},
		{"a network that is too slow", func(e *encoder) { e.late = func(at float64) float64 { return at / 4 } }, "too_slow", "0.80 s of media a second"},
		{"timestamps that leap", func(e *encoder) {
			e.skew = func(at float64) float64 { return 100 * float64(int(at/20)) }
		}, "timestamps_mended", "in the last minute"},
		{"junk", func(e *encoder) { e.junk = true }, "frames_dropped", "frames could not be used"},
		{"many B-frames", func(e *encoder) { e.reorder = 300 }, "b_frames", "delay the picture by 0.3 s"},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := healthy()
			c.change(&e)
			var chart Chart
			came := make(map[Code]int)
			first := ""
			var before []Code
			e.run(t, 200, func(m remux.Measure, now time.Time) {
				chart = chart.Look(&Patient{Measure: m, Segment: 2 * time.Second, Now: now})
				var codes []Code
				for _, a := range chart.Advice() {
					codes = append(codes, a.Code)
					if !slices.Contains(before, a.Code) {
						came[a.Code]++
					}
					if string(a.Code) == c.want {
						first = a.Text
					}
					if a.OBS == "" || a.FFmpeg == "" || a.Since.IsZero() {
						t.Errorf("%+v", a)
					}
				}
				before = codes
			})
			var codes []string
			for code, n := range came {
				codes = append(codes, string(code))
				if n > 1 {
					t.Errorf("%s came %d times", code, n)
				}
			}
			slices.Sort(codes)
			if got := strings.Join(codes, " "); got != c.want || !strings.Contains(first, c.has) {
				t.Errorf("%s: %q, want %s with %q", got, first, c.want, c.has)
			}
		})
	}
}

func once(when, length float64) func(float64) float64 {
	return func(at float64) float64 {
		if at >= when && at < when+length {
			return when + length - at
		}
		return 0
	}
}

// What gets better is over after a while, and what only seems to isn't.
func TestOver(t *testing.T) {
	e := healthy()
	e.gop = func(n int) float64 {
		if n < 6 {
			return 10
		}
		return 2
	}
	var chart Chart
	var told []string
	e.run(t, 120, func(m remux.Measure, now time.Time) {
		before := len(chart.Advice())
		chart = chart.Look(&Patient{Measure: m, Segment: 2 * time.Second, Now: now})
		if n := len(chart.Advice()); n != before {
			told = append(told, fmt.Sprint(n, " at ", now.Sub(start)/(10*time.Second)*10))
		}
	})
	if len(told) != 2 {
		t.Error(told)
	}
}

// Every code is told once in docs, and is as a program writes it.
func TestCodes(t *testing.T) {
	seen := make(map[Code]bool)
	for _, r := range rules {
		if seen[r.code] || strings.ToLower(string(r.code)) != string(r.code) || !slices.Contains(Severities, r.severity) || r.when == "" || r.obs == "" || r.ffmpeg == "" {
			t.Errorf("%+v", r)
		}
		seen[r.code] = true
	}
}
