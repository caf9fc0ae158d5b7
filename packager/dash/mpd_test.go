package dash_test

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/Eyevinn/dash-mpd/mpd"
	"github.com/google/go-cmp/cmp"

	"github.com/sluice-live/sluice/packager/dash"
	"github.com/sluice-live/sluice/packager/packagertest"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func golden(t *testing.T, name string, f *packagertest.Feed) {
	t.Helper()
	got, err := dash.MPD(f.Stream.Window())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := mpd.MPDFromBytes(got); err != nil {
		t.Errorf("%s can't be read back: %v", name, err)
	}
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

func TestManifests(t *testing.T) {
	f := packagertest.New(t)
	f.GOP(60)
	f.GOP(60)
	golden(t, "start.mpd", f)
	for range 3 {
		f.GOP(60)
	}
	f.SetTracks(packagertest.Tracks()...)
	f.GOP(60)
	f.GOP(30)
	golden(t, "two-periods.mpd", f)
	f.Publication.Close(nil)
	golden(t, "ended.mpd", f)
}
