package remux

import (
	"fmt"
	"slices"

	"github.com/sluice-live/sluice/ingest/flv"
)

// leftOut is what viewers don't get, in a sentence that ends with what to set in
// the encoder.
type leftOut struct {
	track trackKey
	text  string
}

func (l leftOut) Error() string { return l.text }

// of is what is said of the track with that number. That of the first, or only, one
// isn't named.
func (l leftOut) of(number uint8) leftOut {
	if number > 0 {
		l.track.number, l.text = number, fmt.Sprintf("track %d: %s", int(number)+1, l.text)
	}
	return l
}

func picture(text string) leftOut { return leftOut{trackKey{kind: Video}, text} }
func sound(text string) leftOut   { return leftOut{trackKey{kind: Audio}, text} }

// on says of which track an error is, where that is a sentence on what is left out.
func (k trackKey) on(err error) error {
	if l, ok := err.(leftOut); ok {
		return l.of(k.number)
	}
	return err
}

// Sentences on what is left out.
var (
	errNoVideoConfig = picture("video before its configuration is left out: let the encoder send it (SPS and PPS, where it is H.264 or HEVC), or start it again")
	errNoAudioConfig = sound("AAC before its configuration is left out: let the encoder send it (AudioSpecificConfig), or start it again")
	errMP3           = sound("Chrome doesn't play MP3 in a live stream: set the encoder's audio codec to AAC")
	errAC3           = sound("Chrome and Firefox don't play AC-3 and E-AC-3: set the encoder's audio codec to AAC")
	errMPEGLayer     = sound("the sound is left out: MPEG audio of layer I or II is played by few: set the encoder's audio codec to AAC")
	errOpusChannels  = sound("the sound is left out: Opus in a channel layout that browsers don't play: set the encoder's audio to stereo or 5.1")
	errAVCFormat     = picture("many phones and televisions don't decode H.264 in 10 bits, 4:2:2 or 4:4:4: set the encoder's color format to NV12 (yuv420p)")
	errHEVC          = picture("Chrome plays HEVC only where the machine decodes it: set the encoder's video codec to H.264, if all are to see the picture")
	errHEVCProfile   = picture("few players decode HEVC beyond the profiles Main and Main 10: set the encoder's profile to main")
	errVVC           = picture("no browser plays VVC: set the encoder's video codec to H.264, or to HEVC or AV1")
	errVP8           = picture("no browser plays VP8 in a live stream: set the encoder's video codec to H.264, or to VP9 or AV1")
	errNoKeyframe    = picture(fmt.Sprintf("the picture is left out, as no keyframe came in %v: set the encoder's keyframe interval to 2 s", keyframeTime))
	errIntraRefresh  = picture("the picture is refreshed bit by bit: browsers can't join; turn intra refresh off in the encoder, and set its keyframe interval to 2 s")
	errOpenGroups    = picture("groups of pictures begin without an IDR picture: some browsers can't join there; turn open GOP off in the encoder")
	errForwardKeys   = picture("groups of pictures begin with forward key frames: players can't join there; turn open GOP off in the encoder")
)

// unusable says of a configuration or a format what to set instead.
func (k trackKey) unusable(err error) error {
	switch err.(type) {
	case errObjectType, errChannels: // they say it
		return sound("the sound is left out: " + err.Error()).of(k.number)
	case *flv.UnsupportedError:
		if k.kind == Video {
			return picture("the picture is left out: " + err.Error() + ": set the encoder's video codec to H.264").of(k.number)
		}
		return sound("the sound is left out: " + err.Error() + ": set the encoder's audio codec to AAC").of(k.number)
	}
	return k.on(err)
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
func (r *reports) takenIn(k trackKey) {
	r.foreign = foreign{}
	before := len(r.leftOut)
	if r.leftOut = slices.DeleteFunc(r.leftOut, func(l leftOut) bool { return l.track == k }); len(r.leftOut) < before {
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
func (r *reports) withoutConfig(k trackKey) {
	if slices.ContainsFunc(r.leftOut, func(o leftOut) bool { return o.track == k }) {
		return
	}
	if k.kind == Video {
		r.drop(errNoVideoConfig.of(k.number))
	} else {
		r.drop(errNoAudioConfig.of(k.number))
	}
}

// nothing is errNothing with what is known of why.
func (r *reports) nothing() error {
	const most = 3
	err := errNothing
	for _, l := range r.leftOut[:min(most, len(r.leftOut))] {
		err = fmt.Errorf("%w; %s", err, l.text)
	}
	return err
}
