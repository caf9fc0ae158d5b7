package remux

import (
	"errors"
	"fmt"
	"slices"
)

// MPEG-4 audio object types (ISO/IEC 14496-3, table 1.17).
const (
	objectMain = 1
	objectLC   = 2
	objectSBR  = 5  // HE-AAC: half the rate in AAC-LC, and how to make the upper half
	objectPS   = 29 // HE-AAC v2: one channel, and how to make two of it
)

// Syntactic elements of an AAC access unit (ISO/IEC 14496-3, table 4.85).
const (
	elementSCE = 0 // one channel
	elementCPE = 1 // two
	elementLFE = 3 // the bass
	elementPCE = 5 // what the elements are
	elementEnd = 7
)

// aacElement is what one channel or a pair of them is coded in.
type aacElement struct {
	id  uint8
	tag uint8 // tells elements of one kind apart
}

func countChannels(elements []aacElement) (n int) {
	for _, e := range elements {
		if n++; e.id == elementCPE {
			n++
		}
	}
	return n
}

var (
	sce = func(tag uint8) aacElement { return aacElement{elementSCE, tag} }
	cpe = func(tag uint8) aacElement { return aacElement{elementCPE, tag} }
	lfe = func(tag uint8) aacElement { return aacElement{elementLFE, tag} }
)

// channelConfigs are the elements of the configurations that have a number
// (ISO/IEC 14496-3, table 1.19).
var channelConfigs = [...][]aacElement{
	1:  {sce(0)},
	2:  {cpe(0)},
	3:  {sce(0), cpe(0)},
	4:  {sce(0), cpe(0), sce(1)},
	5:  {sce(0), cpe(0), cpe(1)},
	6:  {sce(0), cpe(0), cpe(1), lfe(0)},
	7:  {sce(0), cpe(0), cpe(1), cpe(2), lfe(0)},
	11: {sce(0), cpe(0), cpe(1), sce(1), lfe(0)},
	12: {sce(0), cpe(0), cpe(1), cpe(2), lfe(0)},
	13: {sce(0), cpe(0), cpe(1), cpe(2), cpe(3), sce(1), lfe(0), lfe(1), sce(2), cpe(4), cpe(5), sce(3), cpe(6), sce(4), sce(5), cpe(7)},
	14: {sce(0), cpe(0), cpe(1), lfe(0), cpe(2)},
}

// audioConfig is an AudioSpecificConfig (ISO/IEC 14496-3, section 1.6.2.1).
type audioConfig struct {
	object        int  // of the core coder
	extension     int  // objectSBR or objectPS, where it is signalled at the start; else 0
	rate          int  // Hz of the core coder
	extensionRate int  // Hz that come out, where there is an extension
	short         bool // a frame has 960 samples, not 1024
	coreDelay     uint32
	depends       bool
	channelConfig int          // 0 where a program config element says
	elements      []aacElement // of each access unit
	program       []byte       // that element as access units have it
	sbrBehind     bool         // HE-AAC is signalled behind all that, where decoders of AAC-LC don't look
	rateBehind    int          // Hz that come out then
	psBehind      bool
}

var errShortAudioConfig = errors.New("AAC configuration is cut short")

// parseAudioConfig reads what decoders of AAC-LC need; what is behind that is
// left to them.
func parseAudioConfig(b []byte) (audioConfig, error) {
	var c audioConfig
	r := bitReader{b: b}
	c.object = objectType(&r)
	c.rate = samplingRate(&r)
	c.channelConfig = int(r.take(4))
	if c.object == objectSBR || c.object == objectPS {
		c.extension = c.object
		c.extensionRate = samplingRate(&r)
		c.object = objectType(&r)
	}
	if r.past() {
		return c, errShortAudioConfig
	}
	if c.object != objectLC {
		return c, errObjectType(c.object)
	}
	c.short = r.flag()
	if c.depends = r.flag(); c.depends {
		c.coreDelay = r.take(14)
	}
	r.take(1) // extensionFlag: of scalable and error resilient coders
	switch {
	case c.channelConfig == 0:
		var err error
		if c.elements, c.program, err = programConfig(&r); err != nil {
			return c, err
		}
	case c.channelConfig < len(channelConfigs):
		c.elements = channelConfigs[c.channelConfig]
	}
	switch {
	case r.past():
		return c, errShortAudioConfig
	case len(c.elements) == 0:
		return c, fmt.Errorf("AAC configuration: channel configuration %d", c.channelConfig)
	case c.rate < 7350 || c.rate > 96000:
		return c, fmt.Errorf("AAC configuration: sample rate %d", c.rate)
	case c.extension != 0 && (c.extensionRate < c.rate || c.extensionRate > 2*96000):
		return c, fmt.Errorf("AAC configuration: sample rate %d of HE-AAC", c.extensionRate)
	}
	c.lookBehind(r)
	return c, nil
}

// Words that introduce what was added to AAC later (ISO/IEC 14496-3, table 1.15).
const (
	syncSBR = 0x2B7
	syncPS  = 0x548
)

// lookBehind finds the backward compatible signalling of HE-AAC. Some encoders
// leave garbage there.
func (c *audioConfig) lookBehind(r bitReader) {
	if c.extension != 0 || r.take(11) != syncSBR || r.take(5) != objectSBR || !r.flag() {
		return
	}
	rate := samplingRate(&r)
	if r.past() || rate == 0 {
		return
	}
	c.sbrBehind, c.rateBehind = true, rate
	c.psBehind = r.take(11) == syncPS && r.flag()
}

// marshal writes it with a channel configuration that has a number.
func (c *audioConfig) marshal() []byte {
	var w bitWriter
	object := c.object
	if c.extension != 0 {
		object = c.extension
	}
	w.put(uint32(object), 5)
	putRate(&w, c.rate)
	w.put(uint32(c.channelConfig), 4)
	if c.extension != 0 {
		putRate(&w, c.extensionRate)
		w.put(uint32(c.object), 5)
	}
	w.flag(c.short)
	w.flag(c.depends)
	if c.depends {
		w.put(c.coreDelay, 14)
	}
	w.put(0, 1) // extensionFlag
	if c.sbrBehind {
		w.put(syncSBR, 11)
		w.put(objectSBR, 5)
		w.put(1, 1)
		putRate(&w, c.rateBehind)
		if c.psBehind {
			w.put(syncPS, 11)
			w.put(1, 1)
		}
	}
	return w.b
}

// errObjectType is a kind of AAC that browsers don't decode.
type errObjectType int

var objectNames = map[errObjectType]string{
	objectMain: "AAC Main", 3: "AAC SSR", 4: "AAC LTP", 17: "error resilient AAC-LC", 23: "AAC-LD", 39: "AAC-ELD", 42: "xHE-AAC",
}

func (t errObjectType) Error() string {
	name, ok := objectNames[t]
	if !ok {
		name = fmt.Sprintf("MPEG-4 audio of object type %d", int(t))
	}
	return name + " is not played by browsers: set the encoder's AAC profile to LC"
}

func objectType(r *bitReader) int {
	if t := r.take(5); t < 31 {
		return int(t)
	}
	return 32 + int(r.take(6))
}

// samplingRates are those that have an index (ISO/IEC 14496-3, table 1.18).
var samplingRates = [...]int{96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350}

// byNumber stands for a rate that has none.
const byNumber = 15

func samplingRate(r *bitReader) int {
	switch i := int(r.take(4)); {
	case i < len(samplingRates):
		return samplingRates[i]
	case i == byNumber:
		return int(r.take(24))
	}
	return 0
}

func putRate(w *bitWriter, rate int) {
	if i := slices.Index(samplingRates[:], rate); i >= 0 {
		w.put(uint32(i), 4)
		return
	}
	w.put(byNumber, 4)
	w.put(uint32(rate), 24)
}

// programConfig reads a program_config_element (ISO/IEC 14496-3, table 4.2): the
// elements that it names, in the order in which they are named, and the whole, less
// the comment, as an access unit has it.
func programConfig(r *bitReader) (elements []aacElement, inBand []byte, err error) {
	begin := *r
	r.take(4 + 2 + 4) // tag, object type, sampling rate
	front, side, back, bass := int(r.take(4)), int(r.take(4)), int(r.take(4)), int(r.take(2))
	data, coupling := int(r.take(3)), int(r.take(4))
	if r.flag() { // mono mixdown
		r.take(4)
	}
	if r.flag() { // stereo mixdown
		r.take(4)
	}
	if r.flag() { // matrix mixdown
		r.take(2 + 1)
	}
	for range front + side + back {
		e := aacElement{id: elementSCE}
		if r.flag() {
			e.id = elementCPE
		}
		e.tag = uint8(r.take(4))
		elements = append(elements, e)
	}
	for range bass {
		elements = append(elements, lfe(uint8(r.take(4))))
	}
	r.take(4*data + (1+4)*coupling)
	var w bitWriter
	w.put(elementPCE, 3)
	for begin.pos < r.pos {
		w.put(begin.take(1), 1)
	}
	w.free = 0  // align
	w.put(0, 8) // bytes of comment
	r.align()
	r.pos += 8 * int(r.take(8))
	if r.past() {
		return nil, nil, errors.New("AAC program config element is cut short")
	}
	if len(elements) == 0 {
		return nil, nil, errors.New("AAC program config element without channels")
	}
	return elements, w.b, nil
}
