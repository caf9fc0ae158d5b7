package main

import (
	"context"
	"math/rand/v2"
	"net"
	"sync/atomic"
	"time"

	"github.com/sluice-live/sluice/ingest/client"
)

// publisher is an encoder whose line breaks now and then.
type publisher struct {
	w       *world
	number  int
	name    string
	rand    *rand.Rand
	clip    *clip
	session int
}

func newPublisher(w *world, number int, name string) *publisher {
	return &publisher{w: w, number: number, name: name, rand: w.random(uint64(number)), clip: newClip(w.bitrate)}
}

// farewell is how a session ends. All but a reset close their half first, and the rest when the
// server has read it: TCP throws away what is on its way to a peer that says anything to a
// socket that is closed.
type farewell uint8

const (
	goodbye farewell = iota
	closed           // without a goodbye: what was sent arrives
	cut              // inside of a message
	reset            // what was sent may be lost
	farewells
)

var farewellNames = [farewells]string{"goodbyes", "closed", "cut inside a message", "reset"}

// run publishes session after session until ctx ends, and says goodbye then.
func (p *publisher) run(ctx context.Context) {
	for ctx.Err() == nil {
		wait := time.Duration(p.rand.Float64() * float64(comeBack))
		if p.publish(ctx) == goodbye {
			wait = max(wait, seen)
		}
		pause(ctx, wait)
	}
}

const (
	comeBack = 4 * time.Second // within the grace

	// seen is how long the end of a stream can be seen, at least: the next publication begins
	// another one, whose lists take the place of those that ended.
	seen = time.Second
)

// publish returns how its session ended.
func (p *publisher) publish(ctx context.Context) farewell {
	nc, err := dial(ctx, p.w.server.rtmp, 1, p.number)
	if err != nil {
		if ctx.Err() == nil {
			p.w.violate("N7", "%s can't connect: %v", p.name, err)
		}
		return closed
	}
	wire := &fragile{TCPConn: nc.(*net.TCPConn)}
	c, err := client.New(wire, "live", p.name, "rtmp://sluice/live")
	if err != nil {
		nc.Close()
		if ctx.Err() == nil {
			p.w.violate("N7", "%s can't publish: %v", p.name, err)
		}
		return closed
	}
	session := p.w.begin(p.number, p.session)
	end := p.send(ctx, c, session)
	if ctx.Err() != nil {
		end = goodbye
	}
	switch end {
	case goodbye:
		err = c.Close()
	case reset:
		wire.SetLinger(0)
		c.Abort()
	case cut:
		wire.broken.Store(true) // half of the next write
		c.WriteTag(p.clip.tag(unit{p.number, p.session, video, session.sent(video)}, 0))
		c.Leave()
	default:
		c.Leave()
	}
	if err != nil {
		p.w.violate("N7", "%s can't say goodbye: %v", p.name, err)
	}
	p.w.ended(session, end)
	p.session++
	return end
}

// send returns how the session is to end.
func (p *publisher) send(ctx context.Context, c *client.Publisher, s *session) farewell {
	for _, tag := range configs() {
		if c.WriteTag(tag) != nil {
			return closed
		}
	}
	length := time.Duration(p.rand.ExpFloat64() * float64(p.w.cut))
	stall := time.Duration(p.rand.ExpFloat64() * 2 * float64(p.w.cut))
	began := time.Now()
	next := [2]unit{{p.number, p.session, video, 0}, {p.number, p.session, audio, 0}}
	for {
		track := video
		if next[audio].at() < next[video].at() {
			track = audio
		}
		u := next[track]
		at := time.Duration(u.at()) * time.Millisecond
		if at > length {
			return farewell(p.rand.IntN(int(farewells)))
		}
		if at > stall { // and then what waited, in one burst
			pause(ctx, time.Duration(1+p.rand.IntN(4))*time.Second)
			stall += time.Hour
		}
		pause(ctx, time.Until(began.Add(at)))
		if ctx.Err() != nil {
			return goodbye
		}
		s.note(track, time.Now())
		if err := c.WriteTag(p.clip.tag(u, u.at())); err != nil {
			p.w.violate("N7", "%s was hung up: %v", p.name, err)
			return reset
		}
		next[track].index++
	}
}

// fragile is a connection that breaks in the middle of a write.
type fragile struct {
	*net.TCPConn
	broken atomic.Bool
}

func (f *fragile) Write(b []byte) (int, error) {
	if f.broken.Load() {
		n, _ := f.TCPConn.Write(b[:len(b)/2])
		f.CloseWrite()
		return n, net.ErrClosed
	}
	return f.TCPConn.Write(b)
}

// dial connects from an address of the peer's own: 127.GROUP.x.y.
func dial(ctx context.Context, addr string, group, number int) (net.Conn, error) {
	from := &net.TCPAddr{IP: net.IPv4(127, byte(group), byte(number>>8), byte(number+1))}
	d := net.Dialer{LocalAddr: from, Timeout: 10 * time.Second}
	return d.DialContext(ctx, "tcp4", addr)
}

// pause ends early with ctx.
func pause(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
