package packager_test

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"github.com/Eyevinn/mp4ff/mp4"

	"github.com/sluice-live/sluice/packager"
	"github.com/sluice-live/sluice/remux"
)

// silence is what the audio track of these tests is filled with.
var silence = []byte("silence")

func audible() remux.Track {
	t := audio
	t.Silence, t.SilenceDuration = silence, 1024
	return t
}

// away is when a track sends nothing, ms since the start.
type away struct{ from, to int64 }

func (a away) at(ms int64) bool { return ms >= a.from && ms < a.to }

// paced plays an encoder whose tracks fall silent, and looks at each Window.
type paced struct {
	*feed
	s            *packager.Stream
	fps          float64
	gop          int64 // frames
	video, audio []away
	skew         int64 // ms that the sound comes behind the picture
}

func silent(list []away, ms int64) bool {
	for _, a := range list {
		if a.at(ms) {
			return true
		}
	}
	return false
}

func (f *paced) play(seconds int64) {
	f.t.Helper()
	v, a := int64(0), int64(0)
	for {
		vms := int64(float64(v)*1000/f.fps + 0.5)
		ams := a * 1024 * 1000 / 48000
		switch {
		case vms > seconds*1000:
			return
		case ams+f.skew <= vms:
			if a++; !silent(f.audio, ams) {
				f.write(remux.Sample{Track: 1, DTS: start.UnixMilli()*48 + (a-1)*1024, Duration: 1024, Sync: true}, fmt.Appendf(nil, "audio %d", a))
			}
		default:
			v++
			key := (v-1)%f.gop == 0
			if silent(f.video, vms) {
				continue
			}
			f.write(remux.Sample{
				Track: 0, DTS: (start.UnixMilli() + vms) * 90, Duration: uint32(90000 / f.fps), Sync: key,
				CompositionOffset: int32(90000 / f.fps), // and no picture is reordered over a pause
			}, fmt.Appendf(nil, "video %d", v))
		}
	}
}

// F31, N10: whatever stays away, the renditions keep pace.
func TestF31TracksFallSilent(t *testing.T) {
	never := int64(1 << 40)
	for name, f := range map[string]paced{
		"sound for 6 s":             {audio: []away{{8000, 14000}}},
		"sound for 1 s":             {audio: []away{{8000, 9000}}},
		"sound in mid-segment":      {audio: []away{{8700, 13300}}},
		"sound for good":            {audio: []away{{8000, never}}},
		"sound from the start":      {audio: []away{{0, never}}},
		"sound for two units":       {audio: []away{{8000, 8062}, {9010, 9030}}},
		"sound, late":               {audio: []away{{8000, 14000}}, skew: 900},
		"picture for 6 s":           {video: []away{{8000, 14000}}},
		"picture for 1 s":           {video: []away{{8100, 9100}}},
		"picture for half a second": {video: []away{{8100, 8600}, {10300, 11000}, {13000, 13900}}},
		"picture in mid-GOP":        {video: []away{{8700, 13300}}},
		"picture, back in mid-GOP":  {video: []away{{8000, 12900}}},
		"picture for good":          {video: []away{{9100, never}}},
		"picture, short GOP":        {video: []away{{9100, 15000}}, gop: 15},
		"picture, long GOP":         {video: []away{{11100, 15000}}, gop: 240},
		"in turn":                   {audio: []away{{6000, 12000}, {20000, 26000}}, video: []away{{13000, 19000}}},
		"both":                      {audio: []away{{6000, 12000}}, video: []away{{6000, 12000}}},
		"overlapping":               {audio: []away{{6000, 12000}}, video: []away{{11000, 17000}}},
		"24 fps":                    {video: []away{{8700, 13300}}, fps: 24, gop: 48},
		"10 fps":                    {video: []away{{8700, 13300}}, fps: 10, gop: 20},
		"2 fps":                     {video: []away{{8700, 13300}}, fps: 2, gop: 4},
	} {
		for _, part := range []time.Duration{200 * time.Millisecond, 500 * time.Millisecond, time.Second} {
			for _, frames := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s/%v/%v", name, part, frames), func(t *testing.T) {
					set := settings
					set.Segments, set.PartDuration, set.FrameFragments = 100, part, frames
					f := f
					f.s, f.feed = publish(t, set, video, audible())
					if f.fps == 0 {
						f.fps = 30
					}
					if f.gop == 0 {
						f.gop = 60
					}
					f.feed.watch = func() { keepsPace(t, f.s.Window(), f.fps) }
					f.play(32)
					f.p.Close(nil)
					w := f.s.Window()
					keepsPace(t, w, f.fps)
					for i := range w.Renditions {
						checkMedia(t, w, &w.Renditions[i], [][]*sent{f.feed.video, f.feed.audio}[i])
					}
				})
			}
		}
	}
}

// Pictures that were held up can't be decoded before their next keyframe. Where the sound
// goes meanwhile, nothing else comes, and their rendition keeps pace with the silence.
func TestF31LatePicturesKeepPace(t *testing.T) {
	set := settings
	set.Segments = 100
	f := paced{}
	f.s, f.feed = publish(t, set, video, audible())
	f.feed.watch = func() { keepsPace(t, f.s.Window(), 30) }
	const stops, soundEnds, keyframe = 9 * 30, 13, 16 * 30
	picture := func(n int64) {
		f.write(remux.Sample{DTS: start.Unix()*90000 + n*3000, Duration: 3000, Sync: n%240 == 0}, fmt.Appendf(nil, "video %d", n))
	}
	for n, unit := int64(0), int64(0); n < soundEnds*30; n++ {
		for ; unit*1024*30 <= n*48000; unit++ {
			f.write(remux.Sample{Track: 1, DTS: start.Unix()*48000 + unit*1024, Duration: 1024, Sync: true}, fmt.Appendf(nil, "audio %d", unit))
		}
		if n < stops {
			picture(n)
		}
	}
	for n := int64(stops); n < keyframe+60; n++ {
		picture(n)
	}
	f.p.Close(nil)
	keepsPace(t, f.s.Window(), 30)
}

// Sound that there is no silence for, and whose units may last as they like, keeps pace
// by gaps.
func TestSoundWithoutSilence(t *testing.T) {
	for name, f := range map[string]paced{
		"for 6 s":          {audio: []away{{8000, 14000}}},
		"for 1 s":          {audio: []away{{8000, 9000}}},
		"in mid-segment":   {audio: []away{{8700, 13300}}},
		"for good":         {audio: []away{{8000, 1 << 40}}},
		"from the start":   {audio: []away{{0, 9000}}},
		"for two units":    {audio: []away{{8000, 8062}, {9010, 9030}}},
		"late":             {audio: []away{{8000, 14000}}, skew: 900},
		"in turn":          {audio: []away{{6000, 12000}, {20000, 26000}}, video: []away{{13000, 19000}}},
		"with the picture": {audio: []away{{6000, 12000}}, video: []away{{6000, 12000}}},
		"not: the picture": {video: []away{{8700, 13300}}},
	} {
		for _, unit := range []uint32{0, 1024} {
			for _, part := range []time.Duration{200 * time.Millisecond, 500 * time.Millisecond, time.Second} {
				t.Run(fmt.Sprintf("%s/%d/%v", name, unit, part), func(t *testing.T) {
					set := settings
					set.Segments, set.PartDuration = 100, part
					track := audible()
					track.Silence, track.UnitDuration = nil, unit
					f := f
					f.s, f.feed = publish(t, set, video, track)
					f.fps, f.gop = 30, 60
					f.feed.watch = func() { keepsPace(t, f.s.Window(), f.fps) }
					f.play(32)
					f.p.Close(nil)
					w := f.s.Window()
					keepsPace(t, w, f.fps)
					for i := range w.Renditions {
						checkMedia(t, w, &w.Renditions[i], [][]*sent{f.feed.video, f.feed.audio}[i])
					}
				})
			}
		}
	}
}

// N10: where the leader's segments are nearly as long as they may be, its followers have
// room behind its boundaries. They don't come to their own limit first, and the numbers
// don't part, segment by segment.
func TestLongestSegmentsKeepTheirNumbers(t *testing.T) {
	for name, f := range map[string]paced{
		"keyframes": {gop: 74}, "no keyframes": {gop: 1 << 40}, "no picture": {gop: 74, video: []away{{20_000, 1 << 40}}},
		"keyframes and scraps": {gop: 33, fps: 10},
	} {
		t.Run(name, func(t *testing.T) {
			set := settings
			set.Segments, set.TargetDuration = 100, 2*time.Second
			if f.fps == 0 {
				f.fps = 30
			} else {
				set.TargetDuration, set.PartDuration = 3*time.Second, 200*time.Millisecond
			}
			f.s, f.feed = publish(t, set, video, audible())
			f.play(600)
			w := f.s.Window()
			begins := make(map[packager.MSN]time.Time)
			for _, s := range w.Renditions[0].Segments {
				begins[s.MSN] = s.Time()
			}
			both, off := 0, time.Duration(0)
			for _, s := range w.Renditions[1].Segments {
				if s.Seconds() < 1.9 && name != "keyframes" && name != "no keyframes" {
					t.Fatalf("segment %d of the sound lasts %v s", s.MSN, s.Seconds())
				}
				if at, ok := begins[s.MSN]; ok {
					both++
					off = s.Time().Sub(at)
				}
			}
			if both < 40 || off.Abs() > 100*time.Millisecond {
				t.Errorf("of %d segments that both have, the last begins %v later in the sound", both, off)
			}
		})
	}
}

// keepsPace is N10.
func keepsPace(t *testing.T, w *packager.Window, fps float64) {
	t.Helper()
	if w.TargetDuration == 0 || len(w.Renditions) < 2 {
		return
	}
	ends := make([]time.Time, len(w.Renditions))
	for i := range w.Renditions {
		r := &w.Renditions[i]
		if r.Header == nil {
			continue
		}
		at := time.Time{}
		for k, s := range r.Segments {
			if k > 0 && s.MSN != r.Segments[k-1].MSN+1 {
				t.Fatalf("%s: number %d follows %d", r.ID, s.MSN, r.Segments[k-1].MSN)
			}
			if s.Seconds() > float64(w.TargetDuration)+0.5 {
				t.Fatalf("%s: segment %d lasts %.3f s, the target is %d", r.ID, s.MSN, s.Seconds(), w.TargetDuration)
			}
			if !at.IsZero() && s.Time().Sub(at).Abs() > 40*time.Millisecond {
				t.Fatalf("%s: segment %d begins at %v, the one before ends at %v", r.ID, s.MSN, s.Time(), at)
			}
			at = s.Header.Time(s.PTS + s.Duration)
			partsFit(t, w, r, s.Header, s.Parts)
		}
		ends[i] = at
		if len(r.Parts) > 0 {
			ends[i] = r.Header.Time(r.OpenPTS)
			for _, p := range r.Parts {
				ends[i] = ends[i].Add(time.Duration(r.Header.Seconds(p.Duration) * 1e9))
			}
		}
		partsFit(t, w, r, r.Header, r.Parts)
	}
	if ends[0].IsZero() || ends[1].IsZero() || w.State == packager.Ended {
		return
	}
	lateness := 1500*time.Millisecond + time.Duration(3e9/fps)
	if off := ends[0].Sub(ends[1]).Abs(); off > 3*w.PartTarget+lateness {
		t.Fatalf("the newest parts are %v apart: %v and %v", off, ends[0], ends[1])
	}
	// Segments of one number are of one time.
	a, b := w.Renditions[0].Segments, w.Renditions[1].Segments
	for len(a) > 0 && len(b) > 0 {
		switch {
		case a[0].MSN < b[0].MSN:
			a = a[1:]
		case b[0].MSN < a[0].MSN:
			b = b[1:]
		default:
			if off := a[0].Time().Sub(b[0].Time()).Abs(); off > lateness {
				t.Fatalf("segments %d begin %v apart", a[0].MSN, off)
			}
			a, b = a[1:], b[1:]
		}
	}
}

func partsFit(t *testing.T, w *packager.Window, r *packager.Rendition, h *packager.Header, parts []packager.Part) {
	t.Helper()
	for _, p := range parts {
		if d := h.Seconds(p.Duration); d > w.PartTarget.Seconds()+1e-4 || d <= 0 {
			t.Fatalf("%s: part %d lasts %v s, the target is %v; gap %v", r.ID, p.Number, d, w.PartTarget, p.Gap)
		}
		if p.Gap != (len(p.Bytes) == 0) {
			t.Fatalf("%s: part %d: gap %v with %d bytes", r.ID, p.Number, p.Gap, len(p.Bytes))
		}
	}
}

// checkMedia reads a rendition back with mp4ff: each sample that was sent is there
// once, is shown when it should be, and lies in the part that lists its time.
func checkMedia(t *testing.T, w *packager.Window, r *packager.Rendition, want []*sent) {
	t.Helper()
	init, err := mp4.DecodeFile(bytes.NewReader(r.Header.Bytes))
	if err != nil {
		t.Fatal(err)
	}
	trex, scale := init.Init.Moov.Mvex.Trex, int64(r.Header.Track.Timescale)
	rounding, last := scale/100, int64(-1)
	if r.Header.Track.Kind() == remux.Audio {
		rounding = 1024
	}
	sound := want[:0:0]
	for _, s := range want {
		if !s.late {
			sound = append(sound, s)
		}
	}
	want = sound
	for _, seg := range r.Segments {
		at := seg.PTS // of the part, as it is listed
		first, end := int64(-1), int64(0)
		for _, part := range seg.Parts {
			begin := at
			at += part.Duration
			if part.Gap {
				continue
			}
			file, err := mp4.DecodeFile(bytes.NewReader(part.Bytes))
			if err != nil {
				t.Fatal(err)
			}
			for _, frag := range file.Segments[0].Fragments {
				samples, err := frag.GetFullSamples(trex)
				if err != nil {
					t.Fatal(err)
				}
				for _, got := range samples {
					dts, pts := int64(got.DecodeTime), int64(got.DecodeTime)+int64(got.CompositionTimeOffset)
					if dts <= last {
						t.Fatalf("%s: decode time %d behind %d", r.ID, dts, last)
					}
					last = dts
					if first < 0 {
						first = pts
					}
					first, end = min(first, pts), max(end, pts+int64(got.Dur))
					if bytes.Equal(got.Data, silence) {
						continue
					}
					if len(want) == 0 {
						t.Fatalf("%s: more samples than were sent", r.ID)
					}
					s := want[0]
					want = want[1:]
					if !bytes.Equal(got.Data, s.payload) {
						t.Fatalf("%s: got %q in the place of %q", r.ID, got.Data, s.payload)
					}
					if off := pts - s.DTS - int64(s.CompositionOffset); off > rounding || off < -rounding {
						t.Fatalf("%s: %q is shown %.3f s off", r.ID, got.Data, float64(off)/float64(scale))
					}
					// Pictures behind a short pause are decoded in the parts of it.
					if early := dts - at; early > rounding {
						t.Fatalf("%s: %q is decoded %.3f s behind its part", r.ID, got.Data, float64(early)/float64(scale))
					}
					if early := begin - dts; early > scale*3/2 {
						t.Fatalf("%s: %q is decoded %.3f s before its part", r.ID, got.Data, float64(early)/float64(scale))
					}
				}
			}
		}
		if off := at - seg.PTS - seg.Duration; off > scale/2000 || off < -scale {
			t.Fatalf("%s: the parts of segment %d last %.3f s, and it %.3f", r.ID, seg.MSN, float64(at-seg.PTS)/float64(scale), seg.Seconds())
		}
		if first < 0 != seg.Gap() {
			t.Fatalf("%s: segment %d: gap %v", r.ID, seg.MSN, seg.Gap())
		}
		const frame = 0.15
		if lead := float64(first - seg.PTS - seg.Lead); !seg.Gap() && (lead > frame*float64(scale) || lead < -frame*float64(scale)) {
			t.Fatalf("%s: segment %d has media %.3f s off from where it says", r.ID, seg.MSN, lead/float64(scale))
		}
		if tail := float64(end - seg.PTS - seg.Duration + seg.Tail); seg.Tail > 0 && (tail > frame*float64(scale) || tail < -frame*float64(scale)) {
			t.Fatalf("%s: segment %d ends %.3f s off from where it says", r.ID, seg.MSN, tail/float64(scale))
		}
	}
	if len(want) > 0 {
		t.Fatalf("%s: %d samples are missing, from %q on", r.ID, len(want), want[0].payload)
	}
}

// TestTwoLongUnitsLost: where sound loses two units that last long, the one behind them is
// heard when it should be, whatever part they are lost from.
func TestTwoLongUnitsLost(t *testing.T) {
	const rate = 8000
	c := *audio.Codec.(*remux.AAC)
	c.SampleRate = rate
	track := remux.TrackOf(&c)
	track.ID, track.Silence, track.SilenceDuration = "a1", silence, 1024
	for _, frames := range []bool{false, true} {
		for lost := range int64(20) {
			set := settings
			set.Segments, set.FrameFragments = 100, frames
			f := paced{}
			f.s, f.feed = publish(t, set, video, track)
			for v, a := int64(0), int64(0); v < 30*16; v++ {
				for ; a*1024*30 <= v*rate; a++ {
					dts := start.Unix()*rate + a*1024
					if a >= 60+lost && a < 62+lost {
						continue
					} else if a >= 62+lost {
						dts -= 13 // less than two units behind the end of the one before
					}
					f.write(remux.Sample{Track: 1, DTS: dts, Duration: 1024, Sync: true}, fmt.Appendf(nil, "audio %d", a))
				}
				f.write(remux.Sample{DTS: start.Unix()*90000 + v*3000, Duration: 3000, Sync: v%60 == 0}, fmt.Appendf(nil, "video %d", v))
			}
			f.p.Close(nil)
			w := f.s.Window()
			checkMedia(t, w, &w.Renditions[1], f.feed.audio)
		}
	}
}

// TestDatesGoOnWhereAPeriodEnds: a segment that is there for its number alone, as the sound had
// none beside the picture's last one, doesn't begin behind the next period's first.
func TestDatesGoOnWhereAPeriodEnds(t *testing.T) {
	const rate, ms = 16000, 16
	c := *audio.Codec.(*remux.AAC)
	c.SampleRate = rate
	track := remux.TrackOf(&c)
	track.ID, track.Silence, track.SilenceDuration = "a1", silence, 1024
	for n := range int64(128) {
		set, phase := settings, n/2
		set.Segments, set.FrameFragments = 100, n%2 == 1
		s, f := publish(t, set, video, track)
		play := func(from, to, phase int64) { // ms
			for at := from; at < to; at++ {
				if (at-from+phase)%64 == 0 {
					f.write(remux.Sample{Track: 1, DTS: start.UnixMilli()*ms + at*ms, Duration: 1024, Sync: true}, fmt.Appendf(nil, "audio %d", at))
				}
				if (at-from)%40 == 0 {
					f.write(remux.Sample{DTS: (start.UnixMilli() + at) * 90, Duration: 3600, Sync: (at-from)%2000 == 0}, fmt.Appendf(nil, "video %d", at))
				}
			}
		}
		play(0, 8001, phase)
		if err := f.p.SetTracks([]remux.Track{video, track}); err != nil {
			t.Fatal(err)
		}
		play(8040, 16_000, 0)
		f.p.Close(nil)
		for r := range allRenditions(s.Window()) {
			for i, seg := range r.Segments[1:] {
				if before := r.Segments[i]; seg.Time().Before(before.Time()) || seg.MSN != before.MSN+1 {
					t.Errorf("phase %d: %s: segment %d begins at %v, the one before at %v", phase, r.ID, seg.MSN, seg.Time(), before.Time())
				}
			}
		}
	}
}

// TestDatesGoOnWithoutATrack: silence in the place of a track that the encoder has no more may
// reach into the next period, which begins behind it then.
func TestDatesGoOnWithoutATrack(t *testing.T) {
	const rate, ms = 8000, 8
	c := *audio.Codec.(*remux.AAC)
	c.SampleRate = rate
	track := remux.TrackOf(&c)
	track.ID, track.Silence, track.SilenceDuration = "a1", silence, 1024
	second := track
	second.ID = "a2"
	for frames := range int64(50) {
		set := settings
		set.Segments = 100
		s, f := publish(t, set, video, track, second)
		at := int64(0) // ms
		play := func(to int64, sounds int) {
			for from := at; at < to; at++ {
				for n := range sounds {
					if ahead := at + 300; ahead%128 == 0 {
						f.write(remux.Sample{Track: 1 + n, DTS: start.UnixMilli()*ms + ahead*ms, Duration: 1024, Sync: true}, fmt.Appendf(nil, "audio %d", at))
					}
				}
				if (at-from)%40 == 0 {
					f.write(remux.Sample{DTS: (start.UnixMilli() + at) * 90, Duration: 3600, Sync: (at-from)%2000 == 0}, fmt.Appendf(nil, "video %d", at))
				}
			}
		}
		play(8000, 2)
		for range 3 {
			if err := f.p.SetTracks([]remux.Track{video, track}); err != nil {
				t.Fatal(err)
			}
			play(at+4000+40*frames, 1)
		}
		f.p.Close(nil)
		for r := range allRenditions(s.Window()) {
			for i, seg := range r.Segments[1:] {
				if before := r.Segments[i]; seg.Time().Before(before.Time()) || seg.MSN != before.MSN+1 {
					t.Errorf("%d frames: %s: segment %d begins at %v, the one before at %v", frames, r.ID, seg.MSN, seg.Time(), before.Time())
				}
			}
		}
	}
}

// Where a stream ends, the gap that is there for a segment's number alone begins where the rendition ends, and
// not in front of that: sound may be beyond the pictures of who leads.
func TestEndBehindTheSound(t *testing.T) {
	set := settings
	set.Segments, set.Genlock, set.Backup, set.BackupAfter, set.Grace = 100, true, true, time.Second, 30*time.Second
	for _, early := range []int64{0, 5, 25, 50, 110} {
		t.Run(fmt.Sprint(early), func(t *testing.T) {
			w := program(t, set, 9000, func(int64, *packager.Stream) {},
				pusher{label: "_a", order: 1, fps: 30, gop: 60, early: early, gone: []away{{8010, 99000}}},
				pusher{label: "_b", order: 2, fps: 30, gop: 60, mute: true, lag: 40, gone: []away{{8010, 99000}}})
			for _, r := range w.Renditions {
				if len(r.Segments) < 3 {
					t.Fatalf("%s: %d segments", r.ID, len(r.Segments))
				}
				for k, s := range r.Segments[1:] {
					last := r.Segments[k]
					if d := last.Header.Time(last.PTS + last.Duration).Sub(s.Time()); d > time.Millisecond {
						t.Errorf("%s: segment %d begins %v in front of the end of the one before", r.ID, s.MSN, d)
					}
				}
			}
		})
	}
}

// Where a period begins behind who has gone, the gap that is there for a segment's number alone begins where the sound
// ends, which may be beyond the pictures of who led: no more than the 20 ms in front of that that it lasts. So dates go
// back neither to it nor behind it.
func TestPeriodBehindTheSound(t *testing.T) {
	set := settings
	set.Segments, set.Genlock, set.Backup, set.BackupAfter, set.Grace = 100, true, true, time.Second, 30*time.Second
	for _, frames := range []bool{false, true} {
		for _, early := range []int64{0, 5, 25, 50, 110, 250} {
			t.Run(fmt.Sprint(early, ", in chunks of frames: ", frames), func(t *testing.T) {
				set := set
				set.FrameFragments = frames
				w := program(t, set, 16000, func(int64, *packager.Stream) {},
					pusher{label: "_a", order: 1, fps: 30, gop: 60, early: early, gone: []away{{8010, 99000}}},
					pusher{label: "_b", order: 2, fps: 30, gop: 60, lag: 40, from: 7500, waits: true})
				agree(t, w, false)
				for _, r := range w.Renditions {
					if len(r.Segments) < 3 {
						t.Fatalf("%s: %d segments", r.ID, len(r.Segments))
					}
					for k, s := range r.Segments[1:] {
						last := r.Segments[k]
						if d := last.Header.Time(last.PTS + last.Duration).Sub(s.Time()); d > 20*time.Millisecond {
							t.Errorf("%s: segment %d begins %v in front of the end of the one before", r.ID, s.MSN, d)
						}
						if s.Time().Before(last.Time()) {
							t.Errorf("%s: segment %d begins %v in front of the one before", r.ID, s.MSN, last.Time().Sub(s.Time()))
						}
					}
				}
			})
		}
	}
}
