package ingest_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluice-live/sluice/ingest"
	"github.com/sluice-live/sluice/ingest/amf"
	"github.com/sluice-live/sluice/ingest/chunk"
	"github.com/sluice-live/sluice/ingest/flv"
)

const connected = `
	2/0 window ack size 2500000
	2/0 set peer bandwidth 2500000 2
	2/0 set chunk size 65536
	3/0 _result 1 {fmsVer=FMS/3,0,1,123, capabilities=31, mode=1} {level=status, code=NetConnection.Connect.Success, description=Connection succeeded., objectEncoding=0}`

const started = `
	2/0 user control 0 00000001
	5/1 onStatus 0 null {level=status, code=NetStream.Publish.Start, description=the stream is now published}`

// turn is what an encoder sends at once, and what it must hear before it sends
// more.
type turn struct {
	send []chunk.Message
	hear string
}

// releasePublishCreate is how most encoders go on from connect.
var releasePublishCreate = turn{
	[]chunk.Message{
		command(3, 0, "releaseStream", 2, amf.Null{}, "key"),
		command(3, 0, "FCPublish", 3, amf.Null{}, "key"),
		command(3, 0, "createStream", 4, amf.Null{}),
	}, `
	3/0 _result 2 null undefined
	3/0 onFCPublish 3 null {level=status, code=NetStream.Publish.Start, description=key}
	3/0 _result 3 null undefined
	3/0 _result 4 null 1`,
}

const unpublished = `
	3/0 onFCUnpublish 0 null {level=status, code=NetStream.Unpublish.Success, description=key}
	3/0 _result 6 null undefined`

func unpublishedOn(stream int) string {
	return fmt.Sprintf("5/%d onStatus 0 null {level=status, code=NetStream.Unpublish.Success, description=Stream is now unpublished.}", stream)
}

// The dialogues of facts/rtmp.md, section 6.1.
func TestEncoders(t *testing.T) {
	ffmpegVersion := amf.Object{
		{Name: "app", Value: "live"}, {Name: "type", Value: "nonprivate"},
		{Name: "flashVer", Value: "FMLE/3.0 (compatible; Lavf59.27.100)"}, {Name: "tcUrl", Value: "rtmp://host:1935/live"},
	}
	for _, c := range []struct {
		name  string
		turns []turn
	}{
		{"ffmpeg", []turn{
			{[]chunk.Message{command(3, 0, "connect", 1, ffmpegVersion)}, connected},
			{[]chunk.Message{control(chunk.TypeSetChunkSize, "00010000")}, ""}, // adopts ours
			releasePublishCreate,
			{[]chunk.Message{command(8, 1, "publish", 5, amf.Null{}, "key", "live")}, started},
		}},
		{"ffmpeg, which speaks Enhanced RTMP", []turn{
			{[]chunk.Message{command(3, 0, "connect", 1, append(slices.Clone(ffmpegVersion), amf.Property{Name: "fourCcList", Value: amf.StrictArray{"av01", "hvc1"}}))}, `
				2/0 window ack size 2500000
				2/0 set peer bandwidth 2500000 2
				2/0 set chunk size 65536
				3/0 _result 1 {fmsVer=FMS/3,0,1,123, capabilities=31, mode=1} {level=status, code=NetConnection.Connect.Success, description=Connection succeeded., objectEncoding=0, fourCcList=[avc1 hvc1 mp4a], videoFourCcInfoMap={avc1=4, hvc1=4}, audioFourCcInfoMap={mp4a=4}, capsEx=15}`},
			releasePublishCreate,
			{[]chunk.Message{command(8, 1, "publish", 5, amf.Null{}, "key", "live")}, started},
		}},
		{"OBS", []turn{
			{[]chunk.Message{control(chunk.TypeSetChunkSize, "00001000"), connect("live")}, connected},
			{[]chunk.Message{control(chunk.TypeWindowAckSize, "002625a0")}, ""},
			releasePublishCreate,
			{[]chunk.Message{command(4, 1, "publish", 5, amf.Null{}, "key", "live")}, started},
		}},
		{"GStreamer", []turn{
			{[]chunk.Message{connect("live")}, connected},
			{[]chunk.Message{control(chunk.TypeWindowAckSize, "002625a0"), control(chunk.TypeSetPeerBand, "002625a002")}, ""},
			releasePublishCreate,
			{[]chunk.Message{command(4, 1, "publish", 5, amf.Null{}, "key", "live")}, started},
		}},
		{"librtmp", []turn{
			{[]chunk.Message{command(3, 0, "connect", 1, append(ffmpegVersion, amf.Property{Name: "swfUrl", Value: "x"}))}, connected},
			{[]chunk.Message{control(chunk.TypeWindowAckSize, "002625a0"), command(3, 0, "_checkbw", 7, amf.Null{})},
				"3/0 _result 7 null undefined"},
			releasePublishCreate,
			{[]chunk.Message{command(4, 1, "publish", 5, amf.Null{}, "key", "live")}, started},
		}},
		{"Wirecast", []turn{ // signed like FMLE: createStream waits for both results
			{[]chunk.Message{connect("live")}, connected},
			{[]chunk.Message{command(3, 0, "releaseStream", 2, amf.Null{}, "key")}, "3/0 _result 2 null undefined"},
			{[]chunk.Message{command(3, 0, "FCPublish", 3, amf.Null{}, "key")}, `
				3/0 onFCPublish 3 null {level=status, code=NetStream.Publish.Start, description=key}
				3/0 _result 3 null undefined`},
			{[]chunk.Message{command(3, 0, "createStream", 4, amf.Null{})}, "3/0 _result 4 null 1"},
			{[]chunk.Message{command(8, 1, "publish", 5, amf.Null{}, "key", "live")}, started},
		}},
		{"Haivision and Larix", []turn{ // wait for onFCPublish of their transaction
			{[]chunk.Message{connect("live")}, connected},
			{[]chunk.Message{command(3, 0, "createStream", 2, amf.Null{})}, "3/0 _result 2 null 1"},
			{[]chunk.Message{command(3, 0, "FCPublish", 17, amf.Null{}, "key")}, `
				3/0 onFCPublish 17 null {level=status, code=NetStream.Publish.Start, description=key}
				3/0 _result 17 null undefined`},
			{[]chunk.Message{command(8, 1, "publish", 4, amf.Null{}, "key", "live")}, started},
		}},
		{"all zero transactions, no type, AMF3 commands", []turn{
			{[]chunk.Message{connect("live")}, connected},
			{[]chunk.Message{command(3, 0, "FCPublish", 0, amf.Null{}, "key"), command(3, 0, "createStream", 0, amf.Null{})}, `
				3/0 onFCPublish 0 null {level=status, code=NetStream.Publish.Start, description=key}
				3/0 _result 0 null undefined
				3/0 _result 0 null 1`},
			{[]chunk.Message{{ChunkStreamID: 8, StreamID: 1, Type: chunk.TypeCommandAMF3,
				Body: append([]byte{0}, amf.Append(nil, "publish", 0.0, amf.Null{}, "key")...)}}, started},
		}},
		{"unknown commands and play", []turn{
			{[]chunk.Message{connect("live")}, connected},
			{[]chunk.Message{command(3, 0, "getStreamLength", 9, amf.Null{}), command(3, 0, "onBWDone", 9, amf.Null{}), command(3, 0, "silly", 0)},
				"3/0 _error 9 null {level=error, code=NetConnection.Call.Failed, description=unknown command getStreamLength}"},
			{[]chunk.Message{command(3, 0, "createStream", 2, amf.Null{})}, "3/0 _result 2 null 1"},
			{[]chunk.Message{command(8, 1, "play", 3, amf.Null{}, "key")},
				"5/1 onStatus 0 null {level=error, code=NetStream.Play.StreamNotFound, description=RTMP is for publishing alone here (rtmp.play): open the stream's page by HTTP}"},
			{[]chunk.Message{command(8, 1, "publish", 4, amf.Null{}, "key", "live")}, started},
			{[]chunk.Message{command(8, 1, "publish", 5, amf.Null{}, "other", "live")},
				"5/1 onStatus 0 null {level=error, code=NetStream.Publish.BadName, description=this connection publishes a stream already}"},
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			live(t, func(w *world) {
				p := w.dial(c.name)
				p.handshake()
				for _, turn := range c.turns {
					p.send(turn.send...)
					p.expect(turn.hear)
				}
				if len(w.asked) != 1 || w.asked[0].App != "live" || w.asked[0].Name != "key" {
					t.Fatalf("asked for %+v", w.asked)
				}
				p.send(metadata(), video(0, videoConfig), audio(0, audioConfig), video(40, keyframe), audio(41, audioFrame))
				want := []string{metadataTag, "video 0 " + videoConfig, "audio 0 " + audioConfig, "video 40 " + keyframe, "audio 41 " + audioFrame}
				if !slices.Equal(w.sinks[0].tags, want) {
					t.Errorf("the sink got %v", w.sinks[0])
				}
				p.expect("")
				p.send(command(3, 0, "FCUnpublish", 6, amf.Null{}, "key"), command(3, 0, "deleteStream", 7, amf.Null{}, 1.0))
				p.expect(unpublished + "\n" + unpublishedOn(0))
				if s := w.sinks[0]; s.closed != 1 || s.cause != nil {
					t.Errorf("closed %d times, cause %v", s.closed, s.cause)
				}
				p.nc.Close()
				synctest.Wait()
				if n := len(w.log.about(c.name)); n != 2 {
					t.Errorf("%d log lines: %q", n, w.log.about(c.name))
				}
			})
		})
	}
}

func TestRequest(t *testing.T) {
	for _, c := range []struct{ app, name, want string }{
		{"live", "key", "live key "},
		{"/live/", "/key", "live key "},
		{"live/_definst_", "mp4:key", "live key "},
		{"live?token=1", "key?user=2", "live key user=2&token=1"},
		{"live?token=1", "key", "live key token=1"},
		{"a/b", "c/d?x", "a/b c/d x"},
		{"", "", "  "},
	} {
		live(t, func(w *world) {
			p := w.dial("peer")
			p.handshake()
			p.send(connect(c.app), command(4, 1, "publish", 3, amf.Null{}, c.name))
			r := w.asked[0]
			if got := r.App + " " + r.Name + " " + r.Query; got != c.want || r.Software != "test" || r.Encrypted {
				t.Errorf("%s and %s: %q, %+v", c.app, c.name, got, r)
			}
			p.nc.Close()
		})
	}
}

func TestGoodbyes(t *testing.T) {
	for _, c := range []struct {
		name  string
		bye   func(w *world, p *peer)
		cause error // io.EOF for a lost connection
		open  bool  // the connection stays open for another publication
	}{
		{"FCUnpublish", func(_ *world, p *peer) { p.send(command(3, 0, "FCUnpublish", 6, amf.Null{}, "key")) }, nil, true},
		{"deleteStream", func(_ *world, p *peer) { p.send(command(3, 0, "deleteStream", 6, amf.Null{}, 1.0)) }, nil, true},
		{"deleteStream with a name", func(_ *world, p *peer) { p.send(command(3, 0, "deleteStream", 6, amf.Null{}, "key")) }, nil, true},
		{"closeStream", func(_ *world, p *peer) { p.send(command(4, 1, "closeStream", 6, amf.Null{})) }, nil, true},
		{"closeStream on stream 0", func(_ *world, p *peer) { p.send(command(4, 0, "closeStream", 6, amf.Null{})) }, nil, true},
		{"said, hung up without listening", func(_ *world, p *peer) {
			p.end.deaf.Store(true)
			p.send(command(3, 0, "FCUnpublish", 6, amf.Null{}, "key"), command(3, 0, "deleteStream", 7, amf.Null{}, 1.0))
			p.nc.Close()
		}, nil, false},
		{"connection closed", func(_ *world, p *peer) { p.nc.Close() }, io.EOF, false},
		{"connection closed inside a message", func(_ *world, p *peer) {
			p.say(unhex("04 000028 000100 09 01000000 17"))
			p.nc.Close()
		}, io.ErrUnexpectedEOF, false},
		{"server stops", func(w *world, _ *peer) { w.stop() }, nil, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			live(t, func(w *world) {
				p := w.dial("peer")
				p.publish("key")
				p.send(video(0, keyframe))
				c.bye(w, p)
				synctest.Wait()
				s := w.sinks[0]
				if s.closed != 1 || !errors.Is(s.cause, c.cause) || s.String() != "video 0 "+keyframe {
					t.Errorf("closed %d times, cause %v, tags %v", s.closed, s.cause, s)
				}
				if open := p.closed.IsZero(); open != c.open {
					t.Errorf("the connection is open: %v", open)
				}
				if !c.open {
					return
				}
				p.hear()
				p.send(command(3, 0, "createStream", 8, amf.Null{}), command(4, 2, "publish", 9, amf.Null{}, "again"))
				p.expect(`
					3/0 _result 8 null 2
					2/0 user control 0 00000002
					5/2 onStatus 0 null {level=status, code=NetStream.Publish.Start, description=the stream is now published}`)
				p.send(video(80, keyframe))
				p.nc.Close()
				synctest.Wait()
				if len(w.sinks) != 2 || w.sinks[1].String() != "video 80 "+keyframe || w.sinks[0].closed != 1 || w.sinks[1].closed != 1 {
					t.Errorf("second publication: %v", w.sinks)
				}
			})
		})
	}
}

// An encoder has closed its connection by the time that what it sent is read: nothing that is
// to be said to it meanwhile keeps that from viewers, nor its goodbye.
func TestClosedBeforeItIsRead(t *testing.T) {
	for _, c := range []struct {
		name string
		say  []chunk.Message // what has an answer
	}{
		{"an acknowledgement is due", []chunk.Message{audio(0, audioFrame+strings.Repeat("00", 70_000))}},
		{"a ping", []chunk.Message{control(chunk.TypeUserControl, "0006 12345678")}},
		{"a command", []chunk.Message{command(3, 0, "_checkbw", 7, amf.Null{})}},
	} {
		t.Run(c.name, func(t *testing.T) {
			live(t, func(w *world) {
				p := w.dial("peer")
				p.publish("key")
				p.send(control(chunk.TypeWindowAckSize, "00010000"))
				p.end.deaf.Store(true)
				p.send(c.say...)
				p.send(video(40, keyframe), command(3, 0, "FCUnpublish", 6, amf.Null{}, "key"))
				p.nc.Close()
				synctest.Wait()
				s := w.sinks[0]
				if !strings.HasSuffix(s.String(), "video 40 "+keyframe) || s.cause != nil {
					t.Errorf("%d tags, and the end is %v", len(s.tags), s.cause)
				}
			})
		})
	}
}

// An idle connection behind a goodbye isn't kept for ever.
func TestSilenceBehindGoodbye(t *testing.T) {
	live(t, func(w *world) {
		p := w.dial("peer")
		p.publish("key")
		pass(3 * time.Second)
		p.send(command(3, 0, "FCUnpublish", 6, amf.Null{}, "key"))
		pass(time.Minute)
		if p.lifetime() != 13*time.Second {
			t.Errorf("closed after %v", p.lifetime())
		}
	})
}

func TestRefusals(t *testing.T) {
	for _, c := range []struct {
		err        error
		code, text string
	}{
		{fmt.Errorf("since 3 s: %w", ingest.ErrBusy), "BadName", "since 3 s: the stream has a publisher already"},
		{fmt.Errorf("token: %w", ingest.ErrDenied), "Denied", "token: not allowed to publish"},
		{errors.New("disk full"), "Rejected", "disk full"},
	} {
		live(t, func(w *world) {
			w.admit = func(ingest.Request) error { return c.err }
			p := w.dial("peer")
			p.handshake()
			p.send(connect("live"))
			p.hear()
			p.send(command(4, 1, "publish", 3, amf.Null{}, "key"))
			p.expect("5/1 onStatus 0 null {level=error, code=NetStream.Publish." + c.code + ", description=" + c.text + "}")
			p.send(video(0, keyframe)) // an encoder that goes on regardless
			pass(time.Minute)
			if p.lifetime() != time.Second {
				t.Errorf("closed after %v", p.lifetime())
			}
			if got := w.log.about("peer"); len(got) != 1 || !strings.Contains(got[0], c.text) {
				t.Errorf("log: %q", got)
			}
		})
	}
}

func TestSinkFails(t *testing.T) {
	live(t, func(w *world) {
		p := w.dial("peer")
		p.publish("key")
		broken := errors.New("no H.264 in here")
		w.sinks[0].fail = func(flv.Tag) error { return broken }
		p.send(video(0, keyframe))
		p.expect("5/1 onStatus 0 null {level=error, code=NetStream.Publish.Rejected, description=no H.264 in here}")
		pass(time.Minute)
		if s := w.sinks[0]; s.closed != 1 || !errors.Is(s.cause, broken) || p.lifetime() != time.Second {
			t.Errorf("closed %d times, cause %v, after %v", s.closed, s.cause, p.lifetime())
		}
	})
}

// A sink that fails on what came before publish is told like any other.
func TestSinkFailsEarly(t *testing.T) {
	live(t, func(w *world) {
		w.server.Handler = early{w}
		p := w.dial("peer")
		p.handshake()
		p.send(connect("live"), video(0, videoConfig))
		p.hear()
		p.send(command(4, 1, "publish", 3, amf.Null{}, "key"))
		p.expect(started + `
			5/1 onStatus 0 null {level=error, code=NetStream.Publish.Rejected, description=no}`)
		pass(time.Minute)
		if s := w.sinks[0]; s.closed != 1 || s.cause == nil {
			t.Errorf("closed %d times, cause %v", s.closed, s.cause)
		}
	})
}

// early gives out sinks that take nothing.
type early struct{ *world }

func (e early) Publish(ctx context.Context, r ingest.Request) (string, ingest.Sink, error) {
	stream, _, err := e.world.Publish(ctx, r)
	s := e.sinks[len(e.sinks)-1]
	s.fail = func(flv.Tag) error { return errors.New("no") }
	return stream, s, err
}

// A panic is one publication's end, not that of the others or of the slot.
func TestSinkPanics(t *testing.T) {
	live(t, func(w *world) {
		p, other := w.dial("peer"), w.dial("other")
		p.publish("key")
		other.publish("other")
		w.sinks[0].fail = func(flv.Tag) error { panic("bug") }
		p.send(video(0, keyframe))
		other.send(video(0, keyframe))
		if s := w.sinks[0]; s.closed != 1 || s.cause == nil || p.closed.IsZero() {
			t.Errorf("closed %d times, cause %v", s.closed, s.cause)
		}
		if got := w.log.about("peer"); len(got) != 3 || !strings.Contains(strings.Join(got, ""), `"panic":"bug"`) {
			t.Errorf("log: %q", got)
		}
		if w.sinks[1].String() != "video 0 "+keyframe {
			t.Errorf("the other stream got %v", w.sinks[1])
		}
	})
}

// Decoder configurations that come too early are not lost; frames are.
func TestEarlyTags(t *testing.T) {
	live(t, func(w *world) {
		p := w.dial("peer")
		p.handshake()
		p.send(connect("live"), video(0, videoConfig), audio(0, "af001210"), metadata(), audio(0, audioConfig),
			video(0, keyframe), audio(0, audioFrame), audio(0, ""), video(0, "900102030405"))
		p.send(command(4, 1, "publish", 3, amf.Null{}, "key"), video(40, keyframe))
		want := []string{"video 0 " + videoConfig, metadataTag, "audio 0 " + audioConfig, "video 40 " + keyframe}
		if !slices.Equal(w.sinks[0].tags, want) {
			t.Errorf("the sink got %v", w.sinks[0])
		}
	})
}

func TestAggregate(t *testing.T) {
	live(t, func(w *world) {
		p := w.dial("peer")
		p.publish("key")
		m := audio(1000, "08 000003 000005 00 000000 "+audioFrame+" 0000000e  08 000003 00001c 00 000000 "+audioFrame+" 0000000e")
		damaged := audio(2000, "08 000003 000005 00 000000 "+audioFrame+" 0000000e  08 000099 00001c 00 000000")
		m.Type, damaged.Type = chunk.TypeAggregate, chunk.TypeAggregate
		p.send(m, damaged, audio(3000, audioFrame))
		if want := "audio 1000 af0121, audio 1023 af0121, audio 2000 af0121, audio 3000 af0121"; w.sinks[0].String() != want {
			t.Errorf("the sink got %v", w.sinks[0])
		}
	})
}

// A tag says when it came; how long the server needed for those before it doesn't count.
func TestArrival(t *testing.T) {
	live(t, func(w *world) {
		p := w.dial("peer")
		p.publish("key")
		w.sinks[0].fail = func(flv.Tag) error { time.Sleep(time.Second); return nil }
		var want []time.Time
		for range 2 {
			time.Sleep(time.Minute / 10)
			now := time.Now()
			m := audio(0, "08 000003 000005 00 000000 "+audioFrame+" 0000000e  08 000003 00001c 00 000000 "+audioFrame+" 0000000e")
			m.Type = chunk.TypeAggregate
			p.send(audio(0, audioFrame), m)
			want = append(want, now, now, now)
		}
		time.Sleep(time.Minute / 10)
		synctest.Wait()
		if !slices.EqualFunc(w.sinks[0].came, want, time.Time.Equal) {
			t.Errorf("the tags say that they came at %v, want %v", w.sinks[0].came, want)
		}
	})
}

// What stands in the connect command, and around it, doesn't keep an encoder
// from publishing, as long as the app is in it.
func TestConnectObjects(t *testing.T) {
	app := "0003 617070 02 0004 6c697665"
	object := func(property string) string { return "03 " + property + app + "000009" }
	for _, c := range []struct {
		name, wire string // behind the command's name
		txn        string // what is answered
	}{
		{"object", "00 3ff0000000000000" + object(""), "1"},
		{"ECMA array", "00 3ff0000000000000 08 00000001" + app + "000009", "1"},
		{"ECMA array that counts wrongly", "00 3ff0000000000000 08 0000ffff" + app + "000009", "1"},
		{"typed object", "00 3ff0000000000000 10 0001 43" + app + "000009", "1"},
		{"object without its end", "00 3ff0000000000000 03" + app, "1"},
		{"reference to a value in it", "00 3ff0000000000000" + object("0001 61 03 000009 0001 62 07 0001"), "1"},
		{"reference to itself", "00 3ff0000000000000" + object("0001 61 07 0000"), "1"},
		{"reference to nothing", "00 3ff0000000000000" + object("0001 61 07 0909"), "1"},
		{"unsupported", "00 3ff0000000000000" + object("0001 61 0d"), "1"},
		{"undefined", "00 3ff0000000000000" + object("0001 61 06"), "1"},
		{"typed object in it", "00 3ff0000000000000" + object("0001 61 10 0001 43 0001 62 05 000009"), "1"},
		{"ECMA array in it", "00 3ff0000000000000" + object("0001 61 08 00000000 0001 62 05 000009"), "1"},
		{"XML", "00 3ff0000000000000" + object("0001 61 0f 00000004 3c612f3e"), "1"},
		{"date", "00 3ff0000000000000" + object("0001 61 0b 4278000000000000 ffc4"), "1"},
		{"not a number", "00 3ff0000000000000" + object("0001 61 00 7ff8000000000000"), "1"},
		{"AMF3 behind the app", "00 3ff0000000000000 03" + app + "0001 61 11 01 000009", "1"},
		{"movie clip behind the app", "00 3ff0000000000000 03" + app + "0001 61 04 000009", "1"},
		{"more arguments", "00 3ff0000000000000" + object("") + "02 0001 61 05", "1"},
		{"fractional transaction id", "00 3ff8000000000000" + object(""), "1.5"},
		{"negative transaction id", "00 bff0000000000000" + object(""), "-1"},
		{"infinite transaction id", "00 7ff0000000000000" + object(""), "+Inf"},
		{"transaction id that is none", "05" + object(""), "0"},
		{"no transaction id", object(""), "0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			live(t, func(w *world) {
				p := w.dial("peer")
				p.handshake()
				p.send(chunk.Message{ChunkStreamID: 3, Type: chunk.TypeCommandAMF0, Body: append(amf.Append(nil, "connect"), unhex(c.wire)...)})
				if said := p.hear(); !strings.Contains(said, "_result "+c.txn+" {fmsVer") {
					t.Errorf("connect: %s", said)
				}
				p.send(command(3, 0, "createStream", 2.5, amf.Null{}))
				p.expect("3/0 _result 2.5 null 1")
				p.send(command(4, 1, "publish", 3.25, amf.Null{}, "key", "live"))
				p.expect(started)
				if len(w.asked) != 1 || w.asked[0].App != "live" || w.asked[0].Name != "key" {
					t.Errorf("asked for %+v", w.asked)
				}
				p.nc.Close()
			})
		})
	}
}

// Issue: connection closed with one clear log line, other streams undisturbed,
// no goroutine left.
func TestBadInput(t *testing.T) {
	garbage := chunk.Message{ChunkStreamID: 4, StreamID: 1, Type: chunk.TypeVideo, Body: make([]byte, 300)}
	for _, c := range []struct {
		name string
		do   func(p *peer)
		want string // in the log line
	}{
		{"not RTMP", func(p *peer) { p.say([]byte("GET / HTTP/1.1\r\n")) }, "looks like HTTP"},
		{"TLS on the plain port", func(p *peer) { p.say(unhex("16 03 01 02 00")) }, "looks like TLS"},
		{"wrong version byte", func(p *peer) { p.say([]byte{31}) }, "version 0x1f instead of 3"},
		{"half a handshake", func(p *peer) { p.say(hello()[:700]); p.nc.Close() }, "reading C1: unexpected EOF"},
		{"half a handshake, then silence", func(p *peer) { p.say(hello()[:700]) }, "cause\":\"handshake: reading C1: read pipe: i/o timeout"},
		{"three quarters of one", func(p *peer) { p.say(hello()); p.nc.Close() }, "reading C2: unexpected EOF"},
		{"handshake alone", func(p *peer) { p.handshake(); p.nc.Close() }, "connect: EOF"},
		{"no connect", func(p *peer) { p.handshake() }, "connect: read pipe: i/o timeout"},
		{"connect without publish", func(p *peer) { p.handshake(); p.send(connect("live")) }, "publish: read pipe: i/o timeout"},
		{"connect and gone", func(p *peer) { p.handshake(); p.send(connect("live")); p.nc.Close() }, "publish: EOF"},
		{"chunks of noise", func(p *peer) { p.handshake(); p.say([]byte(strings.Repeat("\xff\x13noise", 100))) }, "connect: "},
		{"oversize command", func(p *peer) { p.handshake(); p.say(unhex("03 000000 010001 14 00000000")) },
			"announces 65537 bytes, the limit is 65536"},
		{"oversize message", func(p *peer) { p.publish("bad"); p.say(unhex("06 000000 ffffff 09 01000000")) },
			"announces 16777215 bytes, the limit is 10485760"},
		{"chunk size 1", func(p *peer) { p.publish("bad"); p.say(unhex("02 000000 000004 01 00000000 00000001")) }, "set chunk size: 1 is out of range"},
		{"garbage bodies, then gone", func(p *peer) { p.publish("bad"); p.send(garbage, garbage, audio(0, "ffff")); p.nc.Close() }, `"cause":"EOF"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			live(t, func(w *world) {
				good := w.dial("good")
				good.publish("good")
				good.send(video(0, keyframe))
				bad := w.dial("bad")
				c.do(bad)
				for i := range uint32(12) { // the good one lives on for a minute
					pass(5 * time.Second)
					if err := good.send(video(5000*(i+1), interFrame)); err != nil {
						t.Fatalf("the good one: %v", err)
					}
				}
				if bad.closed.IsZero() {
					t.Error("the connection is open")
				}
				lines := slices.DeleteFunc(w.log.about("bad"), func(line string) bool {
					return strings.Contains(line, `"message":"publishing"`) // its beginning, not its end
				})
				if len(lines) != 1 || !strings.Contains(lines[0], c.want) || !strings.Contains(lines[0], `"level":"info"`) {
					t.Errorf("the log says\n%s\nand not once %s", strings.Join(lines, "\n"), c.want)
				}
				if n := len(w.sinks[0].tags); n != 13 || w.sinks[0].closed != 0 {
					t.Errorf("the good stream got %d tags, closed %d times", n, w.sinks[0].closed)
				}
				if n := len(w.log.about("good")); n != 1 {
					t.Errorf("about the good one: %q", w.log.about("good"))
				}
			})
		})
	}
}

// Who is refused is in the log with the reason at once, not when the connection
// is closed behind it: an encoder may take its time.
func TestRefusalIsLoggedAtOnce(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(w *world, p *peer)
		want string
	}{
		{"publish", func(w *world, p *peer) {
			w.admit = refuseAll
			p.handshake()
			p.send(connect("live"))
			p.send(command(4, 1, "publish", 3, amf.Null{}, "key"))
		}, "publish: refused by the test"},
		{"connect", func(w *world, p *peer) {
			w.server.Handler = rejecter{w}
			p.handshake()
			p.send(connect("live"))
		}, "connect: rejected by the test"},
		{"a fault before connect", func(w *world, p *peer) {
			p.handshake()
			p.say(begin(4, 1<<24-1, 0))
		}, "connect: chunk stream 4: message of type 9 announces"},
		{"a fault while publishing", func(w *world, p *peer) {
			p.publish("key")
			p.say(begin(4, 1<<24-1, 0))
		}, "chunk stream 4: message of type 9 announces"},
		{"media that can't be", func(w *world, p *peer) {
			p.publish("key")
			w.sinks[0].fail = func(flv.Tag) error { return errors.New("not media") }
			p.send(video(0, keyframe))
		}, "not media"},
	} {
		t.Run(c.name, func(t *testing.T) {
			live(t, func(w *world) {
				p := w.dial("peer")
				c.do(w, p)
				lines := w.log.about("peer")
				if !p.closed.IsZero() || len(lines) == 0 || !strings.Contains(lines[len(lines)-1], c.want) {
					t.Errorf("closed %v; logged %q, want %q", !p.closed.IsZero(), lines, c.want)
				}
				for _, s := range w.sinks {
					if s.closed != 1 {
						t.Error("the stream isn't free")
					}
				}
				pass(15 * time.Second)
				if again := w.log.about("peer"); p.closed.IsZero() || len(again) != len(lines) {
					t.Errorf("closed %v; the log has %q", !p.closed.IsZero(), again)
				}
			})
		})
	}
}

// rejecter lets nobody connect.
type rejecter struct{ *world }

func (rejecter) Connect(context.Context, ingest.Request) (any, error) {
	return nil, &ingest.Rejection{Description: "no", Cause: errors.New("rejected by the test")}
}

// A port that is looked at and left is not worth a line.
func TestPortScan(t *testing.T) {
	live(t, func(w *world) {
		w.dial("scan").nc.Close()
		synctest.Wait()
		if got := w.log.about("scan"); len(got) != 0 {
			t.Errorf("log: %q", got)
		}
	})
}

func TestTimeouts(t *testing.T) {
	drip := func(p *peer, b []byte, every time.Duration) {
		for _, v := range b {
			if pass(every); p.say([]byte{v}) != nil {
				return
			}
		}
	}
	for _, c := range []struct {
		name string
		do   func(p *peer)
		want time.Duration
	}{
		{"silence", func(*peer) {}, 5 * time.Second},
		{"handshake byte by byte", func(p *peer) { drip(p, hello(), 100*time.Millisecond) }, 5 * time.Second},
		{"no C2", func(p *peer) { p.say(hello()) }, 5 * time.Second},
		{"never connects", func(p *peer) { p.handshake() }, 10 * time.Second},
		{"connects at 4 s, never publishes", func(p *peer) {
			p.handshake()
			pass(4 * time.Second)
			p.send(connect("live"))
		}, 10 * time.Second},
		{"pings for ever", func(p *peer) {
			p.handshake()
			p.send(connect("live"))
			for p.send(control(chunk.TypeUserControl, "0006 00000000")) == nil {
				pass(100 * time.Millisecond)
			}
		}, 10 * time.Second},
		{"publishes, never sends", func(p *peer) { p.publish("key") }, 15 * time.Second},
		{"publishes at 3 s, sends until 20 s", func(p *peer) {
			p.handshake()
			pass(3 * time.Second)
			p.send(connect("live"), command(4, 1, "publish", 3, amf.Null{}, "key"))
			pass(5 * time.Second)
			p.send(audio(0, audioFrame))
			pass(12 * time.Second)
			p.send(audio(12_000, audioFrame))
		}, 35 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			live(t, func(w *world) {
				p := w.dial("peer")
				c.do(p)
				pass(time.Minute)
				if p.lifetime() != c.want {
					t.Errorf("closed after %v, want %v", p.lifetime(), c.want)
				}
			})
		})
	}
}

// A publisher that goes silent at any moment is closed 15 s ± 1 later.
func TestF5IdleTimeout(t *testing.T) {
	for ms := time.Duration(0); ms < 2500; ms += 130 {
		live(t, func(w *world) {
			p := w.dial("peer")
			p.publish("key")
			end := time.Now().Add(5*time.Second + ms*time.Millisecond)
			for time.Now().Before(end) {
				p.send(audio(0, audioFrame))
				pass(10 * time.Millisecond)
			}
			last := time.Now().Add(-10 * time.Millisecond)
			pass(time.Minute)
			if idle := p.closed.Sub(last); idle < 14*time.Second || idle > 16*time.Second {
				t.Errorf("silent after %v: closed after %v", last.Sub(p.born), idle)
			}
		})
	}
}

// A peer that reads nothing holds its connection for the write timeout only.
func TestWriteTimeout(t *testing.T) {
	live(t, func(w *world) {
		p := w.dialDeaf("deaf")
		p.say(hello())
		if err := p.say([]byte{0}); err == nil || time.Since(p.born) != 10*time.Second {
			t.Errorf("%v after %v", err, time.Since(p.born))
		}
	})
	// Nor may one that is let in ask on and on, and read no answer.
	live(t, func(w *world) {
		p := w.dialDeaf("deaf")
		heard := make(chan bool)
		go func() {
			b := make([]byte, greetingSize)
			_, err := io.ReadFull(p.nc, b)
			if p.greeting = b; err == nil {
				listen(&until{p.nc, "NetStream.Publish.Start"}, func(s string) { p.heard = append(p.heard, s) })
			}
			close(heard)
		}()
		p.publish("key")
		<-heard
		time.Sleep(12 * time.Second) // behind the handshake's own deadline
		began := time.Now()
		for {
			ping := control(chunk.TypeUserControl, "000600000000")
			if err := p.send(ping); err != nil {
				break
			}
			if time.Since(began) > time.Minute {
				t.Fatal("it is answered for ever")
			}
		}
		if took := time.Since(began); took != limits().WriteTimeout {
			t.Errorf("deaf for %v", took)
		}
	})
}

// until is a reader that reads no more once it has seen a text.
type until struct {
	io.Reader
	text string
}

func (u *until) Read(b []byte) (int, error) {
	if u.text == "" {
		return 0, io.EOF
	}
	n, err := u.Reader.Read(b)
	if bytes.Contains(b[:n], []byte(u.text)) {
		u.text = ""
	}
	return n, err
}

func TestAcknowledgements(t *testing.T) {
	big := audio(0, audioFrame)
	big.Body = append(big.Body, make([]byte, 250_000)...)
	live(t, func(w *world) {
		p := w.dial("peer")
		p.publish("key")
		p.send(control(chunk.TypeSetChunkSize, "00ffffff"))
		for range 9 {
			p.send(big)
		}
		p.expect("")
		p.send(big)
		if got := p.hear(); !strings.HasPrefix(got, "2/0 acknowledgement 250") {
			t.Errorf("after 2.5 MB: %q", got)
		}
		for range 9 {
			p.send(big)
		}
		p.expect("")
		p.send(big)
		if got := p.hear(); !strings.HasPrefix(got, "2/0 acknowledgement 500") {
			t.Errorf("after 5 MB: %q", got)
		}
	})
	live(t, func(w *world) {
		p := w.dial("peer")
		p.publish("key")
		p.send(control(chunk.TypeSetChunkSize, "00ffffff"), control(chunk.TypeWindowAckSize, "00000000"), control(chunk.TypeWindowAckSize, "00"))
		const total = 1_000_000
		for range total / len(big.Body[:1000]) {
			small := big
			small.Body = big.Body[:1000]
			p.send(small)
		}
		if n := len(p.heard); n == 0 || n > total/(64<<10)+1 {
			t.Errorf("a window of 0: %d acknowledgements in %d bytes", n, total)
		}
	})
}

// What is sent to a closed socket makes its system throw away what has yet to leave: while
// more has come than was read, nothing is acknowledged.
func TestAcknowledgementsWait(t *testing.T) {
	big := audio(0, audioFrame+strings.Repeat("00", 70_000))
	for name, around := range map[string]func(net.Conn) net.Conn{
		"plain": nil,
		"TLS":   func(nc net.Conn) net.Conn { return covered{nc, nc} },
	} {
		t.Run(name, func(t *testing.T) {
			live(t, func(w *world) {
				w.around = around
				p := w.dial("peer")
				p.publish("key")
				p.send(control(chunk.TypeWindowAckSize, "00010000"))
				p.end.unread.Store(1)
				for range 5 {
					p.send(big)
				}
				p.expect("")
				p.end.unread.Store(0)
				p.send(audio(0, audioFrame))
				if got := p.hear(); !strings.HasPrefix(got, "2/0 acknowledgement 35") || len(p.heard) > 1 {
					t.Errorf("once all is read: %q", got)
				}
				p.say(begin(6, 100_000, 70_000))
				if got := p.hear(); !strings.HasPrefix(got, "2/0 acknowledgement 41") {
					t.Errorf("in the middle of a message: %q", got)
				}
			})
		})
	}
}

// covered is a connection by way of another one, as TLS is.
type covered struct {
	net.Conn
	below net.Conn
}

func (c covered) NetConn() net.Conn { return c.below }

func TestPing(t *testing.T) {
	live(t, func(w *world) {
		p := w.dial("peer")
		p.publish("key")
		p.send(control(chunk.TypeUserControl, "0006 12345678"), control(chunk.TypeUserControl, "0003 00000001 00000bb8"),
			control(chunk.TypeUserControl, "0006 12"), control(chunk.TypeUserControl, ""))
		p.expect("2/0 user control 7 12345678")
	})
}

// The server's end is every publication's clean end.
func TestShutdown(t *testing.T) {
	live(t, func(w *world) {
		for _, name := range []string{"a", "b", "c"} {
			w.dial(name).publish(name)
		}
		w.dial("silent")
		halfway := w.dial("halfway")
		halfway.handshake()
		halfway.send(connect("live"))
		began := time.Now()
		w.stop()
		synctest.Wait()
		for i, s := range w.sinks {
			if s.closed != 1 || s.cause != nil {
				t.Errorf("sink %d: closed %d times, cause %v", i, s.closed, s.cause)
			}
		}
		if d := time.Since(began); d != 0 || halfway.closed.IsZero() {
			t.Errorf("it took %v", d)
		}
	})
}
