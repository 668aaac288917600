package rest

import (
	"crypto/x509/pkix"
	"errors"
	"net"
	"net/http"
	"strconv"
	"strings"

	"entrepot/app/server"
	"entrepot/app/trust"
)

func (a *API) trustOperations() []operation {
	const path = "v1/security/ssl"
	return []operation{
		{method: http.MethodGet, path: path, access: server.Permission("nexus:ssl-truststore:read"), run: a.retrieveCertificate},
		{method: http.MethodGet, path: path + "/truststore", access: server.Permission("nexus:ssl-truststore:read"), run: a.listCertificates},
		{
			method: http.MethodPost, path: path + "/truststore", access: server.PermissionAfterBody("nexus:ssl-truststore:create"), consumes: mediaAny,
			status: http.StatusCreated, run: a.addCertificate,
		},
		{method: http.MethodDelete, path: path + "/truststore/{id}", access: server.Permission("nexus:ssl-truststore:delete"), run: a.deleteCertificate},
	}
}

func certificate(c trust.Certificate) object {
	fingerprint := c.Fingerprint()
	subject, issuer := nameParts(c.X509.Subject), nameParts(c.X509.Issuer)
	return object{
		{"expiresOn", c.X509.NotAfter.UnixMilli()}, {"fingerprint", fingerprint}, {"id", fingerprint}, {"issuedOn", c.X509.NotBefore.UnixMilli()},
		{"issuerCommonName", issuer[0]}, {"issuerOrganization", issuer[1]}, {"issuerOrganizationalUnit", issuer[2]},
		{"pem", c.PEM()}, {"serialNumber", c.X509.SerialNumber.String()},
		{"subjectCommonName", subject[0]}, {"subjectOrganization", subject[1]}, {"subjectOrganizationalUnit", subject[2]},
	}
}

// nameParts gives common name, organisation and its unit; nil for those that a name does not have.
func nameParts(n pkix.Name) [3]any {
	var parts [3]any
	for i, list := range [][]string{{n.CommonName}, n.Organization, n.OrganizationalUnit} {
		if text := strings.Join(list, ", "); text != "" {
			parts[i] = text
		}
	}
	return parts
}

func (a *API) listCertificates(c *call) (any, error) {
	all, err := a.Trust.List(c.Context())
	if err != nil {
		return nil, err
	}
	out := []object{}
	for _, one := range all {
		out = append(out, certificate(one))
	}
	return out, nil
}

// addCertificate takes the body as PEM text, whatever it is said to be: clients label it as JSON.
func (a *API) addCertificate(c *call) (any, error) {
	data, err := c.bytes()
	if err != nil {
		return nil, err
	}
	var v violations
	if strings.TrimSpace(string(data)) == "" {
		v.parameter("arg0", "must not be blank")
	}
	if _, err := trust.Parse(string(data)); err != nil {
		v.parameter("arg0", "Invalid PEM formatted certificate")
	}
	if len(v) > 0 {
		return nil, v
	}
	if err := c.authorize(); err != nil {
		return nil, err
	}
	added, err := a.Trust.Add(c.Context(), string(data))
	if errors.Is(err, trust.ErrExists) {
		return nil, quotedf(http.StatusConflict, "A certificate already exists with the id: '%s'.", added.Fingerprint())
	}
	if err != nil {
		return nil, err
	}
	return certificate(added), nil
}

func (a *API) deleteCertificate(c *call) (any, error) {
	if err := c.signedIn(); err != nil {
		return nil, err
	}
	err := a.Trust.Delete(c.Context(), c.Param("id"))
	if errors.Is(err, trust.ErrNotFound) {
		return nil, quotedf(http.StatusNotFound, "No certificate with alias '%s' in trust store.", c.Param("id"))
	}
	return nil, err
}

// defaultTLSPort is where a certificate is looked for when the request names no port.
const defaultTLSPort = 443

// retrieveCertificate shows what a server would show. That it was not reached is all that is said about why.
func (a *API) retrieveCertificate(c *call) (any, error) {
	q := c.Query()
	if !q.Has("host") {
		return nil, statusOnly(http.StatusBadRequest)
	}
	host, port := q.Get("host"), defaultTLSPort
	if text := q.Get("port"); text != "" {
		var err error
		if port, err = strconv.Atoi(text); err != nil {
			return nil, statusOnly(http.StatusNotFound)
		}
	}
	found, err := a.Trust.Retrieve(c.Context(), host, port, q.Get("protocolHint"))
	switch {
	case errors.Is(err, trust.ErrHost):
		var v violations
		if host == "" {
			v.parameter("arg0", "must not be empty")
		}
		v.parameter("arg0", "Invalid host")
		return nil, v
	case errors.Is(err, trust.ErrPort):
		return nil, quotedf(http.StatusBadRequest, "port out of range:%d", port)
	case errors.Is(err, trust.ErrHint):
		return nil, quotedf(http.StatusBadRequest, "HTTP 400 Bad Request")
	case c.Context().Err() != nil:
		return nil, c.Context().Err()
	case err != nil:
		a.Log.InfoContext(c.Context(), "a certificate could not be retrieved", "host", host, "port", port, "error", err)
		return nil, quotedf(http.StatusBadRequest, "Could not retrieve an SSL certificate from '%s'", net.JoinHostPort(host, strconv.Itoa(port)))
	}
	return certificate(found), nil
}
