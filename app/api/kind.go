package api

import (
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"entrepot/app/access/permission"
	"entrepot/app/repository"
	"entrepot/app/resource"
	"entrepot/formats"
	"entrepot/storage/kv"
)

// kind is a set of documents with the rights that one of them needs besides those of its route.
type kind[T any] struct {
	*resource.Set[T]
	may func(c *call, doc *T, action permission.Action) bool // nil: the route's permission is enough
}

// Page is a part of a list.
type Page[T any] struct {
	Items []T    `json:"items"`
	Next  string `json:"next,omitempty"` // the cursor of the next part; absent at the end
}

// The sizes of parts of lists.
const (
	defaultLimit = 100
	maxLimit     = 1000
)

// limit reads the parameter that says how long a part may be.
func (c *call) limit() (int, error) {
	if !c.Query().Has("limit") {
		return defaultLimit, nil
	}
	n, err := strconv.Atoi(c.Query().Get("limit"))
	if err != nil || n < 1 || n > maxLimit {
		return 0, badParameter("limit", "must be a number from 1 to "+strconv.Itoa(maxLimit))
	}
	return n, nil
}

func badParameter(name, message string) error {
	return &resource.SyntaxError{Message: "The parameter " + name + " " + message}
}

// cursor reads the parameter that says where a part begins. It is opaque to clients.
func (c *call) cursor() (string, error) {
	text, err := base64.RawURLEncoding.DecodeString(c.Query().Get("cursor"))
	if err != nil {
		return "", badParameter("cursor", "is none that this server gave out")
	}
	return string(text), nil
}

func sealCursor(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

// paged answers with a part of a list. next is where the following one begins, "" at the end.
func paged[T any](c *call, items []T, next string) (*formats.Response, error) {
	page := Page[T]{Items: append([]T{}, items...)}
	if next != "" {
		page.Next = sealCursor(next)
	}
	resp, err := reply(http.StatusOK, page)
	if err == nil && page.Next != "" {
		query := url.Values{}
		for name, values := range c.Query() {
			query[name] = values
		}
		query.Set("cursor", page.Next)
		resp.Header["Link"] = []string{"<" + c.BaseURL() + c.Target + "?" + query.Encode() + `>; rel="next"`}
	}
	return resp, err
}

// part cuts a list, whose items have keys in order, to what the request asks for.
func part[T any](c *call, all []T, key func(*T) string) (*formats.Response, error) {
	limit, err := c.limit()
	if err != nil {
		return nil, err
	}
	after, err := c.cursor()
	if err != nil {
		return nil, err
	}
	var items []T
	for i := range all {
		if after != "" && key(&all[i]) <= after {
			continue
		}
		if len(items) == limit {
			return paged(c, items, key(&items[limit-1]))
		}
		items = append(items, all[i])
	}
	return paged(c, items, "")
}

// key is the name of the document that a request is about.
func (c *call) key() string {
	if name := c.Param("name"); name != "" {
		return name
	}
	return c.Param("id")
}

// tagged answers with a document and its tag.
func tagged(status int, doc any, row kv.Row) (*formats.Response, error) {
	tag, err := resource.Tag(doc, row)
	if err != nil {
		return nil, err
	}
	resp, err := reply(status, doc)
	if err == nil {
		resp.Header["Etag"] = []string{quoted(tag)}
	}
	return resp, err
}

func quoted(tag string) string { return `"` + tag + `"` }

// lists reports whether a header with tags names one, or all.
func lists(header, tag string) bool {
	for _, item := range strings.Split(header, ",") {
		if item = strings.TrimSpace(item); item == "*" || strings.TrimPrefix(item, "W/") == tag {
			return true
		}
	}
	return false
}

// show answers a read: with nothing when the client has the document already.
func (c *call) show(doc any, row kv.Row) (*formats.Response, error) {
	resp, err := tagged(http.StatusOK, doc, row)
	if err == nil && lists(c.Header.Get("If-None-Match"), resp.Header["Etag"][0]) {
		return &formats.Response{Status: http.StatusNotModified, Header: http.Header{"Etag": resp.Header["Etag"]}}, nil
	}
	return resp, err
}

// precondition refuses to change a document that is not the one that the client saw.
func (c *call) precondition(doc any, row kv.Row) error {
	tag, err := resource.Tag(doc, row)
	if err != nil {
		return err
	}
	return c.matches(quoted(tag))
}

func (c *call) matches(tag string) error {
	match, none := c.Header.Get("If-Match"), c.Header.Get("If-None-Match")
	if match != "" && !lists(match, tag) || none != "" && lists(none, tag) {
		return formats.Errorf(formats.PreconditionFailed, "The document is not the one that was seen: it has the tag %s now", tag)
	}
	return nil
}

// changing makes a change that depends on a document as it is: it is stored only while the document still is what look gave, whoever else
// changes it. When somebody was faster, all of it is done again, with the precondition of the request.
func changing[T any](c *call, look func(context.Context) (T, kv.Row, error), change func(ctx context.Context, before T) error) error {
	const attempts = 10
	var err error
	for range attempts {
		before, row, lookErr := look(c.Context())
		if lookErr == nil {
			lookErr = c.precondition(before, row)
		}
		if lookErr != nil {
			return lookErr
		}
		if err = change(kv.Expect(c.Context(), row), before); !overtaken(err) {
			return err
		}
	}
	return err
}

// overtaken reports whether a change was refused because somebody else changed the same meanwhile.
func overtaken(err error) bool {
	return errors.Is(err, kv.ErrStale) || errors.Is(err, kv.ErrConflict) || errors.Is(err, repository.ErrChanged)
}

// allowed refuses what the caller may not do to a document. To those who may not read it it does not exist.
func (k *kind[T]) allowed(c *call, doc *T, action permission.Action) error {
	switch {
	case k.may == nil || k.may(c, doc, action):
		return nil
	case c.subject.Anonymous():
		return forbidden()
	case action != permission.Add && !k.may(c, doc, permission.Read):
		return &formats.Error{Kind: formats.NotFound}
	}
	return forbidden()
}

// list answers with those that the caller may read.
func (k *kind[T]) list(c *call) (*formats.Response, error) {
	all, err := k.List(c.Context())
	if err != nil {
		return nil, err
	}
	visible := make([]T, 0, len(all))
	for i := range all {
		if k.may == nil || k.may(c, &all[i], permission.Read) {
			visible = append(visible, all[i])
		}
	}
	return part(c, visible, k.Key)
}

func (k *kind[T]) get(c *call) (*formats.Response, error) {
	doc, row, err := k.look(c, permission.Read)
	if err != nil {
		return nil, err
	}
	return c.show(doc, row)
}

// look gives the document that a request is about, when the caller may do that to it.
func (k *kind[T]) look(c *call, action permission.Action) (T, kv.Row, error) {
	doc, row, err := k.Look(c.Context(), c.key())
	if err == nil {
		err = k.allowed(c, &doc, action)
	}
	return doc, row, err
}

func (k *kind[T]) create(c *call) (*formats.Response, error) {
	data, err := c.body()
	if err != nil {
		return nil, err
	}
	doc, err := resource.Read(k.Set, data)
	if err == nil {
		err = k.allowed(c, &doc, permission.Add)
	}
	if err == nil {
		err = k.Create(c.Context(), c.actor(), doc)
	}
	if err != nil {
		return nil, err
	}
	return k.created(c, k.Key(&doc))
}

// created answers with a document that was made.
func (k *kind[T]) created(c *call, key string) (*formats.Response, error) {
	made, row, err := k.Look(c.Context(), key)
	if err != nil {
		return nil, err
	}
	resp, err := tagged(http.StatusCreated, made, row)
	if err == nil {
		resp.Header["Location"] = []string{prefix + k.Name + "/" + url.PathEscape(k.Key(&made))}
	}
	return resp, err
}

// replace puts the body in the place of a document.
func (k *kind[T]) replace(c *call) (*formats.Response, error) {
	return k.change(c, func(_ *T, data []byte) (T, error) { return resource.Read(k.Set, data) })
}

// patch changes members of a document.
func (k *kind[T]) patch(c *call) (*formats.Response, error) {
	return k.change(c, func(before *T, data []byte) (T, error) { return resource.Merge(k.Set, before, data) })
}

func (k *kind[T]) change(c *call, make func(before *T, data []byte) (T, error)) (*formats.Response, error) {
	data, err := c.body()
	if err != nil {
		return nil, err
	}
	key := c.key()
	look := func(context.Context) (T, kv.Row, error) { return k.look(c, permission.Edit) }
	err = changing(c, look, func(ctx context.Context, before T) error {
		doc, err := make(&before, data)
		if err == nil {
			err = k.Replace(ctx, c.actor(), c.key(), doc)
		}
		key = cmp.Or(k.Key(&doc), c.key()) // rules can be renamed, tasks need not say their id
		return err
	})
	if err != nil {
		return nil, err
	}
	after, row, err := k.Look(c.Context(), key)
	if err != nil {
		return nil, err
	}
	return tagged(http.StatusOK, after, row)
}

func (k *kind[T]) remove(c *call) (*formats.Response, error) {
	look := func(context.Context) (T, kv.Row, error) { return k.look(c, permission.Delete) }
	return empty(), changing(c, look, func(ctx context.Context, _ T) error { return k.Delete(ctx, c.actor(), c.key()) })
}

// getValue answers with a document that there is one of.
func getValue[T any](c *call, v *resource.Value[T]) (*formats.Response, error) {
	doc, row, err := v.Look(c.Context())
	if err != nil {
		return nil, err
	}
	return c.show(doc, row)
}

// putValue puts the body in the place of a document that there is one of.
func putValue[T any](c *call, v *resource.Value[T]) (*formats.Response, error) {
	doc := v.Blank()
	if err := c.decode(&doc); err != nil {
		return nil, err
	}
	return storeValue(c, v, func(*T) (T, error) { return doc, nil })
}

// patchValue changes members of a document that there is one of.
func patchValue[T any](c *call, v *resource.Value[T]) (*formats.Response, error) {
	data, err := c.body()
	if err != nil {
		return nil, err
	}
	return storeValue(c, v, func(before *T) (T, error) {
		doc := v.Blank()
		merged, err := resource.MergePatch(before, data)
		if err == nil {
			err = resource.Decode(merged, &doc)
		}
		return doc, err
	})
}

func storeValue[T any](c *call, v *resource.Value[T], make func(before *T) (T, error)) (*formats.Response, error) {
	err := changing(c, v.Look, func(ctx context.Context, before T) error {
		doc, err := make(&before)
		if err == nil {
			err = v.Put(ctx, c.actor(), doc)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	after, row, err := v.Look(c.Context())
	if err != nil {
		return nil, err
	}
	return tagged(http.StatusOK, after, row)
}

// clearValue forgets a document that there is one of.
func clearValue[T any](c *call, v *resource.Value[T]) (*formats.Response, error) {
	return empty(), changing(c, v.Look, func(ctx context.Context, _ T) error { return v.Clear(ctx, c.actor()) })
}
