package saml

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/xml"
	"html"
	"math/big"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/beevik/etree"
	"github.com/crewjam/saml"
	dsig "github.com/russellhaering/goxmldsig"

	"entrepot/app/access"
	"entrepot/app/audit"
	"entrepot/storage/kv"
	"entrepot/storage/kv/memory"
)

const base = "https://repository.example.org"

// clear is a Sealer that leaves secrets readable, but marked.
type clear struct{}

func (clear) Seal(secret string) (string, error)   { return "sealed:" + secret, nil }
func (clear) Unseal(sealed string) (string, error) { return strings.TrimPrefix(sealed, "sealed:"), nil }

// change stores what a plan gives.
func change(store *kv.Store) func(context.Context, audit.Event, func() ([]kv.Op, error)) error {
	return func(ctx context.Context, _ audit.Event, plan func() ([]kv.Op, error)) error {
		ops, err := plan()
		if err != nil || len(ops) == 0 {
			return err
		}
		return store.Apply(ctx, ops...)
	}
}

// provider is an identity provider.
type provider struct {
	saml.IdentityProvider
	redirectOnly bool
}

// pair is a key with its certificate, made once: that takes long.
type pair struct {
	key         *rsa.PrivateKey
	certificate *x509.Certificate
}

var pairs = sync.OnceValue(func() []pair {
	all := make([]pair, 2)
	for i := range all {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			panic(err)
		}
		template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "idp"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
		der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
		if err != nil {
			panic(err)
		}
		certificate, err := x509.ParseCertificate(der)
		if err != nil {
			panic(err)
		}
		all[i] = pair{key, certificate}
	}
	return all
})

func newProvider(p pair) *provider {
	address := func(path string) url.URL { return url.URL{Scheme: "https", Host: "idp.example.org", Path: path} }
	return &provider{IdentityProvider: saml.IdentityProvider{
		Key: p.key, Certificate: p.certificate, MetadataURL: address("/metadata"), SSOURL: address("/sso"), SignatureMethod: dsig.RSASHA256SignatureMethod,
	}}
}

func (p *provider) metadata(t testing.TB) string {
	t.Helper()
	m := p.Metadata()
	if p.redirectOnly {
		m.IDPSSODescriptors[0].SingleSignOnServices = m.IDPSSODescriptors[0].SingleSignOnServices[:1]
	}
	text, err := xml.Marshal(m)
	must(t, err)
	return string(text)
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// world is a Service that trusts a provider.
type world struct {
	*Service
	provider *provider
	now      time.Time
	active   bool
	log      bytes.Buffer
}

func settingsFor(t testing.TB, p *provider) Settings {
	return Settings{IDPMetadata: p.metadata(t), Username: "uid", FirstName: "givenName", LastName: "sn", Email: "urn:oid:0.9.2342.19200300.100.1.3", Groups: "eduPersonAffiliation"}
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{provider: newProvider(pairs()[0]), now: time.Now(), active: true}
	store := kv.New(memory.New())
	w.Service = New(store, Options{
		Sealer: clear{}, Change: change(store), Active: func(context.Context) (bool, error) { return w.active, nil }, Now: func() time.Time { return w.now },
		Log: logTo(&w.log),
	})
	must(t, w.Import(t.Context(), access.System(), settingsFor(t, w.provider), ownPair()))
	return w
}

// ownPair is the key pair of the services under test.
var ownPair = sync.OnceValue(func() *KeyPair {
	made, err := New(kv.New(memory.New()), Options{}).newKeyPair()
	if err != nil {
		panic(err)
	}
	return made
})

// begin starts a sign-in and gives it with the request as the provider gets it.
func (w *world) begin(t testing.TB) (Begun, *saml.IdpAuthnRequest) {
	t.Helper()
	begun, err := w.Begin(t.Context(), base, "/#browse")
	must(t, err)
	var r *http.Request
	if begun.Redirect != "" {
		r, err = http.NewRequest(http.MethodGet, begun.Redirect, nil)
	} else {
		request := html.UnescapeString(regexp.MustCompile(`name="SAMLRequest" value="([^"]*)"`).FindStringSubmatch(string(begun.Form))[1])
		r, err = http.NewRequest(http.MethodPost, "/sso", strings.NewReader(url.Values{"SAMLRequest": {request}}.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	must(t, err)
	asked, err := saml.NewIdpAuthnRequest(&w.provider.IdentityProvider, r)
	must(t, err)
	must(t, xml.Unmarshal(asked.RequestBuffer, &asked.Request))
	own, err := w.Metadata(t.Context(), base)
	must(t, err)
	asked.ServiceProviderMetadata = &saml.EntityDescriptor{}
	must(t, xml.Unmarshal(own, asked.ServiceProviderMetadata))
	asked.SPSSODescriptor = &asked.ServiceProviderMetadata.SPSSODescriptors[0]
	asked.ACSEndpoint = &asked.SPSSODescriptor.AssertionConsumerServices[0]
	return begun, asked
}

// answering says how a provider answers; its zero value is how it should.
type answering struct {
	assert   func(*saml.Assertion)    // changes the assertion before it is signed
	respond  func(*etree.Element)     // changes the answer before it is signed as a whole
	after    func(*etree.Element)     // changes the answer after that
	bareOne  bool                     // the assertion is not signed
	bareAll  bool                     // the answer as a whole is not signed
	open     bool                     // the assertion is not encrypted
	signer   *pair                    // who signs
	method   string                   // of signatures
	asserted func(*etree.Element)     // changes the assertion after it was signed, when it is not encrypted
	request  func(*saml.AuthnRequest) // what is answered
}

var session = &saml.Session{
	ID: "s", NameID: "sam@example.org", CreateTime: time.Now(), ExpireTime: time.Now().Add(time.Hour), Index: "1", UserName: "sam", UserEmail: "sam@example.org",
	UserGivenName: "Sam", UserSurname: "Example", Groups: []string{"developers", "watchers", "developers"},
}

// answer makes the answer to a request.
func (w *world) answer(t testing.TB, asked *saml.IdpAuthnRequest, how answering) string {
	t.Helper()
	idp := w.provider.IdentityProvider
	if how.signer != nil {
		idp.Key, idp.Certificate = how.signer.key, how.signer.certificate
	}
	if how.method != "" {
		idp.SignatureMethod = how.method
	}
	asked.IDP = &idp
	if how.request != nil {
		how.request(&asked.Request)
	}
	must(t, saml.DefaultAssertionMaker{}.MakeAssertion(asked, session))
	if how.assert != nil {
		how.assert(asked.Assertion)
	}
	if how.open {
		asked.SPSSODescriptor.KeyDescriptors = nil
	}
	if how.bareOne {
		asked.AssertionEl = asked.Assertion.Element()
	} else {
		must(t, asked.MakeAssertionEl())
	}
	if how.asserted != nil {
		how.asserted(asked.AssertionEl)
	}
	must(t, asked.MakeResponse())
	if how.respond != nil { // signed anew
		how.respond(asked.ResponseEl)
		resign(t, &idp, asked.ResponseEl)
	}
	if how.bareAll {
		unsign(asked.ResponseEl)
	}
	if how.after != nil {
		how.after(asked.ResponseEl)
	}
	doc := etree.NewDocument()
	doc.SetRoot(asked.ResponseEl)
	text, err := doc.WriteToBytes()
	must(t, err)
	return base64.StdEncoding.EncodeToString(text)
}

// unsign takes the signature of the whole away.
func unsign(e *etree.Element) { e.RemoveChild(e.SelectElement("Signature")) }

func resign(t testing.TB, idp *saml.IdentityProvider, e *etree.Element) {
	t.Helper()
	unsign(e)
	context, err := dsig.NewSigningContext(idp.Key.(*rsa.PrivateKey), [][]byte{idp.Certificate.Raw})
	must(t, err)
	context.Canonicalizer = dsig.MakeC14N10ExclusiveCanonicalizerWithPrefixList("")
	signed, err := context.SignEnveloped(e)
	must(t, err)
	children := signed.ChildElements()
	e.InsertChildAt(1, children[len(children)-1].Copy())
}
