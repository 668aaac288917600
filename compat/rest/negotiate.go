package rest

import (
	"errors"
	"iter"
	"mime"
	"net/http"
	"strings"

	"entrepot/app/server"
)

// errAccept is an Accept header that names no kind of content.
var errAccept = &server.StatusError{Status: http.StatusBadRequest}

// acceptable gives the kinds of content that an Accept header names, in lower case, each with its parameters.
func acceptable(h http.Header) iter.Seq2[string, string] {
	return func(yield func(kind, parameters string) bool) {
		for _, line := range h["Accept"] {
			for item := range strings.SplitSeq(line, ",") {
				kind, parameters, _ := strings.Cut(item, ";")
				if !yield(strings.ToLower(strings.TrimSpace(kind)), strings.ReplaceAll(parameters, " ", "")) {
					return
				}
			}
		}
	}
}

// malformedAccept reports an Accept header that cannot be read. The old server looks at it before anything else.
func malformedAccept(h http.Header) bool {
	for kind := range acceptable(h) {
		if kind != "" && kind != "*" && !strings.Contains(kind, "/") {
			return true
		}
	}
	return false
}

// accepts reports whether a client takes a kind of answer.
func accepts(h http.Header, kind media) bool {
	if kind == mediaAny {
		return true
	}
	major, _, _ := strings.Cut(string(kind), "/")
	none := true
	for name, parameters := range acceptable(h) {
		switch name {
		case "":
			continue
		case "*/*", "*", major + "/*", string(kind):
			if parameters != "q=0" && parameters != "q=0.0" {
				return true
			}
		}
		none = false
	}
	return none
}

// asksFor reports whether an Accept header names just this kind of content, and no pattern for it.
func asksFor(h http.Header, kind media) bool {
	for name := range acceptable(h) {
		if name == string(kind) {
			return true
		}
	}
	return false
}

// consumes reports whether a request's body is of a kind.
func consumes(h http.Header, kind media) bool {
	if kind == mediaMultipart && h.Get("Content-Type") == "" { // the operation says what is missing
		return true
	}
	name, _, err := mime.ParseMediaType(h.Get("Content-Type"))
	if err != nil && !errors.Is(err, mime.ErrInvalidMediaParameter) {
		return false
	}
	if kind == mediaTextOrJSON {
		return name == string(mediaText) || name == string(mediaJSON)
	}
	return name == string(kind)
}
