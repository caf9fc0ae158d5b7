package remux

import (
	"fmt"
	"time"
)

// Lock is how one of several encoders of a stream lies on their line.
type Lock struct {
	State LockState

	// Difference is how far the timestamps of this encoder are ahead of those that
	// others have for the same picture, where State is LockConstant.
	Difference time.Duration

	// PPM is how much faster its clock is than theirs, in parts per million, where
	// State is LockDrifting.
	PPM float64

	// Why is a sentence that ends with what to set, where State is LockFree or
	// LockDrifting.
	Why string
}

// LockState is what kind of Lock it is.
type LockState uint8

const (
	LockNone     LockState = iota // it hasn't begun, or its line is broken
	LockMaster                    // the line is its own: it is alone, or others lie on it
	LockCommon                    // its timestamps are those of the others
	LockConstant                  // they differ by a constant
	LockFree                      // it lies where it arrived: its pictures aren't those of the others to the tick
	LockDrifting                  // its clock ran away from the others': it goes on by itself
)

func (s LockState) String() string {
	return [...]string{"none", "master", "common", "constant", "free", "drifting"}[s]
}

// locked tells whether the encoder is on the line of the stream.
func (s LockState) locked() bool {
	return s == LockMaster || s == LockCommon || s == LockConstant
}

// free says what keeps an encoder from being on the line.
func (f *fit) free() Lock {
	keys := "how far its keyframes are from theirs isn't known"
	if f.keyed {
		keys = fmt.Sprintf("its keyframes are %.1f s from theirs", seconds(f.snap))
	}
	return Lock{State: LockFree, Why: fmt.Sprintf(
		"this encoder's timestamps are %.1f s from those of the stream's other encoders, and %s: "+
			"let one encoder send all qualities, or set the same keyframe interval in all and let them run by one clock",
		seconds(f.delta()), keys)}
}

func seconds(ns int64) float64 { return time.Duration(max(ns, -ns)).Seconds() }
