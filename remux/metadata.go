package remux

import "github.com/sluice-live/sluice/ingest/amf"

// metadata is what onMetaData says of the first track of each kind. Nothing else in
// it is needed, and little can be trusted. What isn't said is 0.
type metadata struct {
	bitrate   [2]int // by Kind, bit/s
	frameRate int    // per 1000 s
}

// read takes the body of a script tag.
func (m *metadata) read(body []byte) {
	values, _ := amf.Decode(body)
	if len(values) < 2 || values[0] != any("onMetaData") {
		return
	}
	number := func(key string) int {
		n, _ := amf.Properties(values[1]).Number(key)
		if n > 0 && n < 1e6 { // false for NaN
			return int(n * 1000)
		}
		return 0
	}
	m.bitrate = [2]int{Video: number("videodatarate"), Audio: number("audiodatarate")}
	m.frameRate = number("framerate")
}
