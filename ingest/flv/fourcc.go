package flv

// FourCC names a codec.
type FourCC uint32

// The codecs that FLV has a name for (Enhanced RTMP v2, "Enhanced Audio" and "Enhanced
// Video"). What has a number of its own from before is called by the name, too.
const (
	AVC1 FourCC = 'a'<<24 | 'v'<<16 | 'c'<<8 | '1'
	HVC1 FourCC = 'h'<<24 | 'v'<<16 | 'c'<<8 | '1'
	VVC1 FourCC = 'v'<<24 | 'v'<<16 | 'c'<<8 | '1'
	AV01 FourCC = 'a'<<24 | 'v'<<16 | '0'<<8 | '1'
	VP09 FourCC = 'v'<<24 | 'p'<<16 | '0'<<8 | '9'
	VP08 FourCC = 'v'<<24 | 'p'<<16 | '0'<<8 | '8'

	MP4A FourCC = 'm'<<24 | 'p'<<16 | '4'<<8 | 'a'
	Opus FourCC = 'O'<<24 | 'p'<<16 | 'u'<<8 | 's'
	FLAC FourCC = 'f'<<24 | 'L'<<16 | 'a'<<8 | 'C'
	MP3  FourCC = '.'<<24 | 'm'<<16 | 'p'<<8 | '3'
	AC3  FourCC = 'a'<<24 | 'c'<<16 | '-'<<8 | '3'
	EC3  FourCC = 'e'<<24 | 'c'<<16 | '-'<<8 | '3'
)

func (f FourCC) String() string {
	return string([]byte{byte(f >> 24), byte(f >> 16), byte(f >> 8), byte(f)})
}

// Kind is what a codec is for. It must be one that has a name here.
func (f FourCC) Kind() Kind {
	k, _ := f.kind()
	return k
}

func (f FourCC) kind() (k Kind, known bool) {
	switch f {
	case AVC1, HVC1, VVC1, AV01, VP09, VP08:
		return Video, true
	case MP4A, Opus, FLAC, MP3, AC3, EC3:
		return Audio, true
	}
	return 0, false
}

// is tells whether a codec can be of a kind. One that nobody knows can.
func (f FourCC) is(k Kind) bool {
	if of, known := f.kind(); known {
		return of == k
	}
	return f.readable()
}

// readable tells whether it has letters only, as all have that mean something.
func (f FourCC) readable() bool {
	for _, c := range []byte(f.String()) {
		if c < ' ' || c > '~' {
			return false
		}
	}
	return true
}

// composed tells whether frames come with a composition time.
func (f FourCC) composed() bool { return f == AVC1 || f == HVC1 || f == VVC1 }

// selfDescribed tells whether frames say all that a decoder must know: a
// configuration may have no bytes.
func (f FourCC) selfDescribed() bool {
	switch f {
	case Opus, FLAC, MP3, AC3, EC3:
		return true
	}
	return false
}
