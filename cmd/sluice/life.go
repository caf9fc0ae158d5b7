package main

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// statusInterval is how often whoever has started the program hears how it is, where
// that changed.
const statusInterval = 5 * time.Second

// status is how the server is, in a line.
func (a *app) status() string {
	live, viewers := a.live(), 0
	for _, s := range a.catalog.Streams() {
		viewers += a.http.Watching(s.Window().Stream)
	}
	text := fmt.Sprintf("%s, %s", count(live, "live stream"), count(viewers, "viewer"))
	if a.gate.Draining() {
		text += "; drained: no publisher is let in"
	}
	return text
}

func count(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}

// report tells whoever has started the program how it is, and that it lives, until ctx
// ends. A watchdog hears so only when the server has proven it: so one that hangs is
// started anew.
func (a *app) report(ctx context.Context) {
	if a.manager == nil {
		return
	}
	// Nil where there is no dog: it never comes.
	var bark <-chan time.Time
	dog := a.manager.Watchdog()
	if dog > 0 {
		t := time.NewTicker(dog / 3)
		defer t.Stop()
		bark = t.C
	}
	tick := time.NewTicker(statusInterval)
	defer tick.Stop()
	for said := a.status(); ; {
		select {
		case <-bark:
			a.answerDog(ctx, dog/3)
		case <-tick.C:
			if now := a.status(); now != said {
				a.manager.Status(now)
				said = now
			}
		case <-ctx.Done():
			return
		}
	}
}

// answerDog tells the watchdog that the server serves, if it does.
func (a *app) answerDog(ctx context.Context, patience time.Duration) {
	proving, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := a.serves(proving, time.Now()); err == nil {
		a.manager.Alive()
	} else if ctx.Err() == nil {
		a.log.Error().Err(err).Msg("the watchdog isn't told that the server lives")
	}
}

// lateBeat is how long the walk through all rooms may take that is due each second.
const lateBeat = 10 * time.Second

// serves returns what keeps the server from serving: a port where nobody answers, or a
// lock that nobody gives back. Whoever holds one for good holds up expire, too.
func (a *app) serves(ctx context.Context, now time.Time) error {
	if late := now.Sub(time.Unix(0, a.beat.Load())); late > lateBeat {
		return fmt.Errorf("the last walk through all rooms was %v ago: something holds it up", late.Round(time.Second))
	}
	return a.ports.Answer(ctx)
}

// await gives publishers time to leave by themselves, before the server stops. The answer
// is whether there were any.
func (a *app) await(ctx context.Context, h *herald) (some bool) {
	most := a.cfg.RTMP.DrainTime
	if most == 0 || a.gate.Publishing() == 0 {
		return false
	}
	if !a.gate.Draining() { // else an operator has said where encoders are to go
		desk{a.gate, a}.Drain("")
	}
	a.manager.Stopping(most+stopTime, fmt.Sprintf("stopping: waits for %s to leave, for %v at most", count(a.gate.Publishing(), "publisher"), most))
	ctx, leave := context.WithTimeout(ctx, most)
	defer leave()
	var looking sync.WaitGroup
	looking.Go(func() {
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for a.gate.Publishing() > 0 {
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
		}
		leave()
	})
	a.obey(ctx, h)
	looking.Wait()
	return true
}
