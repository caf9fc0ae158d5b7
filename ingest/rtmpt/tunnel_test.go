package rtmpt

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// site is a tunnel in fake time.
type site struct {
	t       *testing.T
	tunnel  *Tunnel
	handler http.Handler

	mu   sync.Mutex
	open int
	most int // sessions; 0: any number
}

// live runs f with a tunnel, and checks behind it that all sessions have gone.
func live(t *testing.T, f func(s *site)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := &site{t: t}
		s.tunnel = New(Rules{Enter: s.enter, Locate: locate})
		s.handler = s.tunnel.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusTeapot) }))
		f(s)
		s.tunnel.Close()
		pass(time.Minute)
		if n := s.count(); n != 0 || len(s.tunnel.sessions) != 0 {
			t.Errorf("%d sessions are left, %d are found", n, len(s.tunnel.sessions))
		}
	})
}

func (s *site) enter(netip.Addr) (func(), error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.most > 0 && s.open >= s.most {
		return nil, errors.New("refused: connections")
	}
	s.open++
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.open--
	}, nil
}

// count is how many sessions there are.
func (s *site) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.open
}

func locate(r *http.Request) error {
	if r.Header.Get("X-Forwarded-For") == "nonsense" {
		return errors.New("nonsense")
	}
	return nil
}

func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func (s *site) do(r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, r)
	return w
}

func (s *site) post(path string, body io.Reader) *httptest.ResponseRecorder {
	return s.do(httptest.NewRequest("POST", path, body))
}

// session opens one.
func (s *site) session() (*Conn, *client) {
	s.t.Helper()
	accepted := make(chan net.Conn, 1)
	go func() {
		c, _ := s.tunnel.Accept()
		accepted <- c
	}()
	w := s.post("/open/1", strings.NewReader("\x00"))
	id, ok := strings.CutSuffix(w.Body.String(), "\n")
	if w.Code != http.StatusOK || !ok || len(id) < 22 || len(id) > 62 || strings.ContainsAny(id, "/ \n") {
		s.t.Fatalf("%d: %q", w.Code, w.Body)
	}
	return (<-accepted).(*Conn), &client{s, id}
}

// client is who speaks HTTP.
type client struct {
	*site
	id string
}

func (c *client) send(seq int, body string) *httptest.ResponseRecorder {
	return c.post(fmt.Sprintf("/send/%s/%d", c.id, seq), strings.NewReader(body))
}

func (c *client) idle(seq int) *httptest.ResponseRecorder {
	return c.post(fmt.Sprintf("/idle/%s/%d", c.id, seq), strings.NewReader("\x00"))
}

func (c *client) close() *httptest.ResponseRecorder {
	return c.post("/close/"+c.id, nil)
}

// drain reads all that comes, as those do who serve a session, and closes it.
func drain(c *Conn) *bytes.Buffer {
	b := new(bytes.Buffer)
	go func() {
		io.Copy(b, c)
		c.Close()
	}()
	return b
}

func is(t *testing.T, w *httptest.ResponseRecorder, status int, body string) {
	t.Helper()
	if w.Code != status || status == http.StatusOK && w.Body.String() != body || status != http.StatusOK && !strings.Contains(w.Body.String(), body) {
		t.Errorf("%d %q, want %d %q", w.Code, w.Body, status, body)
	}
	if h := w.Result().Header; status == http.StatusOK && (h.Get("Content-Type") != "application/x-fcs" || h.Get("Content-Length") != fmt.Sprint(len(body))) {
		t.Errorf("%v", h)
	}
}

func TestSession(t *testing.T) {
	for _, first := range []int{0, 1} { // where clients begin to count
		live(t, func(s *site) {
			c, client := s.session()
			if c.RemoteAddr().String() != "192.0.2.1:1234" || c.Encrypted() {
				t.Errorf("from %v, encrypted %v", c.RemoteAddr(), c.Encrypted())
			}
			heard := drain(c)
			n := first
			is(t, client.idle(n), 200, "\x01")
			is(t, client.send(n+1, "hello "), 200, "\x01")
			c.Write([]byte("and "))
			c.Write([]byte("back"))
			is(t, client.send(n+2, "world"), 200, "\x01and back")
			for i, poll := range "\x03\x05\x09\x11\x21\x21\x21" {
				is(t, client.idle(n+3+i), 200, string(poll))
			}
			c.Write([]byte("more"))
			is(t, client.idle(n+10), 200, "\x01more")
			is(t, client.post(fmt.Sprintf("/close/%s/%d", client.id, n+11), strings.NewReader("\x00")), 200, "\x00")
			synctest.Wait()
			is(t, client.idle(n+12), 404, "no such session")
			if heard.String() != "hello world" {
				t.Errorf("heard %q", heard)
			}
		})
	}
}

// What Write leaves while a request is answered is in that answer: a handshake
// takes as many requests as it has turns.
func TestAnswersAtOnce(t *testing.T) {
	live(t, func(s *site) {
		c, client := s.session()
		go func() {
			b := make([]byte, 2)
			for {
				if _, err := io.ReadFull(c, b); err != nil {
					c.Close()
					return
				}
				time.Sleep(20 * time.Millisecond)
				c.Write([]byte("answer to " + string(b) + ";"))
			}
		}()
		began := time.Now()
		is(t, client.send(0, "abcd"), 200, "\x01answer to ab;answer to cd;")
		if took := time.Since(began); took != 40*time.Millisecond {
			t.Errorf("after %v", took)
		}
		// Whoever takes long to say something is not waited for.
		is(t, client.send(1, "efghijkl"), 200, "\x01answer to ef;answer to gh;")
		if took := time.Since(began); took != 90*time.Millisecond {
			t.Errorf("after %v", took)
		}
		pass(time.Second)
		is(t, client.idle(2), 200, "\x01answer to ij;answer to kl;")
		client.close()
	})
}

// Proxies bring requests in any order, and some twice.
func TestOrder(t *testing.T) {
	live(t, func(s *site) {
		c, client := s.session()
		heard := drain(c)
		is(t, client.send(0, "0"), 200, "\x01")
		var all sync.WaitGroup
		for _, seq := range []int{3, 2, 6, 5, 4} {
			all.Go(func() { is(t, client.send(seq, fmt.Sprint(seq)), 200, "\x01") })
			synctest.Wait()
		}
		if heard.String() != "0" {
			t.Fatalf("%q is heard before 1 has come", heard)
		}
		is(t, client.send(1, "1"), 200, "\x01")
		all.Wait()
		synctest.Wait()
		if heard.String() != "0123456" {
			t.Errorf("heard %q", heard)
		}
		c.Write([]byte("once"))
		is(t, client.send(7, "7"), 200, "\x01once")
		is(t, client.send(7, "7"), 200, "\x01once")
		is(t, client.idle(6), 400, "request 6 is over: the next is 8")
		is(t, client.send(17, "far"), 400, "too far ahead")
		for range 2 { // twice at once
			all.Go(func() { is(t, client.idle(8), 200, "\x03") })
		}
		all.Wait()
		if heard.String() != "01234567" {
			t.Errorf("heard %q", heard)
		}
		client.close()
	})
}

// A request that doesn't come is the end of a session: what is behind it has no meaning.
func TestMissingRequest(t *testing.T) {
	live(t, func(s *site) {
		c, client := s.session()
		var why error
		go func() {
			_, why = io.Copy(io.Discard, c)
			c.Close()
		}()
		is(t, client.idle(0), 200, "\x01")
		began := time.Now()
		is(t, client.send(2, "x"), 400, "request 1 did not come within 5s: there is 2")
		synctest.Wait()
		if took := time.Since(began); took != turnTime || why == nil || !strings.Contains(why.Error(), "request 1 did not come") {
			t.Errorf("%v after %v", why, took)
		}
		is(t, client.idle(1), 404, "no such session")
	})
	// Nor can anybody let requests wait without end.
	live(t, func(s *site) {
		c, client := s.session()
		drain(c)
		is(t, client.idle(0), 200, "\x01")
		refused := 0
		var all sync.WaitGroup
		for range 100 {
			all.Go(func() {
				if client.idle(2).Code == http.StatusTooManyRequests {
					refused++
				}
			})
			synctest.Wait()
		}
		if refused != 100-maxAhead {
			t.Errorf("%d are refused", refused)
		}
		all.Wait()
	})
}

// Who never asks gets nothing, and holds it for a while.
func TestNeverPolls(t *testing.T) {
	live(t, func(s *site) {
		c, _ := s.session()
		began := time.Now()
		c.SetWriteDeadline(began.Add(10 * time.Second))
		n, err := c.Write(make([]byte, 100<<20))
		if !errors.Is(err, os.ErrDeadlineExceeded) || n != maxOut || time.Since(began) != 10*time.Second {
			t.Errorf("%d bytes, %v after %v", n, err, time.Since(began))
		}
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, errIdle) || time.Since(began) != idleTime {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		c.Close()
	})
}

// Who asks, and takes nothing, has what he asked for in memory, and no more.
func TestBackPressure(t *testing.T) {
	live(t, func(s *site) {
		c, client := s.session()
		const size = 3*maxOut + 17
		wrote := make(chan error, 1)
		go func() {
			_, err := c.Write(bytes.Repeat([]byte("x"), size))
			wrote <- err
		}()
		got := 0
		for seq := 0; got < size; seq++ {
			synctest.Wait()
			n := client.idle(seq).Body.Len() - 1
			if n > maxOut || n == 0 {
				t.Fatalf("an answer of %d bytes", n)
			}
			got += n
		}
		if err := <-wrote; err != nil || got != size {
			t.Errorf("%d bytes, %v", got, err)
		}
		client.close()
		c.Close()
	})
}

// endless is a body that never ends, and knows what was taken of it.
type endless struct{ taken int }

func (e *endless) Read(b []byte) (int, error) {
	e.taken += len(b)
	return len(b), nil
}

func TestHugeRequest(t *testing.T) {
	for _, told := range []int64{100 << 20, -1} {
		live(t, func(s *site) {
			c, client := s.session()
			heard, why := 0, error(nil)
			go func() {
				n, err := io.Copy(io.Discard, c)
				heard, why = int(n), err
				c.Close()
			}()
			body := new(endless)
			r := httptest.NewRequest("POST", "/send/"+client.id+"/0", body)
			r.ContentLength = told
			is(t, s.do(r), 413, "more than 16777216 bytes")
			synctest.Wait()
			if body.taken > maxBody+piece || told > 0 && body.taken > 0 || heard > maxBody || why == nil || !strings.Contains(why.Error(), "more than 16777216 bytes") {
				t.Errorf("%d bytes are read, %d heard, %v", body.taken, heard, why)
			}
			if held := cap(c.in.buf) + cap(c.out.buf) + cap(c.scratch) + cap(c.answer); held > maxIn+2*piece {
				t.Errorf("it holds %d bytes", held)
			}
		})
	}
}

// A session that nobody serves takes no more than it has room for.
func TestNobodyReads(t *testing.T) {
	live(t, func(s *site) {
		c, client := s.session()
		began := time.Now()
		body := new(endless)
		is(t, client.post("/send/"+client.id+"/0", body), 404, "no such session")
		if took := time.Since(began); took != takeTime || body.taken > maxIn+2*piece {
			t.Errorf("%d bytes are taken, after %v", body.taken, took)
		}
		if _, err := io.Copy(io.Discard, c); err == nil || !strings.Contains(err.Error(), "was not read for 10s") {
			t.Error(err)
		}
		c.Close()
	})
}

// broken is a body of which some comes.
func broken(n int) io.Reader {
	return io.MultiReader(bytes.NewReader(make([]byte, n)), errReader{})
}

type errReader struct{}

func (errReader) Read([]byte) (int, error) { return 0, errors.New("connection reset") }

// A session that was opened by HTTPS is taken for encrypted: none of it comes by HTTP.
func TestNoDowngrade(t *testing.T) {
	live(t, func(s *site) {
		accepted := make(chan net.Conn, 1)
		go func() {
			c, _ := s.tunnel.Accept()
			accepted <- c
		}()
		secure := func(path string) *httptest.ResponseRecorder {
			return s.do(httptest.NewRequest("POST", "https://h"+path, strings.NewReader("\x00")))
		}
		id := strings.TrimSpace(secure("/open/1").Body.String())
		conn := (<-accepted).(*Conn)
		if !conn.Encrypted() {
			t.Error("it isn't taken for encrypted")
		}
		got := drain(conn)
		c := &client{s, id}
		is(t, c.send(0, "what anybody reads"), http.StatusNotFound, "no such session")
		is(t, c.idle(0), http.StatusNotFound, "no such session")
		is(t, c.close(), http.StatusNotFound, "no such session")
		if w := secure("/send/" + id + "/0"); w.Code != http.StatusOK {
			t.Errorf("by HTTPS: %d", w.Code)
		}
		if w := secure("/close/" + id + "/1"); w.Code != http.StatusOK {
			t.Errorf("by HTTPS: %d", w.Code)
		}
		pass(10 * time.Second)
		if got.String() != "\x00" {
			t.Errorf("it got %q", got)
		}
	})
}

func TestBrokenBody(t *testing.T) {
	live(t, func(s *site) {
		c, client := s.session()
		heard := drain(c)
		is(t, client.post("/send/"+client.id+"/0", broken(1000)), 400, "ended behind 1000 bytes: connection reset")
		is(t, client.send(0, "again"), 200, "\x01")
		if heard.String() != "again" {
			t.Errorf("heard %q", heard)
		}
		is(t, client.post("/send/"+client.id+"/1", broken(100_000)), 400, "ended behind 100000 bytes")
		synctest.Wait()
		is(t, client.send(1, "again"), 404, "no such session")
	})
}

// A goodbye is there for whoever asks, for a moment.
func TestGoodbye(t *testing.T) {
	live(t, func(s *site) {
		c, client := s.session()
		c.Write([]byte("bye"))
		c.Close()
		is(t, client.send(0, "still going on"), 200, "\x01bye")
		is(t, client.idle(1), 404, "no such session")
	})
	live(t, func(s *site) {
		c, client := s.session()
		c.Write([]byte("bye"))
		c.Close()
		pass(partingTime - 1)
		if s.count() != 1 {
			t.Error("it is forgotten too early")
		}
		pass(1)
		is(t, client.idle(0), 404, "no such session")
		if err := c.Close(); !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
	})
}

func TestDeadlines(t *testing.T) {
	live(t, func(s *site) {
		c, client := s.session()
		began := time.Now()
		read := func(want time.Duration) {
			t.Helper()
			if _, err := c.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(began) != want {
				t.Errorf("%v after %v", err, time.Since(began))
			}
		}
		c.SetReadDeadline(began.Add(time.Second))
		read(time.Second)
		read(time.Second)
		c.SetDeadline(began.Add(2 * time.Second))
		time.AfterFunc(500*time.Millisecond, func() { c.SetReadDeadline(began.Add(3 * time.Second)) })
		read(3 * time.Second)
		if _, err := c.Write([]byte("x")); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Error(err)
		}
		c.SetDeadline(time.Time{})
		time.AfterFunc(time.Second, func() { c.SetReadDeadline(time.Unix(1, 0)) })
		read(4 * time.Second)
		c.SetDeadline(time.Time{})
		time.AfterFunc(time.Second, func() { c.Close() })
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) || time.Since(began) != 5*time.Second {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		if err := c.SetDeadline(began); !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
		is(t, client.idle(0), 404, "")
	})
}

// Sessions have as many places as there are, and give them back.
func TestThousandsOfSessions(t *testing.T) {
	live(t, func(s *site) {
		s.most = 100
		go func() {
			for {
				c, err := s.tunnel.Accept()
				if err != nil {
					return
				}
				go func() { // as ingest has it
					defer c.Close()
					c.SetReadDeadline(time.Now().Add(5 * time.Second))
					io.Copy(io.Discard, c)
				}()
			}
		}()
		refused := 0
		for range 5000 {
			if w := s.post("/open/1", nil); w.Code == http.StatusServiceUnavailable {
				refused++
				is(t, w, 503, "refused: connections")
			}
		}
		if refused != 4900 || s.count() != 100 {
			t.Errorf("%d refused, %d open", refused, s.count())
		}
		pass(6 * time.Second)
		if w := s.post("/open/1", nil); w.Code != 200 || s.count() != 1 {
			t.Errorf("%d, %d open", w.Code, s.count())
		}
	})
}

func TestOtherRequests(t *testing.T) {
	live(t, func(s *site) {
		c, client := s.session()
		drain(c)
		for _, r := range []struct {
			method, path, header string
			want                 int
		}{
			{"GET", "/open/1", "", 418}, {"GET", "/send/" + client.id + "/0", "", 418}, {"POST", "/", "", 418}, {"POST", "/live/cam1/", "", 418},
			{"POST", "/fcs/ident", "", 418}, {"OPTIONS", "/open/1", "", 418},
			{"POST", "/fcs/ident2", "", 404}, {"POST", "/send/nobody/0", "", 404}, {"POST", "/idle//0", "", 404},
			{"POST", "/send/" + client.id, "", 400}, {"POST", "/send/" + client.id + "/", "", 400}, {"POST", "/send/" + client.id + "/-1", "", 400},
			{"POST", "/idle/" + client.id + "/4294967296", "", 400}, {"POST", "/idle/" + client.id + "/0/0", "", 400}, {"POST", "/close/" + client.id + "/x", "", 400},
			{"POST", "/open/1", "Origin", 403}, {"POST", "/open/1", "X-Forwarded-For", 400}, {"POST", "/send/" + client.id + "/0", "X-Forwarded-For", 400},
		} {
			q := httptest.NewRequest(r.method, r.path, strings.NewReader("\x00"))
			if r.header != "" {
				q.Header.Set(r.header, "nonsense")
			}
			if w := s.do(q); w.Code != r.want {
				t.Errorf("%s %s: %d, want %d", r.method, r.path, w.Code, r.want)
			}
		}
		is(t, client.post("/idle/"+client.id+"/0", broken(5)), 400, "ended")
		is(t, client.post("/idle/"+client.id+"/0", new(endless)), 400, "too large")
		is(t, client.idle(0), 200, "\x01")
		client.close()
	})
	// Where nobody accepts any more, nobody is let in.
	live(t, func(s *site) {
		s.tunnel.Close()
		is(t, s.post("/open/1", nil), 503, "about to end")
	})
}

// FuzzTunnel has a client do anything, in any order. What it is told was taken
// is read once, in order; what is written comes out once, in order.
func FuzzTunnel(f *testing.F) {
	f.Add([]byte("\x00\x10\x20\x30\x01\x11\x41\x51\x61"))
	f.Add([]byte("\x04\x03\x02\x01\x00\x14\x13\x12\x11\x10"))
	f.Add([]byte("\x00\x00\x80\x00\x90\xa0\xb0\x10\x70\x00"))
	f.Add([]byte("\x50\x00\x60\x08\x70\x00"))
	f.Fuzz(func(t *testing.T, ops []byte) {
		if len(ops) > 64 {
			return
		}
		live(t, func(s *site) {
			c, client := s.session()
			heard := drain(c)
			var all sync.WaitGroup
			var mu sync.Mutex
			taken, answers := map[int]string{}, map[int]string{}
			closing := map[int]bool{} // numbers of requests to close, which others may have, too
			wrote, next := "", 0
			note := func(seq int, body string, w *httptest.ResponseRecorder) {
				mu.Lock()
				defer mu.Unlock()
				if w.Code == 200 {
					if _, ok := taken[seq]; !ok {
						taken[seq], answers[seq] = body, w.Body.String()[1:]
					} else if !closing[seq] && answers[seq] != w.Body.String()[1:] {
						t.Errorf("request %d has two answers", seq)
					}
				} else if w.Code < 400 || w.Code == 500 {
					t.Errorf("status %d", w.Code)
				}
			}
			for i, op := range ops {
				seq := next + int(op&7) - 2
				body := fmt.Sprintf("<%d>", seq)
				switch op >> 4 {
				case 0, 1, 2, 3:
					all.Go(func() { note(seq, body, client.send(seq, body)) })
				case 4, 5:
					all.Go(func() { note(seq, "", client.idle(seq)) })
				case 6:
					text := fmt.Sprintf("[%d]", i)
					if _, err := c.Write([]byte(text)); err == nil {
						wrote += text
					}
				case 7:
					all.Go(func() { client.close() })
				case 8:
					all.Go(func() { client.post(fmt.Sprintf("/send/%s/%d", client.id, seq), broken(int(op)*300)) })
				case 9:
					pass(time.Duration(op&15) * time.Second)
				case 10:
					next++
				case 11:
					closing[seq] = true
					all.Go(func() { client.post(fmt.Sprintf("/close/%s/%d", client.id, seq), nil) })
				}
				synctest.Wait()
				mu.Lock()
				for _, ok := taken[next]; ok; _, ok = taken[next] {
					next++
				}
				mu.Unlock()
			}
			all.Wait()
			pass(time.Minute)
			first := 0
			if _, ok := taken[0]; !ok {
				first = 1
			}
			want, got := "", ""
			for seq := first; ; seq++ {
				body, ok := taken[seq]
				if !ok || closing[seq] {
					break
				}
				want, got = want+body, got+answers[seq]
			}
			said := strings.Trim(heard.String(), "\x00") // of a long body that broke off, some is heard
			if !strings.HasPrefix(said, want) && said != want || !strings.HasPrefix(wrote, got) {
				t.Errorf("heard %q, want %q; answered %q of %q", said, want, got, wrote)
			}
		})
	})
}
