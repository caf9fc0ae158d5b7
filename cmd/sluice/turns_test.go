package main

import (
	"bytes"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluice-live/sluice/ingest/amf"
	"github.com/sluice-live/sluice/ingest/chunk"
	"github.com/sluice-live/sluice/packager"
)

// encode publishes so much of live/NAME over a new connection, at the pace of its
// timestamps, and then breaks off or says goodbye. It returns what was answered.
func (h *house) encode(name string, length time.Duration, bye bool) string {
	p := h.call()
	defer p.Close()
	return h.encodeBy(p, 0, name, length, 40*time.Millisecond, bye)
}

// encodeBy does so over an open connection, on which so much has been heard
// before, and with its own pause between frames.
func (h *house) encodeBy(p *stranger, before int, name string, length, pause time.Duration, bye bool) string {
	const frame = 40 * time.Millisecond
	var out bytes.Buffer
	w := chunk.NewWriter(&out)
	say := func(wait time.Duration) {
		w.Flush()
		p.say(out.Bytes(), wait)
		out.Reset()
	}
	command := func(streamID uint32, values ...any) {
		w.WriteMessage(chunk.Message{ChunkStreamID: 3, StreamID: streamID, Type: chunk.TypeCommandAMF0, Body: amf.Append(nil, values...)})
	}
	if before == 0 {
		command(0, "connect", 1.0, amf.Object{{Name: "app", Value: "live"}})
		command(0, "createStream", 2.0, amf.Null{})
	}
	command(1, "publish", 3.0, amf.Null{}, name, "live")
	say(0)
	answered := func() string { return p.heard.String()[min(before, p.heard.Len()):] }
	for !strings.Contains(answered(), "NetStream.Publish") { // an encoder waits until it is told to begin
		time.Sleep(time.Millisecond)
		synctest.Wait()
	}
	if strings.Contains(answered(), "NetStream.Publish.Start") {
		tag := func(at time.Duration, body ...byte) {
			w.WriteMessage(chunk.Message{ChunkStreamID: 4, StreamID: 1, Timestamp: uint32(at.Milliseconds()), Type: chunk.TypeVideo, Body: body})
		}
		tag(0, append([]byte{0x17, 0, 0, 0, 0}, pictures[false][0]...)...)
		for at := time.Duration(0); at < length; at += frame {
			if at%(2*time.Second) == 0 {
				tag(at, 0x17, 1, 0, 0, 0, 0, 0, 0, 3, 0x65, 0x88, 0x84)
			} else {
				tag(at, 0x27, 1, 0, 0, 0, 0, 0, 0, 3, 0x41, 0x9A, 1)
			}
			if at+frame < length {
				say(pause)
			} else {
				say(time.Millisecond) // it breaks off as soon as it has sent it
			}
		}
	}
	if bye {
		command(0, "deleteStream", 4.0, amf.Null{}, 1.0)
		say(0)
	}
	return answered()
}

// F33: after twenty quick reconnects the line is where the clock is, also where
// each sends at once what it held back.
func TestF33ReconnectsDontRunAhead(t *testing.T) {
	for _, held := range []time.Duration{10 * time.Millisecond, 3 * time.Second} {
		t.Run(held.String(), func(t *testing.T) {
			inHouse(t, func(h *house) {
				for range 20 {
					p := h.call()
					h.encodeBy(p, 0, "cam1", held, 0, false)
					p.Close()
				}
				h.encode("cam1", 4*time.Second, false)
				synctest.Wait()
				for _, s := range h.app.catalog.Streams() {
					if ahead := time.Until(s.Window().End()); ahead > 50*time.Millisecond || ahead < -50*time.Millisecond {
						t.Errorf("the line ends %v ahead of the clock", ahead)
					}
				}
			})
		})
	}
}

// F33: who publishes and says goodbye all the time, over one connection or over
// many, begins no more often than the numbers of the stream can bear.
func TestF33PublicationRate(t *testing.T) {
	for _, one := range []bool{true, false} {
		t.Run(map[bool]string{true: "one connection", false: "many"}[one], func(t *testing.T) {
			inHouse(t, func(h *house) {
				began, n, refused := time.Now(), 0, 0
				p := h.call()
				for before := 0; time.Since(began) < 2*time.Minute; before = p.heard.Len() {
					var answer string
					if one {
						answer = h.encodeBy(p, before, "cam1", 10*time.Millisecond, 0, true)
					} else {
						answer = h.encode("cam1", 10*time.Millisecond, true)
					}
					if strings.Contains(answer, "Publish.Start") {
						n++
					} else {
						refused++
					}
				}
				p.Close()
				synctest.Wait()
				// 20 and one in 5 s.
				if most := 20 + 24 + 2; n > most || n < most/2 {
					t.Errorf("%d publications in two minutes, %d refused", n, refused)
				}
				for _, s := range h.app.catalog.Streams() {
					r := s.Window().Renditions[0]
					if next := packager.MSN(time.Since(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)) / time.Second * 4); r.Open > next+4 {
						t.Errorf("its numbers are %d ahead of the clock", r.Open-next)
					}
				}
			})
		})
	}
}
