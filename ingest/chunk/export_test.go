package chunk

// Held is how many bytes r has for messages.
func (r *Reader) Held() int {
	n := cap(r.spare)
	for _, s := range r.streams {
		n += cap(s.body)
	}
	return n
}
