package e2e

import (
	"bytes"
	wire "encoding/binary"
	"fmt"
	"math/bits"
	"testing"
	"time"

	"github.com/sluice-live/sluice/ingest/flv"
)

// withCaptions adds an SEI message to each frame: rolling up CEA-608 captions, a pair
// of characters in each.
func withCaptions(t testing.TB, tags []flv.Tag) (out []flv.Tag) {
	t.Helper()
	var pairs [][2]byte
	next := func() [2]byte {
		if len(pairs) == 0 {
			for _, control := range []byte{0x25, 0x2D, 0x70} { // two rows that roll up, a new line, where it begins
				pairs = append(pairs, [2]byte{0x14, control}, [2]byte{0x14, control})
			}
			for _, c := range []string{"GO", "OD", " E", "VE", "NI", "NG"} {
				pairs = append(pairs, [2]byte{c[0], c[1]})
			}
			pairs = append(pairs, make([][2]byte, 20)...)
		}
		p := pairs[0]
		pairs = pairs[1:]
		return p
	}
	odd := func(b byte) byte {
		if bits.OnesCount8(b)%2 == 0 {
			return b | 0x80
		}
		return b
	}
	for _, tag := range tags {
		if tag.Type == flv.TagVideo {
			if v := packetOf(t, tag); v.Type == flv.PacketFrame {
				p := next()
				message := append([]byte("\xB5\x00\x31GA94\x03\x41\xFF\xFC"), odd(p[0]), odd(p[1]), 0xFF)
				nal := append(append([]byte{6, 4, byte(len(message))}, message...), 0x80)
				size := be32(len(nal))
				tag.Body = append(append(append(bytes.Clone(tag.Body[:5]), size...), nal...), v.Data...)
			}
		}
		out = append(out, tag)
	}
	return out
}

func be32(n int) []byte { return wire.BigEndian.AppendUint32(nil, uint32(n)) }

// TestCaptions: captions in the picture can be turned on in hls.js and dash.js.
func TestCaptions(t *testing.T) {
	if testing.Short() {
		t.Skip("plays for half a minute")
	}
	t.Parallel()
	const stream = "live/captions"
	tags := withCaptions(t, smallClip(t, "-bf", "0"))
	s := startServer(t)
	b := browse(t)
	for _, player := range []string{"hls", "dash"} {
		p := publish(t, "rtmp://"+s.rtmp+"/"+stream, nil, tags)
		awaitPlayable(t, s, stream)
		b.open(t, "about:blank")
		b.open(t, s.url(stream+"/#"+player))
		eventually(t, 15*time.Second, player+" shows captions", func() error {
			text := eval[string](t, b, `(() => {
				const tracks = [...(window.e2e?.video?.textTracks ?? [])].filter((t) => t.kind === 'captions' || t.kind === 'subtitles');
				for (const t of tracks) t.mode = 'showing';
				return tracks.map((t) => t.label + ': ' + [...(t.cues ?? [])].map((c) => c.text ?? c.cueHTMLElement?.textContent ?? '').join(' ')).join('; ');
			})()`)
			if !bytes.Contains([]byte(text), []byte("EVENING")) {
				return fmt.Errorf("tracks: %q", text)
			}
			return nil
		})
		p.goodbye(t)
	}
}
