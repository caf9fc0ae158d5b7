package main

import (
	"bytes"
	"errors"
	"io"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluice-live/sluice/config"
	watching "github.com/sluice-live/sluice/httpserve/access"
	"github.com/sluice-live/sluice/ingest/client"
	"github.com/sluice-live/sluice/ingest/flv"
	"github.com/sluice-live/sluice/ingest/metrics"
)

// theatre is a house that plays by RTMP.
type theatre struct {
	*house
	sent []flv.Tag // frames, of all encoders
}

func inTheatre(t *testing.T, set func(*config.Config), f func(h *theatre)) {
	t.Helper()
	inHouseOf(t, func(h *house) {
		c := &h.app.cfg
		set(c)
		var err error
		if h.app.rules, err = newRules(c.Publish, c.Watch, c.ABR); err != nil {
			t.Fatal(err)
		}
		h.app.metrics = metrics.New()
		h.app.rtmp.Metrics = h.app.metrics
		h.app.rtmp.Handler = h.app.handler()
	}, func(h *house) { f(&theatre{house: h}) })
}

// publish sends the clip for that long, at its own pace, and notes what it sends.
func (h *theatre) publish(p *client.Publisher, length time.Duration) {
	h.t.Helper()
	begin := time.Now()
	for loop := time.Duration(0); loop < length; loop += clipLength {
		r, err := flv.NewReader(bytes.NewReader(clip))
		if err != nil {
			h.t.Fatal(err)
		}
		for {
			tag, err := r.ReadTag()
			if err == io.EOF {
				break
			}
			at := loop + time.Duration(tag.Timestamp)*time.Millisecond
			if at >= length {
				break
			}
			time.Sleep(time.Until(begin.Add(at)))
			tag.Timestamp = uint32(at.Milliseconds())
			if err := p.WriteTag(tag); err != nil {
				h.t.Fatal(err)
			}
			for packet := range flv.Packets(tag) {
				if packet.Type == flv.PacketFrame {
					tag.Body = bytes.Clone(tag.Body)
					h.sent = append(h.sent, tag)
				}
			}
		}
	}
}

func (h *theatre) encoder() *client.Publisher {
	h.t.Helper()
	p, err := client.New(h.door.dial(), "live", "cam1", "rtmp://sluice/live")
	if err != nil {
		h.t.Fatal(err)
	}
	return p
}

// audience is one who plays, and what he got.
type audience struct {
	mu   sync.Mutex
	got  []flv.Tag // frames
	tell int       // script tags and configurations
	err  error     // that it ended with
	done chan struct{}
	slow func(n int) // before each tag
	hang func()
}

func (h *theatre) play(name string, t client.Tells, slow func(n int)) (*audience, error) {
	r, err := client.NewReader(h.door.dial(), "live", name, "rtmp://sluice/live", t)
	if err != nil {
		return nil, err
	}
	a := &audience{done: make(chan struct{}), slow: slow, hang: func() { r.Close() }}
	go func() {
		defer close(a.done)
		defer r.Close()
		for n := 0; ; n++ {
			if a.slow != nil {
				a.slow(n)
			}
			tag, err := r.ReadTag()
			a.mu.Lock()
			if err != nil {
				a.err = err
				a.mu.Unlock()
				return
			}
			frame := false
			for packet, err := range flv.Packets(tag) {
				frame = err == nil && packet.Type == flv.PacketFrame
			}
			if frame {
				tag.Body = bytes.Clone(tag.Body)
				a.got = append(a.got, tag)
			} else {
				a.tell++
			}
			a.mu.Unlock()
		}
	}()
	return a, nil
}

// of are the frames of one kind.
func of(kind flv.TagType, tags []flv.Tag) (list []flv.Tag) {
	for _, t := range tags {
		if t.Type == kind {
			list = append(list, t)
		}
	}
	return list
}

// Who plays gets each access unit that was sent, once, in order and byte for byte, from
// a keyframe on; and stays while an encoder is lost and comes back.
func TestPlay(t *testing.T) {
	inTheatre(t, func(*config.Config) {}, func(h *theatre) {
		p := h.encoder()
		h.publish(p, 5*time.Second)
		before := len(h.sent)
		a, err := h.play("cam1", client.Tells{}, nil)
		if err != nil {
			t.Fatal(err)
		}
		h.publish(p, 8*time.Second) // its timestamps leap back: that breaks the line
		p.Abort()
		time.Sleep(5 * time.Second)
		p = h.encoder()
		h.publish(p, 8*time.Second)
		p.Close()
		<-a.done
		if a.err != io.EOF {
			t.Errorf("it ends with %v", a.err)
		}
		for _, kind := range []flv.TagType{flv.TagVideo, flv.TagAudio} {
			sent, got := of(kind, h.sent), of(kind, a.got)
			if len(got) == 0 {
				t.Fatalf("no %v", kind)
			}
			if kind == flv.TagVideo && (got[0].Body[0]>>4 != 1 || got[0].Timestamp > 50) {
				t.Errorf("it begins with %x at %d", got[0].Body[:2], got[0].Timestamp)
			}
			missed, next, silence := 0, 0, 0
			for i, tag := range got {
				if i > 0 && int32(tag.Timestamp-got[i-1].Timestamp) < 0 {
					t.Fatalf("%v goes back from %d to %d", kind, got[i-1].Timestamp, tag.Timestamp)
				}
				at := next
				for at < len(sent) && !bytes.Equal(sent[at].Body[5:], tag.Body[5:]) {
					at++
				}
				if at == len(sent) {
					silence++ // what is filled
					continue
				}
				if next > 0 {
					missed += at - next
				}
				next = at + 1
			}
			t.Logf("%v: %d of %d, %d before it came, %d not there, %d filled", kind, len(got), len(sent), len(of(kind, h.sent[:before])), missed, silence)
			if missed > 1 || next < len(sent)-1 || kind == flv.TagVideo && silence > 0 || silence > 300 {
				t.Errorf("%v: %d are not there, the last is %d of %d, %d are filled", kind, missed, next, len(sent), silence)
			}
		}
		if last := a.got[len(a.got)-1].Timestamp; last < 20_000 || last > 26_000 {
			t.Errorf("it ends at %d", last)
		}
	})
}

// One who is slow goes on with a newer keyframe, and one who takes nothing is gone;
// those beside them get all.
func TestPlaySlow(t *testing.T) {
	inTheatre(t, func(*config.Config) {}, func(h *theatre) {
		p := h.encoder()
		h.publish(p, 3*time.Second)
		play := func(slow func(int)) *audience {
			a, err := h.play("cam1", client.Tells{}, slow)
			if err != nil {
				t.Fatal(err)
			}
			return a
		}
		quick := play(nil)
		slow := play(func(n int) {
			if n == 100 {
				time.Sleep(9 * time.Second)
			}
		})
		stuck := play(func(n int) {
			if n == 50 {
				time.Sleep(time.Hour)
			}
		})
		h.publish(p, 30*time.Second)
		body := func() string {
			w := httptest.NewRecorder()
			h.app.metrics.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
			return w.Body.String()
		}
		if m := body(); !strings.Contains(m, "\nsluice_rtmp_readers 2\n") || !strings.Contains(m, "\nsluice_rtmp_skips_total 1\n") {
			t.Errorf("metrics: %s", m[strings.Index(m, "# HELP sluice_rtmp"):])
		}
		p.Close()
		<-quick.done
		<-slow.done
		if n, all := len(of(flv.TagVideo, quick.got)), len(of(flv.TagVideo, h.sent)); n < all-95 {
			t.Errorf("the quick one has %d of %d", n, all)
		}
		video := of(flv.TagVideo, slow.got)
		if n, all := len(video), len(of(flv.TagVideo, quick.got)); n > all-120 || n < all-300 {
			t.Errorf("the slow one has %d of %d", n, all)
		}
		for i := 1; i < len(video); i++ {
			if video[i].Timestamp-video[i-1].Timestamp > 1000 && video[i].Body[0]>>4 != 1 {
				t.Error("it goes on without a keyframe")
			}
		}
		if off := int32(video[len(video)-1].Timestamp - of(flv.TagVideo, quick.got)[len(of(flv.TagVideo, quick.got))-1].Timestamp); off < -100 || off > 100 {
			t.Errorf("the slow one ends %d ms off", off)
		}
		<-stuck.done
	})
}

// Who plays is a viewer: watch is for him, and publish isn't.
func TestPlayAccess(t *testing.T) {
	set := func(c *config.Config) {
		c.Watch.TokenKeys = []string{strings.Repeat("ab", 16)}
		c.Publish.Users = map[string]string{"anna": "secret"} // who publishes logs in
		c.RTMP.PlayWait = 10 * time.Second
		c.RTMP.MaxReaders = 1
	}
	inTheatre(t, set, func(h *theatre) {
		h.app.gate.Access = h.app.rules.publishers.Load
		keys, err := tokenKeys(h.app.cfg.Watch)
		if err != nil {
			t.Fatal(err)
		}
		good, err := watching.Signed{ACL: []string{"/live/cam1/*"}, Expires: time.Now().Add(time.Hour)}.Sign(keys[0])
		if err != nil {
			t.Fatal(err)
		}
		good = url.QueryEscape(good)
		play := func(name string) error {
			a, err := h.play(name, client.Tells{}, nil)
			if err == nil {
				synctest.Wait()
				go func() { <-a.done }()
			}
			return err
		}
		for name, want := range map[string]string{
			"cam1":                                "needs a token",
			"cam1?token=nonsense":                 "no token of a kind",
			"cam2?token=" + good:                  "not for this stream",
			"cam1?token=" + good:                  "nobody publishes it",
			"cam1?token=" + good + "&token=twice": "more than one token",
			"../etc":                              "begins with a dot",
		} {
			if err := play(name); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, want %s", name, err, want)
			}
		}
		if _, err := client.New(h.door.dial(), "live", "cam1", "rtmp://sluice/live"); err == nil {
			t.Error("an encoder needn't log in")
		}
		h.app.cfg.Publish.Login = "never" // for our encoder, which can't be asked
		if err := h.app.rules.replace(h.app.cfg.Publish, h.app.cfg.Watch); err != nil {
			t.Fatal(err)
		}
		var p *client.Publisher
		sent := make(chan struct{})
		time.AfterFunc(time.Second, func() { // it comes while somebody waits
			defer close(sent)
			if p, err = client.New(h.door.dial(), "live", "cam1?user=anna&pass=secret", "rtmp://sluice/live"); err == nil {
				h.publish(p, 6*time.Second)
			}
		})
		a, errPlay := h.play("cam1?token="+good, client.Tells{}, nil)
		if errPlay != nil {
			t.Fatal(errPlay)
		}
		if err := play("cam1?token=" + good); err == nil || !strings.Contains(err.Error(), "rtmp.max_readers") {
			t.Errorf("a second reader: %v", err)
		}
		<-sent
		if err != nil {
			t.Fatal(err)
		}
		p.Close()
		<-a.done
		if len(a.got) == 0 || !errors.Is(a.err, io.EOF) {
			t.Errorf("%d tags, %v", len(a.got), a.err)
		}
	})
}

// With rtmp.play off, RTMP is for encoders alone.
func TestPlayOff(t *testing.T) {
	inTheatre(t, func(c *config.Config) { c.RTMP.Play = false }, func(h *theatre) {
		p := h.encoder()
		h.publish(p, 3*time.Second)
		if _, err := h.play("cam1", client.Tells{}, nil); err == nil || !strings.Contains(err.Error(), "rtmp.play") {
			t.Error(err)
		}
		p.Close()
	})
}
