package hls_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sluice-live/sluice/ingest/flv"
	"github.com/sluice-live/sluice/packager"
	"github.com/sluice-live/sluice/packager/hls"
	"github.com/sluice-live/sluice/packager/packagertest"
	"github.com/sluice-live/sluice/remux"
)

// The contract is what a player may rely on, checked on playlists by a reader
// that exists here only. Tests are named after the rules: A is Apple's
// authoring specification, S a rule of RFC 8216bis.

// encoder describes a stream as RTMP carries it.
type encoder struct {
	fps      float64
	variable bool    // frames come when they like, around fps
	jitter   float64 // ms, of the timestamps
	gop      []int   // frames from keyframe to keyframe, again and again
	minutes  int
	part     time.Duration
	away     func(kind flv.TagType, ms float64) bool // whether a track sends nothing then; may be nil
	sound    sound
}

// sound is a codec of it, in tags.
type sound struct {
	config, frame []byte
	samples       float64 // of a frame, at 48 kHz
}

var (
	aac = sound{[]byte{0xAF, 0, 0x11, 0x90}, []byte{0xAF, 1, 0x21, 0}, 1024}

	// There is no silence in AC-3.
	ac3 = sound{[]byte("\x90ac-3"), append([]byte("\x91ac-3\x0b\x77\x00\x00\x00\x40\x40"), make([]byte, 121)...), 1536}
)

// snapshot is what viewers saw between two changes.
type snapshot struct {
	window      *packager.Window
	video       playlist
	audio       playlist
	videoText   []byte
	videoDelta  []byte
	publishedAt time.Duration // of the stream, by its timestamps
}

// play runs an encoder through remux and packager and returns all that was
// ever shown.
func play(t *testing.T, e encoder) []snapshot {
	t.Helper()
	if e.sound.samples == 0 {
		e.sound = aac
	}
	r := rand.New(rand.NewPCG(7, 11))
	now := packagertest.Start
	clock := func() time.Time { return now }
	c := packager.NewCatalog(packager.Settings{
		Segments: 8, SegmentMinDuration: 2 * time.Second, SegmentMaxDuration: 10 * time.Second,
		PartDuration: e.part, Linger: time.Minute,
	}, clock)
	name, err := packager.ParseStreamName("live", "cam1")
	if err != nil {
		t.Fatal(err)
	}
	p, err := c.Publish(name)
	if err != nil {
		t.Fatal(err)
	}
	stream, _ := c.Lookup(name)
	m := remux.New(p, clock, remux.Hooks{Note: func(what string) {
		if e.sound.samples == aac.samples {
			t.Error(what)
		}
	}})

	var seen []snapshot
	last := stream.Window()
	write := func(kind flv.TagType, at float64, body []byte) {
		now = packagertest.Start.Add(time.Duration(at * float64(time.Millisecond)))
		if body[1] != 0 && e.away != nil && e.away(kind, at) {
			return
		}
		if err := m.WriteTag(flv.Tag{Type: kind, Timestamp: uint32(at + 0.5), Body: body}); err != nil {
			t.Fatal(err)
		}
		if w := stream.Window(); w != last {
			last = w
			if w.Playable() {
				seen = append(seen, look(t, w, now.Sub(packagertest.Start)))
			}
		}
	}
	write(flv.TagVideo, 0, avcHeader)
	write(flv.TagAudio, 0, e.sound.config)
	audio, at := 0, 0.0
	for n, key, gop := 0, 0, 0; at < float64(e.minutes)*60_000; n++ {
		at = float64(n) * 1000 / e.fps
		if e.variable {
			at += (r.Float64() - 0.5) * 600 / e.fps
		}
		stamp := max(0, at+(r.Float64()-0.5)*2*e.jitter)
		write(flv.TagVideo, stamp, frame(n == key, n))
		if n == key {
			key += e.gop[gop%len(e.gop)]
			gop++
		}
		for ms := e.sound.samples / 48; float64(audio)*ms <= at; audio++ {
			unit := bytes.Clone(e.sound.frame)
			unit[len(unit)-1] = byte(audio)
			write(flv.TagAudio, float64(audio)*ms, unit)
		}
	}
	return seen
}

var avcHeader = unhex("1700000000" + "01640028ffe1001c" + "67640028ac761103c045fbc044000003000400000300f03c60c61180" + "010006" + "68e8439cb22c" + "fdf8f800")

func unhex(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return b
}

// frame is a video tag with one NAL unit that has its number in it.
func frame(key bool, n int) []byte {
	head, nal := byte(0x27), byte(0x41)
	if key {
		head, nal = 0x17, 0x65
	}
	b := []byte{head, 1, 0, 0, 0, 0, 0, 0, 5, nal}
	return binary.BigEndian.AppendUint32(b, uint32(n))
}

func look(t *testing.T, w *packager.Window, at time.Duration) snapshot {
	t.Helper()
	s := snapshot{window: w, publishedAt: at}
	v, _ := w.Rendition("v1")
	a, _ := w.Rendition("a1")
	s.videoText = hls.Media(w, v, hls.Full)
	s.videoDelta = hls.Media(w, v, hls.Delta)
	s.video = parse(t, s.videoText)
	s.audio = parse(t, hls.Media(w, a, hls.Full))
	return s
}

// playlist is a media playlist as this file's own reader reads it.
type playlist struct {
	version, target                             int
	partTarget, holdBack, partHoldBack, canSkip float64
	blocks, independent, ended                  bool
	sequence, discontinuity                     int64
	skipped                                     int
	segments                                    []segment
	open                                        segment // its parts, if any
	hint                                        string
	reports                                     map[string][2]int64
}

type segment struct {
	duration    float64
	uri, header string
	date        time.Time
	breaks      bool // a discontinuity stands before it
	gap         bool
	parts       []part
}

type part struct {
	duration    float64
	uri         string
	independent bool
	gap         bool
}

// parse reads a playlist strictly: any tag or attribute that it doesn't know
// is a fault.
func parse(t *testing.T, text []byte) playlist {
	t.Helper()
	p := playlist{reports: make(map[string][2]int64)}
	lines := strings.Split(string(text), "\n")
	if lines[0] != "#EXTM3U" || lines[len(lines)-1] != "" {
		t.Fatalf("not a playlist:\n%s", text)
	}
	header := ""
	for _, line := range lines[1 : len(lines)-1] {
		tag, value, _ := strings.Cut(line, ":")
		attr := attributes(value)
		switch tag {
		case "#EXT-X-VERSION":
			p.version = atoi(t, value)
		case "#EXT-X-TARGETDURATION":
			p.target = atoi(t, value)
		case "#EXT-X-SERVER-CONTROL":
			p.blocks = attr["CAN-BLOCK-RELOAD"] == "YES"
			p.holdBack, p.partHoldBack, p.canSkip = atof(t, attr["HOLD-BACK"]), atof(t, attr["PART-HOLD-BACK"]), atof(t, attr["CAN-SKIP-UNTIL"])
		case "#EXT-X-PART-INF":
			p.partTarget = atof(t, attr["PART-TARGET"])
		case "#EXT-X-MEDIA-SEQUENCE":
			p.sequence = int64(atoi(t, value))
		case "#EXT-X-DISCONTINUITY-SEQUENCE":
			p.discontinuity = int64(atoi(t, value))
		case "#EXT-X-INDEPENDENT-SEGMENTS":
			p.independent = true
		case "#EXT-X-SKIP":
			p.skipped = atoi(t, attr["SKIPPED-SEGMENTS"])
		case "#EXT-X-DISCONTINUITY":
			p.open.breaks = true
		case "#EXT-X-MAP":
			header = attr["URI"]
		case "#EXT-X-PROGRAM-DATE-TIME":
			date, err := time.Parse("2006-01-02T15:04:05.000Z", value)
			if err != nil {
				t.Fatal(err)
			}
			p.open.date = date
		case "#EXT-X-PART":
			p.open.parts = append(p.open.parts, part{atof(t, attr["DURATION"]), attr["URI"], attr["INDEPENDENT"] == "YES", attr["GAP"] == "YES"})
		case "#EXT-X-GAP":
			p.open.gap = true
		case "#EXTINF":
			p.open.duration = atof(t, strings.TrimSuffix(value, ","))
		case "#EXT-X-PRELOAD-HINT":
			p.hint = attr["URI"]
		case "#EXT-X-RENDITION-REPORT":
			p.reports[attr["URI"]] = [2]int64{int64(atoi(t, attr["LAST-MSN"])), int64(atoi(t, attr["LAST-PART"]))}
		case "#EXT-X-ENDLIST":
			p.ended = true
		default:
			if strings.HasPrefix(line, "#") {
				t.Fatalf("unknown tag %q", line)
			}
			p.open.uri, p.open.header = line, header
			p.segments = append(p.segments, p.open)
			p.open = segment{}
		}
	}
	p.open.header = header
	return p
}

func attributes(list string) map[string]string {
	m := make(map[string]string)
	for list != "" {
		name, rest, ok := strings.Cut(list, "=")
		if !ok {
			return m
		}
		var value string
		if strings.HasPrefix(rest, `"`) {
			value, rest, _ = strings.Cut(rest[1:], `"`)
			rest = strings.TrimPrefix(rest, ",")
		} else {
			value, rest, _ = strings.Cut(rest, ",")
		}
		m[name], list = value, rest
	}
	return m
}

func atoi(t *testing.T, s string) int {
	t.Helper()
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// atof accepts what section 4.2 calls a decimal-floating-point: no exponent.
func atof(t *testing.T, s string) float64 {
	t.Helper()
	if strings.Trim(s, "0123456789.") != "" {
		t.Fatalf("%q is not a decimal", s)
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// TestContract runs ten minutes of jittery 29.97 fps with keyframes in the
// middle of segments.
func TestContract(t *testing.T) {
	seen := play(t, encoder{fps: 30000.0 / 1001, jitter: 3, gop: []int{60, 23, 37, 60, 45, 75}, minutes: 10, part: 500 * time.Millisecond})
	if len(seen) < 10*60*3 {
		t.Fatalf("only %d windows", len(seen))
	}
	each := func(name string, check func(t *testing.T, s snapshot, p playlist)) {
		t.Run(name, func(t *testing.T) {
			for i, s := range seen {
				for _, p := range []playlist{s.video, s.audio} {
					if check(t, s, p); t.Failed() {
						t.Fatalf("in window %d of %d:\n%s", i, len(seen), s.videoText)
					}
				}
			}
		})
	}
	first := seen[0].video
	each("S4 A5.6 A6.11 A8.2 constants are the same in all playlists, for ever", func(t *testing.T, _ snapshot, p playlist) {
		if p.target != first.target || p.partTarget != first.partTarget || p.holdBack != first.holdBack ||
			p.partHoldBack != first.partHoldBack || p.canSkip != first.canSkip || !p.blocks {
			t.Error("a constant changed")
		}
	})
	each("S1 parts fill 85 % of the part target and don't exceed it", func(t *testing.T, _ snapshot, p playlist) {
		checkParts(t, p)
	})
	each("S2 S3 A14.3 hold-backs", func(t *testing.T, _ snapshot, p playlist) {
		if p.canSkip < 6*float64(p.target) || p.holdBack < 3*float64(p.target) || p.partHoldBack < 3*p.partTarget-1e-9 {
			t.Errorf("hold-backs %v %v %v", p.canSkip, p.holdBack, p.partHoldBack)
		}
	})
	each("A7.7 EXTINF rounds to no more than the target duration", func(t *testing.T, _ snapshot, p playlist) {
		for _, s := range p.segments {
			if int(math.Round(s.duration)) > p.target {
				t.Errorf("a segment of %v s", s.duration)
			}
		}
	})
	each("S14 no part is so short that players take it for nothing", func(t *testing.T, _ snapshot, p playlist) {
		for _, s := range p.segments {
			for _, part := range s.parts {
				if part.duration < 0.1 && strings.HasPrefix(part.uri, "a1") {
					t.Errorf("a part of %v s", part.duration)
				}
			}
		}
	})
	each("S9 parts add up to their segment", func(t *testing.T, _ snapshot, p playlist) {
		for _, s := range p.segments {
			sum := 0.0
			for _, part := range s.parts {
				sum += part.duration
			}
			if len(s.parts) > 0 && math.Abs(sum-s.duration) > 1e-4 {
				t.Errorf("%v s of parts in %v s", sum, s.duration)
			}
		}
	})
	each("A8.1 A8.4 dates on every segment, in step with EXTINF", func(t *testing.T, _ snapshot, p playlist) {
		const frame = 0.034
		at := p.segments[0].date
		for _, s := range p.segments {
			if off := s.date.Sub(at).Seconds(); math.Abs(off) > frame {
				t.Errorf("a date is off by %v s", off)
			}
			at = at.Add(time.Duration(s.duration * float64(time.Second)))
		}
	})
	each("A8.3 A8.22 audio and video cover the same span", func(t *testing.T, s snapshot, _ playlist) {
		ahead := int(s.video.sequence - s.audio.sequence)
		if ahead < -1 || ahead > 1 {
			t.Errorf("numbers %d and %d", s.video.sequence, s.audio.sequence)
		}
		for i, v := range s.video.segments {
			if j := i + ahead; j >= 0 && j < len(s.audio.segments) {
				if d := v.date.Sub(s.audio.segments[j].date).Abs(); d > 300*time.Millisecond { // a part that would be a scrap goes to the next segment
					t.Errorf("segments of one number begin %v apart", d)
				}
			}
		}
	})
	each("A8.17 A8.20 discontinuity sequence and header are there", func(t *testing.T, _ snapshot, p playlist) {
		if p.discontinuity == 0 {
			t.Error("no discontinuity sequence")
		}
		for _, s := range p.segments {
			if s.header == "" {
				t.Error("a segment without a header")
			}
		}
	})
	each("A7.4 A9.11 independent segments are claimed where they are", func(t *testing.T, s snapshot, p playlist) {
		if p.independent {
			for _, seg := range p.segments {
				if len(seg.parts) > 0 && !seg.parts[0].independent && !seg.parts[0].gap {
					t.Error("a segment doesn't begin independently")
				}
			}
		}
	})
	each("S6 all that is listed can be had", func(t *testing.T, s snapshot, _ playlist) {
		for id, p := range map[packager.RenditionID]playlist{"v1": s.video, "a1": s.audio} {
			r, _ := s.window.Rendition(id)
			for _, seg := range append(p.segments, p.open) {
				for _, part := range seg.parts {
					name, ok := packager.ParseMediaName(strings.TrimPrefix(part.uri, string(id)+"/"))
					if _, _, found := r.Part(name.Period, name.Number); !ok || !found {
						t.Errorf("%s is listed and not there", part.uri)
					}
				}
				if seg.uri == "" {
					continue
				}
				name, ok := packager.ParseMediaName(strings.TrimPrefix(seg.uri, string(id)+"/"))
				if _, found := r.Segment(name.Period, name.Number); !ok || !found {
					t.Errorf("%s is listed and not there", seg.uri)
				}
			}
		}
	})
	each("S7 rendition reports are as fresh as the playlist", func(t *testing.T, s snapshot, _ playlist) {
		if got, want := s.video.reports["a1.m3u8"], lastPart(s.audio); got != want {
			t.Errorf("report %v of audio, which is at %v", got, want)
		}
		if got, want := s.audio.reports["v1.m3u8"], lastPart(s.video); got != want {
			t.Errorf("report %v of video, which is at %v", got, want)
		}
	})
	each("S11 parts are listed for three target durations and no more", func(t *testing.T, _ snapshot, p playlist) {
		behind := 0.0
		for i := len(p.segments) - 1; i >= 0; i-- {
			if listed := len(p.segments[i].parts) > 0; listed != (behind < 3*float64(p.target)) {
				t.Errorf("parts %v s behind the end: %v", behind, listed)
			}
			behind += p.segments[i].duration
		}
	})

	t.Run("S5 numbers and names follow each other", func(t *testing.T) {
		uri := make(map[int64]string)
		for i, s := range seen {
			if i > 0 {
				before := seen[i-1].video
				if s.video.sequence < before.sequence || s.video.discontinuity < before.discontinuity {
					t.Fatal("a number went back")
				}
			}
			for j, seg := range s.video.segments {
				n := s.video.sequence + int64(j)
				if old, ok := uri[n]; ok && old != seg.uri {
					t.Fatalf("segment %d was %s and is %s", n, old, seg.uri)
				}
				uri[n] = seg.uri
			}
		}
	})
	t.Run("S8 the next part is the one that was hinted at", func(t *testing.T) {
		for i, s := range seen[1:] {
			before, now := seen[i].video, newestPart(s.video)
			if now != newestPart(before) && now != before.hint {
				t.Fatalf("%s came where %s was hinted at", now, before.hint)
			}
		}
	})
	t.Run("S12 a part comes within a part target, a segment within 1.5 target durations", func(t *testing.T) {
		at := seen[0].publishedAt
		for i, s := range seen[1:] {
			if newestPart(s.video) == newestPart(seen[i].video) {
				continue
			}
			const frame = 40 * time.Millisecond
			if gap := s.publishedAt - at; gap > time.Duration(first.partTarget*float64(time.Second))+frame {
				t.Fatalf("%v without a part", gap)
			}
			at = s.publishedAt
		}
	})
	t.Run("A14.4 a delta and the playlist before make the playlist", func(t *testing.T) {
		deltas := 0
		for i, s := range seen {
			delta := parse(t, s.videoDelta)
			if delta.skipped == 0 {
				if !bytes.Equal(s.videoDelta, s.videoText) {
					t.Fatal("nothing is skipped, and the texts differ")
				}
				continue
			}
			deltas++
			if delta.version < 9 {
				t.Fatalf("version %d with a skip", delta.version)
			}
			if full := restore(t, seen[i-1].videoText, s.videoDelta, delta); !bytes.Equal(full, body(s.videoText)) {
				t.Fatalf("restored:\n%s\nwant:\n%s", full, body(s.videoText))
			}
		}
		if deltas < len(seen)/2 {
			t.Fatalf("only %d deltas", deltas)
		}
	})
	t.Run("hls.js walks through as many entries as the discontinuity sequence says", func(t *testing.T) {
		if n := seen[0].video.discontinuity; n < 1 || n > 100_000 {
			t.Errorf("EXT-X-DISCONTINUITY-SEQUENCE is %d", n)
		}
	})
	t.Run("S13 the start is quick", func(t *testing.T) {
		// The encoder here says nothing of its keyframes: one GOP.
		if at := seen[0].publishedAt; at > 2500*time.Millisecond {
			t.Errorf("the first playlist came after %v", at)
		}
	})
}

// checkParts holds all parts of a playlist to section 4.4.4.9: the last of a
// segment and those with an independent frame may be short.
func checkParts(t *testing.T, p playlist) {
	t.Helper()
	for _, s := range append(p.segments, p.open) {
		for i, part := range s.parts {
			if part.duration > p.partTarget+1e-9 {
				t.Errorf("a part of %v s, the target is %v", part.duration, p.partTarget)
			}
			last := s.uri != "" && i == len(s.parts)-1
			newest := s.uri == "" && i == len(s.parts)-1
			gap := part.gap || i < len(s.parts)-1 && s.parts[i+1].gap
			if part.duration < 0.85*p.partTarget && !last && !newest && !part.independent && !gap {
				t.Errorf("a part of %v s, 85 %% of the target are %v", part.duration, 0.85*p.partTarget)
			}
		}
	}
}

func lastPart(p playlist) [2]int64 {
	n := int64(len(p.segments))
	if parts := len(p.open.parts); parts > 0 {
		return [2]int64{p.sequence + n, int64(parts - 1)}
	}
	return [2]int64{p.sequence + n - 1, int64(len(p.segments[n-1].parts) - 1)}
}

func newestPart(p playlist) string {
	if n := len(p.open.parts); n > 0 {
		return p.open.parts[n-1].uri
	}
	last := p.segments[len(p.segments)-1]
	return last.parts[len(last.parts)-1].uri
}

// body is what follows the header of a playlist: everything from the first
// line that is of a segment.
func body(text []byte) []byte {
	return text[bytes.Index(text, []byte("#EXT-X-MAP")):]
}

// restore does what a client does with a delta update (section 6.3.7): it
// takes the segments that are skipped from the playlist that it has.
func restore(t *testing.T, before, delta []byte, d playlist) []byte {
	t.Helper()
	old := parse(t, before)
	from := int(d.sequence - old.sequence) // segments that left the playlist
	text := body(before)
	header, _, _ := bytes.Cut(text, []byte("\n"))
	segments := bytes.SplitAfter(text, []byte(".m4s\n"))
	out := append(bytes.Clone(header), '\n')
	for _, s := range segments[from : from+d.skipped] {
		s = bytes.TrimPrefix(s, append(bytes.Clone(header), '\n'))
		out = append(out, dropParts(s)...)
	}
	_, rest, _ := bytes.Cut(delta, []byte("#EXT-X-SKIP:"))
	_, rest, _ = bytes.Cut(rest, []byte("\n"))
	return append(out, rest...)
}

// dropParts removes the part tags of a segment: the ones that are skipped are
// too old to have any in the new playlist.
func dropParts(s []byte) []byte {
	var out []byte
	for line := range bytes.Lines(s) {
		if !bytes.HasPrefix(line, []byte("#EXT-X-PART:")) {
			out = append(out, line...)
		}
	}
	return out
}

// TestS1PartsAtEveryFrameRate checks the 85 % rule where it is hard to keep.
func TestS1PartsAtEveryFrameRate(t *testing.T) {
	for _, fps := range []float64{24000.0 / 1001, 24, 25, 30000.0 / 1001, 30, 50, 60000.0 / 1001, 60, 15} {
		for _, part := range []time.Duration{200 * time.Millisecond, 330 * time.Millisecond, 500 * time.Millisecond, time.Second} {
			t.Run(fmt.Sprintf("%.2f fps, parts of %v", fps, part), func(t *testing.T) {
				seen := play(t, encoder{fps: fps, jitter: 1, gop: []int{int(2 * fps), int(3*fps) / 2, int(fps)}, minutes: 1, part: part})
				for _, s := range seen {
					checkParts(t, s.video)
					checkParts(t, s.audio)
				}
				if want := part.Seconds(); seen[0].video.partTarget > 1.5*want {
					t.Errorf("the part target became %v s", seen[0].video.partTarget)
				}
			})
		}
	}
}

// TestS1NoScraps has keyframes at regular distances: no segment ends with a
// part that is shorter than what hls.js takes for rounding (0.2 s, and pictures
// that are reordered).
func TestS1NoScraps(t *testing.T) {
	for _, fps := range []float64{24000.0 / 1001, 24, 25, 30000.0 / 1001, 30, 50, 60000.0 / 1001, 60} {
		for _, gop := range []float64{0.5, 1, 1.5, 2, 2.5, 4} { // s
			t.Run(fmt.Sprintf("%.2f fps, keyframes %v s apart", fps, gop), func(t *testing.T) {
				seen := play(t, encoder{fps: fps, gop: []int{int(math.Round(gop * fps))}, minutes: 1, part: 500 * time.Millisecond})
				for _, s := range seen[len(seen)/2:] { // the encoder says nothing of its keyframes: they must be seen first
					for _, p := range []playlist{s.video, s.audio} {
						checkParts(t, p)
						for _, segment := range p.segments {
							if n := len(segment.parts); n > 0 && segment.parts[n-1].duration < 0.3 {
								t.Fatalf("a segment's last part lasts %v s: %+v", segment.parts[n-1].duration, segment)
							}
						}
					}
				}
			})
		}
	}
}

// TestS1VariableFrameRate has frames that come when they like: no part is
// longer than the target, and few are short.
func TestS1VariableFrameRate(t *testing.T) {
	seen := play(t, encoder{fps: 30, variable: true, gop: []int{60}, minutes: 2, part: 500 * time.Millisecond})
	for _, s := range seen {
		checkParts(t, s.video)
	}
}

// TestOddStreams are encoders that do what few do: the contract holds for them.
func TestOddStreams(t *testing.T) {
	for _, c := range []struct {
		name string
		encoder
		independent bool // all segments begin with a keyframe
	}{
		{"1 fps", encoder{fps: 1, gop: []int{4}}, true},
		{"120 fps", encoder{fps: 120, gop: []int{240}}, true},
		{"no second keyframe", encoder{fps: 30, gop: []int{1 << 20}}, false},
		{"keyframes a minute apart", encoder{fps: 30, gop: []int{1800}}, false},
		{"each frame a keyframe", encoder{fps: 25, gop: []int{1}}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.encoder.minutes, c.encoder.part = 3, 500*time.Millisecond
			seen := play(t, c.encoder)
			if len(seen) < 100 {
				t.Fatalf("only %d windows", len(seen))
			}
			first, last := seen[0].video, seen[len(seen)-1].video
			if last.independent != c.independent {
				t.Errorf("independent segments: %v", last.independent)
			}
			for _, s := range seen {
				for _, p := range []playlist{s.video, s.audio} {
					checkParts(t, p)
					if p.target != first.target || p.partTarget != first.partTarget {
						t.Fatal("a constant changed")
					}
					for _, seg := range p.segments {
						if int(math.Round(seg.duration)) > p.target {
							t.Fatalf("a segment of %v s, the target is %d", seg.duration, p.target)
						}
						if seg.breaks {
							t.Fatal("a discontinuity")
						}
					}
				}
				bytes := 0
				for _, r := range s.window.Renditions {
					for _, list := range [][]*packager.Segment{r.Segments, r.Retired} {
						for _, seg := range list {
							bytes += seg.Size
						}
					}
				}
				if bytes > 2<<20 {
					t.Fatalf("%d bytes are kept", bytes)
				}
			}
		})
	}
}

// TestF31Contract has tracks that fall silent.
func TestF31Contract(t *testing.T) {
	for name, away := range map[string]func(kind flv.TagType, ms float64) bool{
		"sound": func(k flv.TagType, ms float64) bool {
			return k == flv.TagAudio && ms > 8300 && math.Mod(ms, 17000) < 7000
		},
		"picture": func(k flv.TagType, ms float64) bool {
			return k == flv.TagVideo && ms > 8300 && math.Mod(ms, 17000) < 7000
		},
		"picture for good": func(k flv.TagType, ms float64) bool { return k == flv.TagVideo && ms > 20700 },
		"in turn": func(k flv.TagType, ms float64) bool {
			return ms > 8300 && k == []flv.TagType{flv.TagVideo, flv.TagAudio}[int(ms/5300)%2]
		},
		"short pauses of the picture": func(k flv.TagType, ms float64) bool {
			return k == flv.TagVideo && ms > 3000 && math.Mod(ms, 1700) < 900
		},
	} {
		for i, part := range []time.Duration{200 * time.Millisecond, 500 * time.Millisecond, 200 * time.Millisecond, 500 * time.Millisecond} {
			sound := []sound{aac, ac3}[i/2]
			t.Run(fmt.Sprintf("%s, parts of %v, units of %v samples", name, part, sound.samples), func(t *testing.T) {
				seen := play(t, encoder{fps: 30, gop: []int{60}, minutes: 1, part: part, away: away, sound: sound})
				first, gaps := seen[0].video, map[packager.RenditionID]int{}
				for i, s := range seen {
					for id, p := range map[packager.RenditionID]playlist{"v1": s.video, "a1": s.audio} {
						if p.target != first.target || p.partTarget != first.partTarget {
							t.Fatal("a constant changed")
						}
						if checkParts(t, p); t.Failed() {
							t.Fatalf("in window %d:\n%s", i, s.videoText)
						}
						r, _ := s.window.Rendition(id)
						gaps[id] += checkGaps(t, p, r)
					}
					if got, want := s.audio.reports["v1.m3u8"], lastPart(s.video); got != want {
						t.Fatalf("report %v of video, which is at %v", got, want)
					}
				}
				if gaps["v1"] == 0 && strings.Contains(name, "picture") {
					t.Error("no gap was listed")
				}
				if mayGap := sound.samples == ac3.samples && (name == "sound" || name == "in turn"); gaps["a1"] > 0 != mayGap {
					t.Errorf("%d gaps of the sound", gaps["a1"])
				}
			})
		}
	}
}

// checkGaps holds a playlist together around its gaps: dates follow from
// durations, nothing is said to be there that isn't, and no hint names what may
// never be.
func checkGaps(t *testing.T, p playlist, r *packager.Rendition) (gaps int) {
	t.Helper()
	const frame = 0.036
	at := p.segments[0].date
	for _, s := range append(p.segments, p.open) {
		if off := s.date.Sub(at).Seconds(); len(s.parts) > 0 && math.Abs(off) > frame {
			t.Fatalf("a date is off by %v s: %+v", off, s)
		}
		at = s.date.Add(time.Duration(s.duration * float64(time.Second)))
		if int(math.Round(s.duration)) > p.target {
			t.Fatalf("a segment of %v s", s.duration)
		}
		media := len(s.parts) == 0
		for _, part := range s.parts {
			name, ok := packager.ParseMediaName(strings.TrimPrefix(part.uri, string(r.ID)+"/"))
			_, listed, found := r.Part(name.Period, name.Number)
			if !ok || !found || part.gap != (len(listed.Bytes) == 0) {
				t.Fatalf("%s: gap %v, found %v", part.uri, part.gap, found)
			}
			media = media || !part.gap
			if part.gap {
				gaps++
			}
		}
		if s.uri != "" && len(s.parts) > 0 && s.gap == media {
			t.Fatalf("%s: gap %v", s.uri, s.gap)
		}
		if s.gap && p.version < 8 {
			t.Fatalf("version %d with a gap", p.version)
		}
	}
	if r.Away && p.hint != "" {
		t.Fatalf("%s is hinted at while nothing comes", p.hint)
	}
	return gaps
}
