package config

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A fault is a value that can be read but not used.
type fault struct {
	path  string // the field at fault
	text  string
	other string // the field it clashes with, or empty; text ends with that field's value
}

// Validate reports all faults of c at once, each with the path of its field, or nil. It looks at
// the disk to see that certificates and keys can be read.
func (c *Config) Validate() error {
	var errs []error
	for _, f := range c.faults() {
		errs = append(errs, fmt.Errorf("%s: %s", f.path, f.text))
	}
	return errors.Join(errs...)
}

func (c *Config) faults() []fault {
	var fs faults

	fs.addr("rtmp.addr", c.RTMP.Addr)
	fs.addr("rtmp.tls_addr", c.RTMP.TLSAddr)
	fs.keyPair("rtmp.tls_cert", c.RTMP.TLSCert, "rtmp.tls_key", c.RTMP.TLSKey)
	fs.positive("rtmp.handshake_timeout", c.RTMP.HandshakeTimeout)
	fs.positive("rtmp.publish_timeout", c.RTMP.PublishTimeout)
	fs.positive("rtmp.idle_timeout", c.RTMP.IdleTimeout)
	fs.positive("rtmp.write_timeout", c.RTMP.WriteTimeout)
	between(&fs, "rtmp.max_message_size", c.RTMP.MaxMessageSize, 1*MiB, 16*MiB)
	between(&fs, "rtmp.max_chunk_streams", c.RTMP.MaxChunkStreams, 1, 65598)
	atLeast(&fs, "rtmp.max_connections", c.RTMP.MaxConnections, 1)
	fs.networks("rtmp.publish_from", c.RTMP.PublishFrom)

	fs.addr("http.addr", c.HTTP.Addr)
	fs.addr("http.tls_addr", c.HTTP.TLSAddr)
	fs.keyPair("http.tls_cert", c.HTTP.TLSCert, "http.tls_key", c.HTTP.TLSKey)
	if c.HTTP.TLSAddr != "" && c.HTTP.TLSCert == "" && c.HTTP.TLSKey == "" {
		fs.clash("http.tls_addr", "http.tls_cert", "%q needs a certificate, but http.tls_cert is empty", c.HTTP.TLSAddr)
	}
	if c.HTTP.HTTP3 && c.HTTP.TLSAddr == "" {
		fs.clash("http.http3", "http.tls_addr", "is on, but http.tls_addr is empty")
	}
	between(&fs, "http.hold_timeout", c.HTTP.HoldTimeout, 1*time.Second, 8*time.Second)
	fs.positive("http.write_timeout", c.HTTP.WriteTimeout)

	fs.addr("admin.addr", c.Admin.Addr)

	between(&fs, "window.segments", c.Window.Segments, 3, 1000)
	between(&fs, "window.segment_min_duration", c.Window.SegmentMinDuration, 1*time.Second, 30*time.Second)
	if c.Window.SegmentMaxDuration < c.Window.SegmentMinDuration {
		fs.clash("window.segment_max_duration", "window.segment_min_duration",
			"%v is shorter than window.segment_min_duration %v", c.Window.SegmentMaxDuration, c.Window.SegmentMinDuration)
	}
	if t := c.Window.TargetDuration; t != 0 {
		if t < 0 || t%time.Second != 0 {
			fs.add("window.target_duration", "%v is not a whole number of seconds", t)
		} else if t < c.Window.SegmentMinDuration {
			fs.clash("window.target_duration", "window.segment_min_duration",
				"%v is shorter than window.segment_min_duration %v", t, c.Window.SegmentMinDuration)
		}
	}
	between(&fs, "window.part_duration", c.Window.PartDuration, 100*time.Millisecond, 2*time.Second)
	if c.Window.PartDuration > c.Window.SegmentMinDuration {
		fs.clash("window.part_duration", "window.segment_min_duration",
			"%v is longer than window.segment_min_duration %v", c.Window.PartDuration, c.Window.SegmentMinDuration)
	}
	between(&fs, "window.grace", c.Window.Grace, 0, 5*time.Minute)
	atLeast(&fs, "window.linger", c.Window.Linger, 60*time.Second)

	fs.oneOf("log.level", c.Log.Level, "debug", "info", "warn", "error")
	fs.oneOf("log.format", c.Log.Format, "console", "json")

	return fs
}

// faults collects what the rules below find.
type faults []fault

func (fs *faults) add(path, format string, args ...any) {
	*fs = append(*fs, fault{path: path, text: fmt.Sprintf(format, args...)})
}

func (fs *faults) clash(path, other, format string, args ...any) {
	*fs = append(*fs, fault{path: path, other: other, text: fmt.Sprintf(format, args...)})
}

func (fs *faults) addr(path, addr string) {
	if addr == "" {
		return
	}
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		fs.add(path, "%q is not an address such as :8080 or 127.0.0.1:8080", addr)
		return
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		fs.add(path, "%q has a port that is not between 0 and 65535", addr)
	}
}

func (fs *faults) keyPair(certPath, cert, keyPath, key string) {
	switch {
	case cert != "" && key == "":
		fs.clash(keyPath, certPath, "is empty, but %s is %q", certPath, cert)
	case key != "" && cert == "":
		fs.clash(certPath, keyPath, "is empty, but %s is %q", keyPath, key)
	}
	fs.readable(certPath, cert)
	fs.readable(keyPath, key)
}

func (fs *faults) readable(path, file string) {
	if file == "" {
		return
	}
	// Opening is not enough: a directory opens too.
	if _, err := os.ReadFile(file); err != nil {
		fs.add(path, "%v", err)
	}
}

func (fs *faults) networks(path string, list []string) {
	if len(list) == 0 {
		fs.add(path, "is empty, so nobody could publish")
	}
	for _, entry := range list {
		if _, err := ParseNetworks([]string{entry}); err != nil {
			fs.add(path, "%v", err)
		}
	}
}

func (fs *faults) positive(path string, d time.Duration) {
	if d <= 0 {
		fs.add(path, "%v is not more than 0s", d)
	}
}

func (fs *faults) oneOf(path, word string, words ...string) {
	if !slices.Contains(words, word) {
		fs.add(path, "%q is not one of %s", word, strings.Join(words, ", "))
	}
}

func between[T cmp.Ordered](fs *faults, path string, v, low, high T) {
	if v < low || v > high {
		fs.add(path, "%v is not between %v and %v", v, low, high)
	}
}

func atLeast[T cmp.Ordered](fs *faults, path string, v, low T) {
	if v < low {
		fs.add(path, "%v is less than %v", v, low)
	}
}
