package e2e

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sluice-live/sluice/e2e/lists"
)

// TestExact publishes a minute of 1080p30 with B-frames and AAC, and finds
// every access unit of it once, in order, byte for byte, in HLS and in DASH.
func TestExact(t *testing.T) {
	if testing.Short() {
		t.Skip("takes more than a minute")
	}
	needs(t, "ffmpeg")
	clip := clip1080(t) // before others measure how smoothly they play
	t.Parallel()
	sent := readClip(t, clip)
	if !hasReordering(sent.video) {
		t.Fatal("the clip has no B-frames")
	}

	const stream = "live/exact"
	s := startServer(t, "-window-segments", "60")
	publisher := s.pushClip(t, clip, stream, 0)
	awaitPlayable(t, s, stream)
	w := s.watch(t, stream)
	publisher.wait(t, clip1080For+30*time.Second)
	eventually(t, 10*time.Second, "the lists say that it has ended", w.ended)
	w.stop(t)
	keepLists(t, s, w)

	hls := readHLS(t, w)
	dash := readDASH(t, w)
	sameURLs(t, hls, dash)
	if err := w.sameBytes(t.Context(), w.listed()); err != nil {
		t.Error(err)
	}

	for name, tracks := range map[string]map[string]*mediaTrack{"HLS": hls.tracks, "DASH": dash.tracks} {
		video, audio := tracks["v1"], tracks["a1"]
		if video == nil || audio == nil {
			t.Fatalf("%s has the tracks %v", name, tracks)
		}
		if err := compare(sent.video, video.units, video.timescale, 0); err != nil {
			t.Errorf("%s: video: %v", name, err)
		}
		// Audio is put on its own sample grid, beside the encoder's milliseconds.
		if err := compare(sent.audio, audio.units, audio.timescale, 1024); err != nil {
			t.Errorf("%s: audio: %v", name, err)
		}
		began := func(ms, ticks, timescale int64) time.Duration {
			return time.Duration(ticks/timescale)*time.Second + time.Duration(ticks%timescale)*time.Second/time.Duration(timescale) - time.Duration(ms)*time.Millisecond
		}
		apart := began(sent.audio[0].dts, audio.units[0].dts, audio.timescale) - began(sent.video[0].dts, video.units[0].dts, video.timescale)
		if apart.Abs() > time.Millisecond {
			t.Errorf("%s: audio and video are %v further apart than they were sent", name, apart)
		}
		t.Logf("%s: %d of %d video and %d of %d audio access units, audio against video %v",
			name, len(video.units), len(sent.video), len(audio.units), len(sent.audio), apart)
	}
	for u, h := range w.playlists {
		t.Logf("%s: %d segments, %d versions seen, a new segment after %v at most", u, len(h.last.Segments), w.versions[u], h.longest.Round(time.Millisecond))
	}
	checkBandwidth(t, s, w)
	sameFrameHashes(t, s, clip, stream)
}

// checkBandwidth compares the bit rates that the multivariant playlist
// declares with those that its segments have.
func checkBandwidth(t testing.TB, s *server, w *watcher) {
	t.Helper()
	base := s.url(w.stream + "/index.m3u8")
	multi, err := lists.StrictMultivariant(base, s.get(t, base))
	if err != nil {
		t.Fatal(err)
	}
	var peak, average float64
	for _, h := range w.playlists {
		var bits, seconds float64
		for _, seg := range h.last.Segments {
			bits += float64(len(w.files[seg.URI]) * 8)
			seconds += seg.Duration
		}
		peak += peakRate(h.last, w.files)
		average += bits / seconds
	}
	for attribute, is := range map[string]float64{"BANDWIDTH": peak, "AVERAGE-BANDWIDTH": average} {
		declared, err := lists.ParseDecimal(multi.Variants[0].Attributes[attribute])
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s is %.0f, measured %.0f", attribute, declared, is)
		if declared < 0.99*is || declared > 1.1*is {
			t.Errorf("%s is %.0f, measured %.0f", attribute, declared, is)
		}
	}
}

// peakRate is the highest bit rate of segments one behind the other that last from half the
// target duration to one and a half of it together (RFC 8216bis, section 4.1).
func peakRate(list *lists.Playlist, files map[string][]byte) (most float64) {
	target := float64(list.Target)
	for i := range list.Segments {
		var bits, seconds float64
		for _, seg := range list.Segments[i:] {
			bits += float64(len(files[seg.URI]) * 8)
			if seconds += seg.Duration; seconds > 1.5*target {
				break
			}
			if seconds >= 0.5*target {
				most = max(most, bits/seconds)
			}
		}
	}
	return most
}

func hasReordering(units []accessUnit) bool {
	for i, u := range units {
		if i > 0 && u.dts+u.composition < units[i-1].dts+units[i-1].composition {
			return true
		}
	}
	return false
}

// awaitPlayable returns when the stream can be played.
func awaitPlayable(t testing.TB, s *server, stream string) {
	t.Helper()
	eventually(t, 20*time.Second, stream+" can be played", func() error {
		_, err := s.body(t.Context(), s.url(stream+"/index.m3u8"))
		return err
	})
}

// reading is what was read along one kind of list.
type reading struct {
	urls   map[string][]string    // by rendition
	tracks map[string]*mediaTrack // by rendition
}

func newReading() reading {
	return reading{make(map[string][]string), make(map[string]*mediaTrack)}
}

// rendition is the folder that a media file is in.
func rendition(u string) string {
	parts := strings.Split(u, "/")
	return parts[len(parts)-2]
}

// segment adds a segment to its rendition's track.
func (r reading) segment(w *watcher, header, uri string) (pts, duration int64, err error) {
	id := rendition(uri)
	m := r.tracks[id]
	if m == nil {
		if m, err = readHeader(w.files[header]); err != nil {
			return 0, 0, fmt.Errorf("%s: %w", header, err)
		}
		r.tracks[id] = m
		r.urls[id] = append(r.urls[id], header)
	}
	r.urls[id] = append(r.urls[id], uri)
	if pts, duration, err = m.add(w.files[uri]); err != nil {
		return 0, 0, fmt.Errorf("%s: %w", uri, err)
	}
	return pts, duration, nil
}

// jitter is an encoder's: a segment that begins without a keyframe begins where the
// frame before should have ended.
const jitter = 5 * time.Millisecond

// readHLS reads all that the last playlists list, and checks what they say of it.
func readHLS(t testing.TB, w *watcher) reading {
	t.Helper()
	return readHLSWithin(t, w, jitter)
}

// readHLSWithin allows segments to begin and end that far from where they are said
// to: where one ends between pictures that are shown in another order.
func readHLSWithin(t testing.TB, w *watcher, slack time.Duration) reading {
	t.Helper()
	r := newReading()
	for u, h := range w.playlists {
		for _, s := range h.last.Segments {
			pts, duration, err := r.segment(w, s.Header, s.URI)
			if err != nil {
				t.Fatal(err)
			}
			timescale := r.tracks[rendition(s.URI)].timescale
			if got := fmt.Sprintf("%.5f", float64(duration)/float64(timescale)); got != s.Text {
				t.Errorf("%s: segment %d: EXTINF %s, it lasts %s", u, s.MSN, s.Text, got)
			}
			date := time.UnixMilli(pts / timescale * 1000).Add(time.Duration(pts%timescale) * time.Second / time.Duration(timescale))
			if off := s.Date.Sub(date); off > slack || off < -slack {
				t.Errorf("%s: segment %d: its date is %v from its media time", u, s.MSN, off)
			}
		}
	}
	return r
}

// readDASH does the same along the manifest.
func readDASH(t testing.TB, w *watcher) reading {
	t.Helper()
	return readDASHWithin(t, w, jitter)
}

func readDASHWithin(t testing.TB, w *watcher, slack time.Duration) reading {
	t.Helper()
	r := newReading()
	tracks, err := w.mpd.last.Tracks()
	if err != nil {
		t.Fatal(err)
	}
	for _, tr := range tracks {
		for _, s := range tr.Segments {
			pts, duration, err := r.segment(w, tr.Header, s.URI)
			if err != nil {
				t.Fatal(err)
			}
			if m := r.tracks[rendition(s.URI)]; m.timescale != tr.Timescale {
				t.Errorf("%s: timescale %d in the manifest, %d in the header", s.URI, tr.Timescale, m.timescale)
			}
			if !tr.SameWithin(slack, s, lists.MPDSegment{URI: s.URI, Time: pts, Duration: duration}) {
				t.Errorf("%s: S says %d+%d, it has %d+%d", s.URI, s.Time, s.Duration, pts, duration)
			}
		}
	}
	return r
}

// sameURLs checks that the two are drawings of one set of files.
func sameURLs(t testing.TB, hls, dash reading) {
	t.Helper()
	for id, urls := range hls.urls {
		if got := strings.Join(dash.urls[id], "\n"); got != strings.Join(urls, "\n") {
			t.Errorf("%s: HLS lists\n%s\nDASH lists\n%s", id, strings.Join(urls, "\n"), got)
		}
	}
	if len(hls.urls) != len(dash.urls) {
		t.Errorf("HLS has %d renditions, DASH %d", len(hls.urls), len(dash.urls))
	}
}

// keepLists keeps the lists as they are now.
func keepLists(t testing.TB, s *server, w *watcher) {
	t.Helper()
	keep(t, "index.mpd", s.get(t, s.url(w.stream+"/index.mpd")))
	keep(t, "index.m3u8", s.get(t, s.url(w.stream+"/index.m3u8")))
	for u := range w.playlists {
		keep(t, u[strings.LastIndex(u, "/")+1:], s.get(t, u))
	}
}

// sameFrameHashes compares the clip with both lists through ffmpeg's eyes.
func sameFrameHashes(t testing.TB, s *server, clip, stream string) {
	t.Helper()
	want := frameHashes(t, clip)
	for _, file := range []string{"index.m3u8", "index.mpd"} {
		got := frameHashes(t, s.url(stream+"/"+file))
		for i, kind := range []string{"video", "audio"} {
			a, b := want[i], got[i]
			if len(a) != len(b) {
				t.Errorf("ffmpeg reads %d %s frames from %s, %d from the clip", len(b), kind, file, len(a))
			}
			for j := range min(len(a), len(b)) {
				if a[j] != b[j] {
					t.Errorf("ffmpeg reads another %s frame %d from %s", kind, j, file)
					break
				}
			}
		}
		t.Logf("ffmpeg reads %d video and %d audio frames from %s, with the clip's hashes", len(got[0]), len(got[1]), file)
	}
}

// frameHashes has the hash of each packet, of video and audio.
func frameHashes(t testing.TB, input string) (hashes [2][]string) {
	t.Helper()
	out, err := tool(t, 60*time.Second, "ffmpeg", "-nostdin", "-hide_banner", "-loglevel", "error",
		"-i", input, "-map", "0:v", "-map", "0:a", "-c", "copy", "-f", "framemd5", "-")
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(out) {
		// stream, dts, pts, duration, size, hash
		fields := strings.Split(strings.TrimSpace(string(line)), ",")
		if strings.HasPrefix(fields[0], "#") || len(fields) < 6 {
			continue
		}
		i := 0
		if fields[0] == "1" {
			i = 1
		}
		hashes[i] = append(hashes[i], strings.TrimSpace(fields[5]))
	}
	return hashes
}
