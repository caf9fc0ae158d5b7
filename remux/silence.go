package remux

import "bytes"

// silence is an access unit in which nothing is heard; nil where the elements aren't
// known.
func (c *AAC) silence() []byte {
	if len(c.elements) == 0 {
		return nil
	}
	return append(bytes.Clone(c.program), silentUnit(c.elements)...)
}

// silentUnit returns an access unit in which nothing is heard: none of its elements
// has spectral data. Decoders of HE-AAC, which find nothing about the upper half of
// the spectrum in it, leave that empty.
func silentUnit(elements []aacElement) []byte {
	var w bitWriter
	for _, e := range elements {
		w.put(uint32(e.id), 3)
		w.put(uint32(e.tag), 4)
		if e.id == elementCPE { // channel_pair_element (ISO/IEC 14496-3, table 4.5)
			w.put(1, 1) // common_window
			silentWindow(&w)
			w.put(0, 2) // ms_mask_present
			silentChannel(&w)
			silentChannel(&w)
			continue
		}
		// single_channel_element, lfe_channel_element (tables 4.4 and 4.9): the
		// window is behind the gain.
		w.put(silentGain, 8)
		silentWindow(&w)
		silentTools(&w)
	}
	w.put(elementEnd, 3)
	return w.b
}

// silentGain scales nothing; decoders want it in range.
const silentGain = 100

// silentWindow is an ics_info (table 4.6): one long sine window, no bands.
func silentWindow(w *bitWriter) {
	w.put(0, 1) // ics_reserved_bit
	w.put(0, 2) // window_sequence
	w.put(0, 1) // window_shape
	w.put(0, 6) // max_sfb
	w.put(0, 1) // predictor_data_present
}

// silentChannel is an individual_channel_stream (table 4.50) whose window is
// told before. Without bands there are no sections, scale factors and spectrum.
func silentChannel(w *bitWriter) {
	w.put(silentGain, 8)
	silentTools(w)
}

func silentTools(w *bitWriter) {
	w.put(0, 1) // pulse_data_present
	w.put(0, 1) // tns_data_present
	w.put(0, 1) // gain_control_data_present
}
