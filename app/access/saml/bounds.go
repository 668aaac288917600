package saml

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Limits of XML that comes from outside.
const (
	maxDepth    = 48
	maxElements = 50_000
)

// outline is what is known of a document before it is parsed in earnest.
type outline struct {
	root xml.Name
	// answers is the attribute InResponseTo of the root.
	answers string
	// weak is the first algorithm that protects nothing, as an error; nil for none.
	weak error
}

// survey reads XML without keeping it, and refuses what goes beyond the limits, and document types.
func survey(document []byte) (outline, error) {
	var o outline
	d := xml.NewDecoder(bytes.NewReader(document))
	depth, elements := 0, 0
	for {
		token, err := d.RawToken()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return o, fmt.Errorf("broken XML: %w", err)
		}
		switch t := token.(type) {
		case xml.Directive:
			return o, errors.New("XML with a document type")
		case xml.EndElement:
			depth--
		case xml.StartElement:
			depth++
			elements++
			if depth > maxDepth || elements > maxElements {
				return o, errors.New("XML that is too deep or has too many elements")
			}
			if elements == 1 {
				o.root, o.answers = t.Name, attribute(t, "InResponseTo")
			}
			if o.weak == nil {
				o.weak = weakness(t)
			}
		}
	}
	if elements == 0 {
		return o, errors.New("no XML")
	}
	return o, nil
}

func attribute(e xml.StartElement, name string) string {
	for _, a := range e.Attr {
		if a.Name.Local == name && a.Name.Space == "" {
			return a.Value
		}
	}
	return ""
}

// weakness finds signatures over SHA-1 and keys that are sent with RSA of PKCS #1 1.5, whose padding tells secrets.
func weakness(e xml.StartElement) error {
	algorithm := attribute(e, "Algorithm")
	switch {
	case e.Name.Local == "SignatureMethod" && strings.HasSuffix(algorithm, "sha1"):
		return errors.New("a signature with SHA-1")
	case e.Name.Local == "EncryptionMethod" && strings.HasSuffix(algorithm, "#rsa-1_5"):
		return errors.New("encryption with RSA of PKCS #1 1.5")
	}
	return nil
}
