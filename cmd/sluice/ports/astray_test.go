package ports

import (
	"bytes"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/rs/zerolog"
)

// An address is told of once a minute, and so many addresses are in all.
func TestAstrayIsBounded(t *testing.T) {
	var log bytes.Buffer
	now := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	a := &astray{log: zerolog.New(&log), now: func() time.Time { return now }, addr: func(string) net.Addr { return nil }, told: make(map[netip.Prefix]time.Time)}
	come := func(i int) (lines int) {
		log.Reset()
		a.encoder("http", &net.TCPAddr{IP: net.IPv4(192, 0, byte(i>>8), byte(i)), Port: 9}, false)
		return bytes.Count(log.Bytes(), []byte("\n"))
	}
	told := 0
	for range 2 {
		for i := range 3 * mostAstray {
			told += come(i)
		}
	}
	if told != mostAstray || len(a.told) != mostAstray {
		t.Errorf("%d lines, %d addresses are remembered", told, len(a.told))
	}
	now = now.Add(astrayPause)
	if come(0) != 1 || come(0) != 0 || come(3*mostAstray) != 1 || len(a.told) > mostAstray {
		t.Errorf("a minute later: %d addresses are remembered", len(a.told))
	}
}
