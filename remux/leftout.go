package remux

import (
	"errors"
	"fmt"
	"slices"

	"github.com/sluice-live/sluice/ingest/flv"
)

// leftOut is what viewers don't get, in a sentence that ends with what to set in
// the encoder.
type leftOut struct {
	kind Kind
	text string
}

func (l leftOut) Error() string { return l.text }

// Sentences on what is left out.
var (
	errNoVideoConfig = leftOut{Video, "video before its configuration is left out: let the encoder send it (SPS and PPS, where it is H.264 or HEVC), or start it again"}
	errNoAudioConfig = leftOut{Audio, "AAC before its configuration is left out: let the encoder send it (AudioSpecificConfig), or start it again"}
	errMP3           = leftOut{Audio, "Chrome doesn't play MP3 in a live stream, nor the picture beside it: set the encoder's audio codec to AAC"}
	errAC3           = leftOut{Audio, "Chrome and Firefox don't play AC-3 and E-AC-3, nor the picture beside it: set the encoder's audio codec to AAC"}
	errNoKeyframe    = leftOut{Video, fmt.Sprintf("the picture is left out, as no keyframe came in %v: set the encoder's keyframe interval to 2 s", keyframeTime)}
	errIntraRefresh  = leftOut{Video, "the picture is refreshed bit by bit: browsers can't join; turn intra refresh off in the encoder, and set its keyframe interval to 2 s"}
	errOpenGroups    = leftOut{Video, "groups of pictures begin without an IDR picture: some browsers can't join there; turn open GOP off in the encoder"}
	errForwardKeys   = leftOut{Video, "groups of pictures begin with forward key frames: players can't join there; turn open GOP off in the encoder"}
)

// unusable says of a configuration or a format what to set instead.
func unusable(k Kind, err error) error {
	var unsupported *flv.UnsupportedError
	var object errObjectType
	var channels errChannels
	switch {
	case errors.As(err, &object), errors.As(err, &channels): // they say it
		return leftOut{k, "the sound is left out: " + err.Error()}
	case errors.As(err, &unsupported) && k == Video:
		return leftOut{k, "the picture is left out: " + err.Error() + ": set the encoder's video codec to H.264"}
	case errors.As(err, &unsupported):
		return leftOut{k, "the sound is left out: " + err.Error() + ": set the encoder's audio codec to AAC"}
	}
	return err
}

// leaveOut tells of it, once as long as it is so.
func (r *reports) leaveOut(l leftOut) {
	const most = 8
	if slices.Contains(r.leftOut, l) || len(r.leftOut) == most {
		return
	}
	r.leftOut = append(r.leftOut, l)
	r.tellLeftOut()
}

// takenIn forgets what was left out of a track that is there now.
func (r *reports) takenIn(k Kind) {
	before := len(r.leftOut)
	if r.leftOut = slices.DeleteFunc(r.leftOut, func(l leftOut) bool { return l.kind == k }); len(r.leftOut) < before {
		r.tellLeftOut()
	}
}

func (r *reports) tellLeftOut() {
	if r.hooks.LeaveOut == nil {
		return
	}
	texts := make([]string, 0, len(r.leftOut))
	for _, l := range r.leftOut {
		texts = append(texts, l.text)
	}
	r.hooks.LeaveOut(texts)
}

// withoutConfig drops a frame of a track that there is no decoder for. Where it is
// known why, that was said.
func (r *reports) withoutConfig(k Kind) {
	if slices.ContainsFunc(r.leftOut, func(o leftOut) bool { return o.kind == k }) {
		return
	}
	if k == Video {
		r.drop(errNoVideoConfig)
	} else {
		r.drop(errNoAudioConfig)
	}
}
