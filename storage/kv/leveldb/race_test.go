//go:build race

package leveldb

const underRace = true
