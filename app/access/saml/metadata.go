package saml

import (
	"context"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/crewjam/saml"
	dsig "github.com/russellhaering/goxmldsig"
)

// peer is the provider as its metadata tell of it, with our keys.
type peer struct {
	provider *saml.EntityDescriptor
	template saml.ServiceProvider
}

func newPeer(l *loaded) (*peer, error) {
	provider, err := readMetadata(l.settings.IDPMetadata)
	if err != nil {
		return nil, fmt.Errorf("saml: stored metadata of the identity provider: %w", err)
	}
	certificate, key, err := l.pair.parse()
	if err != nil {
		return nil, err
	}
	return &peer{provider: provider, template: saml.ServiceProvider{
		Key: key, Certificate: certificate, IDPMetadata: provider, SignatureMethod: dsig.RSASHA256SignatureMethod,
		AuthnNameIDFormat: saml.UnspecifiedNameIDFormat,
	}}, nil
}

// at gives this server as the provider knows it, under an external URL.
func (l *loaded) at(base string) (*saml.ServiceProvider, error) {
	consumer, err := url.Parse(base + ConsumerPath)
	if err != nil {
		return nil, fmt.Errorf("saml: external URL: %w", err)
	}
	sp := l.peer.template
	sp.AcsURL, sp.EntityID = *consumer, l.settings.EntityID
	if sp.EntityID == "" {
		sp.EntityID = DefaultEntityID(base)
	}
	sp.ValidateAudienceRestriction = func(a *saml.Assertion) error { return audience(a, sp.EntityID) }
	return &sp, nil
}

// DefaultEntityID is what a server at an external URL is called, unless the settings name it.
func DefaultEntityID(base string) string { return base + MetadataPath }

// readMetadata reads the description of an identity provider and sees that people can sign in with it.
func readMetadata(text string) (*saml.EntityDescriptor, error) {
	if len(text) > maxMetadata {
		return nil, fmt.Errorf("it has more than %d bytes", maxMetadata)
	}
	o, err := survey([]byte(text))
	if err != nil {
		return nil, err
	}
	var found []saml.EntityDescriptor
	switch o.root.Local {
	case "EntitiesDescriptor":
		var all saml.EntitiesDescriptor
		if err := xml.Unmarshal([]byte(text), &all); err != nil {
			return nil, err
		}
		for _, e := range all.EntityDescriptors {
			if len(e.IDPSSODescriptors) > 0 {
				found = append(found, e)
			}
		}
	default:
		var one saml.EntityDescriptor
		if err := xml.Unmarshal([]byte(text), &one); err != nil {
			return nil, err
		}
		found = append(found, one)
	}
	if len(found) != 1 || len(found[0].IDPSSODescriptors) == 0 {
		return nil, errors.New("one IDPSSODescriptor is wanted")
	}
	return &found[0], usable(&found[0])
}

// usable tells what is missing for people to sign in.
func usable(e *saml.EntityDescriptor) error {
	if strings.TrimSpace(e.EntityID) == "" {
		return errors.New("entityID is missing")
	}
	sp := saml.ServiceProvider{IDPMetadata: e}
	services := 0
	for _, binding := range []string{saml.HTTPPostBinding, saml.HTTPRedirectBinding} {
		location := sp.GetSSOBindingLocation(binding)
		if location == "" {
			continue
		}
		u, err := url.Parse(location)
		if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
			return errors.New("the Location of a SingleSignOnService is no http or https address")
		}
		services++
	}
	if services == 0 {
		return errors.New("a SingleSignOnService with the binding HTTP-POST or HTTP-Redirect is missing")
	}
	return signingKeys(e)
}

// signingKeys sees that there are certificates for signatures, and that all of them can be read.
func signingKeys(e *saml.EntityDescriptor) error {
	keys := 0
	for _, d := range e.IDPSSODescriptors {
		for _, k := range d.KeyDescriptors {
			if k.Use != "" && k.Use != "signing" {
				continue
			}
			for _, c := range k.KeyInfo.X509Data.X509Certificates {
				if err := signingKey(c.Data); err != nil {
					return err
				}
				keys++
			}
		}
	}
	if keys == 0 {
		return errors.New("a KeyDescriptor for signing with an X509Certificate is missing")
	}
	return nil
}

func signingKey(data string) error {
	der, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(data), ""))
	if err != nil {
		return errors.New("an X509Certificate is not in base64")
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return fmt.Errorf("an X509Certificate cannot be read: %w", err)
	}
	switch key := certificate.PublicKey.(type) {
	case *rsa.PublicKey:
		if key.N.BitLen() < 1024 {
			return errors.New("an X509Certificate has a key of less than 1024 bits")
		}
		return nil
	case *ecdsa.PublicKey:
		return nil
	}
	return errors.New("an X509Certificate has a key that is neither RSA nor ECDSA")
}

// Metadata describes this server to the provider, under an external URL.
func (s *Service) Metadata(ctx context.Context, base string) ([]byte, error) {
	have, err := s.configured(ctx)
	if err != nil {
		return nil, err
	}
	sp, err := have.at(base)
	if err != nil {
		return nil, err
	}
	d := sp.Metadata()
	until := sp.Certificate.NotAfter.UTC()
	d.ValidUntil = until
	own := &d.SPSSODescriptors[0]
	own.ValidUntil = &until
	own.AssertionConsumerServices = own.AssertionConsumerServices[:1] // artifacts are not fetched
	first := true
	own.AssertionConsumerServices[0].IsDefault = &first
	for i := range own.KeyDescriptors {
		if own.KeyDescriptors[i].Use == "encryption" {
			own.KeyDescriptors[i].EncryptionMethods = []saml.EncryptionMethod{
				{Algorithm: "http://www.w3.org/2009/xmlenc11#aes128-gcm"}, {Algorithm: "http://www.w3.org/2001/04/xmlenc#aes256-cbc"},
				{Algorithm: "http://www.w3.org/2001/04/xmlenc#aes128-cbc"}, {Algorithm: "http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p"},
			}
		}
	}
	text, err := xml.MarshalIndent(d, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("saml: write metadata: %w", err)
	}
	return append([]byte(xml.Header), append(text, '\n')...), nil
}

// Certificate gives the certificate that requests are signed and assertions encrypted with, in PEM.
func (s *Service) Certificate(ctx context.Context) (string, error) {
	have, err := s.configured(ctx)
	if err != nil {
		return "", err
	}
	return have.pair.Certificate, nil
}
