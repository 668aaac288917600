package rest

import (
	"io"
	"net/http"
	"path/filepath"

	"entrepot/app/diagnostics"
	"entrepot/app/server"
	"entrepot/formats"
)

func (a *API) supportOperations() []operation {
	may := server.PermissionAfterBody("nexus:atlas:create")
	return []operation{
		{method: http.MethodPost, path: "v1/support/supportzip", access: may, consumes: mediaJSON, produces: mediaAny, run: a.sendArchive},
		{method: http.MethodPost, path: "v1/support/supportzippath", access: may, consumes: mediaJSON, run: a.saveArchive},
		{method: http.MethodGet, path: "atlas/system-information", access: server.Permission("nexus:atlas:read"), run: a.systemInformation},
		{method: http.MethodGet, path: "atlas/security-diagnostic/user/{id}", access: server.Permission("nexus:atlas:read"), run: a.userDiagnostic},
		{method: http.MethodGet, path: "beta/system/information", access: server.Permission("nexus:*"), run: a.nodesInformation},
	}
}

// archiveBody says what an archive is to hold. What this server does not have is taken and adds nothing: files of logs and of tasks, and
// replication; archives are never cut short.
type archiveBody struct {
	System        bool   `json:"systemInformation"`
	Threads       bool   `json:"threadDump"`
	Metrics       bool   `json:"metrics"`
	Configuration bool   `json:"configuration"`
	Security      bool   `json:"security"`
	Audit         bool   `json:"auditLog"`
	Log           bool   `json:"log"`
	TaskLog       bool   `json:"taskLog"`
	JMX           bool   `json:"jmx"`
	Replication   bool   `json:"replication"`
	LimitFiles    bool   `json:"limitFileSizes"`
	LimitZip      bool   `json:"limitZipSize"`
	ArchivedLog   int    `json:"archivedLog"`
	Hostname      string `json:"hostname"`
}

func (c *call) archiveParts() (diagnostics.Parts, error) {
	var b archiveBody
	if err := c.decode(&b); err != nil {
		return diagnostics.Parts{}, err
	}
	parts := diagnostics.Parts{
		SystemInformation: b.System, Threads: b.Threads, Metrics: b.Metrics || b.JMX, Configuration: b.Configuration, Security: b.Security, Audit: b.Audit,
	}
	return parts, c.authorize()
}

// sendArchive makes the archive while it is sent.
func (a *API) sendArchive(c *call) (any, error) {
	parts, err := c.archiveParts()
	if err != nil {
		return nil, err
	}
	r, w := io.Pipe()
	go func() { w.CloseWithError(a.Diagnostics.WriteArchive(c.Context(), w, parts)) }()
	header := http.Header{
		"Content-Type":        {"application/octet-stream"},
		"Content-Disposition": {`attachment; filename="` + a.Diagnostics.ArchiveName() + `"`},
	}
	return &formats.Response{Status: http.StatusOK, Header: header, Body: formats.Body{Stream: r, Size: -1}}, nil
}

// saveArchive leaves the archive on the server's disk.
func (a *API) saveArchive(c *call) (any, error) {
	parts, err := c.archiveParts()
	if err != nil {
		return nil, err
	}
	path, size, err := a.Diagnostics.SaveArchive(c.Context(), parts)
	if err != nil {
		return nil, err
	}
	return object{{"file", path}, {"name", filepath.Base(path)}, {"size", size}, {"truncated", false}}, nil
}

func (a *API) systemInformation(*call) (any, error) {
	resp, err := jsonAnswer(http.StatusOK, a.Diagnostics.Information())
	if err != nil {
		return nil, err
	}
	resp.Header.Set("Content-Disposition", `attachment; filename="sysinfo.json"`)
	return resp, nil
}

// nodesInformation is the same for each server of a cluster; this one stands alone.
func (a *API) nodesInformation(*call) (any, error) {
	return object{{a.Node.ID(), a.Diagnostics.Information()}}, nil
}
