package remux

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"github.com/sluice-live/sluice/ingest/flv"
)

// eac3 is a syncframe of E-AC-3, without sound.
type eac3 struct {
	dependent      bool
	number, blocks int
	acmod          uint32
	lfe            bool
	chanmap        uint32 // of a dependent one; 0 where none is said
	mixing         bool   // all that may be there is there
	objects        uint32
}

func (f eac3) frame() []byte {
	const size = 64
	var w bitWriter
	w.put(0x0B77, 16)
	w.put(uint32(b2i(f.dependent)), 2)
	w.put(uint32(f.number), 3)
	w.put(size/2-1, 11)
	w.put(0, 2) // 48 kHz
	w.put(uint32(slices.Index([]int{1, 2, 3, 6}, f.blocks)), 2)
	w.put(f.acmod, 3)
	w.flag(f.lfe)
	w.put(16, 5)
	for range 1 + b2i(f.acmod == 0) {
		w.put(27, 5)
		w.put(1<<8|0xAA, 9)
	}
	if f.dependent {
		w.flag(f.chanmap > 0)
		if f.chanmap > 0 {
			w.put(f.chanmap, 16)
		}
	}
	w.flag(f.mixing)
	if f.mixing {
		f.mix(&w)
	}
	w.flag(f.mixing)
	if f.mixing { // informational metadata
		w.put(5, 3) // bsmod
		w.put(3, 2)
		if f.acmod == 2 {
			w.put(0xF, 4)
		}
		if f.acmod >= 6 {
			w.put(3, 2)
		}
		for range 1 + b2i(f.acmod == 0) {
			w.put(0x1FF, 9)
		}
		w.put(1, 1)
	}
	if !f.dependent && f.blocks < 6 {
		w.put(1, 1)
	}
	w.flag(f.objects > 0)
	if f.objects > 0 {
		w.put(1, 6)
		w.put(1, 8)
		w.put(f.objects, 8)
	}
	return append(w.b, make([]byte, size-len(w.b))...)
}

// mix writes mixing metadata in which every option is taken.
func (f eac3) mix(w *bitWriter) {
	if f.acmod > 2 {
		w.put(3, 2)
	}
	if f.acmod&1 != 0 && f.acmod > 2 {
		w.put(0x3F, 6)
	}
	if f.acmod&4 != 0 {
		w.put(0x3F, 6)
	}
	if f.lfe {
		w.put(0x3F, 6)
	}
	if f.dependent {
		return
	}
	for range 1 + b2i(f.acmod == 0) {
		w.put(0x7F, 7)
	}
	w.put(0x7F, 7)
	w.put(3, 2) // mixdef: so many bytes
	w.put(2, 5)
	w.put(0xFFFFFFFF, 32)
	if f.acmod < 2 {
		for range 1 + b2i(f.acmod == 0) {
			w.put(0x7FFF, 15)
		}
	}
	w.put(1, 1) // frmmixcfginfoe
	if f.blocks == 1 {
		w.put(0x1F, 5)
	} else {
		for range f.blocks {
			w.put(0x3F, 6)
		}
	}
}

// TestEAC3Units: the substreams of a program, and of six blocks, are one access unit,
// and its header tells of all of them.
func TestEAC3Units(t *testing.T) {
	main := eac3{blocks: 6, acmod: 7, lfe: true}
	rear := eac3{dependent: true, blocks: 6, acmod: 6, chanmap: 0x0200} // Lrs, Rrs
	for name, c := range map[string]struct {
		frames []eac3
		units  []int // frames of each
		want   string
		dec3   string
	}{
		"5.1":               {[]eac3{main, main}, []int{1, 1}, "ec-3 48000 Hz 6 channels Dolby F801, units of 1536", "0080200f00"},
		"7.1":               {[]eac3{main, rear, main, rear}, []int{2, 2}, "ec-3 48000 Hz 8 channels Dolby FA01, units of 1536", "0100200f0202"},
		"objects":           {[]eac3{{blocks: 6, acmod: 7, lfe: true, mixing: true, objects: 16}}, []int{1}, "ec-3 48000 Hz 6 channels Dolby F801 objects 16, units of 1536", "0080205f000110"},
		"objects of two":    {[]eac3{{blocks: 6, mixing: true, objects: 9}}, []int{1}, "ec-3 48000 Hz 2 channels Dolby A000 objects 9, units of 1536", "00802050000109"},
		"blocks by threes":  {[]eac3{{blocks: 3, acmod: 2}, {blocks: 3, acmod: 2}, {blocks: 3, acmod: 2}}, []int{2, 1}, "ec-3 48000 Hz 2 channels Dolby A000, units of 1536", "0100200400"},
		"single blocks":     {slices.Repeat([]eac3{{blocks: 1, acmod: 1, mixing: true}}, 12), []int{6, 6}, "ec-3 48000 Hz 1 channels Dolby 4000, units of 1536", "0300205200"},
		"two programs":      {[]eac3{main, {number: 1, blocks: 6, acmod: 2}, main, {number: 1, blocks: 6, acmod: 2}}, []int{2, 2}, "ec-3 48000 Hz 6 channels Dolby F801, units of 1536", "0101200f00200400"},
		"7.1 of two blocks": {slices.Repeat([]eac3{{blocks: 2, acmod: 7, lfe: true}, {dependent: true, blocks: 2, acmod: 6, chanmap: 0x0200}}, 3), []int{6}, "ec-3 48000 Hz 8 channels Dolby FA01, units of 1536", "0300200f0202"},
	} {
		t.Run(name, func(t *testing.T) {
			var data []byte
			for _, f := range c.frames {
				data = append(data, f.frame()...)
			}
			bits := newAC3Frames()
			var units []int
			for len(data) > 0 {
				u, rest, err := bits.next(data, false)
				if err != nil {
					t.Fatal(err)
				}
				units, data = append(units, len(u.data)/64), rest
			}
			track := TrackOf(bits.codec())
			if got := soundOf(track); got != c.want || !slices.Equal(units, c.units) {
				t.Errorf("%s, in units of %v frames", got, units)
			}
			if got := fmt.Sprintf("%x", track.Codec.(*AC3).Config); got != c.dec3 {
				t.Errorf("dec3 is %s", got)
			}
		})
	}
	for name, data := range map[string][]byte{
		"a dependent one alone": rear.frame(),
		"the second program":    eac3{number: 1, blocks: 6}.frame(),
		"half a frame":          main.frame()[:32],
		"no frame":              []byte("\x0b\x78 this is none"),
	} {
		if u, rest, err := newAC3Frames().next(data, false); u != nil || len(rest) > 0 || err == nil {
			t.Errorf("%s: %v, %d bytes left, %v", name, u, len(rest), err)
		}
	}
}

// TestHeadersCutShort: what ends too early is no configuration, and no frame.
func TestHeadersCutShort(t *testing.T) {
	opus := []byte("OpusHead\x01\x06\x38\x01\x80\xbb\x00\x00\x00\x00\x01\x04\x02\x00\x04\x01\x02\x03\x05")
	for n := range len(opus) {
		if c, err := newOpus(opus[:n]); err == nil {
			t.Errorf("%d bytes are %+v", n, c)
		}
	}
	if c, err := newOpus(opus); err != nil || c.PreSkip != 312 || c.Streams != 4 || c.Coupled != 2 || c.Layout != 6 {
		t.Errorf("%+v, %v", c, err)
	}
	for _, wrong := range []struct {
		at   int
		with byte
	}{{8, 0x10}, {9, 0}, {9, 9}, {18, 2}, {19, 0}, {20, 5}, {21, 6}} {
		b := bytes.Clone(opus)
		b[wrong.at] = wrong.with
		if c, err := newOpus(b); err == nil {
			t.Errorf("%d at %d is %+v", wrong.with, wrong.at, c)
		}
	}
	info := unhex("1000 1000 000000 000000 0bb802f000000000 00000000000000000000000000000000")
	for n := range len(info) {
		if c, err := newFLAC(info[:n]); err == nil {
			t.Errorf("%d bytes are %+v", n, c)
		}
	}
}

// TestFLACChanges: two frames in a row that are of another format than the configuration said
// are believed; one alone is not.
func TestFLACChanges(t *testing.T) {
	frame := func(channels byte) []byte {
		b := []byte{0xFF, 0xF8, 7<<4 | 10, (channels-1)<<4 | 4<<1, 0, 0x03, 0xFF} // 1024 samples, 48 kHz, 16 bits
		return append(append(b, flacCRC8(b)), 0, 0, 0, 0)
	}
	config := &FLAC{Sound: Sound{SampleRate: 48000, Channels: 2}, BitsPerSample: 16, least: 1024, most: 1024}
	f := newFeed(t)
	f.tag(flv.TagAudio, 0, []byte("\x90fLaC"), config.complete().StreamInfo)
	at := uint32(0)
	for _, channels := range []byte{2, 2, 1, 2, 1, 1, 1, 1} {
		f.tag(flv.TagAudio, at, []byte("\x91fLaC"), frame(channels))
		at += 21
	}
	f.r.Close(nil)
	f.expect("tracks fLaC, audio 0, audio 21, audio 64, tracks fLaC, audio 107, audio 128, audio 149")
	if n := f.out.periods[1][0].Sound.Channels; n != 1 {
		t.Errorf("%d channels", n)
	}
}

// TestFLACFormats: rates, sizes and channels are where RFC 9639 has them, in the block
// and in the frames.
func TestFLACFormats(t *testing.T) {
	for name, c := range map[string]struct {
		config *FLAC
		want   string
	}{
		"24 bits, 96 kHz": {&FLAC{Sound: Sound{SampleRate: 96000, Channels: 2}, BitsPerSample: 24, least: 4096, most: 4096}, "fLaC 96000 Hz 2 channels layout 2, units of 4096"},
		"5.1":             {&FLAC{Sound: Sound{SampleRate: 44100, Channels: 6}, BitsPerSample: 16, least: 1152, most: 1152}, "fLaC 44100 Hz 6 channels layout 6, units of 1152"},
		"7.1, 192 kHz":    {&FLAC{Sound: Sound{SampleRate: 192000, Channels: 8}, BitsPerSample: 20, least: 16384, most: 16384}, "fLaC 192000 Hz 8 channels layout 12, units of 16384"},
		"variable blocks": {&FLAC{Sound: Sound{SampleRate: 48000, Channels: 1}, BitsPerSample: 16, least: 16, most: 8192}, "fLaC 48000 Hz 1 channels layout 1, units of 0"},
	} {
		bits, err := newFLACFrames().configure(c.config.complete().StreamInfo)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		track := TrackOf(bits.codec())
		if got := soundOf(track); got != c.want {
			t.Errorf("%s: %s", name, got)
		}
		if u, _, err := bits.next(track.Silence, false); err != nil || u.samples != int(track.SilenceDuration) {
			t.Errorf("%s: its silence is %v, %v", name, u, err)
		}
		other := bytes.Clone(track.Silence)
		other[3] ^= 1 << 4 // another number of channels
		other[7] = flacCRC8(other[:7])
		if _, _, err := bits.next(other, false); err != errFLACFormat {
			t.Errorf("%s: a frame of another format: %v", name, err)
		}
	}
}
