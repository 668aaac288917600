package h2

import (
	"errors"
	"fmt"
	"strings"
)

// maxColumns is more than H2 allows in a table.
const maxColumns = 1 << 14

// parseCreateTable parses a CREATE TABLE statement from its first word on. It gives nil for statements that create something else,
// such as a view. storedOnly leaves out generated columns, which a script of H2 2.x does not hold (one of 1.4 does).
func parseCreateTable(l *lexer, storedOnly bool) (*Table, error) {
	if err := l.expect("CREATE"); err != nil {
		return nil, err
	}
	for {
		t, err := l.next()
		if err != nil {
			return nil, err
		}
		switch {
		case t.is("CACHED"), t.is("MEMORY"):
			continue
		case t.is("TABLE"):
			return parseTable(l, storedOnly)
		}
		return nil, nil
	}
}

// parseTable parses from the table's name on.
func parseTable(l *lexer, storedOnly bool) (*Table, error) {
	if t, err := l.peek(); err != nil {
		return nil, err
	} else if t.is("IF") {
		if err := errors.Join(l.expect("IF"), l.expect("NOT"), l.expect("EXISTS")); err != nil {
			return nil, err
		}
	}
	schema, name, err := parseName(l)
	if err != nil {
		return nil, err
	}
	if err := l.expect("("); err != nil {
		return nil, err
	}
	t := &Table{Schema: schema, Name: name, index: map[string]int{}}
	for {
		c, generated, last, err := parseColumn(l)
		if err != nil {
			return nil, fmt.Errorf("table %s: %w", name, err)
		}
		if !generated || !storedOnly {
			key := strings.ToLower(c.Name)
			if _, twice := t.index[key]; twice || len(t.Columns) == maxColumns {
				return nil, damaged(l.offset, "table %s has a column %q twice, or too many", clip(name), clip(c.Name))
			}
			t.index[key] = len(t.Columns)
			t.Columns = append(t.Columns, c)
		}
		if last {
			return t, nil
		}
	}
}

// parseName parses "SCHEMA"."NAME". The schema is PUBLIC when it is not written.
func parseName(l *lexer) (schema, name string, err error) {
	first, err := l.next()
	if err != nil {
		return "", "", err
	}
	if first.kind != tokenName && first.kind != tokenWord {
		return "", "", damaged(first.offset, "%q where a name belongs", clip(first.text))
	}
	if t, err := l.peek(); err != nil || !t.is(".") {
		return "PUBLIC", first.text, err
	}
	if err := l.expect("."); err != nil {
		return "", "", err
	}
	second, err := l.next()
	if err == nil && second.kind != tokenName && second.kind != tokenWord {
		err = damaged(second.offset, "%q where a name belongs", clip(second.text))
	}
	return first.text, second.text, err
}

// parseColumn parses one column definition with the comma or parenthesis after it.
func parseColumn(l *lexer) (c Column, generated, last bool, err error) {
	name, err := l.next()
	if err != nil {
		return c, false, false, err
	}
	if name.kind != tokenName && name.kind != tokenWord {
		return c, false, false, damaged(name.offset, "%q where a column name belongs", clip(name.text))
	}
	c = Column{Name: name.text, Nullable: true}
	var words []string // of the type, then of the options
	inType, depth := true, 0
	for {
		t, err := l.next()
		if err != nil {
			return c, false, false, err
		}
		switch {
		case t.kind == tokenEnd:
			return c, false, false, damaged(t.offset, "column %q does not end", clip(c.Name))
		case t.is("("), t.is("["):
			depth++
		case depth == 0 && (t.is(",") || t.is(")")):
			generated = c.options(words)
			return c, generated, t.is(")"), nil
		case t.is(")"), t.is("]"):
			depth--
		case depth > 0:
			if inType && t.kind == tokenText && len(words) == 1 && words[0] == "ENUM" {
				c.labels = append(c.labels, t.text)
			}
		default:
			if inType && endsType(t) {
				c.setType(words)
				words, inType = words[:0], false
			}
			if !inType && t.kind != tokenWord {
				t.text = "?" // what a default or a comment says must not be taken for an option
			}
			words = append(words, t.text)
		}
		if len(words) > 1000 {
			return c, false, false, damaged(t.offset, "column %q has too many options", clip(c.Name))
		}
	}
}

// endsType reports whether a word begins the options that follow a column's type.
func endsType(t token) bool {
	if t.kind != tokenWord {
		return false
	}
	switch t.text {
	case "NOT", "NULL", "DEFAULT", "GENERATED", "SEQUENCE", "SELECTIVITY", "NULL_TO_DEFAULT", "COMMENT", "INVISIBLE", "AS", "ON", "CHECK":
		return true
	}
	return false
}

// setType takes the words of the type, which are in upper case unless they are the quoted name of a domain.
func (c *Column) setType(words []string) {
	c.Type = standardName(strings.Join(words, " "))
	c.kind = kindOf(c.Type)
	if strings.HasSuffix(c.Type, " ARRAY") {
		c.kind = kindArray
	}
}

// options takes the words after the type. It reports whether the column is computed from others. The words can still be those of
// the type, when no option follows.
func (c *Column) options(words []string) (generated bool) {
	if c.Type == "" {
		c.setType(words)
		return false
	}
	text := " " + strings.Join(words, " ") + " "
	if i := strings.LastIndex(text, " NOT NULL "); i >= 0 && !strings.HasSuffix(text[:i], " IS") {
		c.Nullable = false
	}
	return strings.Contains(text, " GENERATED ALWAYS AS ") && !strings.Contains(text, " AS IDENTITY ")
}
