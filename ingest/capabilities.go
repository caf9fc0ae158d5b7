package ingest

import (
	"github.com/sluice-live/sluice/ingest/amf"
	"github.com/sluice-live/sluice/ingest/flv"
)

// capabilities is what the answer to connect says of Enhanced RTMP (v2, "Enhancing
// NetConnection connect Command"): which codecs are carried, so that encoders choose
// one of them. Encoders that say nothing of it themselves are told nothing: there are
// those that stumble over what they don't know.
func capabilities(connect amf.Object, codecs []flv.FourCC) amf.Object {
	if !enhanced(connect) {
		return nil
	}
	const canForward = 4.0 // FourCcInfoMask: what comes in goes out as it is
	var list amf.StrictArray
	var video, audio amf.Object
	for _, c := range codecs {
		name := c.String()
		list = append(list, name)
		if c.Kind() == flv.Video {
			video = append(video, amf.Property{Name: name, Value: canForward})
		} else {
			audio = append(audio, amf.Property{Name: name, Value: canForward})
		}
	}
	// CapsExMask. reconnect: who can is asked to, before this server stops.
	const modEx, timestampNanoOffset = 4, 8
	return amf.Object{
		{Name: "fourCcList", Value: list},
		{Name: "videoFourCcInfoMap", Value: video},
		{Name: "audioFourCcInfoMap", Value: audio},
		{Name: "capsEx", Value: float64(reconnect | multitrack | modEx | timestampNanoOffset)},
	}
}

// Bits of CapsExMask that count here, too, when peers have them.
const reconnect, multitrack = 1, 2

// enhanced tells whether the object of a connect command says anything of Enhanced RTMP.
func enhanced(connect amf.Object) bool {
	for _, name := range []string{"fourCcList", "videoFourCcInfoMap", "audioFourCcInfoMap", "capsEx"} {
		if _, ok := connect.Get(name); ok {
			return true
		}
	}
	return false
}
