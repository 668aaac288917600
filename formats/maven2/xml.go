package maven2

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// Bounds of the documents that are parsed.
const (
	maxMetadata = 8 << 20  // a list of 100,000 versions has 3 MiB
	maxCatalog  = 32 << 20 // the largest public catalogs have about half of it
	maxPOM      = 4 << 20
	maxDepth    = 64
	maxTag      = 256 // length of an element's name
)

// errTooLarge reports a document beyond its bound.
var errTooLarge = errors.New("maven2: XML document too large")

// visitor is shown every element as it ends, children before their parents. path is made of the names from the root, without name
// spaces, for example "metadata/versioning/release". text is what the element itself holds, trimmed.
type visitor func(path, text string)

// document is what walk finds out about a document as a whole.
type document struct {
	root     string
	encoding string // as declared; "" when it was not
}

// walk reads an XML document of at most limit bytes.
func walk(r io.Reader, limit int64, visit visitor) (document, error) {
	w := walker{visit: visit}
	limited := &io.LimitedReader{R: r, N: limit + 1}
	decoder := xml.NewDecoder(limited)
	decoder.Entity = xml.HTMLEntity // one character each; old POMs use them
	decoder.CharsetReader = charsetReader
	for {
		token, err := decoder.RawToken()
		if limited.N == 0 {
			return w.document, errTooLarge
		}
		if errors.Is(err, io.EOF) {
			return w.document, w.finish()
		}
		if err != nil {
			return w.document, fmt.Errorf("maven2: read XML: %w", err)
		}
		if err := w.token(token); err != nil {
			return w.document, err
		}
	}
}

// walker is the state of walk.
type walker struct {
	document
	visit visitor
	open  []element
	ended bool // the root has been closed
}

// element is one that is not closed yet.
type element struct {
	name string // as written, with its prefix
	path string
	text []byte
}

func (w *walker) token(token xml.Token) error {
	switch t := token.(type) {
	case xml.ProcInst:
		if t.Target == "xml" {
			w.encoding = declaredEncoding(string(t.Inst))
		}
	case xml.StartElement:
		return w.start(t.Name)
	case xml.EndElement:
		return w.end(t.Name)
	case xml.CharData:
		if len(w.open) > 0 {
			last := &w.open[len(w.open)-1]
			last.text = append(last.text, t...)
		} else if strings.TrimSpace(strings.TrimPrefix(string(t), "\ufeff")) != "" {
			return errors.New("maven2: read XML: text outside of the root element")
		}
	}
	return nil
}

func (w *walker) start(name xml.Name) error {
	if w.ended {
		return errors.New("maven2: read XML: more than one root element")
	}
	if len(w.open) == maxDepth || len(name.Local) > maxTag {
		return fmt.Errorf("maven2: read XML: elements nested deeper than %d or named longer than %d", maxDepth, maxTag)
	}
	path := name.Local
	if len(w.open) > 0 {
		path = w.open[len(w.open)-1].path + "/" + path
	} else {
		w.root = name.Local
	}
	w.open = append(w.open, element{name: name.Space + ":" + name.Local, path: path})
	return nil
}

func (w *walker) end(name xml.Name) error {
	last := len(w.open) - 1
	if last < 0 || w.open[last].name != name.Space+":"+name.Local {
		return fmt.Errorf("maven2: read XML: </%s> closes nothing", name.Local)
	}
	w.visit(w.open[last].path, string(bytes.TrimSpace(w.open[last].text)))
	w.open = w.open[:last]
	w.ended = last == 0
	return nil
}

func (w *walker) finish() error {
	if len(w.open) > 0 || !w.ended {
		return errors.New("maven2: read XML: document ends early")
	}
	return nil
}

// declaredEncoding reads the encoding from the inside of <?xml … ?>.
func declaredEncoding(instruction string) string {
	_, rest, ok := strings.Cut(instruction, "encoding=")
	if !ok || rest == "" {
		return ""
	}
	encoding, _, _ := strings.Cut(rest[1:], rest[:1])
	return encoding
}

// charsetReader converts the encodings of old documents; UTF-8 never comes here.
func charsetReader(charset string, input io.Reader) (io.Reader, error) {
	switch strings.ToLower(charset) {
	case "iso-8859-1", "latin1", "windows-1252", "us-ascii", "ascii":
		return &latin1Reader{source: input}, nil
	}
	return nil, fmt.Errorf("unsupported encoding %q", charset)
}

// latin1Reader turns ISO-8859-1 into UTF-8. What windows-1252 has beyond it becomes control characters, which nobody reads.
type latin1Reader struct {
	source  io.Reader
	pending [utf8.UTFMax]byte
	rest    []byte // of pending, not delivered yet
}

func (l *latin1Reader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if len(l.rest) == 0 {
		var one [1]byte
		if _, err := io.ReadFull(l.source, one[:]); err != nil {
			return 0, err
		}
		l.rest = utf8.AppendRune(l.pending[:0], rune(one[0]))
	}
	n := copy(p, l.rest)
	l.rest = l.rest[n:]
	return n, nil
}

// xmlWriter writes elements the way that Maven's own writers do: two blanks for each level, empty elements left out.
type xmlWriter struct {
	strings.Builder
	depth int
}

// prolog writes the first line. Where the encoding was never declared it still is not.
func (w *xmlWriter) prolog(declared bool) {
	w.WriteString(`<?xml version="1.0"`)
	if declared {
		w.WriteString(` encoding="UTF-8"`)
	}
	w.WriteString("?>\n")
}

func (w *xmlWriter) indent() {
	for range w.depth {
		w.WriteString("  ")
	}
}

// open writes a start tag on its own line. attributes is written as it is.
func (w *xmlWriter) open(name, attributes string) {
	w.indent()
	w.WriteString("<" + name + attributes + ">\n")
	w.depth++
}

func (w *xmlWriter) close(name string) {
	w.depth--
	w.indent()
	w.WriteString("</" + name + ">\n")
}

// leaf writes an element with text, nothing when there is no text.
func (w *xmlWriter) leaf(name, text string) {
	if text == "" {
		return
	}
	w.indent()
	w.WriteString("<" + name + ">")
	w.WriteString(escapeText(text))
	w.WriteString("</" + name + ">\n")
}

// escapeText escapes what cannot stand in an element and drops what cannot stand in XML at all.
func escapeText(text string) string {
	if !strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == '&' || r == '<' || r == '>' || r >= utf8.RuneError }) {
		return text
	}
	var b strings.Builder
	for _, r := range text {
		switch {
		case r == '&':
			b.WriteString("&amp;")
		case r == '<':
			b.WriteString("&lt;")
		case r == '>':
			b.WriteString("&gt;")
		case r == '\r':
			b.WriteString("&#xD;")
		case r < ' ' && r != '\t' && r != '\n', r == 0xFFFE, r == 0xFFFF, r == utf8.RuneError:
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}
