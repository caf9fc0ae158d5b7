package ingest_test

import (
	"bytes"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/sluice-live/sluice/ingest/amf"
	"github.com/sluice-live/sluice/ingest/chunk"
	"github.com/sluice-live/sluice/ingest/metrics"
)

// habit is how a peer behaves.
type habit struct {
	name, what, says string        // the limit that it meets, and what it hears; none where nothing is wrong
	do               func(p *peer) // until the server has enough, for a minute or two at most
	stranger         bool          // it hasn't been let in
}

// TestF20Pace: what a publisher may do, but not that fast, or that slowly.
func TestF20Pace(t *testing.T) {
	picture := func(at uint32, size int) chunk.Message {
		m := video(at, keyframe)
		m.Body = append(m.Body, make([]byte, size)...)
		return m
	}
	for _, h := range []habit{
		{"10 Mbit/s", "bitrate", "more than 5000 kbit/s", func(p *peer) {
			for i := range uint32(600) {
				if p.send(picture(100*i, 125_000)) != nil {
					return
				}
				pass(100 * time.Millisecond)
			}
		}, false},
		{"4 Mbit/s and a stall of 10 s", "", "", func(p *peer) {
			for i := range uint32(600) {
				if i == 300 {
					pass(10 * time.Second)
				}
				if i < 300 || i > 400 { // then all that was held up, at once
					pass(100 * time.Millisecond)
				}
				p.send(picture(100*i, 50_000))
			}
		}, false},
		{"a message that takes its time", "message_time", "no message was complete within 30s", func(p *peer) {
			p.say(unhex("06 000000 000100 09 01000000"))
			for range 30 {
				if p.say([]byte{0}) != nil {
					return
				}
				pass(5 * time.Second)
			}
		}, false},
		{"one a minute", "", "", func(p *peer) {
			for i := range uint32(10) {
				p.send(audio(10_000*i, audioFrame))
				pass(10 * time.Second)
			}
		}, false},
		{"pings", "control_rate", "more than 200 control and data messages a second", func(p *peer) {
			for range 1000 {
				if p.send(control(chunk.TypeUserControl, "0006 00000000")) != nil {
					return
				}
				pass(time.Millisecond)
			}
		}, false},
		{"pings, not so fast", "", "", func(p *peer) {
			for range 1000 {
				p.send(control(chunk.TypeUserControl, "0006 00000000"))
				pass(10 * time.Millisecond)
			}
		}, false},
		{"commands", "command_rate", "more than 50 commands a second", func(p *peer) {
			for range 1000 {
				if p.send(command(3, 0, "getStreamLength", 9, amf.Null{})) != nil {
					return
				}
				pass(10 * time.Millisecond)
			}
		}, false},
		{"chunk sizes", "control_rate", "set chunk size: 11 times", func(p *peer) {
			for range 100 {
				if p.send(control(chunk.TypeSetChunkSize, "00001000")) != nil {
					return
				}
			}
		}, false},
	} {
		t.Run(h.name, h.test)
	}
}

// TestF36Messages: messages that carry nothing, at any speed, before a peer is
// let in and behind it.
func TestF36Messages(t *testing.T) {
	const media = "more than 1000 messages a second for longer"
	const strange = "more than 200 messages a second for longer"
	// all sends raw bytes, many times in a write, as fast as they are taken.
	all := func(first, again string) func(*peer) {
		return func(p *peer) {
			for i := range 2000 {
				b := bytes.Repeat(unhex(again), 100)
				if i == 0 {
					b = append(unhex(first), b...)
				}
				if p.say(b) != nil {
					return
				}
				pass(10 * time.Millisecond)
			}
		}
	}
	aggregate := chunk.Message{ChunkStreamID: 4, StreamID: 1, Type: chunk.TypeAggregate, Body: make([]byte, 100*(11+4))}
	for i := range 100 {
		aggregate.Body[15*i] = 8 // an audio tag without bytes
	}
	const empty, next = "04 000000 000000 %s 01000000", "c4"
	const abort = "02 000000 000004 02 00000000 000000"
	for _, h := range []habit{
		{"audio, as a stranger", "message_rate", strange, all(fmt.Sprintf(empty, "08"), next), true},
		{"audio", "message_rate", media, all(fmt.Sprintf(empty, "08"), next), false},
		{"video", "message_rate", media, all(fmt.Sprintf(empty, "09"), next), false},
		{"a type that nobody knows", "message_rate", media, all(fmt.Sprintf(empty, "63"), next), false},
		{"aggregates of nothing", "message_rate", media, all(fmt.Sprintf(empty, "16"), next), false},
		{"data", "control_rate", "more than 200 control and data messages", all(fmt.Sprintf(empty, "12"), next), false},
		{"commands, as a stranger", "command_rate", "more than 50 commands a second", all(fmt.Sprintf(empty, "14"), next), true},
		{"commands", "command_rate", "more than 50 commands a second", all(fmt.Sprintf(empty, "14"), next), false},
		{"AMF3 commands", "command_rate", "more than 50 commands a second", all(fmt.Sprintf(empty, "11"), next), false},
		{"Abort, as a stranger", "message_rate", strange, all("", abort+"00"), true},
		{"Abort", "message_rate", media, all("", abort+"00"), false},
		{"begun and taken back", "message_rate", media, all("", "05 000000 000100 09 01000000"+strings.Repeat("00", 128)+abort+"05"), false},
		{"tags in aggregates", "message_rate", media, func(p *peer) {
			for range 2000 {
				if p.send(aggregate) != nil {
					return
				}
				pass(10 * time.Millisecond)
			}
		}, false},
		{"many tags in one aggregate", "message_rate", media, func(p *peer) {
			m := aggregate
			m.Body = bytes.Repeat(m.Body, 1000)
			p.send(m)
		}, false},
		{"sound of 5 ms and 240 pictures a second", "", "", func(p *peer) {
			for i := range uint32(2000) {
				p.send(audio(5*i, audioFrame), video(5*i, interFrame))
				pass(5 * time.Millisecond)
			}
		}, false},
		{"600 a second behind a stall of 15 s", "", "", func(p *peer) {
			for i := range uint32(9000) {
				p.send(audio(i, audioFrame))
			}
		}, false},
	} {
		t.Run(h.name, h.test)
	}
}

// test has a peer behave like that: one that goes too far is told why, counted
// and logged.
func (h habit) test(t *testing.T) {
	live(t, func(w *world) {
		w.server.Metrics = metrics.New()
		w.server.Limits.Bitrate = 5_000_000
		p := w.dial("peer")
		if h.stranger {
			p.handshake()
			p.send(connect("live"))
		} else {
			p.publish("key")
		}
		h.do(p)
		said := p.hear()
		if h.what == "" {
			if !p.closed.IsZero() || strings.Contains(said, "error") {
				t.Errorf("refused: %s", said)
			}
			p.nc.Close()
			return
		}
		pass(2 * time.Second)
		if p.closed.IsZero() || !strings.Contains(said+p.hear(), h.says) {
			t.Errorf("it goes on, and hears %s", said)
		}
		if log := strings.Join(w.log.about("peer"), "\n"); !strings.Contains(log, h.says) {
			t.Errorf("the log has no reason:\n%s", log)
		}
		scrape := httptest.NewRecorder()
		w.server.Metrics.Handler().ServeHTTP(scrape, httptest.NewRequest("GET", "/metrics", nil))
		if want := `sluice_refused_total{what="` + h.what + `"} 1`; !strings.Contains(scrape.Body.String(), "\n"+want+"\n") {
			t.Errorf("no %s", want)
		}
	})
}
