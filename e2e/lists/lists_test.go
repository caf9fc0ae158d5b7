package lists

import (
	"strings"
	"testing"
	"time"
)

const good = `#EXTM3U
#EXT-X-VERSION:6
#EXT-X-TARGETDURATION:2
#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=1.5
#EXT-X-PART-INF:PART-TARGET=0.5
#EXT-X-MEDIA-SEQUENCE:7
#EXT-X-DISCONTINUITY-SEQUENCE:3
#EXT-X-MAP:URI="v1/a-header.mp4"
#EXT-X-PROGRAM-DATE-TIME:2026-11-24T12:00:00.000Z
#EXTINF:2.00000,
v1/a-7.m4s
#EXT-X-DISCONTINUITY
#EXT-X-MAP:URI="v1/b-header.mp4"
#EXT-X-PROGRAM-DATE-TIME:2026-11-24T12:00:09.000Z
#EXT-X-PART:DURATION=0.50000,URI="v1/b,p1.m4s",INDEPENDENT=YES
#EXT-X-PART:DURATION=0.25000,URI="v1/b-p2.m4s",GAP=YES
#EXTINF:0.75000,
v1/b-8.m4s
#EXT-X-PROGRAM-DATE-TIME:2026-11-24T12:00:09.750Z
#EXT-X-PART:DURATION=0.50000,URI="v1/b-p3.m4s"
#EXT-X-PRELOAD-HINT:TYPE=PART,URI="v1/b-p4.m4s"
`

func TestParse(t *testing.T) {
	p, err := Parse(good)
	if err != nil {
		t.Fatal(err)
	}
	s := p.Segments[1]
	if p.Target != 2 || p.PartTarget != 0.5 || p.Next() != 9 || p.Seconds() != 2.75 || len(p.Unknown) > 0 || p.Hint != "v1/b-p4.m4s" ||
		s.MSN != 8 || s.Discontinuity != 4 || !s.Breaks || s.Header != "v1/b-header.mp4" || s.Text != "0.75000" || s.Date.Second() != 9 ||
		s.Parts[0] != (Part{URI: "v1/b,p1.m4s", Duration: 0.5, Independent: true}) || s.Gaps() != 0.25 ||
		p.Open.MSN != 9 || p.Open.Discontinuity != 4 || len(p.Open.Parts) != 1 || p.Open.Header != "v1/b-header.mp4" {
		t.Errorf("%+v", p)
	}
	for _, wrong := range []string{"", "#EXTM3U\n", "#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:x\n", "#EXT-X-MEDIA-SEQUENCE:1\n"} {
		if _, err := Parse(wrong); err == nil {
			t.Errorf("%q is a playlist", wrong)
		}
	}
}

// What a player would have to forgive, Strict doesn't.
func TestStrict(t *testing.T) {
	p, err := Strict("http://host/live/cam1/v1.m3u8", []byte(good))
	if err != nil {
		t.Fatal(err)
	}
	if got := p.Segments[0].URI + " " + p.Open.Parts[0].URI; got != "http://host/live/cam1/v1/a-7.m4s http://host/live/cam1/v1/b-p3.m4s" {
		t.Errorf("resolved: %s", got)
	}
	for name, change := range map[string][2]string{
		"an unknown tag":           {"#EXT-X-DISCONTINUITY\n", "#EXT-X-NEWS\n"},
		"twice":                    {"#EXT-X-VERSION:6\n", "#EXT-X-VERSION:6\n#EXT-X-VERSION:6\n"},
		"no target duration":       {"#EXT-X-TARGETDURATION:2\n", ""},
		"behind a segment":         {"v1/a-7.m4s\n", "v1/a-7.m4s\n#EXT-X-INDEPENDENT-SEGMENTS\n"},
		"too long":                 {"EXTINF:2.00000", "EXTINF:2.60000"},
		"an exponent":              {"EXTINF:2.00000", "EXTINF:2e0"},
		"no comma":                 {"2.00000,", "2.00000"},
		"no date":                  {"#EXT-X-PROGRAM-DATE-TIME:2026-11-24T12:00:00.000Z\n", ""},
		"no milliseconds":          {"12:00:00.000Z", "12:00:00Z"},
		"no header":                {"#EXT-X-MAP:URI=\"v1/a-header.mp4\"\n", ""},
		"an absolute URI":          {"v1/a-7.m4s", "http://host/v1/a-7.m4s"},
		"parts that don't add up":  {"EXTINF:0.75000", "EXTINF:0.70000"},
		"a part over the target":   {"DURATION=0.50000,URI=\"v1/b,p1", "DURATION=0.60000,URI=\"v1/b,p1"},
		"an attribute twice":       {"INDEPENDENT=YES", "INDEPENDENT=YES,INDEPENDENT=YES"},
		"white space":              {"v1/a-7.m4s\n", "v1/a-7.m4s \n"},
		"an empty line":            {"v1/a-7.m4s\n", "v1/a-7.m4s\n\n"},
		"a segment behind the end": {"#EXT-X-DISCONTINUITY\n", "#EXT-X-ENDLIST\n"},
		"no end of line":           {"b-p4.m4s\"\n", "b-p4.m4s\""},
	} {
		wrong := strings.Replace(good, change[0], change[1], 1)
		if wrong == good {
			t.Errorf("%s: nothing was changed", name)
		}
		if _, err := Strict("http://host/live/cam1/v1.m3u8", []byte(wrong)); err == nil {
			t.Errorf("%s: no fault was found", name)
		}
	}
}

func TestMPD(t *testing.T) {
	m, err := ParseMPD("", []byte(`<MPD availabilityStartTime="1970-01-01T00:00:00Z"><Period id="0" start="PT0S"/><Period id="1" start="PT1H2M3.5S"><AdaptationSet contentType="video">
		<SegmentTemplate timescale="10" presentationTimeOffset="100" availabilityTimeOffset="1.5" media="$RepresentationID$/$Time$.m4s" initialization="$RepresentationID$/h.mp4">
		<SegmentTimeline><S t="100" d="20" r="1"/><S t="150" d="25"/></SegmentTimeline></SegmentTemplate>
		<Representation id="v1"/></AdaptationSet></Period></MPD>`))
	if err != nil {
		t.Fatal(err)
	}
	last, err := m.Last(0)
	if err != nil {
		t.Fatal(err)
	}
	all, err := m.Tracks()
	if err != nil || len(all) != 1 || len(all[0].Segments) != 3 {
		t.Fatalf("%+v, %v", all, err)
	}
	s := last.Segments[2]
	start := time.Hour + 2*time.Minute + 3500*time.Millisecond
	if last.Header != "v1/h.mp4" || s.URI != "v1/150.m4s" || s.At != start+5*time.Second || s.Available.Sub(time.Unix(0, 0)) != s.At+time.Second {
		t.Errorf("%+v", last)
	}
	if _, err := m.Last(1); err == nil {
		t.Error("there is another set")
	}
}
