package packager

import (
	"strconv"
	"strings"
	"time"

	"github.com/sluice-live/sluice/remux"
)

// MSN is a media sequence number. It grows by one from segment to segment of a
// rendition, over all publications of a stream.
type MSN int64

// RenditionID names a rendition within its stream: v1, a1.
type RenditionID string

// Period is a stretch of media that is decoded with one set of headers on one
// timeline: a DASH Period, or what lies between two HLS discontinuities.
type Period struct {
	ID       string // unique for all time, in URLs
	Sequence int64  // HLS's discontinuity sequence number, see numbers
	Start    int64  // media time at which it begins, nanoseconds since 1970; −1 before its first sample
}

// Header is the CMAF header (init segment) of a rendition in a period.
type Header struct {
	Period *Period
	Track  remux.Track
	Bytes  []byte  // must not be modified
	Before *Period // the one before, if it has the same bytes
}

// Part is one fragment of a segment, complete and immutable.
type Part struct {
	// Number counts the parts of a rendition over all segments: the name of the
	// next part is known before it is known whether it begins a segment.
	Number      int64
	Bytes       []byte // moof and mdat; must not be modified
	Duration    int64  // ticks
	Independent bool   // contains a sample where decoding can start
	Gap         bool   // the track had no samples then: there are no bytes
}

// Segment is a closed segment. Its bytes are those of its parts.
type Segment struct {
	MSN         MSN
	Header      *Header
	PTS         int64 // earliest presentation time, ticks since 1970
	Duration    int64 // ticks
	Start       int64 // ticks since 1970, in its name and in manifests: see writer.starts
	DTS         int64 // of the first sample, ticks since 1970
	Parts       []Part
	Size        int // bytes
	Samples     int
	Independent bool // begins with a sample where decoding can start
	Leading     bool // … and some that are shown before that one need the segment before

	// Gaps tells that some of its parts are gaps. Lead and Tail are the ticks that
	// those at its beginning and its end last.
	Gaps       bool
	Lead, Tail int64

	few [6]Part // what Parts points to, when that many are enough
}

// MediaName is the name of a media file within its rendition's folder. The
// same name stands for the same bytes for all time.
type MediaName struct {
	Period string
	Kind   MediaKind
	Number int64 // of the part; of a segment, where it starts: its Start
}

// MediaKind is what a media file holds.
type MediaKind uint8

// The kinds of media files, with their names.
const (
	HeaderFile  MediaKind = iota // PERIOD-header.mp4
	SegmentFile                  // PERIOD-START.m4s
	PartFile                     // PERIOD-pNUMBER.m4s
)

const (
	headerSuffix = "-header.mp4"
	mediaSuffix  = ".m4s"
)

func (n MediaName) String() string {
	b := make([]byte, 0, 48)
	b = append(b, n.Period...)
	switch n.Kind {
	case HeaderFile:
		return string(append(b, headerSuffix...))
	case PartFile:
		b = append(b, "-p"...)
	default:
		b = append(b, '-')
	}
	return string(append(strconv.AppendInt(b, n.Number, 10), mediaSuffix...))
}

// ParseMediaName is the inverse of String.
func ParseMediaName(s string) (MediaName, bool) {
	if period, ok := strings.CutSuffix(s, headerSuffix); ok {
		return MediaName{Period: period}, period != ""
	}
	rest, ok := strings.CutSuffix(s, mediaSuffix)
	if !ok {
		return MediaName{}, false
	}
	n := MediaName{Kind: SegmentFile}
	period, number, ok := strings.Cut(rest, "-")
	if !ok {
		return MediaName{}, false
	}
	n.Period = period
	if part, ok := strings.CutPrefix(number, "p"); ok {
		n.Kind, number = PartFile, part
	}
	v, err := strconv.ParseUint(number, 10, 63)
	n.Number = int64(v)
	// Only the one spelling: "007" must not become a second URL of segment 7.
	return n, err == nil && n.String() == s
}

// Name is the file name of the header.
func (h *Header) Name() string { return MediaName{Period: h.Period.ID, Kind: HeaderFile}.String() }

// Name is the file name of the segment.
func (s *Segment) Name() string {
	return MediaName{Period: s.Header.Period.ID, Kind: SegmentFile, Number: s.Start}.String()
}

// Seconds is the segment's duration.
func (s *Segment) Seconds() float64 { return s.Header.Seconds(s.Duration) }

// Gap tells whether a segment has no media at all: it is there to keep the time.
func (s *Segment) Gap() bool { return s.Size == 0 }

func (s *Segment) duration() time.Duration {
	return time.Duration(nanoseconds(s.Duration, s.Header.Track.Timescale))
}

// end is where both its decoding and its presentation are over, ns since 1970.
func (s *Segment) end() int64 {
	return nanoseconds(max(s.DTS, s.PTS)+s.Duration, s.Header.Track.Timescale)
}

// endPTS is where its presentation is over, ns since 1970.
func (s *Segment) endPTS() int64 {
	return nanoseconds(s.PTS+s.Duration, s.Header.Track.Timescale)
}

// Time is the wall clock time of the segment's earliest presentation time.
func (s *Segment) Time() time.Time { return s.Header.Time(s.PTS) }

// Seconds turns ticks of the track into seconds.
func (h *Header) Seconds(ticks int64) float64 { return float64(ticks) / float64(h.Track.Timescale) }

// Time turns a media time of the track into the wall clock time that it is.
func (h *Header) Time(ticks int64) time.Time {
	return time.Unix(0, nanoseconds(ticks, h.Track.Timescale)).UTC()
}

// nanoseconds turns ticks into nanoseconds without losing the 64 bits.
func nanoseconds(ticks int64, timescale uint32) int64 {
	const short = 1 << 33 // 26 hours at 90 kHz
	ts := int64(timescale)
	if ticks < short && ticks > -short { // with one division: there are many in a second
		return ticks * 1e9 / ts
	}
	return ticks/ts*1e9 + ticks%ts*1e9/ts
}

// ticksOf turns nanoseconds into the nearest tick: it is the inverse of
// nanoseconds.
func ticksOf(ns int64, timescale uint32) int64 {
	const second = int64(time.Second)
	ts := int64(timescale)
	return ns/second*ts + (ns%second*ts+second/2)/second
}

// PartName is the file name of a part of the header's period.
func (h *Header) PartName(number int64) string {
	return MediaName{Period: h.Period.ID, Kind: PartFile, Number: number}.String()
}

// MediaTemplate is the name of a period's segments with a placeholder in the
// place of where they start. It is no number of theirs: FFmpeg 5.1 takes numbers
// that don't begin at nought for others, and plays the window again and again.
func MediaTemplate(p *Period, start string) string { return p.ID + "-" + start + ".m4s" }
