package amf

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
)

// What one message may make us build. The decoder checks these before it
// recurses or allocates, so hostile bytes cost no more than their own length.
const (
	// MaxDepth is how deep objects and arrays may nest. Real commands need 3;
	// unbounded recursion would end in a stack overflow, which kills the whole
	// process past any recover.
	MaxDepth = 16

	// MaxValues is how many values a message may hold, those inside of others
	// and the copies made for references included. A value is one byte on the
	// wire but 16 and more in memory.
	MaxValues = 4096

	// MaxReferenced is how many bytes of strings and names references may add to
	// a message. Without it a few bytes of references to one long string would
	// be re-encoded as gigabytes.
	MaxReferenced = 64 << 10
)

// Decode reads all the values of a message body. On an error it also returns what
// it read before: the values, and of an object that failed, the properties. A
// message cut short gives an error that wraps [io.ErrUnexpectedEOF].
//
// The values are float64, bool, string, [Null], [Undefined], [Unsupported],
// [Date], [XMLDocument], [Object], [ECMAArray], [StrictArray] and [TypedObject].
// They share no memory with b nor with each other: a reference (AMF0 section 2.9)
// becomes a copy of what it refers to. One to nothing, or to a value that
// contains it, becomes Undefined; all behind it is read, and the error told in
// the end. Strings are as received; the specification
// wants UTF-8, the peer may not care.
//
// An object without its end marker at the end of b is taken as ended there: some
// encoders omit it.
func Decode(b []byte) ([]any, error) {
	d := decoder{msg: b}
	var values []any
	for d.pos < len(d.msg) {
		v, err := d.value(0)
		if v != nil {
			values = append(values, v)
		}
		if err != nil {
			return values, err
		}
	}
	return values, d.dangling
}

// decoder is the state of reading one message.
type decoder struct {
	msg []byte
	pos int

	values     int // read or copied so far, see MaxValues
	referenced int // bytes copied so far, see MaxReferenced

	// complexes are the objects and arrays in the order their markers came,
	// which is how references count them; nil while one is still being read.
	complexes []any

	dangling error // the first reference that leads nowhere
}

// value reads one value that lies inside of depth objects and arrays. On an
// error it returns nil, or what an object has before it.
func (d *decoder) value(depth int) (any, error) {
	marker, err := d.take(1, "marker")
	if err != nil {
		return nil, err
	}
	if err := d.countValue(); err != nil {
		return nil, err
	}
	switch marker[0] {
	case markerNumber:
		return whole(d.number("number"))
	case markerBoolean:
		b, err := d.take(1, "boolean")
		if err != nil {
			return nil, err
		}
		return b[0] != 0, nil
	case markerString:
		return whole(d.shortString("string"))
	case markerLongString:
		return whole(d.longString("long string"))
	case markerXMLDocument:
		s, err := d.longString("XML document")
		return whole(XMLDocument(s), err)
	case markerDate:
		return whole(d.date())
	case markerNull:
		return Null{}, nil
	case markerUndefined:
		return Undefined{}, nil
	case markerUnsupported:
		return Unsupported{}, nil
	case markerReference:
		return d.reference(depth)
	case markerObject, markerECMAArray, markerStrictArray, markerTypedObject:
		return d.complex(marker[0], depth+1)
	case markerObjectEnd:
		return nil, d.fail("object end outside of an object")
	default:
		return nil, fmt.Errorf("amf0 at byte %d: %w", d.pos-1, &UnsupportedError{Marker: marker[0]})
	}
}

// whole is v, unless it could not be read.
func whole[T any](v T, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	return v, nil
}

// complex reads the object or array behind a marker and enters it into the
// reference table. It is itself the depth-th of its nest.
func (d *decoder) complex(marker byte, depth int) (any, error) {
	if err := d.checkDepth(depth); err != nil {
		return nil, err
	}
	index := len(d.complexes)
	d.complexes = append(d.complexes, nil)
	v, err := d.complexBody(marker, depth)
	d.complexes[index] = v
	return v, err
}

func (d *decoder) complexBody(marker byte, depth int) (any, error) {
	switch marker {
	case markerObject:
		return d.properties(depth)
	case markerECMAArray:
		// The count is a hint: OBS sends one that differs from what follows.
		if _, err := d.take(4, "ECMA array count"); err != nil {
			return nil, err
		}
		o, err := d.properties(depth)
		return ECMAArray(o), err
	case markerTypedObject:
		class, err := d.shortString("class name")
		if err != nil {
			return nil, err
		}
		o, err := d.properties(depth)
		return TypedObject{Class: class, Object: o}, err
	case markerStrictArray:
		return whole(d.elements(depth))
	}
	panic("amf: not a marker of an object or array")
}

// properties reads names and values up to the object end, AMF0 section 2.11, or
// the end of the message. On an error it returns those before it.
func (d *decoder) properties(depth int) (Object, error) {
	o := Object{}
	for d.pos < len(d.msg) {
		name, err := d.shortString("property name")
		if err != nil {
			return o, err
		}
		// An empty name before anything but the end marker is a name like another.
		if name == "" && d.pos < len(d.msg) && d.msg[d.pos] == markerObjectEnd {
			d.pos++
			return o, nil
		}
		v, err := d.value(depth)
		if v != nil {
			o = append(o, Property{Name: name, Value: v})
		}
		if err != nil {
			return o, err
		}
	}
	return o, nil
}

func (d *decoder) elements(depth int) (StrictArray, error) {
	b, err := d.take(4, "strict array count")
	if err != nil {
		return nil, err
	}
	count := binary.BigEndian.Uint32(b)
	// A value takes a byte at least. The slice grows with what is there all the
	// same: nested arrays could each claim all the bytes that remain.
	if uint64(count) > uint64(len(d.msg)-d.pos) {
		return nil, d.truncated("strict array")
	}
	a := StrictArray{}
	for range count {
		v, err := d.value(depth)
		if err != nil {
			return nil, err
		}
		a = append(a, v)
	}
	return a, nil
}

// reference resolves an index into the objects and arrays already read, AMF0
// section 2.9. One that is still being read would contain itself.
func (d *decoder) reference(depth int) (any, error) {
	b, err := d.take(2, "reference")
	if err != nil {
		return nil, err
	}
	index := int(binary.BigEndian.Uint16(b))
	if index >= len(d.complexes) {
		return d.dangle(d.fail("reference to a value that is not there")), nil
	}
	if d.complexes[index] == nil {
		return d.dangle(d.fail("reference to an enclosing value")), nil
	}
	return whole(d.copy(d.complexes[index], depth))
}

// dangle is what stands for a reference that leads nowhere, and why. It has its
// length, so that what comes behind it can be read.
func (d *decoder) dangle(why error) any {
	if d.dangling == nil {
		d.dangling = why
	}
	return Undefined{}
}

// copy duplicates a value already read to a place inside of depth objects and
// arrays. It is charged like reading the value again: an array of two references
// to the array before it, and so on, would double with every eleven bytes.
func (d *decoder) copy(v any, depth int) (any, error) {
	if err := d.countValue(); err != nil {
		return nil, err
	}
	switch v := v.(type) {
	case string:
		return v, d.countReferenced(v)
	case XMLDocument:
		return v, d.countReferenced(string(v))
	case Object:
		return d.copyProperties(v, depth+1)
	case ECMAArray:
		o, err := d.copyProperties(Object(v), depth+1)
		return ECMAArray(o), err
	case TypedObject:
		if err := d.countReferenced(v.Class); err != nil {
			return nil, err
		}
		o, err := d.copyProperties(v.Object, depth+1)
		return TypedObject{Class: v.Class, Object: o}, err
	case StrictArray:
		return d.copyElements(v, depth+1)
	default:
		return v, nil
	}
}

func (d *decoder) copyProperties(o Object, depth int) (Object, error) {
	if err := d.checkDepth(depth); err != nil {
		return nil, err
	}
	out := Object{}
	for _, p := range o {
		if err := d.countReferenced(p.Name); err != nil {
			return nil, err
		}
		v, err := d.copy(p.Value, depth)
		if err != nil {
			return nil, err
		}
		out = append(out, Property{Name: p.Name, Value: v})
	}
	return out, nil
}

func (d *decoder) copyElements(a StrictArray, depth int) (StrictArray, error) {
	if err := d.checkDepth(depth); err != nil {
		return nil, err
	}
	out := StrictArray{}
	for _, e := range a {
		v, err := d.copy(e, depth)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, nil
}

func (d *decoder) number(what string) (float64, error) {
	b, err := d.take(8, what)
	if err != nil {
		return 0, err
	}
	return math.Float64frombits(binary.BigEndian.Uint64(b)), nil
}

func (d *decoder) date() (Date, error) {
	millis, err := d.number("date")
	if err != nil {
		return Date{}, err
	}
	zone, err := d.take(2, "date zone")
	if err != nil {
		return Date{}, err
	}
	return Date{Millis: millis, Zone: int16(binary.BigEndian.Uint16(zone))}, nil
}

func (d *decoder) shortString(what string) (string, error) {
	b, err := d.take(2, what)
	if err != nil {
		return "", err
	}
	b, err = d.take(uint32(binary.BigEndian.Uint16(b)), what)
	return string(b), err
}

func (d *decoder) longString(what string) (string, error) {
	b, err := d.take(4, what)
	if err != nil {
		return "", err
	}
	b, err = d.take(binary.BigEndian.Uint32(b), what)
	return string(b), err
}

// take returns the next n bytes of the message, if it has them.
func (d *decoder) take(n uint32, what string) ([]byte, error) {
	if uint64(n) > uint64(len(d.msg)-d.pos) {
		return nil, d.truncated(what)
	}
	b := d.msg[d.pos : d.pos+int(n)]
	d.pos += int(n)
	return b, nil
}

func (d *decoder) countValue() error {
	d.values++
	if d.values > MaxValues {
		return d.fail("more than %d values", MaxValues)
	}
	return nil
}

func (d *decoder) countReferenced(s string) error {
	d.referenced += len(s)
	if d.referenced > MaxReferenced {
		return d.fail("references add more than %d bytes", MaxReferenced)
	}
	return nil
}

func (d *decoder) checkDepth(depth int) error {
	if depth > MaxDepth {
		return d.fail("nested deeper than %d", MaxDepth)
	}
	return nil
}

func (d *decoder) truncated(what string) error {
	return fmt.Errorf("amf0 %s at byte %d: %w", what, d.pos, io.ErrUnexpectedEOF)
}

// fail is for the place just read. Errors name places, never names or strings
// from the message: those would carry hostile text of any length into the log.
func (d *decoder) fail(format string, args ...any) error {
	return fmt.Errorf("amf0 before byte %d: %s", d.pos, fmt.Sprintf(format, args...))
}
