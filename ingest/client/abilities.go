package client

import (
	"github.com/sluice-live/sluice/ingest/amf"
	"github.com/sluice-live/sluice/ingest/flv"
)

// abilities reads what the answer to connect says of Enhanced RTMP (v2, "Enhancing
// NetConnection connect Command").
func abilities(answer []any) (a Abilities) {
	const most = 64 // there are no more
	add := func(name string) {
		switch {
		case name == "*":
			a.All = true
		case len(name) == 4 && len(a.Codecs) < most:
			a.Codecs = append(a.Codecs, flv.FourCC(name[0])<<24|flv.FourCC(name[1])<<16|flv.FourCC(name[2])<<8|flv.FourCC(name[3]))
		}
	}
	for _, v := range answer {
		o := amf.Properties(v)
		list, _ := o.Get("fourCcList")
		if names, ok := list.(amf.StrictArray); ok {
			for _, n := range names {
				if name, ok := n.(string); ok {
					add(name)
				}
			}
		}
		for _, field := range []string{"videoFourCcInfoMap", "audioFourCcInfoMap"} {
			v, _ := o.Get(field)
			for _, p := range amf.Properties(v) {
				if mask, ok := p.Value.(float64); ok && mask > 0 {
					add(p.Name)
				}
			}
		}
		const multitrack = 2 // CapsExMask
		caps, _ := o.Get("capsEx")
		mask, _ := caps.(float64)
		a.Tracks = a.Tracks || uint32(mask)&multitrack != 0
	}
	return a
}
