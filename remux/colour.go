package remux

// Colours that are not told, and those that players assume then: HD television.
var (
	unspecified = ColourCodes{Primaries: 2, Transfer: 2, Matrix: 2}
	bt709       = ColourCodes{Primaries: 1, Transfer: 1, Matrix: 1}
)

// colour is what the encoder says, or that it says nothing.
func (p *Picture) colour() ColourCodes {
	if p.Colour == nil {
		return unspecified
	}
	return *p.Colour
}

func (c ColourCodes) rangeFlag() int {
	if c.FullRange {
		return 1
	}
	return 0
}

// sameValue compares what is behind two pointers, where there is something.
func sameValue[T comparable](a, b *T) bool {
	if a == nil || b == nil {
		return a == b
	}
	return *a == *b
}
