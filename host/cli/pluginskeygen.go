package cli

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/honeml/hone/host/distribution/release"
)

// passwordEnv holds the password of a private key.
const passwordEnv = "HONE_SIGNING_PASSWORD"

func (a *app) pluginsKeygenCommand() *cobra.Command {
	var plain bool
	cmd := &cobra.Command{
		Use:   "keygen FILE",
		Short: "Make a key to sign releases of plugins with",
		Long: "Make a key of minisign: the private one in FILE, to be kept, the public one in FILE.pub, to be shown.\n\n" +
			"The private key is under a password, from the terminal or " + passwordEnv + ".",
		Args: exactly(1, "the file that gets the private key"),
		RunE: func(_ *cobra.Command, args []string) error {
			password := ""
			if !plain {
				var err error
				if password, err = a.newPassword(); err != nil {
					return err
				}
			}
			key, file, err := release.GenerateKey(password)
			if err != nil {
				return err
			}
			public := fmt.Sprintf("untrusted comment: minisign public key %s\n%s\n", key.ID(), key)
			if err := writeNew(args[0], file, 0o600); err != nil {
				return err
			}
			if err := writeNew(args[0]+".pub", []byte(public), 0o644); err != nil {
				return errors.Join(err, os.Remove(args[0]))
			}
			fmt.Fprintf(a.Out, "key %s: private in %s, public in %s.pub\n", key.ID(), args[0], args[0])
			return nil
		},
	}
	cmd.Flags().BoolVar(&plain, "no-password", false, "leave the private key readable for whoever has the file")
	return cmd
}

// writeNew writes a file that must not be there: a key that is overwritten is lost.
func writeNew(path string, data []byte, mode os.FileMode) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Close())
}

// signingKey reads a private key, and asks for its password.
func (a *app) signingKey(path string) (*release.SigningKey, error) {
	file, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	key, err := release.ReadSigningKey(file, func() (string, error) { return a.password("Password of " + path + ": ") })
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return key, nil
}

// newPassword asks twice.
func (a *app) newPassword() (string, error) {
	first, err := a.password("Password of the new key: ")
	if err != nil || os.Getenv(passwordEnv) != "" {
		return first, err
	}
	second, err := a.password("Once more: ")
	switch {
	case err != nil:
		return "", err
	case first != second:
		return "", errors.New("the two passwords are not the same")
	case first == "":
		return "", usageError{errors.New("an empty password protects nothing; -no-password makes a key without one")}
	}
	return first, nil
}

// password is the password of a private key, from the environment or the terminal.
func (a *app) password(prompt string) (string, error) {
	if p := os.Getenv(passwordEnv); p != "" {
		return p, nil
	}
	in, ok := a.In.(*os.File)
	if !ok || !term.IsTerminal(int(in.Fd())) {
		return "", fmt.Errorf("a password is needed, and this is no terminal: set %s", passwordEnv)
	}
	fmt.Fprint(a.Err, prompt)
	p, err := term.ReadPassword(int(in.Fd()))
	fmt.Fprintln(a.Err)
	return string(p), err
}
