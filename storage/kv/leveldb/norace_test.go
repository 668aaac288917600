//go:build !race

package leveldb

const underRace = false
