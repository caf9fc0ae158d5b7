package e2e

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/sluice-live/sluice/ingest/flv"
)

// TestLeftOut: what can't be carried is left out by track. The rest goes on, and the
// API says what to set in the encoder instead.
func TestLeftOut(t *testing.T) {
	if testing.Short() {
		t.Skip("publishes for some seconds")
	}
	t.Parallel()
	s := startServer(t)
	for _, c := range []struct{ name, stays, goes string }{
		{"nellymoser", "avc1", "Nellymoser"},
		{"speex", "avc1", "Speex"},
		{"alaw", "avc1", "G.711 A-law"},
		{"mulaw", "avc1", "G.711 µ-law"},
		{"adpcm", "avc1", "ADPCM"},
		{"sorenson", "mp4a", "Sorenson H.263"},
		{"screen", "mp4a", "Screen video"},
		{"screen2", "mp4a", "Screen video 2"},
		{"made-vp6", "mp4a", "VP6"},
		{"made-unknown-fourcc", "mp4a", "zzzz"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			stream := "left/" + c.name
			// Once more and again behind the first time, so that there is something to play.
			var tags []flv.Tag
			once := recorded(t, c.name)
			for i := range uint32(4) {
				for _, tag := range once {
					if tag.Timestamp += i * 1000; i == 0 || len(tag.Body) > 2 && tag.Type != flv.TagScript {
						tags = append(tags, tag)
					}
				}
			}
			sent := sendPaced(t.Context(), t, s.rtmpURL(stream), tags)
			awaitPlayable(t, s, stream)
			var leftOut []string
			eventually(t, 4*time.Second, "the API says what is left out", func() error {
				var list struct {
					Streams []struct {
						Name    string   `json:"name"`
						LeftOut []string `json:"leftOut"`
					} `json:"streams"`
				}
				if err := json.Unmarshal(s.get(t, "http://"+s.admin+"/api/v1/streams"), &list); err != nil {
					return err
				}
				for _, one := range list.Streams {
					if one.Name == stream && len(one.LeftOut) > 0 {
						leftOut = one.LeftOut
						return nil
					}
				}
				return errors.New("nothing yet")
			})
			said := strings.Join(leftOut, "; ")
			if len(leftOut) != 1 || !strings.Contains(said, c.goes) || !strings.Contains(said, "set the encoder's ") {
				t.Errorf("the API says %q", said)
			}
			multi := string(s.get(t, s.url(stream+"/index.m3u8")))
			if _, codecs, _ := strings.Cut(multi, `CODECS="`); !strings.HasPrefix(codecs, c.stays) || strings.Contains(strings.SplitN(codecs, `"`, 2)[0], ",") {
				t.Errorf("not %s alone is listed:\n%s", c.stays, multi)
			}
			sent.Wait()
			t.Logf("%s: %s", c.name, said)
		})
	}
}
