package dash_test

import (
	"bytes"
	"testing"

	"github.com/sluice-live/sluice/packager"
	"github.com/sluice-live/sluice/packager/dash"
	"github.com/sluice-live/sluice/packager/packagertest"
	"github.com/sluice-live/sluice/remux"
)

// TestChannels: how many channels there are is told by the scheme of the codec.
func TestChannels(t *testing.T) {
	const mpeg, cicp, dolby = "urn:mpeg:dash:23003:3:audio_channel_configuration:2011", "urn:mpeg:mpegB:cicp:ChannelConfiguration", "tag:dolby.com,2014:dash:audio_channel_configuration:2011"
	for _, c := range []struct {
		sound         remux.Sound
		scheme, value string
	}{
		{remux.Sound{SampleRate: 48000, Channels: 2, Layout: 2}, mpeg, "2"},
		{remux.Sound{SampleRate: 48000, Channels: 6, Layout: 6}, mpeg, "6"},
		{remux.Sound{SampleRate: 48000, Channels: 4, Layout: 10}, cicp, "10"},
		{remux.Sound{SampleRate: 48000, Channels: 8, Layout: 7}, cicp, "7"},
		{remux.Sound{SampleRate: 48000, Channels: 5}, "", ""},
		{remux.Sound{SampleRate: 48000, Channels: 6, Dolby: 0xF801}, dolby, "F801"},
		{remux.Sound{SampleRate: 48000, Channels: 6, Dolby: 0xF801, Objects: 16}, dolby, "F801"},
	} {
		f := packagertest.New(t)
		tracks := packagertest.Tracks()
		tracks[1].Sound = c.sound
		f.SetTracks(tracks...)
		for range 3 {
			f.GOP(60)
		}
		rep := read(t, f.Stream.Window()).Periods[0].AdaptationSets[1].Representations[0]
		var scheme, value string
		for _, d := range rep.AudioChannelConfigurations {
			scheme, value = string(d.SchemeIdUri), d.Value
		}
		if scheme != c.scheme || value != c.value {
			t.Errorf("%+v is said as %q by %q", c.sound, value, scheme)
		}
		objects := ""
		for _, d := range rep.SupplementalProperties {
			objects += string(d.SchemeIdUri) + "=" + d.Value + " "
		}
		want := ""
		if c.sound.Objects > 0 {
			want = "tag:dolby.com,2018:dash:EC3_ExtensionType:2018=JOC tag:dolby.com,2018:dash:EC3_ExtensionComplexityIndex:2018=16 "
		}
		if objects != want {
			t.Errorf("%+v has %q", c.sound, objects)
		}
	}
}

// TestGapsOfSound: where there is no silence, the timeline has a hole as long as the
// sound was away, and what isn't there is not foreseen.
func TestGapsOfSound(t *testing.T) {
	f := packagertest.New(t)
	tracks := packagertest.Tracks()
	tracks[1].Silence, tracks[1].UnitDuration = nil, 0
	f.SetTracks(tracks...)
	known := make(map[string][]uint64)
	holes := 0
	for n := range 24 {
		f.Mute = n >= 8 && n < 12
		f.GOP(30)
		w := f.Stream.Window()
		if !w.Playable() {
			continue
		}
		text, err := dash.MPD(w)
		if err != nil {
			t.Fatal(err)
		}
		m := read(t, w)
		checkTimelines(t, m, known)
		sets := m.Periods[len(m.Periods)-1].AdaptationSets
		if n == 23 && len(sets) != 2 {
			t.Fatalf("%d sets at the end:\n%s", len(sets), text)
		}
		for _, set := range sets[1:] {
			end := uint64(0)
			for _, s := range set.SegmentTemplate.SegmentTimeline.S {
				if s.T != nil && end > 0 && *s.T > end {
					holes++
				}
				if s.T != nil {
					end = *s.T
				}
				end += s.D * uint64(s.R+1)
			}
			for _, r := range w.Renditions {
				if last := r.Header.Time(int64(end)).UnixNano(); r.ID == "a1" && r.Away && last > r.AwaySince+int64(1e9/40) {
					t.Errorf("listed %d ms beyond where it stays away:\n%s", (last-r.AwaySince)/1e6, text)
				}
			}
		}
	}
	if holes == 0 {
		t.Error("there was no hole")
	}
	if w := f.Stream.Window(); w.State != packager.Live || bytes.Count(mpdOf(t, w), []byte(`contentType="audio"`)) != 1 {
		t.Error("the sound is not there any more")
	}
}

func mpdOf(t *testing.T, w *packager.Window) []byte {
	t.Helper()
	text, err := dash.MPD(w)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
