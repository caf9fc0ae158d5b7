package ingest_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluice-live/sluice/ingest"
	"github.com/sluice-live/sluice/ingest/amf"
	"github.com/sluice-live/sluice/ingest/chunk"
	"github.com/sluice-live/sluice/ingest/flv"
)

// stage is a Handler that plays, too.
type stage struct {
	*world
	mu    sync.Mutex
	asked []ingest.Request
	plays []*play
	wait  time.Duration // before it answers
	admit func(ingest.Request) error
}

// play is a Source that a test feeds.
type play struct {
	mu       sync.Mutex
	tags     []flv.Drawn
	over     bool
	more     chan struct{}
	received []string
	rests    []time.Time
	closed   int
}

func (s *stage) Play(ctx context.Context, r ingest.Request) (string, ingest.Source, error) {
	s.mu.Lock()
	s.asked = append(s.asked, r)
	s.mu.Unlock()
	if s.wait > 0 {
		select {
		case <-time.After(s.wait):
		case <-ctx.Done():
			return "", nil, ctx.Err()
		}
	}
	if s.admit != nil {
		if err := s.admit(r); err != nil {
			return "", nil, err
		}
	}
	p := &play{more: make(chan struct{}, 1)}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.plays = append(s.plays, p)
	return r.App + "/" + r.Name, p, nil
}

// feed gives a reader tags.
func (p *play) feed(tags ...flv.Drawn) {
	p.mu.Lock()
	p.tags = append(p.tags, tags...)
	p.mu.Unlock()
	p.ring()
	synctest.Wait()
}

func (p *play) end() {
	p.mu.Lock()
	p.over = true
	p.mu.Unlock()
	p.ring()
	synctest.Wait()
}

func (p *play) ring() {
	select {
	case p.more <- struct{}{}:
	default:
	}
}

func (p *play) Next() (flv.Drawn, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.tags) == 0 {
		return flv.Drawn{}, false
	}
	d := p.tags[0]
	p.tags = p.tags[1:]
	return d, true
}

func (p *play) More(ctx context.Context) error {
	p.mu.Lock()
	over := p.over
	p.mu.Unlock()
	if over {
		return io.EOF
	}
	select {
	case <-p.more:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (p *play) Rest(ctx context.Context) error {
	p.rests = append(p.rests, time.Now())
	<-ctx.Done()
	return ctx.Err()
}

func (p *play) Receive(kind flv.Kind, on bool) {
	p.received = append(p.received, fmt.Sprint(kind, on))
}
func (p *play) Close() { p.closed++ }

func frame(at uint32, body string) flv.Drawn {
	return flv.Drawn{Head: []byte{0x27, 1, 0, 0, 0}, Tag: flv.Tag{Type: flv.TagVideo, Timestamp: at, Body: []byte(body)}}
}

// staged runs f with a server that plays.
func staged(t *testing.T, f func(s *stage)) {
	t.Helper()
	live(t, func(w *world) {
		s := &stage{world: w}
		w.server.Handler = s
		f(s)
		w.stop()
		synctest.Wait()
		for i, p := range s.plays {
			if p.closed != 1 {
				t.Errorf("source %d was closed %d times", i, p.closed)
			}
		}
	})
}

// reader goes as far as createStream.
func (s *stage) reader(name string) *peer {
	p := s.dial(name)
	p.handshake()
	p.send(connect("live"))
	p.send(command(3, 0, "createStream", 2, amf.Null{}))
	p.hear()
	return p
}

const playing = `
	2/0 user control 0 00000001
	5/1 onStatus 0 null {level=status, code=NetStream.Play.Reset, description=playing and resetting}
	5/1 onStatus 0 null {level=status, code=NetStream.Play.Start, description=playing}
	5/1 onStatus 0 null {level=status, code=NetStream.Play.PublishNotify, description=the stream is published}
	5/1 type 18: 0200117c52746d7053616d706c6541636365737301010101`

// What readers say, in the orders in which they say it, and what they wait for.
func TestReaders(t *testing.T) {
	for _, c := range []struct {
		name     string
		messages []chunk.Message
		want     string
	}{
		{"FFmpeg", []chunk.Message{
			control(chunk.TypeWindowAckSize, "00100000"),
			command(3, 0, "createStream", 2, amf.Null{}),
			command(3, 0, "FCSubscribe", 3, amf.Null{}, "cam1"),
			command(8, 1, "getStreamLength", 4, amf.Null{}, "cam1"),
			command(8, 1, "play", 5, amf.Null{}, "cam1", -2000.0),
			control(chunk.TypeUserControl, "0003 00000001 00000bb8"),
		}, `
			3/0 _result 2 null 1
			3/0 onFCSubscribe 0 null {level=status, code=NetStream.Play.Start, description=cam1}
			3/0 _result 3 null undefined
			3/0 _result 4 null 0` + playing},
		{"librtmp", []chunk.Message{
			control(chunk.TypeUserControl, "0003 00000000 0000012c"),
			command(3, 0, "createStream", 2, amf.Null{}),
			command(3, 0, "_checkbw", 3, amf.Null{}),
			command(8, 1, "play", 4, amf.Null{}, "cam1", -1000.0),
			control(chunk.TypeUserControl, "0003 00000001 00008ca0"),
		}, `
			3/0 _result 2 null 1
			3/0 _result 3 null undefined` + playing},
		{"GStreamer", []chunk.Message{
			command(3, 0, "createStream", 2, amf.Null{}),
			command(8, 1, "play", 3, amf.Null{}, "cam1", -2000.0),
		}, `
			3/0 _result 2 null 1` + playing},
		{"Flash", []chunk.Message{
			command(3, 0, "createStream", 2, amf.Null{}),
			command(8, 1, "receiveAudio", 0, amf.Null{}, false), // before there is anything
			command(8, 1, "play", 0, amf.Null{}, "mp4:cam1", -1.0, -1.0, false),
		}, `
			3/0 _result 2 null 1` + strings.Replace(playing, "5/1 onStatus 0 null {level=status, code=NetStream.Play.Reset, description=playing and resetting}\n", "", 1)},
		{"play2", []chunk.Message{
			command(3, 0, "createStream", 2, amf.Null{}),
			command(8, 1, "play2", 0, amf.Null{}, amf.Object{{Name: "streamName", Value: "cam1"}, {Name: "start", Value: -2.0}}),
		}, `
			3/0 _result 2 null 1` + strings.Replace(playing, "5/1 onStatus 0 null {level=status, code=NetStream.Play.Reset, description=playing and resetting}\n", "", 1)},
		{"a stream that nobody created", []chunk.Message{
			command(8, 1, "play", 0, amf.Null{}, "cam1"),
		}, playing},
	} {
		staged(t, func(s *stage) {
			p := s.dial(c.name)
			p.handshake()
			p.send(connect("live"))
			p.hear()
			p.send(c.messages...)
			p.expect(c.want)
			if len(s.plays) != 1 || s.asked[0].App != "live" || s.asked[0].Name != "cam1" {
				t.Fatalf("%s: %+v", c.name, s.asked)
			}
			s.plays[0].feed(frame(0, "a"), frame(40, "b"))
			p.expect(`
				6/1 type 9: 270100000061
				6/1 type 9: 270100000062`)
			s.plays[0].end()
			p.expect(`
				5/1 onStatus 0 null {level=status, code=NetStream.Play.UnpublishNotify, description=the stream has ended}
				2/0 user control 1 00000001`)
			p.nc.Close()
		})
	}
}

// While it plays, a reader pauses and goes on, seeks, and switches sound and pictures.
func TestReaderOrders(t *testing.T) {
	staged(t, func(s *stage) {
		p := s.reader("peer")
		p.send(command(8, 1, "play", 0, amf.Null{}, "cam1"))
		p.hear()
		source := s.plays[0]
		p.send(command(8, 1, "pause", 0, amf.Null{}, true, 0.0))
		source.feed(frame(0, "a"))
		p.expect("5/1 onStatus 0 null {level=status, code=NetStream.Pause.Notify, description=paused}")
		p.send(command(8, 1, "pause", 0, amf.Null{}, false, 0.0))
		p.expect(`
			5/1 onStatus 0 null {level=status, code=NetStream.Unpause.Notify, description=playing}
			6/1 type 9: 270100000061`)
		p.send(command(8, 1, "seek", 0, amf.Null{}, 5000.0))
		p.expect(`
			5/1 onStatus 0 null {level=warning, code=NetStream.Seek.Failed, description=a live stream can't be sought}
			5/1 onStatus 0 null {level=status, code=NetStream.Seek.Notify, description=it goes on where it is}`)
		p.send(command(8, 1, "receiveAudio", 0, amf.Null{}, false), command(8, 1, "receiveVideo", 0, amf.Null{}, false))
		p.expect("")
		p.send(command(8, 1, "receiveVideo", 0, amf.Null{}, true))
		p.expect(`
			5/1 onStatus 0 null {level=status, code=NetStream.Seek.Notify, description=it goes on where it is}
			5/1 onStatus 0 null {level=status, code=NetStream.Play.Start, description=playing}`)
		if got := strings.Join(source.received, ", "); got != "audio false, video false, video true" {
			t.Error(got)
		}
		p.send(command(4, 1, "publish", 6, amf.Null{}, "cam2", "live"))
		p.expect("5/1 onStatus 0 null {level=error, code=NetStream.Publish.BadName, description=this connection plays a stream: publish by another one}")

		// Another stream takes the place of the first; a second beside it has its own.
		p.send(command(8, 1, "play", 0, amf.Null{}, "cam2"))
		p.expect(playing)
		if source.closed != 1 {
			t.Error("the first goes on")
		}
		p.send(command(3, 0, "createStream", 7, amf.Null{}))
		p.send(command(8, 2, "play", 0, amf.Null{}, "cam3", -1.0, -1.0, 0.0))
		p.hear()
		s.plays[1].feed(frame(7, "2"))
		s.plays[2].feed(frame(8, "3"))
		p.expect(`
			6/1 type 9: 270100000032
			6/2 type 9: 270100000033`)
		p.send(command(8, 2, "closeStream", 0, amf.Null{}))
		s.plays[1].feed(frame(9, "4"))
		p.expect("6/1 type 9: 270100000034")
		p.send(command(3, 0, "deleteStream", 0, amf.Null{}, 1.0))
		if s.plays[1].closed != 1 || s.plays[2].closed != 1 {
			t.Error("they go on")
		}
		p.expect("")

		// Who plays nothing any more may publish.
		p.send(command(4, 1, "publish", 8, amf.Null{}, "cam4", "live"))
		if !strings.Contains(p.hear(), "NetStream.Publish.Start") {
			t.Error("it may not publish")
		}
		p.send(command(8, 1, "play", 9, amf.Null{}, "cam1"))
		p.expect("5/1 onStatus 0 null {level=error, code=NetStream.Play.StreamNotFound, description=this connection publishes a stream: play it by another one}")
		p.nc.Close()
	})
}

func TestReaderRefused(t *testing.T) {
	for _, c := range []struct {
		err  error
		code string
	}{
		{fmt.Errorf("live/x: %w", ingest.ErrNotFound), "StreamNotFound"},
		{errors.New("not you"), "Failed"},
	} {
		staged(t, func(s *stage) {
			s.admit = func(ingest.Request) error { return c.err }
			s.wait = 3 * time.Second
			p := s.reader("peer")
			p.send(command(8, 1, "play", 0, amf.Null{}, "x"))
			p.expect("")
			pass(s.wait)
			p.expect("5/1 onStatus 0 null {level=error, code=NetStream.Play." + c.code + ", description=" + c.err.Error() + "}")
			p.nc.Close()
			synctest.Wait()
			if lines := s.log.about("peer"); len(lines) != 1 || !strings.Contains(lines[0], "refused") {
				t.Errorf("%q", lines)
			}
		})
	}
}

// Who waits for a stream is not held up in anything else, and leaves when he likes.
func TestReaderWaits(t *testing.T) {
	staged(t, func(s *stage) {
		s.wait = time.Hour
		p := s.reader("peer")
		p.send(command(8, 1, "play", 0, amf.Null{}, "x"))
		p.send(control(chunk.TypeUserControl, "0006 00000007"))
		p.expect("2/0 user control 7 00000007")
		p.send(command(8, 1, "closeStream", 0, amf.Null{}))
		pass(10 * time.Second)
		if p.closed.IsZero() {
			t.Error("nothing is played, and the connection stays")
		}
	})
}

// A reader who says nothing is asked, and gone if he doesn't answer and takes nothing.
func TestReaderPings(t *testing.T) {
	const every = 20 * time.Second
	staged(t, func(s *stage) {
		p, deaf := s.reader("answers"), s.reader("doesn't")
		for _, p := range []*peer{p, deaf} {
			p.send(command(8, 1, "play", 0, amf.Null{}, "x"))
			p.hear()
		}
		for range 10 {
			pass(every)
			if heard := p.hear(); !strings.HasPrefix(heard, "2/0 user control 6 ") {
				t.Fatalf("hears %q", heard)
			}
			p.send(control(chunk.TypeUserControl, "0007 00000007"))
		}
		if life := deaf.lifetime(); life != 4*every {
			t.Errorf("the silent one stayed %v", life)
		}
		if p.lifetime() != 0 {
			t.Error("the one that answers has gone")
		}
		// Who takes what he is sent needn't answer.
		for range 50 {
			pass(every / 2)
			s.plays[0].feed(frame(1, "x"))
		}
		if p.lifetime() != 0 {
			t.Error("the one that takes all has gone")
		}
	})
}

// A reader who takes nothing is gone in a WriteTimeout, and costs nobody else anything.
func TestReaderStuck(t *testing.T) {
	staged(t, func(s *stage) {
		p := s.reader("good")
		p.send(command(8, 1, "play", 0, amf.Null{}, "x"))
		stuck := s.dialDeaf("stuck")
		go stuck.nc.Write(hello())
		greeting := make([]byte, greetingSize)
		io.ReadFull(stuck.nc, greeting)
		var b bytes.Buffer
		b.Write(make([]byte, 1536))
		w := chunk.NewWriter(&b)
		w.WriteMessage(connect("live"))
		w.WriteMessage(command(8, 1, "play", 0, amf.Null{}, "x"))
		w.Flush()
		go stuck.nc.Write(b.Bytes())
		for n := 0; n < 600; { // up to the beginning of what follows the answers
			m, err := stuck.nc.Read(greeting)
			if n += m; err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		if len(s.plays) != 2 {
			t.Fatalf("%d plays", len(s.plays))
		}
		p.hear()
		s.plays[1].feed(frame(0, strings.Repeat("x", 1<<20)))
		s.plays[0].feed(frame(0, "y"))
		p.expect("6/1 type 9: 270100000079")
		pass(10*time.Second + time.Millisecond)
		if s.plays[1].closed != 1 {
			t.Error("the stuck one is still there")
		}
		if lines := s.log.about("stuck"); len(lines) == 0 || !strings.Contains(lines[len(lines)-1], "i/o timeout") {
			t.Errorf("%q", lines)
		}
		stuck.nc.Close()
	})
}

// The server's end is told.
func TestReaderShutdown(t *testing.T) {
	staged(t, func(s *stage) {
		p := s.reader("peer")
		p.send(command(8, 1, "play", 0, amf.Null{}, "x"))
		p.hear()
		s.stop()
		synctest.Wait()
		p.expect(`
			5/1 onStatus 0 null {level=status, code=NetStream.Play.UnpublishNotify, description=the server stops}
			2/0 user control 1 00000001`)
		if p.closed.IsZero() {
			t.Error("the connection stays")
		}
	})
}

// login is a Handler that asks all to log in.
type login struct{ *stage }

func (login) Connect(context.Context, ingest.Request) (any, error) {
	return nil, &ingest.Rejection{Description: "log in", Cause: errors.New("asked to log in")}
}

// Publishing rules are for publishers: a player needn't log in.
func TestReaderNeedsNoLogin(t *testing.T) {
	for _, c := range []struct {
		object amf.Object
		asked  bool
	}{
		{amf.Object{{Name: "app", Value: "live"}, {Name: "flashVer", Value: "LNX 9,0,124,2"}}, false},                                      // FFmpeg, librtmp, GStreamer
		{amf.Object{{Name: "app", Value: "live"}, {Name: "flashVer", Value: "WIN 32,0,0,0"}, {Name: "pageUrl", Value: "http://a"}}, false}, // Flash
		{amf.Object{{Name: "app", Value: "live"}, {Name: "type", Value: "nonprivate"}, {Name: "flashVer", Value: "FMLE/3.0 (compatible; Lavf)"}}, true},
		{amf.Object{{Name: "app", Value: "live"}, {Name: "type", Value: "nonprivate"}, {Name: "flashVer", Value: "LNX 9,0,124,2"}}, true},
		{amf.Object{{Name: "app", Value: "live"}, {Name: "flashVer", Value: "Wirecast/FM 1.0 (compatible; FMSc/1.0)"}}, true},
		{amf.Object{{Name: "app", Value: "live"}}, true},
	} {
		staged(t, func(s *stage) {
			s.server.Handler = login{s}
			p := s.dial("peer")
			p.handshake()
			p.send(command(3, 0, "connect", 1, c.object))
			if asked := strings.Contains(p.hear(), "description=log in"); asked != c.asked {
				t.Errorf("%v: asked is %v", c.object, asked)
			}
			p.nc.Close()
		})
	}
}

// What a reader says that it can take, and where its token may be.
func TestReaderRequest(t *testing.T) {
	staged(t, func(s *stage) {
		p := s.dial("peer")
		p.handshake()
		p.send(command(3, 0, "connect", 1, amf.Object{
			{Name: "app", Value: "live"}, {Name: "tcUrl", Value: "rtmp://h/live?token=abc"}, {Name: "pageUrl", Value: "http://page/"},
			{Name: "fourCcList", Value: amf.StrictArray{"hvc1", "nonsense", 7.0}},
			{Name: "videoFourCcInfoMap", Value: amf.Object{{Name: "av01", Value: 1.0}, {Name: "vp09", Value: 2.0}}},
			{Name: "capsEx", Value: 3.0},
		}))
		p.send(command(8, 1, "play", 0, amf.Null{}, "x?start=live"))
		r := s.asked[0]
		if r.Query != "start=live&token=abc" || r.PageURL != "http://page/" {
			t.Errorf("%+v", r)
		}
		a := r.Abilities
		if !a.Takes(flv.HVC1) || !a.Takes(flv.AV01) || a.Takes(flv.VP09) || a.Takes(flv.Opus) || !a.Tracks {
			t.Errorf("%+v", a)
		}
		p.nc.Close()
	})
}

// session is all that a reader says, and where each message of it ends.
func session() (whole []byte, ends []int) {
	var b bytes.Buffer
	b.Write(hello())
	b.Write(make([]byte, 1536)) // C2
	w := chunk.NewWriter(&b)
	for _, m := range []chunk.Message{
		connect("live"),
		command(3, 0, "createStream", 2, amf.Null{}),
		command(3, 0, "FCSubscribe", 3, amf.Null{}, "cam1"),
		command(8, 1, "getStreamLength", 4, amf.Null{}, "cam1"),
		command(8, 1, "play", 5, amf.Null{}, "cam1", -2000.0),
		control(chunk.TypeUserControl, "0003 00000001 00000bb8"),
		command(8, 1, "pause", 0, amf.Null{}, true, 0.0),
		command(8, 1, "pause", 0, amf.Null{}, false, 0.0),
		command(8, 1, "receiveVideo", 0, amf.Null{}, false),
		command(8, 1, "seek", 0, amf.Null{}, 5000.0),
		command(8, 2, "play2", 0, amf.Null{}, amf.Object{{Name: "streamName", Value: "cam2"}}),
		command(8, 1, "closeStream", 0, amf.Null{}),
		command(3, 0, "deleteStream", 0, amf.Null{}, 2.0),
	} {
		w.WriteMessage(m)
		w.Flush()
		ends = append(ends, b.Len())
	}
	return b.Bytes(), ends
}

// A reader that is cut at any byte leaves nothing behind, and has got no more than he
// had asked for.
func TestReaderEveryPrefix(t *testing.T) {
	whole, ends := session()
	staged(t, func(s *stage) {
		for k := range len(whole) + 1 {
			s.plays = nil
			p := s.dial("peer")
			if p.say(whole[:k]); !p.closed.IsZero() {
				t.Fatalf("%d bytes: the server hung up", k)
			}
			for _, source := range s.plays {
				source.feed(frame(0, "x"))
			}
			p.nc.Close()
			synctest.Wait()
			want := 0
			for _, i := range []int{4, 10} {
				if k >= ends[i] {
					want++
				}
			}
			if len(s.plays) != want {
				t.Fatalf("%d bytes: %d plays, not %d", k, len(s.plays), want)
			}
			for _, source := range s.plays {
				if source.closed != 1 {
					t.Fatalf("%d bytes: closed %d times", k, source.closed)
				}
			}
		}
	})
}

// Whatever a reader says, the server answers or hangs up, closes each source once and
// leaves no goroutine.
func FuzzPlay(f *testing.F) {
	whole, ends := session()
	f.Add(whole[len(hello())+1536:])
	f.Add(whole[ends[0]:])
	f.Add(append(whole[ends[0]:ends[4]:ends[4]], whole[ends[3]:ends[10]]...))
	f.Fuzz(func(t *testing.T, b []byte) {
		staged(t, func(s *stage) {
			p := s.dial("peer")
			p.handshake()
			p.send(connect("live"))
			p.say(b)
			for i := range s.plays {
				s.plays[i].feed(frame(0, "x"))
			}
			p.nc.Close()
		})
	})
}
