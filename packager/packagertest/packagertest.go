// Package packagertest makes streams for the tests of the rooms that draw
// them.
package packagertest

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/sluice-live/sluice/packager"
	"github.com/sluice-live/sluice/remux"
)

// Start is when all streams begin.
var Start = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

// Tracks are the tracks of a 960 × 540 picture with stereo sound.
func Tracks() []remux.Track {
	video := remux.TrackOf(&remux.H264{
		SPS:          [][]byte{unhex("67640028ac761103c045fbc044000003000400000300f03c60c61180")},
		PPS:          [][]byte{unhex("68e8439cb22c")},
		ChromaFormat: 1, BitDepth: [2]uint8{8, 8},
		Picture: remux.Picture{Width: 960, Height: 540, SAR: [2]uint32{1, 1}},
	})
	video.ID, video.Bitrate = "v1", 1_000_000
	audio := remux.TrackOf(&remux.AAC{
		Config: unhex("1190"), ObjectType: 2, FrameSamples: 1024, Sound: remux.Sound{SampleRate: 48000, Channels: 2, Layout: 2},
	})
	audio.ID, audio.Bitrate, audio.Silence = "a1", 128_000, unhex("2110049990a0")
	return []remux.Track{video, audio}
}

func unhex(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return b
}

// Feed writes a stream whose clock is its media.
type Feed struct {
	tb           testing.TB
	Publication  *packager.Contribution
	Stream       *packager.Stream
	video, audio int // samples written
	pace         int // of the picture, in 1/30 s
	look         func()

	// Mute and Still keep the sound and the picture away.
	Mute, Still bool
	// Lost are the pictures, by their number from 0 on, that stay away: see Qualities.
	Lost []int
}

// New begins a stream with a window of four segments, of 0.5 s parts.
func New(tb testing.TB) *Feed {
	tb.Helper()
	return NewParts(tb, 500*time.Millisecond)
}

// NewParts is New with parts that long.
func NewParts(tb testing.TB, part time.Duration) *Feed {
	tb.Helper()
	f := &Feed{tb: tb, pace: 1}
	c := packager.NewCatalog(packager.Settings{
		Segments: 4, SegmentMinDuration: 2 * time.Second, SegmentMaxDuration: 10 * time.Second,
		PartDuration: part, Linger: time.Minute,
	}, f.now)
	name, err := packager.ParseStreamName("live", "cam1")
	if err != nil {
		tb.Fatal(err)
	}
	if f.Publication, err = c.Publish(name); err != nil {
		tb.Fatal(err)
	}
	f.Stream, _ = c.Lookup(name)
	f.SetTracks(Tracks()...)
	return f
}

func (f *Feed) now() time.Time { return Start.Add(time.Duration(f.video) * time.Second / 30) }

// SetTracks begins a period.
func (f *Feed) SetTracks(tracks ...remux.Track) {
	f.tb.Helper()
	if err := f.Publication.SetTracks(tracks); err != nil {
		f.tb.Fatal(err)
	}
}

// Slow makes frames last that many times as long as they did at first.
func (f *Feed) Slow(pace int) { f.pace = pace }

// GOP writes frames of 30 fps, the first of them a keyframe, and the sound
// beside them.
func (f *Feed) GOP(frames int) {
	f.tb.Helper()
	for i := range frames {
		f.write(remux.Sample{
			DTS:               Start.Unix()*90000 + int64(f.video)*3000,
			Duration:          uint32(3000 * f.pace),
			CompositionOffset: 6000,
			Sync:              i == 0,
			Data:              fmt.Appendf(nil, "%0*d", 2000, f.video),
		})
		f.video += f.pace
		for f.audio*1024*30 < f.video*48000 {
			f.write(remux.Sample{
				Track:    1,
				DTS:      Start.Unix()*48000 + int64(f.audio)*1024,
				Duration: 1024,
				Sync:     true,
				Data:     fmt.Appendf(nil, "%0*d", 300, f.audio),
			})
			f.audio++
		}
	}
}

// Play does with the stream what a program says, an instruction a byte: groups
// of pictures of all lengths, new periods, and other tracks. look sees each Window.
func (f *Feed) Play(program []byte, look func(*packager.Window)) {
	f.tb.Helper()
	f.Look(look)
	tracks := Tracks()
	for _, b := range program {
		switch n := int(b >> 2); b & 3 {
		case 0, 1:
			f.Mute, f.Still = b&3 == 1 && n&1 == 1, b&3 == 1 && n&3 == 2
			f.GOP(1 + 2*n)
		case 2:
			f.video += n * n // a gap: nothing came for a while
			f.audio = f.video * 48000 / 30 / 1024
			tracks = Tracks()
			f.SetTracks(tracks...)
		case 3:
			c := *tracks[0].Codec.(*remux.H264)
			c.SPS = [][]byte{append(bytes.Clone(c.SPS[0]), b)} // what makes it another one
			c.Width, c.Height, c.SAR = 16*(1+n), 16*(64-n), [2]uint32{uint32(1 + n), 64}
			c.FrameRate = remux.Rational{Num: uint32(n) << 24, Den: uint32(b)}
			c.Colour = &remux.ColourCodes{Primaries: b, Transfer: b, Matrix: b}
			tracks[0] = remux.TrackOf(&c)
			tracks[0].ID = "v1"
			tracks[0].Bitrate, tracks[1].Bitrate = n<<20, -n
			f.SetTracks(tracks...)
		}
	}
}

// Look lets each Window be seen from now on.
func (f *Feed) Look(look func(*packager.Window)) {
	var last *packager.Window
	f.look = func() {
		if w := f.Stream.Window(); w != last {
			last = w
			look(w)
		}
	}
}

func (f *Feed) write(s remux.Sample) {
	f.tb.Helper()
	if s.Track == 0 && f.Still || s.Track == 1 && f.Mute {
		return
	}
	if err := f.Publication.WriteSample(&s); err != nil {
		f.tb.Fatal(err)
	}
	if f.look != nil {
		f.look()
	}
}

// Pictures returns a Window of a stream that has one program in two sizes, and a sound.
// The smaller picture's keyframes come so many frames behind the larger one's.
func Pictures(tb testing.TB, late int) *packager.Window {
	tb.Helper()
	f := New(tb)
	tracks := Tracks()
	small := *tracks[0].Codec.(*remux.H264)
	small.Width, small.Height = 480, 270
	second := remux.TrackOf(&small)
	second.ID, second.Bitrate = "v2", 300_000
	f.SetTracks(tracks[0], second, tracks[1])
	for n := range 10 * 60 {
		f.video = n
		for track, size := range []int{2000, 600} {
			if from := n - track*late; from >= 0 {
				f.write(remux.Sample{
					Track: track, DTS: Start.Unix()*90000 + int64(n)*3000, Duration: 3000, Sync: from%60 == 0, Data: make([]byte, size),
				})
			}
		}
		for ; f.audio*1024*30 < n*48000; f.audio++ {
			f.write(remux.Sample{Track: 2, DTS: Start.Unix()*48000 + int64(f.audio)*1024, Duration: 1024, Sync: true, Data: make([]byte, 300)})
		}
	}
	return f.Stream.Window()
}

// NewQualities begins a stream that has one program in three sizes, and a sound.
func NewQualities(tb testing.TB) *Feed {
	tb.Helper()
	f := New(tb)
	tracks := Tracks()
	pictures := make([]remux.Track, 3)
	for i, height := range []int{1080, 540, 270} {
		c := *tracks[0].Codec.(*remux.H264)
		c.Width, c.Height = height*16/9, height
		pictures[i] = remux.TrackOf(&c)
		pictures[i].ID = fmt.Sprint("v", i+1)
	}
	f.SetTracks(pictures[0], pictures[1], pictures[2], tracks[1])
	return f
}

// Qualities writes so many frames of 30 fps of each picture that is not Lost, every
// sixtieth of them a keyframe, and the sound beside them.
func (f *Feed) Qualities(frames int) {
	f.tb.Helper()
	for range frames {
		for track, size := range []int{6000, 2000, 600} {
			if !slices.Contains(f.Lost, track) {
				f.write(remux.Sample{
					Track: track, DTS: Start.Unix()*90000 + int64(f.video)*3000, Duration: 3000, Sync: f.video%60 == 0, Data: make([]byte, size),
				})
			}
		}
		f.video++
		for ; f.audio*1024*30 < f.video*48000; f.audio++ {
			f.write(remux.Sample{Track: 3, DTS: Start.Unix()*48000 + int64(f.audio)*1024, Duration: 1024, Sync: true, Data: make([]byte, 300)})
		}
	}
}
