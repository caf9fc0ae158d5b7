package hls_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	reader "github.com/bluenviron/gohlslib/v2/pkg/playlist"
	"github.com/google/go-cmp/cmp"

	"github.com/sluice-live/sluice/packager"
	"github.com/sluice-live/sluice/packager/hls"
	"github.com/sluice-live/sluice/packager/packagertest"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
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

// draw renders all playlists of a window and checks that somebody else can
// read them.
func draw(t *testing.T, w *packager.Window) []byte {
	t.Helper()
	var all []byte
	add := func(name string, text []byte) {
		if _, err := reader.Unmarshal(text); err != nil {
			t.Errorf("%s: gohlslib can't read it: %v\n%s", name, err, text)
		}
		all = fmt.Appendf(all, "==> %s\n%s", name, text)
	}
	add("index.m3u8", hls.Multivariant(w))
	for i := range w.Renditions {
		r := &w.Renditions[i]
		add(string(r.ID)+".m3u8", hls.Media(w, r, hls.Full))
	}
	return all
}

func TestPlaylists(t *testing.T) {
	f := packagertest.New(t)
	f.GOP(60)
	f.GOP(60)
	golden(t, "start.txt", draw(t, f.Stream.Window()))
	for range 3 {
		f.GOP(60)
	}
	f.SetTracks(packagertest.Tracks()...)
	f.GOP(60)
	f.GOP(30)
	golden(t, "two-periods.txt", draw(t, f.Stream.Window()))
	f.Publication.Close(nil)
	golden(t, "ended.txt", draw(t, f.Stream.Window()))
}

func TestAudioAlone(t *testing.T) {
	f := packagertest.New(t)
	f.GOP(60)
	f.GOP(60)
	w := f.Stream.Window()
	golden(t, "audio.txt", hls.Multivariant(&packager.Window{Renditions: w.Renditions[1:]}))
}
