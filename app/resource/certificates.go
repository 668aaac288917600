package resource

import (
	"cmp"
	"context"
	"slices"
	"time"

	"entrepot/app/access"
	"entrepot/app/trust"
)

// Certificate is a certificate that is trusted beside those of the system. All but the text is read from it.
type Certificate struct {
	Fingerprint string     `json:"fingerprint"` // SHA-1
	PEM         string     `json:"pem"`
	Subject     string     `json:"subject"`
	Issuer      string     `json:"issuer"`
	NotBefore   time.Time  `json:"notBefore"`
	NotAfter    time.Time  `json:"notAfter"`
	Added       *time.Time `json:"added,omitempty"` // decided by the server
}

// Certificates gives the certificates that are trusted.
func (r *Resources) Certificates() *Set[Certificate] {
	return &Set[Certificate]{
		Name:  "trusted-certificates",
		Key:   func(d *Certificate) string { return d.Fingerprint },
		Blank: func() Certificate { return Certificate{} },
		Fill: func(d *Certificate) {
			if c, err := trust.Parse(d.PEM); err == nil {
				added := d.Added
				*d = certificateOf(c)
				d.Added = added
			}
		},
		List: func(ctx context.Context) ([]Certificate, error) {
			certificates, err := r.Trust.List(ctx)
			list := []Certificate{}
			for _, c := range certificates {
				list = append(list, certificateOf(c))
			}
			slices.SortFunc(list, func(a, b Certificate) int { return cmp.Compare(a.Fingerprint, b.Fingerprint) })
			return list, err
		},
		Get: func(ctx context.Context, fingerprint string) (Certificate, error) {
			c, err := r.Trust.Get(ctx, fingerprint)
			if err != nil {
				return Certificate{}, err
			}
			return certificateOf(c), nil
		},
		Row: r.Trust.Row,
		Create: func(ctx context.Context, _ access.Actor, d Certificate) error {
			_, err := r.Trust.Add(ctx, d.PEM)
			return err
		},
		Replace: func(context.Context, access.Actor, string, Certificate) error {
			return &SyntaxError{Message: "a certificate cannot be changed"}
		},
		Delete: func(ctx context.Context, _ access.Actor, fingerprint string) error {
			return r.Trust.Delete(ctx, fingerprint)
		},
	}
}

// RemoteCertificate looks at the certificate that a server shows, as trust.Store.Retrieve does.
func (r *Resources) RemoteCertificate(ctx context.Context, host string, port int, hint string) (Certificate, error) {
	c, err := r.Trust.Retrieve(ctx, host, port, hint)
	if err != nil {
		return Certificate{}, err
	}
	return certificateOf(c), nil
}

func certificateOf(c trust.Certificate) Certificate {
	doc := Certificate{
		Fingerprint: c.Fingerprint(), PEM: c.PEM(), Subject: c.X509.Subject.String(), Issuer: c.X509.Issuer.String(), NotBefore: c.X509.NotBefore, NotAfter: c.X509.NotAfter,
	}
	if !c.Added.IsZero() {
		added := c.Added.UTC()
		doc.Added = &added
	}
	return doc
}
