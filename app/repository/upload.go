package repository

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"entrepot/app/access/permission"
	"entrepot/formats"
	"entrepot/storage/blob"
	"entrepot/storage/catalog"
)

// maxUploadParts bounds the fields and files of one upload.
const maxUploadParts = 1000

// ErrNotHosted is the cause of a refusal to upload components to a cache or a proxy.
var ErrNotHosted = errors.New("repository: not a hosted repository")

// Upload takes one filled-in form: fields and files in the order in which they come, then Store. It ends with Close.
type Upload struct {
	engine *Engine
	*repo
	subject  Subject
	ip       string
	uploader formats.Uploader
	spec     formats.UploadSpec

	fields []namedValue
	files  []uploadFile
	stored []string // paths
}

type namedValue struct{ name, value string }

type uploadFile struct {
	name string // of the form's part, without the format's prefix
	body *blob.Writer
}

// NewUpload begins an upload to a hosted repository that the subject may see. ip is the client's address, for the records.
func (e *Engine) NewUpload(s Subject, repository, ip string) (*Upload, error) {
	v, err := e.view(s, repository)
	if err != nil {
		return nil, err
	}
	if v.def.Kind != formats.Hosted {
		return nil, &formats.Error{Kind: formats.Invalid, Message: "Components can be uploaded to hosted repositories only", Err: ErrNotHosted}
	}
	uploader, ok := v.format.(formats.Uploader)
	if !ok {
		return nil, formats.FieldErrors{{Message: "Uploading components to '" + v.def.Format + "' repositories is unsupported"}}
	}
	if !v.def.Online {
		return nil, formats.FieldErrors{{Message: "Repository offline"}}
	}
	if err := e.writable(); err != nil {
		return nil, err
	}
	return &Upload{engine: e, repo: v.repo, subject: s, ip: ip, uploader: uploader, spec: uploader.UploadSpec()}, nil
}

// UploadSpec describes the form of a format. The kind of its refusal is NotFound when the format takes no uploads.
func (e *Engine) UploadSpec(format string) (formats.UploadSpec, error) {
	uploader, ok := e.formats[format].(formats.Uploader)
	if !ok {
		return formats.UploadSpec{}, &formats.Error{Kind: formats.NotFound}
	}
	return uploader.UploadSpec(), nil
}

// UploadFormats gives the names of the formats that take uploads, sorted.
func (e *Engine) UploadFormats() []string {
	var names []string
	for name, f := range e.formats {
		if _, ok := f.(formats.Uploader); ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// Field takes a text part.
func (u *Upload) Field(name, value string) error {
	if len(u.fields)+len(u.files) >= maxUploadParts {
		return formats.FieldErrors{{Message: "Too many fields in upload"}}
	}
	u.fields = append(u.fields, namedValue{u.bare(name), strings.TrimSpace(value)})
	return nil
}

// File takes a file part and reads its body to the end.
func (u *Upload) File(ctx context.Context, name string, body io.Reader) error {
	if len(u.fields)+len(u.files) >= maxUploadParts {
		return formats.FieldErrors{{Message: "Too many fields in upload"}}
	}
	// The path, and with it the digests that it wants, is known only at the end of the form.
	w, err := u.engine.newBlob(ctx, u.repo, writeOptions(&formats.Item{MD5: true, SHA512: true}, 0))
	if err != nil {
		return storageRefusal(err)
	}
	if _, err := u.engine.readInto(w, body); err != nil {
		w.Discard()
		return storageRefusal(err)
	}
	u.files = append(u.files, uploadFile{u.bare(name), w})
	return nil
}

// Close drops what was not stored.
func (u *Upload) Close() {
	for _, f := range u.files {
		f.body.Discard()
	}
}

// bare takes the format's prefix off a name, which is optional.
func (u *Upload) bare(name string) string { return strings.TrimPrefix(name, u.def.Format+".") }

// Store checks the form, stores its files, and makes the documents anew that tell of them. Its refusals are formats.FieldErrors for what is wrong with the form or its paths, and
// *formats.Error for what the repository's policies or the content itself refuse; files stored before stay.
func (u *Upload) Store(ctx context.Context) error {
	form, err := u.form()
	if err != nil {
		return err
	}
	targets, err := u.uploader.Plan(ctx, u.view, form)
	if err != nil {
		return err
	}
	items, err := u.items(targets)
	if err != nil {
		return err
	}
	told, err := u.announce(ctx, items)
	if err != nil {
		return storageRefusal(err)
	}
	for i, target := range targets {
		if err := u.store(ctx, items[i], target); err != nil {
			return storageRefusal(err)
		}
		u.stored = append(u.stored, target.Path)
		if err := u.tell(ctx, &told, items[i].Component); err != nil {
			return storageRefusal(err)
		}
	}
	return storageRefusal(u.engine.makeDocuments(ctx, u.repo, told))
}

// announce notes, before anything is stored, which documents are going to tell of the components, as far as the paths say: they are
// made also when the server is killed in between.
func (u *Upload) announce(ctx context.Context, items []formats.Item) (told derived, err error) {
	for i := range items {
		if c := items[i].Component; c != nil {
			told.add(u.repo, &catalog.Component{Coordinates: *c, Kind: items[i].ComponentKind, Attributes: items[i].ComponentAttributes})
		}
	}
	told = told.each()
	return told, u.content.MarkStale(ctx, told, true)
}

// Stored gives the paths of the files that Store has stored, in their order.
func (u *Upload) Stored() []string { return u.stored }

// tell notes which documents tell of a component that was stored.
func (u *Upload) tell(ctx context.Context, told *derived, at *catalog.Coordinates) error {
	if at == nil {
		return nil
	}
	c, err := u.content.Component(ctx, *at)
	if errors.Is(err, catalog.ErrNotFound) { // deleted meanwhile
		return nil
	}
	if err != nil {
		return err
	}
	told.add(u.repo, c)
	return nil
}

// form sorts the parts into the fields of the component and those of each file.
func (u *Upload) form() (*formats.Upload, error) {
	form := &formats.Upload{Fields: make(map[string]string)}
	var wrong formats.FieldErrors
	add := func(field, message string) { wrong = append(wrong, formats.FieldError{Field: field, Message: message}) }
	byName := make(map[string]int)
	for _, f := range u.files {
		// Clients may name the part after another format than the repository's.
		if !strings.HasPrefix(f.name[strings.LastIndexByte(f.name, '.')+1:], "asset") {
			add(f.name, "Unknown component field '"+f.name+"'")
			continue
		}
		byName[f.name] = len(form.Files)
		form.Files = append(form.Files, formats.UploadFile{
			Key: strconv.Itoa(len(form.Files) + 1), Fields: make(map[string]string), Body: f.body, Size: f.body.Written(),
		})
	}
	if len(form.Files) == 0 {
		add("", "No assets found in upload")
	}
	for _, f := range u.fields {
		part, name, dotted := strings.Cut(f.name, ".")
		at, ofFile := byName[part]
		fields, known, message := form.Fields, u.spec.Component, "Unknown component field '"+f.name+"'"
		if dotted && ofFile {
			fields, known = form.Files[at].Fields, u.spec.Asset
			message = "Unknown field '" + name + "' on asset '" + form.Files[at].Key + "'"
		} else {
			name = f.name
		}
		switch {
		case !slices.ContainsFunc(known, func(k formats.UploadField) bool { return k.Name == name }):
			add(name, message)
		case f.value != "":
			fields[name] = f.value
		}
	}
	wrong = append(wrong, u.missing(form)...)
	if len(wrong) > 0 {
		return nil, wrong
	}
	return form, nil
}

// missing finds the fields that are not filled in.
func (u *Upload) missing(form *formats.Upload) formats.FieldErrors {
	var wrong formats.FieldErrors
	for _, f := range u.spec.Component {
		if !f.Optional && form.Fields[f.Name] == "" && !(u.spec.Derived && len(form.Files) > 0) {
			wrong = append(wrong, f.Missing())
		}
	}
	for _, file := range form.Files {
		for _, f := range u.spec.Asset {
			if !f.Optional && file.Fields[f.Name] == "" {
				message := "Missing required asset field '" + f.Display + "' on '" + file.Key + "'"
				wrong = append(wrong, formats.FieldError{Field: f.Name, Message: message})
			}
		}
	}
	if !u.spec.Multiple && len(form.Files) > 1 {
		wrong = append(wrong, formats.FieldError{Message: "The assets 1 and 2 have identical coordinates"})
	}
	return wrong
}

// items says what the targets' paths mean, and checks that the subject may write there.
func (u *Upload) items(targets []formats.UploadTarget) ([]formats.Item, error) {
	items := make([]formats.Item, len(targets))
	for i, target := range targets {
		items[i] = u.format.Classify(u.view, target.Path)
		if items[i].Route == formats.RouteNone {
			return nil, formats.FieldErrors{{Message: "Invalid path '" + target.Path + "'"}}
		}
		if !u.subject.MayView(u.def.Format, u.def.Name, permission.Edit, target.Path) {
			return nil, formats.FieldErrors{{Message: "Not authorized for requested path '" + target.Path + "'"}}
		}
		if admitter, ok := u.format.(formats.Admitter); ok {
			if err := admitter.Admit(u.view, items[i], true); err != nil {
				return nil, err
			}
		}
	}
	return items, nil
}

// store stores one target under the write policy.
func (u *Upload) store(ctx context.Context, item formats.Item, target formats.UploadTarget) error {
	x := &exchange{repo: u.repo, item: item, req: &formats.Request{}}
	before, err := u.engine.writeTarget(ctx, x)
	if err != nil {
		return err
	}
	if err := u.allowPut(x.title(), before != nil, item.Mutable); err != nil {
		return err
	}
	var w *blob.Writer
	if target.File >= 0 {
		w = u.files[target.File].body
	} else {
		item.Declared = false // nobody did
		if w, err = u.engine.newBlob(ctx, u.repo, writeOptions(&item, int64(len(target.Body)))); err != nil {
			return err
		}
		defer w.Discard()
		if _, err := w.Write(target.Body); err != nil {
			return err
		}
	}
	_, err = u.engine.commit(ctx, w, incoming{
		repo: u.repo, item: item, uploader: u.subject.UserID(), ip: u.ip, condition: x.putCondition(before),
	})
	if err != nil {
		return x.conflict(fmt.Errorf("upload %s: %w", target.Path, err))
	}
	return nil
}
