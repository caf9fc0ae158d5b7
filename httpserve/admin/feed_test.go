package admin

import (
	"bufio"
	"context"
	"fmt"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// Who comes back hears what was told since, and nothing twice; who was away for too
// long, or comes from before a restart, hears that he missed something.
func TestFeed(t *testing.T) {
	f := NewFeed(time.Now)
	at := f.Newest()
	kinds := func(id uint64) (list []Kind) {
		events, _, _ := f.Behind(id)
		for _, e := range events {
			list = append(list, e.Kind)
		}
		return list
	}
	if got := kinds(at); len(got) != 0 {
		t.Error(got)
	}
	f.Tell(Event{Kind: Published})
	f.Tell(Event{Kind: Ready})
	if got := kinds(at); !slices.Equal(got, []Kind{Published, Ready}) {
		t.Error(got)
	}
	if got := kinds(at + 1); !slices.Equal(got, []Kind{Ready}) {
		t.Error(got)
	}
	for _, stranger := range []uint64{0, at - 1, at + 3, 1 << 62} {
		if got := kinds(stranger); !slices.Equal(got, []Kind{Missed, Published, Ready}) {
			t.Errorf("behind %d: %v", stranger-at, got)
		}
	}
	for range 10 * kept {
		f.Tell(Event{Kind: HealthIs})
	}
	events, _, _ := f.Behind(at)
	if len(events) > kept+1 || len(events) < kept/2 || events[0].Kind != Missed {
		t.Errorf("%d events, the first %v", len(events), events[0].Kind)
	}
	for i, e := range events[1:] {
		if e.ID != events[0].ID+uint64(i)+1 {
			t.Fatalf("event %d has the id %d behind %d", i, e.ID, events[0].ID)
		}
	}
}

// Events come as they happen, with what an EventSource needs to go on; there is a
// sign of life where nothing happens; and there is an end.
func TestListen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &Server{House: new(house), Feed: NewFeed(time.Now), WriteTimeout: time.Second, Now: time.Now}
		begun := s.Feed.Newest() // an EventSource that comes back before the first event says so
		ctx, leave := context.WithCancel(t.Context())
		r, w := httptest.NewRequest("GET", "http://localhost/api/v1/events", nil).WithContext(ctx), httptest.NewRecorder()
		done := make(chan struct{})
		go func() { s.Handler(nil).ServeHTTP(w, r); close(done) }()
		synctest.Wait()
		s.Feed.Tell(Event{Kind: Published, Stream: "live/cam1"})
		time.Sleep(beat + time.Second)
		s.Feed.Tell(Event{Kind: Unpublished, Stream: "live/cam1"})
		synctest.Wait()
		leave()
		<-done
		var lines []string
		for l := bufio.NewScanner(w.Body); l.Scan(); {
			lines = append(lines, l.Text())
		}
		text := strings.Join(lines, "|")
		if !strings.HasPrefix(text, fmt.Sprintf("id: %d||id: %d|event: ", begun, begun+1)) || strings.Count(text, "id: ") != 3 || !strings.Contains(text, "|event: published|data: {") || !strings.Contains(text, "||:||id: ") {
			t.Error(text)
		}
		if s.listening.Load() != 0 {
			t.Error("somebody still listens")
		}
	})
}

// Only so many listen, and all go when the server does.
func TestListenersAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &Server{House: new(house), Feed: NewFeed(time.Now), WriteTimeout: time.Second, Now: time.Now}
		h, codes := s.Handler(nil), make(chan int, 2*mostListeners)
		for range 2 * mostListeners {
			go func() {
				w := httptest.NewRecorder()
				h.ServeHTTP(w, httptest.NewRequest("GET", "http://localhost/api/v1/events", nil))
				codes <- w.Code
			}()
		}
		synctest.Wait()
		if n := len(codes); n != mostListeners {
			t.Errorf("%d were sent away", n)
		}
		s.Feed.Close()
		synctest.Wait()
		if n := len(codes); n != 2*mostListeners {
			t.Errorf("%d of %d have gone", n, 2*mostListeners)
		}
	})
}
