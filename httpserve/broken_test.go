package httpserve

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"github.com/sluice-live/sluice/packager"
)

// What can't be finished ends as a broken connection, not as a short answer: a
// cache would keep that for whole. An error before the first byte has a status.
func TestBrokenOff(t *testing.T) {
	s := &Server{Log: zerolog.Nop(), WriteTimeout: time.Second, Hold: time.Second}
	for _, sent := range []int{0, 1, 100_000} {
		web := httptest.NewServer(s.guard(s.count("x", s.handle(func(w http.ResponseWriter, _ *http.Request) error {
			if sent > 0 {
				w.Write(make([]byte, sent))
				http.NewResponseController(w).Flush()
			}
			return errors.New("something failed")
		}))))
		r, err := http.Get(web.URL)
		if err != nil {
			t.Fatal(err)
		}
		_, err = io.ReadAll(r.Body)
		if broken := errors.Is(err, io.ErrUnexpectedEOF); broken != (sent > 0) || (r.StatusCode == http.StatusInternalServerError) != (sent == 0) {
			t.Errorf("%d bytes, and an error: %d, then %v", sent, r.StatusCode, err)
		}
		r.Body.Close()
		web.Close()
	}
}

// A segment that grows no more before it is complete is broken off, too.
func TestGrowingIsBrokenOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		s.feed(t, 5)
		r := mustWindow(t, s).Renditions[0]
		name := packager.MediaName{Period: r.Header.Period.ID, Kind: packager.SegmentFile, Number: r.OpenStart}
		ended := make(chan any)
		w := httptest.NewRecorder()
		go func() {
			defer func() { ended <- recover() }()
			s.handler.ServeHTTP(w, httptest.NewRequest("GET", "/live/cam1/a1/"+name.String(), nil))
		}()
		synctest.Wait()
		s.feedPart(t)
		synctest.Wait()
		if w.Body.Len() == 0 {
			t.Fatal("nothing was sent")
		}
		if how := <-ended; how != http.ErrAbortHandler { // nobody publishes any more
			t.Errorf("it ended as if it were whole: %v, %d bytes", how, w.Body.Len())
		}
	})
}
