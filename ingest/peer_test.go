package ingest_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"github.com/sluice-live/sluice/ingest"
	"github.com/sluice-live/sluice/ingest/amf"
	"github.com/sluice-live/sluice/ingest/chunk"
	"github.com/sluice-live/sluice/ingest/flv"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func limits() ingest.Limits {
	return ingest.Limits{
		HandshakeTimeout: 5 * time.Second,
		PublishTimeout:   10 * time.Second,
		IdleTimeout:      15 * time.Second,
		WriteTimeout:     10 * time.Second,
		MessageTimeout:   30 * time.Second,
		Bitrate:          50_000_000,
		Chunk:            chunk.DefaultLimits(),
	}
}

// world is a server in fake time and what it did: everybody in it can be
// waited for, so nothing sleeps and nothing is polled.
type world struct {
	t        *testing.T
	server   *ingest.Server
	listener *listener
	log      *logBook
	stop     context.CancelFunc
	done     chan error

	mu    sync.Mutex
	sinks []*sink
	asked []ingest.Request
	// around is what the server gets a connection in; nil: as it is.
	around func(net.Conn) net.Conn
	// admit decides about a publication; nil lets all in.
	admit func(ingest.Request) error
}

func (w *world) Codecs() []flv.FourCC { return []flv.FourCC{flv.AVC1, flv.HVC1, flv.MP4A} }

// live runs f with a server, and ends the server behind it. A goroutine that
// is left makes synctest fail.
func live(t *testing.T, f func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t, listener: newListener(), log: &logBook{}, done: make(chan error, 1)}
		w.server = &ingest.Server{Limits: limits(), Handler: w, Log: zerolog.New(w.log), Now: time.Now}
		var ctx context.Context
		ctx, w.stop = context.WithCancel(t.Context())
		go func() { w.done <- w.server.Serve(ctx, w.listener) }()
		f(w)
		w.stop()
		if err := <-w.done; err != nil {
			t.Errorf("Serve: %v", err)
		}
		synctest.Wait()
		for i, s := range w.sinks {
			if s.closed != 1 {
				t.Errorf("sink %d was closed %d times", i, s.closed)
			}
		}
	})
}

func (w *world) Publish(_ context.Context, r ingest.Request) (string, ingest.Sink, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked = append(w.asked, r)
	if w.admit != nil {
		if err := w.admit(r); err != nil {
			return "", nil, err
		}
	}
	s := &sink{}
	w.sinks = append(w.sinks, s)
	return r.App + "/" + r.Name, s, nil
}

// sink notes what it gets. It is read after synctest.Wait only.
type sink struct {
	tags   []string // type, timestamp, body in hex
	came   []time.Time
	closed int
	cause  error
	fail   func(flv.Tag) error
}

func (s *sink) WriteTag(tag flv.Tag) error {
	if s.fail != nil {
		if err := s.fail(tag); err != nil {
			return err
		}
	}
	s.came = append(s.came, tag.Arrived)
	s.tags = append(s.tags, fmt.Sprintf("%v %d %x", tag.Type, tag.Timestamp, tag.Body))
	return nil
}

func (s *sink) Close(cause error) {
	s.closed++
	s.cause = cause
}

func (s *sink) String() string { return strings.Join(s.tags, ", ") }

// logBook keeps the lines of a log.
type logBook struct {
	mu    sync.Mutex
	lines []string
}

func (b *logBook) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lines = append(b.lines, strings.TrimSpace(string(p)))
	return len(p), nil
}

// about returns the lines of level info and above about one peer.
func (b *logBook) about(remote string) []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(b.lines), func(line string) bool {
		return strings.Contains(line, `"level":"debug"`) || !strings.Contains(line, `"remote":"`+remote+`"`)
	})
}

// listener hands out the ends of in-memory connections.
type listener struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newListener() *listener {
	return &listener{conns: make(chan net.Conn), closed: make(chan struct{})}
}

func (l *listener) Accept() (net.Conn, error) {
	select {
	case nc := <-l.conns:
		return nc, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *listener) Close() error   { l.once.Do(func() { close(l.closed) }); return nil }
func (l *listener) Addr() net.Addr { return addr("server") }

type addr string

func (a addr) Network() string { return "memory" }
func (a addr) String() string  { return string(a) }

// served is the server's end of a connection.
type served struct {
	net.Conn
	remote addr
	deaf   atomic.Bool  // the peer is gone, as far as our writes can tell
	unread atomic.Int32 // bytes that have come, as far as the socket can tell
}

func (s *served) Unread() int { return int(s.unread.Load()) }

func (s *served) RemoteAddr() net.Addr { return s.remote }

func (s *served) Write(b []byte) (int, error) {
	if s.deaf.Load() {
		return 0, &net.OpError{Op: "write", Err: os.NewSyscallError("write", syscall.EPIPE)}
	}
	return s.Conn.Write(b)
}

// peer is an encoder written by hand.
type peer struct {
	t    *testing.T
	name string
	nc   net.Conn
	end  *served // the server's
	w    *chunk.Writer
	born time.Time

	// What the server said. Read after synctest.Wait only.
	greeting []byte // S0, S1 and S2
	mu       sync.Mutex
	heard    []string // messages in words, see hear
	closed   instant
}

// instant is when something happened. Anybody may ask at any time.
type instant struct{ at atomic.Pointer[time.Time] }

func (i *instant) happen() { now := time.Now(); i.at.Store(&now) }

func (i *instant) IsZero() bool { return i.at.Load() == nil }

func (i *instant) Sub(t time.Time) time.Duration { return i.at.Load().Sub(t) }

const greetingSize = 1 + 1536 + 1536

// dial connects, and listens to all that the server says.
func (w *world) dial(name string) *peer {
	p := w.dialDeaf(name)
	go func() {
		defer p.closed.happen()
		b := make([]byte, greetingSize)
		n, err := io.ReadFull(p.nc, b)
		if p.greeting = b[:n]; err == nil {
			listen(p.nc, func(s string) {
				p.mu.Lock()
				defer p.mu.Unlock()
				p.heard = append(p.heard, s)
			})
		}
	}()
	return p
}

// dialDeaf connects, and never reads.
func (w *world) dialDeaf(name string) *peer {
	ours, theirs := net.Pipe()
	p := &peer{t: w.t, name: name, nc: ours, end: &served{Conn: theirs, remote: addr(name)}, w: chunk.NewWriter(ours), born: time.Now()}
	if w.around != nil {
		w.listener.conns <- w.around(p.end)
	} else {
		w.listener.conns <- p.end
	}
	return p
}

// say writes raw bytes. A server that has hung up is no fault of ours.
func (p *peer) say(b []byte) error {
	_, err := p.nc.Write(b)
	synctest.Wait()
	return err
}

// hello is C0 and C1 of an encoder that doesn't sign.
func hello() []byte { return append([]byte{3}, make([]byte, 1536)...) }

func (p *peer) handshake() {
	p.say(hello())
	if len(p.greeting) != greetingSize {
		p.t.Fatalf("%s: a greeting of %d bytes", p.name, len(p.greeting))
	}
	p.say(p.greeting[1 : 1+1536])
}

// send writes messages in one piece.
func (p *peer) send(messages ...chunk.Message) error {
	for _, m := range messages {
		if m.Type == chunk.TypeSetChunkSize {
			p.w.SetChunkSize(binary.BigEndian.Uint32(m.Body))
			continue
		}
		p.w.WriteMessage(m)
	}
	err := p.w.Flush()
	synctest.Wait()
	return err
}

// hear returns what the server said since the last time.
func (p *peer) hear() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := strings.Join(p.heard, "\n")
	p.heard = nil
	return s
}

// expect is an error unless the server said exactly these lines.
func (p *peer) expect(want string) {
	p.t.Helper()
	lines := strings.Split(strings.TrimSpace(want), "\n")
	for i := range lines {
		lines[i] = strings.TrimSpace(lines[i])
	}
	if got := p.hear(); got != strings.Join(lines, "\n") {
		p.t.Errorf("%s hears\n%s\nand not\n%s", p.name, got, strings.Join(lines, "\n"))
	}
}

// publish goes all the way to an accepted publication.
func (p *peer) publish(name string) {
	p.handshake()
	p.send(connect("live"))
	p.send(command(3, 0, "createStream", 2, amf.Null{}))
	p.send(command(4, 1, "publish", 3, amf.Null{}, name, "live"))
	if !strings.Contains(p.hear(), "NetStream.Publish.Start") {
		p.t.Fatalf("%s may not publish", p.name)
	}
}

// lifetime is how long the connection was open; zero if it is.
func (p *peer) lifetime() time.Duration {
	if p.closed.IsZero() {
		return 0
	}
	return p.closed.Sub(p.born)
}

func command(chunkStream, stream uint32, name string, txn float64, values ...any) chunk.Message {
	return chunk.Message{
		ChunkStreamID: chunkStream, StreamID: stream, Type: chunk.TypeCommandAMF0,
		Body: amf.Append(amf.Append(nil, name, txn), values...),
	}
}

func connect(app string) chunk.Message {
	return command(3, 0, "connect", 1, amf.Object{{Name: "app", Value: app}, {Name: "flashVer", Value: "test"}})
}

func control(t chunk.Type, body string) chunk.Message {
	return chunk.Message{ChunkStreamID: 2, Type: t, Body: unhex(body)}
}

func metadata() chunk.Message {
	return chunk.Message{ChunkStreamID: 4, StreamID: 1, Type: chunk.TypeDataAMF0,
		Body: amf.Append(nil, "@setDataFrame", "onMetaData", amf.ECMAArray{{Name: "width", Value: 2.0}})}
}

// metadataTag is what a sink gets of metadata.
var metadataTag = fmt.Sprintf("script 0 %x", amf.Append(nil, "onMetaData", amf.ECMAArray{{Name: "width", Value: 2.0}}))

func video(timestamp uint32, body string) chunk.Message {
	return chunk.Message{ChunkStreamID: 4, StreamID: 1, Timestamp: timestamp, Type: chunk.TypeVideo, Body: unhex(body)}
}

func audio(timestamp uint32, body string) chunk.Message {
	return chunk.Message{ChunkStreamID: 4, StreamID: 1, Timestamp: timestamp, Type: chunk.TypeAudio, Body: unhex(body)}
}

// Bodies of tags.
const (
	videoConfig = "17000000000164001fffe1"
	audioConfig = "af001190"
	keyframe    = "17010000000000000165"
	interFrame  = "27010000000000000141"
	audioFrame  = "af0121"
)

func unhex(s string) []byte {
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		panic(err)
	}
	return b
}

// listen reads chunks as the specification tells, in other words than package
// chunk, and tells each message in a line.
func listen(r io.Reader, tell func(string)) {
	type state struct {
		timestamp, length, typ, stream uint32
		body                           []byte
	}
	streams := map[byte]*state{}
	size := 128
	read := func(n int) ([]byte, bool) {
		b := make([]byte, n)
		_, err := io.ReadFull(r, b)
		return b, err == nil
	}
	for {
		basic, ok := read(1)
		if !ok {
			return
		}
		id := basic[0] & 0x3F
		if id < 2 {
			tell("a basic header of more than one byte")
			return
		}
		s := streams[id]
		if s == nil {
			s = &state{}
			streams[id] = s
		}
		head, _ := read([]int{11, 7, 3, 0}[basic[0]>>6])
		n := binary.BigEndian.Uint32
		if len(head) >= 3 {
			s.timestamp = n(append([]byte{0}, head[:3]...))
		}
		if len(head) >= 7 {
			s.length, s.typ = n(append([]byte{0}, head[3:6]...)), uint32(head[6])
		}
		if len(head) == 11 {
			s.stream = binary.LittleEndian.Uint32(head[7:])
		}
		piece, ok := read(min(size, int(s.length)-len(s.body)))
		if !ok {
			return
		}
		if s.body = append(s.body, piece...); len(s.body) < int(s.length) {
			continue
		}
		body := s.body
		s.body = nil
		if s.typ == 1 {
			size = int(n(body))
		}
		tell(fmt.Sprintf("%d/%d %s", id, s.stream, words(s.typ, body)))
	}
}

// words tells what is in a message of the server.
func words(typ uint32, body []byte) string {
	switch typ {
	case 1:
		return fmt.Sprint("set chunk size ", binary.BigEndian.Uint32(body))
	case 3:
		return fmt.Sprint("acknowledgement ", binary.BigEndian.Uint32(body))
	case 4:
		return fmt.Sprintf("user control %d %x", binary.BigEndian.Uint16(body), body[2:])
	case 5:
		return fmt.Sprint("window ack size ", binary.BigEndian.Uint32(body))
	case 6:
		return fmt.Sprint("set peer bandwidth ", binary.BigEndian.Uint32(body), " ", body[4])
	case 20:
		values, err := amf.Decode(body)
		if err != nil {
			return err.Error()
		}
		// ffmpeg finds the transaction of a result at this place.
		if bytes.HasPrefix(body, []byte("\x02\x00\x07_result")) && body[10] != 0 {
			return "a _result without a number at byte 10"
		}
		var out []string
		for _, v := range values {
			out = append(out, word(v))
		}
		return strings.Join(out, " ")
	}
	return fmt.Sprintf("type %d: %x", typ, body)
}

func word(v any) string {
	switch v := v.(type) {
	case amf.Null:
		return "null"
	case amf.Undefined:
		return "undefined"
	case amf.Object:
		var out []string
		for _, p := range v {
			out = append(out, p.Name+"="+word(p.Value))
		}
		return "{" + strings.Join(out, ", ") + "}"
	}
	return fmt.Sprint(v)
}

// pass lets fake time go by, and all that happens in it happen.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}
