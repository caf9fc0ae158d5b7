package remux

import (
	"bytes"
	"fmt"
	"slices"
)

// AAC is a configured AAC decoder.
type AAC struct {
	Config       []byte // AudioSpecificConfig; must not be modified
	ObjectType   int    // MPEG-4 audio object type: 2 LC, 5 HE-AAC, 29 HE-AAC v2
	FrameSamples int    // of the core coder: 1024 or 960
	Sound               // its rate is that of the core coder

	elements []aacElement // of an access unit
	program  []byte       // a program config element that access units need in front of them; nil where none is
}

// maxAACConfig bounds an AudioSpecificConfig: it goes into the header of each
// period. The longest that means something has a program config element with
// a comment of 255 bytes.
const maxAACConfig = 512

// newAAC reads an AudioSpecificConfig (ISO/IEC 14496-3, section 1.6.2.1).
func newAAC(config []byte) (*AAC, error) {
	if len(config) > maxAACConfig {
		return nil, fmt.Errorf("AAC configuration: %d bytes", len(config))
	}
	c, err := parseAudioConfig(config)
	if err != nil {
		return nil, err
	}
	return c.codec()
}

// codec is the decoder, told in a way that players take.
//
// Browsers refuse a configuration without a number, and the picture with it. So
// channels that a program config element describes are told by the number of the
// configuration that has as many. Where their elements are others, or come in
// another order, the program config element is put in front of each access unit,
// where decoders find it, too.
func (c *audioConfig) codec() (*AAC, error) {
	number, same := c.number()
	if number == 0 {
		return nil, errChannels(countChannels(c.elements))
	}
	if !same && c.program == nil {
		return nil, fmt.Errorf("AAC configuration: channel configuration %d", c.channelConfig)
	}
	a := &AAC{
		ObjectType:   objectLC,
		FrameSamples: 1024,
		Sound:        Sound{SampleRate: c.rate, Channels: countChannels(c.elements), Layout: number},
		elements:     c.elements,
	}
	if !same {
		a.program = c.program
	}
	if c.short {
		a.FrameSamples = 960
	}
	switch {
	case c.extension != 0:
		a.ObjectType = c.extension
	case c.sbrBehind:
		a.ObjectType = objectSBR
	}
	if a.ObjectType == objectPS {
		a.Channels, a.Layout = 2, 2 // parametric stereo makes two of one
	}
	told := *c
	told.channelConfig = number
	a.Config = told.marshal()
	return a, nil
}

// number is that of the configuration which players know and which has as many
// channels, and whether it has the same elements; 0 where there is none.
func (c *audioConfig) number() (n int, same bool) {
	for n := 1; n <= mostChannelConfig; n++ {
		if countChannels(channelConfigs[n]) == countChannels(c.elements) {
			return n, slices.EqualFunc(channelConfigs[n], c.elements, func(a, b aacElement) bool { return a.id == b.id })
		}
	}
	return 0, false
}

// mostChannelConfig is the last one that browsers know.
const mostChannelConfig = 7

// errChannels are as many as no such configuration has.
type errChannels int

func (n errChannels) Error() string {
	return fmt.Sprintf("AAC of %d channels is not played by browsers: set the encoder's audio to mono, stereo or 5.1", int(n))
}

// String is mp4a.40.N, N being the object type (RFC 6381, section 3.3).
func (c *AAC) String() string { return fmt.Sprintf("mp4a.40.%d", c.ObjectType) }

func (c *AAC) kind() Kind { return Audio }

func (c *AAC) track() Track {
	return Track{
		Timescale: uint32(c.SampleRate), Sound: c.Sound,
		Silence: c.silence(), SilenceDuration: uint32(c.FrameSamples), UnitDuration: uint32(c.FrameSamples),
	}
}

func (c *AAC) equal(o Codec) bool {
	d, ok := o.(*AAC)
	return ok && bytes.Equal(c.Config, d.Config) && bytes.Equal(c.program, d.program)
}

// most is how many bytes an access unit may have: 6144 bits for each channel
// (ISO/IEC 14496-3, section 4.5.3.1).
func (c *AAC) most() int { return countChannels(c.elements) * 6144 / 8 }
