package tasks

import (
	"fmt"
	netmail "net/mail"
	"slices"
	"strconv"
	"strings"

	"entrepot/formats"
)

// Limits of a definition.
const (
	maxName       = 255
	maxProperties = 100
	maxProperty   = 100 << 10 // bytes of one value
)

// check applies all rules to a definition that is to take the place of before, nil when it is new, and fills in defaults. s.mu is held.
func (s *Service) check(d *Definition, before *task) formats.FieldErrors {
	var wrong formats.FieldErrors
	add := func(field, message string) { wrong = append(wrong, formats.FieldError{Field: field, Message: message}) }
	typ := s.types[d.Type]
	switch {
	case before != nil && before.def.Type != d.Type:
		add("type", "The type of a task cannot be changed")
	case d.Type == "":
		add("type", "must not be empty")
	case typ == nil && before == nil:
		add("type", fmt.Sprintf("This server does not have tasks of type '%s'", d.Type))
	case typ != nil && typ.Single && before == nil:
		add("type", fmt.Sprintf("There is always one task of type '%s', which belongs to the server", d.Type))
	case typ == nil && before != nil && d.Enabled && !before.def.Enabled:
		add("enabled", fmt.Sprintf("This server does not have tasks of type '%s', so it cannot be enabled", d.Type))
	}
	if name := strings.TrimSpace(d.Name); name == "" {
		add("name", "must not be empty")
	} else if len(name) > maxName {
		add("name", fmt.Sprintf("must not be longer than %d bytes", maxName))
	}
	if d.Alert.On == "" {
		d.Alert.On = OnFailure
	}
	if d.Alert.On != OnFailure && d.Alert.On != OnEnd {
		add("alert.on", "must be one of failure, end")
	}
	if a, err := netmail.ParseAddress(d.Alert.Email); d.Alert.Email != "" && (err != nil || a.Address != d.Alert.Email) {
		add("alert.email", "must be a well-formed email address")
	}
	wrong = append(wrong, s.checkSchedule(d)...)
	if typ != nil && len(wrong) == 0 {
		wrong = append(wrong, typ.check(d)...)
	}
	return wrong
}

// checkSchedule lets what repeats begin now unless it says when.
func (s *Service) checkSchedule(d *Definition) formats.FieldErrors {
	switch d.Schedule.Frequency {
	case Hourly, Daily, Weekly, Monthly:
		if d.Schedule.Start.IsZero() {
			d.Schedule.Start = s.opts.Now().Truncate(1e9)
		}
	}
	return d.Schedule.Validate()
}

func (t *Type) check(d *Definition) formats.FieldErrors {
	var wrong formats.FieldErrors
	add := func(field, message string) {
		wrong = append(wrong, formats.FieldError{Field: "properties." + field, Message: message})
	}
	if len(d.Properties) > maxProperties {
		add("", fmt.Sprintf("are more than %d", maxProperties))
	}
	for id, value := range d.Properties {
		if len(value) > maxProperty {
			add(id, fmt.Sprintf("must not be longer than %d bytes", maxProperty))
		}
	}
	for _, f := range t.Fields {
		value, given := d.Properties[f.ID]
		if !given && f.Default != "" {
			if d.Properties == nil {
				d.Properties = make(map[string]string)
			}
			d.Properties[f.ID], value = f.Default, f.Default
		}
		if message := f.check(value); message != "" {
			add(f.ID, message)
		}
	}
	if len(wrong) == 0 && t.Check != nil {
		for _, e := range t.Check(d.Properties) {
			add(e.Field, e.Message)
		}
	}
	return wrong
}

// check tells what is wrong with a value; "" when nothing is.
func (f *Field) check(value string) string {
	if strings.TrimSpace(value) == "" {
		if f.Required {
			return "must not be empty"
		}
		return ""
	}
	switch f.Kind {
	case Number:
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil {
			return "must be a number"
		}
		if f.Min != nil && n < *f.Min {
			return fmt.Sprintf("must be at least %d", *f.Min)
		}
	case Boolean:
		if value != "true" && value != "false" {
			return "must be true or false"
		}
	case Choice:
		if !slices.Contains(f.Options, value) {
			return "must be one of " + strings.Join(f.Options, ", ")
		}
	}
	return ""
}
