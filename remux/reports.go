package remux

import "github.com/sluice-live/sluice/ingest/flv"

// Hooks are told what a Remuxer meets, by the goroutine that writes. Each may be nil.
type Hooks struct {
	// Note is told in words, once for each kind, of what had to be dropped.
	Note func(string)

	// Drop is called for each frame or configuration that can't be used.
	Drop func()

	// LeaveOut is told what viewers don't get, whenever that changes, in sentences
	// that end with what to set in the encoder. It may keep the list.
	LeaveOut func([]string)

	// Captions is told which channels of captions the picture has, whenever there is
	// another one.
	Captions func(Captions)

	// Genlock keeps this encoder and the others of its stream on one line. Where it is
	// nil, the encoder is alone.
	Genlock *Genlock

	// Locked is told how the encoder lies on that line, whenever that changes.
	Locked func(Lock)
}

// reports tells the hooks what they haven't heard.
type reports struct {
	hooks    Hooks
	unusable int // frames and configurations so far
	noted    map[string]bool
	leftOut  []leftOut
	foreign  foreign
	captions Captions
}

// foreign is the format that couldn't be read last. Its sentence is not written anew
// for each frame.
type foreign struct {
	track  trackKey
	format string
}

// dropOf tells of a frame or a configuration of a track that can't be used.
func (r *reports) dropOf(k trackKey, err error) {
	if e, ok := err.(*flv.UnsupportedError); ok {
		f := foreign{k, e.Format}
		if f == r.foreign {
			r.dropped()
			return
		}
		r.foreign = f
	}
	r.drop(k.unusable(err))
}

// drop tells of a frame or a configuration that can't be used.
func (r *reports) drop(err error) {
	r.dropped()
	r.say(err)
}

func (r *reports) dropped() {
	r.unusable++
	if r.hooks.Drop != nil {
		r.hooks.Drop()
	}
}

// say tells something once.
func (r *reports) say(err error) {
	if l, ok := err.(leftOut); ok {
		r.leaveOut(l)
	}
	const most = 32
	if text := err.Error(); !r.noted[text] && len(r.noted) < most {
		if r.noted == nil {
			r.noted = make(map[string]bool)
		}
		r.noted[text] = true
		if r.hooks.Note != nil {
			r.hooks.Note(text)
		}
	}
}

// caption tells of channels that were not there before.
func (r *reports) caption(c Captions) {
	if c|r.captions == r.captions {
		return
	}
	r.captions |= c
	if r.hooks.Captions != nil {
		r.hooks.Captions(r.captions)
	}
}
