package cmaf

import (
	"github.com/Eyevinn/mp4ff/mp4"

	"github.com/sluice-live/sluice/remux"
)

// audible is a sample entry for sound: the configuration box of the codec, and what is
// the same for all of them.
func audible(name string, s *remux.Sound, rate *mp4.BtrtBox, config mp4.Box) *mp4.AudioSampleEntryBox {
	sampleRate := s.SampleRate
	if sampleRate > mostSampleRate { // the configuration has the truth
		sampleRate = 0
	}
	const bitsPerSample = 16
	entry := mp4.NewAudioSampleEntryBox(name)
	entry.ChannelCount, entry.SampleSize, entry.SampleRate = uint16(s.Channels), bitsPerSample, uint16(sampleRate)
	entry.Children = []mp4.Box{config, rate} // AddChild knows some of them by their types, not by their names
	return entry
}

// mostSampleRate is what the field of a sample entry has room for.
const mostSampleRate = 0xFFFF

// mp4a is built here because mp4ff's own helper says two channels always.
func mp4a(c *remux.AAC, rate *mp4.BtrtBox) mp4.Box {
	return audible("mp4a", &c.Sound, rate, mp4.CreateEsdsBox(c.Config))
}

// mp3 has no configuration but its object type: frames say the rest.
func mp3(c *remux.MP3, rate *mp4.BtrtBox) mp4.Box {
	const mpeg1, mpeg2 = 0x6B, 0x69 // ISO/IEC 14496-1, table 5
	esds := mp4.CreateEsdsBox(nil)
	esds.DecConfigDescriptor.DecSpecificInfo = nil
	esds.DecConfigDescriptor.ObjectType = mpeg2
	if c.MPEG1 {
		esds.DecConfigDescriptor.ObjectType = mpeg1
	}
	return audible("mp4a", &c.Sound, rate, esds)
}

// opus says that the rate before encoding was that of the decoder: it means nothing to
// players, but Chromium refuses another one than the entry has.
func opus(c *remux.Opus, rate *mp4.BtrtBox) mp4.Box {
	return audible("Opus", &c.Sound, rate, &mp4.DopsBox{
		OutputChannelCount:   byte(c.Channels),
		PreSkip:              uint16(c.PreSkip),
		InputSampleRate:      uint32(c.SampleRate),
		OutputGain:           c.Gain,
		ChannelMappingFamily: c.Family,
		StreamCount:          byte(c.Streams),
		CoupledCount:         byte(c.Coupled),
		ChannelMapping:       c.Mapping,
	})
}

// flac says of a rate that the entry has no room for the greatest part of it that it
// has (FLAC in ISOBMFF, section 3.3.1).
func flac(c *remux.FLAC, rate *mp4.BtrtBox) mp4.Box {
	const lastBlock = 0x80
	box := append([]byte{0, 0, 0, 0, lastBlock, 0, 0, byte(len(c.StreamInfo))}, c.StreamInfo...)
	entry := audible("fLaC", &c.Sound, rate, body("dfLa", box))
	entry.SampleSize = uint16(c.BitsPerSample)
	for n := c.SampleRate/mostSampleRate + 1; entry.SampleRate == 0 && n < 100; n++ {
		if c.SampleRate%n == 0 {
			entry.SampleRate = uint16(c.SampleRate / n)
		}
	}
	return entry
}

func ac3(c *remux.AC3, rate *mp4.BtrtBox) mp4.Box {
	config := body("dac3", c.Config)
	if c.Enhanced {
		config = body("dec3", c.Config)
	}
	return audible(c.String(), &c.Sound, rate, config)
}

// body is a box whose body is known.
func body(name string, b []byte) mp4.Box {
	const header = 8
	return mp4.CreateUnknownBox(name, uint64(header+len(b)), b)
}
