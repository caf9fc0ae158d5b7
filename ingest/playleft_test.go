package ingest_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluice-live/sluice/ingest"
	"github.com/sluice-live/sluice/ingest/amf"
	"github.com/sluice-live/sluice/ingest/chunk"
)

// Who plays nothing has as long as one who has not begun: he may not stay for the byte that he
// sends now and then, nor for the commands that do nothing.
func TestNothingPlayedIsNoStay(t *testing.T) {
	for name, c := range map[string]struct {
		refused bool
		bit     func(p *peer)
	}{
		"refused, and pieces of a message": {true, func(p *peer) { p.say([]byte{0x43}[:1]) }},
		"refused, and pings":               {true, func(p *peer) { p.send(control(chunk.TypeUserControl, "0006 00000007")) }},
		"ended, and pings":                 {false, func(p *peer) { p.send(control(chunk.TypeUserControl, "0006 00000007")) }},
		"ended, and commands":              {false, func(p *peer) { p.send(command(3, 0, "_checkbw", 3, amf.Null{})) }},
	} {
		t.Run(name, func(t *testing.T) {
			staged(t, func(s *stage) {
				if c.refused {
					s.admit = func(ingest.Request) error { return fmt.Errorf("live/x: %w", ingest.ErrNotFound) }
				}
				p := s.reader("peer")
				p.send(command(8, 1, "play", 0, amf.Null{}, "x"))
				p.hear()
				if !c.refused {
					pass(time.Minute)
					s.plays[0].end()
				}
				began := time.Now()
				for p.closed.IsZero() && time.Since(began) < 5*time.Minute {
					pass(5 * time.Second)
					if p.closed.IsZero() {
						c.bit(p)
						p.hear()
					}
				}
				synctest.Wait()
				if stay := time.Since(began); stay > time.Minute {
					t.Errorf("it is here for %v", stay)
				}
				p.nc.Close()
			})
		})
	}
}
