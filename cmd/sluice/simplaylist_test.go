package main

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/Eyevinn/mp4ff/bits"
	"github.com/Eyevinn/mp4ff/mp4"
)

// listedPlaylist is a media playlist as the simulation's own reader reads it.
type listedPlaylist struct {
	target                           int
	partTarget                       float64
	sequence, discontinuity, skipped int64
	segments                         []listedSegment
	open                             listedSegment // its parts, if there are any
	hint                             string
	ended                            bool
}

type listedSegment struct {
	msn, discontinuity int64
	uri, header        string
	duration           float64
	date               time.Time
	parts              []listedPart
	gap                bool // there is nothing to fetch
}

type listedPart struct {
	uri      string
	duration float64
	gap      bool
}

// gaps is how many seconds of a segment are gaps, as far as its parts are listed.
func (s *listedSegment) gaps() (seconds float64) {
	for _, part := range s.parts {
		if part.gap {
			seconds += part.duration
		}
	}
	return seconds
}

// parsePlaylist returns an error for a line that it doesn't know.
func parsePlaylist(text string) (*listedPlaylist, error) {
	p := &listedPlaylist{sequence: -1, discontinuity: -1}
	var s listedSegment
	var discontinuities int64
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if !strings.HasPrefix(line, "#") {
			s.uri = line
			s.msn = p.sequence + p.skipped + int64(len(p.segments))
			s.discontinuity = p.discontinuity + discontinuities
			p.segments = append(p.segments, s)
			s = listedSegment{header: s.header}
			continue
		}
		tag, value, _ := strings.Cut(line, ":")
		var err error
		switch tag {
		case "#EXTM3U", "#EXT-X-VERSION", "#EXT-X-INDEPENDENT-SEGMENTS", "#EXT-X-SERVER-CONTROL", "#EXT-X-RENDITION-REPORT":
		case "#EXT-X-TARGETDURATION":
			p.target, err = strconv.Atoi(value)
		case "#EXT-X-PART-INF":
			p.partTarget, err = strconv.ParseFloat(attribute(value, "PART-TARGET"), 64)
		case "#EXT-X-MEDIA-SEQUENCE":
			p.sequence, err = strconv.ParseInt(value, 10, 64)
		case "#EXT-X-DISCONTINUITY-SEQUENCE":
			p.discontinuity, err = strconv.ParseInt(value, 10, 64)
		case "#EXT-X-SKIP":
			p.skipped, err = strconv.ParseInt(attribute(value, "SKIPPED-SEGMENTS"), 10, 64)
		case "#EXT-X-DISCONTINUITY":
			discontinuities++
		case "#EXT-X-MAP":
			s.header = attribute(value, "URI")
		case "#EXT-X-PROGRAM-DATE-TIME":
			s.date, err = time.Parse(time.RFC3339, value)
		case "#EXTINF":
			s.duration, err = strconv.ParseFloat(strings.TrimSuffix(value, ","), 64)
		case "#EXT-X-PART":
			part := listedPart{uri: attribute(value, "URI"), gap: attribute(value, "GAP") == "YES"}
			part.duration, err = strconv.ParseFloat(attribute(value, "DURATION"), 64)
			s.parts = append(s.parts, part)
		case "#EXT-X-PRELOAD-HINT":
			p.hint = attribute(value, "URI")
		case "#EXT-X-GAP":
			s.gap = true
		case "#EXT-X-ENDLIST":
			p.ended = true
		default:
			err = fmt.Errorf("unknown tag")
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", line, err)
		}
	}
	if p.sequence < 0 || p.discontinuity < 0 || p.target <= 0 {
		return nil, fmt.Errorf("no sequence numbers, or no target duration:\n%s", text)
	}
	s.msn = p.sequence + p.skipped + int64(len(p.segments))
	s.discontinuity = p.discontinuity + discontinuities
	p.open = s
	return p, nil
}

// attribute returns the value of a name in an attribute list.
func attribute(list, name string) string {
	for _, a := range strings.Split(list, ",") { // no value of ours has one inside
		if value, ok := strings.CutPrefix(a, name+"="); ok {
			return strings.Trim(value, `"`)
		}
	}
	return ""
}

// sampleFound is a sample of a fragment, as mp4ff reads it.
type sampleFound struct {
	dts, duration int64 // ticks
	offset        int64
	data          []byte
	first         bool // of its fragment
}

// readSamples reads fragments.
func readSamples(b []byte) (found []sampleFound, err error) {
	r := bits.NewFixedSliceReader(b)
	var moof *mp4.MoofBox
	for at := uint64(0); at < uint64(len(b)); {
		box, err := mp4.DecodeBoxSR(at, r)
		if err != nil {
			return nil, err
		}
		if box.Size() == 0 {
			return nil, fmt.Errorf("a box of no size at %d", at)
		}
		switch box := box.(type) {
		case *mp4.MoofBox:
			moof = box
		case *mp4.MdatBox:
			if moof == nil || moof.Traf == nil || len(moof.Trafs) != 1 || len(moof.Traf.Truns) != 1 || moof.Traf.Tfdt == nil {
				return nil, fmt.Errorf("mdat at %d is not that of a fragment with one track and one run", at)
			}
			run := moof.Traf.Trun
			dts := int64(moof.Traf.Tfdt.BaseMediaDecodeTime())
			data := b[moof.StartPos+uint64(run.DataOffset):]
			if int64(moof.StartPos)+int64(run.DataOffset) != int64(at)+8 {
				return nil, fmt.Errorf("the run's data begins at %d, mdat at %d", run.DataOffset, at)
			}
			size := 0
			for i, s := range run.Samples {
				if size += int(s.Size); int(s.Size) > len(data) {
					return nil, fmt.Errorf("sample %d is longer than the fragment", i)
				}
				found = append(found, sampleFound{dts, int64(s.Dur), int64(s.CompositionTimeOffset), data[:s.Size], i == 0})
				data = data[s.Size:]
				dts += int64(s.Dur)
			}
			if uint64(size)+8 != box.Size() {
				return nil, fmt.Errorf("samples of %d bytes in an mdat of %d", size, box.Size())
			}
			moof = nil
		}
		at += box.Size()
	}
	return found, nil
}

// readTimescale reads the timescale of a CMAF header.
func readTimescale(b []byte) (int64, error) {
	r := bits.NewFixedSliceReader(b)
	for at := uint64(0); at < uint64(len(b)); {
		box, err := mp4.DecodeBoxSR(at, r)
		if err != nil {
			return 0, err
		}
		if moov, ok := box.(*mp4.MoovBox); ok {
			return int64(moov.Trak.Mdia.Mdhd.Timescale), nil
		}
		at += box.Size()
	}
	return 0, fmt.Errorf("no moov in %d bytes (%x…)", len(b), binary.BigEndian.AppendUint32(nil, uint32(len(b))))
}
