package httpserve

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"github.com/sluice-live/sluice/httpserve/admin"
	"github.com/sluice-live/sluice/packager"
	"github.com/sluice-live/sluice/packager/health"
	"github.com/sluice-live/sluice/remux"
)

var track = remux.TrackOf(&remux.AAC{
	Config: []byte{0x11, 0x90}, ObjectType: 2, FrameSamples: 1024, Sound: remux.Sound{SampleRate: 48000, Channels: 2, Layout: 2},
})

// site is a server with one stream, live/cam1, and the hand that feeds it.
type site struct {
	*Server
	handler http.Handler
	p       *packager.Contribution
	next    int64
}

// house is what operators ask.
type house struct {
	admin.House
	catalog *packager.Catalog
	stops   bool
}

func (h *house) Ready() bool                                { return !h.stops }
func (h *house) Streams() []*packager.Stream                { return h.catalog.Streams() }
func (h *house) Viewers(packager.StreamName) int            { return 0 }
func (h *house) Health(packager.StreamName) []health.Advice { return []health.Advice{} }

func (s *site) operators(h *house) http.Handler {
	return s.OperatorsFront((&admin.Server{House: h, WriteTimeout: s.WriteTimeout, Metrics: s.Metrics, Now: s.Now}).Handler(nil), admin.Refuse)
}

func (s *site) admin() http.Handler { return s.operators(&house{catalog: s.Catalog}) }

func newSite(t testing.TB) *site {
	t.Helper()
	catalog := packager.NewCatalog(packager.Settings{
		Segments: 3, SegmentMinDuration: 2 * time.Second, SegmentMaxDuration: 10 * time.Second,
		PartDuration: 500 * time.Millisecond, Linger: time.Minute,
	}, time.Now)
	name, err := packager.ParseStreamName("live", "cam1")
	if err != nil {
		t.Fatal(err)
	}
	p, err := catalog.Publish(name)
	if err != nil {
		t.Fatal(err)
	}
	s := &site{
		Server: &Server{Catalog: catalog, Hold: 7 * time.Second, WriteTimeout: 30 * time.Second, Log: zerolog.Nop(), Now: time.Now},
		p:      p,
		next:   time.Now().Unix() * 48000,
	}
	s.handler = s.Handler()
	if err := p.SetTracks([]remux.Track{track}); err != nil {
		t.Fatal(err)
	}
	return s
}

// feed publishes seconds of audio.
func (s *site) feed(t testing.TB, seconds int) {
	t.Helper()
	for range seconds * 48000 / 1024 {
		s.feedSample(t)
	}
}

func (s *site) feedSample(t testing.TB) {
	t.Helper()
	err := s.p.WriteSample(&remux.Sample{DTS: s.next, Duration: 1024, Sync: true, Data: []byte(strconv.FormatInt(s.next, 10))})
	if err != nil {
		t.Fatal(err)
	}
	s.next += 1024
}

func (s *site) do(method, path string, headers ...string) *http.Response {
	r := httptest.NewRequest(method, path, nil)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, r)
	return w.Result()
}

func body(t testing.TB, r *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// links returns the URI lines of a playlist.
func links(playlist string) (uris []string) {
	for _, line := range strings.Split(playlist, "\n") {
		if line != "" && line[0] != '#' {
			uris = append(uris, line)
		}
	}
	return uris
}

func TestResponses(t *testing.T) {
	s := newSite(t)
	s.feed(t, 12)
	playlist := body(t, s.do("GET", "/live/cam1/a1.m3u8"))
	media := links(playlist)
	if len(media) != 3 {
		t.Fatalf("playlist lists %q", media)
	}
	segment := "/live/cam1/" + media[0]
	_, part, _ := strings.Cut(playlist, "#EXT-X-PART:")
	_, part, _ = strings.Cut(part, `URI="`)
	part, _, _ = strings.Cut(part, `"`)
	part = "/live/cam1/" + part
	header := segment[:strings.LastIndex(segment, "-")] + "-header.mp4"

	for _, test := range []struct {
		path        string
		code        int
		contentType string
		cache       string
	}{
		{"/live/cam1/index.m3u8", 200, "application/vnd.apple.mpegurl", "max-age=1"},
		{"/live/cam1/a1.m3u8", 200, "application/vnd.apple.mpegurl", "max-age=1"},
		{"/live/cam1/index.mpd", 200, "application/dash+xml", "max-age=1"},
		{"/live/cam1/", 200, "text/html; charset=utf-8", "no-cache"},
		{"/", 200, "text/html; charset=utf-8", "no-cache"},
		{"/_/ui/player.js", 200, "text/javascript; charset=utf-8", "no-cache"},
		{"/_/ui/icon.svg", 200, "image/svg+xml", "no-cache"},
		{"/_/ui", 404, "", "no-store"},
		{"/_/ui/", 404, "", "no-store"},
		{"/time", 200, "text/plain; charset=utf-8", "no-store"},
		{segment, 200, "audio/mp4", "public, max-age=31536000, immutable"},
		{part, 200, "audio/mp4", "public, max-age=31536000, immutable"},
		{header, 200, "audio/mp4", "public, max-age=31536000, immutable"},
		{"/live/other/index.m3u8", 404, "", "no-store"},
		{"/live/other/index.mpd", 404, "", "no-store"},
		{"/live/cam1/v1.m3u8", 404, "", "no-store"},
		{"/live/cam1/a1/x-1.m4s", 404, "", "no-store"},
		{"/live/cam1/a1/../../../etc/passwd", 404, "", "no-store"},
		{"/live/%2e%2e/index.m3u8", 404, "", "no-store"},
		{"/live/a%00b/index.m3u8", 404, "", "no-store"},
		{"/live/" + strings.Repeat("a", 4096) + "/index.m3u8", 404, "", "no-store"},
		{"/nothing", 404, "", "no-store"},
	} {
		got := s.do("GET", test.path)
		text := body(t, got)
		if got.StatusCode != test.code {
			t.Errorf("GET %.60s: status %d, want %d", test.path, got.StatusCode, test.code)
		}
		h := got.Header
		if test.contentType != "" && h.Get("Content-Type") != test.contentType {
			t.Errorf("GET %s: type %q", test.path, h.Get("Content-Type"))
		}
		if h.Get("Cache-Control") != test.cache {
			t.Errorf("GET %.60s: cache %q, want %q", test.path, h.Get("Cache-Control"), test.cache)
		}
		if h.Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("GET %.60s: players on other sites can't read it", test.path)
		}
		if h.Get("Set-Cookie") != "" || h.Get("Location") != "" {
			t.Errorf("GET %.60s: sets a cookie or redirects", test.path)
		}
		head := s.do("HEAD", test.path)
		if head.StatusCode != test.code || head.Header.Get("Cache-Control") != test.cache {
			t.Errorf("HEAD %.60s: status %d, cache %q", test.path, head.StatusCode, head.Header.Get("Cache-Control"))
		}
		if test.code == 200 {
			if n := h.Get("Content-Length"); n != strconv.Itoa(len(text)) || head.Header.Get("Content-Length") != n {
				t.Errorf("%s: %d bytes, lengths %q and %q", test.path, len(text), n, head.Header.Get("Content-Length"))
			}
		}
		options := s.do("OPTIONS", test.path)
		if options.StatusCode != 204 || !strings.Contains(options.Header.Get("Access-Control-Allow-Headers"), "Range") {
			t.Errorf("OPTIONS %.60s: status %d", test.path, options.StatusCode)
		}
		if post := s.do("POST", test.path); post.StatusCode != 405 && post.StatusCode != 404 {
			t.Errorf("POST %.60s: status %d", test.path, post.StatusCode)
		}
	}
}

func TestRanges(t *testing.T) {
	s := newSite(t)
	s.feed(t, 6)
	path := "/live/cam1/" + links(body(t, s.do("GET", "/live/cam1/a1.m3u8")))[1]
	whole := s.do("GET", path)
	all := body(t, whole)
	for _, test := range []struct {
		ask, want string
		from, to  int
	}{
		{"bytes=0-99", "bytes 0-99/", 0, 100},
		{"bytes=1000-", "bytes 1000-", 1000, len(all)},
		{"bytes=700-1999", "bytes 700-1999/", 700, 2000}, // over the border of two parts
		{"bytes=-5", "bytes ", len(all) - 5, len(all)},
	} {
		r := s.do("GET", path, "Range", test.ask)
		if r.StatusCode != 206 || !strings.HasPrefix(r.Header.Get("Content-Range"), test.want) {
			t.Errorf("%s: %d %q", test.ask, r.StatusCode, r.Header.Get("Content-Range"))
		}
		if got := body(t, r); got != all[test.from:test.to] {
			t.Errorf("%s: %d other bytes", test.ask, len(got))
		}
	}
	if r := s.do("GET", path, "Range", "bytes=99999999-"); r.StatusCode != 416 {
		t.Errorf("behind the end: %d", r.StatusCode)
	}
	if r := s.do("GET", path, "If-None-Match", whole.Header.Get("ETag")); r.StatusCode != 304 {
		t.Errorf("the same again: %d", r.StatusCode)
	}
}

// TestOneSetOfBytes checks that both lists name the same segments.
func TestOneSetOfBytes(t *testing.T) {
	s := newSite(t)
	s.feed(t, 9)
	win := mustWindow(t, s)
	mpd := body(t, s.do("GET", "/live/cam1/index.mpd"))
	r := win.Renditions[0]
	for _, want := range []string{
		`media="$RepresentationID$/` + r.Header.Period.ID + `-$Time$.m4s"`,
		`<S t="` + strconv.FormatInt(r.Segments[0].Start, 10) + `"`,
		`initialization="$RepresentationID$/` + r.Header.Name() + `"`,
	} {
		if !strings.Contains(mpd, want) {
			t.Errorf("the manifest lacks %s", want)
		}
	}
	hls := body(t, s.do("GET", "/live/cam1/a1.m3u8"))
	for _, seg := range r.Segments {
		if !strings.Contains(hls, "a1/"+seg.Name()+"\n") {
			t.Errorf("the playlist lacks %s", seg.Name())
		}
	}
	if first, second := body(t, s.do("GET", "/live/cam1/index.mpd")), mpd; first != second {
		t.Error("one window, two drawings")
	}
}

func mustWindow(t testing.TB, s *site) *packager.Window {
	t.Helper()
	for _, stream := range s.Catalog.Streams() {
		return stream.Window()
	}
	t.Fatal("no stream")
	return nil
}

// TestWaitsForTheFirstSegment holds requests in fake time.
func TestWaitsForTheFirstSegment(t *testing.T) {
	for _, path := range []string{"/live/cam1/index.m3u8", "/live/cam1/index.mpd", "/live/cam1/a1.m3u8"} {
		synctest.Test(t, func(t *testing.T) {
			s := newSite(t)
			began := time.Now()
			if r := s.do("GET", path); r.StatusCode != 503 || r.Header.Get("Cache-Control") != "no-store" || r.Header.Get("Retry-After") == "" {
				t.Errorf("%s: %d %v", path, r.StatusCode, r.Header)
			}
			if held := time.Since(began); held != s.Hold {
				t.Errorf("%s: held for %v", path, held)
			}
			answer := make(chan *http.Response)
			go func() { answer <- s.do("GET", path) }()
			time.Sleep(3 * time.Second)
			began = time.Now()
			s.feed(t, 4)
			if r := <-answer; r.StatusCode != 200 {
				t.Errorf("%s: %d when it began", path, r.StatusCode)
			}
			if late := time.Since(began); late != 0 {
				t.Errorf("%s: answered %v late", path, late)
			}
			// A stream that ends before it began must not hold anyone.
			other := newSite(t)
			go func() { answer <- other.do("GET", path) }()
			synctest.Wait()
			other.p.Close(nil)
			if r := <-answer; r.StatusCode != 404 {
				t.Errorf("%s: %d when it ended", path, r.StatusCode)
			}
		})
	}
}

func TestEnd(t *testing.T) {
	s := newSite(t)
	s.feed(t, 7)
	before := links(body(t, s.do("GET", "/live/cam1/a1.m3u8")))
	s.p.Close(nil)
	playlist := body(t, s.do("GET", "/live/cam1/a1.m3u8"))
	if !strings.HasSuffix(playlist, "#EXT-X-ENDLIST\n") {
		t.Errorf("no end:\n%s", playlist)
	}
	if mpd := body(t, s.do("GET", "/live/cam1/index.mpd")); !strings.Contains(mpd, `type="static"`) || strings.Contains(mpd, "minimumUpdatePeriod") {
		t.Errorf("not static:\n%s", mpd)
	}
	after := links(playlist)
	if len(after) != len(before)+1 && len(after) != 3 {
		t.Errorf("the last segment is missing: %q", after)
	}
	for _, uri := range append(before, after...) {
		if r := s.do("GET", "/live/cam1/"+uri); r.StatusCode != 200 {
			t.Errorf("%s: %d", uri, r.StatusCode)
		}
	}
}

func TestAdmin(t *testing.T) {
	s := newSite(t)
	s.feed(t, 5)
	h := &house{catalog: s.Catalog}
	admin := s.operators(h)
	get := func(path string) *http.Response {
		w := httptest.NewRecorder()
		admin.ServeHTTP(w, httptest.NewRequest("GET", "http://localhost"+path, nil))
		return w.Result()
	}
	if r := get("/healthz"); r.StatusCode != 200 {
		t.Errorf("healthz: %d", r.StatusCode)
	}
	if r := get("/readyz"); r.StatusCode != 200 {
		t.Errorf("readyz: %d", r.StatusCode)
	}
	h.stops = true
	if r := get("/readyz"); r.StatusCode != 503 {
		t.Errorf("readyz when stopping: %d", r.StatusCode)
	}
	var list struct {
		Streams []struct {
			Name       string
			Live       bool
			Bytes      int
			Renditions []struct {
				Codec string
				Bytes int
			}
		}
	}
	if err := json.NewDecoder(get("/api/v1/streams").Body).Decode(&list); err != nil {
		t.Fatal(err)
	}
	if len(list.Streams) != 1 || list.Streams[0].Name != "live/cam1" || !list.Streams[0].Live || list.Streams[0].Renditions[0].Codec != "mp4a.40.2" {
		t.Errorf("streams: %+v", list)
	}
	r := mustWindow(t, s).Renditions[0]
	want := int(r.OpenBody().Size()) + r.Draft
	for _, seg := range append(r.Retired[:len(r.Retired):len(r.Retired)], r.Segments...) {
		want += seg.Size
	}
	if got := list.Streams[0]; got.Bytes != want || got.Renditions[0].Bytes != want || len(r.Parts) == 0 || r.Draft == 0 {
		t.Errorf("%d bytes, %d of the rendition, want %d", got.Bytes, got.Renditions[0].Bytes, want)
	}
}

// Who leaves out the last character of a page's address is sent there, with the
// token; who means a list is told where lists are.
func TestMissingSlash(t *testing.T) {
	for _, s := range []*site{newSite(t), guarded(t)} {
		for path, to := range map[string]string{
			"/live/cam1":                       "/live/cam1/",
			"/live/cam%7E1":                    "/live/cam~1/",
			"/live/nobody":                     "/live/nobody/",
			"/t/x":                             "/t/x/",
			"/live/cam1?token=a%26b&x=%0d%0aY": "/live/cam1/?token=a%26b&x=%0D%0AY",
			"/live/cam1?a;b":                   "/live/cam1/",
		} {
			for _, method := range []string{"GET", "HEAD"} {
				r := s.do(method, path)
				l := r.Header.Get("Location")
				asked, _ := url.Parse("http://host/video/tv" + path)
				got, err := asked.Parse(l)
				if err != nil || r.StatusCode != 302 || got.String() != "http://host/video/tv"+to || r.Header.Get("Cache-Control") != "no-store" {
					t.Errorf("%s %s: %d to %q, cache %q", method, path, r.StatusCode, l, r.Header.Get("Cache-Control"))
				}
			}
		}
		for _, path := range []string{"/live/index.m3u8", "/live/cam1.m3u8", "/live/cam1.mpd", "/live/.cam1", "/_x/cam1", "/live/cam%2F1", "/live/ca%20m", "/live", "//evil.example", "/live/%0d%0aX"} {
			r := s.do("GET", path)
			if r.StatusCode != 404 || r.Header.Get("Location") != "" || !strings.Contains(body(t, r), "/APP/NAME/index.m3u8") {
				t.Errorf("%s: %d to %q", path, r.StatusCode, r.Header.Get("Location"))
			}
		}
	}
}

// FuzzRequest asks for anything: the answer is one of those that exist, says how
// long it may be kept, has the length that it says, and is a redirect only to
// what we have parsed.
func FuzzRequest(f *testing.F) {
	s := newSite(f)
	s.Hold = time.Millisecond
	s.feed(f, 9)
	playlist := body(f, s.do("GET", "/live/cam1/a1.m3u8"))
	segment := "/live/cam1/" + links(playlist)[0]
	r := mustWindow(f, s).Renditions[0]
	next := strconv.FormatInt(int64(r.Open)+1, 10)
	for _, c := range [][5]string{
		{"GET", "/", "", "bytes=0-", ""},
		{"GET", "/live/cam1/", "", "", "gzip"},
		{"GET", "/live/cam1/index.m3u8", "_HLS_msn=-1", "", "gzip, br"},
		{"GET", "/live/cam1/a1.m3u8", "_HLS_msn=-1", "", ""},
		{"GET", "/live/cam1/a1.m3u8", "_HLS_msn=18446744073709551616", "", ""},
		{"GET", "/live/cam1/a1.m3u8", "_HLS_msn=" + next + "&_HLS_part=1&_HLS_skip=YES", "", "gzip"},
		{"GET", "/live/cam1/a1.m3u8", "_HLS_msn=" + next + "&_HLS_msn=7&_HLS_part=-1;%zz", "", ""},
		{"GET", "/live/cam1/a1.m3u8", "_HLS_part=3", "bytes=5-4", ""},
		{"HEAD", segment, "", "bytes=0-0,5-9,-1", ""},
		{"GET", segment, "", "bytes=9223372036854775807-", ""},
		{"GET", segment, "", "bytes=-9223372036854775808", ""},
		{"GET", strings.ReplaceAll(segment, strconv.FormatInt(r.Segments[0].Start, 10), strconv.FormatInt(r.OpenStart+r.ExpectedDuration, 10)), "", "", ""},
		{"GET", "/live/cam1/a1/x-1.m4s", "", "", ""},
		{"GET", "/_/ui/player.js", "", "bytes=1-2,4-5", "gzip"},
		{"GET", "/_/../x", "", "", ""},
		{"POST", "/live//", "", "", ""},
		{"OPTIONS", "/a/b/c/d/e", "", "", ""},
		{"TRACE", "/time", "\r\nX: y", "", ""},
		{"GET", "/live/cam1", "token=x\r\n&y=//", "", ""},
		{"EGET", "/live/cam1/a1.m3u8", strings.Repeat("a", maxQuery+1), "", ""},
		{"OPTIONS", "/live/cam1/a1.m3u8", strings.Repeat("a", maxQuery+1), "", ""},
		{"GET", "/nowhere", strings.Repeat("a", maxQuery+1), "", ""},
	} {
		f.Add(c[0], c[1], c[2], c[3], c[4])
	}
	f.Fuzz(func(t *testing.T, method, path, query, ranges, encoding string) {
		r, err := http.NewRequest("GET", "http://host", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Method, r.URL.Path, r.URL.RawQuery = method, path, query
		for name, value := range map[string]string{"Range": ranges, "Accept-Encoding": encoding, "If-None-Match": ranges} {
			if value != "" {
				r.Header.Set(name, value)
			}
		}
		w := httptest.NewRecorder()
		defer func() {
			if p := recover(); p != nil && p != http.ErrAbortHandler { // the segment in production stops growing
				panic(p)
			}
		}()
		s.handler.ServeHTTP(w, r)
		checkAnswer(t, method, path, query, w)
	})
}

// slashed is where the one redirect of an open server leads.
var slashed = regexp.MustCompile(`^[A-Za-z0-9~_-][A-Za-z0-9~_.-]*/(\?[A-Za-z0-9%&=+._~-]*)?$`)

func checkAnswer(t *testing.T, method, path, query string, w *httptest.ResponseRecorder) {
	t.Helper()
	h := w.Header()
	allowed := []int{200, 206, 302, 304, 400, 404, 416, 503}
	switch {
	case method == "OPTIONS":
		allowed = []int{204}
	case len(query) > maxQuery:
		allowed = []int{414}
	case method == "GET", method == "HEAD":
	default:
		allowed = []int{404, 405}
	}
	if !slices.Contains(allowed, w.Code) {
		t.Fatalf("%s %q: status %d", method, path, w.Code)
	}
	cache := h.Get("Cache-Control")
	// A 416 is stored by nobody who isn't told to.
	if cache == "" && w.Code != 204 && w.Code != 416 || w.Code >= 400 && w.Code != 416 && cache != "no-store" {
		t.Errorf("%s %q: %d with Cache-Control %q", method, path, w.Code, cache)
	}
	to := h.Get("Location")
	if to != "" != (w.Code == 302) || to != "" && !slashed.MatchString(to) || h.Get("Set-Cookie") != "" || h.Get("Access-Control-Allow-Origin") != "*" {
		t.Errorf("%s %q: %d with %v", method, path, w.Code, h)
	}
	for name, values := range h {
		if strings.ContainsAny(strings.Join(values, ""), "\r\n\x00") {
			t.Errorf("%s %q: header %s: %q", method, path, name, values)
		}
	}
	if n := h.Get("Content-Length"); n != "" && method == "GET" && w.Code < 300 && n != strconv.Itoa(w.Body.Len()) {
		t.Errorf("%q: %d bytes, Content-Length %s", path, w.Body.Len(), n)
	}
	if w.Code == 304 && w.Body.Len() > 0 {
		t.Errorf("%q: not modified, and %d bytes", path, w.Body.Len())
	}
	if w.Code >= 400 && (w.Body.Len() > 512 || method == "GET" && strings.Contains(w.Body.String(), "<")) {
		t.Errorf("%s %q: %d says %.100q", method, path, w.Code, w.Body)
	}
}
