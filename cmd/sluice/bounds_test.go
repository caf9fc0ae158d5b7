//go:build linux

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluice-live/sluice/cmd/sluice/gate"
	"github.com/sluice-live/sluice/ingest/amf"
	"github.com/sluice-live/sluice/ingest/chunk"
	"github.com/sluice-live/sluice/ingest/client"
	"github.com/sluice-live/sluice/ingest/flv"
	"github.com/sluice-live/sluice/ingest/handshake"
)

// stream publishes a picture of 25 frames a second and so many bits, with a
// keyframe every 2 s, until the context ends or the server doesn't take it any more.
func (c *castle) stream(ctx context.Context, name string, bitrate int) error {
	p, err := client.Dial(ctx, "rtmp://"+c.rtmp+"/"+name, nil)
	if err != nil {
		return err
	}
	defer p.Abort()
	const fps = 25
	if err := p.WriteTag(flv.Tag{Type: flv.TagVideo, Body: append([]byte{0x17, 0, 0, 0, 0}, pictures[false][0]...)}); err != nil {
		return err
	}
	frame := make([]byte, bitrate/8/fps)
	size := len(frame) - 9
	copy(frame, []byte{0x27, 1, 0, 0, 0, byte(size >> 24), byte(size >> 16), byte(size >> 8), byte(size), 0x41})
	began := time.Now()
	for n := 0; ; n++ {
		if frame[0], frame[9] = 0x27, 0x41; n%(2*fps) == 0 {
			frame[0], frame[9] = 0x17, 0x65
		}
		at := time.Duration(n) * time.Second / fps
		select {
		case <-time.After(time.Until(began.Add(at))):
		case <-ctx.Done():
			return nil
		}
		if err := p.WriteTag(flv.Tag{Type: flv.TagVideo, Timestamp: uint32(at.Milliseconds()), Body: frame}); err != nil {
			return err
		}
	}
}

// held is what all windows hold, as the server tells.
func (c *castle) held() (bytes, live int) {
	var list struct {
		Streams []struct {
			Live  bool
			Bytes int
		}
	}
	if err := json.Unmarshal(c.admits("/api/v1/streams"), &list); err != nil {
		c.t.Fatal(err)
	}
	for _, s := range list.Streams {
		if bytes += s.Bytes; s.Live {
			live++
		}
	}
	return bytes, live
}

// TestF37Return: encoders come back within a second, each with more than its share,
// and those that are sent away come again. What windows hold stays within
// max_memory, the process within what N9 allows for that, and as many streams go
// on as there is room for.
func TestF37Return(t *testing.T) {
	quietly(t)
	const encoders, bitrate, all = 6, 10_000_000, 64 << 20
	length := time.Duration(siege(12, 90)) * time.Second
	c := besiege(t, nil, "-window-max-memory=64MiB", "-window-linger=60s")
	base := c.state().rss
	ctx, stop := context.WithTimeout(t.Context(), length)
	defer stop()
	var together sync.WaitGroup
	for i := range encoders {
		together.Go(func() {
			for ctx.Err() == nil {
				c.stream(ctx, fmt.Sprintf("live/cam%d", i), bitrate)
				select {
				case <-time.After(2 * time.Second): // as encoders do
				case <-ctx.Done():
				}
			}
		})
	}
	// What windows hold may be taken again by what is not yet collected, by a
	// third; 2 MB a stream are drafts and buffers.
	may := base + all*13/10 + encoders*(2<<20)
	most, worst, live := 0, 0, 0
	for ctx.Err() == nil {
		held, n := c.held()
		most, worst, live = max(most, held), max(worst, c.state().rss), n
		time.Sleep(500 * time.Millisecond)
	}
	together.Wait()
	t.Logf("F37 %d encoders of %d Mbit/s for %v under max_memory %d MiB: windows %.1f MB at most, RSS %.1f MB (of %.1f), %d live at last",
		encoders, bitrate/1_000_000, length, all>>20, float64(most)/1e6, float64(worst)/1e6, float64(may)/1e6, live)
	if most > all {
		t.Errorf("windows held %d bytes", most)
	}
	if worst > may {
		t.Errorf("N9: the process had %d bytes, and may have %d", worst, may)
	}
	if live < 3 {
		t.Errorf("%d streams are live", live)
	}
	if log := c.log.String(); !strings.Contains(log, "window.max_memory") {
		t.Error("the log doesn't say what to set")
	}
}

// TestF33Flapping: encoders publish and say goodbye, or break off, as fast as they
// can, by one connection and by many, under one name. Other streams go on, new ones
// begin with the clock's numbers, and nothing is left of it.
func TestF33Flapping(t *testing.T) {
	quietly(t)
	length := time.Duration(siege(5, 30)) * time.Second
	c := besiege(t, nil, "-log-level=error", "-window-linger=60s")
	c.rehearse(c.http, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	failed := c.publish("live/cam1")
	c.playable("live/cam1")
	before := c.weighed()
	tags := clipBeginning(t)
	ctx, stop := context.WithTimeout(t.Context(), length)
	defer stop()
	var mu sync.Mutex
	began, refused := 0, 0
	count := func(n *int) { mu.Lock(); *n++; mu.Unlock() }
	var flood sync.WaitGroup
	const many = 8
	for i := range many {
		flood.Go(func() {
			for ctx.Err() == nil {
				p, err := client.Dial(ctx, "rtmp://"+c.rtmp+"/live/flap", nil)
				if err != nil {
					count(&refused)
					continue
				}
				count(&began)
				for _, tag := range tags[:min(len(tags), 20)] {
					p.WriteTag(tag)
				}
				if i%2 == 0 {
					p.Abort()
				} else {
					p.Close()
				}
			}
		})
	}
	flood.Go(func() {
		for ctx.Err() == nil { // it may be told to go
			n, err := republish(ctx, c.rtmp, "solo", tags[:min(len(tags), 20)])
			mu.Lock()
			began += n
			mu.Unlock()
			if err != nil {
				count(&refused)
			}
		}
	})
	flood.Wait()
	t.Logf("F33 %v of publishing and going: %d began, %d refused", length, began, refused)
	// 20 at once and one in 5 s, of each of two names.
	if most := 2 * (20 + int(length/(5*time.Second)) + 2); began > most {
		t.Errorf("%d publications began in %v, and may be %d", began, length, most)
	}
	after, again := c.publish("live/cam2"), c.publish("live/flap")
	for range 3 { // who waited when the flood ended may have a turn yet
		if time.Sleep(gate.LongestTurn + time.Second); again() == nil {
			break
		}
		again = c.publish("live/flap")
	}
	c.playable("live/cam2")
	c.playable("live/flap")
	clock := time.Since(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	for name, spare := range map[string]int{"cam1": 0, "cam2": 0, "flap": 40} {
		media, discontinuity := c.numbers(name)
		if m, d := int(clock/(time.Second/4)), int(clock/(5*time.Minute)); media > m+spare || discontinuity > d+spare {
			t.Errorf("%s has the numbers %d and %d, the clock %d and %d", name, media, discontinuity, m, d)
		}
	}
	for _, failed := range []func() error{failed, after, again} {
		if err := failed(); err != nil {
			t.Error(err)
		}
	}
	state, took := c.relieved(before, many+1)
	t.Logf("F33\n  before %v\n  after  %v, in %v", before, state, took)
}

// numbers are those that a stream's playlist begins with.
func (c *castle) numbers(name string) (media, discontinuity int) {
	c.t.Helper()
	r, err := http.Get("http://" + c.http + "/live/" + name + "/v1.m3u8")
	if err != nil {
		c.t.Fatal(err)
	}
	defer r.Body.Close()
	text, _ := io.ReadAll(r.Body)
	number := func(tag string) int {
		found := regexp.MustCompile(tag + `:(\d+)`).FindSubmatch(text)
		if found == nil {
			c.t.Fatalf("%s: no %s: %d %s", name, tag, r.StatusCode, text)
		}
		n, _ := strconv.Atoi(string(found[1]))
		return n
	}
	return number("MEDIA-SEQUENCE"), number("DISCONTINUITY-SEQUENCE")
}

// republish publishes and says goodbye on one connection until the context or the
// connection ends, and returns how often it was let in.
func republish(ctx context.Context, addr, name string, tags []flv.Tag) (n int, err error) {
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		return 0, err
	}
	defer nc.Close()
	defer context.AfterFunc(ctx, func() { nc.Close() })()
	if err := handshake.Dial(nc, 0, strings.NewReader(strings.Repeat("x", 4096))); err != nil {
		return 0, err
	}
	w, r := chunk.NewWriter(nc), chunk.NewReader(nc, chunk.DefaultLimits())
	command := func(streamID uint32, values ...any) {
		w.WriteMessage(chunk.Message{ChunkStreamID: 3, StreamID: streamID, Type: chunk.TypeCommandAMF0, Body: amf.Append(nil, values...)})
	}
	command(0, "connect", 1.0, amf.Object{{Name: "app", Value: "live"}})
	command(0, "createStream", 2.0, amf.Null{})
	for {
		command(1, "publish", 3.0, amf.Null{}, name, "live")
		if err := w.Flush(); err != nil {
			return n, err
		}
		for {
			m, err := r.ReadMessage()
			if err != nil {
				return n, err
			}
			if strings.Contains(string(m.Body), "Publish.Start") {
				n++
				break
			}
			if strings.Contains(string(m.Body), "NetStream.Publish") {
				return n, errors.New("refused")
			}
		}
		for _, tag := range tags {
			typ := chunk.TypeVideo
			if tag.Type == flv.TagAudio {
				typ = chunk.TypeAudio
			} else if tag.Type != flv.TagVideo {
				continue
			}
			w.WriteMessage(chunk.Message{ChunkStreamID: 4, StreamID: 1, Timestamp: tag.Timestamp, Type: typ, Body: tag.Body})
		}
		command(1, "deleteStream", 4.0, amf.Null{}, 1.0)
	}
}
