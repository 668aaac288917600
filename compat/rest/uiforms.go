package rest

import "entrepot/compat/forms"

// formFields lays the fields of a form out.
func formFields(fields []forms.Field) []object {
	out := []object{}
	for _, f := range fields {
		o := object{
			{"helpText", f.Help}, {"id", f.ID}, {"regexValidation", nil}, {"required", true}, {"disabled", false}, {"readOnly", false},
			{"label", f.Label}, {"initialValue", nil}, {"attributes", f.Attributes},
		}
		if f.Kind == forms.Choice {
			o = append(o, object{{"storeApi", f.Choices}, {"storeFilters", nil}, {"idMapping", nil}, {"nameMapping", nil}}...)
		}
		out = append(out, append(o, member{"type", f.Kind}, member{"allowAutocomplete", f.Free}))
	}
	return out
}

func uiPrivilegeTypes(*call) (any, error) {
	out := []object{}
	for _, t := range forms.Privileges() {
		out = append(out, object{{"id", t.ID}, {"name", t.Name}, {"formFields", formFields(t.Fields)}})
	}
	return out, nil
}

func uiBlobStoreTypes(*call) (any, error) {
	out := []object{}
	for _, t := range forms.BlobStores() {
		out = append(out, object{{"id", t.ID}, {"name", t.Name}, {"fields", formFields(t.Fields)}, {"customSettingsForm", nil}, {"dropDownValues", nil}})
	}
	return out, nil
}
