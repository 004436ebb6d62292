package main

import (
	"context"
	"database/sql"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/devonartis/medassist-go/internal/privatefile"
)

// backupCmd copies the data folder.
type backupCmd struct {
	To      string `arg:"" help:"Folder for the copies. It must not exist." type:"path"`
	Data    string `help:"Folder of the databases." env:"MEDASSIST_DATA" default:"data" type:"path"`
	Secrets bool   `help:"Also copy the files with secrets: signing key, admin secret, app credentials."`
}

// Run copies each database in one read transaction, so that the copy is
// consistent even while MedAssist writes to it.
func (c *backupCmd) Run(ctx context.Context, std stdio) error {
	if _, err := os.Lstat(c.To); err == nil {
		return fmt.Errorf("%s exists; choose a new folder", c.To)
	}
	copied, skipped := 0, 0
	err := filepath.WalkDir(c.Data, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		name, err := filepath.Rel(c.Data, path)
		if err != nil {
			return err
		}
		to := filepath.Join(c.To, name)
		switch {
		case strings.HasSuffix(name, ".db"):
			err = copyDatabase(ctx, path, to)
		case transient(entry.Name()):
			return nil
		case !c.Secrets:
			skipped++
			return nil
		default:
			err = copyFile(path, to)
		}
		if err != nil {
			return fmt.Errorf("copy %s: %w", name, err)
		}
		copied++
		printf(std.out, "copied   %s\n", to)
		return nil
	})
	switch {
	case err != nil:
		return err
	case copied == 0:
		return fmt.Errorf("no database in %s; name the data folder with --data or MEDASSIST_DATA", c.Data)
	case skipped > 0:
		printf(std.out, "skipped  the files with secrets; --secrets copies them as well\n")
	}
	return nil
}

// transient reports whether a file has no meaning without the running process.
func transient(name string) bool {
	for _, suffix := range []string{"-wal", "-shm", "-journal", "lock"} {
		if strings.HasSuffix(name, suffix) {
			return true
		}
	}
	return strings.HasPrefix(name, ".")
}

// copyDatabase copies a SQLite database that may be in use.
func copyDatabase(ctx context.Context, from, to string) error {
	if err := privatefile.Create(to); err != nil { // VACUUM INTO accepts an empty file
		return err
	}
	dsn := url.URL{Scheme: "file", Opaque: (&url.URL{Path: filepath.ToSlash(from)}).EscapedPath(), RawQuery: "_pragma=busy_timeout(5000)"}
	db, err := sql.Open("sqlite", dsn.String())
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }() // read only
	_, err = db.ExecContext(ctx, "VACUUM INTO ?", to)
	return err
}

// copyFile copies a small file.
func copyFile(from, to string) error {
	content, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return privatefile.Write(to, content)
}
