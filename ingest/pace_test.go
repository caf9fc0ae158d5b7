package ingest_test

import (
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/sluice-live/sluice/ingest/amf"
	"github.com/sluice-live/sluice/ingest/chunk"
	"github.com/sluice-live/sluice/metrics"
)

// TestF20Pace: what a publisher may do, but not that fast, or that slowly. Each
// is told why, and counted.
func TestF20Pace(t *testing.T) {
	picture := func(at uint32, size int) chunk.Message {
		m := video(at, keyframe)
		m.Body = append(m.Body, make([]byte, size)...)
		return m
	}
	for _, c := range []struct {
		name, what, says string
		do               func(p *peer) // until the server has enough, for a minute or two at most
	}{
		{"10 Mbit/s", "bitrate", "more than 5000 kbit/s", func(p *peer) {
			for i := range uint32(600) {
				if p.send(picture(100*i, 125_000)) != nil {
					return
				}
				pass(100 * time.Millisecond)
			}
		}},
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
		}},
		{"a message that takes its time", "message_time", "no message was complete within 30s", func(p *peer) {
			p.say(unhex("06 000000 000100 09 01000000"))
			for range 30 {
				if p.say([]byte{0}) != nil {
					return
				}
				pass(5 * time.Second)
			}
		}},
		{"one a minute", "", "", func(p *peer) {
			for i := range uint32(10) {
				p.send(audio(10_000*i, audioFrame))
				pass(10 * time.Second)
			}
		}},
		{"pings", "control_rate", "more than 200 control messages a second", func(p *peer) {
			for range 1000 {
				if p.send(control(chunk.TypeUserControl, "0006 00000000")) != nil {
					return
				}
				pass(time.Millisecond)
			}
		}},
		{"pings, not so fast", "", "", func(p *peer) {
			for range 1000 {
				p.send(control(chunk.TypeUserControl, "0006 00000000"))
				pass(10 * time.Millisecond)
			}
		}},
		{"commands", "command_rate", "more than 50 commands a second", func(p *peer) {
			for range 1000 {
				if p.send(command(3, 0, "getStreamLength", 9, amf.Null{})) != nil {
					return
				}
				pass(10 * time.Millisecond)
			}
		}},
		{"chunk sizes", "control_rate", "set chunk size: 11 times", func(p *peer) {
			for range 100 {
				if p.send(control(chunk.TypeSetChunkSize, "00001000")) != nil {
					return
				}
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			live(t, func(w *world) {
				w.server.Metrics = metrics.New()
				w.server.Limits.Bitrate = 5_000_000
				p := w.dial("peer")
				p.publish("key")
				c.do(p)
				said := p.hear()
				if c.what == "" {
					if !p.closed.IsZero() || strings.Contains(said, "error") {
						t.Errorf("refused: %s", said)
					}
					p.nc.Close()
					return
				}
				pass(2 * time.Second)
				if p.closed.IsZero() || !strings.Contains(said+p.hear(), c.says) {
					t.Errorf("it goes on, and hears %s", said)
				}
				if log := strings.Join(w.log.about("peer"), "\n"); !strings.Contains(log, c.says) {
					t.Errorf("the log has no reason:\n%s", log)
				}
				scrape := httptest.NewRecorder()
				w.server.Metrics.Handler().ServeHTTP(scrape, httptest.NewRequest("GET", "/metrics", nil))
				if want := `sluice_refused_total{what="` + c.what + `"} 1`; !strings.Contains(scrape.Body.String(), "\n"+want+"\n") {
					t.Errorf("no %s", want)
				}
			})
		})
	}
}
