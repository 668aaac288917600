package rest

import (
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"

	"entrepot/app/access"
	"entrepot/app/repository"
	"entrepot/compat/names"
	"entrepot/formats"
)

// maxField is the most that a text part of a form may have, in bytes.
const maxField = 64 << 10

// forgeryToken names the form field and the cookie that have to be alike.
const forgeryToken = "NX-ANTI-CSRF-TOKEN"

// upload stores the components of a form.
func (a *API) upload(c *call) (any, error) {
	name, err := c.repositoryParameter()
	if err != nil {
		return nil, err
	}
	_, err = a.store(c, name)
	return nil, err
}

// store stores the components of a form and gives the paths of their files.
func (a *API) store(c *call, name string) ([]string, error) {
	form, err := multipartReader(c)
	if err != nil {
		return nil, err
	}
	u, err := a.engine.NewUpload(c.subject, name, c.Remote)
	if err != nil {
		return nil, a.wordUpload(name, err)
	}
	defer u.Close()
	token, err := readForm(c, form, u)
	if err != nil {
		return nil, a.wordUpload(name, err)
	}
	if err := c.checkForgery(token); err != nil {
		return nil, err
	}
	if err := u.Store(c.Context()); err != nil {
		return nil, a.wordUpload(name, err)
	}
	return u.Stored(), nil
}

func multipartReader(c *call) (*multipart.Reader, error) {
	if c.Header.Get("Content-Type") == "" {
		return nil, quotedf(http.StatusBadRequest, "Expected multipart Content-Type")
	}
	_, params, err := mime.ParseMediaType(c.Header.Get("Content-Type"))
	if err != nil || params["boundary"] == "" || c.Body() == nil {
		return nil, violations{{"*", "The form has no boundary"}}
	}
	return multipart.NewReader(c.Body(), params["boundary"]), nil
}

// readForm hands the parts on, in their order, without holding a file in memory. It gives the anti-forgery token that was among them.
func readForm(c *call, form *multipart.Reader, u *repository.Upload) (token access.CSRFToken, err error) {
	for {
		part, err := form.NextPart()
		switch {
		case errors.Is(err, io.EOF):
			return token, nil
		case err != nil:
			return token, violations{{"*", "The form cannot be read: " + err.Error()}}
		case part.FileName() != "":
			err = wordCut(u.File(c.Context(), part.FormName(), part))
		default:
			var value []byte
			value, err = io.ReadAll(io.LimitReader(part, maxField))
			err = wordCut(err)
			if err == nil && part.FormName() == forgeryToken {
				token = access.CSRFToken{Value: string(value), Present: true}
			} else if err == nil {
				err = u.Field(part.FormName(), string(value))
			}
		}
		if err != nil {
			return token, err
		}
	}
}

// wordCut gives a part that ends before its boundary as a mistake of the client.
func wordCut(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return violations{{"*", "The form ends in the middle of a part"}}
	}
	return err
}

// checkForgery demands the token of a form that comes in a session, because such a form can be sent by a stranger's page.
func (c *call) checkForgery(token access.CSRFToken) error {
	cookie, present := c.Cookie(forgeryToken)
	check := access.CSRFRequest{Method: c.Method, Multipart: true}
	if c.subject.CheckCSRF(check) == access.CSRFInForm && !token.Same(access.CSRFToken{Value: cookie, Present: present}) {
		return forbidden()
	}
	return nil
}

// wordUpload gives refusals of uploads in the words that clients know.
func (a *API) wordUpload(name string, err error) error {
	var fields formats.FieldErrors
	switch {
	case err == nil:
		return nil
	case errors.Is(err, repository.ErrNotHosted):
		d, _ := a.engine.Lookup(name)
		return violations{{"*", "Uploading components to a '" + names.Type(d.Kind) + "' type repository is unsupported, must be 'hosted'"}}
	case errors.As(err, &fields):
		return fieldViolations(fields)
	case errors.Is(err, repository.ErrReadOnly):
		return err
	}
	var refused *formats.Error
	if !errors.As(err, &refused) {
		return err
	}
	switch refused.Kind {
	case formats.NotFound, formats.Forbidden, formats.Unauthenticated:
		return wordListing(err)
	case formats.Denied:
		return &message{status: http.StatusBadRequest, text: refused.Message, plain: true}
	case formats.Invalid, formats.InvalidContent, formats.Unavailable:
		return violations{{"*", refused.Message}}
	}
	return err
}
