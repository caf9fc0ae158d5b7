package ports

import (
	"net"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/sluice-live/sluice/cmd/sluice/door"
	"github.com/sluice-live/sluice/config"
	"github.com/sluice-live/sluice/ingest/metrics"
)

// F28: fewer connections are let in than there are descriptors, half of them of
// encoders where viewers could have them all.
func TestF28FewerConnectionsThanDescriptors(t *testing.T) {
	for _, c := range []struct{ rtmp, http, descriptors, wantRTMP, wantHTTP int }{
		{1000, 10_000, 65_536, 1000, 10_000},
		{1000, 10_000, 11_000 + spareDescriptors, 1000, 10_000},
		{1000, 10_000, 11_000 + spareDescriptors - 1, 1000, 9999},
		{1000, 10_000, 1024, 480, 480},
		{10, 10_000, 1024, 10, 950},
		{1000, 10_000, spareDescriptors, 1, 1},
		{1000, 10_000, 20, 1, 1},
	} {
		rtmp, http := door.Limits{Connections: c.rtmp}, door.Limits{Connections: c.http}
		fewer := fit(&rtmp, &http, c.descriptors)
		if rtmp.Connections != c.wantRTMP || http.Connections != c.wantHTTP || fewer != (c.wantRTMP+c.wantHTTP < c.rtmp+c.http) {
			t.Errorf("%+v: %d and %d, fewer: %v", c, rtmp.Connections, http.Connections, fewer)
		}
	}
}

// F28: who watches the server can't have all descriptors either: his listener has half
// of those that are spare.
func TestF28AdminConnections(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	said := make(lines, 2*spareDescriptors)
	o := &opening{cfg: config.Default(), metrics: metrics.New(), log: zerolog.New(said)}
	behind := o.adminDoor().Listener(l, "admin", nil)
	defer behind.Close()
	accepted := make(chan net.Conn, 2*spareDescriptors)
	go func() {
		for {
			c, err := behind.Accept()
			if err != nil {
				return
			}
			accepted <- c
		}
	}()
	for range 2 * spareDescriptors {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
	}
	eventually(t, "as many are let in as may", func() bool { return len(accepted) >= spareDescriptors/2 })
	time.Sleep(200 * time.Millisecond)
	if n := len(accepted); n != spareDescriptors/2 {
		t.Errorf("%d connections", n)
	}
	for len(accepted) > 0 {
		(<-accepted).Close()
	}
	select {
	case line := <-said:
		if !strings.Contains(line, "operators' connections") || strings.Contains(line, "max_connections") {
			t.Errorf("the log advises: %s", line)
		}
	default:
		t.Error("the log says nothing of it")
	}
}

// lines takes what is logged, line by line.
type lines chan string

func (l lines) Write(b []byte) (int, error) {
	select {
	case l <- string(b):
	default:
	}
	return len(b), nil
}
