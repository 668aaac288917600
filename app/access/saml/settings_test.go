package saml

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"encoding/xml"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/crewjam/saml"

	"entrepot/app/access"
	"entrepot/storage/kv"
	"entrepot/storage/kv/memory"
)

func encoded(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }

// checkQuery checks the signature of a redirect.
func checkQuery(c *x509.Certificate, signed, signature string) error {
	text, err := url.QueryUnescape(signature)
	if err != nil {
		return err
	}
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return err
	}
	sum := sha256.Sum256([]byte(signed))
	return rsa.VerifyPKCS1v15(c.PublicKey.(*rsa.PublicKey), crypto.SHA256, sum[:], raw)
}

func TestSettings(t *testing.T) {
	store := kv.New(memory.New())
	s := New(store, Options{Sealer: clear{}, Change: change(store)})
	ctx, admin := t.Context(), access.System()
	if _, err := s.Settings(ctx); access.KindOf(err) != access.NotFound {
		t.Error(err)
	}
	if err := s.Delete(ctx, admin); access.KindOf(err) != access.NotFound {
		t.Error(err)
	}
	p := newProvider(pairs()[0])
	settings := settingsFor(t, p)
	created, err := s.Set(ctx, admin, settings)
	if must(t, err); !created {
		t.Error("the first settings are said to replace others")
	}
	before, err := s.Certificate(ctx)
	must(t, err)
	first, err := s.Epoch(ctx)
	must(t, err)
	settings.Username = "mail"
	created, err = s.Set(ctx, admin, settings)
	if must(t, err); created {
		t.Error("the second settings are said to be the first")
	}
	if now, err := s.Epoch(ctx); err != nil || now == first {
		t.Errorf("epoch %s, %v", now, err)
	}
	again, err := s.Epoch(ctx)
	must(t, err)
	_, err = s.Set(ctx, admin, settings)
	must(t, err)
	if now, err := s.Epoch(ctx); err != nil || now != again {
		t.Errorf("the same settings again: epoch %s, %v", now, err)
	}
	must(t, s.Reseal(ctx))
	if after, err := s.Certificate(ctx); err != nil || after != before {
		t.Errorf("the key pair changed: %v", err)
	}
	if got, err := s.Settings(ctx); err != nil || got != settings {
		t.Errorf("%+v, %v", got, err)
	}
	e, err := store.Get(ctx, settingsKey())
	must(t, err)
	if !strings.Contains(string(e.Value), `"privateKey":"sealed:`) {
		t.Errorf("the private key is not sealed: %.80s", e.Value)
	}
	must(t, s.Import(ctx, admin, settings, ownPair()))
	if after, err := s.Certificate(ctx); err != nil || after != ownPair().Certificate {
		t.Errorf("the key pair that was imported is not used: %v", err)
	}
	if text := fmt.Sprintf("%v %+v %#v", ownPair(), *ownPair(), *ownPair()); strings.Contains(text, "PRIVATE") {
		t.Error("the key prints")
	}
	must(t, s.Delete(ctx, admin))
}

func TestKeyPairsOfOthers(t *testing.T) {
	w := newWorld(t)
	for name, pair := range map[string]KeyPair{
		"nothing": {}, "no key": {Certificate: ownPair().Certificate}, "not its key": {Certificate: otherCertificate(), Key: ownPair().Key},
		"no certificate": {Certificate: string(ownPair().Key), Key: ownPair().Key},
	} {
		err := w.Import(t.Context(), access.System(), settingsFor(t, w.provider), &pair)
		if access.KindOf(err) != access.Refused || strings.Contains(fmt.Sprint(err), "BEGIN") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestOwnMetadata(t *testing.T) {
	w := newWorld(t)
	text, err := w.Metadata(t.Context(), base)
	must(t, err)
	var own saml.EntityDescriptor
	must(t, xml.Unmarshal(text, &own))
	d := own.SPSSODescriptors[0]
	uses := map[string]bool{}
	for _, k := range d.KeyDescriptors {
		uses[k.Use] = k.KeyInfo.X509Data.X509Certificates[0].Data != ""
	}
	if own.EntityID != base+MetadataPath || len(d.AssertionConsumerServices) != 1 || d.AssertionConsumerServices[0].Location != base+"/saml" ||
		!uses["signing"] || !uses["encryption"] || !*d.AuthnRequestsSigned || !*d.WantAssertionsSigned {
		t.Errorf("%s", text)
	}
	settings := settingsFor(t, w.provider)
	settings.EntityID = "urn:mine"
	_, err = w.Set(t.Context(), access.System(), settings)
	must(t, err)
	if text, err = w.Metadata(t.Context(), base); err != nil || !strings.Contains(string(text), `entityID="urn:mine"`) {
		t.Errorf("%s, %v", text, err)
	}
}

func TestFaultsOfSettings(t *testing.T) {
	p := newProvider(pairs()[0])
	good := p.metadata(t)
	cut := func(from, to string) string {
		before, rest, _ := strings.Cut(good, from)
		_, after, _ := strings.Cut(rest, to)
		return before + after
	}
	for name, tt := range map[string]struct {
		change func(*Settings)
		want   string // in the fault of idpMetadata, or the member that is wrong
	}{
		"good": {func(*Settings) {}, ""},
		"several": {func(s *Settings) {
			s.IDPMetadata = "<EntitiesDescriptor xmlns=\"urn:oasis:names:tc:SAML:2.0:metadata\">" + good + "</EntitiesDescriptor>"
		}, ""},
		"signed weakly": {func(s *Settings) {
			s.IDPMetadata = strings.Replace(good, "<IDPSSO", `<Signature xmlns="http://www.w3.org/2000/09/xmldsig#"><SignedInfo><SignatureMethod Algorithm="http://www.w3.org/2000/09/xmldsig#rsa-sha1"/></SignedInfo></Signature><IDPSSO`, 1)
		}, ""},
		"with a mark":      {func(s *Settings) { s.IDPMetadata = "\ufeff" + good }, ""},
		"no metadata":      {func(s *Settings) { s.IDPMetadata = " " }, "idpMetadata must not be blank"},
		"no XML":           {func(s *Settings) { s.IDPMetadata = "x" }, "no XML"},
		"broken":           {func(s *Settings) { s.IDPMetadata = good[:len(good)/2] }, "XML syntax error"},
		"document type":    {func(s *Settings) { s.IDPMetadata = `<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>` + good }, "document type"},
		"deep":             {func(s *Settings) { s.IDPMetadata = strings.Repeat("<x>", 60) }, "too deep"},
		"large":            {func(s *Settings) { s.IDPMetadata = good + strings.Repeat(" ", maxMetadata) }, "more than"},
		"another document": {func(s *Settings) { s.IDPMetadata = "<html/>" }, "expected element"},
		"a service": {func(s *Settings) {
			s.IDPMetadata = `<EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" entityID="x"/>`
		}, "one IDPSSODescriptor"},
		"no address": {func(s *Settings) {
			s.IDPMetadata = strings.ReplaceAll(good, `https://idp.example.org/sso`, `javascript:alert(1)`)
		}, "invalid url scheme"},
		"no known binding": {func(s *Settings) {
			s.IDPMetadata = strings.ReplaceAll(good, `urn:oasis:names:tc:SAML:2.0:bindings:HTTP`, `urn:x`)
		}, "binding"},
		"no key":            {func(s *Settings) { s.IDPMetadata = cut("<KeyDescriptor", "</KeyDescriptor>") }, "KeyDescriptor"},
		"broken key":        {func(s *Settings) { s.IDPMetadata = strings.Replace(good, "MII", "MIJ", 1) }, "X509Certificate"},
		"no name":           {func(s *Settings) { s.IDPMetadata = strings.Replace(good, "entityID=", "other=", 1) }, "entityID"},
		"no username":       {func(s *Settings) { s.Username = "" }, "usernameAttribute must not be blank"},
		"long":              {func(s *Settings) { s.Groups = strings.Repeat("x", maxAttribute+1) }, "groupsAttribute must be at most"},
		"control character": {func(s *Settings) { s.EntityID = "a\nb" }, "entityId must not hold"},
	} {
		settings := settingsFor(t, p)
		tt.change(&settings)
		err := settings.Validate()
		if tt.want == "" && err != nil || tt.want != "" && (access.KindOf(err) != access.Invalid || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
}

// FuzzConsume shows whatever clients may send to the parser of answers: nobody is let in, and nothing panics.
func FuzzConsume(f *testing.F) {
	w := newWorld(f)
	_, asked := w.begin(f)
	for _, how := range []answering{{}, {open: true}, {bareAll: true, open: true}, {bareOne: true, bareAll: true, open: true}} {
		raw, err := base64.StdEncoding.DecodeString(w.answer(f, asked, how))
		must(f, err)
		f.Add(raw)
		asked.AssertionEl, asked.ResponseEl = nil, nil
	}
	have, err := w.configured(f.Context())
	must(f, err)
	sp, err := have.at(base)
	must(f, err)
	f.Fuzz(func(t *testing.T, document []byte) {
		o, err := survey(document)
		if err != nil {
			return
		}
		assertion, err := verify(sp, &have.settings, document, o.answers)
		if err == nil && assertion.Subject == nil {
			t.Error("an assertion about nobody")
		}
	})
}

func otherCertificate() string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: pairs()[1].certificate.Raw}))
}
