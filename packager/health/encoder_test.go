package health

import (
	"cmp"
	"encoding/binary"
	"math"
	"time"

	"github.com/sluice-live/sluice/remux"
)

// avcRecord is an AVC configuration record of 960 × 540.
var avcRecord = []byte("\x01\x64\x00\x28\xff\xe1\x00\x1c\x67\x64\x00\x28\xac\x76\x11\x03\xc0\x45\xfb\xc0\x44\x00\x00\x03\x00\x04\x00\x00\x03\x00\xf0\x3c\x60\xc6\x11\x80\x01\x00\x06\x68\xe8\x43\x9c\xb2\x2c")

// appendNumber adds a property to an ECMA array of AMF0.
func appendNumber(b []byte, name string, value float64) []byte {
	b = append(b, 0, byte(len(name)))
	b = append(b, name...)
	b = append(b, 0)
	return binary.BigEndian.AppendUint64(b, math.Float64bits(value))
}

func compare(a, b float64) int { return cmp.Compare(a, b) }

// void is an Output that keeps nothing.
type void struct{}

func (void) Begin(now time.Time) time.Time   { return now }
func (void) SetTracks([]remux.Track) error   { return nil }
func (void) WriteSample(*remux.Sample) error { return nil }
func (void) Close(error)                     {}
