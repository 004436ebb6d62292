package privatefile

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// A file that is bind-mounted, as into a container, can't be renamed over and is
// overwritten instead.
func TestWriteMountedFile(t *testing.T) {
	dir := t.TempDir()
	source, path := filepath.Join(dir, "source"), filepath.Join(dir, "mounted")
	for _, file := range []string{source, path} {
		if err := os.WriteFile(file, []byte("old and long"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Mount(source, path, "", syscall.MS_BIND, ""); err != nil {
		t.Skipf("can't mount here: %v", err)
	}
	defer syscall.Unmount(path, 0)
	if err := Write(path, []byte("new")); err != nil || read(t, source) != "new" {
		t.Errorf("%q, %v", read(t, source), err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 2 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
