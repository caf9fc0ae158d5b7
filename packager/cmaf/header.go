package cmaf

import (
	"bytes"
	"fmt"

	"github.com/Eyevinn/mp4ff/avc"
	"github.com/Eyevinn/mp4ff/mp4"

	"github.com/sluice-live/sluice/remux"
)

// Header returns the CMAF header (init segment) of a track. peak and average
// are its bit rates in bit/s.
func Header(t remux.Track, peak, average int) ([]byte, error) {
	init := mp4.NewMP4Init()
	init.AddChild(mp4.NewFtyp("cmfc", 0, []string{"iso6", "cmfc", "mp41", "dash"}))
	moov := mp4.NewMoovBox()
	init.AddChild(moov)
	moov.AddChild(mp4.CreateMvhd())
	trak := mp4.CreateEmptyTrak(trackID, t.Timescale, t.Kind().String(), "und")
	moov.AddChild(trak)
	moov.AddChild(mp4.NewMvexBox())
	moov.Mvex.AddChild(mp4.CreateTrex(trackID))
	moov.Mvhd.NextTrackID = trackID + 1

	if p := t.Picture; p.Width > 0 {
		width := p.Width
		if p.SAR[0] > 0 && p.SAR[1] > 0 { // the track header has the displayed size
			width = p.Width * int(p.SAR[0]) / int(p.SAR[1])
		}
		trak.Tkhd.Width = mp4.Fixed32(uint32(width) << 16)
		trak.Tkhd.Height = mp4.Fixed32(uint32(p.Height) << 16)
	}
	rate := &mp4.BtrtBox{BufferSizeDB: uint32(peak / 8), MaxBitrate: uint32(peak), AvgBitrate: uint32(average)}
	stsd := trak.Mdia.Minf.Stbl.Stsd
	switch c := t.Codec.(type) {
	case *remux.H264:
		stsd.AddChild(avc1(c, &t.Picture, rate))
	case *remux.H265:
		stsd.AddChild(hvc1(c, &t.Picture, rate))
	case *remux.H266:
		stsd.AddChild(vvc1(c, &t.Picture, rate))
	case *remux.AV1:
		init.Ftyp.AddCompatibleBrands([]string{"av01"}) // AV1 Codec ISO Media File Format Binding, section 2.1
		stsd.AddChild(av01(c, &t.Picture, rate))
	case *remux.VPX:
		stsd.AddChild(vpx(c, &t.Picture, rate))
	case *remux.AAC:
		stsd.AddChild(mp4a(c, rate))
	case *remux.Opus:
		stsd.AddChild(opus(c, rate))
	case *remux.FLAC:
		stsd.AddChild(flac(c, rate))
	case *remux.MP3:
		stsd.AddChild(mp3(c, rate))
	case *remux.AC3:
		stsd.AddChild(ac3(c, rate))
	default:
		return nil, fmt.Errorf("no sample entry for %s", t.Codecs)
	}
	var b bytes.Buffer
	err := init.Encode(&b)
	return b.Bytes(), err
}

// avc1 fills the configuration record itself: mp4ff's own helper parses the
// SPS again, and refuses some that players accept.
func avc1(c *remux.H264, p *remux.Picture, rate *mp4.BtrtBox) mp4.Box {
	sps := c.SPS[0]
	return visual("avc1", p, rate, &mp4.AvcCBox{DecConfRec: avc.DecConfRec{
		AVCProfileIndication: sps[1],
		ProfileCompatibility: sps[2],
		AVCLevelIndication:   sps[3],
		SPSnalus:             c.SPS,
		PPSnalus:             c.PPS,
		ChromaFormat:         c.ChromaFormat,
		BitDepthLumaMinus1:   c.BitDepth[0] - 8, // the field counts from 8, whatever its name
		BitDepthChromaMinus1: c.BitDepth[1] - 8,
	}})
}
