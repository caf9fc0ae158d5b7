package remux

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
)

// Bounds of what a set may say (H.265, section 7.4.3.2.1 and annex A).
const (
	maxSubLayers  = 7
	maxRefPicSets = 64
	maxLongTerm   = 32
	maxHEVCDepth  = 16
	maxPOCBits    = 16
	maxLayerSets  = 1024
	maxBuffers    = 32 // of a hypothetical decoder
)

// h265SPS is what a sequence parameter set of HEVC says (H.265, section 7.3.2.2).
type h265SPS struct {
	id            uint32
	subLayers     int // temporal ones
	nested        bool
	general       [12]byte // see H265.General
	chroma        uint32
	width, height uint32
	crop          [4]uint32 // left, right, top, bottom
	depth         [2]uint32 // bits of luma and chroma, less 8

	vui          vui
	segmentation uint32
	vuiAt        int  // bit of the flag that tells of VUI, in the unescaped set
	cut          bool // the set ends inside its VUI
}

// parseHEVCSPS reads a set without its emulation prevention bytes.
func parseHEVCSPS(b []byte) (*h265SPS, error) {
	s := new(h265SPS)
	r := bitReader{b: b}
	if !s.begin(&r) {
		return nil, errors.New("cut short")
	}
	if s.chroma = r.ue(); s.chroma == 3 {
		r.flag() // separate colour planes
	}
	s.width, s.height = r.ue(), r.ue()
	if r.flag() {
		s.crop = [4]uint32{r.ue(), r.ue(), r.ue(), r.ue()}
	}
	s.depth = [2]uint32{r.ue(), r.ue()}
	pocBits := r.ue() + 4
	if r.past() {
		return nil, errors.New("cut short")
	}
	if err := s.check(pocBits); err != nil {
		return nil, err
	}
	skipSubLayers(&r, s.subLayers)
	for range 6 { // sizes of blocks, depths of trees
		r.ue()
	}
	if scaled := r.flag(); scaled && r.flag() {
		skipHEVCScaling(&r)
	}
	r.take(2)     // asymmetric partitions, sample adaptive offset
	if r.flag() { // PCM
		r.take(4 + 4)
		r.ue()
		r.ue()
		r.flag()
	}
	if err := skipRefPicSets(&r); err != nil {
		return nil, err
	}
	if r.flag() { // long-term reference pictures
		n := r.ue()
		if n > maxLongTerm {
			return nil, fmt.Errorf("%d long-term reference pictures", n)
		}
		r.pos += int(n) * int(pocBits+1)
	}
	r.take(2) // temporal motion vectors, strong intra smoothing
	s.vuiAt = r.pos
	present := r.flag()
	if r.past() {
		return nil, errors.New("cut short")
	}
	if present {
		s.readVUI(r)
	}
	return s, nil
}

// begin reads what is before the picture: whose set it is. It tells whether that is all
// there.
func (s *h265SPS) begin(r *bitReader) bool {
	r.take(16 + 4) // NAL unit header, id of the VPS
	s.subLayers = int(r.take(3)) + 1
	s.nested = r.flag()
	for i := range s.general {
		s.general[i] = byte(r.take(8))
	}
	skipSubLayerProfiles(r, s.subLayers)
	s.id = r.ue()
	return !r.past()
}

// check looks at the numbers as they were sent: see sps.check.
func (s *h265SPS) check(pocBits uint32) error {
	switch {
	case s.subLayers > maxSubLayers:
		return fmt.Errorf("%d temporal layers", s.subLayers)
	case s.chroma > maxChromaFormat:
		return fmt.Errorf("chroma format %d", s.chroma)
	case s.width > maxDimension || s.height > maxDimension:
		return fmt.Errorf("a picture of %d × %d", s.width, s.height)
	case max(s.crop[0], s.crop[1], s.crop[2], s.crop[3]) > maxDimension:
		return errors.New("cropping of more than the picture")
	case max(s.depth[0], s.depth[1]) > maxHEVCDepth-8:
		return fmt.Errorf("bit depths of %d and %d more than 8", s.depth[0], s.depth[1])
	case pocBits > maxPOCBits:
		return fmt.Errorf("picture order counts of %d bits", pocBits)
	}
	return nil
}

// size is what is shown, in pixels.
func (s *h265SPS) size() (width, height int) {
	x, y := cropStep(s.chroma)
	return int(s.width) - x*int(s.crop[0]+s.crop[1]), int(s.height) - y*int(s.crop[2]+s.crop[3])
}

// skipSubLayerProfiles passes over what is behind the general part of
// profile_tier_level (H.265, section 7.3.3).
func skipSubLayerProfiles(r *bitReader, subLayers int) {
	if subLayers == 1 {
		return
	}
	flags := r.take(2 * 8) // 8 pairs: profile, level
	for i := range subLayers - 1 {
		if flags>>(15-2*i)&1 == 1 {
			r.pos += 88
		}
		if flags>>(14-2*i)&1 == 1 {
			r.pos += 8
		}
	}
}

// skipSubLayers passes over how many pictures are kept and reordered.
func skipSubLayers(r *bitReader, subLayers int) {
	if !r.flag() { // the same for all of them
		subLayers = 1
	}
	for range 3 * subLayers {
		r.ue()
	}
}

// skipHEVCScaling passes over scaling lists (H.265, section 7.3.4).
func skipHEVCScaling(r *bitReader) {
	for size := range 4 {
		lists := 6
		if size == 3 {
			lists = 2
		}
		for range lists {
			if !r.flag() {
				r.ue() // as another one
				continue
			}
			if size > 1 {
				r.se()
			}
			for range min(64, 16<<(2*size)) {
				r.se()
			}
		}
	}
}

// skipRefPicSets passes over short-term reference picture sets (H.265, section 7.3.7).
// How long one is depends on the pictures of the one before.
func skipRefPicSets(r *bitReader) error {
	sets := r.ue()
	if sets > maxRefPicSets {
		return fmt.Errorf("%d reference picture sets", sets)
	}
	var pictures []int64 // of the newest set: how far they are from the current one, those before it first
	for i := range sets {
		var err error
		if i > 0 && r.flag() {
			pictures, err = predictedRefPics(r, pictures)
		} else {
			pictures, err = refPics(r)
		}
		if err != nil {
			return err
		}
		if len(pictures) > maxRefFrames {
			return fmt.Errorf("%d reference pictures", len(pictures))
		}
		if r.past() {
			break
		}
	}
	return nil
}

// mostPictures is how far reference pictures may be apart.
const mostPictures = 1 << 15

func refPics(r *bitReader) (pictures []int64, err error) {
	before, behind := r.ue(), r.ue()
	if before > maxRefFrames || behind > maxRefFrames {
		return nil, fmt.Errorf("%d and %d reference pictures", before, behind)
	}
	for _, side := range []struct {
		n    uint32
		sign int64
	}{{before, -1}, {behind, 1}} {
		at := int64(0)
		for range side.n {
			step := int64(r.ue()) + 1
			if step > mostPictures {
				return nil, fmt.Errorf("a reference picture %d pictures away", step)
			}
			at += side.sign * step
			pictures = append(pictures, at)
			r.flag() // used by the current picture
		}
	}
	return pictures, nil
}

// predictedRefPics are those of the set before, and the picture that it was for, as they
// lie a distance away (section 7.4.8).
func predictedRefPics(r *bitReader, before []int64) (pictures []int64, err error) {
	back, distance := r.flag(), int64(r.ue())+1
	if distance > mostPictures {
		return nil, fmt.Errorf("reference pictures %d pictures away", distance)
	}
	if back {
		distance = -distance
	}
	for _, at := range append(slices.Clip(before), 0) {
		// Used by the current picture, or by those behind it.
		if used := r.flag(); (used || r.flag()) && at+distance != 0 {
			pictures = append(pictures, at+distance)
		}
	}
	slices.SortFunc(pictures, func(a, b int64) int {
		return cmp.Or(cmp.Compare(min(max(a, -1), 1), min(max(b, -1), 1)), cmp.Compare(max(a, -a), max(b, -b)))
	})
	return pictures, nil
}

// readVUI reads video usability information (H.265, section E.2.1), which is optional.
func (s *h265SPS) readVUI(r bitReader) {
	var v vui
	v.begin(&r)
	r.take(3)     // chroma is neutral, fields, and what SEI messages say of them
	if r.flag() { // a window of what is to be shown
		for range 4 {
			r.ue()
		}
	}
	if r.flag() {
		v.tick, v.timescale = r.take(32), r.take(32)
		if r.flag() {
			r.ue()
		}
		if r.flag() {
			skipHRD(&r, s.subLayers)
		}
	}
	segmentation := uint32(0)
	if r.flag() { // what the bitstream doesn't do
		r.take(3)
		segmentation = r.ue()
		for range 4 {
			r.ue()
		}
	}
	if s.cut = r.pos >= 8*len(r.b) || r.pos >= stopBit(r.b); s.cut { // a flag of extensions is behind it
		return
	}
	s.vui = v
	if segmentation < 1<<12 {
		s.segmentation = segmentation
	}
}

// skipHRD passes over the parameters of a hypothetical decoder (H.265, section E.2.2).
func skipHRD(r *bitReader, subLayers int) {
	kinds, parts := 0, false
	for range 2 { // of NAL units, of VCL units
		if r.flag() {
			kinds++
		}
	}
	if kinds > 0 {
		if parts = r.flag(); parts {
			r.take(8 + 5 + 1 + 5)
		}
		r.take(4 + 4)
		if parts {
			r.take(4)
		}
		r.take(5 + 5 + 5)
	}
	for range subLayers {
		fixed, lowDelay := r.flag(), false
		if !fixed {
			fixed = r.flag() // within a sequence
		}
		if fixed {
			r.ue()
		} else {
			lowDelay = r.flag()
		}
		buffers := uint32(1)
		if !lowDelay {
			buffers = r.ue() + 1
		}
		if r.past() || buffers > maxBuffers {
			r.pos = 8*len(r.b) + 1
			return
		}
		for range kinds * int(buffers) {
			r.ue()
			r.ue()
			if parts {
				r.ue()
				r.ue()
			}
			r.flag()
		}
	}
}

// vpsFrameRate is what a video parameter set says of it (H.265, section 7.3.2.1), zero
// where it doesn't. b is unescaped.
func vpsFrameRate(b []byte) Rational {
	r := bitReader{b: b}
	r.take(16 + 4 + 2 + 6) // NAL unit header, id, base layer, layers
	subLayers := int(r.take(3)) + 1
	r.take(1 + 16)
	r.pos += 96 // general profile
	if subLayers > maxSubLayers {
		return Rational{}
	}
	skipSubLayerProfiles(&r, subLayers)
	skipSubLayers(&r, subLayers)
	layers := r.take(6) + 1
	sets := r.ue()
	if sets >= maxLayerSets {
		return Rational{}
	}
	r.pos += int(sets * layers)
	if !r.flag() {
		return Rational{}
	}
	v := vui{tick: r.take(32), timescale: r.take(32)}
	if r.past() {
		return Rational{}
	}
	return v.frameRate(1)
}

// mendHEVCSPS is mendSPS for HEVC.
func mendHEVCSPS(nal []byte) (_ []byte, mended bool) {
	if len(nal) > maxParameterSetSize {
		return nal, false
	}
	plain := unescape(nal)
	if s, err := parseHEVCSPS(plain); err == nil && s.cut {
		return withoutVUI(plain, s.vuiAt, 1), true
	}
	return nal, false
}
