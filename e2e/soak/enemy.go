package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/sluice-live/sluice/ingest/client"
)

// enemy does what no peer should, while the monitor lets it.
type enemy struct {
	w      *world
	number int
	rand   *rand.Rand
}

func newEnemy(w *world, number int) *enemy {
	return &enemy{w: w, number: number, rand: w.random(1<<40 | uint64(number))}
}

var attacks = []struct {
	name string
	do   func(*enemy, context.Context)
}{
	{"garbage by RTMP", (*enemy).garbageRTMP},
	{"garbage by HTTP", (*enemy).garbageHTTP},
	{"RTMP a byte at a time", (*enemy).slowRTMP},
	{"HTTP a byte at a time", (*enemy).slowHTTP},
	{"floods of connections", (*enemy).flood},
	{"publishers reset in a message", (*enemy).resetPublisher},
	{"viewers reset in a segment", (*enemy).resetViewer},
	{"viewers that don't read", (*enemy).deafViewer},
	{"absurd requests", (*enemy).absurd},
}

const longest = 15 * time.Second // of one attack

func (e *enemy) rage(ctx context.Context, m *monitor) {
	for ctx.Err() == nil {
		if !m.hostile() {
			pause(ctx, time.Second)
			continue
		}
		a := attacks[e.rand.IntN(len(attacks))]
		e.w.add("attacks: "+a.name, 1)
		limited, stop := context.WithTimeout(ctx, longest)
		a.do(e, limited)
		stop()
		pause(ctx, time.Duration(e.rand.IntN(1000))*time.Millisecond)
	}
}

// call returns nil where the server has enough of us, as it may.
func (e *enemy) call(ctx context.Context, addr string) *net.TCPConn {
	nc, err := dial(ctx, addr, 6, e.number)
	if err != nil {
		return nil
	}
	tcp := nc.(*net.TCPConn)
	tcp.SetDeadline(time.Now().Add(longest))
	return tcp
}

func (e *enemy) noise(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(e.rand.Uint32())
	}
	return b
}

func (e *enemy) garbageRTMP(ctx context.Context) {
	nc := e.call(ctx, e.w.server.rtmp)
	if nc == nil {
		return
	}
	defer nc.Close()
	if e.rand.IntN(2) == 0 { // behind a good handshake
		nc.Write(append(append([]byte{3}, make([]byte, 1536)...), make([]byte, 1536)...))
	}
	nc.Write(e.noise(e.rand.IntN(20_000)))
	nc.SetReadDeadline(time.Now().Add(2 * time.Second))
	io.Copy(io.Discard, nc)
}

func (e *enemy) garbageHTTP(ctx context.Context) {
	nc := e.call(ctx, e.w.server.http)
	if nc == nil {
		return
	}
	defer nc.Close()
	nc.Write([]byte([]string{
		"", "GET / HTTP/1.1\r\n", "GET /live/s0/v1.m3u8 HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n",
		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n",
	}[e.rand.IntN(5)]))
	nc.Write(e.noise(e.rand.IntN(20_000)))
	nc.SetReadDeadline(time.Now().Add(2 * time.Second))
	io.Copy(io.Discard, nc)
}

func (e *enemy) drip(ctx context.Context, nc net.Conn, b []byte) {
	defer nc.Close()
	for i := range b {
		if _, err := nc.Write(b[i : i+1]); err != nil || ctx.Err() != nil {
			return
		}
		pause(ctx, 300*time.Millisecond)
	}
}

func (e *enemy) slowRTMP(ctx context.Context) {
	if nc := e.call(ctx, e.w.server.rtmp); nc != nil {
		e.drip(ctx, nc, append([]byte{3}, make([]byte, 1536)...))
	}
}

func (e *enemy) slowHTTP(ctx context.Context) {
	if nc := e.call(ctx, e.w.server.http); nc != nil {
		e.drip(ctx, nc, []byte("GET /live/s0/index.m3u8 HTTP/1.1\r\nHost: x\r\nX: "+strings.Repeat("y", 1000)))
	}
}

// flood opens more connections than one address should.
func (e *enemy) flood(ctx context.Context) {
	addr := e.w.server.rtmp
	if e.rand.IntN(2) == 0 {
		addr = e.w.server.http
	}
	var all []net.Conn
	for range 50 {
		if nc := e.call(ctx, addr); nc != nil {
			all = append(all, nc)
		}
	}
	pause(ctx, time.Duration(e.rand.IntN(3000))*time.Millisecond)
	for _, nc := range all {
		nc.Close()
	}
}

func (e *enemy) resetPublisher(ctx context.Context) {
	nc := e.call(ctx, e.w.server.rtmp)
	if nc == nil {
		return
	}
	c, err := client.New(nc, "hostile", fmt.Sprintf("h%d", e.number), "rtmp://sluice/hostile")
	if err != nil {
		nc.Close()
		return
	}
	nc.SetLinger(0)
	defer c.Abort()
	for _, tag := range configs() {
		c.WriteTag(tag)
	}
	made := newClip(500_000)
	for i := range 30 + e.rand.IntN(100) {
		u := unit{0xFFFF, e.number, video, i}
		timestamp := u.at()
		if e.rand.IntN(10) == 0 {
			timestamp = e.rand.Uint32()
		}
		if c.WriteTag(made.tag(u, timestamp)) != nil {
			return
		}
		pause(ctx, 10*time.Millisecond)
	}
	head := binary.BigEndian.AppendUint32([]byte{4, 0, 0}, 0x00FFFF09) // and half a message
	nc.Write(head)
}

// file is the path of something large.
func (e *enemy) file(ctx context.Context) string {
	p := newPlayer(e.w, 7, e.number, stream(e.rand.IntN(e.w.publishers)))
	defer p.leave()
	if l := p.list(ctx, "v1.m3u8", ""); l != nil {
		return "/live/" + p.name + "/" + l.Segments[e.rand.IntN(len(l.Segments))].URI
	}
	return "/"
}

func (e *enemy) ask(ctx context.Context) *net.TCPConn {
	path := e.file(ctx)
	nc := e.call(ctx, e.w.server.http)
	if nc != nil {
		nc.SetReadBuffer(4096)
		fmt.Fprintf(nc, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path)
	}
	return nc
}

func (e *enemy) resetViewer(ctx context.Context) {
	if nc := e.ask(ctx); nc != nil {
		io.CopyN(io.Discard, nc, int64(1+e.rand.IntN(10_000)))
		nc.SetLinger(0)
		nc.Close()
	}
}

func (e *enemy) deafViewer(ctx context.Context) {
	if nc := e.ask(ctx); nc != nil {
		defer nc.Close()
		pause(ctx, longest)
	}
}

// absurd asks for what can't be: the answer is a refusal, and quick.
func (e *enemy) absurd(ctx context.Context) {
	p := newPlayer(e.w, 7, e.number, stream(e.rand.IntN(e.w.publishers)))
	defer p.leave()
	for _, file := range []string{
		"v1.m3u8?_HLS_msn=18446744073709551616", "v1.m3u8?_HLS_msn=-1", "v1.m3u8?_HLS_msn=999999999999", "v1.m3u8?_HLS_part=1",
		"v1.m3u8?_HLS_msn=1&_HLS_part=99999999", strings.Repeat("a", 4000), "..%2f..%2fetc%2fpasswd", "v1/x-1.m4s", "v9.m3u8",
	} {
		a := p.get(ctx, file)
		if ctx.Err() != nil {
			return
		}
		// A number that is behind us already is answered with what there is.
		past := a.code == http.StatusOK || a.code == http.StatusServiceUnavailable
		if a.code != 0 && a.code/100 != 4 && !past {
			e.w.violate("F27", "%.60s: %d", file, a.code)
		}
	}
}
