package packager

import "github.com/sluice-live/sluice/packager/cmaf"

// newest is what is known of the newest sample of a rendition. Its bytes are in the
// draft already, but how long it lasts is known only when the next one comes: until
// then it is pending. Where a part is full it isn't waited for: the sample is sealed.
// Times and durations are ticks.
type newest struct {
	came    uint32 // duration that it came with
	lasts   uint32 // duration that is expected of it, where it lies now
	early   int64  // how much too early it is decoded, if that is more than a rounding
	end     int64  // decoding time at which it ends, as far as that is known
	pending bool   // it has the duration that is expected
	sealed  bool   // and that for good: the next one begins at end
}

// group is what is known of the newest group of pictures.
type group struct {
	shown int64 // where the first one is shown, ticks
	open  bool  // what is shown before that needs what was before the group
}

// flags are those of a sample that is shown at pts.
func (g *group) flags(sync, open bool, pts int64) cmaf.Flags {
	switch {
	case sync:
		g.shown, g.open = pts, open
		return cmaf.Sync
	case g.open && pts < g.shown:
		return cmaf.Leading
	}
	return cmaf.NonSync
}
