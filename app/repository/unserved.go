package repository

import (
	"encoding/json"
	"fmt"
	"net/http"

	"entrepot/formats"
)

// unserved answers a request for content of a format that this version does not serve, in the shape that the format's clients show to
// their users: a document where they look for one, else the refusal that every other format gives.
func unserved(format string) (*formats.Response, error) {
	message := fmt.Sprintf("Repositories of format %s are kept but not served by this version", format)
	header := http.Header{"Content-Type": {"application/json"}}
	var document any
	switch format {
	case "docker":
		header.Set("Docker-Distribution-Api-Version", "registry/2.0")
		document = map[string]any{"errors": []map[string]string{{"code": "UNAVAILABLE", "message": message}}}
	case "npm":
		document = map[string]any{"success": false, "error": message}
	case "cargo":
		document = map[string]any{"errors": []map[string]string{{"detail": message}}}
	case "terraform":
		document = map[string]any{"errors": []string{message}}
	default:
		return nil, &formats.Error{Kind: formats.Unavailable, Message: message}
	}
	body, err := json.Marshal(document)
	if err != nil {
		return nil, fmt.Errorf("repository: encode a refusal: %w", err)
	}
	return &formats.Response{
		Status: http.StatusServiceUnavailable, Reason: message, Header: header, Body: formats.Body{Bytes: body, Size: int64(len(body))},
	}, nil
}
