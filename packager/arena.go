package packager

// arena is the memory of one rendition's parts.
//
//	slab  ┌──── closed parts, immutable ────┬──────── open part ───────────┬── free ──┐
//	      │ moof mdat │ moof mdat │ …       │ headroom │ sample │ sample │ │          │
//	      └─────────────────────────────────┴──────────┴────────┴────────┴─┴──────────┘
//	                                        start      └ copied once, on arrival
//
// The moof is written into the end of the headroom when the part closes, and
// the part is one contiguous slice. Slabs are never reused: the garbage
// collector takes one when the last Window or response that points into it is
// gone.
type arena struct {
	slab  []byte // length: what is used
	start int    // of the open part's headroom
	head  int    // bytes of headroom
	ahead int    // bytes worth having in one slab
}

const (
	minSlab = 32 << 10
	maxSlab = 8 << 20
)

// open begins a part. expect is how many bytes it will probably have, ahead
// how many are worth having in one slab.
func (a *arena) open(headroom, expect, ahead int) {
	a.ahead = min(max(ahead, minSlab), maxSlab)
	if cap(a.slab)-len(a.slab) < headroom+expect {
		a.slab = make([]byte, 0, max(headroom+expect, a.ahead))
	}
	a.start, a.head = len(a.slab), headroom
	a.slab = a.slab[:a.start+headroom]
}

// append copies a sample's bytes behind the others of the open part.
func (a *arena) append(b []byte) {
	if cap(a.slab)-len(a.slab) < len(b) {
		a.move(2 * (len(a.slab) - a.start + len(b)))
	}
	a.slab = append(a.slab, b...)
}

// move takes the open part to a new slab: what is closed stays behind.
func (a *arena) move(size int) {
	part := a.slab[a.start:]
	a.slab = append(make([]byte, 0, max(size, a.ahead)), part...)
	a.start = 0
}

// payload is the number of sample bytes in the open part.
func (a *arena) payload() int { return len(a.slab) - a.start - a.head }

// growing returns the bytes of an open part without headroom. They are never
// written again.
func (a *arena) growing() []byte { return a.slab[a.start:len(a.slab):len(a.slab)] }

// close ends the open part and returns it. write appends exactly size bytes of
// header to the slice that it is given.
func (a *arena) close(size int, write func(dst []byte) []byte) []byte {
	if size > a.head { // more samples than there was headroom for
		payload := a.slab[a.start+a.head:]
		slab := make([]byte, size, size+max(len(payload), a.ahead))
		a.slab, a.start, a.head = append(slab, payload...), 0, size
	}
	begin := a.start + a.head - size
	write(a.slab[begin : begin : begin+size])
	return a.slab[begin:len(a.slab):len(a.slab)]
}
