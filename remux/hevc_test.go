package remux

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluice-live/sluice/ingest/flv"
)

// Pictures, by hand: the first slice of each.
var (
	hevcIDR   = unhex("26 01 af 09")
	hevcCRAs  = unhex("2a 01 af 09")
	hevcBLAs  = unhex("20 01 af 09")
	hevcTrail = unhex("02 01 d0 09")
	hevcRASL  = unhex("12 01 d0 09")
	hevcAUD   = unhex("46 01 50")
)

func (s hevcSets) all() [][]byte { return slices.Concat(s[hevcVPS], s[hevcSPS], s[hevcPPS]) }

// hevcRecord is an HEVCDecoderConfigurationRecord of an array for each NAL unit.
func hevcRecord(nals ...[]byte) []byte {
	b := append(unhex("01 0160000000900000000000 3c f000 fc fd f8 f8 0000 0f"), byte(len(nals)))
	for _, nal := range nals {
		b = append(b, 0x80|nal[0]>>1, 0, 1)
		b = append(binary.BigEndian.AppendUint16(b, uint16(len(nal))), nal...)
	}
	return b
}

// otherNotes are those that say more than that few play HEVC.
func (f *feed) otherNotes() []string {
	return slices.DeleteFunc(slices.Clone(f.notes), func(s string) bool { return s == errHEVC.text })
}

// Bodies of video tags by FourCC.
const (
	hevcConfigTag = "\x90hvc1"
	hevcKeyTag    = "\x91hvc1\x00\x00\x00"
	hevcInterTag  = "\xA1hvc1\x00\x00\x00"
)

func (f *feed) hevcConfig(nals ...[]byte) {
	f.tag(flv.TagVideo, 0, []byte(hevcConfigTag), hevcRecord(nals...))
}

func (f *feed) hevcKey(at uint32, nals ...[]byte) {
	f.tag(flv.TagVideo, at, []byte(hevcKeyTag), lengths(nals...))
}

func (f *feed) hevcInter(at uint32, nals ...[]byte) {
	f.tag(flv.TagVideo, at, []byte(hevcInterTag), lengths(nals...))
}

var hevcConfigs = []struct {
	name   string
	record []byte
	want   string // length size, sets of each kind, or the error
}{
	{"usual", hevcRecord(hevcMain.all()...), "4 [1 1 1]"},
	{"no arrays", hevcRecord(), "4 [0 0 0]"},
	{"no count of arrays", hevcRecord()[:22], "4 [0 0 0]"},
	{"empty arrays", append(hevcRecord()[:22], unhex("03 a00000 a10000 a20000")...), "4 [0 0 0]"},
	{"garbage behind it", append(hevcRecord(hevcMain.all()...), 0xFF, 0xFF), "4 [1 1 1]"},
	{"two PPS in two arrays", hevcRecord(append(hevcMain.all(), hevcMain[hevcPPS][0])...), "4 [1 1 2]"},
	{"SEI", hevcRecord(append(hevcMain.all(), lightSEI)...), "4 [1 1 1]"},
	{"arrays of another type than their sets", bytes.ReplaceAll(hevcRecord(hevcMain.all()...), unhex("a00001"), unhex("a70001")), "4 [1 1 1]"},
	{"empty sets", append(hevcRecord()[:22], unhex("01 a000020000 0001 40")...), "4 [0 0 0]"},
	{"sets of an enhancement layer", hevcRecord(append(hevcMain.all(), unhex("4209 0160"))...), "4 [1 1 1]"},
	{"length size 2", slices.Concat(hevcRecord()[:21], []byte{0x0D}, hevcRecord()[22:]), "2 [0 0 0]"},
	{"nothing", nil, "cut short"},
	{"cut in its head", hevcRecord()[:21], "cut short"},
	{"cut in an array", hevcRecord(hevcMain.all()...)[:40], "cut short"},
	{"more arrays than there are", append(hevcRecord()[:22], 9), "cut short"},
	{"65,535 sets where there are none", append(hevcRecord()[:22], unhex("01 a0ffff")...), "cut short"},
	{"version 0", append([]byte{0}, hevcRecord()[1:]...), "version 0"},
	{"Annex B", append(unhex("00000001"), hevcMain[hevcVPS][0]...), "version 0"},
}

func TestParseHEVCConfig(t *testing.T) {
	for _, c := range hevcConfigs {
		got, err := parseHEVCConfig(c.record)
		if err != nil {
			if strings.Contains(c.want, "[") || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: %v, want %s", c.name, err, c.want)
			}
			continue
		}
		s := fmt.Sprint(got.lengthSize, [...]int{len(got.sets[0]), len(got.sets[1]), len(got.sets[2])})
		if s != c.want {
			t.Errorf("%s: %s, want %s", c.name, s, c.want)
		}
	}
	whole := hevcRecord(hevcMain.all()...)
	for end := range len(whole) {
		if _, err := parseHEVCConfig(whole[:end]); err == nil && end != 22 {
			t.Errorf("%d bytes are a record", end)
		}
	}
}

// TestHEVC: periods begin where decoders change, and samples have no parameter sets,
// wherever the encoder puts them.
func TestHEVC(t *testing.T) {
	const small, large, pq = "hvc1.1.6.L60.90", "hvc1.1.6.L120.90", "hvc1.2.4.L60.90"
	key := append(hevcMain.all(), hevcIDR)
	largeKey := append(hevcHD.all(), hevcIDR)
	otherPPS := unhex("4401 4073c189") // of id 1
	for _, c := range []struct {
		name string
		send func(f *feed)
		want string
	}{
		{"by record", func(f *feed) {
			f.hevcConfig(hevcMain.all()...)
			f.hevcKey(0, hevcIDR)
			f.hevcInter(33, hevcTrail)
			f.hevcKey(66, hevcIDR)
		}, "tracks " + small + ", video 0 key, video 33, video 66 key"},
		{"by codec id 12", func(f *feed) {
			f.tag(flv.TagVideo, 0, unhex("1c 00 000000"), hevcRecord(hevcMain.all()...))
			f.tag(flv.TagVideo, 0, unhex("1c 01 000000"), lengths(hevcIDR))
			f.tag(flv.TagVideo, 33, unhex("2c 01 000021"), lengths(hevcTrail))
		}, "tracks " + small + ", video 0 key, video 33 +33"},
		{"in band, no record", func(f *feed) {
			f.hevcKey(0, key...)
			f.hevcInter(33, hevcTrail)
			f.hevcKey(66, key...)
		}, "tracks " + small + ", video 0 key, video 33, video 66 key"},
		{"in band, empty arrays", func(f *feed) {
			f.tag(flv.TagVideo, 0, []byte(hevcConfigTag), hevcRecord()[:22], unhex("03 a00000 a10000 a20000"))
			f.hevcKey(0, append([][]byte{hevcAUD}, key...)...)
			f.hevcKey(33, key...)
		}, "tracks " + small + ", video 0 key, video 33 key"},
		{"both", func(f *feed) {
			f.hevcConfig(hevcMain.all()...)
			f.hevcKey(0, key...)
			f.hevcInter(33, append(hevcMain.all(), hevcTrail)...)
			f.hevcConfig(hevcMain.all()...)
			f.hevcKey(66, append(hevcMain.all(), key...)...)
		}, "tracks " + small + ", video 0 key, video 33, video 66 key"},
		{"in frames of their own", func(f *feed) {
			f.hevcKey(0, hevcMain.all()...)
			f.hevcKey(0, hevcIDR)
			f.hevcInter(33, hevcTrail)
			f.hevcInter(66, hevcMain.all()...)
			f.hevcKey(66, hevcIDR)
		}, "tracks " + small + ", video 0 key, video 33, video 66 key"},
		{"another record", func(f *feed) {
			f.hevcConfig(hevcMain.all()...)
			f.hevcKey(0, hevcIDR)
			f.hevcInter(33, hevcTrail)
			f.hevcConfig(hevcHD.all()...)
			f.hevcKey(66, hevcIDR)
			f.hevcInter(100, hevcTrail)
		}, "tracks " + small + ", video 0 key, video 33, tracks " + large + ", video 66 key, video 100"},
		{"others in band", func(f *feed) {
			f.hevcConfig(hevcMain.all()...)
			f.hevcKey(0, hevcIDR)
			f.hevcInter(33, hevcTrail)
			f.hevcKey(66, largeKey...)
			f.hevcInter(100, hevcTrail)
			f.hevcKey(133, largeKey...)
			f.hevcKey(166, append(hevcPQ.all(), hevcIDR)...)
		}, "tracks " + small + ", video 0 key, video 33, tracks " + large + ", video 66 key, video 100, video 133 key, tracks " + pq + ", video 166 key"},
		{"another PPS inside a group of pictures", func(f *feed) {
			f.hevcConfig(hevcMain.all()...)
			f.hevcKey(0, hevcIDR)
			f.hevcInter(33, otherPPS, hevcTrail)
			f.hevcInter(66, hevcTrail)
			f.hevcKey(100, hevcIDR)
			f.hevcKey(133, otherPPS, hevcIDR)
		}, "tracks " + small + ", video 0 key, video 33, video 66, tracks " + small + ", video 100 key, video 133 key"},
		{"Annex B", func(f *feed) {
			f.hevcConfig()
			for i := range uint32(2) {
				f.tag(flv.TagVideo, 33*i, []byte(hevcKeyTag), unhex("00000001"), bytes.Join(key, unhex("000001")))
			}
		}, "tracks " + small + ", video 0 key, video 33 key"},
		{"CRA and BLA", func(f *feed) {
			f.hevcConfig(hevcMain.all()...)
			f.hevcKey(0, hevcIDR)
			f.hevcInter(33, hevcTrail)
			f.hevcInter(66, hevcCRAs)
			f.hevcInter(100, hevcRASL)
			f.hevcInter(133, hevcBLAs)
			f.hevcKey(166, hevcTrail) // an I-frame that is called a keyframe
		}, "tracks " + small + ", video 0 key, video 33, video 66 key, video 100, video 133 key, video 166"},
		{"keyframes by the encoder's word alone", func(f *feed) {
			f.hevcConfig(hevcMain.all()...)
			f.hevcKey(0, hevcTrail)
			f.hevcInter(33, hevcTrail)
			f.hevcKey(66, hevcTrail)
		}, "tracks " + small + ", video 0 key, video 33, video 66 key"},
		{"H.264, then HEVC", func(f *feed) {
			f.videoConfig(record(mainSPS, mainPPS))
			f.key(0)
			f.inter(40)
			f.hevcConfig(hevcMain.all()...)
			f.hevcKey(80, hevcIDR)
			f.hevcInter(120, hevcTrail)
		}, "tracks avc1.4d401e, video 0 key, video 40, tracks " + small + ", video 80 key, video 120"},
	} {
		f := newFeed(t)
		c.send(f)
		f.r.Close(nil)
		t.Log(c.name)
		f.expect(c.want)
		if told := f.otherNotes(); len(told) > 0 || f.err != nil {
			t.Errorf("it is said: %q, %v", told, f.err)
		}
		for i, b := range f.out.frames {
			for _, nal := range checkNALUnits(t, b) {
				if _, ok := setKind(nal); ok && !bytes.Equal(nal, otherPPS) {
					t.Errorf("sample %d has the set %x", i, nal)
				}
			}
		}
		for _, p := range f.out.periods {
			if h, ok := p[0].Codec.(*H265); ok {
				checkH265(t, h)
			}
		}
	}
}

// TestHEVCOpenGroups: pictures where decoding can start are told apart by what those
// that lead them may need.
func TestHEVCOpenGroups(t *testing.T) {
	f := newFeed(t)
	f.hevcConfig(hevcMain.all()...)
	f.hevcKey(0, hevcIDR)
	for kind := range byte(32) {
		f.hevcInter(33*uint32(kind+1), append([]byte{kind << 1, 1}, hevcIDR[2:]...))
	}
	f.r.Close(nil)
	got := ""
	for _, s := range f.out.samples[1:] {
		switch {
		case s.OpenGOP:
			got += "o"
		case s.Sync:
			got += "s"
		default:
			got += "."
		}
	}
	if got != "................ossssoss........" || len(f.otherNotes()) > 0 {
		t.Errorf("%s, said: %q", got, f.notes)
	}
}

// TestHEVCLateSets: a set that others need before the next keyframe stays where it is,
// and is no longer there where the header has it.
func TestHEVCLateSets(t *testing.T) {
	other := unhex("4401 4073c189")
	f := newFeed(t)
	f.hevcConfig(hevcMain.all()...)
	f.hevcKey(0, hevcIDR)
	f.hevcInter(33, slices.Concat([][]byte{hevcAUD, other}, hevcMain.all(), [][]byte{hevcTrail})...)
	f.hevcKey(66, hevcAUD, other, hevcIDR)
	f.r.Close(nil)
	for i, want := range [][][]byte{{hevcIDR}, {hevcAUD, other, hevcTrail}, {hevcAUD, hevcIDR}} {
		if got := checkNALUnits(t, f.out.frames[i]); !slices.EqualFunc(got, want, bytes.Equal) {
			t.Errorf("sample %d is %x, not %x", i, got, want)
		}
	}
	if h := f.out.periods[1][0].Codec.(*H265); len(h.PPS) != 2 {
		t.Errorf("the header has %x", h.PPS)
	}
}

// TestHEVCActiveSet: the first SPS is the one that pictures are decoded with.
func TestHEVCActiveSet(t *testing.T) {
	sps := hevcSPSOf(64, 64, 1, 0, nil, plainRest)
	second := new(spsBits)
	second.ue(1, 1).ue(128, 128).bit(0).ue(0, 0, 4).bit(1).ue(4, 0, 0).ue(0, 3, 0, 3, 0, 0)
	plainRest(second)
	other := second.end(unhex("42 01 01 01 60000000 900000000000 5d")...)
	ofOther := new(spsBits).ue(1, 1).bit(0).end(0x44, 1)
	slice := new(spsBits).bit(1).bit(0).ue(1).end(0x26, 1)
	f := newFeed(t)
	f.hevcConfig(append(hevcMain.all()[:1], sps, other, hevcMain[hevcPPS][0], ofOther)...)
	f.hevcKey(0, hevcIDR)
	f.hevcKey(33, slice)
	f.hevcKey(66, slice)
	f.r.Close(nil)
	if n := len(f.out.periods); n != 2 || f.out.periods[0][0].Picture.Width != 64 || f.out.periods[1][0].Picture.Width != 128 {
		t.Errorf("%d periods: %q", n, f.out.events)
	}
}

// TestHEVCVUICutShort: an SPS that ends anywhere in its VUI, which is optional, is one
// without VUI. So is what repeats it in band.
func TestHEVCVUICutShort(t *testing.T) {
	sps := hevcPQ[hevcSPS][0]
	s, err := parseHEVCSPS(unescape(sps))
	if err != nil {
		t.Fatal(err)
	}
	vui := s.vuiAt/8 + 1 + bytes.Count(sps, unhex("000003"))
	for end := vui + 1; end < len(sps); end++ {
		cut := sps[:end]
		sets := hevcSets{hevcPQ[hevcVPS], {cut}, hevcPQ[hevcPPS]}
		f := newFeed(t)
		f.hevcConfig(sets.all()...)
		f.hevcKey(0, append(sets.all(), hevcIDR)...)
		f.hevcInter(500, append(sets.all(), hevcTrail)...)
		f.hevcKey(1000, append(sets.all(), hevcIDR)...)
		f.r.Close(nil)
		if len(f.out.periods) != 1 || len(f.out.samples) != 3 || len(f.otherNotes()) > 0 {
			t.Errorf("%d of %d bytes: %d periods, %d frames, said: %q", end, len(sps), len(f.out.periods), len(f.out.samples), f.otherNotes())
			continue
		}
		h := f.out.periods[0][0].Codec.(*H265)
		if h.Width != 320 || h.Height != 180 || h.Colour != nil || h.FrameRate.Num != 0 || h.SAR[0] != 0 {
			t.Errorf("%d of %d bytes: %+v", end, len(sps), h)
		}
		for i, b := range f.out.frames {
			if nals := checkNALUnits(t, b); len(nals) != 1 {
				t.Errorf("%d of %d bytes: sample %d is %x", end, len(sps), i, nals)
			}
		}
	}
}

// TestHEVCHDR: what pictures were graded on is read from the record or from the first
// keyframe, and no period begins where it is said again, or otherwise.
func TestHEVCHDR(t *testing.T) {
	otherLight := unhex("4e01900401f4006480")
	for name, send := range map[string]func(f *feed){
		"by record": func(f *feed) {
			f.hevcConfig(append(hevcPQ.all(), lightSEI, masteringSEI)...)
			f.hevcKey(0, hevcIDR)
			f.hevcKey(1000, lightSEI, hevcIDR)
			f.hevcKey(2000, otherLight, hevcIDR)
		},
		"in band": func(f *feed) {
			f.hevcConfig(hevcPQ.all()...)
			f.hevcKey(0, lightSEI, masteringSEI, hevcIDR)
			f.hevcKey(1000, hevcIDR)
			f.hevcKey(2000, lightSEI, masteringSEI, hevcIDR)
		},
	} {
		f := newFeed(t)
		send(f)
		f.r.Close(nil)
		if len(f.out.periods) != 1 || len(f.out.samples) != 3 {
			t.Errorf("%s: %q", name, f.out.events)
			continue
		}
		p := f.out.periods[0][0].Picture
		if p.Light == nil || *p.Light != (Light{1000, 400}) {
			t.Errorf("%s: light %+v", name, p.Light)
		}
		want := Mastering{[3][2]uint16{{13250, 34500}, {7500, 3000}, {34000, 16000}}, [2]uint16{15635, 16450}, 10000000, 1}
		if p.Mastering == nil || *p.Mastering != want {
			t.Errorf("%s: mastering %+v", name, p.Mastering)
		}
	}
	f := newFeed(t)
	f.hevcConfig(hevcPQ.all()...)
	f.hevcKey(0, hevcIDR)
	f.hevcKey(1000, lightSEI, hevcIDR)
	f.hevcKey(2000, otherLight, hevcIDR)
	f.r.Close(nil)
	f.expect("tracks hvc1.2.4.L60.90, video 0 key, tracks hvc1.2.4.L60.90, video 1000 key, video 2000 key")
}

// TestHEVCMessages: captions and the distance of keyframes are in SEI messages that are
// as they are in H.264.
func TestHEVCMessages(t *testing.T) {
	f := newFeed(t)
	var told []Captions
	f.r.hooks.Captions = func(c Captions) { told = append(told, c) }
	options := slices.Concat(unhex("4e01 05"), []byte{16 + 23}, make([]byte, 16), []byte("options: keyint=60 ref=3"[:23]), []byte{0x80})
	f.hevcConfig(append(hevcMain.all(), escape(options))...)
	f.hevcKey(0, append([]byte{0x4e, 1}, caption(0, 0x94, 0x2C)[1:]...), hevcIDR)
	f.hevcInter(33, hevcTrail)
	f.r.Close(nil)
	if len(told) != 1 || told[0] != CC1 {
		t.Errorf("told %v", told)
	}
	if d := f.out.periods[0][0].KeyframeInterval; d.Round(time.Millisecond) != 2*time.Second {
		t.Errorf("keyframes each %v", d)
	}
}

// TestHEVCTold: that few browsers play it is said once, and what to set instead.
func TestHEVCTold(t *testing.T) {
	beyond := hevcSets{hevcMain[hevcVPS], {unhex("4201010408000003009d0800000300003cb00a080c1f1ad965654a4c2f016808000003000800000300f040")}, hevcMain[hevcPPS]}
	for _, c := range []struct {
		sets hevcSets
		want error
	}{{hevcMain, errHEVC}, {hevcPQ, errHEVC}, {beyond, errHEVCProfile}} {
		f := newFeed(t)
		f.hevcConfig(c.sets.all()...)
		f.hevcKey(0, hevcIDR)
		f.hevcInter(33, hevcTrail)
		f.hevcKey(66, hevcIDR)
		f.r.Close(nil)
		if len(f.notes) != 1 || f.notes[0] != c.want.Error() {
			t.Errorf("%q, not %q", f.notes, c.want)
		}
	}
	f := newFeed(t)
	f.hevcConfig(hevcMain.all()...)
	f.hevcKey(0, hevcIDR)
	f.hevcInter(33, unhex("4e01060201a0 80"), hevcTrail) // whole a few pictures later
	f.r.Close(nil)
	if told := f.otherNotes(); len(told) != 1 || told[0] != errIntraRefresh.text {
		t.Errorf("of pictures that are refreshed bit by bit: %q", told)
	}
}

// TestHEVCAllocates: a frame is passed through, and costs nothing.
func TestHEVCAllocates(t *testing.T) {
	h := newHEVC().(*hevc)
	next, err := h.configure(hevcRecord(hevcMain.all()...))
	if err != nil {
		t.Fatal(err)
	}
	h = next.(*hevc)
	frame := lengths(hevcAUD, append(hevcTrail, make([]byte, 30_000)...))
	if u, _, _ := h.next(frame, false); &u.data[0] != &frame[0] {
		t.Error("copied")
	}
	if n := testing.AllocsPerRun(100, func() { h.next(frame, false) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
	key := lengths(append(hevcMain.all(), hevcIDR)...)
	h.next(key, true)
	if n := testing.AllocsPerRun(100, func() { h.next(key, true) }); n > 40 { // parameter sets, once in a group of pictures
		t.Errorf("a keyframe: %v allocations", n)
	}
}

// FuzzHEVC reads any record and any frames behind it: what comes out has the frame's NAL
// units, in order, but for parameter sets, behind those of frames without a picture, and a
// decoder that all can rely on.
func FuzzHEVC(f *testing.F) {
	key := append(hevcMain.all(), masteringSEI, lightSEI, hevcIDR)
	for _, c := range hevcConfigs {
		f.Add(c.record, lengths(key...), lengths(hevcTrail))
	}
	for _, c := range hostileHEVC {
		f.Add(hevcRecord(hevcMain[hevcVPS][0], c.sps, hevcMain[hevcPPS][0]), lengths(hevcIDR), lengths(c.sps, hevcIDR))
	}
	f.Add(hevcRecord(), append(unhex("00000001"), bytes.Join(key, unhex("000001"))...), lengths(hevcCRAs))
	f.Add(hevcRecord(hevcPQ.all()...), lengths(append(hevcHD.all(), hevcIDR)...), lengths(append(hevcMain.all(), hevcTrail)...))
	f.Fuzz(func(t *testing.T, record, first, second []byte) {
		bits := newHEVC()
		bits, _ = bits.configure(record)
		clear(record)    // it was borrowed
		var waits []byte // frames that no unit came of
		for _, frame := range [][]byte{first, second, first} {
			before := bytes.Clone(frame)
			waits = append(waits, frame...)
			bits.peek(frame)
			u, rest, err := bits.next(frame, true)
			if !bytes.Equal(frame, before) || len(rest) > 0 {
				t.Fatal("the frame was written to, or not read")
			}
			if c, ok := bits.codec().(*H265); ok {
				checkH265(t, c)
				if again, err := newH265(c.sets()); err != nil || !again.with(hdr{c.Mastering, c.Light}).equal(c) || again.Width != c.Width {
					t.Errorf("its own parameter sets make %v, %v", again, err)
				}
			}
			if u == nil {
				continue
			}
			at := waits
			waits = nil
			for _, nal := range checkNALUnits(t, u.data) {
				i := bytes.Index(at, nal)
				if i < 0 {
					t.Fatalf("%x is not in what is left of the frame", nal)
				}
				at = at[i+len(nal):]
				if _, ok := setKind(append(nal, 0, 0)); ok && len(nal) > 2 && u.sync && err == nil {
					t.Fatalf("a keyframe has the set %x", nal)
				}
			}
			if len(u.data) == 0 || u.openGOP && !u.sync {
				t.Fatalf("%+v", u)
			}
		}
	})
}
