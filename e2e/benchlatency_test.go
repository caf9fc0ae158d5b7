package e2e

import (
	"bufio"
	"bytes"
	"context"
	be "encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/sluice-live/sluice/ingest/client"
	"github.com/sluice-live/sluice/ingest/flv"
)

// TestBenchLatency measures, from frames that carry the time at which they
// were sent, how long each takes to be in a viewer's hands: parts of LL-HLS,
// the growing segments of LL-DASH by parts and by frames, and whole segments.
// It prints a table; `make bench-latency` runs it.
func TestBenchLatency(t *testing.T) {
	if os.Getenv("E2E_BENCH") == "" {
		t.Skip("E2E_BENCH is not set: this measures, and wants a machine that does nothing else (make bench-latency)")
	}
	const during = 20 * time.Second
	ways := []struct {
		name  string
		flags []string
		view  func(*stampViewer, context.Context) error
	}{
		{"LL-HLS, parts of 0.5 s", nil, (*stampViewer).hintedParts},
		{"LL-HLS, parts of 0.2 s", []string{"-window-part-duration", "200ms"}, (*stampViewer).hintedParts},
		{"LL-DASH, parts of 0.2 s", []string{"-window-part-duration", "200ms"}, (*stampViewer).growingSegments},
		{"LL-DASH, chunk per frame", []string{"-window-frame-chunks"}, (*stampViewer).growingSegments},
		{"HLS, whole segments of 2 s", nil, (*stampViewer).wholeSegments},
	}
	fmt.Printf("%-28s %8s %8s %8s %8s %8s   ms from a frame's sending to its last byte at the viewer\n", "", "viewers", "frames", "p50", "p99", "max")
	for _, way := range ways {
		for _, viewers := range []int{1, 500} {
			t.Run(fmt.Sprintf("%s/%d", way.name, viewers), func(t *testing.T) {
				s := startServer(t, way.flags...)
				stop := publishStamps(t, s.rtmpURL("live/stamp"))
				defer stop()
				awaitPlayable(t, s, "live/stamp")
				ctx, cancel := context.WithTimeout(t.Context(), during)
				defer cancel()
				var all sync.WaitGroup
				views := make([]*stampViewer, viewers)
				for i := range views {
					views[i] = &stampViewer{}
					all.Go(func() {
						if err := views[i].watch(ctx, s.http, way.view); err != nil && ctx.Err() == nil {
							t.Error(err)
						}
					})
				}
				all.Wait()
				var d []time.Duration
				for _, v := range views {
					d = append(d, v.delays...)
				}
				if len(d) < viewers*int(during.Seconds())*30/2 {
					t.Fatalf("%d frames came", len(d))
				}
				slices.Sort(d)
				ms := func(p float64) float64 { return d[int(p*float64(len(d)-1))].Seconds() * 1000 }
				fmt.Printf("%-28s %8d %8d %8.1f %8.1f %8.1f\n", way.name, viewers, len(d), ms(0.5), ms(0.99), ms(1))
			})
		}
	}
}

// stampMark stands before the time in a frame's payload.
var stampMark = []byte("\xFFsluice\xFFstamp\xFF")

// publishStamps sends 30 frames a second, each with the time of its sending.
func publishStamps(t testing.TB, url string) (stop func()) {
	t.Helper()
	rtmp, err := client.Dial(t.Context(), url, nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() {
		defer rtmp.Close()
		if err := rtmp.WriteTag(flv.Tag{Type: flv.TagVideo, Body: clipVideoHeader(t)}); err != nil {
			t.Error(err)
			return
		}
		begin := time.Now()
		for n := 0; ; n++ {
			at := begin.Add(time.Duration(n) * time.Second / 30)
			select {
			case <-time.After(time.Until(at)):
			case <-ctx.Done():
				return
			}
			tag := flv.Tag{Type: flv.TagVideo, Timestamp: uint32(at.Sub(begin).Milliseconds()), Body: stampedFrame(n%60 == 0)}
			if err := rtmp.WriteTag(tag); err != nil {
				t.Error(err)
				return
			}
		}
	})
	return func() { cancel(); done.Wait() }
}

// stampedFrame is one NAL unit of 3 kB.
func stampedFrame(key bool) []byte {
	const size = 3000
	head, nal := byte(0x27), byte(0x41)
	if key {
		head, nal = 0x17, 0x65
	}
	b := be.BigEndian.AppendUint32([]byte{head, 1, 0, 0, 0}, size)
	b = append(append(b, nal), stampMark...)
	b = be.BigEndian.AppendUint64(b, uint64(time.Now().UnixNano()))
	return append(b, bytes.Repeat([]byte{0xAA}, size+9-len(b))...)
}

// clipVideoHeader is the decoder configuration of the demo clip.
func clipVideoHeader(t testing.TB) []byte {
	f, err := os.Open("../cmd/sluice/clip.flv")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := flv.NewReader(f)
	for err == nil {
		var tag flv.Tag
		if tag, err = r.ReadTag(); err == nil && tag.Type == flv.TagVideo {
			return bytes.Clone(tag.Body)
		}
	}
	t.Fatal(err)
	return nil
}

// stampViewer reads frames and notes how old each is when its last byte is
// there. It has a connection and no more: 500 of them share the machine with
// the server, and what they cost is delay.
type stampViewer struct {
	conn   net.Conn
	in     *bufio.Reader
	delays []time.Duration
	carry  []byte // what of a frame has come so far
}

// watch views until ctx ends.
func (v *stampViewer) watch(ctx context.Context, address string, view func(*stampViewer, context.Context) error) (err error) {
	var dialer net.Dialer
	if v.conn, err = dialer.DialContext(ctx, "tcp", address); err != nil {
		return err
	}
	defer v.conn.Close()
	defer context.AfterFunc(ctx, func() { v.conn.Close() })()
	v.in = bufio.NewReaderSize(v.conn, 64<<10)
	return view(v, ctx)
}

// take looks for frames in bytes that have just come.
func (v *stampViewer) take(b []byte) {
	now := time.Now().UnixNano()
	const behind = 3000 - 1 // of a frame's NAL unit, from its mark on
	v.carry = append(v.carry, b...)
	for {
		i := bytes.Index(v.carry, stampMark)
		if i < 0 || len(v.carry) < i+behind {
			if i < 0 && len(v.carry) > len(stampMark) {
				v.carry = v.carry[len(v.carry)-len(stampMark):]
			}
			return
		}
		sent := be.BigEndian.Uint64(v.carry[i+len(stampMark):])
		v.delays = append(v.delays, time.Duration(now-int64(sent)))
		v.carry = v.carry[i+behind:]
	}
}

func (v *stampViewer) open(path string) (*http.Response, error) {
	if _, err := fmt.Fprintf(v.conn, "GET /live/stamp/%s HTTP/1.1\r\nHost: stamp\r\n\r\n", path); err != nil {
		return nil, err
	}
	resp, err := http.ReadResponse(v.in, nil)
	if err == nil && resp.StatusCode != http.StatusOK {
		resp.Body.Close()
		err = fmt.Errorf("GET %s: %s", path, resp.Status)
	}
	return resp, err
}

func (v *stampViewer) get(path string) ([]byte, error) {
	resp, err := v.open(path)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	return io.ReadAll(resp.Body)
}

var (
	hintPattern    = regexp.MustCompile(`PRELOAD-HINT:TYPE=PART,URI="(v1/[0-9a-z]+-p)(\d+)\.m4s"`)
	segmentPattern = regexp.MustCompile(`(?m)^(v1/[0-9a-z]+-)(\d+)\.m4s$`)
)

// hintedParts asks for each part before it is there, as AVPlayer does.
func (v *stampViewer) hintedParts(context.Context) error {
	text, err := v.get("v1.m3u8")
	if err != nil {
		return err
	}
	hint := hintPattern.FindStringSubmatch(string(text))
	if hint == nil {
		return fmt.Errorf("no hint in\n%s", text)
	}
	for n, _ := strconv.Atoi(hint[2]); ; n++ {
		part, err := v.get(fmt.Sprintf("%s%d.m4s", hint[1], n))
		if err != nil {
			return err
		}
		v.take(part)
	}
}

// growingSegments reads the segment in production while it comes.
func (v *stampViewer) growingSegments(context.Context) error {
	text, err := v.get("v1.m3u8")
	if err != nil {
		return err
	}
	all := segmentPattern.FindAllStringSubmatch(string(text), -1)
	if len(all) == 0 {
		return fmt.Errorf("no segment in\n%s", text)
	}
	last := all[len(all)-1]
	first, buf := true, make([]byte, 64<<10)
	for n, _ := strconv.Atoi(last[2]); ; n++ {
		resp, err := v.open(fmt.Sprintf("%s%d.m4s", last[1], n+1))
		if err != nil {
			return err
		}
		for err == nil {
			var got int
			got, err = resp.Body.Read(buf)
			v.take(buf[:got])
		}
		resp.Body.Close()
		if err != io.EOF {
			return err
		}
		if first { // it was under way when we came
			v.delays, first = nil, false
		}
	}
}

// wholeSegments reloads the playlist like a player without low latency.
func (v *stampViewer) wholeSegments(ctx context.Context) error {
	seen := ""
	for {
		text, err := v.get("v1.m3u8")
		if err != nil {
			return err
		}
		all := segmentPattern.FindAllString(string(text), -1)
		if last := all[len(all)-1]; last != seen {
			segment, err := v.get(last)
			if err != nil {
				return err
			}
			if seen != "" {
				v.take(segment)
			}
			seen = last
		}
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return nil
		}
	}
}
