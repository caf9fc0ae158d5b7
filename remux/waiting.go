package remux

import (
	"cmp"
	"errors"
)

// waiting are NAL units that came without a picture, in MP4's form. They belong to the
// picture behind them.
type waiting []byte

// mostWaiting is more than describes a picture.
const mostWaiting = 64 << 10

var errMostWaiting = errors.New("NAL units come without a picture: they are dropped, as more wait for one than describe it")

// wait adds some, which are copied. err is what else is wrong with them.
func (w *waiting) wait(data []byte, err error) error {
	if len(*w)+len(data) > mostWaiting {
		return cmp.Or(err, errMostWaiting)
	}
	*w = append(*w, data...)
	return err
}

// lead returns a picture behind what waited for it, if anything did: then it is another
// slice.
func (w *waiting) lead(data []byte) []byte {
	whole := append(*w, data...)
	*w = nil
	return whole
}

// without is what waits, less what is dropped.
func (w waiting) without(dropped func(nal []byte) bool) waiting {
	if w == nil {
		return nil
	}
	return withoutNAL(nil, w, dropped)
}
