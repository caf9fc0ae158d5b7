package tags

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/sluice-live/sluice/ingest/amf"
	"github.com/sluice-live/sluice/ingest/flv"
	"github.com/sluice-live/sluice/packager"
	"github.com/sluice-live/sluice/packager/packagertest"
	"github.com/sluice-live/sluice/remux"
)

// drawn is what a reader was given, read by the one who reads encoders.
type drawn struct {
	flv.Packet
	frame int // as packagertest has numbered it
}

// viewer plays a stream, and checks what must be true of any.
type viewer struct {
	tb  testing.TB
	r   *Reader
	got []drawn
	at  map[[2]uint8]uint32 // timestamp of the newest frame, by kind and track
	had map[[2]uint8]bool   // there was a configuration
}

func newViewer(tb testing.TB, o Options) *viewer {
	return &viewer{tb: tb, r: NewReader(o), at: make(map[[2]uint8]uint32), had: make(map[[2]uint8]bool)}
}

// look takes a Window, and all that it gives.
func (v *viewer) look(w *packager.Window) (skipped bool) {
	v.tb.Helper()
	skipped = v.r.Look(w)
	v.drain()
	return skipped
}

func (v *viewer) drain() {
	v.tb.Helper()
	for {
		d, ok := v.r.Next()
		if !ok {
			return
		}
		tag := d.Tag
		tag.Body = append(bytes.Clone(d.Head), d.Body...)
		n := 0
		for p, err := range flv.Packets(tag) {
			if n++; err != nil {
				v.tb.Fatalf("%x: %v", tag.Body[:min(16, len(tag.Body))], err)
			}
			v.packet(p)
		}
		if n != 1 {
			v.tb.Fatalf("%x has %d packets", tag.Body[:min(16, len(tag.Body))], n)
		}
	}
}

func (v *viewer) packet(p flv.Packet) {
	v.tb.Helper()
	whose := [2]uint8{uint8(p.Kind), p.TrackID}
	switch p.Type {
	case flv.PacketConfig:
		v.had[whose] = true
	case flv.PacketFrame:
		if !v.had[whose] && p.FourCC != flv.MP3 {
			v.tb.Fatalf("a frame of %v %d before its configuration", p.Kind, p.TrackID)
		}
		at, before := v.at[whose]
		if !before && p.Kind == flv.Video && !p.Keyframe {
			v.tb.Fatalf("video %d begins with frame %.20s, which is no keyframe", p.TrackID, p.Data)
		}
		if before && int32(p.Timestamp-at) < 0 {
			v.tb.Fatalf("%v %d goes back from %d to %d", p.Kind, p.TrackID, at, p.Timestamp)
		}
		v.at[whose] = p.Timestamp
	}
	frame, _ := strconv.Atoi(string(bytes.TrimLeft(p.Data, "0")))
	v.got = append(v.got, drawn{p, frame})
}

// of returns the frames of a kind.
func (v *viewer) of(k flv.Kind) (list []drawn) {
	for _, d := range v.got {
		if d.Type == flv.PacketFrame && d.Kind == k {
			list = append(list, d)
		}
	}
	return list
}

// consecutive checks that the frames of a kind come one behind the other, and where
// they are on the line.
func (v *viewer) consecutive(k flv.Kind, first int, each time.Duration) {
	v.tb.Helper()
	list := v.of(k)
	for i, d := range list {
		if want := first + i; d.frame != want {
			v.tb.Fatalf("%v: %d comes behind %d", k, d.frame, want-1)
		}
		off := time.Duration(d.Timestamp-list[0].Timestamp)*time.Millisecond - time.Duration(i)*each
		if off.Abs() > time.Millisecond {
			v.tb.Fatalf("%v: frame %d is %v off", k, d.frame, off)
		}
	}
}

const (
	picture = time.Second / 30
	sound   = time.Second * 1024 / 48000
)

// A reader gets all that comes from the newest keyframe on: first what describes it,
// then frames in the order in which they are decoded.
func TestReader(t *testing.T) {
	for _, start := range []Start{Fast, Live} {
		f := packagertest.New(t)
		f.GOP(60)
		f.GOP(60)
		f.GOP(40)
		v := newViewer(t, Options{Start: start})
		if ok, err := v.r.Ready(f.Stream.Window()); !ok || err != nil {
			t.Fatal(ok, err)
		}
		first := 120
		if start == Live {
			first = 160
		}
		for range 5 {
			v.look(f.Stream.Window())
			f.GOP(60)
		}
		f.Publication.Close(nil)
		v.look(f.Stream.Window())
		if !v.r.Ended() {
			t.Error("it hasn't ended")
		}
		for i, want := range []flv.PacketType{flv.PacketMetadata, flv.PacketConfig, flv.PacketConfig, flv.PacketFrame} {
			if v.got[i].Type != want {
				t.Fatalf("packet %d is of type %d", i, v.got[i].Type)
			}
		}
		video, audio := v.of(flv.Video), v.of(flv.Audio)
		v.consecutive(flv.Video, first, picture)
		v.consecutive(flv.Audio, audio[0].frame, sound)
		if n := first + len(video); n != 160+5*60 {
			t.Errorf("it ends with %d", n)
		}
		if video[0].Timestamp != 0 || video[0].Composition != 67 {
			t.Errorf("it begins at %d + %d", video[0].Timestamp, video[0].Composition)
		}
		if at := audio[0].Timestamp; at > 22 {
			t.Errorf("sound begins at %d", at)
		}
		if first := time.Duration(audio[0].frame)*sound - time.Duration(first)*picture - time.Duration(audio[0].Timestamp)*time.Millisecond; first.Abs() > time.Millisecond {
			t.Errorf("sound is %v off", first)
		}
		last := uint32(0)
		for _, d := range v.got {
			if d.Timestamp < last {
				t.Fatalf("%v %d is behind %d", d.Kind, d.Timestamp, last)
			}
			last = d.Timestamp
		}
		avc := v.got[1].Data
		if len(avc) < 8 || avc[0] != 1 || avc[1] != 0x64 || avc[4] != 0xFF {
			t.Errorf("configuration %x", avc)
		}
		if asc := v.got[2].Data; string(asc) != "\x11\x90" {
			t.Errorf("configuration %x", asc)
		}
	}
}

func TestMetadata(t *testing.T) {
	f := packagertest.New(t)
	f.GOP(60)
	f.GOP(60)
	v := newViewer(t, Options{})
	v.look(f.Stream.Window())
	values, err := amf.Decode(v.got[0].Data)
	if err != nil || len(values) != 2 || values[0] != "onMetaData" {
		t.Fatal(values, err)
	}
	o := amf.Properties(values[1])
	for name, want := range map[string]any{
		"width": 960.0, "height": 540.0, "videocodecid": 7.0, "framerate": 30.0,
		"audiocodecid": 10.0, "audiosamplerate": 48000.0, "audiochannels": 2.0, "stereo": true, "audiosamplesize": 16.0,
	} {
		if got, _ := o.Get(name); got != want {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
}

// One who takes too long goes on with the newest keyframe, at the time that it has.
func TestSlow(t *testing.T) {
	f := packagertest.New(t)
	f.GOP(60)
	f.GOP(60)
	v := newViewer(t, Options{})
	v.look(f.Stream.Window())
	for range 4 {
		f.GOP(60)
	}
	if !v.r.Late(f.Stream.Window()) {
		t.Error("it isn't late")
	}
	if !v.look(f.Stream.Window()) {
		t.Error("nothing was skipped")
	}
	video := v.of(flv.Video)
	last := video[len(video)-1]
	v.got = nil
	f.GOP(60)
	if v.look(f.Stream.Window()) {
		t.Error("skipped again")
	}
	if next := v.of(flv.Video)[0]; next.frame != last.frame+1 {
		t.Errorf("%d behind %d", next.frame, last.frame)
	}
	for _, d := range v.of(flv.Video) {
		if off := int(d.Timestamp) - (d.frame-60)*1000/30; off < -1 || off > 1 {
			t.Fatalf("frame %d is at %d", d.frame, d.Timestamp)
		}
	}
	if v.r.Late(f.Stream.Window()) {
		t.Error("it is late")
	}
}

// One who stays away for so long that his place has left the Window begins anew there.
func TestAway(t *testing.T) {
	f := packagertest.New(t)
	f.GOP(60)
	v := newViewer(t, Options{})
	v.look(f.Stream.Window())
	for range 20 {
		f.GOP(60)
	}
	if !v.look(f.Stream.Window()) {
		t.Error("nothing was skipped")
	}
	if last := v.of(flv.Video)[len(v.of(flv.Video))-1]; last.frame < 21*60-20 {
		t.Errorf("it ends with %d", last.frame)
	}
}

// A lost encoder that comes back goes on at the time that it is: with another
// configuration, if it has one.
func TestReturn(t *testing.T) {
	f := packagertest.New(t)
	f.GOP(60)
	f.GOP(60)
	v := newViewer(t, Options{})
	v.look(f.Stream.Window())
	f.Play([]byte{3<<2 | 2, 30 << 2, 3<<2 | 3, 30 << 2, 30 << 2}, func(w *packager.Window) { v.look(w) })
	var configs int
	for _, d := range v.got {
		if d.Type == flv.PacketConfig && d.Kind == flv.Video {
			configs++
		}
	}
	if configs != 2 {
		t.Errorf("%d configurations", configs)
	}
	video := v.of(flv.Video)
	for _, d := range video {
		if off := int(d.Timestamp) - (d.frame-60)*1000/30; off < -1 || off > 1 {
			t.Fatalf("frame %d is at %d", d.frame, d.Timestamp)
		}
	}
	if n := len(video); n < 60+2*61-20 {
		t.Errorf("%d frames", n)
	}
}

// One who doesn't want the sound, or the picture, gets none until he wants it.
func TestReceive(t *testing.T) {
	f := packagertest.New(t)
	f.GOP(60)
	v := newViewer(t, Options{})
	v.look(f.Stream.Window())
	for _, kind := range []flv.Kind{flv.Video, flv.Audio} {
		v.got = nil
		v.r.Receive(kind, false)
		for range 2 {
			f.GOP(60)
			v.look(f.Stream.Window())
		}
		if n := len(v.of(kind)); n > 0 || len(v.of(1-kind)) == 0 {
			t.Errorf("%d of %v", n, kind)
		}
		v.r.Receive(kind, true)
		f.GOP(60)
		f.GOP(60)
		v.look(f.Stream.Window())
		back := v.of(kind)
		if len(back) == 0 || kind == flv.Video && !back[0].Keyframe {
			t.Errorf("%v doesn't come back: %d", kind, len(back))
		}
	}
}

// One who can has all renditions, by numbers; others have the best picture alone.
func TestTracks(t *testing.T) {
	w := packagertest.Pictures(t, 0)
	one := newViewer(t, Options{})
	one.look(w)
	all := newViewer(t, Options{Tracks: true})
	all.look(w)
	for _, d := range one.of(flv.Video) {
		if d.TrackID != 0 || len(d.Data) != 2000 {
			t.Fatalf("track %d has %d bytes", d.TrackID, len(d.Data))
		}
	}
	sizes := map[uint8]int{0: 2000, 1: 600}
	count := make(map[uint8]int)
	for _, d := range all.of(flv.Video) {
		count[d.TrackID]++
		if len(d.Data) != sizes[d.TrackID] {
			t.Fatalf("track %d has %d bytes", d.TrackID, len(d.Data))
		}
	}
	if n := len(one.of(flv.Video)); n == 0 || count[0] != n || count[1] < n-2 || len(all.of(flv.Audio)) == 0 {
		t.Errorf("%v; of one %d", count, n)
	}
	values, _ := amf.Decode(all.got[0].Data)
	more, _ := amf.Properties(values[1]).Get("videoTrackIdInfoMap")
	second, _ := amf.Properties(more).Get("1")
	if width, _ := amf.Properties(second).Get("width"); width != 480.0 {
		t.Errorf("metadata: %v", values[1])
	}
}

// What a reader doesn't take it isn't given; what there is without is not the picture.
func TestTakes(t *testing.T) {
	f := packagertest.New(t)
	tracks := packagertest.Tracks()
	tracks[0] = remux.TrackOf(&remux.AV1{Sequence: []byte{10, 1, 0}, BitDepth: 8, Picture: remux.Picture{Width: 320, Height: 180}})
	f.SetTracks(tracks...)
	f.GOP(60)
	f.GOP(60)
	w := f.Stream.Window()
	if ok, err := NewReader(Options{}).Ready(w); ok || err == nil {
		t.Error("ready")
	} else {
		t.Log(err)
	}
	v := newViewer(t, Options{Takes: func(c flv.FourCC) bool { return c == flv.AV01 }})
	if ok, err := v.r.Ready(w); !ok || err != nil {
		t.Error(ok, err)
	}
	v.look(w)
	if got := v.of(flv.Video); len(got) == 0 || got[0].FourCC != flv.AV01 {
		t.Errorf("%d frames", len(got))
	}
}

// A part is read while it grows, frame by frame, and no frame twice.
func TestGrowing(t *testing.T) {
	now := packagertest.Start
	c := packager.NewCatalog(packager.Settings{
		Segments: 4, SegmentMinDuration: 2 * time.Second, SegmentMaxDuration: 10 * time.Second,
		PartDuration: 500 * time.Millisecond, Linger: time.Minute, FrameFragments: true,
	}, func() time.Time { return now })
	name, _ := packager.ParseStreamName("live", "cam1")
	p, err := c.Publish(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.SetTracks(packagertest.Tracks()[:1]); err != nil {
		t.Fatal(err)
	}
	s, _ := c.Lookup(name)
	v := newViewer(t, Options{})
	for i := range 300 {
		now = packagertest.Start.Add(time.Duration(i) * picture)
		err := p.WriteSample(&remux.Sample{DTS: packagertest.Start.Unix()*90000 + int64(i)*3000, Duration: 3000, Sync: i%60 == 0, Data: fmt.Appendf(nil, "%020d", i)})
		if err != nil {
			t.Fatal(err)
		}
		if w := s.Window(); w.StillPlayable() {
			v.look(w)
			if n := len(v.of(flv.Video)); n != i+1 {
				t.Fatalf("%d frames behind frame %d", n, i)
			}
		}
	}
	v.consecutive(flv.Video, 0, picture)
	if v.r.Held() != nil {
		t.Error("it holds memory")
	}
}

// Whatever a stream does, and however often a reader looks, he gets frames that can be
// decoded, in order, and at the time that they have.
func TestAnyStream(t *testing.T) {
	programs := [][]byte{
		{30 << 2, 30 << 2, 5<<2 | 2, 30 << 2},
		{30 << 2, 6<<2 | 1, 5<<2 | 3, 30 << 2, 3<<2 | 1, 20 << 2, 63<<2 | 2, 9 << 2},
		{9 << 2, 63<<2 | 2, 9 << 2, 63<<2 | 2, 9 << 2, 60 << 2, 60 << 2, 60 << 2, 60 << 2},
	}
	random := rand.New(rand.NewPCG(1, 2))
	for range 20 {
		p := make([]byte, 1+random.IntN(25))
		for i := range p {
			p[i] = byte(random.Uint32())
		}
		programs = append(programs, p)
	}
	for i, p := range programs {
		for _, every := range []int{1, 4, 50} {
			t.Run(fmt.Sprintf("%x every %d", p, every), func(t *testing.T) {
				anyStream(t, p, every, Options{Start: Start(i % 2)})
			})
		}
	}
}

func anyStream(t *testing.T, program []byte, every int, o Options) {
	v := newViewer(t, o)
	n, origin := 0, -1
	packagertest.New(t).Play(program, func(w *packager.Window) {
		if n++; n%every == 0 && w.StillPlayable() {
			v.look(w)
		}
	})
	seen := make(map[int]bool)
	for _, d := range v.of(flv.Video) {
		if seen[d.frame] {
			t.Fatalf("frame %d twice", d.frame)
		}
		seen[d.frame] = true
		shown := d.frame*1000/30 - int(d.Timestamp) - int(d.Composition)
		if origin == -1 {
			origin = shown
		}
		if off := shown - origin; off < -2 || off > 2 {
			t.Fatalf("frame %d is shown %d ms off", d.frame, off)
		}
	}
}
