package packager_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/Eyevinn/mp4ff/mp4"

	"github.com/sluice-live/sluice/packager"
	"github.com/sluice-live/sluice/packager/dash"
	"github.com/sluice-live/sluice/packager/hls"
	"github.com/sluice-live/sluice/remux"
)

var (
	settings = packager.Settings{
		Segments:           4,
		SegmentMinDuration: 2 * time.Second,
		SegmentMaxDuration: 10 * time.Second,
		PartDuration:       500 * time.Millisecond,
		Linger:             time.Minute,
	}
	start = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	video = remux.TrackOf(&remux.H264{
		SPS:          [][]byte{unhex("67640028ac761103c045fbc044000003000400000300f03c60c61180")},
		PPS:          [][]byte{unhex("68e8439cb22c")},
		ChromaFormat: 1, BitDepth: [2]uint8{8, 8},
		Picture: remux.Picture{Width: 960, Height: 540},
	})
	audio = remux.TrackOf(&remux.AAC{
		Config: []byte{0x11, 0x90}, ObjectType: 2, FrameSamples: 1024, Sound: remux.Sound{SampleRate: 48000, Channels: 2, Layout: 2},
	})
)

func unhex(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return b
}

// feed plays a made-up encoder into a publication.
type feed struct {
	t     *testing.T
	p     *packager.Contribution
	video []*sent
	audio []*sent
	watch func() // called after each sample
}

// sent is a sample as the packager got it, with a payload that no other has.
type sent struct {
	remux.Sample
	payload []byte
	late    bool // it was dropped
}

func (f *feed) write(s remux.Sample, payload []byte) {
	f.t.Helper()
	borrowed := bytes.Clone(payload)
	s.Data = borrowed
	if err := f.p.WriteSample(&s); err != nil {
		f.t.Fatal(err)
	}
	if f.watch != nil {
		f.watch()
	}
	for i := range borrowed {
		borrowed[i] = 0xEE // the packager must have its own copy
	}
	at := &sent{Sample: s, payload: payload}
	if s.Track == 0 {
		f.video = append(f.video, at)
	} else {
		f.audio = append(f.audio, at)
	}
}

// gop writes frames of a keyframe interval at fps, and the audio beside them.
func (f *feed) gop(r *rand.Rand, frames int, fps float64) {
	f.t.Helper()
	for i := range frames {
		n := len(f.video)
		ms := int64(float64(n)*1000/fps + 0.5) // as RTMP rounds
		dts := (start.UnixMilli() + ms) * 90
		f.write(remux.Sample{
			Track:             0,
			DTS:               dts,
			Duration:          uint32(90000 / fps),
			CompositionOffset: int32(r.IntN(3)) * 3000,
			Sync:              i == 0,
		}, fmt.Appendf(nil, "video %d %s", n, bytes.Repeat([]byte{byte(n)}, r.IntN(2000))))
		for {
			at := start.UnixMilli()*48 + int64(len(f.audio))*1024
			if at*1000 > (start.UnixMilli()+ms)*48000 {
				break
			}
			f.write(remux.Sample{Track: 1, DTS: at, Duration: 1024, Sync: true},
				fmt.Appendf(nil, "audio %d %s", len(f.audio), bytes.Repeat([]byte{1}, r.IntN(300))))
		}
	}
}

func publish(t *testing.T, set packager.Settings, tracks ...remux.Track) (*packager.Stream, *feed) {
	t.Helper()
	c := packager.NewCatalog(set, func() time.Time { return start })
	name, err := packager.ParseStreamName("live", "cam1")
	if err != nil {
		t.Fatal(err)
	}
	p, err := c.Publish(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.SetTracks(tracks); err != nil {
		t.Fatal(err)
	}
	s, _ := c.Lookup(name)
	return s, &feed{t: t, p: p}
}

func segmentBytes(s *packager.Segment) []byte {
	var b []byte
	for _, p := range s.Parts {
		b = append(b, p.Bytes...)
	}
	return b
}

// TestSamplesComeOutExactly reads everything back with mp4ff.
func TestSamplesComeOutExactly(t *testing.T) {
	for _, fps := range []float64{24000.0 / 1001, 25, 30000.0 / 1001, 30, 50, 60} {
		t.Run(fmt.Sprintf("%.2f fps", fps), func(t *testing.T) {
			set := settings
			set.Segments = 100
			s, f := publish(t, set, video, audio)
			r := rand.New(rand.NewPCG(1, 2))
			for range 20 {
				f.gop(r, int(2*fps+0.5), fps)
			}
			f.p.Close(nil)
			w := s.Window()
			if w.State != packager.Ended || len(w.Renditions) != 2 {
				t.Fatalf("%v with %d renditions", w.State, len(w.Renditions))
			}
			checkRendition(t, w, &w.Renditions[0], f.video)
			checkRendition(t, w, &w.Renditions[1], f.audio)
			for i, seg := range w.Renditions[0].Segments {
				if !seg.Independent {
					t.Errorf("segment %d doesn't begin with a keyframe", i)
				}
				if got := seg.Seconds(); got > float64(w.TargetDuration)+0.5 {
					t.Errorf("segment %d lasts %v s, the target is %d", i, got, w.TargetDuration)
				}
				a := w.Renditions[1].Segments[i]
				if a.MSN != seg.MSN {
					t.Errorf("segment %d: numbers %d and %d", i, seg.MSN, a.MSN)
				}
				if d := a.Time().Sub(seg.Time()).Abs(); d > 200*time.Millisecond { // a part that would be a scrap, and a reordered picture
					t.Errorf("segment %d: audio and video begin %v apart", i, d)
				}
			}
		})
	}
}

func checkRendition(t *testing.T, w *packager.Window, r *packager.Rendition, want []*sent) {
	t.Helper()
	init, err := mp4.DecodeFile(bytes.NewReader(r.Header.Bytes))
	if err != nil {
		t.Fatal(err)
	}
	trex := init.Init.Moov.Mvex.Trex
	next, fragment := int64(-1), uint32(0)
	for _, seg := range r.Segments {
		file, err := mp4.DecodeFile(bytes.NewReader(segmentBytes(seg)))
		if err != nil {
			t.Fatal(err)
		}
		fragments := file.Segments[0].Fragments
		if len(file.Segments) != 1 || len(fragments) < len(seg.Parts) {
			t.Fatalf("segment %d: %d segments by mp4ff", seg.MSN, len(file.Segments))
		}
		perPart := len(fragments) / len(seg.Parts) // more than one with a fragment for each frame
		var total int64
		for i, frag := range fragments {
			if frag.Moof.Mfhd.SequenceNumber <= fragment {
				t.Fatalf("fragment %d behind %d", frag.Moof.Mfhd.SequenceNumber, fragment)
			}
			fragment = frag.Moof.Mfhd.SequenceNumber
			samples, err := frag.GetFullSamples(trex)
			if err != nil {
				t.Fatal(err)
			}
			var part int64
			for _, got := range samples {
				if len(want) == 0 {
					t.Fatal("more samples than were sent")
				}
				if next >= 0 && int64(got.DecodeTime) != next {
					t.Fatalf("decode time %d, expected %d", got.DecodeTime, next)
				}
				next = int64(got.DecodeTime) + int64(got.Dur)
				part += int64(got.Dur)
				w := want[0]
				want = want[1:]
				// A part ends where its last frame should: the next one is decoded
				// up to a rounding of RTMP's milliseconds earlier or later, but
				// shown exactly when it was to be.
				shift := int64(got.DecodeTime) - w.DTS
				if shift < -90 || shift > 90 || shift+int64(got.CompositionTimeOffset) != int64(w.CompositionOffset) ||
					mp4.IsSyncSampleFlags(got.Flags) != w.Sync || !bytes.Equal(got.Data, w.payload) {
					t.Fatalf("sample at %d differs: got %d %+d %q", w.DTS, got.DecodeTime, got.CompositionTimeOffset, got.Data[:20])
				}
			}
			total += part
			if perPart > 1 {
				continue
			}
			if p := seg.Parts[i]; p.Duration != part {
				t.Fatalf("part of %d lasts %d", part, p.Duration)
			}
			last := i == len(seg.Parts)-1
			if d, target := r.Header.Seconds(part), w.PartTarget.Seconds(); d > target || !last && d < 0.85*target {
				t.Errorf("a part lasts %v s", d)
			}
		}
		if total != seg.Duration {
			t.Fatalf("segment of %d lasts %d", total, seg.Duration)
		}
	}
	if len(want) > 0 {
		t.Fatalf("%d samples are missing", len(want))
	}
}

// TestWindowSlides checks what is listed, what is fetchable, and that numbers
// never go back.
func TestWindowSlides(t *testing.T) {
	s, f := publish(t, settings, video, audio)
	r := rand.New(rand.NewPCG(3, 4))
	seen := make(map[string][]byte)
	last := packager.MSN(0)
	for range 30 {
		f.gop(r, 60, 30)
		w := s.Window()
		for _, rend := range w.Renditions {
			if n := len(rend.Segments); n > settings.Segments {
				t.Fatalf("%d segments are listed", n)
			}
			for _, seg := range append(rend.Segments, rend.Retired...) {
				key := string(rend.ID) + "/" + seg.Name()
				b := segmentBytes(seg)
				if old, ok := seen[key]; ok && !bytes.Equal(old, b) {
					t.Fatalf("%s changed its bytes", key)
				}
				seen[key] = b
				if got, ok := rend.Segment(seg.Header.Period.ID, seg.Start); !ok || got != seg {
					t.Fatalf("%s can't be found", key)
				}
			}
		}
		if len(w.Renditions[0].Segments) > 0 {
			first := w.Renditions[0].Segments[0].MSN
			if first < last {
				t.Fatalf("first number %d behind %d", first, last)
			}
			last = first
		}
	}
	v := s.Window().Renditions[0]
	if want := packager.MSN(start.Sub(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)) / time.Second); v.Open < want+29 {
		t.Errorf("numbers began before the clock: %d", v.Open)
	}
	var retired time.Duration
	for _, seg := range v.Retired {
		retired += time.Duration(seg.Seconds() * float64(time.Second))
	}
	// RFC 8216bis, section 6.2.2: their own duration and that of the playlist.
	if retired < 10*time.Second || retired > 16*time.Second {
		t.Errorf("%v of media are kept behind a playlist of 8 s", retired)
	}
}

func TestNoKeyframeIsCutAtTheTarget(t *testing.T) {
	s, f := publish(t, settings, video)
	write := func(n int, sync bool) {
		f.write(remux.Sample{DTS: (start.UnixMilli()*90 + int64(n)*3000), Duration: 3000, Sync: sync}, []byte("frame"))
	}
	for n := range 60 * 30 {
		write(n, n == 0 || n == 60)
	}
	f.p.Close(nil)
	w := s.Window()
	if w.TargetDuration != 2 {
		t.Fatalf("target duration %d", w.TargetDuration)
	}
	for i, seg := range w.Renditions[0].Segments {
		if seg.Independent {
			t.Errorf("segment %d claims to begin with a keyframe", i)
		}
		if seg.Seconds() >= 2.5 {
			t.Errorf("segment %d lasts %v s", i, seg.Seconds())
		}
	}
}

// TestFollowersEndOncePerBoundary is about frames a little shorter than the
// grid has them, as when the timeline is slewed: what audio has beyond its last
// whole part goes to the next segment, which then begins before the boundary.
func TestFollowersEndOncePerBoundary(t *testing.T) {
	for _, part := range []time.Duration{200 * time.Millisecond, 350 * time.Millisecond, 500 * time.Millisecond, time.Second} {
		for _, fps := range []float64{23.976, 24.5, 25.02, 29.97, 30.015, 30.06, 59.94, 60.1} {
			set := settings
			set.PartDuration = part
			r := rand.New(rand.NewPCG(1, 2))
			stream, f := publish(t, set, video, audio)
			for range 40 {
				f.gop(r, int(2*fps+0.5), fps)
			}
			w := stream.Window()
			if w.Renditions[0].Open != w.Renditions[1].Open {
				t.Errorf("parts of %v, %v fps: video is at segment %d, audio at %d", part, fps, w.Renditions[0].Open, w.Renditions[1].Open)
			}
			for _, s := range w.Renditions[1].Segments {
				if d := s.Seconds(); d < 1.75 || d > 2.25 {
					t.Errorf("parts of %v, %v fps: audio segment %d lasts %.3f s", part, fps, s.MSN, d)
				}
			}
		}
	}
}

func TestPeriodsAndPublicationsFollowEachOther(t *testing.T) {
	c := packager.NewCatalog(settings, func() time.Time { return start })
	name, _ := packager.ParseStreamName("live", "cam1")
	r := rand.New(rand.NewPCG(5, 6))
	p, err := c.Publish(name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Publish(name); err != packager.ErrBusy {
		t.Fatalf("a second publisher: %v", err)
	}
	s, _ := c.Lookup(name)
	f := &feed{t: t, p: p}
	p.SetTracks([]remux.Track{video, audio})
	f.gop(r, 60, 30)
	f.gop(r, 60, 30)
	p.SetTracks([]remux.Track{video, audio}) // a change in mid-stream
	f.gop(r, 60, 30)
	p.Close(nil)
	first := s.Window()
	for _, rend := range first.Renditions {
		var periods []int64
		for i, seg := range rend.Segments {
			if i > 0 && seg.MSN != rend.Segments[i-1].MSN+1 {
				t.Errorf("%s: number %d behind %d", rend.ID, seg.MSN, rend.Segments[i-1].MSN)
			}
			if n := seg.Header.Period.Sequence; len(periods) == 0 || periods[len(periods)-1] != n {
				periods = append(periods, n)
			}
		}
		if len(periods) != 2 || periods[1] != periods[0]+1 {
			t.Errorf("%s: periods %v", rend.ID, periods)
		}
	}

	// In the same second, and behind one that sent nothing: the numbers must
	// not return.
	for range 2 {
		if p, err = c.Publish(name); err != nil {
			t.Fatal(err)
		}
		p.Close(nil)
	}
	if p, err = c.Publish(name); err != nil {
		t.Fatal(err)
	}
	old := first.Renditions[0].Segments[0]
	w := s.Window()
	if w.Playable() || w.State == packager.Ended {
		t.Error("the new publication shows the old one's segments")
	}
	if r, ok := w.Rendition("v1"); !ok {
		t.Error("the old publication's rendition is gone")
	} else if got, ok := r.Segment(old.Header.Period.ID, old.Start); !ok || got != old {
		t.Error("the old publication's segments can't be fetched")
	}
	f2 := &feed{t: t, p: p}
	p.SetTracks([]remux.Track{video, audio})
	f2.gop(r, 60, 30)
	f2.gop(r, 60, 30)
	w = s.Window()
	if now, before := w.Renditions[0].Segments[0], first.Renditions[0].Segments; now.MSN <= before[len(before)-1].MSN {
		t.Errorf("number %d comes again", now.MSN)
	} else if now.Header.Period.Sequence <= before[len(before)-1].Header.Period.Sequence {
		t.Error("the discontinuity sequence goes back")
	}
	if got, ok := w.Renditions[0].Segment(old.Header.Period.ID, old.Start); !ok || got != old {
		t.Error("the old publication's segments are gone")
	}
}

func TestEndedStreamsAreForgotten(t *testing.T) {
	now := start
	c := packager.NewCatalog(settings, func() time.Time { return now })
	name, _ := packager.ParseStreamName("live", "cam1")
	p, _ := c.Publish(name)
	now = now.Add(time.Hour)
	c.Expire()
	if _, ok := c.Lookup(name); !ok {
		t.Fatal("a live stream was forgotten")
	}
	p.Close(nil)
	now = now.Add(settings.Linger)
	c.Expire()
	if _, ok := c.Lookup(name); !ok {
		t.Fatal("forgotten too early")
	}
	now = now.Add(time.Second)
	c.Expire()
	if _, ok := c.Lookup(name); ok {
		t.Fatal("never forgotten")
	}
}

// TestWaitersAreReleasedTogether waits in fake time: nobody polls.
func TestWaitersAreReleasedTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, f := publish(t, settings, video)
		released := make(chan *packager.Window, 300)
		for range cap(released) {
			go func() {
				w, err := s.Wait(t.Context(), (*packager.Window).Playable)
				if err != nil {
					t.Error(err)
				}
				released <- w
			}()
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := s.Wait(ctx, (*packager.Window).Playable); err != context.DeadlineExceeded {
			t.Errorf("a wait without end: %v", err)
		}
		synctest.Wait()
		if len(released) > 0 {
			t.Fatal("released before there was anything")
		}
		for n := range 61 {
			f.write(remux.Sample{DTS: start.UnixMilli()*90 + int64(n)*3000, Duration: 3000, Sync: n%60 == 0}, []byte("frame"))
		}
		synctest.Wait()
		if len(released) != cap(released) {
			t.Fatalf("%d of %d released by one segment", len(released), cap(released))
		}
		first := <-released
		for range len(released) {
			if w := <-released; w != first {
				t.Fatal("waiters saw different windows")
			}
		}
	})
}

func TestStreamNames(t *testing.T) {
	for _, bad := range [][2]string{
		{"", "x"}, {"live", ""}, {"live", ".."}, {"..", "x"}, {"live", "../../etc"}, {"live", "a/b"}, {"live", "%2e%2e"},
		{"live", "a\x00b"}, {"live", "a\nb"}, {"live", `a"b`}, {"live", "<b>"}, {"live", "ü"}, {"live", ".m3u8"}, {"_", "x"},
		{"live", string(bytes.Repeat([]byte("a"), 4096))}, {"live", "a b"}, {"live", "a?b"}, {"live", `a\b`},
	} {
		if n, err := packager.ParseStreamName(bad[0], bad[1]); err == nil {
			t.Errorf("%q is a name: %v", bad, n)
		}
	}
	for _, good := range [][2]string{{"live", "cam1"}, {"a", "b"}, {"live", "Cam_1-2.x~"}, {"0", "1"}} {
		if n, err := packager.ParseStreamName(good[0], good[1]); err != nil || n.String() != good[0]+"/"+good[1] {
			t.Errorf("%q: %v %v", good, n, err)
		}
	}
}

func FuzzMediaName(f *testing.F) {
	for _, s := range []string{"dn3h-header.mp4", "dn3h-17.m4s", "dn3h-p17.m4s", "x-007.m4s", "-1.m4s", "a-b-1.m4s", "x-p-1.m4s"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if n, ok := packager.ParseMediaName(s); ok && n.String() != s {
			t.Fatalf("%q became %q", s, n)
		}
	})
}

// TestFrameFragments has a fragment for each frame: what grows is what the part
// becomes, readers of parts aren't woken for a frame, and nothing else changes.
func TestFrameFragments(t *testing.T) {
	set := settings
	set.Segments, set.FrameFragments = 100, true
	s, f := publish(t, set, video, audio)
	r := rand.New(rand.NewPCG(8, 9))
	whole := make(map[int64][]byte)
	grown := make(map[int64][]byte)
	windows := 0
	last := s.Window()
	parts := last.Superseded()
	f.watch = func() {
		w := s.Window()
		if w == last {
			return
		}
		windows++
		if len(last.Renditions) == 0 {
			last = w
			return
		}
		select {
		case <-last.Grown():
		default:
			t.Fatal("a new window, and the one before doesn't say so")
		}
		v := w.Renditions[0]
		changed := at(w) != at(last)
		select {
		case <-parts:
			if !changed {
				t.Fatal("readers of parts were woken for a frame")
			}
			parts = w.Superseded()
		default:
			if changed {
				t.Fatal("a part, and nobody was told")
			}
		}
		if len(v.Growing) > 0 {
			grown[v.NextPart] = v.Growing
		}
		for _, p := range v.Parts {
			whole[p.Number] = p.Bytes
		}
		last = w
	}
	for range 5 {
		f.gop(r, 60, 30)
	}
	f.p.Close(nil)
	w := s.Window()
	checkRendition(t, w, &w.Renditions[0], f.video)
	checkRendition(t, w, &w.Renditions[1], f.audio)
	if windows < 5*60 {
		t.Errorf("%d windows for %d frames", windows, 5*60)
	}
	for n, part := range whole {
		if !bytes.HasPrefix(part, grown[n]) || len(grown[n]) == 0 {
			t.Errorf("part %d is not what grew", n)
		}
	}
}

// at is where all renditions of a Window are: parts and segments closed.
func at(w *packager.Window) string {
	var b []byte
	for _, r := range w.Renditions {
		b = fmt.Appendf(b, "%s %d %d, ", r.ID, r.Open, r.NextPart)
	}
	return string(b)
}

// TestOpenGroups: groups of pictures that begin without an IDR picture begin
// segments, however many of their pictures lead, and players are told.
func TestOpenGroups(t *testing.T) {
	s, f := publish(t, settings, video)
	const frames = 60 // of a group
	r := rand.New(rand.NewPCG(1, 1))
	n := int64(0)
	write := func(composition int64, sync, open bool) {
		f.write(remux.Sample{DTS: start.UnixMilli()*90 + n*3000, Duration: 3000, CompositionOffset: int32(composition * 3000), Sync: sync, OpenGOP: open}, fmt.Appendf(nil, "frame %d", n))
		n++
	}
	write(2, true, false)
	lead := int64(0)
	for group := range int64(6) {
		first := group*frames + 2 // where its first picture is shown, in frames from the first DTS on
		end := first + frames
		next := r.Int64N(3)
		for show := first + 1; show < end-next; show++ {
			write(show-n, false, false)
		}
		write(end-n, true, true)
		for lead = next; lead > 0; lead-- {
			write(end-lead-n, false, false)
		}
	}
	f.p.Close(nil)
	segments := s.Window().Renditions[0].Segments
	for i, seg := range segments {
		if !seg.Independent || !seg.Leading || seg.Seconds() < 1.9 || seg.Seconds() > 2.1 {
			if i < len(segments)-1 {
				t.Errorf("segment %d: independent %v, leading %v, %v s", i, seg.Independent, seg.Leading, seg.Seconds())
			}
		}
		if i > 0 && seg.PTS != segments[i-1].PTS+segments[i-1].Duration {
			t.Errorf("segment %d is shown from %d on, the one before ends at %d", i, seg.PTS, segments[i-1].PTS+segments[i-1].Duration)
		}
		file, err := mp4.DecodeFile(bytes.NewReader(segmentBytes(seg)))
		if err != nil {
			t.Fatal(err)
		}
		shown := int64(0)
		for _, fragment := range file.Segments[0].Fragments {
			dts := int64(fragment.Moof.Traf.Tfdt.BaseMediaDecodeTime())
			for _, sample := range fragment.Moof.Traf.Trun.Samples {
				pts := dts + int64(sample.CompositionTimeOffset)
				flags := mp4.DecodeSampleFlags(sample.Flags)
				if !flags.SampleIsNonSync {
					shown = pts
				}
				if leads := flags.IsLeading == 1; leads != (pts < shown) {
					t.Errorf("segment %d: a picture at %d behind a group at %d: leading %v", i, pts, shown, leads)
				}
				dts += int64(sample.Dur)
			}
		}
	}
	if text := string(hls.Multivariant(s.Window())); strings.Contains(text, "INDEPENDENT-SEGMENTS") {
		t.Errorf("segments are said to need no other:\n%s", text)
	}
	if text, err := dash.MPD(s.Window()); err != nil || !bytes.Contains(text, []byte(`startWithSAP="3"`)) {
		t.Errorf("the manifest doesn't say that pictures lead: %v\n%s", err, text)
	}
}

// TestCaptionsAndWhatIsLeftOutAreListed: players can turn captions on, and our page
// says what isn't there.
func TestCaptionsAndWhatIsLeftOutAreListed(t *testing.T) {
	s, f := publish(t, settings, video, audio)
	f.p.Caption(remux.CC1 | remux.CC3)
	f.p.LeaveOut([]string{`the sound is left out: audio by FourCC "ac-3" is not supported: set the encoder's audio codec to AAC`})
	for range 3 {
		f.gop(rand.New(rand.NewPCG(1, 1)), 60, 30)
	}
	w := s.Window()
	list := string(hls.Multivariant(w))
	for _, line := range []string{
		`#EXT-X-MEDIA:TYPE=CLOSED-CAPTIONS,GROUP-ID="captions",NAME="CC1",DEFAULT=NO,AUTOSELECT=YES,INSTREAM-ID="CC1"` + "\n",
		`INSTREAM-ID="CC3"` + "\n",
		`,CLOSED-CAPTIONS="captions"`,
		`#EXT-X-SESSION-DATA:DATA-ID="live.sluice.left-out.1",VALUE="the sound is left out: audio by FourCC 'ac-3' is not supported: set the encoder's audio codec to AAC",LANGUAGE="en"` + "\n",
	} {
		if !strings.Contains(list, line) {
			t.Errorf("%q is not in\n%s", line, list)
		}
	}
	if text, err := dash.MPD(w); err != nil || !bytes.Contains(text, []byte(`<Accessibility schemeIdUri="urn:scte:dash:cc:cea-608:2015" value="CC1=und;CC3=und"`)) {
		t.Errorf("%v\n%s", err, text)
	}
	f.p.Close(nil)
}
