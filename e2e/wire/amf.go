package main

import (
	"encoding/binary"
	"fmt"
	"math"
)

// amfString is a string in AMF0, with its marker.
func amfString(s string) []byte { return append([]byte{2}, amfKey(s)...) }

func amfKey(s string) []byte {
	return append(binary.BigEndian.AppendUint16(nil, uint16(len(s))), s...)
}

// object is an AMF0 object of names and values, in this order. A value is a
// number, a string, or an object.
func object(pairs ...any) []byte {
	b := []byte{3}
	for i := 0; i < len(pairs); i += 2 {
		b = append(b, amfKey(pairs[i].(string))...)
		switch v := pairs[i+1].(type) {
		case float64:
			b = binary.BigEndian.AppendUint64(append(b, 0), math.Float64bits(v))
		case string:
			b = append(b, amfString(v)...)
		case []byte:
			b = append(b, v...)
		default:
			panic(fmt.Sprintf("%T is no value", v))
		}
	}
	return append(b, 0, 0, 9)
}
