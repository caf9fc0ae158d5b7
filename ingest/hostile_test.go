package ingest_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluice-live/sluice/ingest"
	"github.com/sluice-live/sluice/ingest/amf"
	"github.com/sluice-live/sluice/ingest/chunk"
)

// heap is what lives in memory.
func heap() int {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

// begin is a chunk that begins a video message of a length, with some of it.
func begin(chunkStream uint32, length, sent int) []byte {
	b := []byte{byte(chunkStream)}
	if chunkStream >= 64 {
		b = binary.LittleEndian.AppendUint16([]byte{1}, uint16(chunkStream-64))
	}
	b = append(b, 0, 0, 0, byte(length>>16), byte(length>>8), byte(length), byte(chunk.TypeVideo), 1, 0, 0, 0)
	return append(b, make([]byte, sent)...)
}

const setLargestChunk = "02 000000 000004 01 00000000 7fffffff"

// F22: what a chunk header says costs nothing; what can't be is refused, and
// the peer is told why.
func TestF22Chunks(t *testing.T) {
	const allowed = 1 << 20 // bytes of heap beside what was sent
	manyStreams := func(n uint32) (b []byte) {
		for id := range n {
			b = append(b, begin(2+id+1, 200, 128)...)
		}
		return b
	}
	whole := unhex(setLargestChunk)
	for range 16 {
		whole = append(whole, begin(7, 1<<18, 1<<18)...)
	}
	var abandoned []byte
	for range 5000 { // begun, one chunk sent, taken back
		abandoned = append(abandoned, begin(7, 10<<20, 128)...)
		abandoned = append(abandoned, unhex("02 000000 000004 02 00000000 00000007")...)
	}
	for _, c := range []struct {
		name      string
		published bool
		raw       []byte
		want      string // what the peer hears; "" where nothing is wrong
	}{
		{"a message of 16 MB, not let in", false, begin(4, 1<<24-1, 128), "announces 16777215 bytes, the limit is 65536"},
		{"a message of 16 MB", true, begin(4, 1<<24-1, 128), "announces 16777215 bytes, the limit is 10485760"},
		{"10 MB announced", true, begin(4, 10<<20, 128), ""},
		{"10 MB announced in one chunk", true, append(unhex(setLargestChunk), begin(4, 10<<20, 1000)...), ""},
		{"chunk size 2^31", true, unhex("02 000000 000004 01 00000000 80000000"), "2147483648 is out of range"},
		{"chunk size 2^31−1", true, unhex(setLargestChunk), ""},
		{"chunk size 0", true, unhex("02 000000 000004 01 00000000 00000000"), "0 is out of range"},
		{"chunk size 1", false, unhex("02 000000 000004 01 00000000 00000001"), "1 is out of range"},
		{"chunk size without one", true, unhex("02 000000 000000 01 00000000"), "short body"},
		{"65,537 chunk streams, not let in", false, manyStreams(65537), "more than 8 chunk streams"},
		{"65,537 chunk streams", true, manyStreams(65537), "more than 64 chunk streams"},
		{"messages of 256 KB that end", true, whole, ""},
		{"5000 messages taken back", true, abandoned, ""},
		{"Abort of what isn't there", true, unhex("02 000000 000004 02 00000000 0000ffff"), ""},
		{"Abort of nothing", true, unhex("02 000000 000000 02 00000000"), "short body"},
		{"a message inside a message", true, append(begin(4, 300, 128), begin(4, 300, 128)...), "inside a message"},
	} {
		t.Run(c.name, func(t *testing.T) {
			live(t, func(w *world) {
				p := w.dial("peer")
				if p.publish("key"); !c.published {
					p.nc.Close()
					p = w.dial("stranger")
					p.handshake()
					p.send(connect("live"))
					p.hear()
				}
				synctest.Wait()
				w.forget()
				before := heap()
				p.say(c.raw)
				w.forget() // the tags that our sink keeps
				if grown := heap() - before; grown > allowed {
					t.Errorf("%d bytes of heap for %d sent", grown, len(c.raw))
				}
				said := p.hear()
				if c.want == "" {
					if !p.closed.IsZero() || strings.Contains(said, "error") {
						t.Errorf("hung up; said %q", said)
					}
					p.nc.Close()
					return
				}
				pass(limits().HandshakeTimeout)
				if p.closed.IsZero() || !strings.Contains(said, "level=error") || !strings.Contains(said, c.want) {
					t.Errorf("closed: %v; said %q, want %q", !p.closed.IsZero(), said, c.want)
				}
				if log := strings.Join(w.log.about(p.name), "\n"); !strings.Contains(log, c.want) {
					t.Errorf("logged %q, want %q", log, c.want)
				}
			})
		})
	}
}

// F22: others are told what a connection holds, so that it can be counted.
func TestF22Held(t *testing.T) {
	const piece, buffer, incomplete = 64 << 10, 64 << 10, 16 << 20
	live(t, func(w *world) {
		p := w.dial("peer")
		p.publish("key")
		p.say(unhex("02 000000 000004 01 00000000 00010000")) // pieces of 64 KiB
		sent := 0
		for round := 0; p.closed.IsZero() && round < 160; round++ {
			for id := byte(4); id < 34 && p.closed.IsZero(); id++ {
				chunk := append([]byte{0xC0 | id}, make([]byte, piece)...)
				if round == 0 {
					chunk = begin(uint32(id), 10<<20, piece)
				}
				if p.say(chunk) == nil {
					sent += piece
				}
				if n := w.asked[0].Peer.Held(); n < sent-2*piece || n > 2*sent+2*buffer || n > incomplete*5/4+2*buffer {
					t.Fatalf("holds %d bytes of %d sent", n, sent)
				}
				pass(10 * time.Millisecond)
			}
			pass(time.Second)
		}
		if sent < incomplete-piece || !strings.Contains(p.hear(), "unfinished messages hold more than") {
			t.Errorf("%d bytes of unfinished messages, and it goes on", sent)
		}
		p.nc.Close()
	})
}

// refuseAll lets nobody in.
func refuseAll(ingest.Request) error { return errors.New("refused by the test") }

// forget drops what the sinks were given.
func (w *world) forget() {
	for _, s := range w.sinks {
		s.tags = nil
	}
}

// F22: a peer that wants an acknowledgement of each byte gets one now and then.
func TestF22Acknowledgements(t *testing.T) {
	live(t, func(w *world) {
		p := w.dial("peer")
		p.publish("key")
		p.send(control(chunk.TypeWindowAckSize, "00000000"))
		const sent = 1 << 20
		for range sent / 1024 {
			p.send(chunk.Message{ChunkStreamID: 4, StreamID: 1, Type: chunk.TypeVideo, Body: make([]byte, 1024)})
		}
		if n := strings.Count(p.hear(), "acknowledgement"); n == 0 || n > sent/(64<<10)+1 {
			t.Errorf("%d acknowledgements of %d bytes", n, sent)
		}
		p.nc.Close()
	})
}

// F22: commands that ask for something again and again are answered in bounded
// size, and don't pile up.
func TestF22Commands(t *testing.T) {
	long := strings.Repeat("n", 60_000)
	live(t, func(w *world) {
		p := w.dial("peer")
		p.handshake()
		p.send(connect("live"))
		p.hear()
		p.send(command(3, 0, long, 7), command(3, 0, "FCPublish", 8, amf.Null{}, long), command(3, 0, "FCUnpublish", 9, amf.Null{}, long))
		said := p.hear()
		if len(said) > 4096 || !strings.Contains(said, "unknown command nnn") {
			t.Errorf("%d bytes come back: %.200s", len(said), said)
		}
		before := heap()
		const n = 300 // as fast as commands may come
		for range n {
			p.send(command(3, 0, "createStream", 2, amf.Null{}))
			pass(time.Second / 50)
		}
		refused := strings.Count(p.hear(), "too many streams")
		if grown := heap() - before; refused != n-8 || grown > 1<<20 {
			t.Errorf("%d of %d refused, %d bytes of heap", refused, n, grown)
		}
		p.nc.Close()
	})
}

// F23: values that no encoder sends are skipped, and the dialogue goes on.
func TestF23Commands(t *testing.T) {
	name := amf.Append(nil, "publish", 3.0)
	deep := slices.Concat(name, bytes.Repeat(unhex("03 0001 61"), 10_000))
	for _, c := range []struct {
		name string
		body []byte
	}{
		{"10,000 levels", deep},
		{"AMF3 behind its marker", append(slices.Clone(name), 0x11, 0x0A, 0x0B, 0x01)},
		{"a string longer than the rest", append(slices.Clone(name), unhex("0c ffffffff 61")...)},
		{"an array of 2^32−1", append(slices.Clone(name), unhex("0a ffffffff 05")...)},
		{"an array in itself", append(slices.Clone(name), unhex("0a 00000001 07 0000")...)},
		{"a name that is a number", amf.Append(nil, 1.0, 2.0)},
		{"nothing", nil},
	} {
		live(t, func(w *world) {
			p := w.dial("peer")
			p.handshake()
			p.send(connect("live"))
			p.hear()
			before := heap()
			p.send(chunk.Message{ChunkStreamID: 3, Type: chunk.TypeCommandAMF0, Body: c.body})
			if grown := heap() - before; grown > 1<<20 {
				t.Errorf("%s: %d bytes of heap", c.name, grown)
			}
			w.asked = nil // a command whose beginning can be read is obeyed
			p.send(command(3, 0, "createStream", 2, amf.Null{}), command(4, 1, "publish", 3, amf.Null{}, "key", "live"))
			if said := p.hear(); !strings.Contains(said, "NetStream.Publish.Start") && !strings.Contains(said, "publishes a stream already") {
				t.Errorf("%s: then %q", c.name, said)
			}
			p.nc.Close()
		})
	}
}

// F25: what isn't a name comes back cut short, to the peer and into the log,
// and a query has a length that is enough for any token.
func TestF25LongNames(t *testing.T) {
	long := strings.Repeat("x", 30_000)
	for _, c := range []struct{ app, name, want string }{
		{long, "key", "refused by the test"},
		{"live", long, "refused by the test"},
		{"live?" + long, "key", "a query of 30000 bytes, the limit is 4096"},
		{"live", "key?" + long, "a query of 30000 bytes, the limit is 4096"},
		{"live\r\n{\"level\":\"error\"}", "a\x1b[31m", "refused by the test"},
	} {
		live(t, func(w *world) {
			w.admit = refuseAll
			p := w.dial("peer")
			p.handshake()
			p.send(connect(c.app))
			p.hear()
			p.send(command(4, 1, "publish", 3, amf.Null{}, c.name))
			said := p.hear()
			if !strings.Contains(said, c.want) || len(said) > 2000 {
				t.Errorf("%.20q/%.20q: said %.300q in %d bytes", c.app, c.name, said, len(said))
			}
			pass(limits().HandshakeTimeout)
			lines := w.log.about("peer")
			if len(lines) != 1 || !strings.Contains(lines[0], c.want) || len(lines[0]) > 2000 || strings.ContainsAny(lines[0], "\r\n\x1b") {
				t.Errorf("%.20q/%.20q: logged %.300q", c.app, c.name, lines)
			}
		})
	}
}

// F25: what an encoder calls itself is logged as it is, but not all of it.
func TestF25LongSoftware(t *testing.T) {
	live(t, func(w *world) {
		p := w.dial("peer")
		p.handshake()
		p.send(command(3, 0, "connect", 1, amf.Object{{Name: "app", Value: "live"}, {Name: "flashVer", Value: "OBS\n" + strings.Repeat("x", 30_000)}}))
		p.send(command(3, 0, "createStream", 2, amf.Null{}))
		p.send(command(4, 1, "publish", 3, amf.Null{}, "key", "live"))
		text := strings.Join(w.log.about("peer"), "\n")
		if !strings.Contains(text, `OBS\nxxx`) || len(text) > 1000 {
			t.Errorf("logged %.300q in %d bytes", text, len(text))
		}
	})
}
