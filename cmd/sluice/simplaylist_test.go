package main

import (
	"encoding/binary"
	"fmt"

	"github.com/Eyevinn/mp4ff/bits"
	"github.com/Eyevinn/mp4ff/mp4"
	"github.com/sluice-live/sluice/e2e/lists"
)

// parsePlaylist reads a media playlist. Nothing may be in it that a viewer of sluice
// doesn't know, or lack that he needs.
func parsePlaylist(text string) (*lists.Playlist, error) {
	p, err := lists.Parse(text)
	switch {
	case err != nil:
		return nil, err
	case len(p.Unknown) > 0:
		return nil, fmt.Errorf("unknown tags: %q", p.Unknown)
	case p.Discontinuity < 0 || p.Target <= 0:
		return nil, fmt.Errorf("no sequence numbers, or no target duration:\n%s", text)
	}
	return p, nil
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
