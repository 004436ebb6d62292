package hostname

import "testing"

func TestIsLocal(t *testing.T) {
	for header, want := range map[string]bool{
		"localhost": true, "localhost:5000": true, "LOCALHOST:5000": true, "LocalHost": true,
		"127.0.0.1": true, "127.0.0.1:5000": true, "127.8.8.8:80": true,
		"[::1]": true, "[::1]:5000": true, "[0:0:0:0:0:0:0:1]": true, "[::ffff:127.0.0.1]:5000": true,

		"": false, ":5000": false, "[]": false, "[]:5000": false, " localhost": false,
		"[localhost]": false, "[localhost]:5000": false, "localhost]": false, "[localhost": false, "localhost]:5000": false,
		"[127.0.0.1]": false, "[127.0.0.1]:5000": false, "[::1": false, "::1]": false, "::1": false, "::1:5000": false, "[[::1]]": false,
		"[::1]5000": false, "[::1]x:5000": false, "[::1]:": false, "[::1%lo]": false, "[::1%25lo]:5000": false, "[::1%lo]:5000": false,
		"localhost.": false, "localhost.:5000": false, "localhost..": false, "localhost:": false, "localhost:x": false,
		"localhost:5000:5000": false, "localhost:+80": false, "localhost:-1": false, "localhost:65536": false, "localhost:65535": true,
		"user@localhost": false, "user:secret@localhost": false, "localhost@evil.example": false, "evil.example@localhost:5000": false,
		"127.0.0.1@evil.example": false, "localhost/": false, "localhost\\": false, "localhost%00": false, "localhost,evil.example": false,
		"evil.example": false, "evil.example:5000": false, "localhost.evil.example": false, "127.0.0.1.evil.example": false, "xlocalhost": false,
		"127.1": false, "2130706433": false, "0x7f.0.0.1": false, "127.0.0.01": false, "0.0.0.0": false, "[::]": false, "192.168.1.7:5000": false,
		"ſocalhost": false, "ℓocalhost": false,
	} {
		if got := IsLocal(header); got != want {
			t.Errorf("%q: %v, want %v", header, got, want)
		}
	}
}

func TestParse(t *testing.T) {
	for header, want := range map[string]string{
		"Demo.Example:443": "demo.example", "demo.example": "demo.example", "[2001:DB8::1]:80": "2001:db8::1", "192.0.2.1": "192.0.2.1",
		"demo.example:http": "", "[demo.example]": "", "": "",
	} {
		if got, ok := Parse(header); got != want || ok != (want != "") {
			t.Errorf("%q: %q, %v", header, got, ok)
		}
	}
}
