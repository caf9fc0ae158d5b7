//go:build !race

package remux

const race = false
