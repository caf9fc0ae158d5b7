package probe

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bluenviron/gohlslib/v2"
	"github.com/bluenviron/gohlslib/v2/pkg/codecs"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/mpeg4audio"
	"go.uber.org/goleak"

	"github.com/sluice-live/sluice/packager/cmaf"
	"github.com/sluice-live/sluice/remux"
)

// presentation is a tiny recording: three segments of five pictures, and the
// audio that goes with them. Keys are paths.
type presentation map[string]string

const (
	videoSegment = 9_000 // ticks at 90 kHz: five pictures at 50 fps
	audioSegment = 5_120 // ticks at 48 kHz: five frames
)

var tracks = map[string]remux.Track{
	"v1": remux.TrackOf(&remux.H264{
		SPS: [][]byte{{
			0x67, 0x42, 0xc0, 0x28, 0xd9, 0x00, 0x78, 0x02, 0x27, 0xe5, 0x84, 0x00,
			0x00, 0x03, 0x00, 0x04, 0x00, 0x00, 0x03, 0x00, 0xf0, 0x3c, 0x60, 0xc9, 0x20,
		}},
		PPS:     [][]byte{{0x68, 0xcb, 0x83, 0xcb, 0x20}},
		Picture: remux.Picture{Width: 1920, Height: 1080},
	}),
	"a1": remux.TrackOf(&remux.AAC{
		Config: []byte{0x11, 0x90}, ObjectType: 2, FrameSamples: 1024, Sound: remux.Sound{SampleRate: 48_000, Channels: 2, Layout: 2},
	}),
}

// segmentBytes makes segment n, counted from 0. shift moves it in time.
func segmentBytes(id string, n, shift int) string {
	count, each, size := 5, videoSegment/5, 250
	if id == "a1" {
		each, size = audioSegment/5, 128
	}
	f := cmaf.Fragment{Sequence: uint32(n), DecodeTime: int64(n*count*each + shift), StartsSegment: true, SamplesPayload: count * size}
	samples := make([]cmaf.Sample, count)
	var data []byte
	for i := range samples {
		samples[i] = cmaf.Sample{Duration: uint32(each), Size: uint32(size), Flags: cmaf.Sync}
		data = binary.BigEndian.AppendUint32(data, uint32(size-4)) // one NAL unit
		data = append(data, make([]byte, size-4)...)
	}
	return string(append(f.Append(nil, samples), data...))
}

// record makes a presentation. Segments from number cut on come later than
// they should by gap.
func record(t *testing.T, cut int, gap time.Duration) presentation {
	p := presentation{
		"/index.m3u8": "#EXTM3U\n" +
			`#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="a1",DEFAULT=YES,URI="a1.m3u8"` + "\n" +
			`#EXT-X-STREAM-INF:BANDWIDTH=1000,CODECS="avc1.42c028,mp4a.40.2",AUDIO="a"` + "\nv1.m3u8\n",
		"/v1.m3u8":   mediaPlaylist("v1", 3, "0.1", time.Now()) + "#EXT-X-ENDLIST\n",
		"/a1.m3u8":   mediaPlaylist("a1", 3, "0.10667", time.Now()) + "#EXT-X-ENDLIST\n",
		"/index.mpd": staticMPD("", timeline("v1"), timeline("a1")),
	}
	for id, track := range tracks {
		header, err := cmaf.Header(track, 1000, 1000)
		if err != nil {
			t.Fatal(err)
		}
		p["/"+id+"/header.mp4"] = string(header)
		for n := range 3 {
			shift := 0
			if n >= cut {
				shift = int(gap * time.Duration(track.Timescale) / time.Second)
			}
			p[fmt.Sprintf("/%s/%d.m4s", id, n)] = segmentBytes(id, n, shift)
		}
	}
	return p
}

func mediaPlaylist(id string, n int, extinf string, begin time.Time) string {
	b := "#EXTM3U\n#EXT-X-VERSION:6\n#EXT-X-TARGETDURATION:1\n#EXT-X-MEDIA-SEQUENCE:0\n#EXT-X-MAP:URI=\"" + id + "/header.mp4\"\n"
	for i := range n {
		at := begin.Add(time.Duration(i*ticksOf(id)) * time.Second / time.Duration(tracks[id].Timescale))
		b += fmt.Sprintf("#EXT-X-PROGRAM-DATE-TIME:%s\n#EXTINF:%s,\n%s/%d.m4s\n", at.UTC().Format("2006-01-02T15:04:05.000Z"), extinf, id, i)
	}
	return b
}

func timeline(id string) string {
	return fmt.Sprintf(`<SegmentTemplate timescale="%d" startNumber="0" media="$RepresentationID$/$Number$.m4s" initialization="$RepresentationID$/header.mp4">`+
		`<SegmentTimeline><S t="0" d="%d" r="2"/></SegmentTimeline></SegmentTemplate>`, tracks[id].Timescale, ticksOf(id))
}

func ticksOf(id string) int {
	if id == "v1" {
		return videoSegment
	}
	return audioSegment
}

func staticMPD(attributes, video, audio string) string {
	return `<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" mediaPresentationDuration="PT0.3S" maxSegmentDuration="PT0.15S" ` + attributes + `><Period id="p">` +
		adaptationSet("v1", "video", video) + adaptationSet("a1", "audio", audio) + `</Period></MPD>`
}

func adaptationSet(id, kind, template string) string {
	return fmt.Sprintf(`<AdaptationSet contentType="%s" mimeType="%s/mp4">%s<Representation id="%s" bandwidth="1000"/></AdaptationSet>`, kind, kind, template, id)
}

// change replaces text in one file.
func (p presentation) change(file, from, to string) {
	if !strings.Contains(p[file], from) {
		panic(file + " has no " + from)
	}
	p[file] = strings.ReplaceAll(p[file], from, to)
}

func (p presentation) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, ok := p[r.URL.Path]
	if !ok {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", map[string]string{
		".m3u8": "application/vnd.apple.mpegurl",
		".mpd":  "application/dash+xml",
	}[path.Ext(r.URL.Path)])
	io.WriteString(w, body)
}

// noLeak fails t when it ends with more goroutines than there were before it.
func noLeak(t *testing.T) {
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, before) })
}

func TestProbe(t *testing.T) {
	noLeak(t)
	for _, c := range []struct {
		name  string
		file  string
		cut   int // the segment from which on all is late
		gap   time.Duration
		spoil func(presentation)
		want  []string // in the report
		wrong bool
	}{
		{
			name: "HLS", file: "index.m3u8",
			want: []string{
				"HLS, static", "avc1.42c028, 1920 × 1080, timescale 90000", "15 in 0.300 s, 50.00/s, at most 0.020 s apart", "100 kbit/s",
				"mp4a.40.2, name \"a1\", 48000 Hz, 2 channels, timescale 48000", "3 of 0.100 / 0.100 / 0.100 s", "target duration 1.000 s",
				"discontinuities 0", "http errors 0", "decode errors 0", "first segment after 0.",
			},
		},
		{
			name: "HLS with a lost segment", file: "index.m3u8", wrong: true,
			spoil: func(p presentation) { delete(p, "/v1/1.m4s") },
			want:  []string{"http errors 1", "/v1/1.m4s: 404 Not Found", "video 1 samples 5 in"},
		},
		{
			name: "HLS with a gap", file: "index.m3u8", cut: 1, gap: 300 * time.Millisecond, wrong: true,
			want: []string{"video 1 gaps 1", "wrong video 1: 0.320 s from one sample to the next at 0.400 s", "wrong audio 1: 0.321 s from"},
		},
		{
			name: "HLS with a gap at a discontinuity", file: "index.m3u8", cut: 2, gap: 300 * time.Millisecond,
			spoil: func(p presentation) {
				p.change("/v1.m3u8", "#EXTINF:0.1,\nv1/2", "#EXT-X-DISCONTINUITY\n#EXTINF:0.1,\nv1/2")
				p.change("/a1.m3u8", "#EXTINF:0.10667,\na1/2", "#EXT-X-DISCONTINUITY\n#EXTINF:0.10667,\na1/2")
			},
			want: []string{"video 1 gaps 1", "discontinuities 1"},
		},
		{
			name: "HLS with a wrong target duration", file: "index.m3u8", wrong: true,
			spoil: func(p presentation) { p.change("/v1.m3u8", "#EXTINF:0.1,\nv1/1", "#EXTINF:1.6,\nv1/1") },
			want:  []string{"v1.m3u8: segment 1 lasts 1.600 s, more than the target duration 1s"},
		},
		{
			name: "HLS with garbage", file: "v1.m3u8", wrong: true,
			spoil: func(p presentation) { p["/v1/1.m4s"] = "this is no segment" },
			want:  []string{"wrong stopped: "},
		},
		{
			name: "HLS with a huge playlist", file: "v1.m3u8", wrong: true,
			spoil: func(p presentation) { p["/v1.m3u8"] += strings.Repeat("#\n", playlistLimit/2) },
			want:  []string{"v1.m3u8: more than 1048576 bytes", "http errors 1"},
		},
		{
			name: "DASH", file: "index.mpd",
			want: []string{
				"DASH, static", "avc1, 1920 × 1080, timescale 90000", "15 in 0.300 s, 50.00/s, at most 0.020 s apart", "100 kbit/s",
				"mp4a, 48000 Hz, 2 channels, timescale 48000", "3 of 0.100 / 0.100 / 0.100 s", "maxSegmentDuration 0.150 s",
				"discontinuities 0", "http errors 0", "decode errors 0", "first segment after 0.",
			},
		},
		{
			name: "DASH with $Time$ and a BaseURL", file: "index.mpd",
			spoil: func(p presentation) {
				p.change("/index.mpd", `<Period id="p">`, `<BaseURL>media/</BaseURL><Period id="p"><BaseURL>x/</BaseURL>`)
				p.change("/index.mpd", "$Number$.m4s", "$Time%06d$.m4s")
				for id := range tracks {
					p["/media/x/"+id+"/header.mp4"] = p["/"+id+"/header.mp4"]
					for n := range 3 {
						p[fmt.Sprintf("/media/x/%s/%06d.m4s", id, n*ticksOf(id))] = segmentBytes(id, n, 0)
					}
				}
			},
			want: []string{"video 1 samples 15 in", "audio 1 samples 15 in"},
		},
		{
			name: "DASH with @duration", file: "index.mpd",
			spoil: func(p presentation) {
				for id := range tracks {
					p.change("/index.mpd", fmt.Sprintf(`timescale="%d"`, tracks[id].Timescale), fmt.Sprintf(`timescale="%d" duration="%d"`, tracks[id].Timescale, ticksOf(id)))
					p.change("/index.mpd", fmt.Sprintf(`<SegmentTimeline><S t="0" d="%d" r="2"/></SegmentTimeline>`, ticksOf(id)), "")
				}
			},
			want: []string{"video 1 samples 15 in", "audio 1 samples 15 in"},
		},
		{
			name: "DASH in two periods with a gap", file: "index.mpd", cut: 2, gap: time.Second,
			spoil: func(p presentation) {
				set := func(n, t, offset, count int) string {
					return fmt.Sprintf(`<AdaptationSet contentType="video"><SegmentTemplate timescale="90000" startNumber="%d" presentationTimeOffset="%d" media="v1/$Number$.m4s" initialization="v1/header.mp4">`+
						`<SegmentTimeline><S t="%d" d="9000" r="%d"/></SegmentTimeline></SegmentTemplate><Representation id="v1" bandwidth="1"/></AdaptationSet>`, n, offset, t, count-1)
				}
				p["/index.mpd"] = `<MPD type="static"><Period start="PT0S" duration="PT0.2S">` + set(0, 0, 0, 2) + `</Period><Period start="PT0.2S" duration="PT0.1S">` + set(2, 108_000, 108_000, 1) + `</Period></MPD>`
			},
			want: []string{"video 1 samples 15 in 0.300 s", "video 1 gaps 0", "discontinuities 1"},
		},
		{
			name: "DASH with a lost segment", file: "index.mpd", wrong: true,
			spoil: func(p presentation) { delete(p, "/v1/1.m4s") },
			want:  []string{"http errors 1", "/v1/1.m4s: 404 Not Found", "video 1 samples 10", "video 1 gaps 0"},
		},
		{
			name: "DASH with a gap in tfdt", file: "index.mpd", cut: 1, gap: 100 * time.Millisecond, wrong: true,
			want: []string{"wrong video 1: gap of 0.100 s at 0.200 s", "wrong audio 1: gap of 0.100 s at", "segment 1.m4s begins 0.100 s off the time in the manifest"},
		},
		{
			name: "DASH with an overlap", file: "index.mpd", cut: 1, gap: -10 * time.Millisecond, wrong: true,
			want: []string{"wrong video 1: samples overlap by 0.010 s at 0.090 s"},
		},
		{
			name: "DASH with wrong durations", file: "index.mpd", wrong: true,
			spoil: func(p presentation) {
				p.change("/index.mpd", `d="9000" r="2"`, `d="18000" r="2"`)
			},
			want: []string{"segment 0.m4s lasts 0.100 s, the manifest says 0.200 s", "segment 1.m4s lasts 0.200 s, more than maxSegmentDuration 0.150 s"},
		},
		{
			name: "DASH with garbage", file: "index.mpd", wrong: true,
			spoil: func(p presentation) { p["/v1/1.m4s"] = p["/v1/1.m4s"][:300] },
			want:  []string{"decode errors 1", "wrong decode: video 1: 1.m4s: "},
		},
		{
			name: "neither", file: "v1/1.m4s", wrong: true,
			want: []string{"is neither a playlist nor a manifest"},
		},
		{
			name: "nothing", file: "nothing.mpd", wrong: true,
			want: []string{"http errors 1", "404 Not Found"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := record(t, c.cut, c.gap)
			if c.spoil != nil {
				c.spoil(p)
			}
			server := httptest.NewServer(p)
			defer server.Close()
			checkProbe(t, server.URL+"/"+c.file, "5s", c.wrong, c.want)
		})
	}
}

// checkProbe probes url and looks for want in the report, where each run of
// spaces counts as one.
func checkProbe(t *testing.T, url, length string, wrong bool, want []string) {
	t.Helper()
	var out strings.Builder
	err := Run(context.Background(), []string{"-for", length, "-v", url}, &out)
	if wrong != (err != nil) {
		t.Errorf("error: %v", err)
	}
	text := strings.Join(strings.FieldsFunc(out.String(), func(r rune) bool { return r == ' ' }), " ")
	if !wrong && !strings.HasSuffix(text, "\nok\n") {
		t.Error("no ok at the end")
	}
	for _, w := range want {
		if !strings.Contains(text, w) {
			t.Errorf("no %q in the report", w)
		}
	}
	if t.Failed() {
		t.Log(out.String())
	}
}

// TestProbeCodecs: variants are played in all codecs that the client reads, whether it knows
// their names or not.
func TestProbeCodecs(t *testing.T) {
	p := record(t, 3, 0)
	vp9 := remux.TrackOf(&remux.VPX{Name: "vp09", Level: 10, BitDepth: 8, Picture: remux.Picture{Width: 64, Height: 36}})
	header, err := cmaf.Header(vp9, 1000, 1000)
	if err != nil {
		t.Fatal(err)
	}
	p["/v1/header.mp4"] = string(header)
	p.change("/index.m3u8", "avc1.42c028,mp4a.40.2", "vp09.00.10.08,mp4a.40.2")
	server := httptest.NewServer(p)
	defer server.Close()
	checkProbe(t, server.URL+"/index.m3u8", "5s", false, []string{"video 1 vp09.00.10.08", "64 × 36", "audio 1 mp4a.40.2"})
	p.change("/index.m3u8", "vp09.00.10.08,", "vp08.00.10.08,")
	checkProbe(t, server.URL+"/index.m3u8", "5s", true, []string{"no variants with supported codecs"})
}

func TestWithoutCodecs(t *testing.T) {
	for list, want := range map[string]string{
		"#EXT-X-STREAM-INF:BANDWIDTH=1,CODECS=\"av01.0.01M.08,mp4a.40.2\",AUDIO=\"a\"\nv1\n": "#EXT-X-STREAM-INF:BANDWIDTH=1,AUDIO=\"a\"\nv1\n",
		"#EXT-X-STREAM-INF:CODECS=\"Opus\",BANDWIDTH=1\nv1\n":                                "#EXT-X-STREAM-INF:BANDWIDTH=1\nv1\n",
		"#EXT-X-STREAM-INF:BANDWIDTH=1,CODECS=\"fLaC\"\nv1\n":                                "#EXT-X-STREAM-INF:BANDWIDTH=1\nv1\n",
		"#EXT-X-STREAM-INF:BANDWIDTH=1,CODECS=\"hvc1.2.4.L60.90,ac-3\",AUDIO=\"a\"\nv1\n":    "",
		"#EXT-X-STREAM-INF:SUPPLEMENTAL-CODECS=\"av01.0\",BANDWIDTH=1\nv1\n":                 "",
	} {
		if want == "" {
			want = list
		}
		if got := string(withoutCodecs([]byte(list))); got != want {
			t.Errorf("%q becomes %q", list, got)
		}
	}
}

// TestProbeLive plays live streams that get longer each time one looks.
func TestProbeLive(t *testing.T) {
	noLeak(t)
	p := record(t, 0, 0)
	for n := 3; n < 30; n++ {
		p[fmt.Sprintf("/v1/%d.m4s", n)] = segmentBytes("v1", n, 0)
	}
	for file, want := range map[string][]string{
		"v1.m3u8":   {"HLS, live", "video 1 latency played", "v1.m3u8 latency newest segment ends", "discontinuities 0"},
		"index.mpd": {"DASH, live", "video 1 latency newest segment ends", "maxSegmentDuration 0.150 s"},
	} {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			begin := time.Now()
			var asked atomic.Int32
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				switch path.Ext(r.URL.Path) {
				case ".m3u8":
					io.WriteString(w, mediaPlaylist("v1", min(3+int(asked.Add(1)), 30), "0.1", begin))
				case ".mpd":
					fmt.Fprintf(w, `<MPD type="dynamic" availabilityStartTime="%s" minimumUpdatePeriod="PT0.1S" maxSegmentDuration="PT0.15S"><Period start="PT0S">%s</Period></MPD>`,
						begin.UTC().Format("2006-01-02T15:04:05.000Z"),
						adaptationSet("v1", "video", strings.Replace(timeline("v1"), `r="2"`, fmt.Sprintf(`r="%d"`, min(2+asked.Add(1), 29)), 1)))
				default:
					p.ServeHTTP(w, r)
				}
			}))
			defer server.Close()
			checkProbe(t, server.URL+"/"+file, "800ms", false, want)
		})
	}
}

// TestProbeLowLatency plays another packager's LL-HLS.
func TestProbeLowLatency(t *testing.T) {
	noLeak(t)
	audio := &gohlslib.Track{ClockRate: 48_000, Codec: &codecs.MPEG4Audio{
		Config: mpeg4audio.AudioSpecificConfig{Type: mpeg4audio.ObjectTypeAACLC, SampleRate: 48_000, ChannelConfig: 2},
	}}
	m := &gohlslib.Muxer{
		Variant: gohlslib.MuxerVariantLowLatency, Tracks: []*gohlslib.Track{audio},
		SegmentCount: 7, SegmentMinDuration: 600 * time.Millisecond, PartMinDuration: 100 * time.Millisecond,
	}
	if err := m.Start(); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(m.Handle))
	defer server.Close()
	begin := time.Now().Add(-3 * time.Second) // so much is there already
	frame := func(n int64) time.Time { return begin.Add(time.Duration(n) * 1024 * time.Second / 48_000) }
	write := func(n int64) {
		if err := m.WriteMPEG4Audio(audio, frame(n), n*1024, [][]byte{make([]byte, 128)}); err != nil {
			t.Error(err)
		}
	}
	n := int64(0)
	for ; frame(n).Before(time.Now()); n++ {
		write(n)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var encoder sync.WaitGroup
	encoder.Go(func() {
		for ; ctx.Err() == nil; n++ {
			select {
			case <-time.After(time.Until(frame(n))):
			case <-ctx.Done():
			}
			write(n)
		}
	})
	checkProbe(t, server.URL+"/index.m3u8", "700ms", false, []string{
		"HLS, live", "mp4a.40.2, 48000 Hz", "part target 0.", "audio 1 gaps 0", "audio 1 latency played 0.",
	})
	cancel()
	encoder.Wait()
	m.Close()
}

func TestProbeEndsWithContext(t *testing.T) {
	noLeak(t)
	for _, file := range []string{"/index.m3u8", "/index.mpd", "/stream"} {
		hold := make(chan struct{})
		server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-hold }))
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		err := Run(ctx, []string{server.URL + file}, io.Discard)
		cancel()
		close(hold)
		server.Close()
		if err == nil || !strings.Contains(err.Error(), "nothing to play has come") {
			t.Errorf("%s: %v", file, err)
		}
	}
}

func TestProbeArguments(t *testing.T) {
	for _, args := range [][]string{
		{}, {"a", "b"}, {"-for", "0s", "http://a/"}, {"-for", "x", "http://a/"}, {"rtmp://a/live"}, {"http://"}, {"http://a/%zz"}, {"-x"},
	} {
		if err := Run(t.Context(), args, io.Discard); err == nil {
			t.Errorf("%q: no error", args)
		}
	}
}

func TestParseMPD(t *testing.T) {
	base, _ := url.Parse("http://host/live/cam/index.mpd?token=1")
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	const dynamic = `<MPD type="dynamic" availabilityStartTime="2026-01-01T00:00:00Z"><Period start="PT10S"><AdaptationSet mimeType="video/mp4">`
	const end = `<Representation id="v" bandwidth="7"/></AdaptationSet></Period></MPD>`
	for _, c := range []struct {
		name, body string
		now        time.Duration // since start
		want       string        // the URLs and begins
		err        string
	}{
		{
			name: "the last of a pattern", now: 60 * time.Second,
			body: dynamic + `<SegmentTemplate duration="2" startNumber="100" media="$$-$Bandwidth$-$Number%05d$.m4s"/>` + end,
			want: "$-7-00119.m4s@48s $-7-00120.m4s@50s $-7-00121.m4s@52s $-7-00122.m4s@54s $-7-00123.m4s@56s $-7-00124.m4s@58s",
		},
		{
			name: "not begun", now: 5 * time.Second,
			body: dynamic + `<SegmentTemplate duration="2" media="$Number$"/>` + end,
		},
		{
			name: "repeated until the next", now: time.Minute,
			body: dynamic + `<SegmentTemplate timescale="10" media="$Time$"><SegmentTimeline><S t="0" d="20" r="-1"/><S t="40" d="10"/></SegmentTimeline></SegmentTemplate>` + end,
			want: "0@10s 20@12s 40@14s",
		},
		{
			name: "repeated until now", now: 15 * time.Second,
			body: dynamic + `<SegmentTemplate presentationTimeOffset="2" media="$Time$"><SegmentTimeline><S t="2" d="2" r="-1"/></SegmentTimeline></SegmentTemplate>` + end,
			want: "2@10s 4@12s 6@14s",
		},
		{
			name: "inherited", now: time.Minute,
			body: dynamic + `<SegmentTemplate timescale="10" media="$Number$.m4s"/><Representation id="v" bandwidth="9"><SegmentTemplate startNumber="5"><SegmentTimeline><S d="10"/></SegmentTimeline></SegmentTemplate></Representation>` + end,
			want: "5.m4s@10s",
		},
		{name: "too many", body: dynamic + `<SegmentTemplate media="$Time$"><SegmentTimeline><S d="1" r="2000000000"/></SegmentTimeline></SegmentTemplate>` + end, err: "more than 25000 segments"},
		{name: "no duration", body: dynamic + `<SegmentTemplate media="$Time$"><SegmentTimeline><S t="1"/></SegmentTimeline></SegmentTemplate>` + end, err: "an S without @d"},
		{name: "timescale 0", body: dynamic + `<SegmentTemplate timescale="0" duration="1" media="x"/>` + end, err: "a timescale of 0"},
		{name: "@duration 0", body: dynamic + `<SegmentTemplate duration="0" media="x"/>` + end, err: "a @duration of 0"},
		{name: "no template", body: dynamic + `<SegmentBase/>` + end, err: "only SegmentTemplate"},
		{name: "no time", body: strings.Replace(dynamic, "2026-01", "x", 1) + end, err: "availabilityStartTime"},
		{name: "not XML", body: "MPD", err: "MPD: "},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, err := parseMPD([]byte(c.body), base, start.Add(c.now))
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) {
					t.Errorf("error %v, not %q", err, c.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, s := range m.streams[0].segments {
				got = append(got, fmt.Sprintf("%s@%v", strings.TrimPrefix(s.url.String(), "http://host/live/cam/"), s.begin))
			}
			if text := strings.Join(got, " "); text != c.want {
				t.Errorf("got  %s\nwant %s", text, c.want)
			}
		})
	}
}
