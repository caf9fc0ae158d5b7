package cmaf

import (
	"bytes"
	"slices"
	"testing"
)

// What is written is read: parts of one fragment and of several, with and without
// what stands in front of a segment.
func TestUnits(t *testing.T) {
	samples := []Sample{
		{Duration: 3000, Size: 5, Flags: Sync, CompositionOffset: 6000},
		{Duration: 3003, Size: 0, Flags: NonSync, CompositionOffset: -3000},
		{Duration: 1, Size: 3, Flags: Leading},
	}
	const data = "helloyou"
	const begin = int64(1) << 40
	whole := Fragment{Sequence: 7, DecodeTime: begin, StartsSegment: true, SamplesPayload: len(data)}.Append(nil, samples)
	whole = append(whole, data...)
	var each []byte
	dts, rest := begin, data
	for i, s := range samples {
		f := Fragment{DecodeTime: dts, StartsSegment: i == 0, SamplesPayload: int(s.Size)}
		each = append(f.Append(each, samples[i:i+1]), rest[:s.Size]...)
		dts, rest = dts+int64(s.Duration), rest[s.Size:]
	}
	for name, part := range map[string][]byte{"one fragment": whole, "a fragment each": each} {
		got := slices.Collect(Units(part))
		if len(got) != len(samples) {
			t.Fatalf("%s: %d units", name, len(got))
		}
		dts, rest := begin, data
		for i, u := range got {
			if u.Sample != samples[i] || u.DTS != dts || !bytes.Equal(u.Data, []byte(rest[:u.Size])) {
				t.Errorf("%s: unit %d is %+v", name, i, u)
			}
			dts, rest = dts+int64(u.Duration), rest[u.Size:]
		}
		for n := range part { // a part that is cut short has fewer, and none that is another
			short := slices.Collect(Units(part[:n]))
			if len(short) >= len(got) {
				t.Fatalf("%s, %d bytes of it: %d units", name, n, len(short))
			}
			for i := range short {
				if short[i].Sample != got[i].Sample || !bytes.Equal(short[i].Data, got[i].Data) {
					t.Fatalf("%s, %d bytes of it: unit %d is %+v", name, n, i, short[i])
				}
			}
		}
	}
}
