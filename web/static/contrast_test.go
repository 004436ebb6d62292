package static

import (
	"math"
	"os"
	"regexp"
	"strconv"
	"testing"
)

var (
	block = regexp.MustCompile(`(:root\S*) \{([^{}]*)\}`)
	token = regexp.MustCompile(`--([\w-]+): light-dark\(#([0-9a-f]{6}), #([0-9a-f]{6})\);`)
)

// palettes reads the colours of tokens.css: by ground, by name.
func palettes(t *testing.T) map[string]map[string]string {
	t.Helper()
	css, err := os.ReadFile("tokens.css")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]map[string]string{}
	for _, b := range block.FindAllStringSubmatch(string(css), -1) {
		mode := ""
		switch b[1] {
		case ":root":
		case ":root[data-projector]":
			mode = " in projector mode"
		default:
			continue
		}
		for i, ground := range []string{"light", "dark"} {
			p := map[string]string{}
			for name, colour := range all[ground] {
				p[name] = colour
			}
			for _, c := range token.FindAllStringSubmatch(b[2], -1) {
				p[c[1]] = c[2+i]
			}
			all[ground+mode] = p
		}
	}
	return all
}

// luminance is relative luminance (WCAG 2.2).
func luminance(t *testing.T, hex string) float64 {
	t.Helper()
	n, err := strconv.ParseUint(hex, 16, 32)
	if err != nil {
		t.Fatalf("colour %q: %v", hex, err)
	}
	linear := func(c uint64) float64 {
		v := float64(c&0xff) / 255
		if v <= 0.04045 {
			return v / 12.92
		}
		return math.Pow((v+0.055)/1.055, 2.4)
	}
	return 0.2126*linear(n>>16) + 0.7152*linear(n>>8) + 0.0722*linear(n)
}

func contrast(t *testing.T, a, b string) float64 {
	t.Helper()
	x, y := luminance(t, a), luminance(t, b)
	return (math.Max(x, y) + 0.05) / (math.Min(x, y) + 0.05)
}

// Words can be read on every ground, in both modes, and so can what stands on
// a meaning's own colour.
func TestContrast(t *testing.T) {
	all := palettes(t)
	if len(all) != 4 {
		t.Fatalf("%d palettes", len(all))
	}
	for mode, p := range all {
		check := func(word, ground string, least float64) {
			if got := contrast(t, p[word], p[ground]); got < least {
				t.Errorf("%s: --%s on --%s has %.2f, needs %.1f", mode, word, ground, got, least)
			}
		}
		for _, ground := range []string{"ground", "panel", "raised"} {
			for _, word := range []string{"text", "muted", "accent", "allowed", "denied", "delegated", "alive", "ended"} {
				check(word, ground, 4.5)
			}
			for _, hue := range []string{"clinical", "prescription", "billing"} {
				check(hue, ground, 3) // of lines and marks, never of words
			}
		}
		for _, meaning := range []string{"allowed", "denied", "delegated", "accent"} {
			check("on-"+meaning, meaning, 4.5)
		}
		for _, meaning := range []string{"allowed", "denied", "delegated", "alive", "ended"} {
			check(meaning, meaning+"-tint", 4.5)
			check("text", meaning+"-tint", 7)
		}
		check("edge", "panel", 3)
	}
}
