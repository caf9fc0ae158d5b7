// Package cmaf writes what players decode: CMAF headers (init segments) and
// the boxes in front of the samples of a part (ISO/IEC 23000-19).
package cmaf

import "encoding/binary"

// Sample is what a track run box says about one access unit, in ticks of the
// track's timescale.
type Sample struct {
	Duration          uint32
	Size              uint32 // bytes
	Flags             Flags
	CompositionOffset int32
}

// Flags are the sample flags of ISO/IEC 14496-12, section 8.8.3.1.
type Flags uint32

const (
	// Sync is a sample where decoding can start: it depends on no other.
	Sync Flags = 0x02000000
	// NonSync is a sample that depends on others.
	NonSync Flags = 0x01010000
	// Leading is one that also depends on what was before the last Sync, and is shown
	// before that.
	Leading Flags = NonSync | 0x04000000
)

// Every file has one track, and it has this id.
const trackID = 1

const (
	segmentTypeSize = 24
	producerSize    = 32
	fragmentSize    = 8 + 16 + 8 + 16 + 20 + 20 + 8 // moof, mfhd, traf, tfhd, tfdt, trun, mdat
	runEntrySize    = 16
)

// Fragment is one moof and the header of its mdat.
type Fragment struct {
	Sequence       uint32 // grows from fragment to fragment of a track
	DecodeTime     int64  // of the first sample, ticks of the track's timescale since 1970
	StartsSegment  bool   // puts a segment type and a producer reference time in front
	Produced       int64  // wall clock of DecodeTime, nanoseconds since 1970
	SamplesPayload int    // Σ Size of the samples, bytes
}

// HeaderSize is the number of bytes that Append writes for n samples.
func HeaderSize(n int, startsSegment bool) int {
	size := fragmentSize + runEntrySize*n
	if startsSegment {
		size += segmentTypeSize + producerSize
	}
	return size
}

// Append appends all that comes before the samples' bytes in a part. Each run
// entry is written in full: some readers ignore the defaults of a trex box.
func (f Fragment) Append(dst []byte, samples []Sample) []byte {
	be := binary.BigEndian
	if f.StartsSegment {
		dst = be.AppendUint32(dst, segmentTypeSize)
		dst = append(dst, "stypmsdh\x00\x00\x00\x00msdhcmfs"...)
		dst = f.appendProducer(dst)
	}
	run := 20 + runEntrySize*len(samples)
	traf := 8 + 16 + 20 + run
	moof := 8 + 16 + traf

	dst = box(dst, moof, "moof")
	dst = box(dst, 16, "mfhd")
	dst = be.AppendUint32(dst, 0)
	dst = be.AppendUint32(dst, f.Sequence)

	dst = box(dst, traf, "traf")
	dst = box(dst, 16, "tfhd")
	const defaultBaseIsMoof = 0x020000
	dst = be.AppendUint32(dst, defaultBaseIsMoof)
	dst = be.AppendUint32(dst, trackID)

	dst = box(dst, 20, "tfdt")
	dst = be.AppendUint32(dst, 1<<24) // version 1: 64 bits
	dst = be.AppendUint64(dst, uint64(f.DecodeTime))

	dst = box(dst, run, "trun")
	const dataOffset, duration, size, flags, compositionOffset = 0x1, 0x100, 0x200, 0x400, 0x800
	dst = be.AppendUint32(dst, 1<<24|dataOffset|duration|size|flags|compositionOffset) // version 1: signed offsets
	dst = be.AppendUint32(dst, uint32(len(samples)))
	dst = be.AppendUint32(dst, uint32(moof+8)) // from the moof to behind the mdat header
	for _, s := range samples {
		dst = be.AppendUint32(dst, s.Duration)
		dst = be.AppendUint32(dst, s.Size)
		dst = be.AppendUint32(dst, uint32(s.Flags))
		dst = be.AppendUint32(dst, uint32(s.CompositionOffset))
	}
	return box(dst, 8+f.SamplesPayload, "mdat")
}

// appendProducer appends a producer reference time box (ISO/IEC 14496-12,
// section 8.16.5): when the encoder had the first sample.
func (f Fragment) appendProducer(dst []byte) []byte {
	const ntpEpoch = 2208988800 // seconds from 1900 to 1970
	dst = box(dst, producerSize, "prft")
	dst = binary.BigEndian.AppendUint32(dst, 1<<24) // version 1, flags 0: at the encoder's input
	dst = binary.BigEndian.AppendUint32(dst, trackID)
	dst = binary.BigEndian.AppendUint32(dst, uint32(f.Produced/1e9+ntpEpoch))
	dst = binary.BigEndian.AppendUint32(dst, uint32(f.Produced%1e9<<32/1e9))
	return binary.BigEndian.AppendUint64(dst, uint64(f.DecodeTime))
}

func box(dst []byte, size int, name string) []byte {
	dst = binary.BigEndian.AppendUint32(dst, uint32(size))
	return append(dst, name...)
}
