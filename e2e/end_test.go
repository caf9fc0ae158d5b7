package e2e

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// TestEndsInMidGOP ends a stream in the middle of a GOP, whose segment was
// foreseen to be longer: players come to the end, and say so.
func TestEndsInMidGOP(t *testing.T) {
	if os.Getenv("E2E_PLAYERS") == "" {
		t.Skip("E2E_PLAYERS is not set: this takes a minute of players (make test-players)")
	}
	const stream, length = "live/end", 31100 * time.Millisecond
	page := playersPage(t)
	small := clipTags(t, clip360(t))
	s := startServer(t)
	b := browse(t)
	var tabs []*browser
	w := &wild{t: t, url: s.rtmpURL(stream)}
	w.connect()
	done := make(chan bool)
	go func() { w.play(small, length); close(done) }()
	awaitPlayable(t, s, stream)
	time.Sleep(4 * time.Second)
	var taking []viewing
	for _, v := range viewings {
		if !strings.HasSuffix(v.list, ".mpd") && !strings.Contains(v.name, "hls.js") && v.player != "#dash" {
			continue // they end by themselves, and six pages are enough for a small machine
		}
		taking = append(taking, v)
		tab := b.tab(t)
		tabs = append(tabs, tab)
		tab.open(t, v.url(s, page, stream))
	}
	<-done
	if err := w.rtmp.Close(); err != nil {
		t.Fatal(err)
	}
	for i, v := range taking {
		t.Run(strings.ReplaceAll(v.name, " ", ""), func(t *testing.T) {
			if v.list == "" && v.player == "#hls" { // the page asks by itself, after six seconds
				tabs[i].awaitState(t, "ended")
				return
			}
			eventually(t, 15*time.Second, "the player comes to the end", func() error {
				if ended := eval[bool](t, tabs[i], `e2e.events.some(({type}) => type === "ended")`); !ended {
					return errors.New(ranges(t, tabs[i]))
				}
				return nil
			})
			t.Log(ranges(t, tabs[i]))
		})
	}
}

// ranges tells what a player has and where it may go.
func ranges(t testing.TB, b *browser) string {
	t.Helper()
	return fmt.Sprint(eval[string](t, b, `(() => {
		const list = (r) => [...Array(r.length).keys()].map((i) => [r.start(i), r.end(i)]);
		const v = e2e.video;
		const shaka = window.player?.seekRange?.();
		return v && JSON.stringify({ time: v.currentTime, duration: v.duration, paused: v.paused, ended: v.ended,
			buffered: list(v.buffered), seekable: list(v.seekable), shaka });
	})()`))
}
