package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluice-live/sluice/ingest/flv"
	"github.com/sluice-live/sluice/metrics"
	"github.com/sluice-live/sluice/packager"
)

func TestAvailableMemory(t *testing.T) {
	t.Setenv("GOMEMLIMIT", "")
	const machine = "MemFree:  1 kB\nMemTotal:       24576 kB\n"
	for _, test := range []struct {
		name  string
		files map[string]string
		want  int64
	}{
		{"a machine", map[string]string{"proc/meminfo": machine}, 24 << 20},
		{"a container", map[string]string{"proc/meminfo": machine, "proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "1048576\n"}, 1 << 20},
		{"one without a limit", map[string]string{"proc/meminfo": machine, "proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "max\n"}, 24 << 20},
		{"a service in a slice", map[string]string{"proc/meminfo": machine, "proc/self/cgroup": "0::/a.slice/b.service\n",
			"sys/fs/cgroup/a.slice/b.service/memory.max": "max\n", "sys/fs/cgroup/a.slice/memory.max": "2097152\n"}, 2 << 20},
		{"version 1", map[string]string{"proc/meminfo": machine, "sys/fs/cgroup/memory/memory.limit_in_bytes": "3145728\n"}, 3 << 20},
		{"version 1 without a limit", map[string]string{"proc/meminfo": machine, "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n"}, 24 << 20},
		{"nothing is known", nil, 1<<63 - 1},
	} {
		root := t.TempDir()
		for name, text := range test.files {
			os.MkdirAll(filepath.Dir(filepath.Join(root, name)), 0o755)
			if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if got := availableMemory(root); got != test.want {
			t.Errorf("%s: %d, want %d", test.name, got, test.want)
		}
	}
}

// F28: where memory is out, new publishers are refused and live ones go on; one
// whose window grows too large is sent away with a reason.
func TestF28Memory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)))
		other, err := packager.ParseStreamName("live", "cam2")
		if err != nil {
			t.Fatal(err)
		}
		g := newGate()
		g.metrics = metrics.New()
		g.budget = budget{all: 40 << 20, stream: 20 << 20}
		first, err := g.ask(newPeer())
		if err != nil {
			t.Fatal(err)
		}
		// One picture is as large as a message may be.
		picture := func(at uint32, size int) error {
			body := append([]byte{0x17, 1, 0, 0, 0, byte(size >> 24), byte(size >> 16), byte(size >> 8), byte(size), 0x65}, make([]byte, size-1)...)
			return first.WriteTag(flv.Tag{Type: flv.TagVideo, Timestamp: at, Body: body})
		}
		config := []byte("\x17\x00\x00\x00\x00\x01\x64\x00\x28\xff\xe1\x00\x1c" +
			"\x67\x64\x00\x28\xac\x76\x11\x03\xc0\x45\xfb\xc0\x44\x00\x00\x03\x00\x04\x00\x00\x03\x00\xf0\x3c\x60\xc6\x11\x80" +
			"\x01\x00\x06\x68\xe8\x43\x9c\xb2\x2c")
		if err := first.WriteTag(flv.Tag{Type: flv.TagVideo, Body: config}); err != nil {
			t.Fatal(err)
		}
		at := uint32(0)
		play := func(seconds, size int) (err error) {
			for range seconds {
				if err = picture(at, size); err != nil {
					return err
				}
				at += 1000
				time.Sleep(time.Second)
				g.patrol()
			}
			return nil
		}
		if err := play(45, 1<<10); err != nil {
			t.Fatal(err)
		}
		if err := g.room(other); err != nil {
			t.Errorf("with %d bytes held: %v", held(g), err)
		}
		if err := play(18, 1<<20); err != nil {
			t.Fatalf("with %d bytes held: %v", held(g), err)
		}
		g.budget.all = 24 << 20
		var full *overLimit
		if err := g.room(other); !errors.As(err, &full) || full.what != "memory" || !strings.Contains(err.Error(), "of 24 MiB") {
			t.Errorf("with %d bytes held: %v", held(g), err)
		}
		if err := play(1, 1<<10); err != nil {
			t.Errorf("the live one: %v", err)
		}
		if err := play(20, 2<<20); !errors.As(err, &full) || full.what != "stream_memory" {
			t.Errorf("with %d bytes held: %v", held(g), err)
		}
		first.Close(nil)
	})
}

func held(g *gate) (n int) {
	for _, s := range g.catalog.Streams() {
		n += s.Window().Bytes()
	}
	return n
}
