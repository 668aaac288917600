package api

import (
	"errors"
	"net/http"

	"entrepot/app/server"
	"entrepot/app/trust"
	"entrepot/formats"
)

func (a *API) certificateOperations() []operation {
	return []operation{
		{method: http.MethodGet, path: "trusted-certificates", access: server.Permission("nexus:ssl-truststore:read"), run: a.listCertificates},
		{method: http.MethodPost, path: "trusted-certificates", access: server.Permission("nexus:ssl-truststore:create"), run: a.createCertificate},
		{method: http.MethodGet, path: "trusted-certificates/{id}", access: server.Permission("nexus:ssl-truststore:read"), run: a.getCertificate},
		{method: http.MethodDelete, path: "trusted-certificates/{id}", access: server.Permission("nexus:ssl-truststore:delete"), run: a.deleteCertificate},
		{method: http.MethodPost, path: "trusted-certificates/retrieve", access: server.Permission("nexus:ssl-truststore:read"), run: a.retrieveCertificate},
	}
}

// listCertificates gives the trusted certificates by fingerprint.
//
//	@Summary	List trusted certificates
//	@Description	All trusted certificates by fingerprint. Needs nexus:ssl-truststore:read.
//	@Tags	trusted-certificates
//	@Param	limit query int false "how many at most" minimum(1) maximum(1000) default(100)
//	@Param	cursor query string false "where to go on: next of the part before"
//	@Success	200 {object} Page[resource.Certificate]
//	@Failure	400 {object} Problem
//	@Failure	401 {object} Problem
//	@Failure	403 {object} Problem
//	@Router	/trusted-certificates [get]
func (a *API) listCertificates(c *call) (*formats.Response, error) { return a.certificates.list(c) }

// createCertificate makes a trusted certificate.
//
//	@Summary	Make a trusted certificate
//	@Description	Needs nexus:ssl-truststore:create.
//	@Tags	trusted-certificates
//	@Param	document body resource.Certificate true "a trusted certificate"
//	@Success	201 {object} resource.Certificate
//	@Failure	400 {object} Problem
//	@Failure	401 {object} Problem
//	@Failure	403 {object} Problem
//	@Failure	409 {object} Problem
//	@Failure	415 {object} Problem
//	@Failure	422 {object} Problem
//	@Failure	503 {object} Problem
//	@Router	/trusted-certificates [post]
func (a *API) createCertificate(c *call) (*formats.Response, error) { return a.certificates.create(c) }

// getCertificate gives a trusted certificate.
//
//	@Summary	Read a trusted certificate
//	@Description	Needs nexus:ssl-truststore:read.
//	@Tags	trusted-certificates
//	@Param	id path string true "which"
//	@Param	If-None-Match header string false "tag of the document that the client has"
//	@Success	200 {object} resource.Certificate
//	@Success	304
//	@Failure	401 {object} Problem
//	@Failure	403 {object} Problem
//	@Failure	404 {object} Problem
//	@Router	/trusted-certificates/{id} [get]
func (a *API) getCertificate(c *call) (*formats.Response, error) { return a.certificates.get(c) }

// deleteCertificate deletes a trusted certificate.
//
//	@Summary	Delete a trusted certificate
//	@Description	Needs nexus:ssl-truststore:delete.
//	@Tags	trusted-certificates
//	@Param	id path string true "which"
//	@Param	If-Match header string false "tag of the document as it was seen"
//	@Success	204
//	@Failure	401 {object} Problem
//	@Failure	403 {object} Problem
//	@Failure	404 {object} Problem
//	@Failure	409 {object} Problem
//	@Failure	412 {object} Problem
//	@Failure	503 {object} Problem
//	@Router	/trusted-certificates/{id} [delete]
func (a *API) deleteCertificate(c *call) (*formats.Response, error) { return a.certificates.remove(c) }

// RemoteServer is a server that shows a certificate.
type RemoteServer struct {
	Host     string `json:"host" example:"mirror.example.org"`
	Port     int    `json:"port" default:"443"`
	Protocol string `json:"protocol,omitempty" enums:"https,smtp" default:"https"` // smtp: STARTTLS where TLS from the first byte does not work
}

// retrieveCertificate looks at the certificate that a server shows.
//
//	@Summary		Look at the certificate that a server shows
//	@Description	Whether or not it is trusted; nothing is stored. Needs nexus:ssl-truststore:read.
//	@Tags			trusted-certificates
//	@Param			document	body		RemoteServer	true	"the server"
//	@Success		200			{object}	resource.Certificate
//	@Failure		400			{object}	Problem
//	@Failure		401			{object}	Problem
//	@Failure		403			{object}	Problem
//	@Failure		415			{object}	Problem
//	@Failure		422			{object}	Problem
//	@Router			/trusted-certificates/retrieve [post]
func (a *API) retrieveCertificate(c *call) (*formats.Response, error) {
	remote := RemoteServer{Port: 443}
	if err := c.decode(&remote); err != nil {
		return nil, err
	}
	doc, err := a.Resources.RemoteCertificate(c.Context(), remote.Host, remote.Port, remote.Protocol)
	wrong := func(field, message string) error { return formats.FieldErrors{{Field: field, Message: message}} }
	switch {
	case errors.Is(err, trust.ErrHost):
		return nil, wrong("host", "must be a host name or address")
	case errors.Is(err, trust.ErrPort):
		return nil, wrong("port", "must be a number from 1 to 65535")
	case errors.Is(err, trust.ErrHint):
		return nil, wrong("protocol", "must be https or smtp")
	case err != nil:
		return nil, a.unreachable(c, "The server could not be asked for its certificate", err)
	}
	return reply(http.StatusOK, doc)
}
