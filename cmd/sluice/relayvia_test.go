package main

import (
	"strings"
	"testing"
	"time"

	"github.com/sluice-live/sluice/ingest/client"
)

// One who says that he has come by the source of a pull has it refused for himself alone: others
// who want the stream get it at once.
func TestViaHurtsNobody(t *testing.T) {
	for _, by := range []string{"HTTP", "RTMP"} {
		t.Run(by, func(t *testing.T) {
			inNetwork(t, func(n *network) {
				a := n.node("a", nil, nil)
				b := n.node("b", map[string]string{"live/copy": "rtmp://a/live/cam1#on_demand"}, nil)
				p := a.encoder()
				sent := make(chan struct{})
				go func() { defer close(sent); a.publish(p, 100*time.Second); p.Close() }()
				time.Sleep(8 * time.Second)
				lies := make(chan struct{})
				go func() {
					defer close(lies)
					for range 8 {
						if liar, err := b.play("copy", client.Tells{Via: []string{"x", "a-id"}}, nil); err == nil {
							<-liar.done
						}
					}
				}()
				time.Sleep(25 * time.Second)
				b.is("pull live/copy failed")
				began := time.Now()
				if by == "HTTP" {
					if code, body := b.get("/live/copy/index.m3u8"); code != 200 || !strings.Contains(body, "EXT-X-STREAM-INF") {
						t.Errorf("a viewer: %d %s", code, body)
					}
				} else if viewer, err := b.play("copy", client.Tells{}, nil); err != nil {
					t.Error(err)
				} else {
					defer viewer.hang()
				}
				if d := time.Since(began); d > 4*time.Second {
					t.Errorf("a viewer waits for %v", d)
				}
				b.is("pull live/copy live")
				<-sent
				<-lies
				b.close()
				a.close()
			})
		})
	}
}
