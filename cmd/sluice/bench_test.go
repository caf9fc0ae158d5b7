package main

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/bluenviron/gohlslib/v2"
	"github.com/bluenviron/gohlslib/v2/pkg/codecs"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/h264"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/mpeg4audio"

	"github.com/sluice-live/sluice/ingest/chunk"
	"github.com/sluice-live/sluice/ingest/flv"
	"github.com/sluice-live/sluice/packager"
	"github.com/sluice-live/sluice/remux"
)

// benchSeconds is the length of the stream that each iteration works through.
const benchSeconds = 64

// benchStream is the bytes that an encoder of 6 Mbit/s at 30 fps sends: the
// demo clip, its frames filled up to that rate by filler NAL units. Real
// frames, because gohlslib reads their slice headers. dialect rewrites the bodies
// of video tags.
func benchStream(tb testing.TB, chunkSize uint32, dialect func(flv.Packet) []byte) []byte {
	var out bytes.Buffer
	w := chunk.NewWriter(&out)
	w.SetChunkSize(chunkSize)
	const loop, inter, key = uint32(clipLength / time.Millisecond), 22_500, 130_000
	for n := range benchSeconds * 1000 / loop {
		r, err := flv.NewReader(bytes.NewReader(clip))
		for err == nil {
			var tag flv.Tag
			if tag, err = r.ReadTag(); err != nil {
				break
			}
			if n > 0 && tag.Timestamp == 0 && tag.Type == flv.TagScript {
				continue // an encoder sends it once
			}
			body := bytes.Clone(tag.Body)
			for p, err := range flv.Packets(tag) {
				if err != nil || tag.Type != flv.TagVideo {
					continue
				}
				if p.Type == flv.PacketFrame {
					size := inter
					if p.Keyframe {
						size = key
					}
					p.Data = fill(bytes.Clone(p.Data), size-5)
				}
				body = dialect(p)
			}
			w.WriteMessage(chunk.Message{
				ChunkStreamID: 4, StreamID: 1, Timestamp: tag.Timestamp + n*loop, Type: chunk.Type(tag.Type), Body: body,
			})
			w.Flush()
		}
		if !errors.Is(err, io.EOF) {
			tb.Fatal(err)
		}
	}
	return out.Bytes()
}

// byAVC is the body of an old tag.
func byAVC(p flv.Packet) []byte {
	first := byte(0x27)
	if p.Keyframe {
		first = 0x17
	}
	body := binary.BigEndian.AppendUint32([]byte{first}, uint32(p.Type)<<24|uint32(p.Composition)&0xFFFFFF)
	return append(body, p.Data...)
}

// byHEVC is the body of a tag of Enhanced RTMP: H.264's NAL units with the headers of
// HEVC's, and parameter sets by x265 of 320 × 180 pixels. So both streams have the same
// pictures, in as many bytes.
func byHEVC(p flv.Packet) []byte {
	if p.Type == flv.PacketConfig {
		return append([]byte("\x90hvc1"), hevcRecord...)
	}
	headers := map[byte]uint16{1: 0x0201, 5: 0x2601, 6: 0x4E01, 12: 0x4C01} // slice, IDR, SEI, filler
	first := byte(0xA1)
	if p.Keyframe {
		first = 0x91
	}
	body := binary.BigEndian.AppendUint32([]byte{first, 'h', 'v', 'c'}, '1'<<24|uint32(p.Composition)&0xFFFFFF)
	for b := p.Data; len(b) > 0; {
		size := binary.BigEndian.Uint32(b)
		body = binary.BigEndian.AppendUint32(body, size+1)
		body = binary.BigEndian.AppendUint16(body, headers[b[4]&0x1F])
		body = append(body, b[5:4+size]...)
		b = b[4+size:]
	}
	return body
}

// hevcRecord is by x265, without its SEI messages.
var hevcRecord, _ = hex.DecodeString("0101600000009000000000003cf000fcfdf8f800000f03" +
	"a00001001840010c01ffff01600000030090000003000003003c959009" +
	"a10001002b42010101600000030090000003000003003ca00a080c1f3e595912930bc05a020000030002000003003c10" +
	"a2000100064401c073c189")

// fill adds a filler NAL unit (H.264, section 7.3.2.7) that makes b size long.
func fill(b []byte, size int) []byte {
	n := size - len(b) - 4
	if n < 2 {
		return b
	}
	b = binary.BigEndian.AppendUint32(b, uint32(n))
	b = append(b, 12)
	b = append(b, bytes.Repeat([]byte{0xFF}, n-2)...)
	return append(b, 0x80)
}

// remuxer returns one that writes to out.
func remuxer(out remux.Output) *remux.Remuxer {
	return remux.New(out, time.Now, remux.Hooks{})
}

// publication returns one with the default window.
func publication(tb testing.TB) *packager.Contribution {
	name, err := packager.ParseStreamName("live", "bench")
	if err != nil {
		tb.Fatal(err)
	}
	p, err := packager.NewCatalog(packager.Settings{
		Segments: 8, SegmentMinDuration: 2 * time.Second, SegmentMaxDuration: 10 * time.Second, PartDuration: 500 * time.Millisecond,
	}, time.Now).Publish(name)
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

// pour carries a connection's bytes into a remuxer, as ingest does. Poured
// again, a round later, the stream goes on where it was.
func pour(tb testing.TB, stream []byte, m *remux.Remuxer, round uint32) {
	r := chunk.NewReader(bytes.NewReader(stream), chunk.DefaultLimits())
	for {
		msg, err := r.ReadMessage()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			tb.Fatal(err)
		}
		if err := m.WriteTag(flv.Tag{Type: flv.TagType(msg.Type), Timestamp: msg.Timestamp + round*benchSeconds*1000, Body: msg.Body}); err != nil {
			tb.Fatal(err)
		}
	}
}

// BenchmarkStreamSecond is what one second of a stream costs from message
// bytes to closed parts: in our packager, as H.264 and as HEVC, and in gohlslib's
// Muxer behind the same reader and remuxer.
func BenchmarkStreamSecond(b *testing.B) {
	log.SetOutput(io.Discard) // the Muxer complains of its own part durations
	defer log.SetOutput(os.Stderr)
	for _, size := range []uint32{4096, 65536} { // OBS; ffmpeg, which adopts ours
		stream := benchStream(b, size, byAVC)
		b.Run(fmt.Sprintf("sluice/chunks=%d", size), func(b *testing.B) { perSecond(b, stream, publication(b)) })
		b.Run(fmt.Sprintf("sluice-hevc/chunks=%d", size), func(b *testing.B) {
			perSecond(b, benchStream(b, size, byHEVC), publication(b)) // made here: it would be garbage beside the others
		})
		b.Run(fmt.Sprintf("gohlslib/chunks=%d", size), func(b *testing.B) { perSecond(b, stream, &muxer{}) })
	}
}

// perSecond reports the cost of a second of the stream.
func perSecond(b *testing.B, stream []byte, out remux.Output) {
	m := remuxer(out)
	pour(b, stream, m, 0) // the beginning is not what a stream costs
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for round := uint32(1); b.Loop(); round++ {
		pour(b, stream, m, round)
	}
	runtime.ReadMemStats(&after)
	m.Close(nil)
	seconds := float64(b.N * benchSeconds)
	b.ReportMetric(float64(b.Elapsed().Microseconds())/seconds, "µs/stream-second")
	b.ReportMetric(float64(after.Mallocs-before.Mallocs)/seconds, "allocs/stream-second")
	b.ReportMetric(float64(after.TotalAlloc-before.TotalAlloc)/seconds, "B/stream-second")
	b.ReportMetric(0, "ns/op")
}

// muxer is gohlslib's Muxer as a remux.Output.
type muxer struct {
	m            *gohlslib.Muxer
	start        int64 // seconds: its timestamps begin at zero
	tracks       []remux.Track
	video, audio *gohlslib.Track
}

func (m *muxer) Begin(now time.Time) time.Time { return now }

func (m *muxer) SetTracks(tracks []remux.Track) error {
	m.tracks = tracks
	h := tracks[0].Codec.(*remux.H264)
	a := tracks[1].Codec.(*remux.AAC)
	m.video = &gohlslib.Track{Codec: &codecs.H264{SPS: h.SPS[0], PPS: h.PPS[0]}, ClockRate: 90000}
	m.audio = &gohlslib.Track{Codec: &codecs.MPEG4Audio{Config: mpeg4audio.AudioSpecificConfig{
		Type: mpeg4audio.ObjectTypeAACLC, SampleRate: a.SampleRate, ChannelConfig: uint8(a.Channels),
	}}, ClockRate: a.SampleRate}
	m.m = &gohlslib.Muxer{
		Tracks: []*gohlslib.Track{m.video, m.audio}, Variant: gohlslib.MuxerVariantLowLatency,
		SegmentCount: 8, SegmentMinDuration: 2 * time.Second, PartMinDuration: 500 * time.Millisecond,
	}
	return m.m.Start()
}

func (m *muxer) WriteSample(s *remux.Sample) error {
	timescale := int64(m.tracks[s.Track].Timescale)
	at := time.Unix(s.DTS/timescale, s.DTS%timescale*1e9/timescale)
	if m.start == 0 {
		m.start = s.DTS/timescale - 1
	}
	pts := s.DTS - m.start*timescale + int64(s.CompositionOffset)
	data := bytes.Clone(s.Data) // a Muxer keeps what it gets
	if s.Track == 1 {
		return m.m.WriteMPEG4Audio(m.audio, at, pts, [][]byte{data})
	}
	var au h264.AVCC
	if err := au.Unmarshal(data); err != nil {
		return err
	}
	if s.Sync { // a Muxer wants the parameter sets in band
		h := m.tracks[0].Codec.(*remux.H264)
		au = append([][]byte{h.SPS[0], h.PPS[0]}, au...)
	}
	return m.m.WriteH264(m.video, at, pts, au)
}

func (m *muxer) Close(error) { m.m.Close() }

// TestPathAllocations holds the path to what it is built for: in each second
// memory for four parts, of exactly their size, five Windows, and segments every
// other second. A garbage collector that runs often costs more than the path.
func TestPathAllocations(t *testing.T) {
	m := remuxer(publication(t))
	stream := benchStream(t, 4096, byAVC)
	round := uint32(0)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	got := testing.AllocsPerRun(3, func() { pour(t, stream, m, round); round++ }) / benchSeconds
	runtime.ReadMemStats(&after)
	if got > 13 {
		t.Errorf("%.1f allocations per second of a stream, 13 are enough", got)
	}
	perByte := float64(after.TotalAlloc-before.TotalAlloc) / float64(int(round)*len(stream))
	if perByte > 1.1 {
		t.Errorf("%.3f bytes for each that came, 1.1 are enough", perByte)
	}
	t.Logf("%.1f allocations per second of a stream, %.3f bytes for each that came", got, perByte)
}
