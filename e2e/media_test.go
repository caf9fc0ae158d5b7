package e2e

import (
	"bytes"
	"fmt"

	"github.com/Eyevinn/mp4ff/mp4"
)

// mediaTrack is what mp4ff reads from a header and the segments behind it.
type mediaTrack struct {
	timescale int64
	trex      *mp4.TrexBox
	codec     string // of the sample entry
	width     int
	height    int

	units []accessUnit // ticks
	next  int64        // where the next one must begin, −1 at first
	last  uint32       // fragment sequence number
}

func readHeader(b []byte) (*mediaTrack, error) {
	f, err := mp4.DecodeFile(bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	if f.Init == nil || f.Moov == nil || len(f.Moov.Traks) != 1 || f.Moov.Mvex == nil {
		return nil, fmt.Errorf("not a CMAF header of one track")
	}
	trak := f.Moov.Trak
	m := &mediaTrack{timescale: int64(trak.Mdia.Mdhd.Timescale), trex: f.Moov.Mvex.Trex, next: -1}
	stsd := trak.Mdia.Minf.Stbl.Stsd
	if len(stsd.Children) != 1 {
		return nil, fmt.Errorf("%d sample entries", len(stsd.Children))
	}
	m.codec = stsd.Children[0].Type()
	if stsd.AvcX != nil {
		m.width, m.height = int(stsd.AvcX.Width), int(stsd.AvcX.Height)
	}
	if trak.Edts != nil {
		return nil, fmt.Errorf("an edit list, which players treat differently")
	}
	return m, nil
}

// add reads a segment and returns its earliest presentation time and its
// duration. Fragments must follow each other without a tick between them.
func (m *mediaTrack) add(b []byte) (pts, duration int64, err error) {
	f, err := mp4.DecodeFile(bytes.NewReader(b))
	if err != nil {
		return 0, 0, err
	}
	if len(f.Segments) != 1 || f.Segments[0].Styp == nil {
		return 0, 0, fmt.Errorf("%d segments, or no segment type box", len(f.Segments))
	}
	first := true
	for _, fragment := range f.Segments[0].Fragments {
		if n := fragment.Moof.Mfhd.SequenceNumber; n <= m.last {
			return 0, 0, fmt.Errorf("fragment %d behind %d", n, m.last)
		} else {
			m.last = n
		}
		if at := int64(fragment.Moof.Traf.Tfdt.BaseMediaDecodeTime()); m.next >= 0 && at != m.next {
			return 0, 0, fmt.Errorf("a fragment begins at %d, the one before ends at %d", at, m.next)
		}
		samples, err := fragment.GetFullSamples(m.trex)
		if err != nil {
			return 0, 0, err
		}
		for _, s := range samples {
			u := accessUnit{
				dts:         int64(s.DecodeTime),
				composition: int64(s.CompositionTimeOffset),
				sync:        s.IsSync(),
				data:        s.Data,
			}
			if at := u.dts + u.composition; first || at < pts {
				pts, first = at, false
			}
			m.units = append(m.units, u)
			m.next = u.dts + int64(s.Dur)
			duration += int64(s.Dur)
		}
	}
	return pts, duration, nil
}

// compare tells the first difference between what was sent and what came out.
// Times must be equal but for a common offset, and two things that the server
// takes out of them: sent ones are rounded to milliseconds, and an encoder whose
// clock isn't the server's is followed by bending the line up to 500 ppm.
func compare(sent, got []accessUnit, timescale, tolerance int64) error {
	for i := range min(len(sent), len(got)) {
		a, b := sent[i], got[i]
		if !bytes.Equal(a.data, b.data) {
			return fmt.Errorf("access unit %d of %d: %d bytes were sent, %d other bytes came%s", i, len(sent), len(a.data), len(b.data), where(sent, b, i))
		}
		if a.sync != b.sync {
			return fmt.Errorf("access unit %d: sync is %v, was %v", i, b.sync, a.sync)
		}
		// Decoded up to another rounding earlier or later, where a part had to end
		// before it was known when the next frame comes.
		bent := (a.dts - sent[0].dts) * timescale / 1000 * 500 / 1e6
		tolerance := tolerance + timescale/800 + bent
		want := (a.dts + a.composition - sent[0].dts - sent[0].composition) * timescale / 1000
		if off := b.dts + b.composition - got[0].dts - got[0].composition - want; off > tolerance || off < -tolerance {
			return fmt.Errorf("access unit %d: presentation time %d ticks from where it belongs", i, off)
		}
		want = (a.dts - sent[0].dts) * timescale / 1000
		if off := b.dts - got[0].dts - want; off > tolerance+timescale/500 || off < -tolerance-timescale/500 {
			return fmt.Errorf("access unit %d: decoding time %d ticks from where it belongs", i, off)
		}
	}
	if len(sent) != len(got) {
		return fmt.Errorf("%d access units were sent, %d came", len(sent), len(got))
	}
	return nil
}

func where(sent []accessUnit, u accessUnit, i int) string {
	for j, s := range sent {
		if bytes.Equal(s.data, u.data) {
			return fmt.Sprintf(" (those of access unit %d, in the place of %d)", j, i)
		}
	}
	return " (which were never sent)"
}
