package readers

import (
	"context"
	"errors"
	"io"

	"github.com/sluice-live/sluice/ingest/flv"
	"github.com/sluice-live/sluice/packager"
	"github.com/sluice-live/sluice/packager/tags"
)

// Drawing is the Windows of one stream, drawn for one who takes them as tags. It holds
// no more than it was last shown, and goes on with a newer keyframe where that is late.
// It is used by one goroutine.
type Drawing struct {
	Stream *packager.Stream
	Reader *tags.Reader
	// Skipped is told when something was left out, Sent of bytes that were given out: now
	// and then. Neither is nil.
	Skipped func()
	Sent    func(bytes int)

	seen *packager.Window // newest that the reader has looked at
	loan *packager.Loan   // what of it he hasn't got yet; nil where that is nothing
	out  int              // bytes since he was looked at
}

// lateness is how many bytes a reader gets before it is looked whether he is late.
const lateness = 64 << 10

// Next returns the next tag, or false where there is none now. Its head is valid until
// the next call, its body until the next call of More: neither may be modified.
func (d *Drawing) Next() (flv.Drawn, bool) {
	if d.out > lateness {
		d.told()
		if w := d.Stream.Window(); d.Reader.Late(w) {
			d.look(w)
		}
	}
	tag, ok := d.Reader.Next()
	d.out += len(tag.Body)
	return tag, ok
}

// More returns when there may be more tags, io.EOF when none will come, or the context's
// error.
func (d *Drawing) More(ctx context.Context) error {
	d.giveBack()
	if d.Reader.Ended() {
		return io.EOF
	}
	w, err := d.Stream.WaitGrown(ctx, func(w *packager.Window) bool { return w != d.seen })
	if errors.Is(err, packager.ErrReleased) { // who connects anew finds the other process
		return io.EOF
	}
	if err != nil {
		return err
	}
	d.look(w)
	return nil
}

// Rest lets go of all that it holds: what Next returns behind it begins with a keyframe. It
// returns io.EOF when the stream has ended, or the context's error.
func (d *Drawing) Rest(ctx context.Context) error {
	d.giveBack()
	d.Reader.Rest()
	d.seen = nil
	_, err := d.Stream.Wait(ctx, func(w *packager.Window) bool { return w.State == packager.Ended })
	if err == nil || errors.Is(err, packager.ErrReleased) {
		return io.EOF
	}
	return err
}

// Receive switches sound or pictures on and off.
func (d *Drawing) Receive(kind flv.Kind, on bool) { d.Reader.Receive(kind, on) }

func (d *Drawing) look(w *packager.Window) {
	d.giveBack()
	d.told()
	if d.seen = w; d.Reader.Look(w) {
		d.Skipped()
	}
	if held := d.Reader.Held(); len(held) > 0 {
		d.loan = d.Stream.Lend(held, 0)
	}
}

func (d *Drawing) told() {
	if d.out > 0 {
		d.Sent(d.out)
		d.out = 0
	}
}

func (d *Drawing) giveBack() {
	if d.loan != nil {
		d.loan.Return()
		d.loan = nil
	}
}

// Close gives back what it holds.
func (d *Drawing) Close() {
	d.giveBack()
	d.told()
}
