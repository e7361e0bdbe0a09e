package release

import (
	"bytes"
	"fmt"
	"io"

	"aead.dev/minisign"

	"github.com/honeml/hone/sdk/fault"
)

// A Key is a public key of minisign, as its one line of base64; "" is none.
// https://jedisct1.github.io/minisign/ describes the formats.
type Key string

// ParseKey reads a public key: the line alone, or the file that minisign writes.
func ParseKey(text string) (Key, error) {
	var public minisign.PublicKey
	if err := public.UnmarshalText([]byte(text)); err != nil {
		return "", fault.New(fault.BadInput, "%.80q is no public key of minisign", text)
	}
	return Key(public.String()), nil
}

// ID is the short name under which minisign shows a key; "" for none.
func (k Key) ID() string {
	public, err := k.public()
	if err != nil {
		return ""
	}
	return keyID(public.ID())
}

func keyID(id uint64) string { return fmt.Sprintf("%016X", id) }

func (k Key) public() (public minisign.PublicKey, err error) {
	err = public.UnmarshalText([]byte(k))
	return public, err
}

// verify checks the signature of a manifest that names k as its key.
func (k Key) verify(manifest, signature []byte) error {
	public, err := k.public()
	if err != nil {
		return err
	}
	var s minisign.Signature
	if err := s.UnmarshalText(signature); err != nil {
		return fmt.Errorf("its signature is no signature of minisign")
	}
	if s.KeyID != public.ID() {
		return fmt.Errorf("it is signed by key %s, and names key %s as its own", keyID(s.KeyID), k.ID())
	}
	if !minisign.Verify(public, manifest, signature) {
		return fmt.Errorf("its signature by key %s does not verify: it was changed after it was signed", k.ID())
	}
	return nil
}

// A KeyError says that a release is not signed by the key that earlier ones were.
type KeyError struct {
	Release string
	Pinned  Key
	Found   Key // "": not signed
}

// Error says what is signed by whom.
func (e *KeyError) Error() string {
	if e.Found == "" {
		return fmt.Sprintf("%s is not signed; earlier it was signed by key %s", e.Release, e.Pinned.ID())
	}
	return fmt.Sprintf("%s is signed by key %s; earlier it was signed by key %s", e.Release, e.Found.ID(), e.Pinned.ID())
}

// CheckKey compares who signed r with the key that was pinned when the plugin was
// first installed; "" pins nothing. The error is a [*KeyError].
func CheckKey(r *Release, pinned Key) error {
	if pinned == "" || r.Key == pinned {
		return nil
	}
	err := &KeyError{Release: r.String(), Pinned: pinned, Found: r.Key}
	return fault.New(fault.BadInput, "%w", err).WithHint(
		"install it only if the plugin's author says that this is right; then remove the old key from the lock file")
}

// A SigningKey is a private key of minisign.
type SigningKey struct{ private minisign.PrivateKey }

// ReadSigningKey reads the file of a private key that minisign, or
// [GenerateKey], wrote. password is asked for where the key has one.
func ReadSigningKey(file []byte, password func() (string, error)) (*SigningKey, error) {
	k := new(SigningKey)
	if !minisign.IsEncrypted(file) {
		if err := k.private.UnmarshalText(file); err != nil {
			return nil, fault.New(fault.BadInput, "no private key of minisign: %w", err)
		}
		return k, nil
	}
	given, err := password()
	if err != nil {
		return nil, err
	}
	if k.private, err = minisign.DecryptKey(given, file); err != nil {
		return nil, fault.New(fault.BadInput, "the private key cannot be opened with this password")
	}
	return k, nil
}

// GenerateKey makes a key. file is what to keep: the private key, under password
// where that is not "".
func GenerateKey(password string) (public Key, file []byte, err error) {
	pub, private, err := minisign.GenerateKey(nil)
	if err != nil {
		return "", nil, err
	}
	if password == "" {
		file, err = private.MarshalText()
	} else {
		file, err = minisign.EncryptKey(password, private)
	}
	return Key(pub.String()), file, err
}

// Public is the key that verifies what k signs.
func (k *SigningKey) Public() Key {
	return Key(k.private.Public().(minisign.PublicKey).String())
}

// Sign is the signature of a manifest that [Release.Encode] wrote with k's public
// key in it. The same manifest gets the same bytes.
func (k *SigningKey) Sign(manifest []byte, r *Release) []byte {
	message := minisign.NewReader(bytes.NewReader(manifest))
	_, _ = io.Copy(io.Discard, message) // from memory: it cannot fail
	return message.SignWithComments(k.private, r.String(), "signature of "+ManifestName(r.Name, r.Version)+" by key "+k.Public().ID())
}
