//go:build linux

package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestParseList(t *testing.T) {
	l, err := parseList(`#EXTM3U
#EXT-X-PART-INF:PART-TARGET=0.50000
#EXT-X-MEDIA-SEQUENCE:7
#EXT-X-PART:DURATION=0.5,URI="v1/x-p1.m4s"
#EXTINF:2.00000,
v1/x-7.m4s
#EXTINF:2.00000,
v1/x-8.m4s
#EXT-X-PART:DURATION=0.5,URI="v1/x-p9.m4s"
#EXT-X-PRELOAD-HINT:TYPE=PART,URI="v1/x-p10.m4s"
`)
	if err != nil || fmt.Sprint(namesOf(l)) != "[v1/x-7.m4s v1/x-8.m4s]" || l.Hint != "v1/x-p10.m4s" || reload(l) != "?_HLS_msn=9&_HLS_part=1" {
		t.Errorf("%+v, %v", l, err)
	}
	for _, wrong := range []string{"", "#EXT-X-MEDIA-SEQUENCE:x\n", "#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:7\n"} {
		if _, err := parseList(wrong); err == nil {
			t.Errorf("%q is a playlist", wrong)
		}
	}
}

func TestParseManifest(t *testing.T) {
	urls, err := parseManifest(`<MPD><Period/><Period start="PT1S"><AdaptationSet>
		<SegmentTemplate timescale="1" media="$RepresentationID$/x-$Time$.m4s" initialization="x">
		<SegmentTimeline><S t="1" d="2" r="2"/><S d="3"/></SegmentTimeline></SegmentTemplate>
		<Representation id="v1"/></AdaptationSet></Period></MPD>`)
	if err != nil || fmt.Sprint(urls) != "[v1/x-1.m4s v1/x-3.m4s v1/x-5.m4s v1/x-7.m4s]" {
		t.Errorf("%q, %v", urls, err)
	}
	for last, want := range map[string]int{"": 1, "v1/x-3.m4s": 2, "v1/x-7.m4s": 0, "v1/gone.m4s": 4} {
		if got := behind(last, urls); len(got) != want {
			t.Errorf("behind %q: %q", last, got)
		}
	}
	for _, wrong := range []string{"", "<MPD/>", "<MPD><Period/></MPD>"} {
		if _, err := parseManifest(wrong); err == nil {
			t.Errorf("%q is a manifest", wrong)
		}
	}
}

func TestSendTimes(t *testing.T) {
	var media []byte
	want := []int64{1, 2_000_000_000}
	for _, at := range want {
		media = append(append(media, "moof\xFF\xFFslu"...), stampMark...)
		media = binary.BigEndian.AppendUint64(media, uint64(at))
	}
	media = append(media, stampMark...) // cut off
	got := sendTimes(media)
	if len(got) != 2 || got[0].UnixNano() != want[0] || got[1].UnixNano() != want[1] {
		t.Errorf("%v", got)
	}
}

// All ways of sending a body end where it ends, so that the connection can go on.
func TestWire(t *testing.T) {
	long := strings.Repeat("0123456789", 100_000)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/short":
			fmt.Fprint(w, "short")
		case "/long":
			w.Header().Set("Content-Length", fmt.Sprint(len(long)))
			fmt.Fprint(w, long)
		case "/chunked":
			fmt.Fprint(w, long[:1000])
			w.(http.Flusher).Flush()
			fmt.Fprint(w, long[1000:])
		default:
			http.NotFound(w, r)
		}
	}))
	defer s.Close()
	ctx, leave := context.WithCancel(t.Context())
	w, err := dial(ctx, strings.TrimPrefix(s.URL, "http://"), 1000)
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{"/short": "short", "/long": long, "/chunked": long} {
		if got, err := w.text(path); err != nil || got != want {
			t.Errorf("%s: %d bytes, %v", path, len(got), err)
		}
	}
	var status *statusError
	if _, err := w.text("/none"); !errors.As(err, &status) || status.status != http.StatusNotFound {
		t.Errorf("what isn't there: %v", err)
	}
	if _, err := w.text("/short"); err != nil {
		t.Errorf("behind it: %v", err)
	}
	leave()
	for end := time.Now().Add(10 * time.Second); ; {
		if _, err := w.text("/short"); err != nil {
			break
		}
		if time.Now().After(end) {
			t.Fatal("it outlives its context")
		}
	}
}
