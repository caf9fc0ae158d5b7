package httpserve

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluice-live/sluice/packager"
	"github.com/sluice-live/sluice/web"
)

// aborted calls a handler, and tells whether it broke its answer off.
func aborted(h http.Handler, w http.ResponseWriter, r *http.Request) (broken bool) {
	defer func() { broken = recover() == http.ErrAbortHandler }()
	h.ServeHTTP(w, r)
	return false
}

// Nobody is held for longer than three target durations (RFC 8216bis, section
// 6.2.5.2), whatever http.hold_timeout is.
func TestHeldForThreeTargets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		s.Hold = time.Minute
		s.handler = s.Handler()
		s.feed(t, 9)
		msn, parts := at(t, s)
		began := time.Now()
		r := s.do("GET", "/live/cam1/a1.m3u8?_HLS_msn="+strconv.Itoa(int(msn))+"&_HLS_part="+strconv.Itoa(parts))
		want := 3 * time.Duration(mustWindow(t, s).TargetDuration) * time.Second
		if held := time.Since(began); r.StatusCode != 503 || held != want {
			t.Errorf("%d after %v, want 503 after %v", r.StatusCode, held, want)
		}
	})
}

// stuck is a viewer who takes nothing until he is let.
type stuck struct {
	*httptest.ResponseRecorder
	let chan bool
}

func (w *stuck) Write(b []byte) (int, error) {
	<-w.let
	return w.ResponseRecorder.Write(b)
}

// What slow viewers hold alone is in what the API tells, by whatever answer they
// hold it.
func TestPinnedIsTold(t *testing.T) {
	for _, kind := range []string{"a segment", "a range of it", "a part", "a segment in production"} {
		synctest.Test(t, func(t *testing.T) {
			s := newSite(t)
			s.feed(t, 9)
			win := mustWindow(t, s)
			r := &win.Renditions[0]
			file, header := r.Segments[0].Name(), ""
			switch kind {
			case "a range of it":
				header = "bytes=0-"
			case "a part":
				file = r.Header.PartName(r.Parts[0].Number)
			case "a segment in production":
				file = packager.MediaName{Period: r.Header.Period.ID, Kind: packager.SegmentFile, Number: r.OpenStart}.String()
			}
			ask := httptest.NewRequest("GET", "/live/cam1/a1/"+file, nil)
			if header != "" {
				ask.Header.Set("Range", header)
			}
			w := &stuck{httptest.NewRecorder(), make(chan bool)}
			done := make(chan bool)
			go func() { aborted(s.handler, w, ask); close(done) }()
			synctest.Wait()
			told := func() (bytes, pinned int) {
				scrape := httptest.NewRecorder()
				s.admin().ServeHTTP(scrape, httptest.NewRequest("GET", "http://localhost/api/v1/streams", nil))
				var list struct{ Streams []struct{ Bytes, Pinned int } }
				if err := json.Unmarshal(scrape.Body.Bytes(), &list); err != nil || len(list.Streams) != 1 {
					t.Fatalf("%v: %s", err, scrape.Body)
				}
				return list.Streams[0].Bytes, list.Streams[0].Pinned
			}
			if _, pinned := told(); pinned != 0 {
				t.Errorf("%s: %d bytes are pinned that the window has", kind, pinned)
			}
			s.feed(t, 40)
			if bytes, pinned := told(); pinned == 0 || bytes != mustWindow(t, s).Bytes()+pinned {
				t.Errorf("%s: %d bytes are pinned, of %d, and the window has %d", kind, pinned, bytes, mustWindow(t, s).Bytes())
			}
			close(w.let)
			<-done
			if _, pinned := told(); pinned != 0 {
				t.Errorf("%s: %d bytes are pinned by nobody", kind, pinned)
			}
		})
	}
}

// Each page forbids what it doesn't need, and shows nobody else its address.
func TestPageHeaders(t *testing.T) {
	s := newSite(t)
	for _, path := range []string{"/", "/live/cam1/", "/t/any/live/cam1/"} {
		h := s.do("GET", path).Header
		if h.Get("Content-Security-Policy") != web.ContentSecurityPolicy || h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Referrer-Policy") != "same-origin" {
			t.Errorf("%s: %v", path, h)
		}
	}
	for _, need := range []string{"default-src 'none'", "script-src 'self';", "base-uri 'none'"} {
		if !strings.Contains(web.ContentSecurityPolicy, need) {
			t.Errorf("the policy lacks %s", need)
		}
	}
}
