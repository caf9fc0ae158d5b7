package ingest

import (
	"context"
	"errors"

	"github.com/sluice-live/sluice/ingest/amf"
	"github.com/sluice-live/sluice/ingest/flv"
)

// Player is a Handler that gives streams to those who play them, too.
type Player interface {
	// Play returns the Source of a stream and what it is called in public. It may wait
	// until the stream is there. An error becomes the answer to the reader: wrap
	// ErrNotFound or ErrDenied to choose its code. The context ends with the play.
	Play(ctx context.Context, r Request) (stream string, s Source, err error)
}

// Source has the tags of one stream for one reader. It is used by one goroutine.
type Source interface {
	// Next returns the next tag, or false where there is none now. Its head is valid
	// until the next call, its body until the next call of More: neither may be modified.
	Next() (flv.Drawn, bool)
	// More returns when there may be more tags, io.EOF when none will come, or the
	// context's error.
	More(ctx context.Context) error
	// Rest lets go of all that it holds: what Next returns behind it begins with a keyframe. It
	// returns io.EOF when the stream has ended, or the context's error.
	Rest(ctx context.Context) error
	// Receive switches sound or pictures on and off. They are on at first.
	Receive(kind flv.Kind, on bool)
	// Close is called exactly once.
	Close()
}

// Relayed is a Source that knows which servers the stream has come by, the nearest first,
// this one before all. Relays are told, or two servers that play each other's stream
// would go on for ever.
type Relayed interface {
	Via() []string
}

// ErrNotFound is for a stream that is not there.
var ErrNotFound = errors.New("no such stream")

// playStatus is the NetStream status code that tells a reader of err.
func playStatus(err error) string {
	if errors.Is(err, ErrNotFound) {
		return "NetStream.Play.StreamNotFound"
	}
	return "NetStream.Play.Failed"
}

// Abilities are what a peer says that it can take of Enhanced RTMP (v2, "Enhancing
// NetConnection connect Command"). Who says nothing takes what is older.
type Abilities struct {
	Codecs []flv.FourCC
	All    bool // any codec
	Tracks bool // several tracks of a kind

	Reconnect bool // it comes by another connection when it is asked to
}

// Takes tells whether a codec is among them.
func (a *Abilities) Takes(c flv.FourCC) bool {
	if a.All {
		return true
	}
	for _, has := range a.Codecs {
		if has == c {
			return true
		}
	}
	return false
}

// mostAbilities bounds how many codecs are remembered: there are no more.
const mostAbilities = 32

// abilities reads the object of a connect command.
func abilities(connect amf.Object) (a Abilities) {
	add := func(name string) {
		switch {
		case name == "*":
			a.All = true
		case len(name) == 4 && len(a.Codecs) < mostAbilities:
			a.Codecs = append(a.Codecs, flv.FourCC(name[0])<<24|flv.FourCC(name[1])<<16|flv.FourCC(name[2])<<8|flv.FourCC(name[3]))
		}
	}
	list, _ := connect.Get("fourCcList")
	if l, ok := list.(amf.StrictArray); ok {
		for _, v := range l {
			if name, ok := v.(string); ok {
				add(name)
			}
		}
	}
	const decode, forward = 1, 4 // FourCcInfoMask
	for _, field := range []string{"videoFourCcInfoMap", "audioFourCcInfoMap"} {
		v, _ := connect.Get(field)
		for _, p := range amf.Properties(v) {
			if mask, ok := p.Value.(float64); ok && uint32(mask)&(decode|forward) != 0 {
				add(p.Name)
			}
		}
	}
	caps, _ := connect.Get("capsEx")
	mask, _ := caps.(float64)
	a.Tracks, a.Reconnect = uint32(mask)&multitrack != 0, uint32(mask)&reconnect != 0
	return a
}
