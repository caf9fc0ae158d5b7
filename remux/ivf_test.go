package remux

import (
	"encoding/binary"
	"os"
	"testing"

	"github.com/sluice-live/sluice/ingest/flv"
)

// The files *.ivf are by libsvtav1, libaom and libvpx, through ffmpeg 5.1.

// ivfFrames are the frames of a file.
func ivfFrames(t testing.TB, name string) (frames [][]byte) {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	const header, frameHeader = 32, 12
	for b = b[header:]; len(b) > 0; {
		end := frameHeader + int(binary.LittleEndian.Uint32(b))
		frames = append(frames, b[frameHeader:end:end])
		b = b[end:]
	}
	return frames
}

// enhanced is a tag of Enhanced RTMP.
func (f *feed) enhanced(codec flv.FourCC, typ flv.PacketType, keyframe bool, timestamp uint32, data []byte) {
	head := byte(0xA0)
	if keyframe {
		head = 0x90
	}
	if typ == flv.PacketFrame {
		head |= 1
	}
	f.tag(flv.TagVideo, timestamp, binary.BigEndian.AppendUint32([]byte{head}, uint32(codec)), data)
}

// film sends frames, 40 ms apart, and sound beside them, and ends. The first frame alone
// is called a keyframe: what the others are is in them.
func (f *feed) film(codec flv.FourCC, record []byte, frames [][]byte) {
	f.audioConfig(stereo48)
	if record != nil {
		f.enhanced(codec, flv.PacketConfig, true, 0, record)
	}
	for i, frame := range frames {
		f.now = f.now.Add(40e6)
		f.sound(uint32(40 * i))
		f.enhanced(codec, flv.PacketFrame, i == 0, uint32(40*i), frame)
		f.sound(uint32(40*i + 20))
	}
	f.r.Close(nil)
}

// pictures are the video samples, and keys those where decoding can start, by number.
func (o *recorder) pictures() (keys []int) {
	n := 0
	for _, s := range o.samples {
		if o.periods[len(o.periods)-1][s.Track].Kind() == Video {
			if s.Sync {
				keys = append(keys, n)
			}
			n++
		}
	}
	return keys
}
