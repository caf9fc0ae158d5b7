package packager

// number gives each rendition the number that it had in the Window before, or the next.
func (w *Window) number(before *Window) {
	w.numbers = before.numbers
	for r := range w.all {
		if o, ok := before.Rendition(r.ID); ok {
			r.Number = o.Number
		}
	}
	for r := range w.all {
		if r.Number == 0 {
			w.numbers++
			r.Number = w.numbers
		}
	}
}
