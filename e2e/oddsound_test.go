package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/Eyevinn/mp4ff/mp4"

	"github.com/sluice-live/sluice/ingest/flv"
)

// smallClip has a small picture, and sound of its own kind.
func smallClip(t testing.TB, sound ...string) []flv.Tag {
	t.Helper()
	needs(t, "ffmpeg")
	path := filepath.Join(t.TempDir(), "clip.flv")
	args := []string{"-f", "lavfi", "-i", "testsrc2=size=160x90:rate=30", "-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000",
		"-t", "20", "-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p", "-b:v", "90k", "-x264-params", "keyint=60:min-keyint=60:scenecut=0", "-c:a", "aac", "-b:a", "96k"}
	if err := encode(append(append(args, sound...), "-f", "flv", path)); err != nil {
		t.Fatal(err)
	}
	return clipTags(t, path)
}

// withADTS puts a header in front of each AAC access unit, and takes the
// configuration away if it is to be the only one.
func withADTS(t testing.TB, tags []flv.Tag, bare bool) (out []flv.Tag) {
	t.Helper()
	var config []byte
	for _, tag := range tags {
		if tag.Type == flv.TagAudio {
			if a := packetOf(t, tag); a.Type == flv.PacketConfig {
				if config = a.Data; bare {
					continue
				}
			} else {
				size := 7 + len(a.Data)
				rate := config[0]&7<<1 | config[1]>>7
				channels := config[1] >> 3 & 15
				header := []byte{0xFF, 0xF1, 1<<6 | rate<<2 | channels>>2, channels&3<<6 | byte(size>>11), byte(size >> 3), byte(size&7<<5) | 31, 0xFC}
				tag.Body = append(append(bytes.Clone(tag.Body[:2]), header...), a.Data...)
			}
		}
		out = append(out, tag)
	}
	return out
}

// TestOddSound: whatever an encoder does to AAC, Chromium plays the picture, and
// the sound with as many channels as it has.
func TestOddSound(t *testing.T) {
	if testing.Short() {
		t.Skip("plays for a minute")
	}
	t.Parallel()
	s := startServer(t)
	b := browse(t)
	stereo := []string{"-ac", "2"}
	layout := func(l string) []string { return []string{"-af", "aformat=channel_layouts=" + l} }
	for _, c := range []struct {
		name     string
		tags     []flv.Tag
		players  string
		channels int // 0 where there is no sound
	}{
		{"adts", withADTS(t, smallClip(t, stereo...), false), "hls dash native", 2},
		{"adts-bare", withADTS(t, smallClip(t, stereo...), true), "hls", 2},
		{"5.1-side", smallClip(t, layout("5.1(side)")...), "hls dash native", 6},
		{"7.1-wide", smallClip(t, layout("7.1(wide)")...), "hls", 8},
		{"quad", smallClip(t, layout("quad")...), "hls", 4},
		{"6.1", smallClip(t, layout("6.1")...), "hls", 0},
		{"main", smallClip(t, "-profile:a", "aac_main"), "hls dash", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			stream := "live/" + strings.ReplaceAll(c.name, ".", "-")
			p := publish(t, "rtmp://"+s.rtmp+"/"+stream, nil, c.tags)
			awaitPlayable(t, s, stream)
			if c.channels > 0 {
				w := s.watch(t, stream)
				eventually(t, 10*time.Second, "two segments", func() error { return w.has(2) })
				w.stop(t)
				if got := channelsOf(t, s, stream); got != c.channels {
					t.Errorf("the header says %d channels, not %d", got, c.channels)
				}
				decodes(t, s.url(stream+"/index.m3u8"), c.channels)
			}
			for _, player := range strings.Fields(c.players) {
				b.open(t, "about:blank")
				b.open(t, s.url(stream+"/#"+player))
				var before sample
				eventually(t, 15*time.Second, player+" plays", func() error {
					now := eval[*sample](t, b, "window.e2e && e2e.sample()")
					if now == nil {
						return fmt.Errorf("no video yet")
					}
					if before.At == 0 && now.Time > 0 {
						before = *now
					}
					if now.Time < before.Time+2 || before.At == 0 {
						return fmt.Errorf("it is at %v, was at %v", now.Time, before.Time)
					}
					if heard := now.Audio > before.Audio; heard != (c.channels > 0) {
						return fmt.Errorf("sound is decoded: %v", heard)
					}
					if now.Total < before.Total+30 {
						return fmt.Errorf("%d frames", now.Total-before.Total)
					}
					return nil
				})
				if stats := eval[pageStats](t, b, "sluice.stats()"); stats.State != "live" {
					t.Errorf("%s: the page says: %+v", player, stats)
				}
				for _, e := range eval[[]pageError](t, b, "sluice.errors") {
					// Chromium's own HLS gives up on some streams that have just begun ("Segment queue
					// never had any data"), whatever its sound: the page starts it again, and it has played.
					if e.Fatal && !(player == "native" && strings.Contains(e.Message, "DEMUXER_ERROR_COULD_NOT_PARSE")) {
						t.Errorf("%s: %s", player, e.Message)
					}
				}
				notice := eval[string](t, b, "document.getElementById('left-out').textContent")
				if said := strings.HasPrefix(notice, "the sound is left out: ") && strings.Contains(notice, ": set the encoder's "); said != (c.channels == 0) {
					t.Errorf("%s: the page says of what is left out: %q", player, notice)
				}
			}
			var list struct {
				Streams []struct {
					Name    string   `json:"name"`
					LeftOut []string `json:"leftOut"`
				} `json:"streams"`
			}
			if err := json.Unmarshal(s.get(t, "http://"+s.admin+"/api/v1/streams"), &list); err != nil {
				t.Fatal(err)
			}
			for _, one := range list.Streams {
				if one.Name == stream && (len(one.LeftOut) > 0) != (c.channels == 0) {
					t.Errorf("the API says of what is left out: %q", one.LeftOut)
				}
			}
			p.goodbye(t)
		})
	}
	for _, f := range b.found() {
		t.Error(f)
	}
}

// channelsOf is what the header of the sound says.
func channelsOf(t testing.TB, s *server, stream string) int {
	t.Helper()
	list := string(s.get(t, s.url(stream+"/a1.m3u8")))
	_, uri, _ := strings.Cut(list, `#EXT-X-MAP:URI="`)
	uri, _, _ = strings.Cut(uri, `"`)
	f, err := mp4.DecodeFile(bytes.NewReader(s.get(t, s.url(stream+"/"+uri))))
	if err != nil {
		t.Fatal(err)
	}
	return int(f.Moov.Trak.Mdia.Minf.Stbl.Stsd.Mp4a.ChannelCount)
}

// decodes lets ffmpeg decode the sound of a stream for a second.
func decodes(t testing.TB, url string, channels int) {
	t.Helper()
	out, err := tool(t, 30*time.Second, "ffmpeg", "-nostdin", "-v", "info", "-xerror", "-i", url, "-vn", "-t", "1", "-f", "s16le", "-c:a", "pcm_s16le", "-")
	if err != nil {
		t.Error(err)
		return
	}
	if got := len(out) / 2 / 48000; got < channels-1 || got > channels {
		t.Errorf("ffmpeg decodes %d bytes of a second, which are not %d channels", len(out), channels)
	}
}
