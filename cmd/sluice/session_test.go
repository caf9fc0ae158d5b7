package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bluenviron/gohlslib/v2/pkg/playlist"
	"github.com/rs/zerolog"

	"github.com/sluice-live/sluice/cmd/sluice/ports"
	"github.com/sluice-live/sluice/config"
	"github.com/sluice-live/sluice/e2e/lists"
	"github.com/sluice-live/sluice/httpserve"
	"github.com/sluice-live/sluice/ingest"
	"github.com/sluice-live/sluice/ingest/amf"
	"github.com/sluice-live/sluice/ingest/chunk"
	"github.com/sluice-live/sluice/ingest/handshake"
	"github.com/sluice-live/sluice/packager"
)

// house is the server with a pipe for a port, in fake time, and what came out
// of it.
type house struct {
	t    *testing.T
	app  *app
	door *pipeListener
	log  *journal

	files     map[string][]byte // by rendition and name
	parts     map[packager.RenditionID][]heldPart
	sequences map[packager.RenditionID][2]int64
}

// heldPart is a part that a window had.
type heldPart struct {
	period string
	packager.Part
}

// inHouse runs f with a server, and ends it behind f. A goroutine that is left
// makes synctest fail.
func inHouse(t *testing.T, f func(h *house)) {
	t.Helper()
	inHouseOf(t, func(*house) {}, f)
}

// inHouseOf does so with a server that build has changed before it runs.
func inHouseOf(t *testing.T, build, f func(h *house)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)))
		cfg := config.Default()
		h := &house{
			t: t, log: new(journal), door: &pipeListener{conns: make(chan net.Conn), closed: make(chan struct{})},
			files: make(map[string][]byte), parts: make(map[packager.RenditionID][]heldPart), sequences: make(map[packager.RenditionID][2]int64),
		}
		log := zerolog.New(h.log)
		h.app = &app{cfg: cfg, log: zerolog.Nop(), clock: machineClock()}
		h.app.catalog = packager.NewCatalog(settings(cfg.Window), h.app.clock.now)
		h.app.gate = (&simulation{}).gate(h.app)
		door := h.app.gate
		door.Log = log
		h.app.rtmp = &ingest.Server{
			Limits:  limits(cfg.RTMP),
			Handler: door,
			Log:     log, Now: time.Now,
		}
		h.app.http = &httpserve.Server{Catalog: h.app.catalog, Hold: time.Second, WriteTimeout: time.Second, Log: log, Now: h.app.clock.now}
		h.app.ports = &ports.Ports{RTMP: []net.Listener{h.door}}
		build(h)
		ctx, stop := context.WithCancel(t.Context())
		var server sync.WaitGroup
		server.Go(func() {
			if err := h.app.run(ctx); err != nil {
				t.Error(err)
			}
		})
		f(h)
		stop()
		server.Wait()
		h.look()
		h.checkParts()
		if text := h.log.String(); strings.Contains(text, `"panic"`) {
			t.Errorf("a panic: %s", text)
		}
	})
}

// look takes down what all windows have now.
func (h *house) look() {
	for _, s := range h.app.catalog.Streams() {
		w := s.Window()
		for i := range w.Renditions {
			r := &w.Renditions[i]
			for _, seg := range append(r.Retired[:len(r.Retired):len(r.Retired)], r.Segments...) {
				h.file(r.ID, seg.Header.Name(), seg.Header.Bytes)
				for _, p := range seg.Parts {
					h.part(r.ID, seg.Header, p)
				}
			}
			for _, p := range r.Parts {
				h.part(r.ID, r.Header, p)
			}
			if len(r.Segments) == 0 {
				continue
			}
			first, before := r.Segments[0], h.sequences[r.ID]
			now := [2]int64{int64(first.MSN), first.Header.Period.Sequence}
			if now[0] < before[0] || now[1] < before[1] {
				h.t.Errorf("%s: sequences %d after %d", r.ID, now, before)
			}
			h.sequences[r.ID] = now
		}
	}
}

func (h *house) part(id packager.RenditionID, header *packager.Header, p packager.Part) {
	if h.file(id, header.PartName(p.Number), p.Bytes) {
		h.parts[id] = append(h.parts[id], heldPart{header.Period.ID, p})
	}
}

// file returns whether the name is a new one.
func (h *house) file(id packager.RenditionID, name string, b []byte) bool {
	key := string(id) + "/" + name
	before, known := h.files[key]
	if known && !bytes.Equal(before, b) {
		h.t.Errorf("%s has other bytes than before", key)
	}
	h.files[key] = bytes.Clone(b)
	return !known
}

// checkParts reads all parts in order: within a period, one sample is decoded
// where the one before ends, or where the gap behind that one ends. A gap has
// no bytes; another period may begin behind it.
func (h *house) checkParts() {
	for id, parts := range h.parts {
		next, period := int64(0), ""
		for _, p := range parts {
			if p.Gap {
				if len(p.Bytes) != 0 || p.Duration <= 0 {
					h.t.Fatalf("%s: part %d: a gap of %d ticks with %d bytes", id, p.Number, p.Duration, len(p.Bytes))
				}
				if p.period == period {
					next += p.Duration
				} else {
					period = "" // where a period's first gap begins, no sample tells
				}
				continue
			}
			samples, err := readSamples(p.Bytes)
			if err != nil || len(samples) == 0 {
				h.t.Fatalf("%s: part %d: %d samples, %v", id, p.Number, len(samples), err)
			}
			for _, s := range samples {
				if s.duration <= 0 || s.dts < 0 || p.period == period && s.dts != next {
					h.t.Fatalf("%s: part %d: a sample of %d ticks at %d, the one before ends at %d", id, p.Number, s.duration, s.dts, next)
				}
				next, period = s.dts+s.duration, p.period
			}
		}
	}
}

// draw asks for all lists of live/cam1 and reads them with other people's readers.
func (h *house) draw() {
	handler := h.app.http.Handler()
	for _, name := range []string{"index.m3u8", "v1.m3u8", "a1.m3u8", "index.mpd"} {
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequest("GET", "/live/cam1/"+name, nil))
		body := w.Body.Bytes()
		switch w.Code {
		case 200:
		case 404, 503:
			continue
		default:
			h.t.Fatalf("%s: %d %s", name, w.Code, body)
		}
		var err error
		if name == "index.mpd" {
			_, err = lists.ParseMPD("", body)
		} else {
			_, err = playlist.Unmarshal(body)
		}
		if err != nil {
			h.t.Fatalf("%s: %v\n%s", name, err, body)
		}
	}
}

// stranger is a peer's end of a connection.
type stranger struct {
	net.Conn
	heard record
}

// record is what was heard so far.
type record struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (r *record) Write(b []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.b.Write(b)
}

func (r *record) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.b.String()
}

func (r *record) Len() int { return len(r.String()) }

// call connects, shakes hands, and listens to all that comes.
func (h *house) call() *stranger {
	p := &stranger{Conn: h.door.dial()}
	if err := handshake.Dial(p.Conn, 0, bytes.NewReader(make([]byte, 4096))); err != nil {
		h.t.Fatal(err)
	}
	go io.Copy(&p.heard, p.Conn)
	return p
}

// say writes, and lets what follows from it happen. A server that has hung up
// is no fault.
func (p *stranger) say(b []byte, pause time.Duration) {
	p.SetWriteDeadline(time.Now().Add(30 * time.Second))
	p.Write(b)
	time.Sleep(pause)
	synctest.Wait()
}

// opening is what leads to an accepted publication of live/cam1.
func opening(w *chunk.Writer) {
	command := func(streamID uint32, name string, txn float64, values ...any) {
		w.WriteMessage(chunk.Message{ChunkStreamID: 3, StreamID: streamID, Type: chunk.TypeCommandAMF0,
			Body: amf.Append(amf.Append(nil, name, txn), values...)})
	}
	command(0, "connect", 1, amf.Object{{Name: "app", Value: "live"}})
	command(0, "createStream", 2, amf.Null{})
	command(1, "publish", 3, amf.Null{}, "cam1", "live")
}

// scribe writes the inputs of FuzzSession's second kind: messages.
type scribe struct{ b []byte }

func (s *scribe) message(typ chunk.Type, step int16, parts ...[]byte) *scribe {
	body := bytes.Join(parts, nil)
	s.b = binary.BigEndian.AppendUint16(append(s.b, byte(typ)), uint16(step))
	s.b = append(binary.BigEndian.AppendUint16(s.b, uint16(len(body))), body...)
	return s
}

// gop writes a keyframe, frames and sound.
func (s *scribe) gop(frames int) *scribe {
	length := func(nal ...byte) []byte { return append(binary.BigEndian.AppendUint32(nil, uint32(len(nal))), nal...) }
	for i := range frames {
		head, nal := []byte{0x27, 1, 0, 0, 0}, length(0x41, 0x9A, byte(i))
		if i == 0 {
			head[0], nal = 0x17, length(0x65, 0x88, 0x84)
		}
		s.message(chunk.TypeVideo, 100, head, nal)
		s.message(chunk.TypeAudio, 0, []byte{0xAF, 1, 0x21, byte(i)})
	}
	return s
}

// sounds writes sound alone.
func (s *scribe) sounds(units int) *scribe {
	for i := range units {
		s.message(chunk.TypeAudio, 100, []byte{0xAF, 1, 0x21, byte(i)})
	}
	return s
}

func (s *scribe) configs() *scribe {
	s.message(chunk.TypeVideo, 0, []byte{0x17, 0, 0, 0, 0}, pictures[false][0])
	return s.message(chunk.TypeAudio, 0, []byte{0xAF, 0, 0x11, 0x90})
}

// FuzzSession has anything said behind a handshake: raw, cut into pieces, or as
// messages of a publication. Whatever comes out, one sample follows the other,
// names keep their bytes, numbers don't go back, lists can be read, and no
// goroutine is left.
func FuzzSession(f *testing.F) {
	var raw bytes.Buffer
	w := chunk.NewWriter(&raw)
	opening(w)
	w.WriteMessage(chunk.Message{ChunkStreamID: 4, StreamID: 1, Type: chunk.TypeVideo, Body: append([]byte{0x17, 0, 0, 0, 0}, pictures[false][0]...)})
	w.WriteMessage(chunk.Message{ChunkStreamID: 4, StreamID: 1, Timestamp: 40, Type: chunk.TypeVideo, Body: []byte{0x17, 1, 0, 0, 0, 0, 0, 0, 3, 0x65, 0x88, 0x84}})
	w.Flush()
	f.Add(false, raw.Bytes())
	f.Add(true, new(scribe).configs().gop(20).gop(20).gop(20).b)
	f.Add(true, new(scribe).configs().gop(10).message(chunk.TypeVideo, -32000).gop(10).message(chunk.TypeVideo, 32000).gop(10).b)
	f.Add(true, new(scribe).message(chunk.TypeAudio, 0, []byte{0xAF, 0, 0x12, 0x10}).gop(30).configs().gop(30).b)
	f.Add(true, new(scribe).configs().gop(15).message(chunk.TypeVideo, 0, []byte{0x17, 0, 0, 0, 0}, pictures[false][1]).gop(15).
		message(chunk.TypeDataAMF0, 0, amf.Append(nil, "onMetaData", amf.ECMAArray{{Name: "framerate", Value: 1e300}})).gop(15).b)
	f.Add(true, new(scribe).configs().gop(20).sounds(50).gop(20).sounds(100).b)
	f.Fuzz(func(t *testing.T, messages bool, b []byte) {
		b = b[:min(len(b), 16<<10)]
		inHouse(t, func(h *house) {
			p := h.call()
			if messages {
				h.publish(p, b)
			} else {
				for len(b) > 0 {
					n := min(len(b), 200)
					p.say(b[:n], 20*time.Millisecond)
					b = b[n:]
					h.look()
				}
			}
			h.draw()
			p.Close()
			synctest.Wait()
			h.look()
			h.draw()
		})
	})
}

// publish sends b as messages: type, step of the timestamp, length, body.
func (h *house) publish(p *stranger, b []byte) {
	var out bytes.Buffer
	w := chunk.NewWriter(&out)
	opening(w)
	var timestamp uint32
	for len(b) >= 5 {
		step := time.Duration(int16(binary.BigEndian.Uint16(b[1:])))
		n := min(int(binary.BigEndian.Uint16(b[3:])), len(b)-5)
		timestamp += uint32(step)
		typ := chunk.Type(b[0])
		if typ != chunk.TypeSetChunkSize { // the writer would go on as before
			w.WriteMessage(chunk.Message{ChunkStreamID: 4, StreamID: 1, Timestamp: timestamp, Type: typ, Body: b[5 : 5+n]})
		}
		w.Flush()
		p.say(out.Bytes(), max(0, min(step, 500))*time.Millisecond)
		out.Reset()
		h.look()
		b = b[5+n:]
	}
}
