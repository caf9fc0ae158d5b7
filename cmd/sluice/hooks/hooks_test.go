package hooks

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"github.com/sluice-live/sluice/httpserve/admin"
	"github.com/sluice-live/sluice/ingest/metrics"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// call is what a receiver has got.
type call struct {
	host, id string
	at       time.Time
	says     message
	header   http.Header
	body     []byte
}

// world is all receivers there are, by the host of their URLs.
type world struct {
	mu     sync.Mutex
	calls  []call
	answer func(c call) (status int, err error) // nil: 204 always
	holds  time.Duration                        // before the answer
	open   int
	most   int // at once
}

func (w *world) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	c := call{host: r.URL.Host, id: r.Header.Get("webhook-id"), at: time.Now(), header: r.Header, body: body}
	if err := json.Unmarshal(body, &c.says); err != nil {
		return nil, err
	}
	w.mu.Lock()
	w.calls = append(w.calls, c)
	w.open++
	w.most = max(w.most, w.open)
	w.mu.Unlock()
	defer func() { w.mu.Lock(); w.open--; w.mu.Unlock() }()
	if w.holds > 0 {
		select {
		case <-time.After(w.holds):
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
	}
	status := 204
	if w.answer != nil {
		if status, err = w.answer(c); err != nil {
			return nil, err
		}
	}
	return &http.Response{StatusCode: status, Header: http.Header{"Retry-After": {""}}, Body: io.NopCloser(strings.NewReader("")), Request: r}, nil
}

// seen are all of them so far, and how many there were at once, at most.
func (w *world) seen() ([]call, int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.calls), w.most
}

// got are the texts of the events of a stream that a receiver has got.
func (w *world) got(host, stream string) (texts string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.calls {
		if c.host == host && c.says.Data.Stream == stream {
			texts += c.says.Data.Text
		}
	}
	return texts
}

// toldOf tells whether the newest of them says how many events are missing.
func (w *world) toldOf(dropped uint64) bool {
	calls, _ := w.seen()
	return len(calls) > 0 && calls[len(calls)-1].says.Dropped == dropped
}

// station is Hooks that run.
type station struct {
	*Hooks
	*world
	book *book // the log
	done chan struct{}
}

// book is a log that is read while it is written.
type book struct {
	mu   sync.Mutex
	text strings.Builder
}

func (b *book) Write(line []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(line)
}

func (b *book) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

func begin(s Settings) *station {
	book := new(book)
	feed := admin.NewFeed(time.Now)
	if s.Events == nil {
		s.Events = []admin.Kind{admin.Published, admin.Ended}
	}
	t := &station{Hooks: New(feed, time.Now, zerolog.New(book), metrics.New()), world: new(world), book: book, done: make(chan struct{})}
	t.client.Transport = t.world
	t.Set(s)
	go func() { t.Run(); close(t.done) }()
	return t
}

func (s *station) tell(stream, text string) {
	s.feed.Tell(admin.Event{Kind: admin.Published, Stream: stream, Text: text})
}

// end closes the feed, and tells how long it took.
func (s *station) end() time.Duration {
	began := time.Now()
	s.feed.Close()
	<-s.done
	return time.Since(began)
}

func one(host string) Settings {
	return Settings{URLs: []string{"https://" + host + "/path?key=secret"}}
}

// What happens is told once, in order, with the same id and body to all, and what
// nobody wants to hear is not.
func TestTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := begin(Settings{URLs: []string{"http://a/", "http://b/"}})
		for i := range 9 {
			s.tell("live/cam1", fmt.Sprint(i))
			s.tell("live/cam2", fmt.Sprint(i))
			s.feed.Tell(admin.Event{Kind: admin.Refused, Text: "x"})
		}
		synctest.Wait()
		ids := make(map[string]string)
		calls, _ := s.seen()
		for _, c := range calls {
			if before, ok := ids[c.id]; ok && before != string(c.body) {
				t.Errorf("%s is %s and %s", c.id, before, c.body)
			}
			ids[c.id] = string(c.body)
			if c.says.Type != admin.Published || c.says.Data.Kind != admin.Published || !c.says.Timestamp.Equal(c.says.Data.At) || c.header.Get("Content-Type") != "application/json" {
				t.Errorf("%s: %v", c.body, c.header)
			}
			if len(c.header.Values("webhook-signature")) > 0 {
				t.Error("signed with nothing")
			}
		}
		for _, host := range []string{"a", "b"} {
			for _, stream := range []string{"live/cam1", "live/cam2"} {
				if got := s.got(host, stream); got != "012345678" {
					t.Errorf("%s: %s: %s", host, stream, got)
				}
			}
		}
		if len(ids) != 18 || len(calls) != 36 {
			t.Errorf("%d ids, %d calls", len(ids), len(calls))
		}
		if took := s.end(); took > 0 {
			t.Errorf("the end took %v", took)
		}
	})
}

// A receiver that fails hears the same again, further and further apart, and what
// follows of that stream afterwards, in order. Other streams and receivers go on.
func TestRepeated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := begin(Settings{URLs: []string{"http://a/", "http://b/"}})
		began := time.Now()
		s.answer = func(c call) (int, error) {
			if c.host != "a" || c.says.Data.Stream != "live/cam1" || time.Since(began) > 100*time.Second {
				return 200, nil
			}
			return 0, errors.New("connection refused")
		}
		for i := range 3 {
			s.tell("live/cam1", fmt.Sprint(i))
			s.tell("live/cam2", fmt.Sprint(i))
		}
		synctest.Wait()
		if s.got("a", "live/cam2") != "012" || s.got("b", "live/cam1") != "012" || s.got("a", "live/cam1") != "0" {
			t.Errorf("%s, %s, %s", s.got("a", "live/cam2"), s.got("b", "live/cam1"), s.got("a", "live/cam1"))
		}
		if st := s.State()[0]; st.Waiting != 3 || st.Failed != 1 || st.Delivered != 3 || st.Trouble != "connection refused" {
			t.Errorf("%+v", st)
		}
		time.Sleep(200 * time.Second)
		synctest.Wait()
		// At 0, 1, 3, 7, 15, 31, 63 and 123 s.
		if got := s.got("a", "live/cam1"); got != "0000000012" {
			t.Error(got)
		}
		var ids []string
		calls, _ := s.seen()
		for _, c := range calls {
			if c.says.Data.Text == "0" && c.says.Data.Stream == "live/cam1" && c.host == "a" {
				ids = append(ids, c.id)
			}
		}
		for _, id := range ids {
			if id != ids[0] {
				t.Error(ids)
			}
		}
		if st := s.State()[0]; st.Waiting != 0 || st.Dropped != 0 || st.FailingSince != nil || st.Trouble != "" || st.LastDelivered == nil {
			t.Errorf("%+v", st)
		}
		s.end()
		if text := s.book.String(); strings.Count(text, "can't be told") != 1 || strings.Count(text, "is told again") != 1 {
			t.Error(text)
		}
	})
}

// What waits for a dead receiver is bounded, of a stream and in all; what is dropped is
// the oldest, counted, logged, and told with what is delivered next.
func TestBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := begin(one("a"))
		var alive atomic.Bool
		s.answer = func(call) (int, error) {
			if !alive.Load() {
				return 503, nil
			}
			return 200, nil
		}
		for i := range 200 {
			s.tell("live/cam1", fmt.Sprint(" ", i))
			synctest.Wait()
		}
		if st := s.State()[0]; st.Waiting != mostOfStream || st.Dropped != 200-mostOfStream {
			t.Errorf("%+v", st)
		}
		for i := range 2 * mostInAll {
			s.tell(fmt.Sprint("live/x", i*7%(mostInAll+1000)), "y")
			if i%100 == 0 {
				synctest.Wait()
			}
		}
		synctest.Wait()
		r := s.receivers[0]
		if st := s.State()[0]; st.Waiting != mostInAll || len(r.queues.all) > mostInAll || st.Waiting+int(st.Dropped) != 200+2*mostInAll {
			t.Errorf("%+v, %d queues", st, len(r.queues.all))
		}
		alive.Store(true)
		time.Sleep(2 * longest)
		synctest.Wait()
		st := s.State()[0]
		if st.Waiting != 0 || st.Delivered != mostInAll || !s.toldOf(st.Dropped) {
			t.Errorf("%+v", st)
		}
		s.end()
		if text := s.book.String(); !strings.Contains(text, "events dropped") || strings.Contains(text, "secret") || !strings.Contains(text, `"url":"https://a"`) {
			t.Error(text)
		}
	})
}

// The newest events of a stream are those that are kept.
func TestNewestStay(t *testing.T) {
	a := newQueues()
	now := time.Now()
	for i := range 100 {
		if i == 1 {
			a.of["s"].flying = true
		}
		a.put(admin.Event{ID: uint64(i), Stream: "s"}, now)
	}
	q := a.of["s"]
	if len(q.events) != mostOfStream || q.events[0].ID != 0 || q.events[1].ID != 100-mostOfStream+1 || q.events[len(q.events)-1].ID != 99 {
		t.Errorf("%d events, %d, %d … %d", len(q.events), q.events[0].ID, q.events[1].ID, q.events[len(q.events)-1].ID)
	}
}

// What nobody has heard for an hour is dropped.
func TestGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := begin(one("a"))
		s.answer = func(call) (int, error) { return 500, nil }
		s.tell("live/cam1", "x")
		time.Sleep(giveUp + 2*longest)
		synctest.Wait()
		if st := s.State()[0]; st.Waiting != 0 || st.Dropped != 1 || st.Failed < 60 || st.Failed > 70 || st.FailingSince == nil {
			t.Errorf("%+v", st)
		}
		s.end()
	})
}

// An event that the receiver says it can't take is told seven times, and holds up what comes
// behind it no longer than that. What isn't of the event is told on.
func TestBadEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for status, bad := range map[int]bool{400: true, 413: true, 415: true, 422: true, 401: false, 403: false, 404: false, 405: false, 409: false, 429: false, 503: false} {
			s := begin(one("a"))
			s.answer = func(c call) (int, error) {
				if c.says.Data.Text == "x" {
					return status, nil
				}
				return 200, nil
			}
			s.tell("live/cam1", "x")
			s.tell("live/cam1", "y")
			time.Sleep(2 * time.Minute)
			synctest.Wait()
			st := s.State()[0]
			if bad && (s.got("a", "live/cam1") != "xxxxxxxy" || st.Dropped != 1 || st.Waiting != 0 || st.FailingSince != nil) {
				t.Errorf("%d: %s, %+v", status, s.got("a", "live/cam1"), st)
			}
			if !bad && (strings.Contains(s.got("a", "live/cam1"), "y") || st.Dropped != 0 || st.Waiting != 2) {
				t.Errorf("%d: %s, %+v", status, s.got("a", "live/cam1"), st)
			}
			s.Set(Settings{})
			s.end()
		}
	})
}

// Who answers that it is gone hears nothing more of any stream, until the configuration is
// read again, and what it misses is counted. Others go on.
func TestGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		urls := Settings{URLs: []string{"http://a/", "http://b/"}, Events: []admin.Kind{admin.Published}}
		s := begin(urls)
		s.holds = time.Second // so that several are under way
		var back atomic.Bool
		s.answer = func(c call) (int, error) {
			if c.host == "a" && c.says.Data.Stream == "live/cam1" && !back.Load() {
				return 410, nil
			}
			return 200, nil
		}
		for range 3 {
			for i := range 12 {
				s.tell(fmt.Sprint("live/cam", i), "x")
			}
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		calls := func() (n int) {
			all, _ := s.seen()
			for _, c := range all {
				if c.host == "a" {
					n++
				}
			}
			return n
		}
		first := calls()
		st := s.State()[0]
		if first > 2*atOnce || st.Waiting != 0 || st.Delivered+st.Dropped != 36 || st.FailingSince == nil || !strings.Contains(st.Trouble, "410") {
			t.Errorf("%d calls, %+v", first, st)
		}
		s.tell("live/cam1", "y")
		s.tell("live/cam2", "y")
		time.Sleep(time.Hour)
		synctest.Wait()
		if after := s.State()[0]; calls() != first || after.Dropped != st.Dropped+2 {
			t.Errorf("%d calls, %+v", calls()-first, after)
		}
		if got := s.got("b", "live/cam1"); got != "xxxy" {
			t.Errorf("the other receiver: %s", got)
		}
		if n := strings.Count(s.book.String(), `"level":"warn"`); n != 1 {
			t.Errorf("%d warnings: %s", n, s.book)
		}
		back.Store(true)
		s.Set(urls)
		s.tell("live/cam1", "z")
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if st = s.State()[0]; calls() != first+1 || st.FailingSince != nil || st.Trouble != "" || !strings.Contains(s.book.String(), "is told again") {
			t.Errorf("told again: %d calls, %+v", calls()-first, st)
		}
		s.end()
	})
}

// One that answers slowly holds up as many streams as there are requests at once, each
// for as long as an answer may take; and nothing else.
func TestSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := begin(Settings{URLs: []string{"http://a/"}})
		s.holds = time.Hour
		for i := range 3 * atOnce {
			s.tell(fmt.Sprint("live/", i), "x")
		}
		began := time.Now()
		synctest.Wait()
		if calls, _ := s.seen(); len(calls) != atOnce {
			t.Errorf("%d calls", len(calls))
		}
		time.Sleep(3*answerTime - time.Second)
		synctest.Wait()
		if calls, most := s.seen(); most != atOnce || len(calls) != 3*atOnce {
			t.Errorf("%d at once, %d calls within %v", most, len(calls), time.Since(began))
		}
		if st := s.State()[0]; !strings.Contains(st.Trouble, "it didn't answer within 10s") {
			t.Errorf("%+v", st)
		}
		if took := s.end(); took != endTime {
			t.Errorf("the end took %v", took)
		}
		if text := s.book.String(); !strings.Contains(text, `"count":24`) {
			t.Error(text)
		}
	})
}

// What waits for another attempt when the server stops is tried at once, and again
// until the time is over.
func TestEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := begin(one("a"))
		began := time.Now()
		s.answer = func(call) (int, error) {
			if time.Since(began) < 40*time.Second {
				return 500, nil
			}
			return 200, nil
		}
		s.tell("live/cam1", "x")
		s.tell("live/cam1", "y")
		time.Sleep(38 * time.Second) // the next attempt would be at 63 s
		s.tell("live/cam1", "z")
		if took := s.end(); took != 2*time.Second {
			t.Errorf("the end took %v", took)
		}
		if got := s.got("a", "live/cam1"); !strings.HasSuffix(got, "xyz") {
			t.Error(got)
		}
	})
}

// Who is told can be changed. Whoever stays is told all, in order; whoever goes, nothing
// more; and whoever comes, what happens from then on.
func TestSet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := begin(Settings{URLs: []string{"http://a/", "http://b/"}})
		s.answer = func(c call) (int, error) {
			if c.host != "c" && time.Since(c.says.Timestamp) < 5*time.Second {
				return 500, nil
			}
			return 200, nil
		}
		s.tell("live/cam1", "x")
		synctest.Wait()
		s.Set(Settings{URLs: []string{"http://c/", "http://a/"}, Events: []admin.Kind{admin.Published}})
		s.tell("live/cam1", "y")
		s.feed.Tell(admin.Event{Kind: admin.Ended, Stream: "live/cam1", Text: "z"})
		time.Sleep(20 * time.Second)
		synctest.Wait()
		if a, b, c := s.got("a", "live/cam1"), s.got("b", "live/cam1"), s.got("c", "live/cam1"); !strings.HasSuffix(a, "xy") || b != "x" || c != "y" {
			t.Errorf("%s, %s, %s", a, b, c)
		}
		s.Set(Settings{})
		s.tell("live/cam1", "w")
		synctest.Wait()
		if len(s.State()) != 0 {
			t.Error(s.State())
		}
		s.end()
		s.Set(one("d")) // when all is over
	})
}

// Who hears of more than the feed remembers is told how much is missing.
func TestMissed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		feed := admin.NewFeed(time.Now)
		h := New(feed, time.Now, zerolog.Nop(), nil)
		w := new(world)
		h.client.Transport = w
		h.Set(Settings{URLs: []string{"http://a/"}, Events: []admin.Kind{admin.Ended}})
		for range 5000 {
			feed.Tell(admin.Event{Kind: admin.Ended, Stream: "live/cam1"})
		}
		go func() { synctest.Wait(); feed.Close() }()
		h.Run()
		st := h.State()[0]
		if n := int(st.Delivered + st.Dropped); n != 5000 || st.Dropped < 3900 || !w.toldOf(st.Dropped) {
			t.Errorf("%+v", st)
		}
	})
}

// Many tell, ask and set at once: for the race detector.
func TestAllAtOnce(t *testing.T) {
	s := begin(one("a"))
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			for n := range 500 {
				s.tell(fmt.Sprint("live/", n%7), "x")
				s.State()
				if n%50 == 0 {
					s.Set(one(fmt.Sprint("a", (n/50+i)%3)))
				}
			}
		})
	}
	all.Wait()
	s.end()
	if st := s.State(); len(st) != 1 || st[0].Waiting != 0 {
		t.Errorf("%+v", st)
	}
}
