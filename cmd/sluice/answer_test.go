//go:build unix

package main

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/sluice-live/sluice/cmd/sluice/ports"
	"github.com/sluice-live/sluice/httpserve"
	"github.com/sluice-live/sluice/ingest/metrics"
	"github.com/sluice-live/sluice/packager"
	"github.com/sluice-live/sluice/remux"
)

// BenchmarkPlaylistRequest is what a media playlist costs over connections that
// stay open, beside floors that write the same bytes: a handler of net/http that
// does nothing else, and a socket that is read and written without knowing HTTP.
// All figures have the load in them, which is the same for all.
func BenchmarkPlaylistRequest(b *testing.B) {
	h := viewersHandler(b)
	answer := sampleAnswer(b, h)
	b.Run("sluice", func(b *testing.B) { perRequest(b, answer, serving(h)) })
	b.Run("net-http", func(b *testing.B) { perRequest(b, answer, serving(echo(b, answer))) })
	b.Run("socket", func(b *testing.B) { perRequest(b, answer, func(l net.Listener) { shout(l, answer) }) })
}

// playlistRequest is what is asked, with what players say of themselves.
const playlistRequest = "GET /live/bench/a1.m3u8 HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n"

// viewersHandler answers for one stream, whose playlist is as long as it gets.
func viewersHandler(tb testing.TB) http.Handler {
	catalog := packager.NewCatalog(packager.Settings{
		Segments: 8, SegmentMinDuration: 2 * time.Second, SegmentMaxDuration: 10 * time.Second, PartDuration: 500 * time.Millisecond,
	}, time.Now)
	name, err := packager.ParseStreamName("live", "bench")
	if err != nil {
		tb.Fatal(err)
	}
	p, err := catalog.Publish(name)
	if err != nil {
		tb.Fatal(err)
	}
	const rate, frame = 48000, 1024
	err = p.SetTracks([]remux.Track{remux.TrackOf(&remux.AAC{
		Config: []byte{0x11, 0x90}, ObjectType: 2, FrameSamples: frame, Sound: remux.Sound{SampleRate: rate, Channels: 2, Layout: 2},
	})})
	for at := int64(0); at < 20*rate && err == nil; at += frame {
		err = p.WriteSample(&remux.Sample{DTS: at, Duration: frame, Sync: true, Data: make([]byte, 300)})
	}
	if err != nil {
		tb.Fatal(err)
	}
	s := httpserve.Server{
		Catalog: catalog, Hold: time.Second, WriteTimeout: 30 * time.Second, Log: zerolog.Nop(), Metrics: metrics.New(), Now: time.Now,
		Viewers: func() httpserve.Viewers { return nil },
	}
	return s.Handler()
}

func serving(h http.Handler) func(net.Listener) {
	return func(l net.Listener) { _ = ports.TCP(h, l, zerolog.Nop()).Serve() }
}

// sampleAnswer is an answer to playlistRequest as it is on the wire.
func sampleAnswer(tb testing.TB, h http.Handler) []byte {
	l := loopback(tb)
	go serving(h)(l)
	nc := ask(tb, l)
	var wire bytes.Buffer
	r, err := http.ReadResponse(bufio.NewReader(io.TeeReader(nc, &wire)), nil)
	if err != nil {
		tb.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, r.Body); err != nil || r.StatusCode != http.StatusOK {
		tb.Fatalf("%s, %v", r.Status, err)
	}
	return wire.Bytes()
}

func loopback(tb testing.TB) net.Listener {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { l.Close() })
	return l
}

// ask sends a first request.
func ask(tb testing.TB, l net.Listener) net.Conn {
	nc, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { nc.Close() })
	if _, err := io.WriteString(nc, playlistRequest); err != nil {
		tb.Fatal(err)
	}
	return nc
}

// echo answers with the header and the body of answer.
func echo(tb testing.TB, answer []byte) http.Handler {
	r, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(answer)), nil)
	if err != nil {
		tb.Fatal(err)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		tb.Fatal(err)
	}
	r.Header.Del("Date")
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		h := w.Header()
		for key, values := range r.Header {
			h[key] = values
		}
		_, _ = w.Write(body)
	})
}

// shout answers whatever comes.
func shout(l net.Listener, answer []byte) {
	for {
		nc, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			buf := make([]byte, 4096)
			for {
				if _, err := nc.Read(buf); err != nil {
					return
				}
				if _, err := nc.Write(answer); err != nil {
					return
				}
			}
		}()
	}
}

// perRequest reports the CPU time of one request, when eight are under way.
func perRequest(b *testing.B, answer []byte, serve func(net.Listener)) {
	l := loopback(b)
	go serve(l)
	b.SetParallelism(max(1, 8/runtime.GOMAXPROCS(0)))
	b.ReportAllocs()
	before := cpuTime(b)
	b.RunParallel(func(pb *testing.PB) {
		nc, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			b.Error(err)
			return
		}
		defer nc.Close()
		got := make([]byte, len(answer))
		for pb.Next() {
			if _, err := io.WriteString(nc, playlistRequest); err != nil {
				b.Error(err)
				return
			}
			if _, err := io.ReadFull(nc, got); err != nil || !bytes.HasPrefix(got, []byte("HTTP/1.1 200 OK\r\n")) {
				b.Errorf("%v: %.40q", err, got)
				return
			}
		}
	})
	b.ReportMetric(float64((cpuTime(b)-before).Nanoseconds())/float64(b.N), "cpu-ns/op")
}

func cpuTime(tb testing.TB) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
