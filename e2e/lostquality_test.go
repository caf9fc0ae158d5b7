package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluice-live/sluice/ingest/flv"
)

// TestLostQuality: the quality that a viewer watches is lost for 5 s, and then for a minute,
// which is longer than what is listed. Players go on with another one. It comes back: those
// who were there and those who came in the meantime can choose it.
func TestLostQuality(t *testing.T) {
	if os.Getenv("E2E_ABR") == "" {
		t.Skip("E2E_ABR is not set: this takes minutes (make test-abr)")
	}
	const (
		lost, back  = 16, 21  // s
		gone, again = 40, 100 // s
		newcomer    = 84      // s, when the newcomers come
		end         = 122     // s

	)
	some := regexp.MustCompile(strings.TrimPrefix(os.Getenv("E2E_ABR"), "1"))
	page := playersPage(t)
	var rows []string
	var mu sync.Mutex
	for _, track := range []int{1, 0} {
		name := map[int]string{0: "leader", 1: "other"}[track]
		height := heights[track]
		for _, browser := range []string{"Chromium", "Firefox"} {
			for _, c := range choosers {
				id := browser + ", " + c.name + ", " + name
				if !some.MatchString(id) {
					continue
				}
				t.Run(strings.ReplaceAll(id, " ", ""), func(t *testing.T) {
					t.Parallel()
					const stream = "live/lost"
					s := startServer(t)
					tags := qualities(t).tags((end + 20) * time.Second)
					tags = without(without(tags, uint8(track), lost*1000, back*1000), uint8(track), gone*1000, again*1000)
					began := time.Now()
					at := func(seconds int) { time.Sleep(time.Until(began.Add(time.Duration(seconds) * time.Second))) }
					publishTags(t, s, stream, tags)
					old, late := watching(t, browser), watching(t, browser)
					at(8)
					old.begin(t, c.url(s.http, page, stream))
					choose := func() {
						t.Helper()
						eventually(t, 8*time.Second, "the player knows the quality", func() error {
							if why := c.try(t, old, height); why != "" {
								return errors.New(why)
							}
							return nil
						})
					}
					choose()
					at(lost)
					short := watchFor(t, old, (back-lost+8)*time.Second, height*16/9)
					choose()
					at(gone)
					long := watchFor(t, old, 20*time.Second, height*16/9)
					at(newcomer)
					late.begin(t, c.url(s.http, page, stream))
					keep(t, "away.mpd", s.get(t, s.url(stream+"/index.mpd")))
					at(again)
					returned := watchFor(t, old, 10*time.Second, height*16/9)
					keep(t, "back.mpd", s.get(t, s.url(stream+"/index.mpd")))
					chosen := func(v viewer) (s seen) {
						c.try(t, v, height)
						return watchFor(t, v, 6*time.Second, height*16/9)
					}
					first, second := chosen(old), chosen(late)
					row := fmt.Sprintf("| %s | %s | %s | %.1f, %.1f %v | %.1f, %.1f %v | %.1f | %v | %v |", c.name, browser, name,
						short.Longest, short.Frozen, short.widths, long.Longest, long.Frozen, long.widths, returned.Longest, first.widths, second.widths)
					t.Log(row)
					t.Log(fatal(t, old), fatal(t, late), old.text(t, "window.heights ? String(heights()) : ''"), late.text(t, "window.heights ? String(heights()) : ''"))
					if !strings.Contains(c.told, "lost") {
						most := 3.0 // s: a segment, and until the loss is known
						if strings.HasSuffix(c.name, "hls.js") {
							most = 1.5 // it leaves at the first part that is a gap
						}
						if short.Longest > most || long.Longest > most || returned.Longest > most {
							t.Errorf("stood still for %.1f s as it was lost for a while, %.1f s as it was for long, %.1f s as it came back", short.Longest, long.Longest, returned.Longest)
						}
						if n := len(long.widths); long.widths[n-1] == height*16/9 {
							t.Errorf("goes on with what is lost: %v", long.widths)
						}
						if faults := fatal(t, old) + fatal(t, late); faults != "[][]" {
							t.Error(faults)
						}
					}
					mu.Lock()
					rows = append(rows, row)
					mu.Unlock()
				})
			}
		}
	}
	t.Cleanup(func() {
		slices.Sort(rows)
		keep(t, "table.md", []byte(strings.Join(rows, "\n")+"\n"))
	})
}

// spectator is a browser that begins to watch.
type spectator struct{ viewer }

func watching(t testing.TB, browser string) spectator {
	t.Helper()
	if browser == "Firefox" {
		return spectator{browseFirefox(t)}
	}
	return spectator{browse(t)}
}

// begin opens a player and waits until it plays.
func (p spectator) begin(t testing.TB, url string) {
	t.Helper()
	p.open(t, url)
	if f, ok := p.viewer.(*firefox); ok {
		f.run(t, watchScript)
	}
	awaitPlaying(t, p)
	time.Sleep(time.Second) // until the page has its menu
}

func publishTags(t testing.TB, s *server, stream string, tags []flv.Tag) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	sendPaced(ctx, t, s.rtmpURL(stream), tags)
	t.Cleanup(cancel)
	awaitPlayable(t, s, stream)
}

// without is the same without some of a track of the picture: what lies in there, ms.
func without(tags []flv.Tag, track uint8, from, to uint32) []flv.Tag {
	return slices.DeleteFunc(slices.Clone(tags), func(tag flv.Tag) bool {
		for p, err := range flv.Packets(tag) {
			if err == nil && p.Kind == flv.Video && p.TrackID == track && p.Type == flv.PacketFrame && tag.Timestamp >= from && tag.Timestamp < to {
				return true
			}
		}
		return false
	})
}
