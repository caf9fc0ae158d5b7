package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/sluice-live/sluice/cmd/sluice/cert"
	"github.com/sluice-live/sluice/cmd/sluice/ports"
	"github.com/sluice-live/sluice/config"
	"github.com/sluice-live/sluice/httpserve"
	"github.com/sluice-live/sluice/httpserve/admin"
	"github.com/sluice-live/sluice/ingest/metrics"
	"github.com/sluice-live/sluice/packager"
	"github.com/sluice-live/sluice/remux"
)

// stage is the way in for viewers, in fake time, with a stream behind it.
type stage struct {
	t       *testing.T
	l       *pipeListener
	segment string        // URL of more than a connection buffers
	waiting string        // URL of a playlist that is not there yet
	stays   time.Duration // that the segment is in windows, at most
	metrics *metrics.Set
}

// perform runs f, and ends when nothing is left of what it began.
func perform(t *testing.T, f func(s *stage)) {
	t.Helper()
	performWithin(t, 30*time.Second, f)
}

// performWithin has viewers who must take each piece of an answer within timeout.
func performWithin(t *testing.T, timeout time.Duration, f func(s *stage)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)))
		catalog, segment, waiting := fullCatalog(t)
		s := &stage{
			t:       t,
			l:       &pipeListener{conns: make(chan net.Conn), closed: make(chan struct{})},
			segment: segment,
			waiting: waiting,
		}
		name, _ := packager.ParseStreamName("live", "cam1")
		stream, _ := catalog.Lookup(name)
		r := &stream.Window().Renditions[0]
		s.stays, s.metrics = stream.Window().Stays(r, r.Segments[0]), metrics.New()
		server := &httpserve.Server{Catalog: catalog, Hold: 7 * time.Second, WriteTimeout: timeout, Log: zerolog.Nop(), Now: time.Now, Metrics: s.metrics}
		w := ports.TCP(server.Handler(), s.l, zerolog.Nop())
		done := make(chan error)
		go func() { done <- w.Serve() }()
		f(s)
		w.Close()
		if err := <-done; err != nil {
			t.Error(err)
		}
		time.Sleep(time.Second) // those who send slowly notice
	})
}

// fullCatalog has a stream, and returns the URLs of a segment of more than any
// connection buffers, and of a playlist that is not there yet.
func fullCatalog(t *testing.T) (_ *packager.Catalog, segment, waiting string) {
	t.Helper()
	catalog := packager.NewCatalog(packager.Settings{
		Segments: 3, SegmentMinDuration: 2 * time.Second, SegmentMaxDuration: 10 * time.Second,
		PartDuration: 500 * time.Millisecond, Linger: time.Minute,
	}, time.Now)
	name, _ := packager.ParseStreamName("live", "cam1")
	p, err := catalog.Publish(name)
	if err != nil {
		t.Fatal(err)
	}
	p.SetTracks([]remux.Track{remux.TrackOf(&remux.AAC{
		Config: []byte{0x11, 0x90}, ObjectType: 2, FrameSamples: 1024, Sound: remux.Sound{SampleRate: 48000, Channels: 2, Layout: 2}})})
	began := time.Now().Unix() * 48000
	for i := range int64(12 * 47) {
		if err := p.WriteSample(&remux.Sample{DTS: began + 1024*i, Duration: 1024, Sync: true, Data: make([]byte, 20<<10)}); err != nil {
			t.Fatal(err)
		}
	}
	stream, _ := catalog.Lookup(name)
	r := stream.Window().Renditions[0]
	seg := r.Segments[0]
	return catalog, fmt.Sprintf("/live/cam1/a1/%s-%d.m4s", seg.Header.Period.ID, seg.Start), fmt.Sprintf("/live/cam1/a1.m3u8?_HLS_msn=%d", r.Open)
}

func (s *stage) dial() net.Conn {
	ours, theirs := net.Pipe()
	s.l.conns <- remoteConn{theirs}
	return ours
}

// gone returns when the server hangs up, counted from now, and what it says
// until then.
func (s *stage) gone(nc net.Conn) (time.Duration, string) {
	began := time.Now()
	b, _ := io.ReadAll(nc)
	nc.Close()
	return time.Since(began), string(b)
}

// good asks for a segment, and is answered at once.
func (s *stage) good() {
	s.t.Helper()
	nc := s.dial()
	defer nc.Close()
	began := time.Now()
	r := get(s.t, nc, s.segment)
	if b, err := io.ReadAll(r.Body); err != nil || r.StatusCode != http.StatusOK || len(b) < 1<<20 || time.Since(began) > 0 {
		s.t.Errorf("a good viewer: %s, %d bytes, %v, after %v", r.Status, len(b), err, time.Since(began))
	}
}

// TestF19SlowHTTP: each way to be slow ends in its time, and nobody else
// notices.
func TestF19SlowHTTP(t *testing.T) {
	within := func(t *testing.T, got, want time.Duration) {
		t.Helper()
		if got < want-time.Second || got > want+time.Second {
			t.Errorf("hung up after %v, want %v", got, want)
		}
	}
	t.Run("says nothing", func(t *testing.T) {
		perform(t, func(s *stage) {
			took, _ := s.gone(s.dial())
			within(t, took, ports.HeaderTimeout)
		})
	})
	t.Run("a header byte by byte", func(t *testing.T) {
		perform(t, func(s *stage) {
			nc := s.dial()
			go func() {
				for i := 0; ; i++ {
					if _, err := nc.Write([]byte{"GET / HTTP/1.1\r\nX: yyyyyyyyyyyyyyyyyy"[i%34]}); err != nil {
						return
					}
					time.Sleep(500 * time.Millisecond)
				}
			}()
			s.good()
			took, _ := s.gone(nc)
			within(t, took, ports.HeaderTimeout)
		})
	})
	t.Run("a header without end", func(t *testing.T) {
		perform(t, func(s *stage) {
			nc := s.dial()
			sent := make(chan int)
			go func() {
				n, _ := io.WriteString(nc, "GET / HTTP/1.1\r\nHost: x\r\n")
				for {
					m, err := io.WriteString(nc, "X: "+strings.Repeat("y", 1000)+"\r\n")
					if n += m; err != nil {
						sent <- n
						return
					}
				}
			}()
			if took, said := s.gone(nc); took > ports.HeaderTimeout || !strings.Contains(said, " 431 ") {
				t.Errorf("after %v: %.100q", took, said)
			}
			if n := <-sent; n > 64<<10 {
				t.Errorf("%d bytes of header are taken", n)
			}
		})
	})
	t.Run("idle behind an answer", func(t *testing.T) {
		perform(t, func(s *stage) {
			nc := s.dial()
			r := get(t, nc, "/live/cam1/a1.m3u8")
			io.ReadAll(r.Body)
			took, _ := s.gone(nc)
			within(t, took, 60*time.Second)
		})
	})
	t.Run("asks again just before", func(t *testing.T) {
		perform(t, func(s *stage) {
			nc := s.dial()
			defer nc.Close()
			for range 3 {
				// The deadline of the last answer must not be that of the next.
				for _, path := range []string{"/live/cam1/a1.m3u8", "/live/nobody/index.m3u8"} {
					r := get(t, nc, path)
					io.ReadAll(r.Body)
					time.Sleep(59 * time.Second)
				}
				io.WriteString(nc, "OPTIONS / HTTP/1.1\r\nHost: x\r\n\r\n")
				if r, err := http.ReadResponse(bufio.NewReader(nc), nil); err != nil || r.StatusCode != http.StatusNoContent {
					t.Fatalf("a preflight: %v", err)
				}
				time.Sleep(59 * time.Second)
			}
		})
	})
	t.Run("HTTP/2, a wait that is longer than an answer may take", func(t *testing.T) {
		performWithin(t, time.Second, func(s *stage) {
			nc := s.dial()
			defer nc.Close()
			p := newH2Peer(nc)
			began := time.Now()
			p.get(1, s.waiting)
			// Over HTTP/2 a deadline that passes breaks the stream off by itself.
			for {
				f, err := p.ReadFrame()
				if err != nil {
					t.Fatal(err)
				}
				if f, ok := f.(*http2.RSTStreamFrame); ok {
					t.Fatalf("broken off after %v: %v", time.Since(began), f.ErrCode)
				}
				if f, ok := f.(*http2.HeadersFrame); ok && f.StreamID == 1 {
					break
				}
			}
			if took := time.Since(began); took < 5*time.Second {
				t.Errorf("answered after %v: nothing was waited for", took)
			}
		})
	})
	t.Run("a body that never comes", func(t *testing.T) {
		perform(t, func(s *stage) {
			nc := s.dial()
			go io.WriteString(nc, "GET /live/cam1/a1.m3u8 HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n")
			took, said := s.gone(nc)
			if !strings.Contains(said, " 413 ") {
				t.Errorf("%.100q", said)
			}
			within(t, took, time.Second)
		})
	})
	t.Run("a body byte by byte, in chunks", func(t *testing.T) {
		perform(t, func(s *stage) {
			nc := s.dial()
			go func() {
				io.WriteString(nc, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
				for {
					if _, err := io.WriteString(nc, "1\r\nx\r\n"); err != nil {
						return
					}
					time.Sleep(100 * time.Millisecond)
				}
			}()
			took, said := s.gone(nc)
			if !strings.Contains(said, " 413 ") {
				t.Errorf("%.100q", said)
			}
			within(t, took, time.Second)
		})
	})
	t.Run("an answer that is never read", func(t *testing.T) {
		perform(t, func(s *stage) {
			nc := s.dial()
			io.WriteString(nc, "GET "+s.segment+" HTTP/1.1\r\nHost: x\r\n\r\n")
			s.good()
			began := time.Now()
			synctest.Wait()
			time.Sleep(29 * time.Second)
			s.good()
			if _, err := io.ReadFull(nc, make([]byte, 16)); err != nil {
				t.Errorf("gone after 29 s: %v", err)
			}
			if _, said := s.gone(nc); len(said) > 1<<20 { // that read it on: a slow viewer goes on
				return
			}
			t.Errorf("hung up after %v, before the end", time.Since(began))
		})
	})
	t.Run("nor anything of it", func(t *testing.T) {
		perform(t, func(s *stage) {
			nc := s.dial()
			io.WriteString(nc, "GET "+s.segment+" HTTP/1.1\r\nHost: x\r\n\r\n")
			time.Sleep(31 * time.Second)
			if took, said := s.gone(nc); took > 0 || len(said) > 0 {
				t.Errorf("after 31 s it is open, and says %d bytes", len(said))
			}
		})
	})
	t.Run("an answer without a body, that is never read", func(t *testing.T) {
		perform(t, func(s *stage) {
			nc := s.dial()
			io.WriteString(nc, "OPTIONS / HTTP/1.1\r\nHost: x\r\n\r\n")
			time.Sleep(39 * time.Second) // nobody but net/http writes it, so it has the time to wait, too
			if took, said := s.gone(nc); took > 0 || said != "" {
				t.Errorf("after 39 s it is open for another %v, and says %q", took, said)
			}
		})
	})
	t.Run("HTTP/2, an answer that is never read", func(t *testing.T) {
		perform(t, func(s *stage) {
			nc := s.dial()
			defer nc.Close()
			p := newH2Peer(nc)
			p.get(1, s.segment)
			began := time.Now()
			// It reads frames, but gives no window: the answer is stuck in it.
			for {
				f, err := p.ReadFrame()
				if err != nil {
					t.Fatalf("after %v: %v", time.Since(began), err)
				}
				if f, ok := f.(*http2.RSTStreamFrame); ok && f.StreamID == 1 {
					break
				}
			}
			within(t, time.Since(began), 30*time.Second)
			s.good()
		})
	})
	t.Run("HTTP/2, a connection that is never read", func(t *testing.T) {
		perform(t, func(s *stage) {
			nc := s.dial()
			p := &h2Peer{Framer: http2.NewFramer(nc, nc)}
			p.enc = hpack.NewEncoder(&p.block)
			go func() {
				io.WriteString(nc, http2.ClientPreface)
				p.WriteSettings()
				p.get(1, s.segment)
			}()
			time.Sleep(60 * time.Second)
			if took, _ := s.gone(nc); took > 0 {
				t.Errorf("after 60 s it is open for another %v", took)
			}
		})
	})
}

// TestF34SlowViewers: who takes a little now and then, and never stops taking, is
// given up when what he reads is in memory for him alone, and counted.
func TestF34SlowViewers(t *testing.T) {
	const timeout = 30 * time.Second
	for _, row := range []struct {
		name  string
		piece int
		each  time.Duration
	}{
		{"256 KiB each 25 s", 256 << 10, 25 * time.Second},
		{"64 KiB each 10 s", 64 << 10, 10 * time.Second},
		{"a byte each second", 1, time.Second},
	} {
		given := func(t *testing.T, s *stage, began time.Time) {
			t.Helper()
			// As long as it could be in a window, as of when it was asked for, and then the timeout.
			if took := time.Since(began); took > s.stays+timeout+row.each {
				t.Errorf("given up after %v, while it stays for %v", took, s.stays)
			}
			synctest.Wait()
			scrape := httptest.NewRecorder()
			s.metrics.Handler().ServeHTTP(scrape, httptest.NewRequest("GET", "/metrics", nil))
			if !strings.Contains(scrape.Body.String(), `sluice_refused_total{what="slow_viewer"} 1`) {
				t.Error("nobody counts it")
			}
			s.good()
		}
		t.Run("HTTP/1.1, "+row.name, func(t *testing.T) {
			performWithin(t, timeout, func(s *stage) {
				nc := s.dial()
				defer nc.Close()
				began := time.Now()
				io.WriteString(nc, "GET "+s.segment+" HTTP/1.1\r\nHost: x\r\n\r\n")
				for got := 0; ; {
					n, err := io.ReadFull(nc, make([]byte, row.piece))
					if got += n; err != nil {
						break
					}
					if got > 1<<20 && time.Since(began) > time.Hour {
						t.Fatal("he reads for an hour")
					}
					time.Sleep(row.each)
				}
				given(t, s, began)
			})
		})
		t.Run("HTTP/2, "+row.name, func(t *testing.T) {
			performWithin(t, timeout, func(s *stage) {
				nc := s.dial()
				defer nc.Close()
				p := newH2Peer(nc)
				var mu sync.Mutex // frames are written by two
				p.get(1, s.segment)
				began := time.Now()
				over := make(chan bool)
				go func() {
					for {
						select {
						case <-over:
							return
						case <-time.After(row.each):
						}
						mu.Lock()
						p.WriteWindowUpdate(1, uint32(row.piece))
						p.WriteWindowUpdate(0, uint32(row.piece))
						mu.Unlock()
					}
				}()
				for {
					f, err := p.ReadFrame()
					if err != nil {
						t.Fatal(err)
					}
					if f, ok := f.(*http2.RSTStreamFrame); ok && f.StreamID == 1 {
						break
					}
					if f.Header().StreamID == 1 && f.Header().Flags.Has(http2.FlagDataEndStream) && f.Header().Type == http2.FrameData {
						t.Fatalf("he has it all after %v", time.Since(began))
					}
				}
				close(over)
				given(t, s, began)
			})
		})
	}
}

// TestF35Bodies: a body that never comes ends its request within seconds, by
// whatever method, on whatever listener, whoever asks.
func TestF35Bodies(t *testing.T) {
	bodies := map[string]string{"of a length": "Content-Length: 1000\r\n\r\nx", "in chunks": "Transfer-Encoding: chunked\r\n\r\n5\r\nx"}
	for _, listener := range []struct {
		name    string
		handler func(*httpserve.Server) http.Handler
		paths   []string
		headers string
	}{
		{"viewers", (*httpserve.Server).Handler, []string{"/", "/live/cam1/index.m3u8", "/time", "/_/ui/player.js", "/nowhere"}, ""},
		{"operators", guardedHandler, []string{"/healthz", "/readyz", "/metrics", "/debug/pprof/symbol", "/nowhere"}, ""},
		{"operators with the token", guardedHandler, []string{"/metrics", "/debug/pprof/symbol"}, "Authorization: Bearer " + operatorsToken + "\r\n"},
		{"an authority", acmeHandler, []string{"/", "/.well-known/acme-challenge/x"}, ""},
	} {
		for body, ends := range bodies {
			t.Run(listener.name+", "+body, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					server := &httpserve.Server{Catalog: packager.NewCatalog(packager.Settings{}, time.Now), Hold: 7 * time.Second,
						WriteTimeout: 30 * time.Second, Log: zerolog.Nop(), Now: time.Now}
					s := &stage{t: t, l: &pipeListener{conns: make(chan net.Conn), closed: make(chan struct{})}}
					w := ports.TCP(listener.handler(server), s.l, zerolog.Nop())
					done := make(chan error)
					go func() { done <- w.Serve() }()
					for _, method := range []string{"OPTIONS", "GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "TRACE", "WHATEVER"} {
						for _, path := range listener.paths {
							nc := s.dial()
							go io.WriteString(nc, method+" "+path+" HTTP/1.1\r\nHost: localhost\r\n"+listener.headers+ends)
							if took, said := s.gone(nc); took > 3*time.Second || !strings.Contains(said, " 413 ") {
								t.Errorf("%s %s: hung up after %v, said %.40q", method, path, took, said)
							}
						}
					}
					w.Close()
					if err := <-done; err != nil {
						t.Error(err)
					}
				})
			})
		}
	}
	// Over HTTP/2 the connection is others', too.
	t.Run("HTTP/2", func(t *testing.T) {
		perform(t, func(s *stage) {
			nc := s.dial()
			defer nc.Close()
			p := newH2Peer(nc)
			p.ask(1, "OPTIONS", "/", false)
			p.ask(3, "POST", "/", false)
			p.get(5, "/live/cam1/a1.m3u8")
			ended := map[uint32]bool{}
			for len(ended) < 3 {
				f, err := p.ReadFrame()
				if err != nil {
					t.Fatal(err)
				}
				switch f := f.(type) {
				case *http2.GoAwayFrame:
					t.Fatal("the connection ends")
				case *http2.RSTStreamFrame:
					ended[f.StreamID] = true
				default:
					if f.Header().StreamID == 5 && f.Header().Flags.Has(http2.FlagDataEndStream) {
						ended[5] = true
					}
				}
			}
		})
	})
}

// An answer that takes longer than one may take to be read comes whole: an
// operator says how long a profile is to be.
func TestLongProfile(t *testing.T) {
	for seconds, code := range map[string]int{"1": 200, "39": 200, "300": 200, "601": 400, "-1": 400, "NaN": 400, "x": 400} {
		synctest.Test(t, func(t *testing.T) {
			server := &httpserve.Server{Catalog: packager.NewCatalog(packager.Settings{}, time.Now), Hold: 7 * time.Second,
				WriteTimeout: 30 * time.Second, Log: zerolog.Nop(), Now: time.Now}
			s := &stage{t: t, l: &pipeListener{conns: make(chan net.Conn), closed: make(chan struct{})}}
			w := ports.TCP(adminHandler(server), s.l, zerolog.Nop())
			done := make(chan error)
			go func() { done <- w.Serve() }()
			// A profile of the CPU and a trace measure by the machine's time.
			for _, path := range []string{"/debug/pprof/heap", "/debug/pprof/goroutine"} {
				nc := s.dial()
				go io.WriteString(nc, "GET "+path+"?seconds="+seconds+" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
				r, err := http.ReadResponse(bufio.NewReader(nc), nil)
				if err != nil {
					t.Errorf("%s of %s s: %v", path, seconds, err)
					continue
				}
				if b, err := io.ReadAll(r.Body); err != nil || r.StatusCode != code || len(b) == 0 {
					t.Errorf("%s of %s s: %s, %d bytes, %v", path, seconds, r.Status, len(b), err)
				}
				nc.Close()
			}
			w.Close()
			if err := <-done; err != nil {
				t.Error(err)
			}
		})
	}
}

const operatorsToken = "0123456789abcdef"

func adminHandler(s *httpserve.Server) http.Handler {
	return s.OperatorsFront((&admin.Server{House: desk{app: &app{catalog: s.Catalog}}, WriteTimeout: s.WriteTimeout, Now: s.Now}).Handler(nil), admin.Refuse)
}

func guardedHandler(s *httpserve.Server) http.Handler {
	return s.OperatorsFront((&admin.Server{House: desk{app: &app{catalog: s.Catalog}}, Token: operatorsToken, WriteTimeout: s.WriteTimeout, Now: s.Now}).Handler(nil), admin.Refuse)
}

func acmeHandler(s *httpserve.Server) http.Handler {
	return ports.Front(ports.Rooms{Viewers: s.Handler(), Front: s.Front}, cert.NewAuthority(config.ACME{Domains: []string{domain}, Cache: "no-such-folder"}, cert.Watch{}))
}

// h2Peer speaks HTTP/2 without TLS, in frames.
type h2Peer struct {
	*http2.Framer
	block bytes.Buffer
	enc   *hpack.Encoder
}

func newH2Peer(nc net.Conn) *h2Peer {
	p := &h2Peer{Framer: http2.NewFramer(nc, nc)}
	p.enc = hpack.NewEncoder(&p.block)
	begun := make(chan bool)
	go func() { // a pipe has no buffer, and both begin by writing
		io.WriteString(nc, http2.ClientPreface)
		p.WriteSettings()
		close(begun)
	}()
	p.ReadFrame()
	<-begun
	return p
}

func (p *h2Peer) get(stream uint32, path string) error { return p.ask(stream, "GET", path, true) }

// ask begins a request, and ends it or lets a body be waited for.
func (p *h2Peer) ask(stream uint32, method, path string, end bool) error {
	p.block.Reset()
	for _, f := range [][2]string{{":method", method}, {":scheme", "http"}, {":authority", "x"}, {":path", path}} {
		p.enc.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]})
	}
	return p.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: p.block.Bytes(), EndStream: end, EndHeaders: true})
}

// TestF27RapidReset: requests that are taken back as soon as they are made
// leave nothing behind, and more at a time than the server offers are refused.
func TestF27RapidReset(t *testing.T) {
	perform(t, func(s *stage) {
		nc := s.dial()
		p := newH2Peer(nc)
		refused := 0
		read := make(chan error)
		go func() {
			for {
				f, err := p.ReadFrame()
				if err != nil {
					read <- err
					return
				}
				if f, ok := f.(*http2.RSTStreamFrame); ok && f.ErrCode == http2.ErrCodeRefusedStream {
					refused++
				}
			}
		}()
		const requests = 10_000
		sent := 0
		for i := range uint32(requests) {
			if p.get(2*i+1, s.waiting) != nil || p.WriteRSTStream(2*i+1, http2.ErrCodeCancel) != nil {
				break
			}
			sent++
		}
		s.good()
		nc.Close()
		err := <-read
		t.Logf("%d requests were taken, %d refused, then %v", sent, refused, err)
	})
	t.Run("too many at once", func(t *testing.T) {
		perform(t, func(s *stage) {
			nc := s.dial()
			p := newH2Peer(nc)
			refused := make(chan int)
			go func() {
				n := 0
				for {
					f, err := p.ReadFrame()
					if err != nil {
						refused <- n
						return
					}
					if f, ok := f.(*http2.RSTStreamFrame); ok && f.ErrCode == http2.ErrCodeRefusedStream {
						n++
					}
				}
			}()
			for i := range uint32(ports.MaxStreams + 50) {
				p.get(2*i+1, s.waiting)
			}
			synctest.Wait()
			s.good()
			nc.Close()
			if n := <-refused; n != 50 {
				t.Errorf("%d of 50 too many are refused", n)
			}
		})
	})
	t.Run("viewers vanish", func(t *testing.T) {
		perform(t, func(s *stage) {
			for range 200 {
				nc := s.dial()
				io.WriteString(nc, "GET "+s.waiting+" HTTP/1.1\r\nHost: x\r\n\r\n")
				nc.Close()
			}
			synctest.Wait()
			s.good()
		})
	})
}
