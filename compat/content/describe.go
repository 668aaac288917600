package content

import (
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"slices"
	"strings"

	"entrepot/app/server"
	"entrepot/formats"
)

// topic is one table of a description.
type topic struct {
	Name  string `json:"name"`
	Type  string `json:"type"`
	Value any    `json:"value"` // the name itself, or a map of the rows
	rows  [][2]string
	major bool
}

// secretHeaders are left out of descriptions, which people paste into tickets.
var secretHeaders = []string{"Authorization", "Cookie", "Proxy-Authorization"}

// described reports whether the outcome of a request is shown by ?describe. Who may not read gets the refusal itself.
func described(err error) bool {
	switch formats.KindOf(err) {
	case formats.Unauthenticated, formats.Forbidden:
		return err == nil
	}
	return true
}

// describe tells how a request was understood and what its answer would be, as HTML or, with ?describe=json, as JSON.
func (c *Content) describe(r *server.Request, req *formats.Request, resp *formats.Response, err error) (*formats.Response, error) {
	if err == nil && resp.Body.Stream != nil {
		if err := resp.Body.Stream.Close(); err != nil {
			return nil, fmt.Errorf("content: describe: %w", err)
		}
	}
	topics := append(describeRequest(r, req), describeAnswer(req, resp, err)...)
	if req.Query.Get("describe") == "json" {
		body, err := json.MarshalIndent(map[string]any{
			"parameters": map[string]string{"path": req.Path, "nexusUrl": r.BaseURL()}, "items": topics,
		}, "", "  ")
		if err != nil {
			return nil, fmt.Errorf("content: describe: %w", err)
		}
		return &formats.Response{Status: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Body: formats.Body{Bytes: body}}, nil
	}
	return htmlPage(c.view.brand.render(nil, page{
		title: "Describe " + req.Path, up: upwards(r.Target), heading: "Describe", description: req.Path, section: describeHTML(topics),
	})), nil
}

func describeRequest(r *server.Request, req *formats.Request) []topic {
	header := req.Header.Clone()
	for _, name := range secretHeaders {
		if header[name] != nil {
			header[name] = []string{"***"}
		}
	}
	return []topic{
		heading("Request"),
		table("Details", [2]string{"Action", req.Method}, [2]string{"path", req.Path}, [2]string{"repository", r.Labels.Repository}),
		table("Parameters", pairs(req.Query)...),
		table("Headers", pairs(header)...),
		table("Payload", [2]string{"Content-Type", req.Header.Get("Content-Type")}, [2]string{"Size", fmt.Sprint(req.Size)}),
	}
}

func describeAnswer(req *formats.Request, resp *formats.Response, err error) []topic {
	status, message, header := http.StatusOK, "", http.Header(nil)
	if err != nil {
		out := translate(err, req.Method)
		status, message, header = out.status, out.reason, out.header
	} else {
		status, message, header = resp.Status, resp.Reason, resp.Header
	}
	topics := []topic{
		heading("Response"),
		table("Status", [2]string{"Code", fmt.Sprint(status)}, [2]string{"Message", message}),
		table("Headers", pairs(header)...),
	}
	if err != nil {
		return topics
	}
	size := max(resp.Body.Size, int64(len(resp.Body.Bytes)))
	return append(topics, table("Payload", [2]string{"Content-Type", header.Get("Content-Type")}, [2]string{"Size", fmt.Sprint(size)}))
}

func heading(name string) topic { return topic{Name: name, Type: "topic", Value: name, major: true} }

func table(name string, rows ...[2]string) topic {
	value := make(map[string]string, len(rows))
	for _, row := range rows {
		value[row[0]] = row[1]
	}
	return topic{Name: name, Type: "table", Value: value, rows: rows}
}

func pairs(values map[string][]string) [][2]string {
	rows := make([][2]string, 0, len(values))
	for name, list := range values {
		rows = append(rows, [2]string{name, strings.Join(list, ", ")})
	}
	slices.SortFunc(rows, func(a, b [2]string) int { return strings.Compare(a[0], b[0]) })
	return rows
}

func describeHTML(topics []topic) string {
	var b strings.Builder
	b.WriteString("<p>What this server made of the request, and how it would answer.</p>\n")
	for _, t := range topics {
		switch {
		case t.major:
			fmt.Fprintf(&b, "<h2>%s</h2>\n", html.EscapeString(t.Name))
			continue
		case len(t.rows) == 0:
			fmt.Fprintf(&b, "<h3>%s</h3>\n<p>No entries</p>\n", html.EscapeString(t.Name))
			continue
		}
		fmt.Fprintf(&b, "<h3>%s</h3>\n<table>\n", html.EscapeString(t.Name))
		for _, row := range t.rows {
			fmt.Fprintf(&b, "<tr><th>%s</th><td>%s</td></tr>\n", html.EscapeString(row[0]), html.EscapeString(row[1]))
		}
		b.WriteString("</table>\n")
	}
	return b.String()
}
