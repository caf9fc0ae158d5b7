package e2e

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"regexp"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluice-live/sluice/e2e/lists"
	"github.com/sluice-live/sluice/ingest/client"
	"github.com/sluice-live/sluice/ingest/flv"
)

// clip6M has 6 Mbit/s, of noise that x264 can't leave out.
var clip6M = encodeClip("src6M.flv", "testsrc2=size=1280x720"+rate+",noise=alls=60:allf=t", 10*time.Second,
	"-b:v", "5.9M", "-maxrate", "6M", "-bufsize", "3M", "-g", "60", "-keyint_min", "60", "-sc_threshold", "0")

// TestPlayLoad: 500 readers of one stream, and one that takes next to nothing, cost the
// publisher nothing, and the machine no more than 500 viewers by HTTP.
func TestPlayLoad(t *testing.T) {
	if os.Getenv("E2E_PLAYLOAD") == "" {
		t.Skip("takes a minute, and a machine that does nothing else: make play-load")
	}
	const (
		readers = 500
		during  = 12 * time.Second
	)
	clip := clipTags(t, clip6M(t))
	s := startServer(t)
	p := publishLoop(t, s.rtmpURL("live/load"), clip, 10*time.Second)
	awaitPlayable(t, s, "live/load")

	type spell struct {
		cpu, rss float64
		out      int64
		slowest  time.Duration // of the publisher's writes
		behind   time.Duration // a reader's median lag, from a frame's sending on
	}
	// watched measures the server while count counts what viewers take.
	watched := func(count func() int64) (w spell) {
		lag := p.probe(t, s.rtmpURL("live/load"), during)
		before, cpu := count(), s.metric(t, "process_cpu_seconds_total")
		p.slowest.Store(0)
		for range 4 {
			time.Sleep(during / 4)
			w.rss = max(w.rss, s.metric(t, "process_resident_memory_bytes"))
		}
		w.cpu, w.out = s.metric(t, "process_cpu_seconds_total")-cpu, count()-before
		w.slowest, w.behind = time.Duration(p.slowest.Load()), lag()
		return w
	}
	var got atomic.Int64
	alone := watched(got.Load)

	ctx, stop := context.WithCancel(t.Context())
	var all sync.WaitGroup
	for i := range readers + 1 {
		nc, err := net.Dial("tcp", s.rtmp)
		if err != nil {
			t.Fatal(err)
		}
		if i == readers {
			_ = nc.(*net.TCPConn).SetReadBuffer(256 << 10) // else the kernel is who waits for it
		}
		if _, err := client.NewReader(nc, "live", "load", s.rtmpURL("live"), client.Tells{}); err != nil {
			t.Fatal(err)
		}
		all.Go(func() {
			defer nc.Close()
			defer context.AfterFunc(ctx, func() { nc.Close() })()
			if i == readers { // the slow one
				for ctx.Err() == nil {
					time.Sleep(100 * time.Millisecond)
					if _, err := io.CopyN(io.Discard, nc, 10_000); err != nil {
						return
					}
				}
			}
			b := make([]byte, 256<<10)
			for {
				n, err := nc.Read(b)
				got.Add(int64(n))
				if err != nil {
					return
				}
			}
		})
	}
	time.Sleep(15 * time.Second) // until what the kernel holds for the slow one is full
	rtmp := watched(got.Load)
	if n := s.metric(t, "sluice_rtmp_readers"); n != readers+2 && n != readers+1 { // the probe is one, too
		t.Errorf("%v readers are left", n)
	}
	skips := s.metric(t, "sluice_rtmp_skips_total")
	stop()
	all.Wait()
	time.Sleep(2 * time.Second)

	got.Store(0)
	ctx, stop = context.WithCancel(t.Context())
	s.segmentViewers(ctx, t, &all, "live/load", readers, &got)
	time.Sleep(5 * time.Second)
	http := watched(got.Load)
	stop()
	all.Wait()
	p.stop()

	perGB := func(w spell) float64 { return (w.cpu - alone.cpu) / (float64(w.out) / 1e9) }
	for name, w := range map[string]spell{"alone": alone, "RTMP": rtmp, "HTTP": http} {
		t.Logf("%-5s %5.2f s of CPU in %v, %6.0f Mbit/s out, %.3f s for a GB, %3.0f MiB resident, slowest write of the publisher %v, a reader is %v behind",
			name, w.cpu, during, float64(w.out)*8/1e6/during.Seconds(), perGB(w), w.rss/(1<<20), w.slowest.Round(time.Microsecond), w.behind.Round(time.Millisecond))
	}
	t.Logf("RTMP takes %.2f of HTTP's CPU; the slow reader skipped %v times", perGB(rtmp)/perGB(http), skips)
	if perGB(rtmp) > 1.2*perGB(http) {
		t.Error("RTMP takes more CPU than 1.2 times HTTP's")
	}
	if rtmp.out < int64(0.9*readers*6e6/8*during.Seconds()*0.9) {
		t.Errorf("%d readers got %d bytes", readers, rtmp.out)
	}
	if rtmp.slowest > alone.slowest+50*time.Millisecond {
		t.Errorf("a write of the publisher takes %v, and %v without readers", rtmp.slowest, alone.slowest)
	}
	// The window fills meanwhile: that is a part of it.
	if grown := rtmp.rss - alone.rss; grown > readers*150<<10 || rtmp.rss > 1.25*http.rss {
		t.Errorf("a reader takes %.0f KiB", grown/readers/1024)
	}
}

// looper publishes a clip again and again, and notes when it sent what.
type looper struct {
	slowest atomic.Int64 // nanoseconds that a tag took
	mu      sync.Mutex
	sent    map[string]time.Time // by the beginning of a picture
	stop    func()
}

func publishLoop(t *testing.T, url string, clip []flv.Tag, length time.Duration) *looper {
	rtmp, err := client.Dial(t.Context(), url, nil)
	if err != nil {
		t.Fatal(err)
	}
	p := &looper{sent: make(map[string]time.Time)}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	p.stop = func() { cancel(); <-done }
	t.Cleanup(p.stop)
	go func() {
		defer close(done)
		defer rtmp.Close()
		begin := time.Now()
		for loop := time.Duration(0); ; loop += length {
			for _, tag := range clip {
				at := loop + time.Duration(tag.Timestamp)*time.Millisecond
				tag.Timestamp = uint32(at.Milliseconds())
				select {
				case <-time.After(time.Until(begin.Add(at))):
				case <-ctx.Done():
					return
				}
				now := time.Now()
				if len(tag.Body) > 200 && tag.Type == flv.TagVideo {
					p.mu.Lock()
					p.sent[string(tag.Body[5:100])] = now
					p.mu.Unlock()
				}
				if err := rtmp.WriteTag(tag); err != nil {
					t.Error(err)
					return
				}
				if took := int64(time.Since(now)); took > p.slowest.Load() {
					p.slowest.Store(took)
				}
			}
		}
	}()
	return p
}

// probe plays for that long, near live, and returns how far behind its pictures were.
func (p *looper) probe(t *testing.T, url string, during time.Duration) (median func() time.Duration) {
	r, err := client.DialReader(t.Context(), url+"?start=live", nil, client.Tells{Idle: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	var lags []time.Duration
	done := make(chan struct{})
	begin := time.Now()
	go func() {
		defer close(done)
		defer r.Close()
		for time.Since(begin) < during {
			tag, err := r.ReadTag()
			if err != nil {
				t.Error(err)
				return
			}
			if tag.Type != flv.TagVideo || len(tag.Body) <= 200 {
				continue
			}
			p.mu.Lock()
			at, ok := p.sent[string(tag.Body[5:100])]
			p.mu.Unlock()
			if ok {
				lags = append(lags, time.Since(at))
			}
		}
	}()
	return func() time.Duration {
		<-done
		if len(lags) == 0 {
			t.Error("the probe has seen nothing")
			return 0
		}
		slices.Sort(lags)
		return lags[len(lags)/2]
	}
}

// metric is a number of /metrics.
func (s *server) metric(t testing.TB, name string) float64 {
	t.Helper()
	text := s.get(t, "http://"+s.admin+"/metrics")
	m := regexp.MustCompile(`(?m)^` + name + ` (\S+)$`).FindSubmatch(text)
	if m == nil {
		t.Fatalf("no metric %s", name)
	}
	v, err := strconv.ParseFloat(string(m[1]), 64)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// segmentViewers fetch each segment of a stream, as soon as it is listed, so many times
// at once: by connections that are kept.
func (s *server) segmentViewers(ctx context.Context, t *testing.T, all *sync.WaitGroup, stream string, n int, got *atomic.Int64) {
	ways := make([]chan string, n)
	for i := range ways {
		ways[i] = make(chan string, 16)
		nc, err := net.Dial("tcp", s.http)
		if err != nil {
			t.Fatal(err)
		}
		all.Go(func() {
			defer nc.Close()
			defer context.AfterFunc(ctx, func() { nc.Close() })()
			b := make([]byte, 256<<10)
			for path := range ways[i] {
				if _, err := fmt.Fprintf(nc, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path); err != nil {
					return
				}
				left := -1
				for left != 0 {
					k, err := nc.Read(b)
					if err != nil {
						return
					}
					got.Add(int64(k))
					if left < 0 { // the head comes with the first bytes
						head, rest, ok := bytes.Cut(b[:k], []byte("\r\n\r\n"))
						length := regexp.MustCompile(`(?i)content-length: (\d+)`).FindSubmatch(head)
						if !ok || length == nil {
							t.Errorf("%s: %.100s", path, head)
							return
						}
						left, _ = strconv.Atoi(string(length[1]))
						k = len(rest)
					}
					left -= k
				}
			}
		})
	}
	all.Go(func() {
		defer func() {
			for _, w := range ways {
				close(w)
			}
		}()
		seen := make(map[string]bool)
		for {
			for _, track := range []string{"v1", "a1"} {
				body, err := s.body(ctx, s.url(stream+"/"+track+".m3u8"))
				if err != nil {
					return
				}
				list, err := lists.Parse(string(body))
				if err != nil {
					t.Error(err)
					return
				}
				for _, seg := range list.Segments {
					if path := "/" + stream + "/" + seg.URI; !seen[path] {
						seen[path] = true
						for _, w := range ways {
							select {
							case w <- path:
							default: // it is too slow
							}
						}
					}
				}
			}
			select {
			case <-time.After(200 * time.Millisecond):
			case <-ctx.Done():
				return
			}
		}
	})
}
