package remux

import "errors"

var (
	errVP9Marker = errors.New("VP9 frame: no frame marker at its beginning")
	errVP9Sync   = errors.New("VP9 key frame: no sync code")
	errVP9Short  = errors.New("VP9 key frame: cut short")
	errVP9Size   = errors.New("VP9 key frame: a picture that is too large")
	errVP9Chroma = picture("the picture is left out: VP9 with 4:4:0 chroma is not played by browsers: set the encoder's pixel format to 4:2:0")
)

// vp9SRGB is the color_space of red, green and blue.
const vp9SRGB = 7

// parseVP9Header reads the uncompressed header (VP9, section 6.2) of the first frame of what may be a superframe: hidden frames come
// in front of the one that is shown.
func parseVP9Header(b []byte) (h vpxHeader, err error) {
	const marker = 2
	r := bitReader{b: b}
	if r.take(2) != marker {
		return h, errVP9Marker
	}
	h.profile = uint8(r.take(1) | r.take(1)<<1)
	if h.profile == 3 {
		r.flag()
	}
	if r.flag() { // show_existing_frame
		return h, nil
	}
	if h.key = !r.flag(); !h.key {
		return h, nil
	}
	r.take(2) // show_frame, error_resilient_mode
	if r.take(24) != 0x498342 {
		return h, errVP9Sync
	}
	h.colour(&r)
	h.width, h.height = int(r.take(16))+1, int(r.take(16))+1
	h.render = [2]int{h.width, h.height}
	if r.flag() {
		h.render = [2]int{int(r.take(16)) + 1, int(r.take(16)) + 1}
	}
	switch {
	case r.past():
		return h, errVP9Short
	case h.width > maxDimension || h.height > maxDimension:
		return h, errVP9Size
	case h.subX == 0 && h.subY == 1:
		return h, errVP9Chroma
	}
	return h, nil
}

// vp9Matrix are the code points that color_space stands for. It says no more than that.
var vp9Matrix = [8]uint8{2, 5, 1, 6, 7, 9, 2, 0}

// colour reads color_config (VP9, section 6.2.2).
func (h *vpxHeader) colour(r *bitReader) {
	h.depth = 8
	if h.profile >= 2 {
		h.depth = 10 + 2*uint8(r.take(1))
	}
	odd := h.profile&1 == 1 // profiles for other than 4:2:0
	space := r.take(3)
	if h.matrix = vp9Matrix[space]; space == vp9SRGB {
		h.fullRange = true
		if odd {
			r.flag()
		}
		return
	}
	h.fullRange = r.flag()
	h.subX, h.subY = 1, 1
	if odd {
		h.subX, h.subY = uint8(r.take(1)), uint8(r.take(1))
		r.flag()
	}
}
