package token

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"

	"github.com/devonartis/medassist-go/agentwrit/wire"
)

func signer(seed byte) *Signer {
	return NewSigner(ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize)))
}

func someClaims() *wire.Claims {
	return &wire.Claims{
		Issuer: "https://broker.example", Subject: "spiffe://agentwrit.local/agent/o/t/0123456789abcdef",
		IssuedAt: 1000, NotBefore: 1000, ExpiresAt: 1300, ID: strings.Repeat("ab", 16),
		Scope: []string{"read:records:p1"}, TaskID: "t", OrchID: "o",
	}
}

func TestRoundTrip(t *testing.T) {
	s := signer(1)
	raw, err := s.Sign(someClaims())
	if err != nil {
		t.Fatal(err)
	}
	for _, source := range []string{"read", "cached"} {
		got, err := s.Verify(raw)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(someClaims(), got); diff != "" {
			t.Errorf("%s claims (-want +got):\n%s", source, diff)
		}
	}
}

// Another implementation must be able to read what we write.
func TestAJWTLibraryReadsOurTokens(t *testing.T) {
	s := signer(1)
	raw, err := s.Sign(someClaims())
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := jwt.NewParser(jwt.WithValidMethods([]string{"EdDSA"}), jwt.WithStrictDecoding(), jwt.WithoutClaimsValidation()).
		Parse(raw, func(tok *jwt.Token) (any, error) {
			if tok.Header["kid"] != wire.Thumbprint(s.PublicKey()) || tok.Header["typ"] != "JWT" {
				return nil, fmt.Errorf("header %v", tok.Header)
			}
			return s.PublicKey(), nil
		})
	if err != nil || !parsed.Valid {
		t.Errorf("golang-jwt: %v", err)
	}
}

// Each token has one spelling, one algorithm and one key.
func TestOtherSpellingsAreRefused(t *testing.T) {
	s := signer(1)
	raw, err := s.Sign(someClaims())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Verify(raw); err != nil { // so that the cache has it
		t.Fatal(err)
	}
	header, payload, signature := split(t, raw)
	enc := base64.RawURLEncoding.EncodeToString
	resign := func(header string) string {
		signed := enc([]byte(header)) + "." + payload
		return signed + "." + enc(s.SignBytes([]byte(signed)))
	}
	otherKey, err := signer(2).Sign(someClaims())
	if err != nil {
		t.Fatal(err)
	}
	bits := "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	last := signature[len(signature)-1]
	// 86 characters carry 516 bits for 512: the last one's low four are unused.
	sibling := signature[:len(signature)-1] + string(bits[strings.IndexByte(bits, last)|1])
	kid := `"kid":"` + s.KeyID() + `"`

	refused := map[string]string{
		"empty":                       "",
		"no signature":                header + "." + payload + ".",
		"two parts":                   header + "." + payload,
		"four parts":                  raw + ".x",
		"a line break at the end":     raw + "\n",
		"a line break in the payload": header + "." + payload[:10] + "\n" + payload[10:] + "." + signature,
		"a line break in the header":  header[:10] + "\r\n" + header[10:] + "." + payload + "." + signature,
		"a line break in the signature": header + "." + payload + "." + signature[:10] + "\n" +
			signature[10:],
		"padding":                     raw + "==",
		"unused bits set":             header + "." + payload + "." + sibling,
		"standard alphabet":           strings.NewReplacer("-", "+", "_", "/").Replace(raw) + "=",
		"a space before":              " " + raw,
		"alg none":                    resign(`{"alg":"none","typ":"JWT",` + kid + `}`),
		"alg HS256":                   resign(`{"alg":"HS256","typ":"JWT",` + kid + `}`),
		"no kid":                      resign(`{"alg":"EdDSA","typ":"JWT"}`),
		"another kid":                 resign(`{"alg":"EdDSA","typ":"JWT","kid":"x"}`),
		"our header in another order": resign(`{"typ":"JWT","alg":"EdDSA",` + kid + `}`),
		"another broker's key":        otherKey,
		"a payload that is not JSON":  sealed(s, []byte("nope")),
		"a payload of another type":   sealed(s, []byte(`{"exp":"soon"}`)),
	}
	for name, token := range refused {
		if c, err := s.Verify(token); err == nil {
			t.Errorf("%s: accepted as %+v", name, c)
		}
	}
	for i := range raw { // any one character
		changed := raw[:i] + string(bits[(strings.IndexByte(bits, raw[i])+1)%64]) + raw[i+1:]
		if _, err := s.Verify(changed); err == nil {
			t.Fatalf("accepted with character %d changed", i)
		}
	}
}

func split(t *testing.T, raw string) (header, payload, signature string) {
	t.Helper()
	parts := strings.Split(raw, ".")
	if len(parts) != 3 {
		t.Fatalf("token %q", raw)
	}
	return parts[0], parts[1], parts[2]
}

func sealed(s *Signer, payload []byte) string {
	signed := s.prefix + encode(payload)
	return signed + "." + encode(s.SignBytes([]byte(signed)))
}

func TestTheCacheIsBounded(t *testing.T) {
	var c cache
	for i := range 3 * cacheTokens {
		c.put(fmt.Sprint(i), new(wire.Claims))
	}
	if n := len(c.young) + len(c.old); n > 2*cacheTokens {
		t.Errorf("%d tokens are held, at most %d may be", n, 2*cacheTokens)
	}
	c.put(strings.Repeat("x", cacheTokenBytes+1), new(wire.Claims))
	if c.get(strings.Repeat("x", cacheTokenBytes+1)) != nil {
		t.Error("an oversized token is held")
	}
	if c.get(fmt.Sprint(3*cacheTokens-1)) == nil || c.get("0") != nil {
		t.Error("the newest is dropped, or the oldest held")
	}
}

// Whatever is accepted says, spelt by us, the same again.
func FuzzVerify(f *testing.F) {
	s := signer(1)
	raw, err := s.Sign(someClaims())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Add(raw + "\n")
	f.Add(strings.Replace(raw, ".", "..", 1))
	f.Add("eyJhbGciOiJub25lIn0.e30.")
	f.Add("..")
	f.Fuzz(func(t *testing.T, token string) {
		c, err := s.Verify(token)
		if err != nil {
			return
		}
		if token != raw {
			t.Errorf("%q was never signed, and is accepted", token)
		}
		if again, _ := json.Marshal(c); len(again) == 0 {
			t.Error("accepted claims can't be written")
		}
	})
}
