package remux

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sluice-live/sluice/ingest/amf"
	"github.com/sluice-live/sluice/ingest/flv"
)

// many is an encoder of two pictures and three sounds.
type many struct {
	*feed
	base [5]int64 // ms that its clocks are ahead, by track
}

func newMany(t *testing.T) *many {
	return &many{feed: newFeed(t)}
}

func (m *many) packet(p flv.Packet) {
	m.t.Helper()
	if err := m.r.packet(&frame{Packet: p}, m.now); err != nil {
		m.t.Fatal(err)
	}
}

func (m *many) configure() {
	for id := range uint8(2) {
		m.packet(flv.Packet{Kind: Video, TrackID: id, FourCC: flv.AVC1, Type: flv.PacketConfig, Data: record(highSPS, highPPS)})
	}
	for id := range uint8(3) {
		m.packet(flv.Packet{Kind: Audio, TrackID: id, FourCC: flv.MP4A, Type: flv.PacketConfig, Data: unhex(stereo48)})
	}
}

// play sends what is between two times of its camera, which is also when it arrives. The
// second picture has its keyframes a frame later than the first.
func (m *many) play(from, to int64) {
	for ms := from; ms < to; ms += 40 {
		m.now = time.UnixMilli(base + ms)
		for id := range uint8(2) {
			nal, key := slice, (ms/40-int64(id))%25 == 0
			if key {
				nal = idr
			}
			m.packet(flv.Packet{
				Kind: Video, TrackID: id, FourCC: flv.AVC1, Type: flv.PacketFrame, Keyframe: key,
				Timestamp: uint32(ms + m.base[id]), Data: lengths(nal),
			})
		}
		for id := range uint8(3) {
			for at := ms; at < ms+40; at += 20 {
				m.packet(flv.Packet{
					Kind: Audio, TrackID: id, FourCC: flv.MP4A, Type: flv.PacketFrame,
					Timestamp: uint32(at + m.base[2+id]), Data: unhex("2110"),
				})
			}
		}
	}
}

// names are the tracks of each period.
func (m *many) names() string {
	var all []string
	for _, p := range m.out.periods {
		var names []string
		for _, t := range p {
			names = append(names, t.ID)
		}
		all = append(all, strings.Join(names, " "))
	}
	return strings.Join(all, ", ")
}

// TestManyTracks: tracks have their names whichever comes first, each begins with its
// own keyframe, and all are on one line.
func TestManyTracks(t *testing.T) {
	m := newMany(t)
	m.configure()
	m.play(0, 4000)
	m.r.Close(nil)
	if got := m.names(); got != "v1 v2 a1 a2 a3" {
		t.Errorf("periods of %s", got)
	}
	first := make(map[int]string)
	for _, s := range m.out.samples {
		if track := m.out.periods[0][s.Track]; first[s.Track] == "" {
			first[s.Track] = fmt.Sprintf("%s %s", track.ID, at(track, s.DTS))
		}
	}
	if got := fmt.Sprint(first); got != "map[0:v1 0 1:v2 40 2:a1 0 3:a2 0 4:a3 0]" {
		t.Errorf("tracks begin at %s", got)
	}
}

// TestTracksByNumber: tracks are in the order of their numbers, not of their names.
func TestTracksByNumber(t *testing.T) {
	m := newMany(t)
	for _, id := range []uint8{128, 1} {
		m.packet(flv.Packet{Kind: Audio, TrackID: id, FourCC: flv.MP4A, Type: flv.PacketConfig, Data: unhex(stereo48)})
		m.packet(flv.Packet{Kind: Audio, TrackID: id, FourCC: flv.MP4A, Type: flv.PacketFrame, Data: unhex("2110")})
	}
	m.r.Close(nil)
	if got := m.names(); got != "a2 a129" {
		t.Errorf("periods of %s", got)
	}
}

// TestManyTracksJump: the line is broken when all tracks have jumped, and not before.
func TestManyTracksJump(t *testing.T) {
	const all = "v1 v2 a1 a2 a3"
	for name, c := range map[string]struct {
		jumps   []int
		periods int
	}{
		"one": {[]int{3}, 1}, "all but one": {[]int{0, 1, 2, 3}, 1}, "all": {[]int{0, 1, 2, 3, 4}, 2},
	} {
		m := newMany(t)
		m.configure()
		m.play(0, 4000)
		for _, k := range c.jumps {
			m.base[k] += 3_600_000
		}
		m.play(4000, 8000)
		m.r.Close(nil)
		if got, want := m.names(), strings.Join([]string{all, all}[:c.periods], ", "); got != want {
			t.Errorf("%s: periods of %s", name, got)
		}
		for id, track := range m.out.byID {
			if end := track.last/1e6 - base; end < 7940 || end > 8000 {
				t.Errorf("%s: %s ends at %d ms, not at 8000", name, id, end)
			}
		}
	}
}

// TestTracksAreDescribed: each track has the name, the language and the bit rate that
// metadata say, or, a sound, a name by its number where viewers have a choice.
func TestTracksAreDescribed(t *testing.T) {
	describe := func(tracks []Track) string {
		var all []string
		for _, t := range tracks {
			all = append(all, fmt.Sprintf("%s %q %q %d", t.ID, t.Name, t.Language, t.Bitrate))
		}
		return strings.Join(all, ", ")
	}
	info := func(props ...amf.Property) []byte {
		return amf.Append(nil, "onMetaData", amf.ECMAArray(append([]amf.Property{
			{Name: "videodatarate", Value: 2500.0}, {Name: "audiodatarate", Value: 128.0}}, props...)))
	}
	m := newMany(t)
	m.configure() // before what is said of them
	m.packet(flv.Packet{Type: flv.PacketMetadata, Data: info(
		amf.Property{Name: "audioTrackIdInfoMap", Value: amf.Object{
			{Name: "1", Value: amf.Object{{Name: "name", Value: " Director's\n commentary "}, {Name: "language", Value: "en-GB"}, {Name: "audiodatarate", Value: 64.0}}},
			{Name: "2", Value: amf.Object{{Name: "title", Value: strings.Repeat("ä", 100)}, {Name: "lang", Value: "\"><script>"}}},
			{Name: "256", Value: amf.Object{}}, {Name: "x", Value: 1.0},
		}},
		amf.Property{Name: "videoTrackIdInfoMap", Value: amf.Object{{Name: "1", Value: amf.Object{{Name: "videodatarate", Value: 800.0}}}}},
	)})
	m.packet(flv.Packet{Type: flv.PacketMetadata, Data: info()}) // what isn't said again stays
	m.play(0, 2000)
	m.r.Close(nil)
	want := `v1 "" "" 2500000, v2 "" "" 800000, a1 "Track 1" "" 128000, ` +
		`a2 "Director's commentary" "en-GB" 64000, a3 "` + strings.Repeat("ä", 40) + `" "" 128000`
	if got := describe(m.out.periods[0]); got != want {
		t.Errorf("%s; want %s", got, want)
	}
	f := newFeed(t)
	f.configs()
	f.tag(flv.TagScript, 0, info())
	f.key(0)
	f.sound(0)
	f.inter(40)
	f.r.Close(nil)
	if got := describe(f.out.periods[0]); got != `v1 "" "" 2500000, a1 "" "" 128000` {
		t.Errorf("tracks that are the only ones: %s", got)
	}
}

// TestTooManyTracks: an encoder's tracks are bounded.
func TestTooManyTracks(t *testing.T) {
	m := newMany(t)
	m.configure()
	for id := range 256 {
		m.packet(flv.Packet{Kind: Audio, TrackID: uint8(id), FourCC: flv.MP4A, Type: flv.PacketConfig, Data: unhex(stereo48)})
	}
	if n := len(m.r.sources); n != mostSources {
		t.Errorf("%d tracks", n)
	}
	m.packet(flv.Packet{Kind: Audio, FourCC: 'a'<<24 | 'c'<<16 | '-'<<8 | '4', Type: flv.PacketConfig, Data: unhex(stereo48)})
	if notes := strings.Join(m.notes, ", "); notes != errManyTracks.Error()+`, the sound is left out: audio by FourCC "ac-4" is not supported: set the encoder's audio codec to AAC` {
		t.Errorf("it is said: %s", notes)
	}
}
