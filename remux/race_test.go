//go:build race

package remux

const race = true
