package amf

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"
)

// wires feeds the decoder, the encoder and the fuzzer.
var wires = []struct {
	name   string
	wire   []byte
	values []any
	// canonical is what Append makes of the values, nil if that is wire.
	canonical []byte
	// scalar says that no object hides a missing end, so that every strict prefix
	// has fewer values.
	scalar bool
}{
	{name: "empty", wire: nil, values: nil, scalar: true},
	{name: "number", wire: unhex("00 3ff0000000000000"), values: []any{1.0}, scalar: true},
	{name: "negative zero", wire: unhex("00 8000000000000000"), values: []any{math.Copysign(0, -1)}, scalar: true},
	{name: "infinity", wire: unhex("00 7ff0000000000000"), values: []any{math.Inf(1)}, scalar: true},
	{name: "booleans", wire: unhex("01 00 01 01"), values: []any{false, true}, scalar: true},
	{name: "boolean 2", wire: unhex("01 02"), values: []any{true}, canonical: unhex("01 01"), scalar: true},
	{name: "string", wire: unhex("02 0004 6c697665"), values: []any{"live"}, scalar: true},
	{name: "empty string", wire: unhex("02 0000"), values: []any{""}, scalar: true},
	{name: "string that is not UTF-8", wire: unhex("02 0002 ff00"), values: []any{"\xff\x00"}, scalar: true},
	{
		name: "longest short string", wire: append(unhex("02 ffff"), letters(0xFFFF)...),
		values: []any{letters(0xFFFF)}, scalar: true,
	},
	{
		name: "long string", wire: append(unhex("0c 00010000"), letters(0x10000)...),
		values: []any{letters(0x10000)}, scalar: true,
	},
	{
		name: "short long string", wire: unhex("0c 00000001 61"),
		values: []any{"a"}, canonical: unhex("02 0001 61"), scalar: true,
	},
	{name: "null, undefined, unsupported", wire: unhex("05 06 0d"), values: []any{Null{}, Undefined{}, Unsupported{}}, scalar: true},
	{name: "date", wire: unhex("0b 4278000000000000 ffc4"), values: []any{Date{Millis: 0x18000000000, Zone: -60}}, scalar: true},
	{name: "XML document", wire: unhex("0f 00000004 3c612f3e"), values: []any{XMLDocument("<a/>")}, scalar: true},
	{name: "empty object", wire: unhex("03 000009"), values: []any{Object{}}},
	{
		name: "object", wire: unhex("03 0003 617070 02 0001 78 0001 6e 00 4000000000000000 000009 05"),
		values: []any{Object{{"app", "x"}, {"n", 2.0}}, Null{}},
	},
	{
		name: "object with an empty name", wire: unhex("03 0000 05 000009"),
		values: []any{Object{{"", Null{}}}},
	},
	{
		name: "object without end", wire: unhex("03 0001 61 05"),
		values: []any{Object{{"a", Null{}}}}, canonical: unhex("03 0001 61 05 000009"),
	},
	{
		name: "nest without ends", wire: unhex("03 0001 61 0a00000001 03"),
		values:    []any{Object{{"a", StrictArray{Object{}}}}},
		canonical: unhex("03 0001 61 0a00000001 03 000009 000009"),
	},
	{
		name: "ECMA array", wire: unhex("08 00000001 0001 61 0101 000009"),
		values: []any{ECMAArray{{"a", true}}},
	},
	{
		name: "ECMA array that counts too much", wire: unhex("08 ffffffff 0001 61 0101 000009"),
		values: []any{ECMAArray{{"a", true}}}, canonical: unhex("08 00000001 0001 61 0101 000009"),
	},
	{
		name: "ECMA array that counts too little", wire: unhex("08 00000000 0001 61 0101 000009"),
		values: []any{ECMAArray{{"a", true}}}, canonical: unhex("08 00000001 0001 61 0101 000009"),
	},
	{
		name: "strict array", wire: unhex("0a 00000003 05 0a00000000 02 0001 61"),
		values: []any{StrictArray{Null{}, StrictArray{}, "a"}}, scalar: true,
	},
	{
		name: "typed object", wire: unhex("10 0001 43 0001 61 06 000009"),
		values: []any{TypedObject{Class: "C", Object: Object{{"a", Undefined{}}}}},
	},
	{
		name: "reference to a value before", wire: unhex("03 0001 61 05 000009 07 0000"),
		values:    []any{Object{{"a", Null{}}}, Object{{"a", Null{}}}},
		canonical: unhex("03 0001 61 05 000009 03 0001 61 05 000009"),
	},
	{
		// The markers count, not the ends: 0 is the outer array, 1 and 2 are in it.
		name: "reference to a sibling", wire: unhex("0a 00000003 0a00000000 10 0001 43 000009 07 0002"),
		values:    []any{StrictArray{StrictArray{}, TypedObject{Class: "C", Object: Object{}}, TypedObject{Class: "C", Object: Object{}}}},
		canonical: unhex("0a 00000003 0a00000000 10 0001 43 000009 10 0001 43 000009"),
	},
	{
		name: "connect", values: []any{
			"connect", 1.0,
			Object{
				{"app", "live"},
				{"type", "nonprivate"},
				{"flashVer", "FMLE/3.0 (compatible; FMSc/1.0)"},
				{"tcUrl", "rtmp://example.org/live"},
				{"fourCcList", StrictArray{"av01", "hvc1"}},
			},
		},
		wire: unhex("02 0007 636f6e6e656374 00 3ff0000000000000 03" +
			"0003 617070 02 0004 6c697665" +
			"0004 74797065 02 000a 6e6f6e70726976617465" +
			"0008 666c617368566572 02 001f 464d4c452f332e302028636f6d70617469626c653b20464d53632f312e3029" +
			"0005 746355726c 02 0017 72746d703a2f2f6578616d706c652e6f72672f6c697665" +
			"000a 666f757243634c697374 0a 00000002 02 0004 61763031 02 0004 68766331" +
			"000009"),
	},
}

func TestDecode(t *testing.T) {
	for _, tt := range wires {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Decode(tt.wire)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, tt.values) {
				t.Errorf("got %#v, want %#v", got, tt.values)
			}
		})
	}
}

func TestAppend(t *testing.T) {
	for _, tt := range wires {
		t.Run(tt.name, func(t *testing.T) {
			want := tt.canonical
			if want == nil {
				want = tt.wire
			}
			got := Append([]byte("before"), tt.values...)
			if !bytes.Equal(got, append([]byte("before"), want...)) {
				t.Errorf("got % x, want % x", got, want)
			}
		})
	}
}

func TestAppendPanics(t *testing.T) {
	for name, v := range map[string]any{
		"int":        1,
		"nil":        nil,
		"nested int": Object{{"a", StrictArray{1}}},
		"long name":  Object{{letters(0x10000), 1.0}},
		"long class": TypedObject{Class: letters(0x10000)},
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			Append(nil, v)
		})
	}
}

func TestNaN(t *testing.T) {
	wire := unhex("00 7ff8000000000001")
	values, err := Decode(wire)
	if err != nil {
		t.Fatal(err)
	}
	if f, ok := values[0].(float64); !ok || !math.IsNaN(f) {
		t.Errorf("got %#v", values[0])
	}
	if got := Append(nil, values...); !bytes.Equal(got, wire) {
		t.Errorf("encoded again: % x", got)
	}
}

func TestPrefixes(t *testing.T) {
	for _, tt := range wires {
		t.Run(tt.name, func(t *testing.T) {
			step := max(1, len(tt.wire)/500)
			for n := 0; n < len(tt.wire); n += step {
				values, err := Decode(tt.wire[:n])
				if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
					t.Errorf("%d bytes: error %v doesn't say they are too few", n, err)
				}
				if tt.scalar && len(values) >= len(tt.values) {
					t.Errorf("%d bytes of %d give %d values, error %v", n, len(tt.wire), len(values), err)
				}
				if !tt.scalar && len(values) > len(tt.values) {
					t.Errorf("%d bytes of %d give %d values", n, len(tt.wire), len(values))
				}
			}
		})
	}
}

func TestDecodeErrors(t *testing.T) {
	for _, tt := range []struct {
		name, wire string
		read       string // what is there all the same, as Append has it
		text       string
	}{
		{"stray object end", "05 09", "05", "object end outside of an object"},
		{"object end as a value", "03 0001 61 09", "03 000009", "object end outside of an object"},
		{"object end in an array", "0a 00000001 09", "", "object end outside of an object"},
		{"half an object end", "03 0000", "03 000009", "unexpected EOF"},
		{"half a property", "03 0001 61 05 0001 62 02 0005 61", "03 0001 61 05 000009", "unexpected EOF"},
		{"string longer than the message", "05 02 ffff 61", "05", "amf0 string at byte 4: unexpected EOF"},
		{"long string longer than the message", "0c ffffffff 61", "", "unexpected EOF"},
		{"XML longer than the message", "0f 80000000 61", "", "unexpected EOF"},
		{"array longer than the message", "0a ffffffff 05 05", "", "amf0 strict array at byte 5: unexpected EOF"},
		{"reference to nothing", "07 0000", "06", "not there"},
		{"half a reference", "03 0001 61 07 00", "03 000009", "unexpected EOF"},
		{"reference to a later value", "07 0000 03 000009", "06 03 000009", "not there"},
		{"reference to itself", "03 0001 61 07 0000 0001 62 05 000009 05", "03 0001 61 06 0001 62 05 000009 05", "enclosing"},
		{"reference to an outer value", "0a 00000001 0a 00000001 07 0000 05", "0a 00000001 0a 00000001 06 05", "enclosing"},
		{"two that lead nowhere", "0a 00000002 07 0000 07 0009", "0a 00000002 06 06", "enclosing"},
		{"AVM+", "05 11 01", "05", "amf0 at byte 1: AMF3 value (marker 0x11) is not supported"},
		{"AVM+ in an object", "08 00000000 0001 61 05 0001 62 11 01", "08 00000001 0001 61 05 000009", "AMF3"},
		{"AVM+ in an object in an object", "03 0001 61 10 0001 43 0001 61 05 0001 62 11 01", "03 0001 61 10 0001 43 0001 61 05 000009 000009", "AMF3"},
		{"movie clip", "04", "", "marker 0x04"},
		{"record set", "0e", "", "marker 0x0e"},
		{"unknown", "ff", "", "marker 0xff"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			values, err := Decode(unhex(tt.wire))
			if err == nil || !strings.Contains(err.Error(), tt.text) {
				t.Errorf("got error %v, want one with %q", err, tt.text)
			}
			if got := Append(nil, values...); !bytes.Equal(got, unhex(tt.read)) {
				t.Errorf("got % x, want %s", got, tt.read)
			}
		})
	}
}

func TestUnsupportedError(t *testing.T) {
	_, err := Decode(unhex("0a 00000001 11 01"))
	var unsupported *UnsupportedError
	if !errors.As(err, &unsupported) || unsupported.Marker != markerAVMPlus {
		t.Errorf("got error %v", err)
	}
}

// F23: bombs are small messages that ask for much. They must fail early: the place
// in the error tells how far the decoder went, the allocations what it built. The
// time is the best of some, as this machine may have other things to do.
func TestF23Bombs(t *testing.T) {
	nest := func(open string, levels int) []byte { return bytes.Repeat(unhex(open), levels) }

	// An object, then arrays of two references to the array before.
	doubling := unhex("0a 00000000")
	for i := range 40 {
		doubling = append(doubling, unhex("0a 00000002 07")...)
		doubling = append(doubling, 0, byte(i), markerReference, 0, byte(i))
	}
	// One array in an array and so on, by references: deep without being long.
	deepening := unhex("0a 00000000")
	for i := range 40 {
		deepening = append(deepening, unhex("0a 00000001 07")...)
		deepening = append(deepening, 0, byte(i))
	}
	// One long string, mentioned often.
	heavy := append(unhex("0a 00000001 02 ffff"), letters(0xFFFF)...)
	heavy = append(heavy, bytes.Repeat(unhex("07 0000"), 1000)...)

	for _, tt := range []struct {
		name   string
		wire   []byte
		text   string
		allocs float64
	}{
		{"nested objects", nest("03 0001 61", 10_000), "before byte 65: nested deeper than 16", 100},
		{"nested ECMA arrays", nest("08 00000001 0001 61", 10_000), "before byte 129: nested deeper than 16", 100},
		{"nested strict arrays", nest("0a 00000001", 10_000), "before byte 81: nested deeper than 16", 100},
		{"nested typed objects", nest("10 0001 61 0001 61", 10_000), "nested deeper than 16", 100},
		{"greedy nested arrays", append(nest("0a 00001000", 16), append(unhex("ff"), make([]byte, 5000)...)...), "not supported", 100},
		{"full array", append(unhex("0a 00100000"), bytes.Repeat([]byte{markerNull}, 1<<20)...), "before byte 4101: more than 4096 values", 100},
		{"many values", bytes.Repeat([]byte{markerNull}, 1<<20), "before byte 4097: more than 4096 values", 100},
		{"many properties", append(unhex("03"), bytes.Repeat(unhex("0000 05"), 1<<18)...), "more than 4096 values", 100},
		{"doubling references", doubling, "more than", 20_000},
		{"deepening references", deepening, "nested deeper than 16", 1000},
		{"a string longer than the rest", append(unhex("0c ffffffff"), make([]byte, 60_000)...), "unexpected EOF", 100},
		{"an array of 2^32−1", append(unhex("0a ffffffff"), bytes.Repeat([]byte{markerNull}, 60_000)...), "unexpected EOF", 100},
		{"an array that says 2^32−1 and has none", unhex("08 ffffffff 0001 61 0a ffffffff"), "unexpected EOF", 100},
		{"an array in itself", unhex("0a 00000001 07 0000"), "enclosing value", 100},
		{"an array in an array in it", unhex("0a 00000001 0a 00000001 07 0000"), "enclosing value", 100},
		{"a reference to what will come", unhex("07 ffff"), "not there", 100},
		{"AMF3", append(unhex("11 0a ffffffff"), make([]byte, 60_000)...), "not supported", 100},
		{"heavy references", heavy, "references add more than 65536 bytes", 100},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var err error
			best := time.Hour
			for range 20 {
				began := time.Now()
				_, err = Decode(tt.wire)
				best = min(best, time.Since(began))
			}
			if best > longestDecoding {
				t.Errorf("took %v", best)
			}
			allocs := testing.AllocsPerRun(1, func() { _, err = Decode(tt.wire) })
			if err == nil || !strings.Contains(err.Error(), tt.text) {
				t.Errorf("got error %v, want one with %q", err, tt.text)
			}
			if allocs > tt.allocs {
				t.Errorf("%v allocations for a message that fails early", allocs)
			}
		})
	}
}

// NaN and infinity are numbers like others here: who uses one looks.
func TestF23NotANumber(t *testing.T) {
	for _, wire := range []string{"00 7ff8000000000000", "00 fff0000000000000", "0b 7ff0000000000000 0000", "03 0001 61 00 7ff8000000000001 0000 09"} {
		if _, err := Decode(unhex(wire)); err != nil {
			t.Errorf("%s: %v", wire, err)
		}
	}
}

func TestLimitsAreReachable(t *testing.T) {
	deep := append(bytes.Repeat(unhex("0a 00000001"), MaxDepth), markerNull)
	if _, err := Decode(deep); err != nil {
		t.Errorf("depth: %v", err)
	}
	if _, err := Decode(bytes.Repeat([]byte{markerNull}, MaxValues)); err != nil {
		t.Errorf("values: %v", err)
	}
}

func TestDecodedValuesShareNothing(t *testing.T) {
	wire := unhex("0a 00000001 02 0001 61 07 0000")
	values, err := Decode(wire)
	if err != nil {
		t.Fatal(err)
	}
	clear(wire)
	values[0].(StrictArray)[0] = "changed"
	if got := values[1].(StrictArray)[0]; got != "a" {
		t.Errorf("the copy for a reference became %v", got)
	}
}

func TestProperties(t *testing.T) {
	o := Object{{"code", "first"}, {"level", "status"}, {"n", 3.0}, {"code", "last"}}
	for _, tt := range []struct {
		name   string
		value  any
		text   string
		number float64
	}{
		{"code", "last", "last", 0},
		{"level", "status", "status", 0},
		{"n", 3.0, "", 3},
		{"Level", nil, "", 0},
		{"", nil, "", 0},
	} {
		for _, p := range []interface {
			Get(string) (any, bool)
			String(string) string
			Number(string) (float64, bool)
		}{o, ECMAArray(o), TypedObject{Object: o}} {
			value, ok := p.Get(tt.name)
			if value != tt.value || ok != (tt.value != nil) {
				t.Errorf("%T.Get(%q) = %v, %v", p, tt.name, value, ok)
			}
			if text := p.String(tt.name); text != tt.text {
				t.Errorf("%T.String(%q) = %q", p, tt.name, text)
			}
			if number, ok := p.Number(tt.name); number != tt.number || ok != (tt.number != 0) {
				t.Errorf("%T.Number(%q) = %v, %v", p, tt.name, number, ok)
			}
		}
	}
}

// measure returns how deep a value is, and counts all that are in it.
func measure(v any, count *int) (depth int) {
	*count++
	var properties Object
	switch v := v.(type) {
	case Object:
		properties = v
	case ECMAArray:
		properties = Object(v)
	case TypedObject:
		properties = v.Object
	case StrictArray:
		for _, e := range v {
			depth = max(depth, measure(e, count))
		}
		return depth + 1
	default:
		return 0
	}
	for _, p := range properties {
		depth = max(depth, measure(p.Value, count))
	}
	return depth + 1
}

// FuzzDecode knows four laws: what was decoded can be encoded, what was encoded
// can be decoded, from there on nothing changes any more, and nothing is deeper
// or more than it may be.
func FuzzDecode(f *testing.F) {
	for _, tt := range wires {
		if len(tt.wire) < 1024 { // long ones only slow the fuzzer down
			f.Add(tt.wire)
		}
	}
	f.Add(unhex("00 7ff8000000000001"))
	f.Add(unhex("0a 00000000 0a 00000002 07 0000 07 0000 07 0001"))
	f.Add(unhex("05 11 01"))
	f.Fuzz(func(t *testing.T, wire []byte) {
		values, err := Decode(wire)
		count := 0
		for _, v := range values {
			if depth := measure(v, &count); depth > MaxDepth {
				t.Fatalf("%d levels", depth)
			}
		}
		once := Append(nil, values...)
		if count > MaxValues || len(once) > len(wire)+MaxReferenced+16*count { // 16: what a value is wrapped in
			t.Fatalf("%d values, %d bytes out of %d", count, len(once), len(wire))
		}
		if err == nil && len(values) == 0 && len(wire) > 0 {
			t.Fatal("no values and no error")
		}
		again, err := Decode(once)
		if err != nil {
			t.Fatalf("what we encoded doesn't decode: %v\n% x", err, once)
		}
		if len(again) != len(values) {
			t.Fatalf("%d values became %d", len(values), len(again))
		}
		// Bytes, not values, are compared: NaN equals nothing.
		if twice := Append(nil, again...); !bytes.Equal(once, twice) {
			t.Fatalf("not stable:\n% x\n% x", once, twice)
		}
	})
}

// unhex reads hexadecimal digits, spaces are for the reader.
func unhex(s string) []byte {
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		panic(err)
	}
	return b
}

func letters(n int) string { return strings.Repeat("x", n) }
