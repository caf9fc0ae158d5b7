package gate

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/sluice-live/sluice/httpserve/admin"
	"github.com/sluice-live/sluice/ingest"
	"github.com/sluice-live/sluice/packager"
)

// duo is two encoders of one name that show the same.
type duo struct {
	g     *Gate
	t     *testing.T
	sinks []*slides
	peers []*peer
}

// join lets another one in.
func (d *duo) join(name string) {
	d.t.Helper()
	s, p := d.g.mustPush(d.t, name)
	at := uint32(0)
	if len(d.sinks) > 0 {
		at = d.sinks[0].at
	}
	e := &slides{sink: s}
	if at > 0 { // it is in the middle of the same show
		if err := e.show(1000, true); err != nil {
			d.t.Fatal(err)
		}
		e.at = at
	}
	d.sinks, d.peers = append(d.sinks, e), append(d.peers, p)
}

// show has those play that are named, for so many seconds.
func (d *duo) show(seconds int, who ...int) {
	d.t.Helper()
	for range seconds {
		for i, e := range d.sinks {
			sends := false
			for _, w := range who {
				sends = sends || w == i
			}
			if !sends {
				e.at += 1000
				continue
			}
			d.peers[i].speak()
			if err := e.show(1000, true); err != nil {
				d.t.Fatal(err)
			}
		}
		time.Sleep(time.Second)
	}
}

// A second publisher of a name stands by, takes over, and a third is told who is there.
func TestBackup(t *testing.T) {
	inQualities(t, true, func(t *testing.T, g *Gate) {
		var told []admin.Event
		g.Tell = func(e admin.Event) {
			if e.Kind == admin.Switched {
				told = append(told, e)
			}
		}
		d := &duo{g: g, t: t}
		d.join("cam1")
		d.show(3, 0)
		d.join("cam1")
		d.show(4, 0, 1)
		if got, want := g.crewOf(t, "cam1"), "cam1, cam1 waits"; got != want {
			t.Errorf("%s, want %s", got, want)
		}
		if len(d.peers[0].hung) > 0 {
			t.Error("the first was hung up on")
		}
		stop := make(chan bool)
		for _, p := range d.peers {
			go func() {
				for {
					select {
					case <-stop:
						return
					case <-time.After(40 * time.Millisecond):
						p.speak()
					}
				}
			}()
		}
		_, err := g.push("cam1", newPeer())
		if !errors.Is(err, ingest.ErrBusy) || !strings.Contains(err.Error(), "192.0.2.1 is on air, 192.0.2.1 stands by") {
			t.Errorf("a third: %v", err)
		}
		close(stop)

		d.sinks[0].sink.Close(errors.New("lost"))
		d.sinks, d.peers = d.sinks[1:], d.peers[1:]
		d.show(3, 0)
		if got, want := g.crewOf(t, "cam1"), "cam1 alone"; got != want {
			t.Errorf("%s, want %s", got, want)
		}
		if n := switches(g, "lost"); n != 1 {
			t.Errorf("%d switches are counted", n)
		}
		if len(told) != 1 || told[0].Stream != "live/cam1" || told[0].Pushed != "live/cam1" || told[0].Code != "lost" || !strings.HasSuffix(told[0].Text, "the one before is lost") {
			t.Errorf("told: %+v", told)
		}
		d.join("cam1")
		d.show(3, 0, 1)
		if got, want := g.crewOf(t, "cam1"), "cam1, cam1 waits"; got != want {
			t.Errorf("%s, want %s", got, want)
		}
		for _, e := range d.sinks {
			e.sink.Close(nil)
		}
	})
}

// Of two that hold the places of a name, one whose connection is dead makes way for a
// third.
func TestBackupOfADeadConnection(t *testing.T) {
	inQualities(t, true, func(t *testing.T, g *Gate) {
		d := &duo{g: g, t: t}
		d.join("cam1")
		d.show(3, 0)
		d.join("cam1")
		d.show(3, 0, 1)
		dead := d.sinks[0].sink
		go func() { dead.Close(<-d.peers[0].hung) }()
		d.show(4, 1)
		if got, want := g.crewOf(t, "cam1"), "cam1 waits, cam1"; got != want {
			t.Errorf("%s, want %s", got, want)
		}
		if n := switches(g, "silent"); n != 1 {
			t.Errorf("%d switches are counted", n)
		}
		third, _ := g.mustPush(t, "cam1")
		if got, want := g.crewOf(t, "cam1"), "cam1, cam1 waits"; got != want {
			t.Errorf("%s, want %s", got, want)
		}
		third.Close(nil)
		d.sinks[1].sink.Close(nil)
	})
}

// An operator has the one go on air that stands by.
func TestSwitch(t *testing.T) {
	inQualities(t, true, func(t *testing.T, g *Gate) {
		stream, _ := packager.ParseStreamName("live", "cam1")
		if err := g.Switch(stream, "live/cam1"); !errors.Is(err, ErrNobody) {
			t.Errorf("where nobody publishes: %v", err)
		}
		d := &duo{g: g, t: t}
		d.join("cam1_720p")
		d.show(3, 0)
		if err := g.Switch(stream, "live/cam1_720p"); err == nil || errors.Is(err, ErrNobody) {
			t.Errorf("where nobody stands by: %v", err)
		}
		d.join("cam1_720p")
		d.show(3, 0, 1)
		if err := g.Switch(stream, "live/cam1"); !errors.Is(err, ErrNobody) {
			t.Errorf("by another name: %v", err)
		}
		if err := g.Switch(stream, "live/cam1_720p"); err != nil {
			t.Error(err)
		}
		d.show(3, 0, 1)
		if got, want := g.crewOf(t, "cam1"), "cam1_720p waits, cam1_720p"; got != want {
			t.Errorf("%s, want %s", got, want)
		}
		if n := switches(g, "hand"); n != 1 {
			t.Errorf("%d switches are counted", n)
		}
		for _, e := range d.sinks {
			e.sink.Close(nil)
		}
	})
}
