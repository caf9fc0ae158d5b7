package remux

import (
	"encoding/binary"
	"errors"
	"fmt"
)

var errVP8Sync = errors.New("VP8 key frame: no start code")

// parseVP8Header reads a frame tag, and behind that of a key frame the size (RFC 6386,
// section 9.1).
func parseVP8Header(b []byte) (h vpxHeader, err error) {
	const inter = 1
	h.profile = b[0] >> 1 & 7
	switch {
	case h.profile > 3:
		return h, fmt.Errorf("VP8 frame: version %d", h.profile)
	case b[0]&inter != 0:
		return h, nil
	case len(b) < 10 || b[3] != 0x9D || b[4] != 0x01 || b[5] != 0x2A:
		return h, errVP8Sync
	}
	h.key, h.depth, h.subX, h.subY, h.matrix = true, 8, 1, 1, unspecified.Matrix
	const pixels = 1<<14 - 1 // above are hints how to scale, which nobody follows
	h.width = int(binary.LittleEndian.Uint16(b[6:]) & pixels)
	h.height = int(binary.LittleEndian.Uint16(b[8:]) & pixels)
	if h.width == 0 || h.height == 0 {
		return h, fmt.Errorf("VP8 key frame: a picture of %d × %d", h.width, h.height)
	}
	h.render = [2]int{h.width, h.height}
	return h, nil
}
