// Package privatefile creates files and folders that only their owner can read.
package privatefile

import (
	"fmt"
	"os"
	"path/filepath"
)

// Create creates the file at path, readable and writable by its owner alone, and
// the folders that lead to it. A file that exists is left as it is. SQLite gives
// its journal and WAL files the mode of the database, so creating the database
// file first keeps them private too.
func Create(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("create the folder of %s: %w", path, err)
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("create a private file: %w", err)
	}
	return f.Close()
}
