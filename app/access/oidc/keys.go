package oidc

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"slices"
)

const (
	maxKeySet  = 256 << 10 // bytes
	maxKeys    = 100       // of one set that are looked at
	minRSABits = 2048
	maxRSABits = 8192
)

// kinds are the algorithms that are believed, with the kind of key they need: the name of a curve, or RSA.
func kinds() map[string]string {
	return map[string]string{
		"RS256": "RSA", "RS384": "RSA", "RS512": "RSA", "PS256": "RSA", "PS384": "RSA", "PS512": "RSA",
		"ES256": "P-256", "ES384": "P-384", "ES512": "P-521", "EdDSA": "Ed25519",
	}
}

// algorithms gives the algorithms that are believed, in order.
func algorithms() []string { return slices.Sorted(maps.Keys(kinds())) }

func known(algorithm string) bool { return kinds()[algorithm] != "" }

// publicKey is a key that signatures of one algorithm are checked with.
type publicKey struct {
	id  string // "" when it has none
	key crypto.PublicKey
}

// keySet are the keys of a set that can be used.
type keySet struct {
	keys    []publicKey
	private bool // the set had members of private or shared keys
}

// jwk is a key of RFC 7517.
type jwk struct {
	Type       string          `json:"kty"`
	Use        string          `json:"use"`
	Operations []string        `json:"key_ops"`
	Algorithm  string          `json:"alg"`
	ID         string          `json:"kid"`
	Curve      string          `json:"crv"`
	N          string          `json:"n"`
	E          string          `json:"e"`
	X          string          `json:"x"`
	Y          string          `json:"y"`
	D          json.RawMessage `json:"d"`
	K          json.RawMessage `json:"k"`
}

// parseKeys reads a key set and keeps what can be used for an algorithm. Keys of other kinds and uses are passed over, as RFC 7517 says.
func parseKeys(data []byte, algorithm string) (keySet, error) {
	var document struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(data, &document); err != nil {
		return keySet{}, fmt.Errorf("oidc: key set: %w", err)
	}
	if document.Keys == nil {
		return keySet{}, errors.New("oidc: key set: it has no member keys")
	}
	var set keySet
	for _, text := range document.Keys[:min(len(document.Keys), maxKeys)] {
		var k jwk
		if err := json.Unmarshal(text, &k); err != nil {
			continue
		}
		set.private = set.private || k.D != nil || k.K != nil
		if key := k.public(algorithm); key != nil {
			set.keys = append(set.keys, publicKey{id: k.ID, key: key})
		}
	}
	return set, nil
}

// public gives the key if it can be used for signatures of an algorithm, else nil.
func (k *jwk) public(algorithm string) crypto.PublicKey {
	if k.Use != "" && k.Use != "sig" || k.Algorithm != "" && k.Algorithm != algorithm || k.Operations != nil && !slices.Contains(k.Operations, "verify") {
		return nil
	}
	switch kind := kinds()[algorithm]; {
	case kind == "RSA" && k.Type == "RSA":
		return k.rsa()
	case kind == "Ed25519" && k.Type == "OKP" && k.Curve == kind:
		if x := bytesOf(k.X); len(x) == ed25519.PublicKeySize {
			return ed25519.PublicKey(x)
		}
	case kind != "" && k.Type == "EC" && k.Curve == kind:
		return k.ec()
	}
	return nil
}

func bytesOf(text string) []byte {
	data, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return nil
	}
	return data
}

func (k *jwk) rsa() crypto.PublicKey {
	n, e := new(big.Int).SetBytes(bytesOf(k.N)), new(big.Int).SetBytes(bytesOf(k.E))
	if n.BitLen() < minRSABits || n.BitLen() > maxRSABits || e.BitLen() < 2 || e.BitLen() > 31 || e.Bit(0) == 0 {
		return nil
	}
	return &rsa.PublicKey{N: n, E: int(e.Int64())}
}

func (k *jwk) ec() crypto.PublicKey {
	curve := map[string]elliptic.Curve{"P-256": elliptic.P256(), "P-384": elliptic.P384(), "P-521": elliptic.P521()}[k.Curve]
	size := (curve.Params().BitSize + 7) / 8
	x, y := bytesOf(k.X), bytesOf(k.Y)
	if len(x) != size || len(y) != size {
		return nil
	}
	key, err := ecdsa.ParseUncompressedPublicKey(curve, slices.Concat([]byte{4}, x, y)) // which is on the curve
	if err != nil {
		return nil
	}
	return key
}

// find gives the key of an id. Without an id there must be but one key.
func (s *keySet) find(id string) (crypto.PublicKey, bool) {
	if id == "" {
		if len(s.keys) == 1 {
			return s.keys[0].key, true
		}
		return nil, false
	}
	for _, k := range s.keys {
		if k.id == id {
			return k.key, true
		}
	}
	return nil, false
}
