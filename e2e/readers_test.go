package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bluenviron/gohlslib/v2"
	"github.com/bluenviron/gohlslib/v2/pkg/codecs"
	"github.com/sluice-live/sluice/e2e/lists"
)

// TestReaders lets other people's readers at one stream, from its first
// segment to its end, with a window that slides.
func TestReaders(t *testing.T) {
	if testing.Short() {
		t.Skip("watches a stream for half a minute")
	}
	t.Parallel()
	needs(t, "ffmpeg", "ffprobe", "xmllint")
	const stream = "live/readers"
	const seconds = 24
	clip := clip360(t)
	s := startServer(t, "-window-segments", "6")
	schema := findSchema(t)

	pusher := s.pushClip(t, clip, stream, seconds*time.Second)
	awaitPlayable(t, s, stream)
	w := s.watch(t, stream)
	validateMPD(t, s, schema, stream, "just-started", func() error { return nil })

	// It begins three segments behind, and gives up when there are less.
	eventually(t, 20*time.Second, "four segments", func() error { return w.has(4) })
	hls := readWithGohlslib(t, s.url(stream+"/index.m3u8"))
	for _, list := range []string{"index.m3u8", "index.mpd"} {
		probe(t, s.url(stream+"/"+list))
	}
	// A player that goes through the live stream as it comes, decoding it.
	decoded, err := tool(t, 30*time.Second, "ffmpeg", "-nostdin", "-hide_banner", "-v", "error", "-i", s.url(stream+"/index.m3u8"), "-t", "4", "-f", "null", "-")
	if err != nil || len(decoded) > 0 {
		t.Errorf("ffmpeg decodes the live stream: %v\n%s", err, decoded)
	}
	validateMPD(t, s, schema, stream, "sliding", func() error { return w.slid(1) })
	pusher.wait(t, (seconds+20)*time.Second)
	validateMPD(t, s, schema, stream, "ended", w.ended)
	w.stop(t)
	keepLists(t, s, w)

	for id, m := range readHLS(t, w).tracks {
		t.Logf("mp4ff: %s: %s %dx%d, timescale %d, %d access units in the last window", id, m.codec, m.width, m.height, m.timescale, len(m.units))
	}
	for u, h := range w.playlists {
		target := time.Duration(h.last.Target) * time.Second
		t.Logf("%s: %d versions, %d segments left it, a new segment after %v at most", u, h.updates, h.slides, h.longest.Round(time.Millisecond))
		if h.longest > target*3/2+watchInterval+100*time.Millisecond {
			t.Errorf("%s: a new segment came after %v, the target duration is %v", u, h.longest, target)
		}
		if d := h.last.Seconds(); d < 3*target.Seconds() {
			t.Errorf("%s: %v s are listed, three target durations are the least", u, d)
		}
	}
	hls.wait(t)
}

// gohlslibReading is a gohlslib client under way.
type gohlslibReading struct {
	client       *gohlslib.Client
	done         sync.WaitGroup
	err          error
	tracks       []string
	video, audio atomic.Int64 // access units
	decodeErrors atomic.Int64
}

func readWithGohlslib(t testing.TB, url string) *gohlslibReading {
	t.Helper()
	r := new(gohlslibReading)
	ready := make(chan struct{})
	c := &gohlslib.Client{URI: url}
	c.OnDownloadPrimaryPlaylist = func(string) {}
	c.OnDownloadStreamPlaylist = func(string) {}
	c.OnDownloadSegment = func(string) {}
	c.OnDownloadPart = func(string) {}
	c.OnDecodeError = func(error) { r.decodeErrors.Add(1) }
	c.OnTracks = func(tracks []*gohlslib.Track) error {
		for _, track := range tracks {
			switch codec := track.Codec.(type) {
			case *codecs.H264:
				r.tracks = append(r.tracks, "H264")
				c.OnDataH26x(track, func(_, _ int64, _ [][]byte) { r.video.Add(1) })
			case *codecs.MPEG4Audio:
				r.tracks = append(r.tracks, fmt.Sprintf("AAC %d Hz %d channels", codec.Config.SampleRate, codec.Config.ChannelConfig))
				c.OnDataMPEG4Audio(track, func(_ int64, aus [][]byte) { r.audio.Add(int64(len(aus))) })
			}
		}
		close(ready)
		return nil
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	r.client = c
	r.done.Go(func() { r.err = c.Wait2() })
	t.Cleanup(func() { c.Close(); r.done.Wait() })
	select {
	case <-ready:
	case <-time.After(15 * time.Second):
		t.Fatal("gohlslib finds no tracks")
	}
	if got := strings.Join(r.tracks, ", "); got != "H264, AAC 44100 Hz 2 channels" {
		t.Errorf("gohlslib finds %s", got)
	}
	return r
}

// wait returns when the client has come to the end of the stream.
func (r *gohlslibReading) wait(t testing.TB) {
	t.Helper()
	ended := make(chan struct{})
	go func() { r.done.Wait(); close(ended) }()
	select {
	case <-ended:
	case <-time.After(20 * time.Second):
		r.client.Close()
		<-ended
		t.Errorf("gohlslib does not come to the end of the stream")
	}
	// Its reader of parts knows no end: it takes the list without a hint for a
	// fault, and has read all there is.
	if !errors.Is(r.err, gohlslib.ErrClientEOS) && r.err.Error() != "preload hint disappeared" {
		t.Errorf("gohlslib: %v", r.err)
	}
	t.Logf("gohlslib: %d video and %d audio access units to the end, %d decode errors", r.video.Load(), r.audio.Load(), r.decodeErrors.Load())
	if r.decodeErrors.Load() > 0 || r.video.Load() < 10*frameRate || r.audio.Load() < 10*sampleRate/1024 {
		t.Error("that is less than it should be")
	}
}

// probe reads the tracks with ffprobe.
func probe(t testing.TB, url string) {
	t.Helper()
	out, err := tool(t, 30*time.Second, "ffprobe", "-v", "error", "-show_entries", "stream=codec_name,width,height,sample_rate,channels", "-of", "json", url)
	if err != nil {
		t.Error(err)
		return
	}
	var found struct {
		Streams []struct {
			Codec      string `json:"codec_name"`
			Width      int    `json:"width"`
			Height     int    `json:"height"`
			SampleRate string `json:"sample_rate"`
			Channels   int    `json:"channels"`
		} `json:"streams"`
	}
	if err := json.Unmarshal(out, &found); err != nil {
		t.Error(err)
		return
	}
	var tracks []string
	for _, s := range found.Streams {
		if s.Width > 0 {
			tracks = append(tracks, fmt.Sprintf("%s %dx%d", s.Codec, s.Width, s.Height))
		} else {
			tracks = append(tracks, fmt.Sprintf("%s %s Hz %d channels", s.Codec, s.SampleRate, s.Channels))
		}
	}
	slices.Sort(tracks) // ffprobe has them in no order
	got := strings.Join(tracks, ", ")
	t.Logf("ffprobe: %s: %s", url, got)
	if got != "aac 44100 Hz 2 channels, h264 640x360" {
		t.Errorf("ffprobe finds %s", got)
	}
}

// findSchema looks for the MPEG schema, which is not ours to distribute.
func findSchema(t testing.TB) string {
	t.Helper()
	path := os.Getenv("DASH_SCHEMA")
	if path == "" {
		path = filepath.Join("..", "..", "shared", "schema", "DASH-MPD.xsd")
	}
	if _, err := os.Stat(path); err != nil {
		fmt.Fprintf(os.Stderr, "\n*** NO MPEG SCHEMA (set DASH_SCHEMA to the DASH-MPD.xsd of ISO/IEC 23009-1): manifests are checked for their structure only ***\n\n")
		return ""
	}
	return path
}

// validateMPD waits for a state of the stream and validates its manifest.
func validateMPD(t testing.TB, s *server, schema, stream, state string, reached func() error) {
	t.Helper()
	eventually(t, 40*time.Second, "the stream is "+state, reached)
	body := s.get(t, s.url(stream+"/index.mpd"))
	keep(t, state+".mpd", body)
	if err := lists.CheckStructure(body); err != nil {
		t.Errorf("%s: %v", state, err)
	}
	if schema == "" {
		return
	}
	if _, err := tool(t, 20*time.Second, "xmllint", "--nonet", "--noout", "--schema", schema, artifact(t, state+".mpd")); err != nil {
		t.Errorf("%s: %v", state, err)
		return
	}
	t.Logf("%s: valid by the MPEG schema", state)
}

// TestManifestReaders has readers other than browsers play the live lists: each
// segment once. FFmpeg 5.1 reads $Number$ wrong, and then the window again and
// again; GStreamer 1.22 counts the time since 1970 twice in a manifest, and is
// told to take the playlist.
func TestManifestReaders(t *testing.T) {
	if testing.Short() {
		t.Skip("plays for half a minute")
	}
	// Not beside others: mpv of Debian reads a segment again and again on a busy machine.
	needs(t, "ffmpeg", "mpv", "gst-launch-1.0")
	const (
		stream = "live/readers"
		plays  = 24 * time.Second
	)
	s := startServer(t)
	s.pushClip(t, clip360(t), stream, 0)
	awaitPlayable(t, s, stream)
	// The first segment of a stream is shorter than a second, by which FFmpeg
	// counts: until it has left the window, it may come again.
	time.Sleep(18 * time.Second)
	length := fmt.Sprint(plays.Seconds())
	for _, tt := range []struct {
		name, list string
		command    func(url string) []string
	}{
		{"FFmpeg", "index.mpd", func(url string) []string {
			return []string{"ffmpeg", "-nostdin", "-v", "error", "-i", url, "-t", length, "-c", "copy", "-f", "null", "-"}
		}},
		{"mpv", "index.mpd", func(url string) []string {
			return []string{"mpv", "--no-config", "--vo=null", "--ao=null", "--really-quiet", "--length=" + length, url}
		}},
		{"GStreamer", "index.m3u8", func(url string) []string {
			return []string{"timeout", "-k", "2", "--preserve-status", "-s", "INT", length, "gst-launch-1.0", "-q", "playbin3", "uri=" + url, "video-sink=fakesink sync=true", "audio-sink=fakesink sync=true"}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			origin := countRequests(t, s)
			command := tt.command("http://" + origin.addr + "/" + stream + "/" + tt.list)
			if _, err := tool(t, 2*plays+10*time.Second, command[0], command[1:]...); err != nil && tt.name != "GStreamer" {
				t.Error(err) // GStreamer is told to stop, and says so
			}
			origin.mu.Lock()
			defer origin.mu.Unlock()
			segments := 0
			for url, n := range origin.urls {
				if !strings.Contains(url, "/v1/") || strings.Contains(url, "-header") {
					continue
				}
				segments++
				if n > 2 { // to begin with, they look into one twice
					t.Errorf("%s was read %d times", url, n)
				}
			}
			t.Logf("%d segments of pictures", segments)
			if least := int(plays/gop) - 2; segments < least {
				t.Errorf("%d segments in %v", segments, plays)
			}
		})
	}
}
