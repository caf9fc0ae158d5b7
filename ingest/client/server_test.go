package client_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluice-live/sluice/ingest/amf"
	"github.com/sluice-live/sluice/ingest/chunk"
	"github.com/sluice-live/sluice/ingest/client"
	"github.com/sluice-live/sluice/ingest/flv"
	"github.com/sluice-live/sluice/ingest/handshake"
)

// says answers a handshake and then says something, whatever it hears.
func says(nc net.Conn, b []byte) {
	defer nc.Close()
	hello := make([]byte, 1+handshake.PacketSize)
	if _, err := io.ReadFull(nc, hello); err != nil {
		return
	}
	hello[0] = 3
	go io.Copy(io.Discard, nc)
	nc.SetDeadline(time.Now().Add(time.Minute))
	nc.Write(append(bytes.Clone(hello), hello[1:]...))
	nc.Write(b)
	time.Sleep(time.Minute)
}

// script is what a server says, as messages.
func script(messages ...chunk.Message) []byte {
	var b bytes.Buffer
	w := chunk.NewWriter(&b)
	for _, m := range messages {
		m.ChunkStreamID = 3
		w.WriteMessage(m)
	}
	w.Flush()
	return b.Bytes()
}

func said(name string, txn float64, values ...any) chunk.Message {
	return chunk.Message{Type: chunk.TypeCommandAMF0, Body: amf.Append(amf.Append(nil, name, txn), values...)}
}

func info(level, code string, more ...amf.Property) amf.Object {
	return append(amf.Object{{Name: "level", Value: level}, {Name: "code", Value: code}, {Name: "description", Value: "so it is"}}, more...)
}

// playing and publishing are dialogues that go well.
var (
	playing = []chunk.Message{
		said("_result", 1, amf.Null{}, info("status", "NetConnection.Connect.Success")),
		said("_result", 2, amf.Null{}, 1.0),
		said("onStatus", 0, amf.Null{}, info("status", "NetStream.Play.Start", amf.Property{Name: "sluiceVia", Value: "a,b"})),
		{Type: chunk.TypeUserControl, Body: []byte{0, 6, 0, 0, 0, 1}},
		{Type: chunk.TypeDataAMF0, Body: amf.Append(nil, "onMetaData", amf.ECMAArray{})},
		{Type: chunk.TypeVideo, Timestamp: 40, Body: []byte{0x17, 1, 0, 0, 0, 1}},
		{Type: chunk.TypeAggregate, Timestamp: 80, Body: aggregate()},
		said("onStatus", 0, amf.Null{}, info("status", "NetStream.Play.UnpublishNotify")),
	}
	publishing = []chunk.Message{
		said("_result", 1, amf.Null{}, info("status", "NetConnection.Connect.Success", amf.Property{Name: "fourCcList", Value: amf.StrictArray{"hvc1", "av01"}}, amf.Property{Name: "capsEx", Value: 2.0})),
		said("_error", 2, amf.Null{}, info("error", "NetConnection.Call.Failed")), // releaseStream: nothing depends on it
		said("_result", 4, amf.Null{}, 1.0),
		said("onStatus", 0, amf.Null{}, info("status", "NetStream.Publish.Start")),
		{Type: chunk.TypeUserControl, Body: []byte{0, 6, 0, 0, 0, 1}},
		said("onStatus", 0, amf.Null{}, info("error", "NetStream.Publish.BadName")),
	}
)

func aggregate() []byte {
	var b bytes.Buffer
	b.Write([]byte{byte(flv.TagAudio), 0, 0, 3, 0, 0, 80, 0, 0, 0, 0, 0xAF, 1, 7, 0, 0, 0, 14})
	b.Write([]byte{byte(flv.TagVideo), 0, 0, 6, 0, 0, 90, 0, 0, 0, 0, 0x27, 1, 0, 0, 0, 9, 0, 0, 0, 17})
	return b.Bytes()
}

// A reader returns what a server says, aggregates in pieces, and by which servers it came.
func TestReaderDialogue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		go says(far, script(playing...))
		r, err := client.NewReader(near, "live", "x", "rtmp://h/live", client.Tells{Via: []string{"me"}, Idle: 5 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		if via := strings.Join(r.Via(), " "); via != "a b" {
			t.Errorf("it came by %s", via)
		}
		var got []flv.TagType
		for {
			tag, err := r.ReadTag()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, tag.Type)
		}
		if len(got) != 4 || got[0] != flv.TagScript || got[1] != flv.TagVideo || got[2] != flv.TagAudio || got[3] != flv.TagVideo {
			t.Errorf("%v", got)
		}
		r.Close()
		time.Sleep(2 * time.Minute)
	})
}

// A server that talks, and sends no tags, is silent.
func TestReaderIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		go func() {
			says(far, script(playing[:3]...))
		}()
		r, err := client.NewReader(near, "live", "x", "rtmp://h/live", client.Tells{Idle: 5 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		if _, err := r.ReadTag(); err == nil || time.Since(began) != 5*time.Second {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		r.Close()
		time.Sleep(2 * time.Minute)
	})
}

// A publisher hears what the server takes, and that it ends the publication.
func TestPublisherDialogue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		go says(far, script(publishing...))
		d := client.Dialer{Net: func(context.Context, string, string) (net.Conn, error) { return near, nil }}
		p, err := d.Publish(t.Context(), client.Address{Host: "h", App: "live", Name: "SECRET"}, client.Tells{Codecs: []flv.FourCC{flv.HVC1}})
		if err != nil {
			t.Fatal(err)
		}
		if !p.Abilities.Takes(flv.HVC1) || p.Abilities.Takes(flv.VVC1) || !p.Abilities.Tracks {
			t.Errorf("it takes %+v", p.Abilities)
		}
		<-p.Gone()
		if err := p.Why(); err == nil || !strings.Contains(err.Error(), "NetStream.Publish.BadName: so it is") {
			t.Error(err)
		}
		p.Abort()
		time.Sleep(2 * time.Minute)
	})
}

// A server that talks without end to who publishes is left, and holds little meanwhile.
func TestPublisherFlood(t *testing.T) {
	ping := chunk.Message{Type: chunk.TypeUserControl, Body: []byte{0, 6, 0, 0, 0, 1}}
	for name, m := range map[string]chunk.Message{
		"pings": ping, "commands": said("onBWDone", 0, amf.Null{}), "a message that is media": {Type: chunk.TypeVideo, Body: make([]byte, 1<<20)},
	} {
		synctest.Test(t, func(t *testing.T) {
			near, far := net.Pipe()
			flood := publishing[:4:4]
			for range 2000 {
				if flood = append(flood, m); len(m.Body) > 1<<10 {
					break
				}
			}
			go says(far, script(flood...))
			p, err := client.New(near, "live", "x", "rtmp://h/live")
			if err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			if why := p.Why(); why == nil {
				t.Errorf("%s: it listens on", name)
			}
			p.Abort()
			time.Sleep(2 * time.Minute)
		})
	}
}

// What is secret in an address is in no text.
func TestAddress(t *testing.T) {
	a, err := client.ParseAddress("rtmps://anna:PASSWORD@[::1]:1936/live/inst/KEY%23?token=TOKEN&x=1")
	if err != nil {
		t.Fatal(err)
	}
	if a.App != "live/inst" || a.Name != "KEY#?token=TOKEN&x=1" || a.User != "anna" || a.Password != "PASSWORD" || !a.TLS || a.Host != "[::1]:1936" {
		t.Errorf("%+v", a)
	}
	if s := a.String(); s != "rtmps://[::1]:1936/…" {
		t.Error(s)
	}
	said := a.Hush("stream KEY# of live/inst?token=TOKEN is anna's, PASSWORD " + strings.Repeat("x", 1000))
	if strings.Contains(said, "KEY") || strings.Contains(said, "TOKEN") || strings.Contains(said, "PASSWORD") || len(said) > 310 {
		t.Error(said)
	}
	for _, bad := range []string{"", "rtmp://h", "rtmp://h/", "rtmp://h/a", "rtmp://h/a/", "rtmp:///a/b", "http://h/a/b", "rtmp://h/SECRET%zz/b", "h/a/b"} {
		if _, err := client.ParseAddress(bad); err == nil || strings.Contains(err.Error(), "SECRET") {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

// What a server repeats of an address is not as it was written: it has decoded it, cut it short, or
// encoded it.
func TestHush(t *testing.T) {
	long := strings.Repeat("SECRET", 40)
	a, err := client.ParseAddress("rtmp://anna:PASS%2BWORD@h/live/inst%20one/KEY%2Bone%20two?token=TO%2BKEN%3D%3D&x=" + long + "&short=abc")
	if err != nil {
		t.Fatal(err)
	}
	for _, said := range []string{
		"no such user: anna", "login of PASS+WORD", "login of PASS%2BWORD",
		"KEY+one two is live", "KEY%2Bone%20two is live", "KEY%2Bone+two is live",
		"token TO+KEN== is no token", "token=TO%2BKEN%3D%3D is no token",
		"inst one is full", "inst%20one is full",
		"stream KEY+one two?token=TO%2BKEN%3D%3D&x=" + long[:100] + "… is no name", "x=" + long[:20] + "…", "of x: " + long,
	} {
		hushed := a.Hush("refused: " + said)
		for _, secret := range []string{"anna", "PASS", "WORD", "KEY", "TO+", "TO%2B", "KEN", "one", "SECRET"} {
			if strings.Contains(hushed, secret) {
				t.Errorf("%q of %q", hushed, said)
				break
			}
		}
		if !strings.HasPrefix(hushed, "refused: ") {
			t.Errorf("too much: %q", hushed)
		}
	}
	for _, bad := range []string{"rtmp://h:SECRET/live/x", "rtmp://anna:SECRET/word@h/live/x", "rtmp://SECRET h/live/x", "rtmp://h/SECRET\x01/x", "SECRET://h/a/b", "rtmp://[SECRET/a/b"} {
		if _, err := client.ParseAddress(bad); err == nil || strings.Contains(err.Error(), "SECRET") {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

// FuzzServer has a server say anything: who plays from it, or publishes to it, comes to an
// end, and holds no more than it was sent.
func FuzzServer(f *testing.F) {
	for _, dialogue := range [][]chunk.Message{playing, publishing} {
		for n := range len(dialogue) + 1 {
			f.Add(script(dialogue[:n]...))
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		b = b[:min(len(b), 64<<10)]
		synctest.Test(t, func(t *testing.T) {
			near, far := net.Pipe()
			go says(far, b)
			if r, err := client.NewReader(near, "live", "x", "rtmp://h/live", client.Tells{Idle: 5 * time.Second}); err == nil {
				for n := 0; ; n++ {
					if _, err := r.ReadTag(); err != nil {
						break
					}
					if n > len(b) {
						t.Fatal("more tags than bytes")
					}
				}
				if r.Held() > 1<<20 {
					t.Errorf("%d bytes are held of %d", r.Held(), len(b))
				}
			}
			near.Close()
			near, far = net.Pipe()
			go says(far, b)
			if p, err := client.New(near, "live", "x", "rtmp://h/live"); err == nil {
				p.WriteTag(flv.Tag{Type: flv.TagVideo, Body: []byte{0x17, 1, 0, 0, 0, 1}})
				p.Close()
			}
			near.Close()
			time.Sleep(2 * time.Minute)
		})
	})
}
