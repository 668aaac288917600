package saml

import (
	"crypto/x509"
	"errors"
	"io"
	"log/slog"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/beevik/etree"
	"github.com/crewjam/saml"
	dsig "github.com/russellhaering/goxmldsig"

	"entrepot/app/access"
)

func logTo(w io.Writer) *slog.Logger { return slog.New(slog.NewTextHandler(w, nil)) }

// jar gives the cookie of a sign-in.
func (b Begun) jar(name string) (string, bool) { return b.Cookie.Value, name == b.Cookie.Name }

func yes() *bool { v := true; return &v }

func TestSignIn(t *testing.T) {
	for name, how := range map[string]answering{
		"all signed and encrypted": {}, "in the clear": {open: true}, "assertion signed": {bareAll: true}, "assertion signed, in the clear": {bareAll: true, open: true},
		"whole signed": {bareOne: true, open: true},
	} {
		for _, redirect := range []bool{false, true} {
			w := newWorld(t)
			w.provider.redirectOnly = redirect
			_, err := w.Set(t.Context(), access.System(), settingsFor(t, w.provider))
			must(t, err)
			begun, asked := w.begin(t)
			if (begun.Redirect != "") != redirect || (begun.Form != nil) == redirect {
				t.Fatalf("%s: begun with %+v", name, begun)
			}
			ticket, err := w.Consume(t.Context(), w.answer(t, asked, how))
			if err != nil {
				t.Errorf("%s: %v %s", name, err, w.log.String())
				continue
			}
			arrived, err := w.Finish(t.Context(), ticket, begun.jar)
			must(t, err)
			want := access.DirectoryUser{ID: "sam", FirstName: "Sam", LastName: "Example", Email: "sam@example.org", Groups: []string{"developers", "watchers"}}
			if got := arrived.User; got.ID != want.ID || got.FirstName != want.FirstName || got.LastName != want.LastName || got.Email != want.Email ||
				!slices.Equal(got.Groups, want.Groups) || arrived.Next != "/#browse" || arrived.Cookie != begun.Cookie.Name {
				t.Errorf("%s: %+v", name, arrived)
			}
			if _, err := w.Finish(t.Context(), ticket, begun.jar); !errors.Is(err, ErrRefused) {
				t.Errorf("%s: a ticket is good twice: %v", name, err)
			}
		}
	}
}

// The request is signed with the key that the metadata tell of, in both bindings.
func TestRequestsAreSigned(t *testing.T) {
	w := newWorld(t)
	_, asked := w.begin(t)
	doc := etree.NewDocument()
	must(t, doc.ReadFromBytes(asked.RequestBuffer))
	own, err := w.configured(t.Context())
	must(t, err)
	certificate, _, err := own.pair.parse()
	must(t, err)
	validation := dsig.NewDefaultValidationContext(&dsig.MemoryX509CertificateStore{Roots: []*x509.Certificate{certificate}})
	validation.IdAttribute = "ID"
	if _, err := validation.Validate(doc.Root()); err != nil {
		t.Error(err)
	}
	if got := asked.Request; got.AssertionConsumerServiceURL != base+"/saml" || got.Issuer.Value != base+MetadataPath || got.Destination != "https://idp.example.org/sso" {
		t.Errorf("%+v", got)
	}
	w.provider.redirectOnly = true
	_, err = w.Set(t.Context(), access.System(), settingsFor(t, w.provider))
	must(t, err)
	begun, _ := w.begin(t)
	u, err := url.Parse(begun.Redirect)
	must(t, err)
	signed, signature, found := strings.Cut(u.RawQuery, "&Signature=")
	if !found || !strings.Contains(signed, "SigAlg=") {
		t.Fatal(u.RawQuery)
	}
	must(t, checkQuery(certificate, signed, signature))
}

// evil names another user.
func evil(e *etree.Element) *etree.Element {
	other := e.Copy()
	if s := other.SelectElement("Signature"); s != nil {
		other.RemoveChild(s)
	}
	other.CreateAttr("ID", "id-evil")
	for _, v := range other.FindElements(".//AttributeValue") {
		if v.Text() == "sam" {
			v.SetText("admin")
		}
	}
	return other
}

func TestRefusedAnswers(t *testing.T) {
	confirm := func(change func(*saml.SubjectConfirmationData)) func(*saml.Assertion) {
		return func(a *saml.Assertion) { change(a.Subject.SubjectConfirmations[0].SubjectConfirmationData) }
	}
	long := time.Now().Add(-time.Hour)
	for name, tt := range map[string]struct {
		how    answering
		reason string
		change func(*Settings)
	}{
		"nothing signed":              {answering{bareOne: true, bareAll: true, open: true}, "signature element not present", nil},
		"signed by another":           {answering{signer: &pairs()[1]}, "Could not verify certificate", nil},
		"assertion signed by another": {answering{signer: &pairs()[1], bareAll: true, open: true}, "Could not verify certificate", nil},
		"signed with SHA-1":           {answering{method: dsig.RSASHA1SignatureMethod}, "SHA-1", nil},
		"whole not signed":            {answering{bareAll: true}, "as a whole is not signed", func(s *Settings) { s.ValidateResponse = yes() }},
		"whole signed in no way that is known": {answering{bareAll: true, after: func(e *etree.Element) {
			e.CreateElement("x:Signature").CreateAttr("xmlns:x", "urn:other")
		}}, "as a whole is not signed", func(s *Settings) { s.ValidateResponse = yes() }},
		"assertion not signed":    {answering{bareOne: true, open: true}, "signature of the assertion", func(s *Settings) { s.ValidateAssertion = yes() }},
		"answers another request": {answering{request: func(r *saml.AuthnRequest) { r.ID = "id-other" }}, "answers no request", nil},
		"answers nothing":         {answering{request: func(r *saml.AuthnRequest) { r.ID = "" }}, "answers no request", nil},
		"for another audience": {answering{assert: func(a *saml.Assertion) {
			a.Conditions.AudienceRestrictions[0].Audience.Value = "https://other.example.org"
		}}, "not for", nil},
		"for two audiences": {answering{assert: func(a *saml.Assertion) {
			a.Conditions.AudienceRestrictions = append(a.Conditions.AudienceRestrictions, saml.AudienceRestriction{Audience: saml.Audience{Value: "x"}})
		}}, "not for", nil},
		"for no audience":               {answering{assert: func(a *saml.Assertion) { a.Conditions.AudienceRestrictions = nil }}, "no AudienceRestriction", nil},
		"no conditions":                 {answering{assert: func(a *saml.Assertion) { a.Conditions = nil }}, "breaks its parser", nil},
		"assertion of another provider": {answering{assert: func(a *saml.Assertion) { a.Issuer.Value = "https://other.example.org" }}, "issuer is not", nil},
		"to another recipient":          {answering{assert: confirm(func(d *saml.SubjectConfirmationData) { d.Recipient = "https://other.example.org/saml" })}, "Recipient is not", nil},
		"assertion answers another":     {answering{assert: confirm(func(d *saml.SubjectConfirmationData) { d.InResponseTo = "id-other" })}, "request IDs", nil},
		"confirmation expired":          {answering{assert: confirm(func(d *saml.SubjectConfirmationData) { d.NotOnOrAfter = long })}, "expired", nil},
		"confirmation without data":     {answering{assert: func(a *saml.Assertion) { a.Subject.SubjectConfirmations[0].SubjectConfirmationData = nil }}, "breaks its parser", nil},
		"no confirmation":               {answering{assert: func(a *saml.Assertion) { a.Subject.SubjectConfirmations = nil }}, "no SubjectConfirmation", nil},
		"confirmed in another way": {answering{assert: func(a *saml.Assertion) {
			a.Subject.SubjectConfirmations[0].Method = "urn:oasis:names:tc:SAML:2.0:cm:sender-vouches"
		}}, "no SubjectConfirmation", nil},
		"no subject":           {answering{assert: func(a *saml.Assertion) { a.Subject = nil }}, "breaks its parser", nil},
		"nobody authenticated": {answering{assert: func(a *saml.Assertion) { a.AuthnStatements = nil }}, "anybody was authenticated", nil},
		"expired":              {answering{assert: func(a *saml.Assertion) { a.Conditions.NotOnOrAfter = long }}, "expired", nil},
		"not yet valid":        {answering{assert: func(a *saml.Assertion) { a.Conditions.NotBefore = time.Now().Add(time.Hour) }}, "not yet valid", nil},
		"issued long ago":      {answering{assert: func(a *saml.Assertion) { a.IssueInstant = long }}, "expired", nil},
		"no name":              {answering{}, "0 values of the attribute", func(s *Settings) { s.Username = "nope" }},
		"several names":        {answering{}, "2 values of the attribute", func(s *Settings) { s.Username = "eduPersonAffiliation" }},
		"to another address":   {answering{respond: func(e *etree.Element) { e.CreateAttr("Destination", "https://other.example.org/saml") }}, "Destination", nil},
		"told no": {answering{respond: func(e *etree.Element) {
			e.FindElement("./Status/StatusCode").CreateAttr("Value", "urn:oasis:names:tc:SAML:2.0:status:AuthnFailed")
		}}, "AuthnFailed", nil},
		"changed after signing":   {answering{open: true, after: func(e *etree.Element) { e.FindElement(".//AttributeValue").SetText("admin") }}, "Signature could not be verified", nil},
		"changed below the whole": {answering{open: true, asserted: func(e *etree.Element) { e.FindElement(".//AttributeValue").SetText("admin") }, bareAll: true}, "Signature could not be verified", nil},
		"wrapped: before":         {answering{open: true, bareAll: true, after: func(e *etree.Element) { e.InsertChildAt(0, evil(e.SelectElement("Assertion"))) }}, "2 assertions", nil},
		"wrapped: around": {answering{open: true, bareAll: true, after: func(e *etree.Element) {
			real := e.SelectElement("Assertion")
			other := evil(real)
			e.RemoveChild(real)
			other.AddChild(real)
			e.AddChild(other)
		}}, "signature element not present", nil},
		"wrapped: in the signature": {answering{open: true, bareAll: true, after: func(e *etree.Element) {
			real := e.SelectElement("Assertion")
			other, signature := evil(real), real.SelectElement("Signature")
			e.RemoveChild(real)
			real.RemoveChild(signature)
			signature.CreateElement("ds:Object").AddChild(real)
			other.AddChild(signature)
			e.AddChild(other)
		}}, "", nil},
		"wrapped: same id": {answering{open: true, bareAll: true, after: func(e *etree.Element) {
			real := e.SelectElement("Assertion")
			other := evil(real)
			other.CreateAttr("ID", real.SelectAttrValue("ID", ""))
			other.AddChild(real.SelectElement("Signature").Copy())
			e.CreateElement("samlp:Extensions").AddChild(real.Copy())
			e.RemoveChild(real)
			e.AddChild(other)
		}}, "", nil},
		"wrapped: the whole": {answering{open: true, after: func(e *etree.Element) {
			real := e.Copy()
			e.CreateAttr("ID", "id-evil")
			one := e.SelectElement("Assertion")
			e.AddChild(evil(one))
			e.RemoveChild(one)
			e.SelectElement("Signature").CreateElement("ds:Object").AddChild(real)
		}}, "", nil},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			if tt.change != nil {
				settings := settingsFor(t, w.provider)
				tt.change(&settings)
				_, err := w.Set(t.Context(), access.System(), settings)
				must(t, err)
			}
			_, asked := w.begin(t)
			ticket, err := w.Consume(t.Context(), w.answer(t, asked, tt.how))
			if !errors.Is(err, ErrRefused) || ticket != "" {
				t.Fatalf("taken: %q, %v", ticket, err)
			}
			if !strings.Contains(w.log.String(), tt.reason) {
				t.Errorf("the reason: %s, want %q", w.log.String(), tt.reason)
			}
		})
	}
}

func TestOneUse(t *testing.T) {
	w := newWorld(t)
	begun, asked := w.begin(t)
	answer := w.answer(t, asked, answering{})
	ticket, err := w.Consume(t.Context(), answer)
	must(t, err)
	if _, err := w.Consume(t.Context(), answer); !errors.Is(err, ErrRefused) {
		t.Errorf("replayed: %v", err)
	}
	stranger := func(string) (string, bool) { return "", false }
	if _, err := w.Finish(t.Context(), ticket, stranger); !errors.Is(err, ErrRefused) {
		t.Errorf("in another browser: %v", err)
	}
	if _, err := w.Finish(t.Context(), ticket, begun.jar); !errors.Is(err, ErrRefused) {
		t.Errorf("after another browser tried: %v", err)
	}
	begun, asked = w.begin(t)
	ticket, err = w.Consume(t.Context(), w.answer(t, asked, answering{}))
	must(t, err)
	w.now = w.now.Add(forRedirect)
	if _, err := w.Finish(t.Context(), ticket, begun.jar); !errors.Is(err, ErrRefused) {
		t.Errorf("a redirect that took long: %v", err)
	}
	_, asked = w.begin(t)
	answer = w.answer(t, asked, answering{})
	w.now = w.now.Add(forSignIn)
	if _, err := w.Consume(t.Context(), answer); !errors.Is(err, ErrRefused) {
		t.Errorf("a sign-in that took long: %v", err)
	}
	begun, asked = w.begin(t)
	ticket, err = w.Consume(t.Context(), w.answer(t, asked, answering{}))
	must(t, err)
	_, asked = w.begin(t)
	answer = w.answer(t, asked, answering{})
	settings := settingsFor(t, w.provider)
	settings.Groups = ""
	_, err = w.Set(t.Context(), access.System(), settings)
	must(t, err)
	if _, err := w.Finish(t.Context(), ticket, begun.jar); !errors.Is(err, ErrRefused) {
		t.Errorf("settings changed before the browser was back: %v", err)
	}
	if _, err := w.Consume(t.Context(), answer); !errors.Is(err, ErrRefused) {
		t.Errorf("settings changed: %v", err)
	}
}

func TestBroken(t *testing.T) {
	w := newWorld(t)
	for _, answer := range []string{
		"", "%", "eA==", encoded("<x/>"), encoded("<!DOCTYPE x><x/>"), encoded(strings.Repeat("<x>", 100)), encoded(strings.Repeat("<x/>", maxElements+1)),
	} {
		if _, err := w.Consume(t.Context(), answer); !errors.Is(err, ErrRefused) {
			t.Errorf("%.40s: %v", answer, err)
		}
	}
	w.active = false
	if _, err := w.Begin(t.Context(), base, "/"); access.KindOf(err) != access.NotFound {
		t.Errorf("realm not active: %v", err)
	}
	must(t, w.Delete(t.Context(), access.System()))
	if _, err := w.Consume(t.Context(), "x"); access.KindOf(err) != access.NotFound {
		t.Errorf("not configured: %v", err)
	}
}
