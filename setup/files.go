package setup

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/devonartis/medassist-go/internal/dotenv"
	"github.com/devonartis/medassist-go/internal/privatefile"
)

// ReadFile reads credentials from a JSON file. For a missing file it returns
// none.
func ReadFile(path string) (Credentials, error) {
	var c Credentials
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return c, nil
	}
	if err != nil {
		return c, err
	}
	if err := json.Unmarshal(b, &c); err != nil {
		return c, fmt.Errorf("%s is damaged; delete it to register the app again: %w", path, err)
	}
	return c, nil
}

// WriteFile writes credentials to a JSON file that only its owner can read.
func WriteFile(path string, c Credentials) error {
	b, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return err
	}
	return privatefile.Write(path, append(b, '\n'))
}

// CheckEnv reports whether WriteEnv could change a .env file, before there is
// anything to write that must not be lost.
func CheckEnv(path string) error {
	content, err := readEnv(path)
	if err != nil {
		return err
	}
	_, err = dotenv.Set(content, nil, nil)
	if err != nil || content == "" {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	return f.Close()
}

// WriteEnv sets variables in a .env file and keeps every other line. It appends
// those that the file lacks in the given order. It refuses values that would mean
// something else in the file.
func WriteEnv(path string, set map[string]string, order []string) error {
	content, err := readEnv(path)
	if err != nil {
		return err
	}
	if content, err = dotenv.Set(content, set, order); err != nil {
		return err
	}
	return privatefile.Write(path, []byte(content))
}

// readEnv returns the content of a file, or "" if there is none.
func readEnv(path string) (string, error) {
	content, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return string(content), err
}
