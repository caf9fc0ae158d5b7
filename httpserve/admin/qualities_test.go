package admin_test

import (
	"strings"
	"testing"
	"time"

	"github.com/sluice-live/sluice/httpserve/admin"
	"github.com/sluice-live/sluice/packager"
	"github.com/sluice-live/sluice/packager/packagertest"
	"github.com/sluice-live/sluice/remux"
)

// Keyframes that don't lie alike are said to, with what to set, and by how much in the API.
func TestHealthTellsWhoseKeyframesLieElsewhere(t *testing.T) {
	for off, want := range map[int]string{0: "", 15: "Keyframes of 180p come up to 1 s behind those of 540p", 45: "Keyframes of 180p come up to 2 s behind"} { // frames
		now := packagertest.Start
		catalog := packager.NewCatalog(packager.Settings{
			Segments: 6, SegmentMinDuration: 2 * time.Second, SegmentMaxDuration: 10 * time.Second, PartDuration: 500 * time.Millisecond, Linger: time.Minute,
		}, func() time.Time { return now })
		name, _ := packager.ParseStreamName("live", "cam1")
		p, err := catalog.Publish(name)
		if err != nil {
			t.Fatal(err)
		}
		large := packagertest.Tracks()[0]
		codec := *large.Codec.(*remux.H264)
		codec.Width, codec.Height = 320, 180
		small := remux.TrackOf(&codec)
		large.ID, small.ID = "v1", "v2"
		if err := p.SetTracks([]remux.Track{large, small}); err != nil {
			t.Fatal(err)
		}
		for i := range 600 {
			for track, key := range []bool{i%60 == 0, i == 0 || (i+60-off)%60 == 0} {
				s := remux.Sample{Track: track, DTS: packagertest.Start.Unix()*90000 + int64(i)*3000, Duration: 3000, Sync: key, Data: make([]byte, 500)}
				if err := p.WriteSample(&s); err != nil {
					t.Fatal(err)
				}
			}
			now = now.Add(time.Second / 30)
		}
		stream, _ := catalog.Lookup(name)
		got := strings.Join(admin.Health(stream.Window(), nil), "\n")
		if !strings.HasPrefix(got, want) || want == "" && got != "" {
			t.Errorf("%d frames apart: %q, want %q", off, got, want)
		}
		p.Close(nil)
	}
}
