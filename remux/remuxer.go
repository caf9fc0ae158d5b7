package remux

import (
	"bytes"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/sluice-live/sluice/ingest/amf"
	"github.com/sluice-live/sluice/ingest/flv"
)

// Remuxer turns the tags of one publication into tracks and samples. It is an
// ingest.Sink and is used by one goroutine.
//
//	        gather                        wait                      flow
//	tags until both decoders   audio until the first video   samples as they come;
//	are known ───────────────▶ keyframe, and that until ───▶ new decoders take over
//	                           the frame behind it           at the next keyframe
type Remuxer struct {
	OnDrop func() // called for each frame or configuration that can't be used; may be nil

	// OnLeaveOut is told what viewers don't get, whenever that changes, in sentences
	// that end with what to set in the encoder. It may be nil, and keep the list.
	OnLeaveOut func([]string)

	// OnCaptions is told which channels of captions the picture has, whenever there is
	// another one. It may be nil.
	OnCaptions func(Captions)

	out  Output
	now  func() time.Time
	note func(string)

	began time.Time
	clock timeline
	video videoTrack
	audio audioTrack
	held  [2]flv.Tag // by Kind: copies of frames whose timestamps can't be believed yet

	silence *uint32 // timestamp of the first frame that can't be used; nil before it

	changes bucket // of periods that the encoder may yet begin

	queue      []queued // copies of frames that can't be written yet
	queueBytes int
	waiting    int          // bytes of the queue and of held
	holds      atomic.Int64 // the same, for others
	first      int64        // ns of the first frame, −1 before it
	start      int64        // ns of the first video keyframe in the queue, −1 when there is none
	tracks     []Track      // of the current period; nil before the first
	noted      map[string]bool
	leftOut    []leftOut
	captions   Captions
	metadata   struct {
		video, audio int // bit/s
		frameRate    int // per 1000 s
	}
}

type videoTrack struct {
	reader avcReader
	codec  *H264 // to be used from the next keyframe on
	index  int   // in tracks, −1 when not among them
	clock  videoClock
	sawIDR bool

	firstFrame int64 // how long frames last at first, in ns; 0 where that isn't sure
	misstated  bool  // that isn't what the encoder states

	lateSPS, latePPS [][]byte // came in band since decoding could start
	gop              int      // greatest distance of keyframes in frames, 0 when unknown
}

type audioTrack struct {
	codec   *AAC
	adts    *adtsHeader // that the codec was taken from; nil where a configuration was sent
	index   int
	clock   audioClock
	scratch []byte
}

// New returns a Remuxer that writes to out. now is the wall clock, of which no
// step is seen; note is told in words, once for each kind, of what had to be
// dropped.
func New(out Output, now func() time.Time, note func(string)) *Remuxer {
	return &Remuxer{
		out:   out,
		now:   now,
		note:  note,
		video: videoTrack{reader: avcReader{lengthSize: 4}, index: -1},
		audio: audioTrack{index: -1},
		first: -1,
		start: -1,
		noted: make(map[string]bool),
	}
}

// WriteTag takes one tag. Damaged or unknown ones are dropped; an error means
// that nothing can be made of this stream.
func (r *Remuxer) WriteTag(tag flv.Tag) error {
	err := r.writeTag(tag)
	if n := r.queueBytes + len(r.held[Video].Body) + len(r.held[Audio].Body); n != r.waiting {
		r.waiting = n
		r.holds.Store(int64(n))
	}
	return err
}

// Held is how many bytes wait here: for decoders, for a keyframe, or for the frame that
// tells whether their timestamps can be believed. Anybody may ask at any time.
func (r *Remuxer) Held() int { return int(r.holds.Load()) }

func (r *Remuxer) writeTag(tag flv.Tag) error {
	switch tag.Type {
	case flv.TagScript:
		r.script(tag.Body)
		return nil
	case flv.TagVideo:
		v, err := flv.ParseVideo(tag.Body)
		if err != nil {
			r.drop(unusable(Video, err))
			return r.checkSilence(tag)
		}
		switch v.Packet {
		case flv.PacketConfig:
			return r.configureVideo(v.Data, tag.Timestamp)
		case flv.PacketFrame:
			return r.frame(tag)
		}
	case flv.TagAudio:
		a, err := flv.ParseAudio(tag.Body)
		if err != nil {
			r.drop(unusable(Audio, err))
			return r.checkSilence(tag)
		}
		switch a.Packet {
		case flv.PacketConfig:
			return r.configureAudio(a.Data, tag.Timestamp)
		case flv.PacketFrame:
			if err := r.peekADTS(a.Data, tag.Timestamp); err != nil {
				return err
			}
			return r.frame(tag)
		}
	}
	return nil
}

// Close writes what waits and ends the output.
func (r *Remuxer) Close(cause error) {
	err := r.finish()
	if cause == nil {
		cause = err
	}
	r.out.Close(cause)
}

func (r *Remuxer) finish() error {
	for k := range r.held {
		if err := r.settle(Kind(k), fateKept); err != nil {
			return err
		}
	}
	if r.tracks == nil && (r.audio.codec != nil || r.video.codec != nil && r.start >= 0) {
		// Shorter than the time that is given to a second track.
		return r.release()
	}
	return nil
}

func (r *Remuxer) drop(err error) {
	if errors.Is(err, flv.ErrEmpty) {
		return
	}
	if r.OnDrop != nil {
		r.OnDrop()
	}
	r.say(err)
}

// say tells something once.
func (r *Remuxer) say(err error) {
	if l := (leftOut{}); errors.As(err, &l) {
		r.leaveOut(l)
	}
	if text := err.Error(); !r.noted[text] && len(r.noted) < 32 {
		r.noted[text] = true
		r.note(text)
	}
}

// script takes the bit rates out of onMetaData. Nothing else in it is needed,
// and little can be trusted.
func (r *Remuxer) script(body []byte) {
	values, _ := amf.Decode(body)
	if len(values) < 2 || values[0] != any("onMetaData") {
		return
	}
	number := func(key string) int {
		n, _ := amf.Properties(values[1]).Number(key)
		if n > 0 && n < 1e6 { // false for NaN
			return int(n * 1000)
		}
		return 0
	}
	r.metadata.video, r.metadata.audio = number("videodatarate"), number("audiodatarate")
	r.metadata.frameRate = number("framerate")
}

func (r *Remuxer) configureVideo(record []byte, timestamp uint32) error {
	c, err := parseAVCConfig(record)
	if err != nil {
		r.drop(err)
		return nil
	}
	c.sps, _ = mendAll(c.sps)
	if k := r.video.codec; k != nil && r.video.reader.lengthSize == c.lengthSize && holdsAll(k.SPS, c.sps) && holdsAll(k.PPS, c.pps) {
		return nil
	}
	if err := r.settleBefore(Video, timestamp); err != nil {
		return err
	}
	if err := r.outdate(Video); err != nil {
		return err
	}
	r.video.reader.lengthSize = c.lengthSize
	r.video.lateSPS, r.video.latePPS = nil, nil
	r.setVideo(c.sps, c.pps)
	return nil
}

// setVideo notes the decoder for the next keyframe. Parameter sets come as a
// whole or in parts, by a record or in band; the same ones again change nothing.
func (r *Remuxer) setVideo(sps, pps [][]byte) {
	if c := r.video.codec; c != nil {
		if len(sps) == 0 {
			sps = c.SPS
		}
		if len(pps) == 0 {
			pps = c.PPS
		}
		if equalAll(sps, c.SPS) && equalAll(pps, c.PPS) {
			return
		}
	}
	if len(sps) == 0 || len(pps) == 0 {
		return // the rest comes in band
	}
	codec, err := newH264(sps, pps)
	if err != nil {
		r.drop(err)
		return
	}
	r.video.codec = codec
}

func (r *Remuxer) configureAudio(config []byte, timestamp uint32) error {
	codec, err := newAAC(config)
	if err != nil {
		r.drop(unusable(Audio, err))
		return nil
	}
	r.audio.adts = nil
	return r.setAudio(codec, timestamp)
}

// setAudio notes the decoder of what comes behind a timestamp.
func (r *Remuxer) setAudio(codec *AAC, timestamp uint32) error {
	if c := r.audio.codec; c != nil && c.equal(codec) {
		return nil
	}
	if err := r.settleBefore(Audio, timestamp); err != nil {
		return err
	}
	if err := r.outdate(Audio); err != nil {
		return err
	}
	r.audio.codec = codec
	r.clock.usual[Audio] = int64(time.Second) * int64(codec.FrameSamples) / int64(codec.SampleRate)
	return nil
}

var errStray = errors.New("a frame far off the timestamps before and behind it, which are believed")

// frame puts one audio or video frame on the timeline, and with it the one
// that had to wait for that.
func (r *Remuxer) frame(tag flv.Tag) error {
	k := kindOf(tag)
	p := r.clock.at(k, tag.Timestamp, r.arrived())
	mended := r.clock.mended
	before := r.held[k]
	r.held[k] = flv.Tag{}
	if err := r.judged(before, p.held, p.heldAt); err != nil {
		return err
	}
	if p.wait {
		tag.Body = bytes.Clone(tag.Body)
		r.held[k] = tag
		return nil
	}
	return r.pass(tag, p.at+r.clock.mended-mended) // where the frame before began a period
}

func kindOf(tag flv.Tag) Kind {
	if tag.Type == flv.TagVideo {
		return Video
	}
	return Audio
}

// judged passes on the frame that waited, if it is to be kept.
func (r *Remuxer) judged(tag flv.Tag, f fate, at int64) error {
	if f == fateNone {
		return nil
	}
	if f == fateStray {
		r.drop(errStray)
		if kindOf(tag) != Video {
			return nil
		}
		// Much depends on a keyframe: it goes where it belongs.
		if v, err := flv.ParseVideo(tag.Body); err != nil || !v.Keyframe {
			r.video.clock.lost++
			return nil
		}
	}
	return r.pass(tag, at)
}

// settle passes on the frame that waits for another one of its kind, if any.
func (r *Remuxer) settle(k Kind, f fate) error {
	tag := r.held[k]
	if tag.Body == nil {
		return nil
	}
	r.held[k] = flv.Tag{}
	return r.judged(tag, f, r.clock.settle(k, f))
}

// settleBefore does so before another decoder, whose timestamp says as much as
// that of the frame behind it, unless it has none.
func (r *Remuxer) settleBefore(k Kind, timestamp uint32) error {
	if r.held[k].Body == nil {
		return nil
	}
	return r.settle(k, r.clock.tracks[k].judge(timestamp, r.arrived()))
}

// arrived is the time since the first frame came.
func (r *Remuxer) arrived() time.Duration {
	now := r.now()
	if r.began.IsZero() {
		r.began = now
		r.clock.began = r.out.Begin(now)
	}
	return now.Sub(r.began)
}

// pass takes a frame through the stages.
func (r *Remuxer) pass(tag flv.Tag, at int64) error {
	if r.tracks == nil && r.clock.broken {
		later, err := r.cutShort()
		if err != nil {
			return err
		}
		at += later
	}
	if r.first < 0 {
		r.first = at
	}
	if r.tracks != nil {
		return r.write(tag, at)
	}
	if tag.Type == flv.TagVideo && r.video.codec == nil {
		r.peekParameterSets(tag)
	}
	tag.Body = bytes.Clone(tag.Body)
	r.queue = append(r.queue, queued{tag, at})
	r.queueBytes += queuedCost + len(tag.Body)
	if v, err := flv.ParseVideo(tag.Body); tag.Type == flv.TagVideo && err == nil && v.Keyframe && r.start < 0 {
		r.start = at
		if au, err := r.video.reader.accessUnit(v.Data); err == nil {
			r.video.gop = keyframeInterval(au.data)
		}
	}
	return r.advance(time.Duration(at - r.first))
}

// setTracks begins a period with the decoders that are known now.
func (r *Remuxer) setTracks(withVideo bool) error {
	var tracks []Track
	changed := r.video.changed(r.tracks)
	r.video.index, r.audio.index = -1, -1
	if c := r.video.codec; c != nil && withVideo {
		r.video.index = len(tracks)
		if changed { // else it was said before, and frames said more
			r.video.clock.expect(c.FrameRate)
		}
		t := TrackOf(c)
		t.ID, t.Bitrate, t.KeyframeInterval = "v1", r.metadata.video, r.keyframeInterval()
		tracks = append(tracks, t)
	}
	if c := r.audio.codec; c != nil {
		r.audio.index = len(tracks)
		r.audio.clock.setRate(int64(c.SampleRate))
		r.audio.clock.frame = int64(c.FrameSamples)
		t := TrackOf(c)
		t.ID, t.Bitrate = "a1", r.metadata.audio
		tracks = append(tracks, t)
	}
	r.tracks = tracks
	for _, t := range tracks {
		r.takenIn(t.Kind())
	}
	return r.out.SetTracks(tracks)
}

// changed tells whether the decoder is another one than the period began with.
func (v *videoTrack) changed(tracks []Track) bool {
	return v.codec != nil && (v.index < 0 || tracks[v.index].Codec != Codec(v.codec))
}

func (a *audioTrack) changed(tracks []Track) bool {
	return a.codec != nil && (a.index < 0 || tracks[a.index].Codec != Codec(a.codec))
}

// write passes one frame on as a sample.
func (r *Remuxer) write(tag flv.Tag, at int64) error {
	if tag.Type == flv.TagVideo {
		return r.writeVideo(tag, at)
	}
	return r.writeAudio(tag, at)
}

// stale tells whether a new period is due, and may begin: each costs viewers a
// request and a look at the decoder, so an encoder has only so many.
func (r *Remuxer) stale() bool {
	if !r.clock.mendable() && !r.video.changed(r.tracks) && !r.audio.changed(r.tracks) {
		return false
	}
	if !r.changes.take(r.arrived()) {
		r.drop(errFlood)
		return false
	}
	return true
}

var errFlood = errors.New("the decoder configuration or the timestamps change all the time: frames are dropped in between")

// bucket allows some at once, and some in the long run.
type bucket struct {
	taken int
	since time.Duration
}

func (b *bucket) take(now time.Duration) bool {
	const (
		most   = 10
		refill = 5 * time.Second
	)
	for b.taken > 0 && now-b.since >= refill {
		b.taken--
		b.since += refill
	}
	if b.taken == most {
		return false
	}
	if b.taken == 0 {
		b.since = now
	}
	b.taken++
	return true
}

// renew begins a period. It returns by how many ns all that follows is later,
// where the line was broken.
func (r *Remuxer) renew(withVideo bool) (later int64, err error) {
	if r.clock.broken {
		later = r.clock.mend(r.arrived())
	}
	return later, r.setTracks(withVideo)
}

func (r *Remuxer) writeVideo(tag flv.Tag, at int64) error {
	v, err := flv.ParseVideo(tag.Body)
	if err != nil {
		return nil // can't be: it was parsed on arrival
	}
	au, err := r.video.reader.accessUnit(v.Data)
	if err != nil {
		r.drop(fmt.Errorf("video frame: %w", err))
		return nil
	}
	// The encoder's word is taken only where it sends no IDR pictures at all:
	// others call every I-frame a keyframe.
	r.video.sawIDR = r.video.sawIDR || au.idr
	sync := au.idr || au.recovery == 0 || v.Keyframe && !r.video.sawIDR
	r.parameterSets(&au, sync)
	r.joining(&au)
	r.noteCaptions(au.captions)
	if sync && r.stale() {
		later, err := r.renew(true)
		if err != nil {
			return err
		}
		at += later
	}
	if r.video.codec == nil {
		r.withoutConfig(errNoVideoConfig)
		return nil
	}
	if r.video.index < 0 || r.video.changed(r.tracks) {
		return nil // from the next keyframe on
	}
	if !sync && !r.video.clock.started {
		return nil
	}
	dts, offset := r.video.clock.place(at, compositionTicks(v.CompositionTime))
	return r.out.WriteSample(Sample{
		Track:             r.video.index,
		DTS:               dts,
		Duration:          uint32(r.video.clock.frame),
		CompositionOffset: int32(offset),
		Sync:              sync,
		OpenGOP:           sync && !au.idr,
		Data:              au.data,
	})
}

// compositionTicks turns a composition time into ticks. No encoder shows a
// picture seconds from when it is decoded: such a number is a mistake.
func compositionTicks(ms int32) int64 {
	const most = 5000
	if ms > most || ms < -most {
		return 0
	}
	return int64(ms) * millisecond
}

func (r *Remuxer) writeAudio(tag flv.Tag, at int64) error {
	a, err := flv.ParseAudio(tag.Body)
	if err != nil {
		return nil // can't be: it was parsed on arrival
	}
	if r.video.index < 0 && (r.clock.mendable() || r.audio.changed(r.tracks)) && r.changes.take(r.arrived()) {
		// Without a picture there is no keyframe to wait for.
		later, err := r.renew(false)
		if err != nil {
			return err
		}
		at += later
	}
	if r.audio.codec == nil {
		r.withoutConfig(errNoAudioConfig)
		return nil
	}
	if r.audio.index < 0 || r.audio.changed(r.tracks) {
		return nil
	}
	return r.writeUnits(a.Data, at)
}
