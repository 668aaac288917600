package configuration

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"go.yaml.in/yaml/v3"

	"entrepot/app/resource"
)

// version is the version of the file that this program reads and writes.
const version = 1

// File is a configuration as an administrator wrote it: its sections by name.
type File map[string]json.RawMessage

// Parse reads a file in YAML or JSON, which is YAML too.
func Parse(data []byte) (File, error) {
	var document any
	if err := yaml.Unmarshal(data, &document); err != nil {
		return nil, &resource.SyntaxError{Message: "not YAML: " + err.Error()}
	}
	if document == nil {
		return File{}, nil
	}
	text, err := json.Marshal(document)
	if err != nil {
		return nil, &resource.SyntaxError{Message: "not what JSON can say: " + err.Error()}
	}
	var f File
	if err := json.Unmarshal(text, &f); err != nil {
		return nil, &resource.SyntaxError{Message: "the file must be an object of sections"}
	}
	if given, ok := f["version"]; ok && string(given) != fmt.Sprint(version) {
		return nil, &resource.SyntaxError{Field: "version", Message: fmt.Sprintf("must be %d", version)}
	}
	delete(f, "version")
	return f, nil
}

// Export is a whole configuration, its sections in the order in which they are applied.
type Export struct {
	Revision string // names this state of the server, secrets included, without telling anything about them

	names  []string
	values map[string]any
}

// MarshalJSON writes the sections in their order.
func (e *Export) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	fmt.Fprintf(&b, `{"version":%d`, version)
	for _, name := range e.names {
		data, err := resource.Encode(e.values[name])
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&b, `,%q:%s`, name, data)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// YAML writes the configuration with its members in their order.
func (e *Export) YAML() ([]byte, error) {
	data, err := e.MarshalJSON()
	if err != nil {
		return nil, err
	}
	var node yaml.Node
	if err := yaml.Unmarshal(data, &node); err != nil {
		return nil, fmt.Errorf("configuration: export: %w", err)
	}
	plain(&node)
	var b bytes.Buffer
	w := yaml.NewEncoder(&b)
	w.SetIndent(2)
	err = errors.Join(w.Encode(&node), w.Close())
	if err != nil {
		return nil, fmt.Errorf("configuration: export: %w", err)
	}
	return b.Bytes(), nil
}

// plain takes the look of JSON away.
func plain(n *yaml.Node) {
	if n.Kind != yaml.ScalarNode || n.Tag == "!!str" {
		n.Style = 0
	}
	if (n.Kind == yaml.SequenceNode || n.Kind == yaml.MappingNode) && len(n.Content) == 0 {
		n.Style = yaml.FlowStyle
	}
	for _, below := range n.Content {
		plain(below)
	}
}
