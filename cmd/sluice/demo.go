package main

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/sluice-live/sluice/ingest/client"
	"github.com/sluice-live/sluice/ingest/flv"
)

// clip is H.264 and AAC that loop without a seam: 240 pictures of 30 a second
// and 375 frames of 1024 samples at 48 kHz last the same.
//
//go:embed clip.flv
var clip []byte

const clipLength = 8 * time.Second

const demoPath = "live/demo"

// demo serves, and publishes the clip to itself over RTMP like any encoder.
func (a *app) demo(ctx context.Context) error {
	if a.ports.Addr.RTMP == nil || a.ports.Addr.HTTP == nil {
		return errors.New("demo: rtmp.addr and http.addr must be on")
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	fmt.Printf("  Demo      http://%s/%s/\n\n", hostPort("localhost", a.ports.Addr.HTTP, 80), demoPath)
	publisher := make(chan error, 1)
	go func() {
		err := publishClip(ctx, "rtmp://"+hostPort("localhost", a.ports.Addr.RTMP, 1935)+"/"+demoPath)
		if err != nil {
			cancel()
		}
		publisher <- err
	}()
	return errors.Join(a.run(ctx), <-publisher)
}

// publishClip sends the clip at its own pace, again and again, until ctx ends.
func publishClip(ctx context.Context, url string) error {
	p, err := client.Dial(ctx, url, nil)
	if err != nil {
		return err
	}
	begin := time.Now()
	for loop := 0; ; loop++ {
		r, err := flv.NewReader(bytes.NewReader(clip))
		if err != nil {
			return err
		}
		for {
			tag, err := r.ReadTag()
			if err == io.EOF {
				break
			}
			if err != nil {
				return err
			}
			at := time.Duration(loop)*clipLength + time.Duration(tag.Timestamp)*time.Millisecond
			tag.Timestamp = uint32(at.Milliseconds())
			select {
			case <-time.After(time.Until(begin.Add(at))):
			case <-ctx.Done():
				return p.Close()
			}
			if err := p.WriteTag(tag); err != nil {
				if ctx.Err() != nil {
					return nil // the server stopped first
				}
				return err
			}
		}
	}
}
