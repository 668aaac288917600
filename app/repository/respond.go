package repository

import (
	"maps"
	"net/http"
	"strings"
	"time"

	"entrepot/app/repository/conditional"
	"entrepot/formats"
	"entrepot/storage/catalog"
)

// Names of headers in the form that http.Header keeps.
const (
	headerETag         = "Etag"
	headerModified     = "Last-Modified"
	headerType         = "Content-Type"
	headerDisposition  = "Content-Disposition"
	headerContentRange = "Content-Range"
)

// representation is something that can be sent, with what tells its states apart.
type representation struct {
	conditional.Validators
	contentType string
	body        formats.Body // whole
	header      http.Header  // of a full answer, where it is made already; shared
}

// assetRepresentation describes a stored asset. Content of a cache keeps its upstream's validators.
func assetRepresentation(a *catalog.Asset) representation {
	rep := representation{contentType: a.ContentType, body: formats.Body{Blob: &a.Blob, Size: a.Size}}
	rep.LastModified = a.BlobCreated
	if up := a.Upstream; up != nil {
		rep.ETag = up.ETag
		if !up.LastModified.IsZero() {
			rep.LastModified = up.LastModified
		}
	}
	if rep.ETag == "" {
		rep.ETag = `"` + a.Digests.SHA1 + `"`
	}
	return rep
}

// respondAsset answers a GET or HEAD with a stored asset and remembers the download, unless the server is read-only.
func (e *Engine) respondAsset(x *exchange, a *catalog.Asset) (*formats.Response, error) {
	resp, err := x.respond(e.answers.get(x, a))
	if err == nil && x.get && e.frozen.Load() == nil {
		x.content.Touch(a.Path, e.now())
	}
	return resp, err
}

// respond answers a GET or HEAD, or the part or the mere confirmation that its headers ask for.
func (x *exchange) respond(rep *representation) (*formats.Response, error) {
	if conditional.Any(x.req.Header) {
		switch conditional.Check(x.req.Method, x.req.Header, rep.Validators) {
		case conditional.NotModified:
			return &formats.Response{Status: http.StatusNotModified, Header: x.notModifiedHeader(rep)}, nil
		case conditional.PreconditionFailed:
			return nil, &formats.Error{Kind: formats.PreconditionFailed}
		}
	}
	resp := &formats.Response{Status: http.StatusOK, Header: rep.header, Body: rep.body}
	if resp.Header == nil {
		resp.Header = x.header(rep)
	}
	if !x.get || x.item.Whole || rep.body.Size < 0 || len(x.req.Header["Range"]) == 0 {
		return resp, nil
	}
	part, partial, err := conditional.Select(x.req.Header, rep.Validators, rep.body.Size)
	if err != nil {
		return nil, &formats.Error{Kind: formats.RangeNotSatisfiable, Message: "Range Not Satisfiable"}
	}
	if partial {
		resp.Status = http.StatusPartialContent
		resp.Header = maps.Clone(resp.Header)
		resp.Header[headerContentRange] = []string{part.ContentRange(rep.body.Size)}
		resp.Body = cut(rep.body, part)
	}
	return resp, nil
}

// cut gives a part of a body.
func cut(b formats.Body, part conditional.Range) formats.Body {
	switch {
	case b.Blob != nil:
		b.Offset += part.Offset
	case b.Stream != nil:
		b.Stream.(*tail).limit(part)
	default:
		b.Bytes = b.Bytes[part.Offset : part.Offset+part.Length]
	}
	b.Size = part.Length
	return b
}

// header makes the headers of a full answer: one map, one array of values, no formatting by fmt.
func (x *exchange) header(rep *representation) http.Header {
	h := make(http.Header, 5)
	values := make([]string, 0, 4)
	set := func(name, value string) {
		if value == "" {
			return
		}
		values = append(values, value)
		h[name] = values[len(values)-1 : len(values) : len(values)]
	}
	set(headerETag, rep.ETag)
	set(headerDisposition, x.bears())
	if !rep.LastModified.IsZero() {
		set(headerModified, httpTime(rep.LastModified))
	}
	set(headerType, rep.contentType)
	return h
}

// bears gives the Content-Disposition of an answer that is no refusal; "" for none.
func (x *exchange) bears() string {
	if x.get && x.item.Disposition {
		return x.disposition
	}
	return ""
}

func (x *exchange) notModifiedHeader(rep *representation) http.Header {
	h := make(http.Header, 2)
	if rep.ETag != "" {
		h[headerETag] = []string{rep.ETag}
	}
	if word := x.bears(); word != "" {
		h[headerDisposition] = []string{word}
	}
	return h
}

// httpTime writes a time as HTTP does. It runs for every download, and time.Time.Format reads its layout anew each time.
func httpTime(t time.Time) string {
	t = t.UTC()
	year, month, day := t.Date()
	if year < 0 || year > 9999 {
		return t.Format(http.TimeFormat)
	}
	hour, minute, second := t.Clock()
	b := [len(http.TimeFormat)]byte([]byte(http.TimeFormat))
	copy(b[:3], t.Weekday().String())
	copy(b[8:11], month.String())
	two(b[5:], day)
	two(b[12:], year/100)
	two(b[14:], year%100)
	two(b[17:], hour)
	two(b[20:], minute)
	two(b[23:], second)
	return string(b[:])
}

// two writes a number below 100 with two digits.
func two(b []byte, n int) { b[0], b[1] = byte('0'+n/10), byte('0'+n%10) }

// disposition is the word of Content-Disposition that a repository's settings ask for.
func disposition(settings map[string]string) string {
	if strings.EqualFold(settings["contentDisposition"], "attachment") {
		return "attachment"
	}
	return "inline"
}
