//go:build linux

package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sluice-live/sluice/ingest/chunk"
	"github.com/sluice-live/sluice/ingest/client"
)

// TestF36Messages: peers that send messages without bytes, as fast as the line
// takes them, are sent away with a reason before they cost anything, and who
// comes back at once doesn't get further.
func TestF36Messages(t *testing.T) {
	quietly(t)
	const most = 15 // percent of a core, all of it: handshakes, too
	during := time.Duration(siege(2, 10)) * time.Second
	const enough = 3 * time.Second // for a peer's messages to be too many, on a machine that has other work
	for _, row := range []struct {
		name      string
		typ       chunk.Type
		body      []byte
		published bool
	}{
		{"media, before login", chunk.TypeAudio, nil, false},
		{"commands, before login", chunk.TypeCommandAMF0, nil, false},
		{"Abort, before login", chunk.TypeAbort, make([]byte, 4), false},
		{"media", chunk.TypeVideo, nil, true},
		{"media of an unknown codec", chunk.TypeVideo, []byte{0x19}, true},
		{"commands", chunk.TypeCommandAMF0, nil, true},
		{"data", chunk.TypeDataAMF0, nil, true},
		{"Abort", chunk.TypeAbort, make([]byte, 4), true},
		{"aggregates", chunk.TypeAggregate, nil, true},
		{"tags in aggregates", chunk.TypeAggregate, make([]byte, 15<<10), true},
	} {
		t.Run(row.name, func(t *testing.T) {
			c := besiege(t, nil, "-log-level=error", "-rtmp-connection-rate=1000", "-rtmp-connection-burst=1000")
			failed := c.publish("live/cam1")
			c.playable("live/cam1")
			message := chunk.Message{ChunkStreamID: 6, StreamID: 1, Type: row.typ, Body: row.body}
			var b bytes.Buffer
			w := chunk.NewWriter(&b)
			for b.Len() < 64<<10 { // but for the first, as short as they can be
				w.WriteMessage(message)
				w.Flush()
			}
			sent, peers, stayed := int64(0), 0, 0
			began, cpu := time.Now(), c.cpu()
			for time.Since(began) < during {
				came := time.Since(began)
				n, away := flood(t, c.rtmp, row.published, b.Bytes(), began.Add(during))
				if !away && came < during-enough {
					stayed++
				}
				sent += n
				peers++
				time.Sleep(time.Second / 10) // as fast as one address may come back
			}
			share := 100 * (c.cpu() - cpu).Seconds() / time.Since(began).Seconds()
			c.answers(c.rtmp, "\x03"+strings.Repeat("\x00", 1536), "\x03")
			t.Logf("F36 %s: %d peers sent %.1f MB in %v, which cost %.1f %% of a core", row.name, peers, float64(sent)/1e6, during, share)
			if share > most {
				t.Errorf("%.1f %% of a core", share)
			}
			if stayed > 0 || peers < 2 {
				t.Errorf("%d of %d peers were not sent away within %v", stayed, peers, enough)
			}
			if err := failed(); err != nil {
				t.Error(err)
			}
		})
	}
}

// flood connects, publishes if it shall, and sends b again and again until it is
// sent away or the time is over. It returns how many bytes it got rid of, and
// whether it was sent away.
func flood(t *testing.T, addr string, published bool, b []byte, until time.Time) (sent int64, away bool) {
	t.Helper()
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	nc.SetDeadline(until)
	if published {
		if _, err := client.New(nc, "live", "flood", "rtmp://"+addr+"/live"); err != nil {
			if time.Now().Before(until) {
				t.Errorf("not let in: %v", err)
			}
			return 0, false
		}
	} else {
		io.WriteString(nc, "\x03"+strings.Repeat("\x00", 1536))
		hello := make([]byte, 1+2*1536)
		if _, err := io.ReadFull(nc, hello); err != nil {
			return 0, false
		}
		nc.Write(hello[1 : 1+1536])
	}
	ctx, cancel := context.WithCancel(t.Context())
	heard := make(chan bool)
	go func() { // the reason, and the end
		io.Copy(io.Discard, nc)
		cancel()
		close(heard)
	}()
	for ctx.Err() == nil {
		n, err := nc.Write(b)
		sent += int64(n)
		if err != nil {
			break
		}
	}
	away = time.Now().Before(until)
	nc.Close()
	<-heard
	return sent, away
}

// cpu is what the server has used so far.
func (c *castle) cpu() time.Duration {
	c.t.Helper()
	const hertz = 100 // of the clock that the kernel counts in
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", c.pid))
	if err != nil {
		c.t.Fatal(err)
	}
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	return time.Duration(user+system) * time.Second / hertz
}
