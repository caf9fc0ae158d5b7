package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/Eyevinn/mp4ff/mp4"
	"github.com/bluenviron/gohlslib/v2/pkg/playlist"

	"github.com/sluice-live/sluice/e2e/lists"
)

// Several publishers of one stream, as docs/abr.md tells of them.

// docCommand runs the command of docs/abr.md that has these words. What stands for
// something there is replaced: pairs of what and by what.
func docCommand(t testing.TB, words string, replace ...string) *child {
	t.Helper()
	return start(t, "sh", "-c", docText(t, words, replace...))
}

// docText is that command, for a shell.
func docText(t testing.TB, words string, replace ...string) string {
	t.Helper()
	text, err := os.ReadFile("../docs/abr.md")
	if err != nil {
		t.Fatal(err)
	}
	for i, block := range strings.Split(string(text), "```") {
		command, ok := strings.CutPrefix(block, "sh\n")
		if i%2 == 0 || !ok || !strings.Contains(command, words) {
			continue
		}
		for i := 0; i < len(replace); i += 2 {
			if !strings.Contains(command, replace[i]) {
				t.Fatalf("docs/abr.md: %q has no %q", words, replace[i])
			}
		}
		command = strings.NewReplacer(replace...).Replace(command)
		return strings.Replace(command, "ffmpeg ", "exec ffmpeg -nostdin -hide_banner -loglevel warning ", 1)
	}
	t.Fatalf("docs/abr.md has no command with %q", words)
	return ""
}

const abrSuffixes = "_1080p,_720p,_360p"

// TestPushes has one ffmpeg publish three qualities by three pushes, as the
// documentation says: one stream, whose segments of one number begin at the same
// picture.
func TestPushes(t *testing.T) {
	if testing.Short() {
		t.Skip("publishes for ten seconds")
	}
	t.Parallel()
	needs(t, "ffmpeg", "xmllint")
	const stream = "live/cam1"
	clip := stampedClip(t)
	s := startServer(t, "-abr-suffixes", abrSuffixes, "-window-segments", "60")
	encoder := docCommand(t, "cam1_1080p", "-re -i input.mp4", "-re -t 10 -i "+clip, "rtmp://HOST", "rtmp://"+s.rtmp,
		"scale=-2:1080", "scale=480:270", "scale=-2:720", "scale=320:180", "scale=-2:360", "scale=240:136", "veryfast", "ultrafast",
		"5000k", "500k", "2500k", "300k", "800k", "200k")
	awaitPlayable(t, s, stream)
	w := s.watch(t, stream)
	validateMPD(t, s, findSchema(t), stream, "live", func() error { return w.has(3) })
	readMultivariant(t, s, stream, 3)
	for _, c := range s.contributors(t, stream) {
		if !c.OnAir {
			t.Errorf("%s is not on air", c.Pushed)
		}
		t.Logf("%s: %s, %v", c.Pushed, c.Software, c.Lock)
	}
	encoder.wait(t, 30*time.Second)
	eventually(t, 10*time.Second, "the lists say that it has ended", w.ended)
	w.stop(t)
	keepLists(t, s, w)
	all := w.qualities(t)
	if len(all) != 3 {
		t.Fatalf("%d qualities", len(all))
	}
	sameBoundaries(t, all, 4)
	for id, q := range all {
		if n := q.breaks(); n > 0 {
			t.Errorf("%s: %d discontinuities", id, n)
		}
		if jump := q.inOrder(t); jump != 1 {
			t.Errorf("%s: pictures are missing: %d of them at once", id, jump-1)
		}
	}
	sameInDASH(t, w, all)
}

// TestRecentQualities has a recent ffmpeg publish three qualities as tracks of one push,
// as the documentation says.
func TestRecentQualities(t *testing.T) {
	root := recent(t)
	const stream, kept = "live/cam1", "/tmp/stamped.flv" // in the root
	clip, err := os.ReadFile(stampedClip(t))
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, root+kept, string(clip))
	t.Cleanup(func() { os.Remove(root + kept) })
	s := startServer(t, "-window-segments", "60")
	encoder := start(t, "chroot", root, "sh", "-c", docText(t, "-b:v:2", "-re -i input.mp4", "-re -t 10 -i "+kept, "rtmp://HOST", "rtmp://"+s.rtmp,
		"scale=-2:1080", "scale=480:270", "scale=-2:720", "scale=320:180", "scale=-2:360", "scale=240:136", "veryfast", "ultrafast",
		"5000k", "500k", "2500k", "300k", "800k", "200k"))
	awaitPlayable(t, s, stream)
	w := s.watch(t, stream)
	validateMPD(t, s, findSchema(t), stream, "live", func() error { return w.has(3) })
	readMultivariant(t, s, stream, 3)
	encoder.wait(t, 30*time.Second)
	eventually(t, 10*time.Second, "the lists say that it has ended", w.ended)
	w.stop(t)
	keepLists(t, s, w)
	all := w.qualities(t)
	if len(all) != 3 {
		t.Fatalf("%d qualities", len(all))
	}
	sameBoundaries(t, all, 4)
	sameInDASH(t, w, all)
	for id, q := range all {
		if jump := q.inOrder(t); jump != 1 || q.breaks() > 0 {
			t.Errorf("%s: %d pictures are missing at once, %d discontinuities", id, jump-1, q.breaks())
		}
	}
}

// readMultivariant reads the multivariant playlist by somebody else's reader.
func readMultivariant(t testing.TB, s *server, stream string, variants int) {
	t.Helper()
	list, err := playlist.Unmarshal(s.get(t, s.url(stream+"/index.m3u8")))
	if err != nil {
		t.Fatal(err)
	}
	multi, ok := list.(*playlist.Multivariant)
	if !ok || len(multi.Variants) != variants || !multi.IndependentSegments {
		t.Fatalf("gohlslib reads %+v", list)
	}
	for _, v := range multi.Variants {
		if v.Bandwidth <= 0 || v.Resolution == "" || v.Audio == "" || slices.ContainsFunc(multi.Variants, func(o *playlist.MultivariantVariant) bool { return o != v && o.URI == v.URI }) {
			t.Errorf("gohlslib reads the variant %+v", v)
		}
	}
}

// quality is what is listed of one picture.
type quality struct {
	id       string
	segments []lists.Segment
	files    map[string][]byte
	first    map[int64]int   // number of the first picture of each segment, by media sequence number
	start    map[int64]int64 // ticks, by the same
}

// qualities are those of the last lists.
func (w *watcher) qualities(t testing.TB) map[string]*quality {
	t.Helper()
	all := make(map[string]*quality)
	for _, h := range w.playlists {
		first := slices.IndexFunc(h.last.Segments, func(s lists.Segment) bool { return !s.Gap })
		if first < 0 {
			continue
		}
		id := rendition(h.last.Segments[first].URI)
		if !strings.HasPrefix(id, "v") {
			continue
		}
		q := &quality{id: id, segments: h.last.Segments, files: w.files, first: make(map[int64]int), start: make(map[int64]int64)}
		for _, seg := range h.last.Segments {
			if seg.Gap {
				continue
			}
			start, key, err := span(w.files[seg.Header], w.files[seg.URI])
			if err != nil {
				t.Fatalf("%s: %v", seg.URI, err)
			}
			q.start[seg.MSN] = start
			if !key {
				continue // the second segment of a single picture: it is no quality of several
			}
			pictures := stamps(t, w.files[seg.Header], w.files[seg.URI])
			if len(pictures) == 0 {
				t.Fatalf("%s has no pictures", seg.URI)
			}
			q.first[seg.MSN] = pictures[0]
		}
		all[id] = q
	}
	return all
}

// span is where a segment begins to be shown, in ticks, and whether it begins with a
// keyframe. It may have gaps.
func span(header, segment []byte) (start int64, key bool, err error) {
	m, err := readHeader(header)
	if err != nil {
		return 0, false, err
	}
	f, err := mp4.DecodeFile(bytes.NewReader(segment))
	if err != nil {
		return 0, false, err
	}
	first := true
	for _, part := range f.Segments {
		for _, fragment := range part.Fragments {
			samples, err := fragment.GetFullSamples(m.trex)
			if err != nil {
				return 0, false, err
			}
			for _, s := range samples {
				at := int64(s.PresentationTime())
				if first {
					start, key, first = at, s.IsSync(), false
				}
				start = min(start, at)
			}
		}
	}
	return start, key, nil
}

// breaks counts discontinuities.
func (q *quality) breaks() (n int) {
	for _, s := range q.segments[1:] {
		if s.Breaks {
			n++
		}
	}
	return n
}

// inOrder checks that each picture is there once, and in order, and returns the longest
// way from one to the next.
func (q *quality) inOrder(t testing.TB) (jump int) {
	t.Helper()
	var files [][]byte
	header := ""
	before := -1
	flush := func() {
		if len(files) == 0 {
			return
		}
		pictures := stamps(t, q.files[header], files...)
		t.Logf("%s: %d pictures, from %d to %d", q.id, len(pictures), pictures[0], pictures[len(pictures)-1])
		for _, n := range pictures {
			if before >= 0 && n <= before {
				t.Errorf("%s: picture %d behind %d", q.id, n, before)
			}
			if before >= 0 {
				jump = max(jump, n-before)
			}
			before = n
		}
		files = nil
	}
	for _, s := range q.segments {
		if s.Gap {
			continue
		}
		if s.Header != header {
			flush()
			header = s.Header
		}
		files = append(files, q.files[s.URI])
	}
	flush()
	return jump
}

// sameBoundaries checks that all qualities list the same numbers, with segments of one
// number beginning at the same picture, and at the same tick; that many of them at least.
func sameBoundaries(t testing.TB, all map[string]*quality, least int) {
	t.Helper()
	ids := slices.Sorted(maps.Keys(all))
	a := all[ids[0]]
	for _, id := range ids[1:] {
		b := all[id]
		if x, y := a.segments[len(a.segments)-1].MSN, b.segments[len(b.segments)-1].MSN; x != y {
			t.Errorf("%s ends with segment %d, %s with %d", a.id, x, id, y)
		}
		same := 0
		for _, seg := range b.segments {
			if _, ok := b.first[seg.MSN]; !ok && !seg.Gap {
				t.Errorf("%s: segment %d begins without a keyframe", id, seg.MSN)
			}
		}
		for msn, n := range b.first {
			m, ok := a.first[msn]
			if !ok {
				continue
			}
			same++
			if n != m || a.start[msn] != b.start[msn] {
				t.Errorf("segment %d begins with picture %d at %d in %s, with %d at %d in %s", msn, m, a.start[msn], a.id, n, b.start[msn], id)
			}
		}
		if same < least {
			t.Errorf("%s and %s have %d segments in common", a.id, id, same)
		}
	}
}

// sameInDASH checks that the manifest lists the same segments at the same times for all
// qualities, which are those of the playlists.
func sameInDASH(t testing.TB, w *watcher, all map[string]*quality) {
	t.Helper()
	tracks, err := w.mpd.last.Tracks()
	if err != nil {
		t.Fatal(err)
	}
	firsts := make(map[string]lists.Track) // by period, of the first quality
	listed := make(map[string]bool)
	for _, tr := range tracks {
		if tr.ContentType != "video" {
			continue
		}
		for _, s := range tr.Segments {
			listed[s.URI] = true
		}
		first, ok := firsts[tr.Period]
		if !ok {
			firsts[tr.Period] = tr
			continue
		}
		if len(tr.Segments) != len(first.Segments) {
			t.Errorf("DASH, period %s: %s has %d segments, %s has %d", tr.Period, tr.Rep.ID, len(tr.Segments), first.Rep.ID, len(first.Segments))
			continue
		}
		for i, s := range tr.Segments {
			if off := s.At - first.Segments[i].At; off != 0 {
				t.Errorf("DASH: %s begins %v from %s", s.URI, off, first.Segments[i].URI)
			}
		}
	}
	for id, q := range all {
		for _, s := range q.segments {
			if !s.Gap && !listed[s.URI] {
				t.Errorf("%s: DASH doesn't list %s", id, s.URI)
			}
		}
	}
}

// contributor is what the API says of a publisher.
type contributor struct {
	Label, Pushed, Remote, Software string
	OnAir                           bool
	Lock                            *struct{ State, Why string }
}

// contributors are those who publish a stream.
func (s *server) contributors(t testing.TB, stream string) []contributor {
	t.Helper()
	var answer struct {
		Streams []struct {
			Name         string
			Contributors []contributor
		}
	}
	if err := json.Unmarshal(s.get(t, "http://"+s.admin+"/api/v1/streams"), &answer); err != nil {
		t.Fatal(err)
	}
	for _, one := range answer.Streams {
		if one.Name == stream {
			return one.Contributors
		}
	}
	return nil
}

// relay publishes what a source shows, as docs/abr.md says.
func relay(t testing.TB, from, to string) *child {
	t.Helper()
	return docCommand(t, "-copyts", "-copyts", "-probesize 100k -copyts", "udp://239.1.1.1:5000", from, "rtmp://HOST/live/cam1", to)
}

// TestPushComesAndGoes kills one of three encoders, which comes back after some
// seconds. The others go on, and all have the same boundaries.
func TestPushComesAndGoes(t *testing.T) {
	if testing.Short() {
		t.Skip("publishes for 20 seconds")
	}
	away, victims := 5*time.Second, []string{"_720p"}
	if os.Getenv("E2E_ABR") != "" { // make test-abr
		victims = []string{"_1080p", "_720p", "_360p"}
	}
	for _, victim := range victims {
		t.Run(victim, func(t *testing.T) {
			t.Parallel()
			needs(t, "ffmpeg")
			comesAndGoes(t, victim, away)
		})
	}
}

func comesAndGoes(t *testing.T, victim string, away time.Duration) {
	const stream = "live/cam1"
	s := startServer(t, "-abr-suffixes", abrSuffixes, "-window-segments", "60")
	sources := program(t, stampedSizes(t), 0, 1, 2)
	encoders := make(map[string]func() *child)
	running := make(map[string]*child)
	for i, suffix := range strings.Split(abrSuffixes, ",") {
		encoders[suffix] = func() *child { return relay(t, sources[i], s.rtmpURL(stream+suffix)) }
		running[suffix] = encoders[suffix]()
	}
	eventually(t, 15*time.Second, "three qualities are on air", func() error { return s.onAir(t, stream, 3) })
	awaitPlayable(t, s, stream)
	w := s.watch(t, stream)
	eventually(t, 15*time.Second, "some segments", func() error { return w.has(2) })
	killChild(running[victim].cmd.Process)
	<-running[victim].exited
	time.Sleep(away)
	if got := s.contributors(t, stream); len(got) != 2 {
		t.Errorf("%d publish while one is away", len(got))
	}
	running[victim] = encoders[victim]()
	eventually(t, 10*time.Second, "it is back", func() error { return s.onAir(t, stream, 3) })
	time.Sleep(3 * time.Second)
	w.stop(t)
	keepLists(t, s, w)
	all := w.qualities(t)
	if len(all) != 3 {
		t.Fatalf("%d qualities", len(all))
	}
	sameBoundaries(t, all, 2)
	for id, q := range all {
		if n := q.breaks(); n > 0 {
			t.Errorf("%s: %d discontinuities", id, n)
		}
		jump := q.inOrder(t)
		if gone := strings.HasSuffix(id, victim); !gone && jump != 1 {
			t.Errorf("%s: pictures are missing that were sent: %d at once", id, jump-1)
		} else if gone && (jump < int(away.Seconds())*frameRate || jump > int((away+8*time.Second).Seconds())*frameRate) {
			t.Errorf("%s: %d pictures are missing", id, jump-1)
		}
	}
}

// onAir tells whether so many contribute, and all of them are on air.
func (s *server) onAir(t testing.TB, stream string, n int) error {
	all := s.contributors(t, stream)
	on := 0
	for _, c := range all {
		if c.OnAir {
			on++
		}
	}
	if on != n {
		return fmt.Errorf("%d of %d are on air, not %d", on, len(all), n)
	}
	return nil
}

// TestBackup lets a second encoder take over from one that is killed, stands still, is
// cut off, or is to go. Nothing is doubled, and little is missing.
func TestBackup(t *testing.T) {
	if testing.Short() {
		t.Skip("publishes for 15 seconds")
	}
	for _, c := range []struct {
		name, cause string
		fail        func(t *testing.T, s *server, first *child, line *line)
		jump        time.Duration // from one picture to the next, at most
	}{
		{"killed", "lost", func(t *testing.T, s *server, first *child, line *line) { killChild(first.cmd.Process) }, time.Second + gop},
		{"stopped", "silent", func(t *testing.T, s *server, first *child, line *line) { first.cmd.Process.Signal(syscall.SIGSTOP) }, time.Second + gop},
		{"cut", "silent", func(t *testing.T, s *server, first *child, line *line) { line.cut() }, time.Second + gop},
		{"by hand", "hand", func(t *testing.T, s *server, first *child, line *line) {
			if r := s.do(t, http.MethodPost, "http://"+s.admin+"/api/v1/streams/live/cam1/switch?pushed=live/cam1"); r.status != http.StatusAccepted {
				t.Errorf("switch: %d %s", r.status, r.body)
			}
		}, time.Second / frameRate},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			needs(t, "ffmpeg")
			const stream = "live/cam1"
			s := startServer(t, "-publish-backup", "-window-segments", "60")
			sources := program(t, stampedSizes(t), 0, 0)
			line := layLine(t, s.rtmp)
			first := relay(t, sources[0], "rtmp://"+line.addr+"/"+stream)
			eventually(t, 15*time.Second, "the first is on air", func() error { return s.onAir(t, stream, 1) })
			relay(t, sources[1], s.rtmpURL(stream))
			eventually(t, 15*time.Second, "the second stands by", func() error {
				if n := len(s.contributors(t, stream)); n != 2 {
					return fmt.Errorf("%d publish", n)
				}
				return s.onAir(t, stream, 1)
			})
			awaitPlayable(t, s, stream)
			w := s.watch(t, stream)
			eventually(t, 15*time.Second, "some segments", func() error { return w.has(2) })
			c.fail(t, s, first, line)
			eventually(t, 8*time.Second, "the second is on air", func() error { return s.switched(t, c.cause) })
			time.Sleep(5 * time.Second)
			w.stop(t)
			keepLists(t, s, w)
			q := w.qualities(t)["v1"]
			if q == nil {
				t.Fatal("no picture")
			}
			jump := q.inOrder(t)
			t.Logf("%d pictures are missing, %d discontinuities", jump-1, q.breaks())
			if n := q.breaks(); n > 1 {
				t.Errorf("%d discontinuities", n)
			}
			if most := int(c.jump.Seconds()*frameRate) + 3; jump > most {
				t.Errorf("%d pictures are missing, %d may", jump-1, most)
			}
		})
	}
}

// switched tells whether one encoder took the place of another, for that cause.
func (s *server) switched(t testing.TB, cause string) error {
	want := fmt.Sprintf(`sluice_backup_switches_total{cause=%q} 1`, cause)
	text := s.get(t, "http://"+s.admin+"/metrics")
	if !bytes.Contains(text, []byte(want)) {
		var have []string
		for line := range strings.Lines(string(text)) {
			if strings.HasPrefix(line, "sluice_backup_switches_total") {
				have = append(have, strings.TrimSpace(line))
			}
		}
		return fmt.Errorf("no %s, but %s", want, strings.Join(have, ", "))
	}
	return nil
}

// line is a way to the server that can be cut: nothing comes through any more, and nobody
// is told.
type line struct {
	addr string
	dead chan struct{}
}

func (l *line) cut() { close(l.dead) }

// layLine lays one, which ends with the test.
func layLine(t testing.TB, to string) *line {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &line{addr: listener.Addr().String(), dead: make(chan struct{})}
	var conns []net.Conn
	done := make(chan struct{})
	go func() {
		defer close(done)
		ways := 0
		over := make(chan struct{}, 16)
		for {
			near, err := listener.Accept()
			if err != nil {
				break
			}
			far, err := net.Dial("tcp", to)
			if err != nil {
				near.Close()
				continue
			}
			conns = append(conns, near, far)
			for _, way := range [][2]net.Conn{{near, far}, {far, near}} {
				ways++
				go func() { l.carry(way[0], way[1]); over <- struct{}{} }()
			}
		}
		for _, c := range conns {
			c.Close()
		}
		for range ways {
			<-over
		}
	}()
	t.Cleanup(func() { listener.Close(); <-done })
	return l
}

// carry copies until the line is cut, or one end is closed.
func (l *line) carry(from, to net.Conn) {
	b := make([]byte, 16<<10)
	for {
		n, err := from.Read(b)
		select {
		case <-l.dead: // what comes is lost
		default:
			if n > 0 {
				if _, failed := to.Write(b[:n]); failed != nil {
					return
				}
			}
			if err != nil {
				to.Close()
				return
			}
		}
		if err != nil {
			return
		}
	}
}
