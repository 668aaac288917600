package content

import (
	"html"
	"strconv"
)

// product is our own name: of the old server only the Server header speaks.
const product = "Entrepot"

// brand is what pages say about the server.
type brand struct{ version string }

// page is one HTML page of the server: an error, a repository's landing page, a description.
type page struct {
	title       string // before the product's name in the window's title
	up          string // relative link to the root of the server
	heading     string
	description string
	section     string // HTML
}

const (
	pageHead = `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>`
	pageStyle = `</title>
<meta name="viewport" content="width=device-width">
<style>
body{margin:0;font:16px/1.5 system-ui,sans-serif;color:#17324d;background:#f6f8fa}
header{background:#0b3a53;padding:.8em 1.5em}
header a{color:#fff;text-decoration:none;display:flex;gap:.8em;align-items:baseline}
header b{font-size:1.2em}
main{max-width:60em;margin:2em auto;padding:0 1.5em}
h1{font-size:1.3em;margin:0}
h1 small{font-weight:normal;color:#54708a;margin-left:.5em}
section{background:#fff;border:1px solid #d5dfe8;border-radius:4px;padding:1em 1.5em;margin-top:1em;overflow-wrap:anywhere}
table{border-collapse:collapse;margin-bottom:1em}
td,th{text-align:left;padding:.1em 1em .1em 0;vertical-align:top}
</style>
</head>
<body>
<header><a href="`
)

// render appends the page's HTML.
func (b brand) render(dst []byte, p page) []byte {
	dst = append(dst, pageHead...)
	dst = append(dst, html.EscapeString(p.title)...)
	if p.title != "" {
		dst = append(dst, " - "...)
	}
	dst = append(dst, product...)
	dst = append(dst, pageStyle...)
	dst = append(dst, p.up...)
	dst = append(dst, "\"><b>"...)
	dst = append(dst, product...)
	dst = append(dst, "</b> <span>"...)
	dst = append(dst, b.version...)
	dst = append(dst, "</span></a></header>\n<main>\n<h1>"...)
	dst = append(dst, html.EscapeString(p.heading)...)
	dst = append(dst, "<small>"...)
	dst = append(dst, html.EscapeString(p.description)...)
	dst = append(dst, "</small></h1>\n<section>\n"...)
	dst = append(dst, p.section...)
	return append(dst, "\n</section>\n</main>\n</body>\n</html>\n"...)
}

// errorPage gives the page of an error. The message is the one of the status line, unshortened.
func (b brand) errorPage(target string, status int, description, message string) []byte {
	code := strconv.Itoa(status)
	return b.render(make([]byte, 0, 2048), page{
		title: code, up: upwards(target), heading: "Error " + code, description: description, section: html.EscapeString(message),
	})
}
