// Package raw is the format without a protocol: a path is a file. Every file is a component of its own, named by its path and
// grouped by its folder. A folder's URL serves the index page that lies in it.
//
// Settings:
//
//	contentDisposition  ATTACHMENT (default: browsers save what they are sent) or INLINE (a static site)
package raw

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"

	"entrepot/formats"
	"entrepot/formats/contenttype"
	"entrepot/storage/blob"
	"entrepot/storage/catalog"
)

// Name is the id of the format.
const Name = "raw"

// The settings of a repository.
const (
	SettingContentDisposition = "contentDisposition"

	Attachment = "ATTACHMENT"
	Inline     = "INLINE"
)

// Format is the raw format. The zero value is ready.
type Format struct{}

var (
	_ formats.Format     = Format{}
	_ formats.Verifier   = Format{}
	_ formats.Configurer = Format{}
	_ formats.Uploader   = Format{}
)

// New makes the format.
func New() Format { return Format{} }

// Name implements formats.Format.
func (Format) Name() string { return Name }

// Classify implements formats.Format.
func (Format) Classify(r formats.Repository, path string) formats.Item {
	item := formats.Item{
		Path:        path,
		Route:       formats.RouteAsset,
		Class:       "file",
		Component:   &catalog.Coordinates{Group: folder(path), Name: path},
		MD5:         true,
		SHA512:      true,
		Disposition: true,
	}
	switch {
	case strings.ContainsAny(path, "\n\r\u0085\u2028\u2029"), path == "/" && r.Kind == formats.Proxy, !strings.HasPrefix(path, "/"):
		return formats.Item{Path: path, Route: formats.RouteNone, Class: "none", Unmatched: formats.Invalid}
	case path == "/":
		item.Only = []string{http.MethodGet}
		item.Unmatched = formats.Invalid
		fallthrough
	case strings.HasSuffix(path, "/"):
		item.Route = formats.RouteListing
		item.Class = "folder"
		item.Indexes = []string{"index.html", "index.htm"}
	}
	return item
}

// folder is the path up to its last slash, without that slash unless it is the root.
func folder(path string) string {
	if at := strings.LastIndexByte(path, '/'); at > 0 {
		return path[:at]
	}
	return "/"
}

// Verify implements formats.Verifier.
func (Format) Verify(_ context.Context, r formats.Repository, it formats.Item, body io.ReaderAt, info blob.Info) error {
	if !r.Strict {
		return nil
	}
	head, err := contenttype.ReadHead(body, info.Size)
	if err != nil {
		return err
	}
	if _, err := contenttype.Check(it.Path, head); err != nil {
		return &formats.Error{Kind: formats.InvalidContent, Message: err.Error()}
	}
	return nil
}

// Configure implements formats.Configurer.
func (Format) Configure(_ formats.Kind, settings map[string]string) (map[string]string, error) {
	configured := maps.Clone(settings)
	if configured == nil {
		configured = map[string]string{}
	}
	switch configured[SettingContentDisposition] {
	case "":
		configured[SettingContentDisposition] = Attachment
	case Attachment, Inline:
	default:
		return nil, formats.FieldErrors{{Field: SettingContentDisposition, Message: "contentDisposition must be INLINE or ATTACHMENT"}}
	}
	return configured, nil
}

// UploadSpec implements formats.Uploader.
func (Format) UploadSpec() formats.UploadSpec {
	return formats.UploadSpec{
		Multiple: true,
		Component: []formats.UploadField{{
			Name: "directory", Display: "Directory", Group: "Component attributes",
			Help: "Destination for uploaded files (e.g. /path/to/files/)",
		}},
		Asset: []formats.UploadField{{Name: "filename", Display: "Filename"}},
	}
}

// Plan implements formats.Uploader.
func (Format) Plan(_ context.Context, _ formats.Repository, u *formats.Upload) ([]formats.UploadTarget, error) {
	var targets []formats.UploadTarget
	var refusals formats.FieldErrors
	first := map[string]string{} // path to the key of the file that goes there
	for i, file := range u.Files {
		path := join(u.Fields["directory"], file.Fields["filename"])
		if path == "" {
			refusals = append(refusals, formats.FieldError{
				Field: "filename", Message: "Missing required asset field 'Filename' on '" + file.Key + "'",
			})
			continue
		}
		if strings.Contains(path+"/", "/./") || strings.Contains(path+"/", "/../") {
			refusals = append(refusals, formats.FieldError{Message: "Path is not allowed to have '.' or '..' segments: '" + path + "'"})
		}
		if other, taken := first[path]; taken {
			refusals = append(refusals, formats.FieldError{
				Message: fmt.Sprintf("The assets %s and %s have identical coordinates", other, file.Key),
			})
			continue
		}
		first[path] = file.Key
		targets = append(targets, formats.UploadTarget{Path: path, File: i})
	}
	if len(refusals) > 0 {
		return nil, refusals
	}
	return targets, nil
}

// join makes a path of a folder and a file name, both as people type them.
func join(folder, name string) string {
	var path strings.Builder
	for segment := range strings.SplitSeq(folder+"/"+name, "/") {
		if segment != "" {
			path.WriteString("/" + segment)
		}
	}
	return path.String()
}
