package config

import "strings"

// moved are paths that were elsewhere once.
var moved = map[string]string{"rtmp.publish_from": "publish.from"}

// suggest returns " (did you mean …?)" with the name closest to word, or nothing when none is close
// enough to be what was meant.
func suggest(word string, names []string) string {
	for was, is := range moved {
		for _, form := range []func(string) string{strings.Clone, flagName, envName} {
			if word == form(was) {
				return " (it is " + form(is) + " now)"
			}
		}
	}
	best, distance := "", max(2, len(word)/4)+1
	for _, name := range names {
		if d := editDistance(word, name, distance); d < distance {
			best, distance = name, d
		}
	}
	if best == "" {
		return ""
	}
	return " (did you mean " + best + "?)"
}

// editDistance counts the letters to insert, drop, change or swap with their neighbour to get from a
// to b. It returns limit without looking when the lengths alone differ by that much.
func editDistance(a, b string, limit int) int {
	if max(len(a)-len(b), len(b)-len(a)) >= limit {
		return limit
	}
	// One row per letter of a; the swap looks two rows back.
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			change := 0
			if a[i-1] != b[j-1] {
				change = 1
			}
			d := min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+change)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				d = min(d, rows[i-2][j-2]+1)
			}
			rows[i][j] = d
		}
	}
	return rows[len(a)][len(b)]
}
