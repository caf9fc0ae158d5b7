package e2e

import (
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/sluice-live/sluice/ingest/flv"
)

// TestKeepsPace has a track fall silent, for six seconds or for good, or an
// encoder come back without it. Players that were there and such that come in
// the meantime play what there is.
func TestKeepsPace(t *testing.T) {
	if os.Getenv("E2E_PLAYERS") == "" {
		t.Skip("E2E_PLAYERS is not set: this takes minutes (make test-players)")
	}
	const (
		stream = "live/pace"
		comes  = 11 * time.Second // the second viewer of each kind, into the silence
		length = 26 * time.Second
	)
	players := []viewing{
		{name: "hls.js", player: "?hls&recipe", list: "index.m3u8"},
		{name: "dash.js", player: "?dash&recipe", list: "index.mpd"},
		{name: "Shaka", player: "?shaka&recipe", list: "index.mpd"},
		{name: "native", player: "?native", list: "index.m3u8"},
	}
	page := playersPage(t)
	for _, tt := range []struct {
		name  string
		files []string // one after another, with a connection each
		still float64  // s at most that a picture may stand still at once
	}{
		{"muted", []string{"muted"}, 2},
		{"muted-for-good", []string{"muted-for-good"}, 2},
		{"still", []string{"still"}, 6 + 2*2},
		{"return-without-sound", []string{"plain", "no-sound"}, 3 + 2*2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := startServer(t)
			b := browse(t)
			tabs := make([]*browser, 2*len(players))
			for i := range tabs {
				tabs[i] = b.tab(t)
			}
			w := &wild{t: t, url: s.rtmpURL(stream)}
			var encoder sync.WaitGroup
			began := time.Now()
			encoder.Go(func() {
				for i, f := range tt.files {
					tags := longer(clipTags(t, filepath.Join("testdata", f+".flv")))
					w.connect()
					if i < len(tt.files)-1 {
						w.play(tags, 9*time.Second)
						w.rtmp.Abort()
						time.Sleep(time.Second)
						continue
					}
					w.play(tags, length)
				}
			})
			awaitPlayable(t, s, stream)
			for i, v := range players {
				tabs[i].open(t, v.url(s, page, stream))
			}
			native := len(players) - 1
			gaveUp := tabs[native].again(t, players[native].url(s, page, stream))
			time.Sleep(time.Until(began.Add(comes)))
			for i, v := range players {
				tabs[len(players)+i].open(t, v.url(s, page, stream))
			}
			time.Sleep(time.Until(began.Add(length - 2*time.Second)))
			from := make([]*look, len(tabs))
			for i, tab := range tabs {
				from[i] = eval[*look](t, tab, "e2e.video ? "+lookAtVideo+" : null")
			}
			time.Sleep(2 * time.Second)
			for i, tab := range tabs {
				who := players[i%len(players)].name + []string{" was there", " comes new"}[i/len(players)]
				played := slices.ContainsFunc(eval[[]mediaEvent](t, tab, "e2e.events"), func(e mediaEvent) bool { return e.Type == "playing" })
				if i == native && gaveUp {
					t.Logf("| %s | %s | gave up at its start, four times |", tt.name, who)
					continue
				}
				if from[i] == nil || !played {
					t.Errorf("%s: never played: %v", who, tab.found())
					continue
				}
				to := eval[look](t, tab, lookAtVideo)
				jumped := 0.0
				for _, by := range to.Jumps {
					jumped += by
				}
				t.Logf("| %s | %s | still %.1f s, %.1f s at once | jumped %+.1f s | moved %.1f s in the last 2 s |", tt.name, who, to.All, to.Longest, jumped, to.Time-from[i].Time)
				if to.Longest > tt.still {
					t.Errorf("%s: it stood still for %.1f s", who, to.Longest)
				}
				if to.Time-from[i].Time < 1 {
					t.Errorf("%s: it moved %.1f s in the last 2 s", who, to.Time-from[i].Time)
				}
			}
			encoder.Wait()
			if err := w.rtmp.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// longer sends the last six of a clip's twenty seconds again, behind it.
func longer(tags []flv.Tag) []flv.Tag {
	all := slices.Clone(tags)
	for _, tag := range tags {
		if tag.Timestamp >= 14000 && len(tag.Body) > 1 && tag.Body[1] != 0 {
			tag.Timestamp += 6000
			all = append(all, tag)
		}
	}
	return all
}
