package remux

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
)

const (
	spsHex = "6742c00dd901419f9d"
	ppsHex = "68cb83cb20"
)

var avcConfigs = []struct {
	name, record, want string
}{
	{"usual", "0142c00d ffe1 0009" + spsHex + "01 0005" + ppsHex, "4 [" + spsHex + "] [" + ppsHex + "]"},
	{"High with its extension", "01640028 ffe1 0009" + spsHex + "01 0005" + ppsHex + "fdf8f800", "4 [" + spsHex + "] [" + ppsHex + "]"},
	{"garbage behind it", "0142c00d ffe1 0009" + spsHex + "01 0005" + ppsHex + "deadbeef", "4 [" + spsHex + "] [" + ppsHex + "]"},
	{"two of each", "0142c00d ffe2 0009" + spsHex + "0009" + spsHex + "02 0005" + ppsHex + "0005" + ppsHex,
		"4 [" + spsHex + " " + spsHex + "] [" + ppsHex + " " + ppsHex + "]"},
	{"length size 1", "0142c00d fce1 0009" + spsHex + "01 0005" + ppsHex, "1 [" + spsHex + "] [" + ppsHex + "]"},
	{"length size 2", "0142c00d fde1 0009" + spsHex + "01 0005" + ppsHex, "2 [" + spsHex + "] [" + ppsHex + "]"},
	{"length size 3", "0142c00d fee1 0009" + spsHex + "01 0005" + ppsHex, "3 [" + spsHex + "] [" + ppsHex + "]"},
	{"reserved bits clear", "0142c00d 0301 0009" + spsHex + "01 0005" + ppsHex, "4 [" + spsHex + "] [" + ppsHex + "]"},
	{"no SPS", "0142c00d ffe0 00", "4 [] []"},
	{"no SPS, no PPS count", "0142c00d ffe0", "4 [] []"},
	{"no counts", "0142c00d ff", "4 [] []"},
	{"PPS count missing", "0142c00d ffe1 0009" + spsHex, "4 [" + spsHex + "] []"},
	{"SPS of another type", "0142c00d ffe1 0005" + ppsHex + "01 0005" + ppsHex, "4 [] [" + ppsHex + "]"},
	{"SPS of three bytes", "0142c00d ffe1 0003 6742c0 01 0005" + ppsHex, "4 [] [" + ppsHex + "]"},
	{"empty SPS", "0142c00d ffe1 0000 01 0005" + ppsHex, "4 [] [" + ppsHex + "]"},
	{"nothing", "", "cut short"},
	{"four bytes", "0142c00d", "cut short"},
	{"SPS longer than the rest", "0142c00d ffe1 00ff" + spsHex, "cut short"},
	{"PPS longer than the rest", "0142c00d ffe1 0009" + spsHex + "01 0006" + ppsHex, "cut short"},
	{"fewer SPS than said", "0142c00d ffff 0009" + spsHex, "cut short"},
	{"version 0", "0042c00d ffe1", "version 0"},
	{"Annex B", "00000001" + spsHex, "version 0"},
}

func TestParseAVCConfig(t *testing.T) {
	for _, c := range avcConfigs {
		got, err := parseAVCConfig(unhex(c.record))
		if err != nil {
			if strings.HasPrefix(c.want, "1 [") || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: %v, want %s", c.name, err, c.want)
			}
			continue
		}
		if s := fmt.Sprintf("%d %x %x", got.lengthSize, got.sps, got.pps); s != c.want {
			t.Errorf("%s: %s, want %s", c.name, s, c.want)
		}
	}
}

var accessUnits = []struct {
	name       string
	lengthSize int
	frame      string
	want       string // NAL units, or the error
	idr        bool
}{
	{"one slice", 4, "00000003 419a02", "[419a02]", false},
	{"delimiter, parameter sets, picture", 4, "00000002 09f0 00000004 67010203 00000002 6801 00000003 658884",
		"[09f0 67010203 6801 658884]", true},
	{"padded with empty NAL units", 4, "00000000 00000003 419a02 00000000", "[419a02]", false},
	{"length size 1", 1, "02 09f0 03 658884", "[09f0 658884]", true},
	{"length size 2", 2, "0002 09f0 0003 658884 0000", "[09f0 658884]", true},
	{"length size 3", 3, "000003 658884", "[658884]", true},
	{"Annex B", 4, "00000001 09f0 00000001 658884", "[09f0 658884]", true},
	{"Annex B, short start codes and trailing zeros", 4, "00000001 67010203 0000 000001 6801 000001 658884 0000", "[67010203 6801 658884]", true},
	{"Annex B where the length size is 2", 2, "00000001 658884", "[658884]", true},
	{"NAL unit of one byte", 4, "00000001 0a", "[0a]", false},
	{"length longer than the rest", 4, "00000004 419a02", "longer than the frame", false},
	{"second length longer than the rest", 4, "00000003 419a02 00000001", "longer than the frame", false},
	{"length of 2^32−1", 4, "ffffffff 419a02", "longer than the frame", false},
	{"half a length", 4, "00000003 419a02 0000", "longer than the frame", false},
	{"length longer than the rest, size 2", 2, "0004 419a02", "longer than the frame", false},
	{"half a length, size 2", 2, "0003 419a02 00", "longer than the frame", false},
	{"nothing but padding", 4, "00000000 00000000", "without NAL units", false},
	{"nothing", 4, "", "without NAL units", false},
	{"start codes alone", 4, "00000001 00000001", "without NAL units", false},
	{"too many NAL units", 4, "00000002 09f0" + strings.Repeat("00000001 41", maxNALUnits+1), "longer than the frame", false},
}

func TestAccessUnit(t *testing.T) {
	for _, c := range accessUnits {
		r := newAVCReader(c.lengthSize)
		frame := unhex(c.frame)
		before := hex.EncodeToString(frame)
		var au accessUnit
		err := r.accessUnit(frame, &au)
		if err != nil {
			if strings.HasPrefix(c.want, "[") || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: %v, want %s", c.name, err, c.want)
			}
			continue
		}
		if got := fmt.Sprintf("%x", checkNALUnits(t, au.data)); got != c.want || au.idr != c.idr {
			t.Errorf("%s: %s, IDR %v, want %s", c.name, got, au.idr, c.want)
		}
		if hex.EncodeToString(frame) != before {
			t.Errorf("%s: the frame is modified", c.name)
		}
	}
}

// What is in MP4's form already is not copied.
func TestAccessUnitAllocates(t *testing.T) {
	frame := lengths(unhex("09f0"), bytes.Repeat([]byte{0x41}, 30_000))
	annexB := append(unhex("00000001 09f0 00000001"), frame[10:]...)
	r := newAVCReader(4)
	var au accessUnit
	if r.accessUnit(frame, &au); &au.data[0] != &frame[0] {
		t.Error("copied")
	}
	if n := testing.AllocsPerRun(100, func() { r.accessUnit(frame, &au) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
	r.accessUnit(annexB, &au)
	if n := testing.AllocsPerRun(100, func() { r.accessUnit(annexB, &au) }); n > 8 {
		t.Errorf("Annex B: %v allocations", n)
	}
}
