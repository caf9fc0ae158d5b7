package gate

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"github.com/sluice-live/sluice/cmd/sluice/memory"
	"github.com/sluice-live/sluice/config/address"
	"github.com/sluice-live/sluice/ingest"
	"github.com/sluice-live/sluice/ingest/access"
	"github.com/sluice-live/sluice/ingest/metrics"
	"github.com/sluice-live/sluice/packager"
)

// inQualities runs f with a gate for which _720p and _360p are qualities, on an
// ordinary day.
func inQualities(t *testing.T, backup bool, f func(t *testing.T, g *Gate)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)))
		g := newGate()
		g.Metrics = metrics.New()
		g.Suffixes, g.Backup = access.Suffixes{"_720p", "_360p"}, backup
		g.Catalog = packager.NewCatalog(packager.Settings{
			Segments: 4, SegmentMinDuration: 2 * time.Second, SegmentMaxDuration: 10 * time.Second,
			PartDuration: 500 * time.Millisecond, Grace: 30 * time.Second, Linger: time.Minute,
			Genlock: true, Backup: backup, BackupAfter: 1500 * time.Millisecond, // the encoders here send once a second
		}, time.Now)
		f(t, g)
	})
}

// push asks for a name of app live.
func (g *Gate) push(name string, p *peer) (ingest.Sink, error) { return g.pushBy(name, p) }

func (g *Gate) pushBy(name string, p ingest.Peer) (ingest.Sink, error) {
	_, s, err := g.Publish(context.Background(), ingest.Request{
		App: "live", Name: name, Remote: netip.MustParseAddrPort("192.0.2.1:1"), Peer: p, Software: "encoder of " + name,
	})
	return s, err
}

// mustPush is push of one who has to be let in.
func (g *Gate) mustPush(t *testing.T, name string) (ingest.Sink, *peer) {
	t.Helper()
	p := newPeer()
	s, err := g.push(name, p)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return s, p
}

// crewOf says who publishes a stream, in words.
func (g *Gate) crewOf(t *testing.T, name string) string {
	t.Helper()
	stream, err := packager.ParseStreamName("live", name)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, c := range g.Contributors(stream) {
		word := strings.TrimPrefix(c.Pushed, "live/")
		if !c.OnAir {
			word += " waits"
		}
		if c.Alone {
			word += " alone"
		}
		all = append(all, word)
	}
	return strings.Join(all, ", ")
}

// Several names are one stream, each with a publisher of its own.
func TestQualitiesAreOneStream(t *testing.T) {
	inQualities(t, false, func(t *testing.T, g *Gate) {
		var log bytes.Buffer
		g.Log = zerolog.New(&log)
		small, _ := g.mustPush(t, "cam1_360p")
		large, p := g.mustPush(t, "cam1_720p")
		bare, _ := g.mustPush(t, "cam1")
		alone, _ := g.mustPush(t, "_720p")
		if n := len(g.Catalog.Streams()); n != 2 {
			t.Errorf("%d streams", n)
		}
		p.speak()
		time.AfterFunc(50*time.Millisecond, p.speak)
		if _, err := g.push("cam1_720p", newPeer()); !errors.Is(err, ingest.ErrBusy) {
			t.Errorf("a second publisher of a quality: %v", err)
		}
		encoders := []*slides{{sink: small}, {sink: large}, {sink: bare}}
		for range 6 {
			for _, e := range encoders {
				if err := e.show(1000, true); err != nil {
					t.Fatal(err)
				}
			}
			time.Sleep(time.Second)
		}
		if got, want := g.crewOf(t, "cam1"), "cam1, cam1_720p, cam1_360p"; got != want {
			t.Errorf("%s publish, want %s", got, want)
		}
		if got := g.crewOf(t, "_720p"); !strings.HasPrefix(got, "_720p") {
			t.Errorf("%s publish _720p", got)
		}
		small.Close(nil)
		if got, want := g.crewOf(t, "cam1"), "cam1, cam1_720p"; got != want {
			t.Errorf("%s publish, want %s", got, want)
		}
		for _, s := range []ingest.Sink{large, bare, alone} {
			s.Close(nil)
		}
		if n := len(g.publishers); n != 0 {
			t.Errorf("%d streams have publishers when all are gone", n)
		}
		for _, words := range []string{`"stream":"live/cam1","pushed":"live/cam1_360p"`, `"stream":"live/_720p","remote"`} {
			if !strings.Contains(log.String(), words) {
				t.Errorf("the log has no %s:\n%s", words, &log)
			}
		}
	})
}

// One who comes back takes the place of his dead connection, and nobody else's.
func TestTakeoverOfAQuality(t *testing.T) {
	inQualities(t, false, func(t *testing.T, g *Gate) {
		small, smallPeer := g.mustPush(t, "cam1_360p")
		large, largePeer := g.mustPush(t, "cam1_720p")
		go func() { large.Close(<-largePeer.hung) }()
		time.Sleep(3 * time.Second)
		again, _ := g.mustPush(t, "cam1_720p")
		select {
		case <-smallPeer.hung:
			t.Error("another quality was hung up on")
		default:
		}
		if got := g.crewOf(t, "cam1"); !strings.Contains(got, "cam1_720p") || !strings.Contains(got, "cam1_360p") {
			t.Errorf("%s publish", got)
		}
		small.Close(nil)
		again.Close(nil)
	})
}

// A quality that comes and goes all the time has to wait for its turn; the others don't.
func TestTurnsOfQualities(t *testing.T) {
	inQualities(t, false, func(t *testing.T, g *Gate) {
		steady, _ := g.mustPush(t, "cam1")
		began := time.Now()
		for range 10 {
			s, _ := g.mustPush(t, "cam1_720p")
			s.Close(errors.New("lost"))
		}
		if took := time.Since(began); took < 6*time.Second {
			t.Errorf("ten publications of a quality within %v", took)
		}
		began = time.Now()
		other, _ := g.mustPush(t, "cam1_360p")
		if took := time.Since(began); took > 0 {
			t.Errorf("another had to wait for %v", took)
		}
		steady.Close(nil)
		other.Close(nil)
	})
}

// The stream's turn is taken, too, where it begins with whatever quality.
func TestTurnsOfTheStream(t *testing.T) {
	inQualities(t, false, func(t *testing.T, g *Gate) {
		began := time.Now()
		for i := range 8 {
			s, _ := g.mustPush(t, []string{"cam1_720p", "cam1_360p", "cam1"}[i%3])
			s.Close(nil)
		}
		if took := time.Since(began); took < 4*time.Second {
			t.Errorf("a stream began eight times within %v", took)
		}
	})
}

// What several publishers hold is that of their stream; who joins needs room beside it,
// and where there is none for the stream, all of them go.
func TestMemoryOfQualities(t *testing.T) {
	inQualities(t, false, func(t *testing.T, g *Gate) {
		g.Budget = memory.Budget{All: 100 << 20, Stream: 100 << 20, Segments: 4}
		small, _ := g.mustPush(t, "cam1_360p")
		large, _ := g.mustPush(t, "cam1_720p")
		encoders := []*slides{{sink: small}, {sink: large}}
		show := func() (errs [2]error) {
			for i, e := range encoders {
				errs[i] = e.show(500<<10, true)
			}
			time.Sleep(time.Second)
			g.Patrol()
			return errs
		}
		for range 20 {
			if errs := show(); errs != [2]error{} {
				t.Fatal(errs)
			}
		}
		claims, publishers := g.claims()
		if len(claims) != 1 || len(publishers[0]) != 2 || beside(publishers[0]) != int64(publishers[0][0].held()+publishers[0][1].held()) {
			t.Errorf("%d claims, of %v", len(claims), publishers)
		}
		third := pushed{name: publishers[0][0].stream, stream: publishers[0][0].stream}
		if err := g.room(third); err != nil {
			t.Errorf("with room: %v", err)
		}
		// Two of 500 KiB/s need 12 s each, and one that joins 8 MiB.
		g.Budget.All = 18 << 20
		var full *metrics.Exceeded
		if err := g.room(third); !errors.As(err, &full) || full.Limit != metrics.Memory {
			t.Errorf("a third without room: %v", err)
		}
		if errs := show(); errs != [2]error{} {
			t.Errorf("those who are there: %v", errs)
		}
		g.Budget.All = 6 << 20
		g.Patrol()
		for i, err := range show() {
			if !errors.As(err, &full) || full.Limit != metrics.Memory {
				t.Errorf("encoder %d hears %v", i, err)
			}
			encoders[i].sink.Close(err)
		}
		if n := len(g.Catalog.Streams()); n != 0 {
			t.Errorf("%d streams are left", n)
		}
	})
}

// A key of a stream lets in its qualities, and nobody else's.
func TestKeysOfQualities(t *testing.T) {
	inQualities(t, false, func(t *testing.T, g *Gate) {
		all := address.Networks{netip.MustParsePrefix("192.0.2.0/24")}
		g.Access = always(access.Settings{From: all, Trusted: all, Keys: access.Keys{"cam1": access.HashKey("KEY")}, Suffixes: g.Suffixes, Now: time.Now})
		s, _ := g.mustPush(t, "KEY_720p")
		if got := g.crewOf(t, "cam1"); !strings.HasPrefix(got, "cam1_720p") {
			t.Errorf("%s publish", got)
		}
		for _, name := range []string{"cam1_720p", "KEY_480p", "_720p", "KEY_720p_360p"} {
			if _, err := g.push(name, newPeer()); !errors.Is(err, ingest.ErrDenied) {
				t.Errorf("%s: %v", name, err)
			}
		}
		s.Close(nil)
	})
}

// switches is how often an encoder took another's place, for a cause.
func switches(g *Gate, cause string) (n int) {
	w := httptest.NewRecorder()
	g.Metrics.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	for line := range strings.Lines(w.Body.String()) {
		fmt.Sscanf(line, `sluice_backup_switches_total{cause="`+cause+`"} %d`, &n)
	}
	return n
}
