package javaregex

import (
	"strings"
	"unicode"
)

// predefined gives the set of a class escape such as \d; unicodeClasses is Java's UNICODE_CHARACTER_CLASS flag.
func predefined(letter rune, unicodeClasses bool) (runeSet, bool) {
	if set, ok := predefinedLower(unicode.ToLower(letter), unicodeClasses); ok {
		if unicode.IsUpper(letter) {
			return set.negate(), true
		}
		return set, true
	}
	return nil, false
}

func predefinedLower(letter rune, unicodeClasses bool) (runeSet, bool) {
	switch letter {
	case 'd':
		if unicodeClasses {
			return fromTable(unicode.Nd), true
		}
		return setOf('0', '9'), true
	case 'w':
		if unicodeClasses {
			return fromTable(unicode.L, unicode.Nl, unicode.Other_Alphabetic, unicode.M, unicode.Nd, unicode.Pc), true
		}
		return setOf('0', '9', 'A', 'Z', '_', '_', 'a', 'z'), true
	case 's':
		if unicodeClasses {
			return fromTable(unicode.White_Space), true
		}
		return setOf('\t', '\r', ' ', ' '), true
	case 'h':
		return setOf('\t', '\t', ' ', ' ', 0xa0, 0xa0, 0x1680, 0x1680, 0x180e, 0x180e, 0x2000, 0x200a, 0x202f, 0x202f, 0x205f, 0x205f,
			0x3000, 0x3000), true
	case 'v':
		return setOf('\n', '\r', 0x85, 0x85, 0x2028, 0x2029), true
	}
	return nil, false
}

// lineEnds are what "." does not match.
func lineEnds(unixLines bool) runeSet {
	if unixLines {
		return single('\n')
	}
	return setOf('\n', '\n', '\r', '\r', 0x85, 0x85, 0x2028, 0x2029)
}

// property gives the set of \p{name}.
func property(name string) (runeSet, string) {
	if key, value, found := strings.Cut(name, "="); found {
		switch strings.ToLower(key) {
		case "sc", "script":
			return script(value)
		case "gc", "general_category":
			return category(value, name)
		}
		return nil, "Unknown Unicode property {name=<" + key + ">, value=<" + value + ">}"
	}
	if set, ok := posix(name); ok {
		return set, ""
	}
	if rest, found := strings.CutPrefix(name, "Is"); found {
		if set, ok := binary(rest); ok {
			return set, ""
		}
		if set, failure := category(rest, name); failure == "" {
			return set, ""
		}
		return script(rest)
	}
	if strings.HasPrefix(name, "In") {
		return nil, "Unknown character block name {" + name[2:] + "}"
	}
	return category(name, name)
}

func category(name, shown string) (runeSet, string) {
	switch name {
	case "LC":
		return fromTable(unicode.Lu, unicode.Ll, unicode.Lt), ""
	case "LD":
		return fromTable(unicode.L, unicode.Nd), ""
	case "L1":
		return setOf(0, 0xff), ""
	case "all":
		return setOf(0, unicode.MaxRune), ""
	}
	if table, ok := unicode.Categories[name]; ok && name != "Cn" {
		return fromTable(table), ""
	}
	return nil, "Unknown character property name {" + shown + "}"
}

func script(name string) (runeSet, string) {
	for known, table := range unicode.Scripts {
		if strings.EqualFold(known, name) {
			return fromTable(table), ""
		}
	}
	return nil, "Unknown character script name {" + name + "}"
}

// binary gives the set of a binary Unicode property.
func binary(name string) (runeSet, bool) {
	switch strings.ToLower(name) {
	case "alphabetic":
		return fromTable(unicode.L, unicode.Nl, unicode.Other_Alphabetic), true
	case "letter":
		return fromTable(unicode.L), true
	case "digit":
		return fromTable(unicode.Nd), true
	case "lowercase":
		return fromTable(unicode.Ll, unicode.Other_Lowercase), true
	case "uppercase":
		return fromTable(unicode.Lu, unicode.Other_Uppercase), true
	case "ideographic":
		return fromTable(unicode.Ideographic), true
	case "white_space", "whitespace":
		return fromTable(unicode.White_Space), true
	case "punctuation":
		return fromTable(unicode.P), true
	}
	return nil, false
}

// posix gives the set of an ASCII class or of one named after a method of java.lang.Character.
func posix(name string) (runeSet, bool) {
	switch name {
	case "Lower":
		return setOf('a', 'z'), true
	case "Upper":
		return setOf('A', 'Z'), true
	case "ASCII":
		return setOf(0, 0x7f), true
	case "Alpha":
		return setOf('A', 'Z', 'a', 'z'), true
	case "Digit":
		return setOf('0', '9'), true
	case "Alnum":
		return setOf('0', '9', 'A', 'Z', 'a', 'z'), true
	case "Punct":
		return setOf('!', '/', ':', '@', '[', '`', '{', '~'), true
	case "Graph":
		return setOf('!', '~'), true
	case "Print":
		return setOf(' ', '~'), true
	case "Blank":
		return setOf('\t', '\t', ' ', ' '), true
	case "Cntrl":
		return setOf(0, 0x1f, 0x7f, 0x7f), true
	case "XDigit":
		return setOf('0', '9', 'A', 'F', 'a', 'f'), true
	case "Space":
		return setOf('\t', '\r', ' ', ' '), true
	case "javaLowerCase":
		return fromTable(unicode.Ll, unicode.Other_Lowercase), true
	case "javaUpperCase":
		return fromTable(unicode.Lu, unicode.Other_Uppercase), true
	case "javaLetter":
		return fromTable(unicode.L), true
	case "javaDigit":
		return fromTable(unicode.Nd), true
	case "javaLetterOrDigit":
		return fromTable(unicode.L, unicode.Nd), true
	case "javaAlphabetic":
		return fromTable(unicode.L, unicode.Nl, unicode.Other_Alphabetic), true
	}
	return nil, false
}
