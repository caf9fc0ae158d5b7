package main

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/sluice-live/sluice/config"
	"github.com/sluice-live/sluice/ingest/client"
	"github.com/sluice-live/sluice/ingest/flv"
)

// stopped is a server that a test stops.
type stopped struct {
	*app
	stop context.CancelFunc
	done chan error
}

func start(t *testing.T, change func(*config.Config)) *stopped {
	t.Helper()
	c := config.Default()
	c.RTMP.Addr, c.RTMP.TLSAddr, c.HTTP.Addr, c.Admin.Addr = "127.0.0.1:0", "", "127.0.0.1:0", "127.0.0.1:0"
	c.Window.SegmentMinDuration, c.Window.PartDuration = time.Second, 200*time.Millisecond
	change(&c)
	a, err := listen(c, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	a.reread = func() (config.Config, error) { return c, nil }
	ctx, cancel := context.WithCancel(t.Context())
	s := &stopped{a, cancel, make(chan error, 1)}
	go func() { s.done <- a.run(ctx) }()
	return s
}

// marked is an encoder that marks each access unit, and knows what it has sent.
type marked struct {
	name  string
	head  []flv.Tag // configurations
	moves bool      // it understands when it is asked to reconnect
	home  string    // where it goes that is asked to come again where it came; "": it isn't
	tls   *tls.Config
	sent  int
	moved bool
}

const (
	markedFrame = 40 * time.Millisecond
	markedGroup = 10 // frames
)

// tag is an access unit. The mark stands in a slice that nobody decodes.
func (m *marked) tag(n int) flv.Tag {
	kind, nal := byte(0x27), byte(0x41)
	if n%markedGroup == 0 {
		kind, nal = 0x17, 0x65
	}
	slice := append([]byte{nal, 0x88}, fmt.Sprintf("<%s#%06d>", m.name, n)...)
	body := binary.BigEndian.AppendUint32([]byte{kind, 1, 0, 0, 0}, uint32(len(slice)))
	return flv.Tag{Type: flv.TagVideo, Timestamp: uint32(n * int(markedFrame/time.Millisecond)), Body: append(body, slice...)}
}

// push publishes so many frames at their own pace. Who is asked to, and understands it, goes
// on at another server, from a keyframe on.
func (m *marked) push(ctx context.Context, server string, frames int) error {
	dial := func(base string) (*client.Publisher, error) {
		a, err := client.ParseAddress(base + "/" + m.name)
		if err != nil {
			return nil, err
		}
		p, err := client.Dialer{TLS: m.tls}.Publish(ctx, a, client.Tells{Asks: m.moves})
		if err != nil {
			return nil, err
		}
		for _, tag := range m.head {
			if err := p.WriteTag(tag); err != nil {
				return nil, err
			}
		}
		return p, nil
	}
	p, err := dial(server)
	if err != nil {
		return err
	}
	next := ""
	began := time.Now()
	for n := range frames {
		if m.moves {
			select {
			case next = <-p.Asked():
				if m.home != "" {
					next = m.home
				}
			default:
			}
		}
		if next != "" && n%markedGroup == 0 {
			// It lets go when it is let in elsewhere.
			q, err := dial(next)
			if err != nil {
				return fmt.Errorf("where it was asked to go: %w", err)
			}
			// The server may have closed this connection by then, where it is the same.
			if err := p.Leave(); err != nil && m.home == "" {
				return err
			}
			p, next, m.moved = q, "", true
		}
		if err := p.WriteTag(m.tag(n)); err != nil {
			return err
		}
		m.sent++
		select {
		case <-time.After(time.Until(began.Add(time.Duration(n+1) * markedFrame))):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return p.Close()
}

var (
	mediaLine = regexp.MustCompile(`(?m)^[^#\n].*\.m4s$`)
	unitMark  = regexp.MustCompile(`<[^<>#]+#\d{6}>`)
)

// watch downloads all that a stream lists until it ends, and counts the marks in it. It takes
// no answer but the right ones, once the stream is there.
func watch(ctx context.Context, viewer *http.Client, web, name string, found map[string]int) error {
	return watchRendition(ctx, viewer, web+"/live/"+name+"/", "v1", found)
}

// watchRendition does so with one rendition of the stream at base.
func watchRendition(ctx context.Context, viewer *http.Client, base, rendition string, found map[string]int) error {
	get := func(path string) (int, string, error) {
		r, err := http.NewRequestWithContext(ctx, "GET", base+path, nil)
		if err != nil {
			return 0, "", err
		}
		answer, err := viewer.Do(r)
		if err != nil {
			return 0, "", err
		}
		defer answer.Body.Close()
		b, err := io.ReadAll(answer.Body)
		return answer.StatusCode, string(b), err
	}
	have := make(map[string]bool)
	named := make(map[int]string) // by media sequence number
	discontinuities := 0          // as the newest list counts them
	for begun := false; ; {
		code, list, err := get(rendition + ".m3u8")
		switch {
		case err != nil:
			return err
		case code != 200 && begun:
			return fmt.Errorf("the playlist is answered with %d", code)
		case code == 200:
			begun = true
		}
		first, before := tagNumber(list, "#EXT-X-MEDIA-SEQUENCE"), tagNumber(list, "#EXT-X-DISCONTINUITY-SEQUENCE")
		if now := before + strings.Count(list, "#EXT-X-DISCONTINUITY\n"); code == 200 && now < discontinuities {
			return fmt.Errorf("there were %d discontinuities, and are %d", discontinuities, now)
		} else if code == 200 {
			discontinuities = now
		}
		for i, line := range mediaLine.FindAllString(list, -1) {
			if was, ok := named[first+i]; ok && was != line {
				return fmt.Errorf("segment %d is %s, and was %s", first+i, line, was)
			}
			named[first+i] = line
			if have[line] {
				continue
			}
			have[line] = true
			code, media, err := get(line)
			if err != nil || code != 200 {
				return fmt.Errorf("%s is answered with %d, %v", line, code, err)
			}
			for _, mark := range unitMark.FindAllString(media, -1) {
				found[mark]++
			}
		}
		if strings.Contains(list, "#EXT-X-ENDLIST") {
			return nil
		}
		select {
		case <-time.After(150 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// tagNumber is what a tag of a playlist says, 0 where it isn't there.
func tagNumber(list, tag string) int {
	_, rest, _ := strings.Cut(list, tag+":")
	digits, _, _ := strings.Cut(rest, "\n")
	n, _ := strconv.Atoi(digits)
	return n
}

// A server that is told to stop isn't ready, and lets nobody in. Encoders that understand it go on
// at another server; others have the time to end. When all have left, it ends. Of twenty
// encoders no access unit is lost or doubled, and no viewer sees an error.
func TestDrainLosesNothing(t *testing.T) {
	for name, c := range map[string]struct{ move, stay int }{"twenty encoders": {10, 10}, "all stay": {0, 3}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			drainFrom(t, c.move, c.stay)
		})
	}
}

func drainFrom(t *testing.T, move, stay int) {
	const patience = 60 * time.Second
	from := start(t, func(c *config.Config) { c.RTMP.DrainTime = patience })
	to := start(t, func(*config.Config) {})
	defer func() {
		to.stop()
		if err := <-to.done; err != nil {
			t.Error(err)
		}
	}()
	addr := func(s *stopped) string { return "rtmp://" + s.ports.Addr.RTMP.String() + "/live" }
	web := func(s *stopped) string { return "http://" + s.ports.Addr.HTTP.String() }
	head := clipBeginning(t)
	head = slices.DeleteFunc(head, func(tag flv.Tag) bool { return tag.Type != flv.TagVideo || tag.Body[1] != 0 })

	var encoders []*marked
	for i := range move + stay {
		encoders = append(encoders, &marked{name: fmt.Sprintf("cam%02d", i), head: head, moves: i < move})
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Second)
	defer cancel()
	var all, watching sync.WaitGroup
	var mu sync.Mutex
	found := make(map[string]int)
	look := func(s *stopped, name string) {
		watching.Go(func() {
			mine := make(map[string]int)
			if err := watch(ctx, http.DefaultClient, web(s), name, mine); err != nil {
				t.Errorf("a viewer of %s: %v", name, err)
			}
			mu.Lock()
			defer mu.Unlock()
			for mark, n := range mine {
				found[mark] += n
			}
		})
	}
	for _, m := range encoders {
		look(from, m.name)
		if m.moves {
			look(to, m.name)
		}
		all.Go(func() {
			if err := m.push(ctx, addr(from), 150); err != nil {
				t.Errorf("%s: %v", m.name, err)
			}
		})
	}
	for from.live() < move+stay {
		time.Sleep(50 * time.Millisecond)
	}
	time.Sleep(time.Second)
	desk{from.gate, from.app}.Drain(addr(to))
	from.stop()
	// The wish of the operator, where encoders are to go, comes before the stop, which has none.
	for !from.gate.Draining() {
		time.Sleep(10 * time.Millisecond)
	}
	answer, err := http.Get("http://" + from.ports.Addr.Admin.String() + "/readyz")
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != 503 {
		t.Errorf("it says to be ready: %s", answer.Status)
	}
	if p, err := client.Dial(ctx, addr(from)+"/late", nil); err == nil || !strings.Contains(err.Error(), "about to stop") {
		t.Errorf("who comes late is let in, or isn't told: %v", err)
		if p != nil {
			p.Abort()
		}
	}
	all.Wait()
	ended := time.Now()
	if err := <-from.done; err != nil {
		t.Error(err)
	}
	if took := time.Since(ended); took > 20*time.Second {
		t.Errorf("all had left, and the server took %v to end", took)
	}
	watching.Wait()
	http.DefaultClient.CloseIdleConnections()
	for _, m := range encoders {
		if m.moved != m.moves {
			t.Errorf("%s moved: %v, want %v", m.name, m.moved, m.moves)
		}
		lost, doubled, first := 0, 0, -1
		for n := range m.sent {
			switch found[fmt.Sprintf("<%s#%06d>", m.name, n)] {
			case 0:
				lost++
				if first < 0 {
					first = n
				}
			case 1:
			default:
				doubled++
			}
		}
		if lost+doubled > 0 {
			t.Errorf("%s: of %d access units %d are lost, the first of them number %d, %d doubled", m.name, m.sent, lost, first, doubled)
		}
	}
}
