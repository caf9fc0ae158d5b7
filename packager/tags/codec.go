package tags

import (
	"encoding/binary"

	"github.com/sluice-live/sluice/ingest/flv"
	"github.com/sluice-live/sluice/packager"
	"github.com/sluice-live/sluice/packager/cmaf"
	"github.com/sluice-live/sluice/remux"
)

// framing is how the tags of a track begin, and the configuration that its decoder
// needs before the first frame. told is false where frames say it all: no
// configuration is sent.
func framing(h *packager.Header, number uint8) (f flv.Framing, config []byte, told bool) {
	f.TrackID = number
	switch c := h.Track.Codec.(type) {
	case *remux.H264:
		f.FourCC, config = flv.AVC1, record(h, "avcC")
	case *remux.H265:
		f.FourCC, config = flv.HVC1, record(h, "hvcC")
	case *remux.H266:
		f.FourCC, config = flv.VVC1, c.Record
	case *remux.AV1:
		f.FourCC, config = flv.AV01, record(h, "av1C")
	case *remux.VPX:
		f.FourCC = flv.VP09
		if c.Name == "vp08" {
			f.FourCC = flv.VP08
		}
		config = record(h, "vpcC") // with version and flags, as FFmpeg has it
	case *remux.AAC:
		f.FourCC, config = flv.MP4A, c.Config
	case *remux.Opus:
		f.FourCC, config = flv.Opus, opusHead(c)
	case *remux.FLAC:
		f.FourCC, config = flv.FLAC, c.StreamInfo // FFmpeg sends no more than that, so all take it
	case *remux.MP3:
		f.FourCC, f.Sound = flv.MP3, flv.SoundFlags(c.SampleRate, c.Channels)
		return f, nil, !f.Legacy() // the old header knows no configuration
	case *remux.AC3:
		f.FourCC = flv.AC3
		if c.Enhanced {
			f.FourCC = flv.EC3
		}
	}
	return f, config, true
}

// record is the body of the box that has the configuration of a picture's decoder.
func record(h *packager.Header, box string) []byte {
	b, _ := cmaf.Record(h.Bytes, box) // we have written it
	return b
}

// opusHead is an identification header (RFC 7845, section 5.1).
func opusHead(c *remux.Opus) []byte {
	le := binary.LittleEndian
	b := append([]byte("OpusHead\x01"), byte(c.Channels))
	b = le.AppendUint16(b, uint16(c.PreSkip))
	b = le.AppendUint32(b, uint32(c.SampleRate))
	b = append(le.AppendUint16(b, uint16(c.Gain)), c.Family)
	if c.Family != 0 {
		b = append(append(b, byte(c.Streams), byte(c.Coupled)), c.Mapping...)
	}
	return b
}
