package e2e

import (
	"context"
	"crypto/tls"
	"sync"
	"testing"
	"time"

	"github.com/sluice-live/sluice/ingest/client"
	"github.com/sluice-live/sluice/ingest/flv"
)

// publisher sends a clip's tags at their own pace with our own client, for
// tests that must know when exactly something was sent.
type publisher struct {
	accepted time.Time      // when the server said that it may publish
	keyframe chan time.Time // gets the time at which the first keyframe was sent

	cancel   context.CancelFunc
	done     sync.WaitGroup
	farewell time.Time // when it said goodbye
	err      error
}

func publish(t testing.TB, url string, tlsConfig *tls.Config, tags []flv.Tag) *publisher {
	t.Helper()
	rtmp, err := client.Dial(t.Context(), url, tlsConfig)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	p := &publisher{accepted: time.Now(), keyframe: make(chan time.Time, 1), cancel: cancel}
	p.done.Go(func() {
		p.err = p.send(ctx, rtmp, tags)
		p.farewell = time.Now()
		if err := rtmp.Close(); p.err == nil {
			p.err = err
		}
	})
	t.Cleanup(func() { cancel(); p.done.Wait() })
	return p
}

// send returns when ctx or the clip ends.
func (p *publisher) send(ctx context.Context, rtmp *client.Publisher, tags []flv.Tag) error {
	first := true
	timer := time.NewTimer(0)
	defer timer.Stop()
	for _, tag := range tags {
		timer.Reset(time.Until(p.accepted.Add(time.Duration(tag.Timestamp) * time.Millisecond)))
		select {
		case <-timer.C:
		case <-ctx.Done():
			return nil
		}
		if err := rtmp.WriteTag(tag); err != nil {
			return err
		}
		for v, err := range flv.Packets(tag) {
			if first && err == nil && v.Keyframe && v.Type == flv.PacketFrame {
				p.keyframe <- time.Now()
				first = false
			}
		}
	}
	return nil
}

// goodbye ends the publication as an encoder does, and returns when it said so.
func (p *publisher) goodbye(t testing.TB) time.Time {
	t.Helper()
	p.cancel()
	p.done.Wait()
	if p.err != nil {
		t.Fatalf("publisher: %v", p.err)
	}
	return p.farewell
}
