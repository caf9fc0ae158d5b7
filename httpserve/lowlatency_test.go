package httpserve

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluice-live/sluice/packager"
	"github.com/sluice-live/sluice/remux"
)

// at returns where the newest Window is: the number of the open segment, and
// how many of its parts are closed.
func at(t *testing.T, s *site) (packager.MSN, int) {
	t.Helper()
	r := mustWindow(t, s).Renditions[0]
	return r.Open, len(r.Parts)
}

// feedPart publishes until one more part is closed.
func (s *site) feedPart(t *testing.T) {
	t.Helper()
	before := mustWindow(t, s).Renditions[0].NextPart
	for mustWindow(t, s).Renditions[0].NextPart == before {
		s.feedSample(t)
	}
}

func TestDirectives(t *testing.T) {
	s := newSite(t)
	s.feed(t, 20)
	msn, parts := at(t, s)
	for _, test := range []struct {
		query string
		code  int
	}{
		{"", 200},
		{"_HLS_msn=0", 200},                      // long ago: the newest playlist
		{fmt.Sprintf("_HLS_msn=%d", msn-1), 200}, // the newest whole segment
		{fmt.Sprintf("_HLS_msn=%d&_HLS_part=0", msn-1), 200}, //
		{fmt.Sprintf("_HLS_msn=%d&_HLS_part=%d", msn, parts-1), 200},
		{fmt.Sprintf("_HLS_msn=%d", msn+2), 400},
		{fmt.Sprintf("_HLS_msn=%d", msn+1000), 400},
		{"_HLS_msn=18446744073709551616", 400},
		{"_HLS_msn=-1", 400},
		{"_HLS_msn=x", 400},
		{"_HLS_msn=1.5", 400},
		{"_HLS_part=1", 400},
		{"_HLS_msn=", 400},
		{"_HLS_msn", 400},
		{"_HLS_part=", 400},
		{"_HLS_msn=&_HLS_part=", 400},
		{fmt.Sprintf("_HLS_msn=%d&_HLS_part=", msn-1), 400},
		{"_HLS_msn=%", 400},
		{"_HLS_msn=1;_HLS_part=0", 400},
		{"token=%zz", 200}, // nobody's business
		{fmt.Sprintf("_HLS_msn=%d&_HLS_part=-1", msn), 400},
		{fmt.Sprintf("_HLS_msn=%d&_HLS_part=10001", msn), 400},
		{"_HLS_skip=YES", 200},
		{"_HLS_skip=v2", 200},
		{"_HLS_something=else", 200},
	} {
		r := s.do("GET", "/live/cam1/a1.m3u8?"+test.query)
		if r.StatusCode != test.code {
			t.Errorf("%q: %d, want %d", test.query, r.StatusCode, test.code)
		}
		want := "no-store"
		switch {
		case test.code != 200:
		case strings.Contains(test.query, "_HLS_msn"):
			want = "max-age=0, s-maxage=1" // never a browser's own cache
		default:
			want = "max-age=1"
		}
		if got := r.Header.Get("Cache-Control"); got != want {
			t.Errorf("%q: cache %q, want %q", test.query, got, want)
		}
	}
	full := body(t, s.do("GET", "/live/cam1/a1.m3u8"))
	delta := body(t, s.do("GET", "/live/cam1/a1.m3u8?_HLS_skip=YES"))
	if !strings.Contains(delta, "#EXT-X-SKIP:SKIPPED-SEGMENTS=") != (len(links(full)) <= 6) {
		t.Errorf("a delta of %d segments:\n%s", len(links(full)), delta)
	}
	s.p.Close(nil)
	for _, query := range []string{fmt.Sprintf("_HLS_msn=%d", msn+2), "_HLS_skip=YES"} {
		r := s.do("GET", "/live/cam1/a1.m3u8?"+query)
		if got := body(t, r); r.StatusCode != 200 || !strings.HasSuffix(got, "#EXT-X-ENDLIST\n") || strings.Contains(got, "SKIP") {
			t.Errorf("%q at the end: %d\n%s", query, r.StatusCode, got)
		}
	}
}

// Where parts are longer than players are told, a segment comes as a whole.
func TestReached(t *testing.T) {
	h := &packager.Header{Track: remux.Track{Timescale: 1000}}
	for _, test := range []struct {
		ticks int64 // of a part
		msn   packager.MSN
		part  int
		want  bool
	}{
		{200, 7, 0, true},
		{200, 7, 1, false},
		{200, 6, 3, true}, // the first of the open one
		{1000, 7, 0, false},
		{1000, 7, 1, false},
		{1000, 6, 0, true},
		{1000, 6, 3, true},
		{1000, 6, -1, true},
	} {
		parts := []packager.Part{{Duration: test.ticks}}
		w := &packager.Window{PartTarget: 200 * time.Millisecond}
		r := &packager.Rendition{Header: h, Open: 7, Parts: parts, Segments: []*packager.Segment{{MSN: 6, Header: h, Parts: parts}}}
		if got := (directive{blocks: true, msn: test.msn, part: test.part}).reached(w, r); got != test.want {
			t.Errorf("part %d of %d, of %d ms each: %v", test.part, test.msn, test.ticks, got)
		}
		r.Parts = nil
		if got, want := (directive{blocks: true, msn: 6, part: 3}).reached(w, r), test.ticks > 200; got != want {
			t.Errorf("behind the last part, of %d ms each: %v", test.ticks, got)
		}
		w.State = packager.Waiting // nothing is in production: what came last must be seen
		if !(directive{blocks: true, msn: 6, part: 3}).reached(w, r) {
			t.Errorf("behind the last part, of %d ms each, when the encoder is lost: not reached", test.ticks)
		}
	}
}

// TestBlockingReload releases viewers exactly when what they wait for is
// there, in fake time.
func TestBlockingReload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		s.feed(t, 9)
		msn, parts := at(t, s)
		type answer struct {
			query string
			*http.Response
		}
		answers := make(chan answer, 1000)
		ask := func(path string) {
			go func() { answers <- answer{path, s.do("GET", path)} }()
		}
		next := fmt.Sprintf("/live/cam1/a1.m3u8?_HLS_msn=%d&_HLS_part=%d", msn, parts)
		for range 300 {
			ask(next)
		}
		synctest.Wait()
		if len(answers) > 0 {
			t.Fatal("answered before the part was there")
		}
		s.feedPart(t)
		synctest.Wait()
		if len(answers) != 300 {
			t.Fatalf("%d of 300 viewers were released by one part", len(answers))
		}
		first := body(t, (<-answers).Response)
		for range 299 {
			if body(t, (<-answers).Response) != first {
				t.Fatal("viewers of one URL got different playlists")
			}
		}

		// An index behind the last part of the segment means the next one's
		// first; a whole segment means all of it.
		whole := fmt.Sprintf("/live/cam1/a1.m3u8?_HLS_msn=%d", msn)
		ask(whole)
		ask(fmt.Sprintf("/live/cam1/a1.m3u8?_HLS_msn=%d&_HLS_part=9", msn))
		for now, _ := at(t, s); now == msn; now, _ = at(t, s) {
			synctest.Wait()
			if len(answers) > 0 {
				t.Fatal("answered inside the segment")
			}
			s.feedSample(t)
		}
		synctest.Wait()
		if len(answers) != 1 {
			t.Fatalf("%d answers when the segment was closed", len(answers))
		}
		if a := <-answers; a.query != whole {
			t.Errorf("%s was answered first", a.query)
		}
		s.feedPart(t)
		synctest.Wait()
		if len(answers) != 1 {
			t.Fatalf("%d answers at the next segment's first part", len(answers))
		}
		<-answers

		// Nobody is held for longer than clients wait, and the end lets all go.
		msn, parts = at(t, s)
		began := time.Now()
		r := s.do("GET", fmt.Sprintf("/live/cam1/a1.m3u8?_HLS_msn=%d&_HLS_part=%d", msn, parts))
		if held := time.Since(began); r.StatusCode != 503 || held > 7*time.Second {
			t.Errorf("%d after %v", r.StatusCode, held)
		}
		ask(fmt.Sprintf("/live/cam1/a1.m3u8?_HLS_msn=%d&_HLS_part=%d", msn, parts))
		ask(fmt.Sprintf("/live/cam1/a1.m3u8?_HLS_msn=%d", msn+1))
		synctest.Wait()
		s.p.Close(nil)
		for range 2 {
			if a := <-answers; a.StatusCode != 200 || !strings.Contains(body(t, a.Response), "ENDLIST") {
				t.Errorf("%s at the end: %d", a.query, a.StatusCode)
			}
		}
	})
}

func hint(playlist string) string {
	_, rest, _ := strings.Cut(playlist, `TYPE=PART,URI="`)
	uri, _, _ := strings.Cut(rest, `"`)
	return "/live/cam1/" + uri
}

// TestHintedPart holds a request for the next part until it is complete.
func TestHintedPart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		s.feed(t, 5)
		next := hint(body(t, s.do("GET", "/live/cam1/a1.m3u8")))
		got := make(chan *http.Response)
		go func() { got <- s.do("GET", next) }()
		synctest.Wait()
		s.feedPart(t)
		r := <-got
		held := body(t, r)
		if r.StatusCode != 200 || r.Header.Get("Content-Length") != fmt.Sprint(len(held)) || len(held) == 0 {
			t.Errorf("the hinted part: %d, %d bytes", r.StatusCode, len(held))
		}
		if again := body(t, s.do("GET", next)); again != held {
			t.Error("other bytes the second time")
		}
		after := strings.Replace(hint(body(t, s.do("GET", "/live/cam1/a1.m3u8"))), "-p", "-p9", 1)
		if r := s.do("GET", after); r.StatusCode != 404 {
			t.Errorf("a part that nobody hinted at: %d", r.StatusCode)
		}
		go func() { got <- s.do("GET", hint(body(t, s.do("GET", "/live/cam1/a1.m3u8")))) }()
		synctest.Wait()
		s.p.Close(nil)
		if r := <-got; r.StatusCode != 404 && r.StatusCode != 200 { // the rest may have become that part
			t.Errorf("a hint that the end overtook: %d", r.StatusCode)
		}
	})
}

// flushes records what a viewer has after each flush.
type flushes struct {
	*httptest.ResponseRecorder
	mu   sync.Mutex
	seen []int
}

func (f *flushes) Flush() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.seen = append(f.seen, f.Body.Len())
}

// TestSegmentInProduction reads a segment while it grows, as LL-DASH does.
func TestSegmentInProduction(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		s.feed(t, 5)
		r := mustWindow(t, s).Renditions[0]
		name := packager.MediaName{Period: r.Header.Period.ID, Kind: packager.SegmentFile, Number: r.OpenStart}
		path := "/live/cam1/a1/" + name.String()
		grown := &flushes{ResponseRecorder: httptest.NewRecorder()}
		done := make(chan bool)
		get := func(path string, w http.ResponseWriter) {
			s.handler.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
			done <- true
		}
		go get(path, grown)
		early := httptest.NewRecorder() // the segment after it
		name.Number += r.ExpectedDuration
		go get("/live/cam1/a1/"+name.String(), early)
		synctest.Wait()
		s.feedPart(t)
		synctest.Wait()
		s.feed(t, 2)
		<-done
		if len(grown.seen) < 2 || grown.seen[0] == 0 || grown.seen[0] == grown.seen[1] {
			t.Errorf("bytes after each flush: %v", grown.seen)
		}
		h := grown.Result().Header
		if h.Get("Content-Length") != "" || h.Get("ETag") != "" || !strings.Contains(h.Get("Cache-Control"), "immutable") {
			t.Errorf("headers of a growing segment: %v", h)
		}
		if whole := s.do("GET", path); whole.Header.Get("Content-Length") == "" || body(t, whole) != grown.Body.String() {
			t.Error("the grown segment is not the whole one")
		}
		s.p.Close(nil)
		<-done
		if early.Code != 200 || early.Body.Len() == 0 {
			t.Errorf("the segment that was asked for early: %d, %d bytes", early.Code, early.Body.Len())
		}
	})
}

func TestGzipAndETag(t *testing.T) {
	s := newSite(t)
	s.feed(t, 9)
	for _, path := range []string{"/live/cam1/index.m3u8", "/live/cam1/a1.m3u8", "/live/cam1/index.mpd"} {
		plain := s.do("GET", path)
		text := body(t, plain)
		packed := s.do("GET", path, "Accept-Encoding", "gzip, br")
		z, err := gzip.NewReader(packed.Body)
		if err != nil {
			t.Fatal(err)
		}
		var unpacked bytes.Buffer
		if _, err := io.Copy(&unpacked, z); err != nil {
			t.Fatal(err)
		}
		if unpacked.String() != text || packed.Header.Get("Content-Encoding") != "gzip" {
			t.Errorf("%s: another text when compressed", path)
		}
		for _, r := range []*http.Response{plain, packed} {
			tag := r.Header.Get("ETag")
			if len(tag) < 3 || tag[0] != '"' || r.Header.Get("Vary") != "Accept-Encoding" {
				t.Errorf("%s: tag %s, vary %q", path, tag, r.Header.Get("Vary"))
			}
			if again := s.do("GET", path, "If-None-Match", tag); again.StatusCode != 304 {
				t.Errorf("%s: %d for the same again", path, again.StatusCode)
			}
		}
		s.feed(t, 3)
		if again := s.do("GET", path, "If-None-Match", plain.Header.Get("ETag")); path != "/live/cam1/index.m3u8" && again.StatusCode != 200 {
			t.Errorf("%s: %d after a change", path, again.StatusCode)
		}
	}
}

// Who waits for a part of a stream that goes to another process is passed on at once.
func TestHeldRequestsGoElsewhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		s.Catalog = packager.NewCatalog(packager.Settings{
			Segments: 3, SegmentMinDuration: 2 * time.Second, SegmentMaxDuration: 10 * time.Second,
			PartDuration: 500 * time.Millisecond, Linger: time.Minute, Grace: time.Minute,
		}, time.Now)
		name, _ := packager.ParseStreamName("live", "cam1")
		var err error
		if s.p, err = s.Catalog.Publish(name); err != nil {
			t.Fatal(err)
		}
		s.p.SetTracks([]remux.Track{track})
		s.Elsewhere = func(w http.ResponseWriter, _ *http.Request) bool {
			_, ok := s.Catalog.Lookup(name)
			if !ok {
				w.WriteHeader(http.StatusTeapot)
			}
			return !ok
		}
		s.handler = s.Handler()
		s.feed(t, 12)
		s.p.Close(io.ErrUnexpectedEOF)
		msn, _ := at(t, s)
		began := time.Now()
		w := httptest.NewRecorder()
		var wait sync.WaitGroup
		wait.Go(func() {
			s.handler.ServeHTTP(w, httptest.NewRequest("GET", fmt.Sprintf("/live/cam1/a1.m3u8?_HLS_msn=%d", msn), nil))
		})
		synctest.Wait()
		time.Sleep(time.Second)
		s.Catalog.Release(name)
		wait.Wait()
		if took := time.Since(began); w.Code != http.StatusTeapot || took != time.Second {
			t.Errorf("%d after %v", w.Code, took)
		}
	})
}
