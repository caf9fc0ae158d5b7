package client_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"github.com/sluice-live/sluice/ingest"
	"github.com/sluice-live/sluice/ingest/chunk"
	"github.com/sluice-live/sluice/ingest/client"
	"github.com/sluice-live/sluice/ingest/flv"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// origin is a server on a real socket. Its publications end in ended.
type origin struct {
	addr   string
	refuse error
	asked  chan ingest.Request
	ended  chan *sink
}

type sink struct {
	origin *origin
	tags   []string
	cause  error
}

func (s *sink) WriteTag(tag flv.Tag) error {
	s.tags = append(s.tags, fmt.Sprintf("%v %d %x", tag.Type, tag.Timestamp, tag.Body))
	return nil
}

func (s *sink) Close(cause error) {
	s.cause = cause
	s.origin.ended <- s
}

func (o *origin) Publish(_ context.Context, r ingest.Request) (string, ingest.Sink, error) {
	o.asked <- r
	return r.App + "/" + r.Name, &sink{origin: o}, o.refuse
}

func newOrigin(t *testing.T) *origin { return serve(t, nil) }

// serve starts an origin, behind TLS if there is a configuration.
func serve(t *testing.T, config *tls.Config) *origin {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	o := &origin{addr: l.Addr().String(), asked: make(chan ingest.Request, 9), ended: make(chan *sink, 9)}
	server := &ingest.Server{
		Handler: o, Log: zerolog.Nop(), Now: time.Now,
		Limits: ingest.Limits{
			HandshakeTimeout: time.Minute, PublishTimeout: time.Minute, IdleTimeout: time.Minute, WriteTimeout: time.Minute,
			Chunk: chunk.DefaultLimits(),
		},
	}
	if config != nil {
		l = tls.NewListener(l, config)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- server.Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return o
}

func TestPublish(t *testing.T) {
	o := newOrigin(t)
	p, err := client.Dial(t.Context(), "rtmp://"+o.addr+"/live/key?token=1", nil)
	if err != nil {
		t.Fatal(err)
	}
	r := <-o.asked
	if r.App != "live" || r.Name != "key" || r.Query != "token=1" || !r.Remote.Addr().IsLoopback() {
		t.Errorf("asked for %+v", r)
	}
	big := make([]byte, 100_000)
	for i := range uint32(40) { // beyond the first acknowledgement
		if err := p.WriteTag(flv.Tag{Type: flv.TagVideo, Timestamp: 40 * i, Body: big}); err != nil {
			t.Fatal(err)
		}
	}
	p.WriteTag(flv.Tag{Type: flv.TagScript, Timestamp: 5, Body: []byte{2, 0, 1, 'x'}})
	p.WriteTag(flv.Tag{Type: flv.TagAudio, Timestamp: 1 << 31, Body: []byte{0xAF, 1, 2}})
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	s := <-o.ended
	if last := s.tags[40:]; s.cause != nil || !slices.Equal(last, []string{"script 5 02000178", "audio 2147483648 af0102"}) {
		t.Errorf("cause %v, %d tags, the last %v", s.cause, len(s.tags), last)
	}
}

func TestPublishTLS(t *testing.T) {
	web := httptest.NewTLSServer(nil) // has a certificate
	defer web.Close()
	roots := x509.NewCertPool()
	roots.AddCert(web.Certificate())
	o := serve(t, &tls.Config{Certificates: web.TLS.Certificates})
	if p, err := client.Dial(t.Context(), "rtmps://"+o.addr+"/live/key", nil); err == nil {
		p.Abort()
		t.Error("an unknown certificate is trusted")
	}
	p, err := client.Dial(t.Context(), "rtmps://"+o.addr+"/live/key", &tls.Config{RootCAs: roots})
	if err != nil {
		t.Fatal(err)
	}
	if r := <-o.asked; !r.Encrypted {
		t.Error("not encrypted")
	}
	p.WriteTag(flv.Tag{Type: flv.TagAudio, Body: []byte{0xAF, 1, 2}})
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	if s := <-o.ended; s.cause != nil || len(s.tags) != 1 {
		t.Errorf("cause %v, tags %v", s.cause, s.tags)
	}
}

func TestAbort(t *testing.T) {
	o := newOrigin(t)
	p, err := client.Dial(t.Context(), "rtmp://"+o.addr+"/live/key", nil)
	if err != nil {
		t.Fatal(err)
	}
	p.Abort()
	if s := <-o.ended; s.cause == nil {
		t.Error("a lost connection is a clean end")
	}
}

func TestRefused(t *testing.T) {
	o := newOrigin(t)
	o.refuse = fmt.Errorf("wrong key: %w", ingest.ErrDenied)
	_, err := client.Dial(t.Context(), "rtmp://"+o.addr+"/live/key", nil)
	if err == nil || !strings.Contains(err.Error(), "refused: NetStream.Publish.Denied: wrong key") {
		t.Error(err)
	}
}

func TestDialErrors(t *testing.T) {
	mute, err := net.Listen("tcp", "127.0.0.1:0") // accepts, by the kernel, and says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer mute.Close()
	for url, want := range map[string]string{
		"rtmp://host/live":                        "the path must be /APP/NAME",
		"http://host/live/key":                    "the scheme must be rtmp or rtmps",
		"rtmp://%zz/":                             "can't be read",
		"rtmp://" + mute.Addr().String() + "/a/b": "context deadline exceeded",
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		_, err := client.Dial(ctx, url, nil)
		cancel()
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", url, err, want)
		}
	}
}
