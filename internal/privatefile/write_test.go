package privatefile

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestWrite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a", "file")
	for _, content := range []string{"first", "second, which is longer", "3"} {
		if err := Write(path, []byte(content)); err != nil || read(t, path) != content {
			t.Errorf("%q, %v, want %q", read(t, path), err, content)
		}
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 && runtime.GOOS != "windows" {
		t.Errorf("mode %v, %v, want 0600", info.Mode(), err)
	}
	if left, err := os.ReadDir(filepath.Dir(path)); err != nil || len(left) != 1 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	if err := Write(filepath.Dir(path), nil); err == nil {
		t.Error("a folder was replaced")
	}
}

func TestWriteKeepsModeAndLink(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no modes, and links need a privilege")
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "config", "file")
	if err := os.Mkdir(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	link, dangling := filepath.Join(dir, "link"), filepath.Join(dir, "dangling")
	if err := os.Symlink(filepath.Join("config", "file"), link); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("link", dangling); err != nil { // a link to a link to nothing yet
		t.Fatal(err)
	}
	if err := Write(dangling, []byte("new")); err != nil || read(t, file) != "new" {
		t.Errorf("through a dangling link: %v", err)
	}
	if err := os.Chmod(file, 0o640); err != nil {
		t.Fatal(err)
	}
	if err := Write(link, []byte("newer")); err != nil || read(t, file) != "newer" {
		t.Errorf("through a link: %v", err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("mode %v, %v, want 0640", info.Mode(), err)
	}
	for _, l := range []string{link, dangling} {
		if info, err := os.Lstat(l); err != nil || info.Mode()&os.ModeSymlink == 0 {
			t.Errorf("%s is no longer a link: %v, %v", l, info.Mode(), err)
		}
	}
	loop := filepath.Join(dir, "loop")
	if err := os.Symlink(loop, loop); err != nil {
		t.Fatal(err)
	}
	if err := Write(loop, nil); err == nil {
		t.Error("a loop of links was written to")
	}
}
