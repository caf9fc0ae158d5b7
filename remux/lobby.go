package remux

import (
	"bytes"
	"errors"
	"slices"
	"time"
)

const (
	// gatherTime and gatherBytes bound what is kept while the decoder
	// configurations of all tracks are not known. Encoders send them
	// first; one that has a single track is recognised by gatherTime passing
	// in its timestamps.
	gatherTime  = time.Second
	gatherBytes = 8 << 20
	queuedCost  = 1 << 10 // bytes a frame counts for beside its body: tiny ones make no long queue

	// silentTime is how much media may pass without any decoder configuration.
	silentTime = 10 * time.Second

	// leadTime is how much audio before the first keyframe is kept. More would
	// play against a picture that isn't there.
	leadTime = 250 * time.Millisecond

	// interleaveTime is how far audio may be ahead of video on its way.
	interleaveTime = time.Second

	// keyframeTime is how long audio waits for a keyframe before it goes on
	// alone.
	keyframeTime = 10 * time.Second
)

var errNothing = errors.New("no picture and no sound in this stream that sluice takes: set the encoder to H.264 and AAC")

// lobby is where frames wait before the first period begins, by stages.
type lobby struct {
	stage  stage
	frames []frame // their data is ours
	bytes  int
	first  place // of the first frame, where there was one
	begun  bool  // … there was
	key    frame // the first video keyframe, where one waits
}

type stage uint8

const (
	stageGather stage = iota // for the decoders of all tracks
	stageWait                // for the first keyframe, and for the frame behind it
	stageFlow                // nobody waits any more
)

// enter lets a frame wait, and tells whether it is the first keyframe. The frame is
// copied.
func (l *lobby) enter(f *frame) (key bool) {
	if !l.begun {
		l.first, l.begun = f.place, true
	}
	ours := *f
	ours.Data = bytes.Clone(f.Data)
	l.frames = append(l.frames, ours)
	l.bytes += queuedCost + len(f.Data)
	if f.Keyframe && f.Kind == Video && !l.hasKey() {
		l.key = ours
		return true
	}
	return false
}

func (l *lobby) hasKey() bool { return l.key.source != nil }

// decide tells, when a frame has come at a place, whether the first period begins.
// What it can't do without ends the stream (errNothing) or is left out.
func (l *lobby) decide(sources []*source, at place) (begins bool, err error) {
	span := at.behind(l.first)
	full := l.bytes >= gatherBytes
	video, audio := known(sources, Video), known(sources, Audio)
	if !video && !audio {
		if full || span >= silentTime {
			return false, errNothing
		}
		return false, nil
	}
	if l.stage == stageGather {
		all := video && audio && !slices.ContainsFunc(sources, func(s *source) bool { return s.bits.codec() == nil })
		if !all && span < gatherTime && !full {
			return false, nil
		}
		l.stage = stageWait
	}
	switch {
	case !video:
		return true, nil
	case l.hasKey():
		_, sure := l.firstFrames()
		return sure || full || span >= l.key.place.behind(l.first)+gatherTime, nil
	case span < keyframeTime && !full:
		l.trim()
		return false, nil
	case !audio:
		l.trim()
		return false, errNoKeyframe
	}
	return true, errNoKeyframe
}

// ready tells whether a period can begin with what waits for it.
func (l *lobby) ready(sources []*source) bool {
	if known(sources, Video) {
		return l.hasKey()
	}
	return known(sources, Audio)
}

// known tells whether there is a decoder for a track of a kind.
func known(sources []*source, k Kind) bool {
	return slices.ContainsFunc(sources, func(s *source) bool { return s.kind == k && s.bits.codec() != nil })
}

// firstFrames is how long the frames from the first keyframe on last that wait: see
// frameRate.measure.
func (l *lobby) firstFrames() (frame int64, sure bool) {
	if !l.hasKey() {
		return 0, false
	}
	s := l.key.source
	var places []place
	for _, f := range l.frames {
		if f.source == s && (len(places) > 0 || f.place == l.key.place) {
			places = append(places, f.place)
		}
	}
	return s.rate.measure(places, s.bits.codec())
}

// trim drops what will not be played once a keyframe comes.
func (l *lobby) trim() {
	newest := l.frames[len(l.frames)-1].place
	l.drop(func(f frame) bool {
		return f.Kind == Video || newest.behind(f.place) > leadTime+interleaveTime
	})
}

// drop drops what waits and is to be dropped.
func (l *lobby) drop(dropped func(frame) bool) {
	l.frames = slices.DeleteFunc(l.frames, func(f frame) bool {
		if !dropped(f) {
			return false
		}
		l.bytes -= queuedCost + len(f.Data)
		return true
	})
}

// holds tells whether frames of a track wait.
func (l *lobby) holds(s *source) bool {
	return slices.ContainsFunc(l.frames, func(f frame) bool { return f.source == s })
}

// empty drops all that waits.
func (l *lobby) empty() { *l = lobby{} }

// leave ends the waiting, and returns what is to be written: from a little before the
// first keyframe on, where there is one.
func (l *lobby) leave() []frame {
	frames := l.frames
	if key := l.key; l.hasKey() {
		frames = slices.DeleteFunc(frames, func(f frame) bool { return key.place.behind(f.place) > leadTime })
	}
	*l = lobby{stage: stageFlow}
	return frames
}
