package rest

import (
	"net/http"

	"entrepot/app/server"
	"entrepot/formats"
)

func (a *API) specOperations() []operation {
	return []operation{
		{method: http.MethodGet, path: "v1/formats/upload-specs", access: server.Public(), run: a.listSpecs},
		{method: http.MethodGet, path: "v1/formats/{format}/upload-specs", access: server.Public(), run: a.getSpec},
	}
}

// spec describes the form of a format. Every file is a field of its own, which forms name "asset".
func spec(format string, s formats.UploadSpec) object {
	component, asset := []object{}, []object{}
	for _, f := range s.Component {
		component = append(component, specField(f, "STRING"))
	}
	for _, f := range s.Asset {
		asset = append(asset, specField(f, "STRING"))
	}
	asset = append(asset, specField(formats.UploadField{Name: "asset"}, "FILE"))
	return object{{"format", format}, {"multipleUpload", s.Multiple}, {"componentFields", component}, {"assetFields", asset}}
}

func specField(f formats.UploadField, kind string) object {
	if f.Boolean {
		kind = "BOOLEAN"
	}
	return object{{"name", f.Name}, {"type", kind}, {"description", emptyAsNull(f.Help)}, {"optional", f.Optional}, {"group", emptyAsNull(f.Group)}}
}

func (a *API) listSpecs(*call) (any, error) {
	out := []object{}
	for _, format := range a.engine.UploadFormats() {
		s, err := a.engine.UploadSpec(format)
		if err != nil {
			return nil, err
		}
		out = append(out, spec(format, s))
	}
	return out, nil
}

func (a *API) getSpec(c *call) (any, error) {
	s, err := a.engine.UploadSpec(c.Param("format"))
	if err != nil {
		return nil, err
	}
	return spec(c.Param("format"), s), nil
}
