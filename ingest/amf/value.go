// Package amf reads and writes the AMF0 values of RTMP commands and metadata.
package amf

import "fmt"

// Markers of the AMF0 specification, section 2.1; AVM+ is section 3.1.
const (
	markerNumber      = 0x00
	markerBoolean     = 0x01
	markerString      = 0x02
	markerObject      = 0x03
	markerNull        = 0x05
	markerUndefined   = 0x06
	markerReference   = 0x07
	markerECMAArray   = 0x08
	markerObjectEnd   = 0x09
	markerStrictArray = 0x0A
	markerDate        = 0x0B
	markerLongString  = 0x0C
	markerUnsupported = 0x0D
	markerXMLDocument = 0x0F
	markerTypedObject = 0x10
	markerAVMPlus     = 0x11
)

// Null is the AMF null (AMF0 section 2.7). Commands without a command object
// carry one in its place.
type Null struct{}

// Undefined is the AMF undefined (AMF0 section 2.8).
type Undefined struct{}

// Unsupported stands for a value its sender could not serialize (AMF0 section
// 2.15).
type Unsupported struct{}

// XMLDocument is the text of an XML document (AMF0 section 2.17). It is opaque
// here: hostile XML stays unparsed.
type XMLDocument string

// Date is a moment (AMF0 section 2.13).
type Date struct {
	Millis float64 // since 1970-01-01 UTC
	Zone   int16   // minutes; reserved by the specification, should be 0
}

// StrictArray is a list without names (AMF0 section 2.12).
type StrictArray []any

// Property is one named value of an [Object] or [ECMAArray].
type Property struct {
	Name  string
	Value any
}

// Object is an anonymous object (AMF0 section 2.5). Properties keep their order
// on the wire; names may repeat, then the last one counts, as it does for a
// peer that assigns them one after the other.
type Object []Property

// Get returns the value of the property with exactly this name.
func (o Object) Get(name string) (value any, ok bool) {
	for i := len(o) - 1; i >= 0; i-- {
		if o[i].Name == name {
			return o[i].Value, true
		}
	}
	return nil, false
}

// String returns the string property of this name, or "" if there is none or it
// is of another type.
func (o Object) String(name string) string {
	value, _ := o.Get(name)
	s, _ := value.(string)
	return s
}

// Number returns the number property of this name; ok is false if there is none
// or it is of another type. The number may be NaN or infinite.
func (o Object) Number(name string) (number float64, ok bool) {
	value, _ := o.Get(name)
	number, ok = value.(float64)
	return number, ok
}

// ECMAArray is an associative array (AMF0 section 2.10): an [Object] with
// another marker, the usual shape of onMetaData.
type ECMAArray []Property

// Get returns the value of the property with exactly this name.
func (a ECMAArray) Get(name string) (value any, ok bool) { return Object(a).Get(name) }

// String returns the string property of this name, or "" if there is none or it
// is of another type.
func (a ECMAArray) String(name string) string { return Object(a).String(name) }

// Number returns the number property of this name; ok is false if there is none
// or it is of another type. The number may be NaN or infinite.
func (a ECMAArray) Number(name string) (number float64, ok bool) { return Object(a).Number(name) }

// TypedObject is an object of a named class (AMF0 section 2.18).
type TypedObject struct {
	Class string
	Object
}

// Properties are those of a value of any of the three kinds that have names:
// peers take one for another. They are nil for any other value.
func Properties(value any) Object {
	switch v := value.(type) {
	case Object:
		return v
	case ECMAArray:
		return Object(v)
	case TypedObject:
		return v.Object
	}
	return nil
}

// UnsupportedError reports a value whose marker this package does not read:
// AVM+ (0x11), behind which an AMF3 value follows, the reserved movie clip
// (0x04) and record set (0x0E), and everything the specification doesn't define.
// Such a value has no length of its own, so nothing behind it can be read.
type UnsupportedError struct {
	Marker byte
}

func (e *UnsupportedError) Error() string {
	if e.Marker == markerAVMPlus {
		return "AMF3 value (marker 0x11) is not supported"
	}
	return fmt.Sprintf("AMF0 marker 0x%02x is not supported", e.Marker)
}
