package remux

import (
	"bytes"
	"slices"
	"testing"

	"github.com/sluice-live/sluice/ingest/flv"
)

// Frames without a picture are no samples, in any codec that has NAL units: what they have
// goes along with the next picture, a configuration in between or not, but for parameter sets
// that the configuration takes the place of.
func TestWaiting(t *testing.T) {
	set := func(nals ...[]byte) [][]byte { return nals }
	for _, c := range []struct {
		name            string
		head            string
		record, other   []byte
		key, inter      []byte
		describes, sets [][]byte
	}{
		{"H.264", "avc1", record(mainSPS, mainPPS), record(highSPS, highPPS), idr, slice, set(unhex("0910"), unhex("06012a80")), set(mainSPS, mainPPS)},
		{"HEVC", "hvc1", hevcRecord(hevcMain.all()...), hevcRecord(hevcPQ.all()...), hevcIDR, hevcTrail, set(hevcAUD, lightSEI), hevcMain.all()},
		{"VVC", "vvc1", vvcRecord(), append(vvcRecord()[:len(vvcRecord())-1:len(vvcRecord())], 0x40), vvcSlice(7), vvcSlice(0), set(unhex("00a18800")), set(vvcSPS, vvcPPS)},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFeed(t)
			config := func(record []byte) { f.tag(flv.TagVideo, 0, []byte("\x90"+c.head), record) }
			send := func(first string, at uint32, nals ...[]byte) {
				f.tag(flv.TagVideo, at, []byte(first+c.head+"\x00\x00\x00"), lengths(nals...))
			}
			const key, inter = "\x91", "\xA1"
			config(c.record)
			send(key, 0, c.key)
			send(inter, 33, c.describes...)
			send(inter, 40, c.inter)
			send(key, 66, append(slices.Clone(c.sets), c.describes...)...)
			config(c.other)
			send(key, 70, c.key)
			f.r.Close(nil)
			if len(f.out.frames) != 3 || len(f.out.periods) != 2 {
				t.Fatalf("%d samples: %q, %q", len(f.out.frames), f.out.events, f.notes)
			}
			for i, want := range [][][]byte{{c.key}, append(slices.Clone(c.describes), c.inter), append(slices.Clone(c.describes), c.key)} {
				if got := checkNALUnits(t, f.out.frames[i]); !slices.EqualFunc(got, want, bytes.Equal) {
					t.Errorf("sample %d has %x, not %x", i, got, want)
				}
			}
			dropped := 0
			f.r.hooks.Drop = func() { dropped++ }
			for range 3 {
				send(inter, 80, append(c.describes[0][:2:2], make([]byte, 30<<10)...))
			}
			if dropped != 1 || !slices.Contains(f.notes, errMostWaiting.Error()) {
				t.Errorf("%d of 3 that are too many are dropped, and it is said: %q", dropped, f.notes)
			}
		})
	}
}
