package remux

import (
	"errors"
	"slices"
	"time"

	"github.com/sluice-live/sluice/ingest/flv"
)

// Before a period begins, frames wait: for the decoders of both tracks, and for a
// keyframe.

const (
	// gatherTime and gatherBytes bound what is kept while the decoder
	// configurations of audio and video are not both known. Encoders send them
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

type queued struct {
	tag flv.Tag // body is ours
	at  int64   // ns
}

var errNothing = errors.New("no H.264 or AAC in this stream: sluice takes H.264 video and AAC audio")

// cutShort ends gathering where the line breaks in the middle of it: with what
// there is, or, where nothing can be made of that, without.
func (r *Remuxer) cutShort() (later int64, err error) {
	if r.ready() {
		return 0, r.release()
	}
	// The line went on smoothly, and there is no period yet that could break.
	if later = r.clock.mend(r.arrived()); later > 0 {
		r.queue, r.queueBytes, r.first, r.start = nil, 0, -1, -1
	}
	return later, nil
}

// ready tells whether a period can begin with what waits for it.
func (r *Remuxer) ready() bool {
	if r.video.codec != nil {
		return r.start >= 0
	}
	return r.audio.codec != nil
}

// outdate makes sure that what waits is decoded as it was encoded, where another
// decoder takes over: it is released, or, if it is before the first keyframe,
// dropped.
func (r *Remuxer) outdate(k Kind) error {
	first := k == Video && r.video.codec == nil || k == Audio && r.audio.codec == nil // what waits waits for this one
	waits := func(q queued) bool { return kindOf(q.tag) == k }
	if first || !slices.ContainsFunc(r.queue, waits) {
		return nil
	}
	if r.ready() {
		return r.release()
	}
	r.dequeue(waits)
	return nil
}

// advance begins the first period when all is known that will be, span being
// the media time since the first frame.
func (r *Remuxer) advance(span time.Duration) error {
	full := r.queueBytes >= gatherBytes
	if !r.known() {
		if full || span >= silentTime {
			return errNothing
		}
		return nil
	}
	if (r.video.codec == nil || r.audio.codec == nil) && span < gatherTime && !full {
		return nil
	}
	if r.video.codec == nil {
		return r.release()
	}
	if r.start >= 0 {
		if _, sure := r.firstFrames(); !sure && span < time.Duration(r.start-r.first)+gatherTime && !full {
			return nil
		}
		return r.release()
	}
	if span < keyframeTime && !full {
		r.trimQueue()
		return nil
	}
	r.drop(errNoKeyframe)
	if r.audio.codec == nil {
		r.trimQueue()
		return nil
	}
	return r.release()
}

// checkSilence gives up on a stream that sends only what can't be used.
func (r *Remuxer) checkSilence(tag flv.Tag) error {
	if r.known() || len(tag.Body) == 0 {
		return nil
	}
	// Not on the timeline: what can't be used must not move it.
	if r.silence == nil {
		r.silence = &tag.Timestamp
	}
	if milliseconds(tag.Timestamp-*r.silence) >= int64(silentTime) {
		return errNothing
	}
	return nil
}

func (r *Remuxer) known() bool { return r.video.codec != nil || r.audio.codec != nil }

// peekParameterSets looks for SPS and PPS in band, for encoders that send no
// configuration record, or one without them.
func (r *Remuxer) peekParameterSets(tag flv.Tag) {
	v, err := flv.ParseVideo(tag.Body)
	if err != nil {
		return
	}
	if au, err := r.video.reader.accessUnit(v.Data); err == nil {
		sps, _ := mendAll(au.sps)
		r.setVideo(sps, au.pps)
	}
}

// trimQueue drops what will not be played once a keyframe comes.
func (r *Remuxer) trimQueue() {
	newest := r.queue[len(r.queue)-1].at
	r.dequeue(func(q queued) bool {
		return kindOf(q.tag) == Video || newest-q.at > int64(leadTime+interleaveTime)
	})
}

// dequeue drops what waits and is to be dropped.
func (r *Remuxer) dequeue(drop func(queued) bool) {
	r.queue = slices.DeleteFunc(r.queue, func(q queued) bool {
		dropped := drop(q)
		if dropped {
			r.queueBytes -= queuedCost + len(q.tag.Body)
		}
		return dropped
	})
}

// release begins the first period and writes what waited for it.
func (r *Remuxer) release() error {
	queue, start := r.queue, r.start
	defer func(broken bool) { r.clock.broken = broken }(r.clock.broken)
	r.clock.broken = false // what waited lies before the break
	for _, q := range queue {
		if v, err := flv.ParseVideo(q.tag.Body); q.tag.Type == flv.TagVideo && err == nil && v.Keyframe {
			if au, err := r.video.reader.accessUnit(v.Data); err == nil {
				r.parameterSets(&au, true) // so that they are those of the period
			}
			break
		}
	}
	frame, sure := r.firstFrames()
	r.video.firstFrame, r.video.misstated = 0, frame > 0 && !asStated(frame, r.statedFrame())
	if sure {
		r.video.firstFrame = frame
	}
	r.queue = nil
	if err := r.setTracks(start >= 0); err != nil {
		return err
	}
	if start >= 0 && frame > 0 {
		r.video.clock.frame = ticks(frame, VideoTimescale)
	}
	for _, q := range queue {
		if q.at < start-int64(leadTime) {
			continue
		}
		if err := r.write(q.tag, q.at); err != nil {
			return err
		}
	}
	return nil
}
