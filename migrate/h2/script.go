package h2

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"strconv"
	"strings"
)

// lobTable is the table into which a script puts the pieces of large objects before the rows that use them.
const lobTable = "SYSTEM_LOB_STREAM"

// part is a run of INSERT statements into one table, with the pieces of large objects among them, as byte offsets.
type part struct{ start, end int64 }

// scriptSource gives the tables of an SQL script.
type scriptSource struct {
	file  io.ReaderAt
	size  int64
	limit int64
	info  Info
	list  []*Table
}

// openScript reads through the script once, to learn the tables and where their rows are.
func openScript(file io.ReaderAt, size int64, opts Options) (*scriptSource, error) {
	s := &scriptSource{file: file, size: size, limit: opts.MaxValue, info: Info{Script: true}}
	b := scriptIndexer{
		script:    s,
		lexer:     newLexer(io.NewSectionReader(file, 0, size), 0, opts.MaxValue),
		byName:    map[string]*Table{},
		rows:      map[*Table]int64{},
		announced: map[string]int64{},
	}
	if err := b.run(); err != nil {
		return nil, err
	}
	return s, nil
}

func (s *scriptSource) tables() []*Table { return s.list }
func (s *scriptSource) about() Info      { return s.info }

// scriptIndexer is the first pass.
type scriptIndexer struct {
	script    *scriptSource
	lexer     *lexer
	byName    map[string]*Table
	rows      map[*Table]int64 // rows seen
	announced map[string]int64 // rows that comments speak of
	last      *Table           // table of the INSERT before, unless something else followed it
	lobs      int64            // where the pieces begin that no INSERT has followed yet; 0 when there are none
}

func (x *scriptIndexer) run() error {
	x.lexer.comment = x.readComment
	for {
		t, err := x.lexer.peek()
		if err != nil {
			return err
		}
		switch {
		case t.kind == tokenEnd:
			return x.finish()
		case t.is("INSERT"):
			err = x.insert(t.offset)
		case t.is("CREATE"):
			x.last = nil
			err = x.create()
		default:
			x.last = nil
			_, err = x.lexer.skipStatement()
		}
		if err != nil {
			return err
		}
	}
}

// readComment takes the version of H2, and the number of rows that each table should have, off the comments.
func (x *scriptIndexer) readComment(text string) {
	text = strings.TrimRight(strings.TrimSpace(text), "; ")
	if version, ok := strings.CutPrefix(text, "H2 "); ok && x.script.info.Engine == "" {
		x.script.info.Engine = clip(version)
	}
	number, name, ok := strings.Cut(text, " +/- SELECT COUNT(*) FROM ")
	if n, err := strconv.ParseInt(number, 10, 64); ok && err == nil {
		x.announced[strings.ReplaceAll(name, `"`, "")] = n
	}
}

// create parses CREATE TABLE and passes over everything else that is created.
func (x *scriptIndexer) create() error {
	t, err := parseCreateTable(x.lexer, true)
	if err != nil {
		return err
	}
	if t != nil && t.Name != lobTable {
		key := t.Schema + "." + t.Name
		if x.byName[key] != nil {
			return damaged(x.lexer.offset, "table %s is created twice", clip(key))
		}
		x.byName[key] = t
		x.script.list = append(x.script.list, t)
	}
	_, err = x.lexer.skipStatement()
	return err
}

// insert notes where an INSERT statement is and how many rows it has.
func (x *scriptIndexer) insert(start int64) error {
	schema, name, err := parseInto(x.lexer)
	if err != nil {
		return err
	}
	if name == lobTable {
		if x.lobs == 0 {
			x.lobs = start
		}
		_, err := x.lexer.skipStatement()
		return err
	}
	t := x.byName[schema+"."+name]
	if t == nil {
		return damaged(start, "rows for table %s.%s, which is not created before", clip(schema), clip(name))
	}
	// A list of columns is a group in parentheses, too.
	listed := int64(0)
	if next, err := x.lexer.peek(); err != nil {
		return err
	} else if next.is("(") {
		listed = 1
	}
	groups, err := x.lexer.skipStatement()
	if err != nil {
		return err
	}
	x.rows[t] += groups - listed
	if x.lobs != 0 {
		start, x.lobs = x.lobs, 0
	}
	if n := len(t.parts); x.last == t {
		t.parts[n-1].end = x.lexer.offset
	} else {
		t.parts = append(t.parts, part{start, x.lexer.offset})
	}
	x.last = t
	return nil
}

// finish compares what was seen with what the comments announce.
func (x *scriptIndexer) finish() error {
	if len(x.script.list) == 0 {
		return fmt.Errorf("%w: the text creates no table", ErrFormat)
	}
	for _, t := range x.script.list {
		t.Entries = x.rows[t]
		if t.Entries < x.announced[t.Schema+"."+t.Name] {
			x.script.info.Short = append(x.script.info.Short, t.Name)
		}
	}
	return nil
}

// parseInto parses INSERT INTO and the table's name.
func parseInto(l *lexer) (schema, name string, err error) {
	if err := errors.Join(l.expect("INSERT"), l.expect("INTO")); err != nil {
		return "", "", err
	}
	return parseName(l)
}

// rows delivers the rows of a table.
func (s *scriptSource) rows(ctx context.Context, t *Table) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		for _, p := range t.parts {
			r := scriptReader{
				script: s,
				table:  t,
				lexer:  newLexer(io.NewSectionReader(s.file, p.start, p.end-p.start), p.start, s.limit),
				lobs:   map[int64]int64{},
			}
			if more, err := r.run(ctx, yield); err != nil {
				yield(Row{}, err)
				return
			} else if !more {
				return
			}
		}
	}
}

// scriptReader reads the INSERT statements of one part.
type scriptReader struct {
	script *scriptSource
	table  *Table
	lexer  *lexer
	lobs   map[int64]int64 // offset of the first piece of each large object that no row has used yet
}

// run reports whether the caller wants more.
func (r *scriptReader) run(ctx context.Context, yield func(Row, error) bool) (bool, error) {
	for {
		t, err := r.lexer.peek()
		if err != nil || t.kind == tokenEnd {
			return true, err
		}
		if !t.is("INSERT") {
			if _, err := r.lexer.skipStatement(); err != nil {
				return false, err
			}
			continue
		}
		_, name, err := parseInto(r.lexer)
		if err != nil {
			return false, err
		}
		if name == lobTable {
			if err := r.notePiece(t.offset); err != nil {
				return false, err
			}
			continue
		}
		if more, err := r.statement(ctx, yield); !more || err != nil {
			return false, err
		}
	}
}

// notePiece remembers where a large object begins: INSERT INTO SYSTEM_LOB_STREAM VALUES(id, part, text, bytes).
func (r *scriptReader) notePiece(start int64) error {
	id, number, err := pieceHead(r.lexer)
	if err != nil {
		return err
	}
	if number == 0 {
		r.lobs[id] = start
	}
	_, err = r.lexer.skipStatement()
	return err
}

// pieceHead parses VALUES(id, part, and leaves the rest.
func pieceHead(l *lexer) (id, number int64, err error) {
	if err := errors.Join(l.expect("VALUES"), l.expect("(")); err != nil {
		return 0, 0, err
	}
	if id, err = wholeNumber(l, math.MaxInt32); err != nil {
		return 0, 0, err
	}
	if err := l.expect(","); err != nil {
		return 0, 0, err
	}
	if number, err = wholeNumber(l, math.MaxInt32); err != nil {
		return 0, 0, err
	}
	return id, number, l.expect(",")
}

// wholeNumber takes a number from 0 to most.
func wholeNumber(l *lexer, most int64) (int64, error) {
	t, err := l.next()
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseInt(t.text, 10, 64)
	if err != nil || t.kind != tokenNumber || n < 0 || n > most {
		return 0, damaged(t.offset, "%q where a number belongs", clip(t.text))
	}
	return n, nil
}

// statement delivers the rows of one INSERT, from what follows the table's name.
func (r *scriptReader) statement(ctx context.Context, yield func(Row, error) bool) (bool, error) {
	order, err := r.columns()
	if err != nil {
		return false, err
	}
	for {
		if err := ctx.Err(); err != nil {
			return false, err
		}
		row, err := r.row(order)
		if err != nil {
			return false, err
		}
		if !yield(row, nil) {
			return false, nil
		}
		t, err := r.lexer.next()
		switch {
		case err != nil:
			return false, err
		case t.is(";"):
			return true, nil
		case !t.is(","):
			return false, damaged(t.offset, "%q after a row", clip(t.text))
		}
	}
}

// columns gives the columns that the rows list, in their order: all, unless the statement names them.
func (r *scriptReader) columns() ([]int, error) {
	var order []int
	t, err := r.lexer.next()
	if err != nil {
		return nil, err
	}
	for t.is("(") || t.is(",") && len(order) > 0 {
		name, err := r.lexer.next()
		if err != nil {
			return nil, err
		}
		i, ok := r.table.Column(name.text)
		if !ok || len(order) == len(r.table.Columns) {
			return nil, damaged(name.offset, "rows name a column %q, which the table lacks, or too many", clip(name.text))
		}
		order = append(order, i)
		if t, err = r.lexer.next(); err != nil {
			return nil, err
		}
	}
	if t.is(")") {
		if t, err = r.lexer.next(); err != nil {
			return nil, err
		}
	}
	for t.is("OVERRIDING") || t.is("SYSTEM") || t.is("USER") || t.is("VALUE") {
		if t, err = r.lexer.next(); err != nil {
			return nil, err
		}
	}
	if !t.is("VALUES") {
		return nil, damaged(t.offset, "%q where VALUES belongs", clip(t.text))
	}
	if order == nil {
		for i := range r.table.Columns {
			order = append(order, i)
		}
	}
	return order, nil
}

// row parses one group of literals.
func (r *scriptReader) row(order []int) (Row, error) {
	row := Row{Table: r.table, Values: make([]any, len(r.table.Columns))}
	if err := r.lexer.expect("("); err != nil {
		return row, err
	}
	for n, i := range order {
		if n > 0 {
			if err := r.lexer.expect(","); err != nil {
				return row, err
			}
		}
		v, err := r.value(&r.table.Columns[i])
		if err != nil {
			return row, err
		}
		row.Values[i] = v
	}
	return row, r.lexer.expect(")")
}
