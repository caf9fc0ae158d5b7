//go:build race

package main

// race tells that the race detector is on: it takes several times the memory and the
// time, so what a process costs says nothing then.
const race = true
