package saml

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/beevik/etree"
	"github.com/crewjam/saml"
	dsig "github.com/russellhaering/goxmldsig"

	"entrepot/app/access"
	"entrepot/app/access/federated"
)

// ErrRefused reports an answer of a provider that proves nothing. Why is in the log.
var ErrRefused = errors.New("saml: the answer of the identity provider was refused")

// request is a sign-in that was begun.
type request struct {
	cookie  Cookie
	base    string // external URL of this server then
	next    string
	version uint64 // of the settings
}

// arrival is a sign-in that a provider has vouched for.
type arrival struct {
	request
	user access.DirectoryUser
}

// Cookie binds a sign-in to the browser that began it. Each sign-in has one of its own, so that several windows do not disturb each other.
type Cookie struct {
	Name, Value string
	MaxAge      int // seconds
}

// Begun is a sign-in on its way to the provider: by one of a redirect to an address and an HTML form that sends itself.
type Begun struct {
	Redirect string
	Form     []byte
	Cookie   Cookie
}

// Begin starts a sign-in at a server with an external URL. next is where the browser goes afterwards; what is no path of this server is
// replaced by the root. An access.Error of kind NotFound when SAML is not configured or its realm is not active.
func (s *Service) Begin(ctx context.Context, base, next string) (Begun, error) {
	active, err := s.opts.Active(ctx)
	if err != nil {
		return Begun{}, err
	}
	have, err := s.configured(ctx)
	if err != nil {
		return Begun{}, err
	}
	if !active {
		return Begun{}, &access.Error{Kind: access.NotFound, Message: "The SAML realm is not active."}
	}
	sp, err := have.at(base)
	if err != nil {
		return Begun{}, err
	}
	binding := saml.HTTPPostBinding // what the old server prefers
	if sp.GetSSOBindingLocation(binding) == "" {
		binding = saml.HTTPRedirectBinding
	}
	question, err := sp.MakeAuthenticationRequest(sp.GetSSOBindingLocation(binding), binding, saml.HTTPPostBinding)
	if err != nil {
		return Begun{}, fmt.Errorf("saml: make a request: %w", err)
	}
	bond, err := s.requests.Secret()
	if err != nil {
		return Begun{}, err
	}
	begun := Begun{Cookie: Cookie{Name: "NXSAML-" + bond[:8], Value: bond[8:], MaxAge: int(forSignIn.Seconds())}}
	if binding == saml.HTTPPostBinding {
		begun.Form = question.Post("")
	} else {
		address, err := question.Redirect("", sp)
		if err != nil {
			return Begun{}, fmt.Errorf("saml: sign a request: %w", err)
		}
		begun.Redirect = address.String()
	}
	s.requests.Put(question.ID, request{cookie: begun.Cookie, base: base, next: federated.LocalPath(next), version: have.version})
	return begun, nil
}

// Consume judges an answer, which is in base64, and gives the ticket that the browser finishes its sign-in with. The browser is sent on
// because it shows no cookies with a form that another site made it send.
func (s *Service) Consume(ctx context.Context, answer string) (ticket string, err error) {
	have, err := s.configured(ctx)
	if err != nil {
		return "", err
	}
	begun, user, err := s.judge(have, answer)
	if err != nil {
		s.opts.Log.WarnContext(ctx, "an answer of the SAML identity provider was refused", "reason", fmt.Sprintf("%.500v", err))
		return "", ErrRefused
	}
	return s.arrivals.Add(arrival{request: begun, user: user})
}

// Arrived is who came by a sign-in, and where to go.
type Arrived struct {
	User   access.DirectoryUser
	Next   string // a path of this server
	Cookie string // name of the cookie that is of no use any more
}

// Finish gives who came with a ticket, which is good for one use. cookie gives the browser's cookies. ErrRefused when the sign-in was
// begun in another browser, too long ago or under other settings.
func (s *Service) Finish(ctx context.Context, ticket string, cookie func(name string) (string, bool)) (Arrived, error) {
	a, ok := s.arrivals.Take(ticket)
	if !ok {
		return Arrived{}, ErrRefused
	}
	have, err := s.configured(ctx)
	if err != nil {
		return Arrived{}, err
	}
	if a.version != have.version {
		s.opts.Log.WarnContext(ctx, "the settings of SAML were changed during a sign-in", "user", a.user.ID)
		return Arrived{}, ErrRefused
	}
	if value, came := cookie(a.cookie.Name); !came || value != a.cookie.Value {
		s.opts.Log.WarnContext(ctx, "a SAML sign-in ended in another browser than it began in", "user", a.user.ID)
		return Arrived{}, ErrRefused
	}
	return Arrived{User: a.user, Next: a.next, Cookie: a.cookie.Name}, nil
}

// judge tells which request an answer belongs to and who it vouches for. The request is used up by it.
func (s *Service) judge(have *loaded, answer string) (begun request, user access.DirectoryUser, err error) {
	document, err := base64.StdEncoding.DecodeString(answer)
	if err != nil {
		return begun, user, errors.New("it is not in base64")
	}
	o, err := survey(document)
	if err == nil {
		err = o.weak
	}
	if err != nil {
		return begun, user, err
	}
	begun, ok := s.requests.Take(o.answers)
	if !ok {
		return begun, user, errors.New("it answers no request that was made here lately and is still open")
	}
	if begun.version != have.version {
		return begun, user, errors.New("the settings were changed meanwhile")
	}
	sp, err := have.at(begun.base)
	if err != nil {
		return begun, user, err
	}
	assertion, err := verify(sp, &have.settings, document, o.answers)
	if err != nil {
		return begun, user, err
	}
	user, err = have.settings.user(assertion)
	return begun, user, err
}

// verify gives the assertion of an answer when all that has to be signed is, and everything in it is as it should be.
func verify(sp *saml.ServiceProvider, settings *Settings, document []byte, id string) (assertion *saml.Assertion, err error) {
	// The library reads what anybody may send; whatever it trips over is refused, not a failure of the server.
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("it breaks its parser: %v", p)
		}
	}()
	if assertion, err = parse(sp, document, id); err != nil {
		return nil, err
	}
	whole, err := takeApart(document)
	if err != nil {
		return nil, err
	}
	switch {
	case whole.assertions != 1:
		return nil, fmt.Errorf("it holds %d assertions, not one", whole.assertions)
	case wanted(settings.ValidateResponse) && !whole.signed:
		return nil, errors.New("the answer as a whole is not signed")
	case wanted(settings.ValidateAssertion) && whole.signed: // the library looks at one signature only
		if assertion, err = parse(sp, whole.bare, id); err != nil {
			return nil, fmt.Errorf("signature of the assertion: %w", err)
		}
	}
	return assertion, confirmed(assertion)
}

func wanted(flag *bool) bool { return flag != nil && *flag }

func parse(sp *saml.ServiceProvider, document []byte, id string) (*saml.Assertion, error) {
	assertion, err := sp.ParseXMLResponse(document, []string{id}, sp.AcsURL)
	var invalid *saml.InvalidResponseError
	if errors.As(err, &invalid) {
		return nil, invalid.PrivateErr
	}
	return assertion, err
}

// parts is what an answer that was verified consists of.
type parts struct {
	signed     bool   // as a whole
	bare       []byte // without that signature
	assertions int
}

func takeApart(document []byte) (p parts, err error) {
	doc := etree.NewDocument()
	if err := doc.ReadFromBytes(document); err != nil {
		return p, err
	}
	for _, child := range doc.Root().ChildElements() {
		switch {
		case child.Tag == "Signature" && child.NamespaceURI() == dsig.Namespace: // others nobody has looked at
			doc.Root().RemoveChild(child)
			p.signed = true
		case child.Tag == "Assertion" || child.Tag == "EncryptedAssertion":
			p.assertions++
		}
	}
	p.bare, err = doc.WriteToBytes()
	return p, err
}

// audience sees that every restriction of an assertion names this server, and that there is one.
func audience(a *saml.Assertion, own string) error {
	if a.Conditions == nil || len(a.Conditions.AudienceRestrictions) == 0 {
		return errors.New("the assertion has no AudienceRestriction")
	}
	for _, r := range a.Conditions.AudienceRestrictions {
		if strings.TrimSpace(r.Audience.Value) != own {
			return fmt.Errorf("the assertion is for %q, not for %q", r.Audience.Value, own)
		}
	}
	return nil
}

// confirmed sees that an assertion says for whom it is good: the library looks at those confirmations only that there are.
func confirmed(a *saml.Assertion) error {
	if a.Subject == nil {
		return errors.New("the assertion has no Subject")
	}
	bearer := func(c saml.SubjectConfirmation) bool { return c.Method == "urn:oasis:names:tc:SAML:2.0:cm:bearer" }
	if !slices.ContainsFunc(a.Subject.SubjectConfirmations, bearer) {
		return errors.New("the assertion has no SubjectConfirmation for a bearer")
	}
	if len(a.AuthnStatements) == 0 {
		return errors.New("the assertion does not say that anybody was authenticated")
	}
	return nil
}

// user reads who an assertion is about.
func (s *Settings) user(a *saml.Assertion) (access.DirectoryUser, error) {
	names := s.values(a, s.Username)
	if len(names) != 1 {
		return access.DirectoryUser{}, fmt.Errorf("the assertion has %d values of the attribute %q for the user's name, not one", len(names), s.Username)
	}
	first := func(attribute string) string {
		if all := s.values(a, attribute); len(all) > 0 {
			return all[0]
		}
		return ""
	}
	return access.DirectoryUser{
		ID: names[0], FirstName: first(s.FirstName), LastName: first(s.LastName), Email: first(s.Email), Groups: s.values(a, s.Groups),
	}, nil
}

// values gives the values of an attribute by its name or friendly name, each once, without those that are no text for people.
func (s *Settings) values(a *saml.Assertion, attribute string) []string {
	var all []string
	if attribute == "" {
		return nil
	}
	for _, statement := range a.AttributeStatements {
		for _, have := range statement.Attributes {
			if have.Name != attribute && have.FriendlyName != attribute {
				continue
			}
			for _, v := range have.Values {
				value := strings.TrimSpace(v.Value)
				if value != "" && plain(value) && !slices.Contains(all, value) {
					all = append(all, value)
				}
			}
		}
	}
	return all
}
