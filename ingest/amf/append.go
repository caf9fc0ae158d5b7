package amf

import (
	"encoding/binary"
	"fmt"
	"math"
)

// Append appends the encoding of values to dst and returns the extended slice.
// It takes the types [Decode] returns and panics on any other, on names and class
// names longer than 65,535 bytes and on text longer than 4 GiB: all these are
// broken promises of the caller. A string too long for the string type becomes a
// long string (AMF0 section 2.14). References are never written.
func Append(dst []byte, values ...any) []byte {
	for _, v := range values {
		dst = appendValue(dst, v)
	}
	return dst
}

func appendValue(dst []byte, value any) []byte {
	switch v := value.(type) {
	case float64:
		return appendNumber(append(dst, markerNumber), v)
	case bool:
		if v {
			return append(dst, markerBoolean, 1)
		}
		return append(dst, markerBoolean, 0)
	case string:
		if len(v) > math.MaxUint16 {
			return appendLong(append(dst, markerLongString), v)
		}
		return appendShort(append(dst, markerString), v)
	case XMLDocument:
		return appendLong(append(dst, markerXMLDocument), string(v))
	case Null:
		return append(dst, markerNull)
	case Undefined:
		return append(dst, markerUndefined)
	case Unsupported:
		return append(dst, markerUnsupported)
	case Date:
		dst = appendNumber(append(dst, markerDate), v.Millis)
		return binary.BigEndian.AppendUint16(dst, uint16(v.Zone))
	case Object:
		return appendProperties(append(dst, markerObject), v)
	case ECMAArray:
		dst = binary.BigEndian.AppendUint32(append(dst, markerECMAArray), uint32(len(v)))
		return appendProperties(dst, Object(v))
	case TypedObject:
		dst = appendShort(append(dst, markerTypedObject), v.Class)
		return appendProperties(dst, v.Object)
	case StrictArray:
		dst = binary.BigEndian.AppendUint32(append(dst, markerStrictArray), uint32(len(v)))
		return Append(dst, v...)
	default:
		panic(fmt.Sprintf("amf: Append of a %T", value))
	}
}

func appendProperties(dst []byte, o Object) []byte {
	for _, p := range o {
		dst = appendValue(appendShort(dst, p.Name), p.Value)
	}
	return append(dst, 0, 0, markerObjectEnd)
}

func appendNumber(dst []byte, f float64) []byte {
	return binary.BigEndian.AppendUint64(dst, math.Float64bits(f))
}

func appendShort(dst []byte, s string) []byte {
	if len(s) > math.MaxUint16 {
		panic(fmt.Sprintf("amf: Append of a name of %d bytes", len(s)))
	}
	return append(binary.BigEndian.AppendUint16(dst, uint16(len(s))), s...)
}

func appendLong(dst []byte, s string) []byte {
	if uint64(len(s)) > math.MaxUint32 {
		panic(fmt.Sprintf("amf: Append of a text of %d bytes", len(s)))
	}
	return append(binary.BigEndian.AppendUint32(dst, uint32(len(s))), s...)
}
