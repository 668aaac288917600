package secrets

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"entrepot/migrate/properties"
)

// What a Nexus uses unless its operator set something else.
const (
	defaultPassword = "changeme"
	defaultSalt     = "changeme"
	defaultIV       = "0123456789ABCDEF"
)

// maxKeyFile is the longest file of keys or phrases that is read, in bytes.
const maxKeyFile = 1 << 20

// Keys are what secrets can be opened with. ReadKeys collects them; a caller may also fill them in by hand.
type Keys struct {
	// Phrase opens "{…}" strings; empty means DefaultPhrase. OwnPhrase, if set, is the operator's and opens "~{…}~" strings.
	Phrase, OwnPhrase Plain
	// Fixed are the fixed ciphers to try, the most likely first. The password of the first is also the default key of the table of
	// secrets.
	Fixed []FixedParameters
	// Named are the keys of the secrets file by their id.
	Named map[string]Plain
	// Missing says why the files with keys could not be read, if one was named: "" when there is nothing to say.
	Missing string
}

// Options of ReadKeys.
type Options struct {
	// Properties are set over those of etc/nexus.properties: what the operator gave to Java with -D, or in the environment.
	Properties map[string]string
	// SecretsFile and PhraseFile stand for the files that nexus.secrets.file and nexus.security.masterPhraseFile name, for when
	// they lie elsewhere than on the old server.
	SecretsFile, PhraseFile string
}

// Names of the properties that say how to open secrets.
const (
	propertyPassword    = "nexus.mybatis.cipher.password"
	propertySalt        = "nexus.mybatis.cipher.salt"
	propertyIV          = "nexus.mybatis.cipher.iv"
	propertySecretsFile = "nexus.secrets.file"
	propertyPhraseFile  = "nexus.security.masterPhraseFile"
)

// ReadKeys reads etc/nexus.properties of a data directory and the files it names. That such a file is missing is no error yet,
// because perhaps nothing needs it: Keys.Missing says so, and the secrets that do need it are named by Survey.
func ReadKeys(dataDir string, opts *Options) (*Keys, error) {
	if opts == nil {
		opts = &Options{}
	}
	props, err := readProperties(filepath.Join(dataDir, "etc", "nexus.properties"))
	if err != nil {
		return nil, err
	}
	for key, value := range opts.Properties {
		props[key] = value
	}
	keys := &Keys{Fixed: []FixedParameters{{Password: NewPlain(props[propertyPassword]), Salt: props[propertySalt], IV: props[propertyIV]}}}
	r := keyReader{dataDir: dataDir, keys: keys}
	if err := r.phrase(opts.PhraseFile, props[propertyPhraseFile]); err != nil {
		return nil, err
	}
	return keys, r.named(opts.SecretsFile, props[propertySecretsFile])
}

func readProperties(name string) (map[string]string, error) {
	f, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return map[string]string{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("secrets: %w", err)
	}
	defer f.Close()
	props, err := properties.Read(f)
	if err != nil {
		return nil, fmt.Errorf("secrets: %s: %w", name, err)
	}
	return props, nil
}

// keyReader reads the files that properties name.
type keyReader struct {
	dataDir string
	keys    *Keys
}

// read gives the content of the file that was given, or else of the one that the property names; nil when there is none of either,
// or when the one of the property is not there.
func (r *keyReader) read(given, property, what string) ([]byte, error) {
	name := given
	if name == "" {
		if property == "" {
			return nil, nil
		}
		name = strings.ReplaceAll(property, "${karaf.data}", r.dataDir)
		if !filepath.IsAbs(name) {
			name = filepath.Join(r.dataDir, name)
		}
	}
	f, err := os.Open(name)
	if given == "" && errors.Is(err, fs.ErrNotExist) {
		r.keys.Missing = strings.TrimPrefix(fmt.Sprintf("%s; the %s %s is not there", r.keys.Missing, what, name), "; ")
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("secrets: %s: %w", what, err)
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, maxKeyFile+1))
	if err == nil && len(content) > maxKeyFile {
		err = fmt.Errorf("%w: more than %d bytes", ErrForm, maxKeyFile)
	}
	if err != nil {
		return nil, fmt.Errorf("secrets: %s %s: %w", what, name, err)
	}
	return content, nil
}

func (r *keyReader) phrase(given, property string) error {
	content, err := r.read(given, property, "master phrase file")
	if err != nil || content == nil {
		return err
	}
	r.keys.OwnPhrase = NewPlain(strings.TrimSpace(string(content)))
	return nil
}

// fixedEncryption is how the newest releases name the fixed cipher in the secrets file.
type fixedEncryption struct {
	KeyID         string `json:"keyId"`
	Salt          string `json:"salt"`
	IV            string `json:"iv"`
	KeyIterations int    `json:"keyIterations"`
}

func (r *keyReader) named(given, property string) error {
	content, err := r.read(given, property, "secrets file")
	if err != nil || content == nil {
		return err
	}
	var file struct {
		Keys []struct {
			ID  string `json:"id"`
			Key string `json:"key"`
		} `json:"keys"`
		Fixed    *fixedEncryption `json:"fixedEncryption"`
		Previous *fixedEncryption `json:"previousFixedEncryption"`
	}
	if json.Unmarshal(content, &file) != nil { // the error could quote a key
		return fmt.Errorf("secrets: secrets file: %w: not JSON with a list of keys", ErrForm)
	}
	r.keys.Named = map[string]Plain{}
	for _, k := range file.Keys {
		r.keys.Named[k.ID] = NewPlain(k.Key)
	}
	for _, f := range []*fixedEncryption{file.Fixed, file.Previous} {
		if f == nil {
			continue
		}
		key, ok := r.keys.Named[f.KeyID]
		if !ok {
			return fmt.Errorf("secrets: secrets file: the fixed encryption names the key %q, which is not in it", f.KeyID)
		}
		p := FixedParameters{Password: key, Salt: f.Salt, IV: f.IV, Iterations: f.KeyIterations}
		strong := p
		strong.SHA256 = true
		r.keys.Fixed = append(r.keys.Fixed, p, strong)
	}
	return nil
}

// named gives the key with an id; the empty id means the default key.
func (k *Keys) named(id string) (Plain, error) {
	if id == "" {
		if len(k.Fixed) == 0 || k.Fixed[0].Password.Reveal() == "" {
			return NewPlain(defaultPassword), nil
		}
		return k.Fixed[0].Password, nil
	}
	key, ok := k.Named[id]
	if !ok {
		return Plain{}, fmt.Errorf("%w: it needs the key %q of the secrets file%s", ErrKey, id, k.because())
	}
	return key, nil
}

func (k *Keys) because() string {
	if k.Missing == "" {
		return ""
	}
	return " (" + k.Missing + ")"
}
