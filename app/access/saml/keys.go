package saml

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"time"
)

const (
	keyBits = 3072
	// certified is how long the certificate of a new key pair is valid: providers are told of it by hand.
	certified = 10 * 365 * 24 * time.Hour
)

// newKeyPair makes a key pair with a certificate that the key signed itself.
func (s *Service) newKeyPair() (*KeyPair, error) {
	random := s.opts.Random
	if random == nil {
		random = rand.Reader
	}
	key, err := rsa.GenerateKey(random, keyBits)
	if err != nil {
		return nil, fmt.Errorf("saml: make a key: %w", err)
	}
	serial := make([]byte, 16)
	if _, err := io.ReadFull(random, serial); err != nil {
		return nil, fmt.Errorf("saml: make a serial number: %w", err)
	}
	serial[0] &= 0x7f
	now := s.opts.Now()
	template := &x509.Certificate{
		SerialNumber: new(big.Int).SetBytes(serial), Subject: pkix.Name{CommonName: "Entrepot SAML"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(certified), KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment,
	}
	der, err := x509.CreateCertificate(random, template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("saml: make a certificate: %w", err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("saml: encode the key: %w", err)
	}
	return &KeyPair{
		Certificate: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		Key:         Secret(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})),
	}, nil
}

// Validate tells why a key pair cannot be used.
func (p *KeyPair) Validate() error {
	_, _, err := p.parse()
	return err
}

// parse reads a key pair. Its errors quote nothing of the key.
func (p *KeyPair) parse() (*x509.Certificate, *rsa.PrivateKey, error) {
	block, _ := pem.Decode([]byte(p.Certificate))
	if block == nil || block.Type != "CERTIFICATE" {
		return nil, nil, errors.New("saml: the certificate of the key pair is no PEM")
	}
	certificate, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, nil, fmt.Errorf("saml: the certificate of the key pair: %w", err)
	}
	if block, _ = pem.Decode([]byte(p.Key)); block == nil {
		return nil, nil, errors.New("saml: the private key is no PEM")
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	key, ok := parsed.(*rsa.PrivateKey)
	if err != nil || !ok {
		return nil, nil, errors.New("saml: the private key is no RSA key in PKCS #8")
	}
	if !key.PublicKey.Equal(certificate.PublicKey) {
		return nil, nil, errors.New("saml: the certificate is not of the private key")
	}
	return certificate, key, nil
}
