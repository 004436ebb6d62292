package setup

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
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
	return writePrivate(path, append(b, '\n'))
}

// WriteEnv sets variables in a .env file and keeps every other line. It appends
// those that the file lacks in the given order.
func WriteEnv(path string, set map[string]string, order []string) error {
	old, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	var lines []string
	if len(old) > 0 {
		lines = strings.Split(strings.TrimRight(string(old), "\n"), "\n")
	}
	written := map[string]bool{}
	for i, line := range lines {
		key, _, ok := strings.Cut(strings.TrimPrefix(strings.TrimSpace(line), "export "), "=")
		key = strings.TrimSpace(key)
		if value, ours := set[key]; ok && ours {
			lines[i] = key + "=" + value
			written[key] = true
		}
	}
	for _, key := range order {
		if !written[key] {
			lines = append(lines, key+"="+set[key])
		}
	}
	return writePrivate(path, []byte(strings.Join(lines, "\n")+"\n"))
}

// writePrivate replaces a file atomically: after a crash it holds either the old
// or the new content.
func writePrivate(path string, content []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".medassist-*") // mode 0600
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name()) // the first error counts
	}
	return err
}
