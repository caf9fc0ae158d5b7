//go:build linux

package main

import (
	"container/heap"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net"
	"runtime"
	"sync"
	"syscall"
	"time"

	"github.com/sluice-live/sluice/ingest/client"
)

// publisher feeds a server with streams of one kind. After their dialogues one
// goroutine writes for all of them, a message at a time, each when it is due, as
// so many encoders would.
type publisher struct {
	addr    string
	streams int
	kind    string
	blind   bool
	length  time.Duration
}

// fed is what a publisher says at its end: whether it kept pace.
type fed struct {
	Messages, Bytes   int
	LateP99, LateMost float64 // ms from when a message was due to when it was written
	CPU               float64 // s of its own, per s
}

// started is the line that tells that all streams have begun.
const started = "publishing"

func (p *publisher) run(ctx context.Context, out io.Writer) error {
	if p.length > 0 {
		var cancel func()
		ctx, cancel = context.WithTimeout(ctx, p.length)
		defer cancel()
	}
	c, err := newClip(p.kind)
	if err != nil {
		return err
	}
	streams, err := p.connect(c)
	if err != nil {
		return err
	}
	runtime.LockOSThread() // it sleeps in the kernel: the runtime's timers are coarser
	defer runtime.UnlockOSThread()
	pc := pacer{clip: c, streams: streams, out: out}
	if err := pc.run(ctx); err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(pc.report())
}

// connect opens all streams, some at a time.
func (p *publisher) connect(c *clip) ([]*stream, error) {
	streams := make([]*stream, p.streams)
	errs := make([]error, p.streams)
	var all sync.WaitGroup
	turns := make(chan struct{}, 16)
	for i := range streams {
		turns <- struct{}{}
		all.Go(func() {
			streams[i], errs[i] = p.open(i, c)
			<-turns
		})
	}
	all.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return streams, nil
}

func (p *publisher) open(i int, c *clip) (*stream, error) {
	nc, err := net.DialTimeout("tcp", p.addr, 10*time.Second)
	if err != nil {
		return nil, err
	}
	s := &stream{nc: nc, phase: phase(i)}
	if p.blind {
		_, err := nc.Write(make([]byte, 1+2*1536)) // as long as a handshake
		return s, err
	}
	rtmp, err := client.New(nc, "live", fmt.Sprintf("s%d", i), "rtmp://"+p.addr+"/live")
	for _, tag := range c.config {
		if err == nil {
			err = rtmp.WriteTag(tag)
		}
	}
	nc.SetWriteDeadline(time.Time{})
	return s, err
}

// phase is how much later than the first a stream begins: streams are spread over
// a GOP, evenly however many there are (multiples of the golden ratio are), so
// that neither frames nor keyframes come together.
func phase(i int) time.Duration {
	const gopLength = gop * time.Second / frameRate
	_, part := math.Modf(float64(i) * math.Phi)
	return time.Duration(part * float64(gopLength))
}

// stream is one of those that are sent.
type stream struct {
	nc    net.Conn
	phase time.Duration
	began time.Time // when its clip did, this time round
	next  int       // of the clip's messages
	due   time.Time // when that is
}

// queue is a heap of streams, by when they are due.
type queue []*stream

func (q queue) Len() int           { return len(q) }
func (q queue) Less(i, j int) bool { return q[i].due.Before(q[j].due) }
func (q queue) Swap(i, j int)      { q[i], q[j] = q[j], q[i] }
func (q *queue) Push(any)          { panic("streams don't come and go") }
func (q *queue) Pop() any          { panic("streams don't come and go") }

// pacer writes what is due.
type pacer struct {
	clip    *clip
	streams queue
	out     io.Writer

	began    time.Time
	messages int
	bytes    int
	late     delays
}

func (p *pacer) run(ctx context.Context) error {
	p.began = time.Now()
	for _, s := range p.streams {
		s.began = p.began.Add(s.phase)
		s.due = s.began
	}
	heap.Init(&p.streams)
	const gopLength = gop * time.Second / frameRate
	all, told := p.began.Add(gopLength), false
	for {
		s := p.streams[0]
		sleepUntil(s.due)
		if ctx.Err() != nil {
			return nil
		}
		if err := p.send(s); err != nil {
			return err
		}
		heap.Fix(&p.streams, 0)
		if !told && s.due.After(all) {
			fmt.Fprintln(p.out, started)
			told = true
		}
	}
}

// send writes a stream's next message.
func (p *pacer) send(s *stream) error {
	m := p.clip.messages[s.next]
	now := time.Now()
	if m.stamp != nil {
		binary.BigEndian.PutUint64(m.stamp, uint64(now.UnixNano()))
	}
	if s.next == 0 { // a timer for each message would cost more than the message
		s.nc.SetWriteDeadline(now.Add(clipLength + 10*time.Second))
	}
	if _, err := s.nc.Write(m.wire); err != nil {
		return fmt.Errorf("after %v: %w", now.Sub(p.began).Round(time.Millisecond), err)
	}
	p.messages++
	p.bytes += len(m.wire)
	p.late.add(now.Sub(s.due))
	if s.next++; s.next == len(p.clip.messages) {
		s.next, s.began = 0, s.began.Add(clipLength)
	}
	s.due = s.began.Add(p.clip.messages[s.next].at)
	return nil
}

func (p *pacer) report() fed {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	cpu := time.Duration(u.Utime.Nano() + u.Stime.Nano())
	return fed{
		Messages: p.messages, Bytes: p.bytes,
		LateP99: p.late.quantile(0.99), LateMost: p.late.quantile(1),
		CPU: cpu.Seconds() / time.Since(p.began).Seconds(),
	}
}

func sleepUntil(t time.Time) {
	if d := time.Until(t); d > 0 {
		ts := syscall.NsecToTimespec(d.Nanoseconds())
		syscall.Nanosleep(&ts, nil) // woken early by a signal, it looks again
	}
}
