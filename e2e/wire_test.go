package e2e

import (
	"bytes"
	"context"
	"crypto/md5"
	be "encoding/binary"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluice-live/sluice/e2e/lists"
	"github.com/sluice-live/sluice/ingest/client"
	"github.com/sluice-live/sluice/ingest/flv"
)

// recorded reads a recording of what an encoder sent: ingest/testdata/wire.
func recorded(t testing.TB, name string) []flv.Tag {
	t.Helper()
	return clipTags(t, filepath.Join("..", "ingest", "testdata", "wire", name+".flv"))
}

// track is a track of a recording, of which each message has one only.
type track struct {
	kind   flv.Kind
	id     uint8
	fourCC flv.FourCC
	frames []flv.Tag
	period float64 // ms, after which it begins anew
}

// samplesOf is how many samples at 48 kHz the frames of the recordings have.
var samplesOf = map[flv.FourCC]float64{
	flv.MP4A: 1024, flv.Opus: 960, flv.FLAC: 1024, flv.MP3: 1152, flv.AC3: 1536, flv.EC3: 1536,
}

// looped is a recording that goes on for ever: each track begins anew when it is
// over, whatever the others do, with timestamps that go on.
type looped struct {
	head   []flv.Tag // configurations, and all else that isn't a frame
	tracks []*track
}

func loop(t testing.TB, tags []flv.Tag) *looped {
	t.Helper()
	l := new(looped)
	for _, tag := range tags {
		for p, err := range flv.Packets(tag) {
			if err != nil || p.Type == flv.PacketEnd {
				continue
			}
			if p.Type != flv.PacketFrame {
				tag.Timestamp = 0
				l.head = append(l.head, tag)
				continue
			}
			i := slices.IndexFunc(l.tracks, func(tr *track) bool { return tr.kind == p.Kind && tr.id == p.TrackID })
			if i < 0 {
				i, l.tracks = len(l.tracks), append(l.tracks, &track{kind: p.Kind, id: p.TrackID, fourCC: p.FourCC})
			}
			l.tracks[i].frames = append(l.tracks[i].frames, tag)
		}
	}
	for _, tr := range l.tracks {
		if tr.fourCC == flv.FLAC {
			tr.frames = tr.frames[:len(tr.frames)-1] // the last one is shorter
		}
		each := 1000.0 / frameRate
		if tr.kind == flv.Audio {
			each = samplesOf[tr.fourCC] / 48
		}
		tr.period = float64(len(tr.frames)) * each
	}
	return l
}

// tags has the first span of the loop.
func (l *looped) tags(span time.Duration) []flv.Tag {
	end := uint32(span.Milliseconds())
	var tags []flv.Tag
	for _, tr := range l.tracks {
		for n := 0; ; n++ {
			tag := tr.frames[n%len(tr.frames)]
			tag.Timestamp += uint32(math.Round(float64(n/len(tr.frames)) * tr.period))
			if tag.Timestamp >= end {
				break
			}
			tags = append(tags, tag)
		}
	}
	slices.SortStableFunc(tags, func(a, b flv.Tag) int { return int(a.Timestamp) - int(b.Timestamp) })
	return append(slices.Clone(l.head), tags...)
}

// units has the access units of one track of tags, as a server should give them.
func units(tags []flv.Tag, kind flv.Kind, id uint8) (out []accessUnit) {
	for _, tag := range tags {
		for p, err := range flv.Packets(tag) {
			if err == nil && p.Type == flv.PacketFrame && p.Kind == kind && p.TrackID == id {
				data := bytes.Clone(p.Data)
				switch {
				case p.FourCC == flv.HVC1:
					data = withoutSets(data)
				case p.FourCC == flv.AV01 && bytes.HasPrefix(data, []byte{0x12, 0}): // a temporal delimiter
					data = data[2:]
				}
				out = append(out, accessUnit{int64(p.Timestamp), int64(p.Composition), p.Keyframe || kind == flv.Audio, data})
			}
		}
	}
	return out
}

// withoutSets takes out of an HEVC access unit what hvc1 must not have there: VPS, SPS
// and PPS.
func withoutSets(unit []byte) (out []byte) {
	for len(unit) > 4 {
		n := 4 + int(be.BigEndian.Uint32(unit))
		if kind := unit[4] >> 1 & 63; kind < 32 || kind > 34 {
			out = append(out, unit[:n]...)
		}
		unit = unit[n:]
	}
	return out
}

// sendPaced publishes tags at the pace of their timestamps, until they or ctx end.
func sendPaced(ctx context.Context, t testing.TB, url string, tags []flv.Tag) *sync.WaitGroup {
	t.Helper()
	rtmp, err := client.Dial(ctx, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	var done sync.WaitGroup
	began := time.Now()
	done.Go(func() {
		for _, tag := range tags {
			select {
			case <-time.After(time.Until(began.Add(time.Duration(tag.Timestamp) * time.Millisecond))):
			case <-ctx.Done():
				rtmp.Abort()
				return
			}
			if err := rtmp.WriteTag(tag); err != nil {
				t.Errorf("publishing: %v", err)
				rtmp.Abort()
				return
			}
		}
		if err := rtmp.Close(); err != nil {
			t.Errorf("publishing: %v", err)
		}
	})
	t.Cleanup(done.Wait)
	return &done
}

// replayed are recordings with what a CODECS attribute calls them.
var replayed = []struct{ name, codecs string }{
	{"h264-aac", "avc1,mp4a"},
	{"av1-opus", "av01,opus"},
	{"vp9-opus", "vp09,opus"},
	{"hevc-aac", "hvc1,mp4a"},
	{"hevc-bframes", "hvc1,mp4a"},
	{"hevc-main10-pq", "hvc1,mp4a"},
	{"hevc-main10-hlg", "hvc1,mp4a"},
	{"h264-flac", "avc1,flac"},
	{"h264-ac3", "avc1,ac-3"},
	{"h264-eac3", "avc1,ec-3"},
	{"h264-mp3", "avc1,mp4a"},
	{"h264-opus51", "avc1,opus"},
	{"two-by-two", "avc1,mp4a"},
	{"two-codecs", "avc1,mp4a"},
}

// TestCodecs replays what encoders send, and finds every access unit of it once, in
// order, byte for byte, in HLS and in DASH, with ffmpeg as a reader, too. ffmpeg
// decodes what it reads without a complaint.
func TestCodecs(t *testing.T) {
	if testing.Short() {
		t.Skip("publishes for ten seconds")
	}
	const span = 10 * time.Second
	needs(t, "ffmpeg")
	t.Parallel()
	s := startServer(t)
	for _, c := range replayed {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			stream := "live/" + c.name
			tags := loop(t, recorded(t, c.name)).tags(span)
			sent := sendPaced(t.Context(), t, s.rtmpURL(stream), tags)
			awaitPlayable(t, s, stream)
			w := s.watch(t, stream)
			sent.Wait()
			eventually(t, 10*time.Second, "the lists say that it has ended", func() error {
				if err := w.ended(); err != nil {
					return fmt.Errorf("%w; faults: %v", err, w.found())
				}
				return nil
			})
			w.stop(t)
			keepLists(t, s, w)
			multi, err := lists.StrictMultivariant(s.url(stream+"/"), s.get(t, s.url(stream+"/index.m3u8")))
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.ToLower(formats(multi.Variants[0].Attributes["CODECS"])); got != c.codecs {
				t.Errorf("CODECS has %s, not %s", got, c.codecs)
			}

			checkRange(t, strings.ToUpper(c.name), multi.Variants[0].Attributes)
			compareAll(t, s, w, stream, tags)
		})
	}
}

// checkRange: what is PQ or HLG, as its name says, is announced as that.
func checkRange(t testing.TB, name string, attributes map[string]string) {
	t.Helper()
	want := ""
	for _, r := range []string{"PQ", "HLG"} {
		if strings.Contains(name, "-"+r) {
			want = r
		}
	}
	if got := attributes["VIDEO-RANGE"]; got != want {
		t.Errorf("VIDEO-RANGE is %q, not %q", got, want)
	}
}

// compareAll compares all tracks of what was sent with what w has seen of it, and with
// what ffmpeg reads.
func compareAll(t testing.TB, s *server, w *watcher, stream string, tags []flv.Tag) {
	t.Helper()
	// The first segment ends with its first part, which is where B-frames of B-frames are.
	const reordered = 4 * time.Second / frameRate
	hls, dash := readHLSWithin(t, w, reordered), readDASHWithin(t, w, reordered)
	sameURLs(t, hls, dash)
	names := make(map[flv.Kind]int)
	for _, tr := range loop(t, tags).tracks {
		names[tr.kind]++
		id := fmt.Sprint(map[flv.Kind]string{flv.Video: "v", flv.Audio: "a"}[tr.kind], names[tr.kind])
		want := units(tags, tr.kind, tr.id)
		for kind, reading := range map[string]reading{"HLS": hls, "DASH": dash} {
			got := reading.tracks[id]
			if got == nil {
				t.Errorf("%s has no %s", kind, id)
				continue
			}
			tolerance := int64(0)
			if tr.kind == flv.Audio { // on a sample grid of its own
				tolerance = got.timescale * int64(samplesOf[tr.fourCC]) / 48000
			}
			if err := compare(want, got.units, got.timescale, tolerance); err != nil {
				t.Errorf("%s: %s: %v", kind, id, err)
			}
		}
		for _, file := range []string{"index.m3u8", "index.mpd"} {
			if file == "index.m3u8" && names[tr.kind] > 1 { // ffmpeg has its own order there
				file = id + ".m3u8"
			}
			if err := ffmpegReads(t, s.url(stream+"/"+file), id, want); err != nil {
				t.Errorf("%s: %s: %v", file, id, err)
			}
		}
	}
}

// ffmpegReads compares the hashes of packets that ffmpeg reads of one rendition with
// what was sent, and lets it decode them.
func ffmpegReads(t testing.TB, url, rendition string, want []accessUnit) error {
	t.Helper()
	n, _ := strconv.Atoi(rendition[1:])
	which := fmt.Sprintf("0:%s:%d", rendition[:1], n-1)
	if strings.HasSuffix(url, "/"+rendition+".m3u8") {
		which = "0"
	}
	out, err := tool(t, 60*time.Second, "ffmpeg", "-nostdin", "-hide_banner", "-loglevel", "error", "-i", url, "-map", which, "-c", "copy", "-f", "framemd5", "-")
	if err != nil {
		return err
	}
	i := 0
	for line := range strings.Lines(string(out)) {
		fields := strings.Split(strings.TrimSpace(line), ",")
		if strings.HasPrefix(line, "#") || len(fields) < 6 {
			continue
		}
		if i >= len(want) {
			return fmt.Errorf("ffmpeg reads more than the %d access units that were sent", len(want))
		}
		if got, sent := strings.TrimSpace(fields[5]), fmt.Sprintf("%x", md5.Sum(want[i].data)); got != sent {
			return fmt.Errorf("ffmpeg reads another access unit %d of %d", i, len(want))
		}
		i++
	}
	if i != len(want) {
		return fmt.Errorf("ffmpeg reads %d access units, %d were sent", i, len(want))
	}
	// What it complains of is on the error output, which -xerror makes a failure.
	_, err = tool(t, 60*time.Second, "ffmpeg", "-nostdin", "-hide_banner", "-loglevel", "error", "-xerror", "-i", url, "-map", which, "-f", "null", "-")
	return err
}
