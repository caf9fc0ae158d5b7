package remux

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/sluice-live/sluice/ingest/flv"
)

// meter is an Output that compares samples with when they were captured.
type meter struct {
	captured [2][]float64 // by track: times of capture that have not come out, s
	base     float64      // what they count from, s since 1970
	rates    [2]float64
	err      [2]float64 // of the newest sample, s
	worst    float64    // offset between the tracks, s
	last     [2]int64
	steps    [2]map[int64]int // of the DTS, where they are counted
	periods  int
	samples  int
}

func (m *meter) Begin(now time.Time) time.Time { return now }
func (m *meter) Close(error)                   {}
func (m *meter) SetTracks(tracks []Track) error {
	m.periods++
	for i, t := range tracks {
		m.rates[i] = float64(t.Timescale)
	}
	return nil
}

func (m *meter) WriteSample(s *Sample) error {
	k, rate := s.Track, int64(m.rates[s.Track])
	at := float64(s.DTS/rate) - m.base + float64(s.DTS%rate)/m.rates[k]
	m.err[k] = at - m.captured[k][0]
	m.captured[k] = m.captured[k][1:]
	if m.last[1-k] > 0 {
		m.worst = max(m.worst, math.Abs(m.err[0]-m.err[1]))
	}
	if m.steps[k] != nil && m.last[k] > 0 {
		m.steps[k][s.DTS-m.last[k]]++
	}
	m.last[k] = s.DTS
	m.samples++
	return nil
}

// run feeds 29.97 fps and 44.1 kHz with timestamps in whole milliseconds of a
// clock that is off by ppm, over a network that delays by 0 to 60 ms.
func (m *meter) run(t *testing.T, ppm float64, length time.Duration) {
	t.Helper()
	const base = 1_700_000_000
	m.base = base
	rnd := rand.New(rand.NewPCG(1, uint64(ppm+1000)))
	now := time.Unix(base, 0)
	r := New(m, func() time.Time { return now }, Hooks{Note: func(s string) { t.Error(s) }})
	write := func(typ flv.TagType, ts float64, body []byte) {
		if err := r.WriteTag(flv.Tag{Type: typ, Timestamp: uint32(math.Round(ts * 1000)), Body: body}); err != nil {
			t.Fatal(err)
		}
	}
	write(flv.TagVideo, 0, append([]byte{0x17, 0, 0, 0, 0}, record(highSPS, highPPS)...))
	write(flv.TagAudio, 0, append([]byte{0xAF, 0}, unhex(mono44)...))
	key := append([]byte{0x17, 1, 0, 0, 0}, lengths(idr)...)
	inter := append([]byte{0x27, 1, 0, 0, 0}, lengths(slice)...)
	sound := []byte{0xAF, 1, 0x21, 0x10}
	arrival := 0.0
	for audio, video := 0, 0; ; {
		a, v := float64(audio)*1024/44100, float64(video)*1001/30000
		at, k := v, 0
		if a < v {
			at, k = a, 1
		}
		if at > length.Seconds() {
			return
		}
		arrival = max(arrival, at+rnd.Float64()*0.06)
		now = time.Unix(base, int64(arrival*1e9))
		m.captured[k] = append(m.captured[k], at)
		switch at *= 1 + ppm/1e6; {
		case k == 1:
			write(flv.TagAudio, at, sound)
			audio++
			continue
		case video%60 == 0:
			write(flv.TagVideo, at, key)
		default:
			write(flv.TagVideo, at, inter)
		}
		video++
	}
}

// F10: an encoder's clock that is off by 200 ppm for three days.
func TestF10ClockDrift(t *testing.T) {
	length := 72 * time.Hour
	if race || testing.Short() { // the race detector has nothing to find, and is slow
		length = 6 * time.Hour
	}
	for _, ppm := range []float64{200, -200} {
		t.Run(fmt.Sprintf("%+.0f ppm", ppm), func(t *testing.T) {
			t.Parallel()
			var m meter
			m.run(t, ppm, length)
			t.Logf("after %v and %d samples: A/V offset %.1f ms at most, off the true time by %.0f ms", length, m.samples, m.worst*1000, m.err[0]*1000)
			if m.worst > 0.03 || m.periods != 1 {
				t.Errorf("A/V offset %.1f ms, %d periods", m.worst*1000, m.periods)
			}
			if math.Abs(m.err[0]) > 0.5 {
				t.Errorf("off the true time by %.0f ms", m.err[0]*1000)
			}
		})
	}
}

// Milliseconds become the cadence that they were rounded from.
func TestCadence(t *testing.T) {
	m := meter{steps: [2]map[int64]int{{}, {}}}
	m.run(t, 0, 10*time.Minute)
	frames, even := 0, m.steps[0][3003]
	for _, n := range m.steps[0] {
		frames += n
	}
	// Until the rate is known, the encoder's milliseconds are all there is.
	if even < frames-framesToMeasure-1 {
		t.Errorf("%d of %d frames last 1001/30000 s: %v", even, frames, m.steps[0])
	}
	if n := len(m.steps[1]); n != 1 {
		t.Errorf("audio units last %v", m.steps[1])
	}
}

// A grid follows the line where that is bent most, however few frames there are.
func TestGridFollows(t *testing.T) {
	for _, fps := range []int64{5, 10, 30, 60, 120} {
		for _, ppm := range []int64{-500, 500} {
			v := videoClock{}
			v.expect(Rational{Num: uint32(fps), Den: 1})
			last, frame := int64(0), VideoTimescale/fps
			for n := range 300 * fps {
				ms := 1_700_000_000_000 + n*1000/fps
				dts, _ := v.place(ms*1_000_000+n*1000/fps*ppm, 0)
				if step := dts - last; n > 10*fps && !near(step, frame, 3+frame/500) {
					t.Errorf("%d fps, %d ppm: frame %d lasts %d ticks, not %d", fps, ppm, n, step, frame)
					break
				}
				last = dts
			}
		}
	}
}
