package remux

// Codec is what a decoder must know before the first sample. The set of
// implementations is closed: *H264, *H265, *H266, *AV1 and
// *VPX; *AAC, *Opus, *FLAC, *MP3 and *AC3.
type Codec interface {
	// String is the codec in RFC 6381 form, as playlists and manifests name it.
	String() string
	kind() Kind
	equal(Codec) bool
	track() Track // what it says of the samples
}
