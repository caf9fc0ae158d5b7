package remux

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/sluice-live/sluice/ingest/flv"
)

// adts puts a header in front of an access unit, with a checksum if there is room
// for one.
func adts(object, rate, channels, headerSize int, unit []byte) []byte {
	var w bitWriter
	w.put(0xFFF, 12)
	w.put(0, 3)
	w.flag(headerSize == 7)
	w.put(uint32(object-1), 2)
	putRate(&w, rate)
	w.put(0, 1)
	w.put(uint32(channels), 3)
	w.put(0, 4)
	w.put(uint32(headerSize+len(unit)), 13)
	w.put(0x7FF, 11)
	w.put(0, 2)
	return append(append(w.b, make([]byte, headerSize-7)...), unit...)
}

func (f *feed) audio(timestamp uint32, data ...[]byte) {
	f.tag(flv.TagAudio, timestamp, append([][]byte{{0xAF, 1}}, data...)...)
}

var (
	unitA = unhex("2110 0460 8c")
	unitB = unhex("2111 0550 9d 22")
)

// TestADTS: what comes out is bare, whatever an encoder puts around it.
func TestADTS(t *testing.T) {
	pce := unhex("a09900a000211000") // 5.1 in its order
	for _, c := range []struct {
		name, config string
		frames       [][]byte // one each
		want         string   // configuration, channels, units
		note         string
	}{
		{"none", "1190", [][]byte{unitA, unitB}, "1190 2: 211004608c 211105509d22", ""},
		{"with a configuration", "1190", [][]byte{adts(2, 48000, 2, 7, unitA), adts(2, 48000, 2, 7, unitB)}, "1190 2: 211004608c 211105509d22", ""},
		{"and a checksum", "1190", [][]byte{adts(2, 48000, 2, 9, unitA), adts(2, 48000, 2, 9, unitB)}, "1190 2: 211004608c 211105509d22", ""},
		{"without a configuration", "", [][]byte{adts(2, 44100, 1, 7, unitA), adts(2, 44100, 1, 7, unitB)}, "1208 1: 211004608c 211105509d22", ""},
		{"under a configuration that can't be used", "0990", [][]byte{adts(2, 48000, 2, 7, unitA)}, "1190 2: 211004608c", "the sound is left out: AAC Main is not played"},
		{"7.1", "", [][]byte{adts(2, 48000, 7, 7, unitA)}, "11b8 8: 211004608c", ""},
		{"two at once", "1190", [][]byte{append(adts(2, 48000, 2, 7, unitA), adts(2, 48000, 2, 7, unitB)...), unitA}, "1190 2: 211004608c 211105509d22 211004608c", ""},
		{"padding behind", "1190", [][]byte{append(adts(2, 48000, 2, 7, unitA), 0, 0, 0)}, "1190 2: 211004608c", ""},
		{"cut short", "1190", [][]byte{unitB, adts(2, 48000, 2, 7, unitA)[:11]}, "1190 2: 211105509d22", "an ADTS frame is cut short"},
		{"only a header", "1190", [][]byte{unitB, adts(2, 48000, 2, 7, nil)}, "1190 2: 211105509d22", "an ADTS frame is cut short"},
		{"Main", "", [][]byte{adts(1, 48000, 2, 7, unitA)}, "nothing", "the sound is left out: AAC Main is not played"},
		{"channels in the unit", "", [][]byte{adts(2, 48000, 0, 7, append(pce[:len(pce):len(pce)], unitA...))}, "11b0 6: a09900a000211000211004608c", ""},
		{"channels nowhere", "", [][]byte{adts(2, 48000, 0, 7, unitA)}, "nothing", "ADTS that doesn't say how many channels"},
		{"channels before ADTS", "118004c844002000c40d4c61766335392e33372e313030", [][]byte{adts(2, 48000, 0, 7, unitA)}, "11b0 6: a09908800400188000211004608c", ""},
		{"channels before each unit", "118004c844002000c40d4c61766335392e33372e313030", [][]byte{unitA, unitB}, "11b0 6: a09908800400188000211004608c a09908800400188000211105509d22", ""},
	} {
		f := newFeed(t)
		if c.config != "" {
			f.audioConfig(c.config)
		}
		for i, frame := range c.frames {
			f.audio(uint32(21*i), frame)
		}
		f.r.Close(nil)
		got := "nothing"
		if f.out.periods != nil {
			codec := f.out.periods[0][0].Codec.(*AAC)
			got = fmt.Sprintf("%x %d:", codec.Config, codec.Channels)
		}
		for _, u := range f.out.units {
			got += fmt.Sprintf(" %x", u)
		}
		if got != c.want {
			t.Errorf("%s: %s; want %s", c.name, got, c.want)
		}
		if notes := strings.Join(f.notes, ", "); notes != c.note && (c.note == "" || !strings.HasPrefix(notes, c.note)) {
			t.Errorf("%s: it is said: %q", c.name, notes)
		}
	}
}

// TestADTSTimes: access units of one tag follow on each other.
func TestADTSTimes(t *testing.T) {
	f := newFeed(t)
	two := append(adts(2, 48000, 2, 7, unitA), adts(2, 48000, 2, 7, unitB)...)
	for i := range uint32(3) {
		f.audio(i*128/3, two)
	}
	f.r.Close(nil)
	f.expect("tracks mp4a.40.2, audio 0, audio 21, audio 43, audio 64, audio 85, audio 107")

	f = newFeed(t) // where one is dropped, those behind it stay where they are
	large := adts(2, 48000, 2, 7, bytes.Repeat([]byte{0x21}, 1600))
	f.audio(0, two)
	f.audio(43, slices.Concat(two, large, two))
	f.r.Close(nil)
	f.expect("tracks mp4a.40.2, audio 0, audio 21, audio 43, audio 64, audio 107, audio 128")
}

// TestADTSChanges: another configuration in ADTS is one, where there is no other.
func TestADTSChanges(t *testing.T) {
	f := newFeed(t)
	f.audio(0, adts(2, 48000, 2, 7, unitA))
	f.audio(1100, adts(2, 48000, 2, 7, unitA))
	f.audio(1121, adts(2, 48000, 1, 7, unitB))
	f.r.Close(nil)
	if n := len(f.out.periods); n != 2 || f.out.periods[1][0].Codec.(*AAC).Channels != 1 {
		t.Errorf("%d periods", n)
	}
}

// TestLargeAudioUnit: what no decoder takes isn't passed on.
func TestLargeAudioUnit(t *testing.T) {
	for _, c := range []struct {
		config string
		most   int
	}{{"1188", 768}, {"1190", 1536}, {"11b0", 4608}, {"118004c844002000c400", 4608}, {"eb098800", 768}} {
		f := newFeed(t)
		f.audioConfig(c.config)
		f.audio(0, bytes.Repeat([]byte{0x21}, c.most))
		f.audio(21, bytes.Repeat([]byte{0x21}, c.most+1))
		f.audio(42, unitA)
		f.r.Close(nil)
		if len(f.out.units) != 2 || len(f.out.units[0])-len(f.out.units[1]) != c.most-len(unitA) {
			t.Errorf("%s: %d units come out", c.config, len(f.out.units))
		}
		if strings.Join(f.notes, ", ") != errLargeUnit.Error() {
			t.Errorf("%s: it is said: %q", c.config, f.notes)
		}
	}
}

// FuzzAudioUnits takes any data of audio tags: what comes out was in it, behind
// nothing but a program config element, and is no larger than the codec allows.
func FuzzAudioUnits(f *testing.F) {
	f.Add("", unitA)
	f.Add("\x11\x90", adts(2, 48000, 2, 9, unitA))
	f.Add(string(unhex("118004c844002000c400")), append(adts(2, 48000, 0, 7, unitA), adts(2, 48000, 0, 7, unitB)...))
	f.Add("", adts(2, 48000, 0, 7, unhex("a09900a0002110002110")))
	f.Fuzz(func(t *testing.T, config string, data []byte) {
		feed := newFeed(t)
		if _, err := newAAC([]byte(config)); err == nil {
			feed.tag(flv.TagAudio, 0, []byte{0xAF, 0}, []byte(config))
		}
		before := bytes.Clone(data)
		feed.audio(0, data)
		feed.audio(21, data)
		feed.r.Close(nil)
		rest := before
		var program []byte
		if feed.out.periods != nil {
			program = feed.out.periods[0][0].Codec.(*AAC).program
		}
		for _, u := range feed.out.units[:len(feed.out.units)/2] {
			u = bytes.TrimPrefix(u, program)
			at := bytes.Index(rest, u)
			if at < 0 {
				t.Fatalf("%x is not in what is left of the tag", u)
			}
			rest = rest[at+len(u):]
		}
	})
}
