package javaregex

type kind uint8

const (
	kEmpty     kind = iota
	kClass          // one character of set
	kConcat         // kids in order
	kAlternate      // the first kid that leads to a match
	kCapture        // kids[0], remembered as group
	kRepeat         // kids[0], min to max times
	kAtomic         // kids[0] without going back into it
	kLook           // kids[0] matches (or not) ahead (or behind) of here
	kBackref        // what group matched
	kBegin          // start of the string
	kEnd            // end of the string
	kLineBegin      // start of a line
	kLineEnd        // end of a line
	kBoundary       // edge of a word
)

type mode uint8

const (
	greedy mode = iota
	lazy
	possessive
)

const unlimited = -1

// node is a piece of a parsed expression.
type node struct {
	kind     kind
	set      runeSet
	kids     []*node
	min, max int  // of kRepeat; max may be unlimited
	mode     mode // of kRepeat
	group    int  // of kCapture and kBackref
	negated  bool // of kLook and kBoundary
	behind   bool // of kLook
	fold     bool // of kBackref: ignore ASCII case
}

// width gives the most characters that n can take, or unlimited.
func (n *node) width() int {
	switch n.kind {
	case kClass:
		return 1
	case kConcat:
		total := 0
		for _, kid := range n.kids {
			w := kid.width()
			if w == unlimited {
				return unlimited
			}
			total += w
		}
		return bounded(total)
	case kAlternate:
		most := 0
		for _, kid := range n.kids {
			w := kid.width()
			if w == unlimited {
				return unlimited
			}
			most = max(most, w)
		}
		return most
	case kCapture, kAtomic:
		return n.kids[0].width()
	case kRepeat:
		w := n.kids[0].width()
		if w == 0 {
			return 0
		}
		if w == unlimited || n.max == unlimited {
			return unlimited
		}
		return bounded(w * n.max)
	case kBackref:
		return unlimited
	}
	return 0
}

// bounded turns a width that is too large to try into unlimited.
func bounded(width int) int {
	if width > 1<<20 {
		return unlimited
	}
	return width
}
