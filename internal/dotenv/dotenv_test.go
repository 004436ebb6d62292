package dotenv

import (
	"errors"
	"maps"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	for name, tc := range map[string]struct {
		content string
		want    map[string]string
	}{
		"empty":                      {"", map[string]string{}},
		"comments and an export":     {"# c\n\nexport A=1 # d\nB = 2\nC: 3\n", map[string]string{"A": "1", "B": "2", "C": "3"}},
		"several lines":              {"A=\"x\nB=not this one\ny\"\nC=3", map[string]string{"A": "x\nB=not this one\ny", "C": "3"}},
		"an expansion":               {"A=1\nB=${A}$A", map[string]string{"A": "1", "B": "11"}},
		"a secret":                   {"S=pa$SWORD${A}", map[string]string{"S": "pa$SWORD${A}"}},
		"a secret in double quotes":  {`S="pa$SWORD"`, map[string]string{"S": "pa$SWORD"}},
		"an escaped dollar":          {`S=pa\$SWORD`, map[string]string{"S": "pa$SWORD"}},
		"an escaped, quoted dollar":  {`S="pa\$SWORD"`, map[string]string{"S": "pa$SWORD"}},
		"a secret in single quotes":  {`S='pa\$SWORD'`, map[string]string{"S": `pa\$SWORD`}},
		"a secret ending in dollars": {`S=pa$$`, map[string]string{"S": "pa$$"}},
		"CRLF":                       {"A=1\r\nB=2\r\n", map[string]string{"A": "1", "B": "2"}},
		"an empty value":             {"A=\nB=2", map[string]string{"A": "", "B": "2"}},
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := Parse(tc.content, "S"); err != nil || !maps.Equal(got, tc.want) {
				t.Errorf("%q, %v, want %q", got, err, tc.want)
			}
		})
	}
}

// An error names the line and quotes nothing.
func TestParseErrors(t *testing.T) {
	for name, tc := range map[string]struct {
		content string
		line    int
	}{
		"a name with a space":      {"A=1\nsome words\nS=hunter2", 2},
		"a name with a dash":       {"A-B=hunter2", 1},
		"a name alone":             {"A=1\nhunter2\n", 2},
		"a quote that stays open":  {"A=1\n\nS=\"hunter2\nB=2", 3},
		"text after the value":     {"A=\"x\" hunter2 !\nB=1", 1},
		"a shell command":          {"A=1\n[ -f x ] && hunter2", 2},
		"a quote open at the end":  {"A=1\nS='hunter2", 2},
		"a private key, unquoted":  {"A=1\nS=-----BEGIN KEY-----\nhunter2/+\n-----END KEY-----", 3},
		"an open quote, then more": {"S='hunter2\nB=\"x\"\n", 1},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Parse(tc.content)
			var syntax *SyntaxError
			if !errors.As(err, &syntax) || syntax.Line != tc.line || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("%v, want line %d", err, tc.line)
			}
		})
	}
	if _, err := Parse(strings.Repeat("#", MaxSize+1)); err == nil {
		t.Error("a file of any size is accepted")
	}
}

func TestSet(t *testing.T) {
	vars, order := map[string]string{"A": "1", "B": "${SECRET} #"}, []string{"A", "B"}
	for before, want := range map[string]string{
		"":                            "A=1\nB='${SECRET} #'\n",
		"# mine\nX=9\n\n#A=old\n":     "# mine\nX=9\n\n#A=old\nA=1\nB='${SECRET} #'\n",
		"B=old\nX=9\n\texport A=old":  "B='${SECRET} #'\nX=9\nexport A=1\n",
		"X='\nA=inside\n'\nB=old\n":   "X='\nA=inside\n'\nB='${SECRET} #'\nA=1\n",
		"A=\"two\nlines\"\nX=9\nB=2":  "A=1\nX=9\nB='${SECRET} #'\n",
		"A: old\nB=1":                 "A=1\nB='${SECRET} #'\n",
		"A=first\nA=last\nB=1\n":      "A=1\nA=1\nB='${SECRET} #'\n",
		"X=\"\nexport A=inside\"\nB=": "X=\"\nexport A=inside\"\nB='${SECRET} #'\nA=1\n",
	} {
		got, err := Set(before, vars, order)
		if err != nil || got != want {
			t.Errorf("%q became %q, %v, want %q", before, got, err, want)
		}
		if again, err := Set(got, vars, order); err != nil || again != got {
			t.Errorf("a second time %q became %q, %v", got, again, err)
		}
	}
}

// Nothing that a broker returns can add a line or be expanded.
func TestSetRefuses(t *testing.T) {
	for _, value := range []string{"x\nLLM_BASE_URL=http://evil.example", "x\r", "x'y", `x\`, "x\x1b[2J", "x\u2028y", "\x00"} {
		if got, err := Set("", map[string]string{"A": value}, []string{"A"}); err == nil {
			t.Errorf("%q was written as %q", value, got)
		} else if strings.ContainsAny(err.Error(), "\n\r\x1b\x00") {
			t.Errorf("%q stands raw in the error", value)
		}
	}
	if _, err := Set("A=1\nnot a variable\n", map[string]string{"A": "2"}, []string{"A"}); err == nil {
		t.Error("a file that can't be parsed is edited")
	}
}

// What Set writes, Parse reads, whatever else is in the file.
func FuzzSet(f *testing.F) {
	f.Add("A=1\nexport B='x\ny'\n", "secret")
	f.Add("X=\"\nA=2\"\n", "${X}$X#;")
	f.Fuzz(func(t *testing.T, before, value string) {
		after, err := Set(before, map[string]string{"A": value}, []string{"A"})
		if err != nil {
			return
		}
		was, err := Parse(before)
		if err != nil {
			t.Fatal("a file that can't be parsed was edited")
		}
		is, err := Parse(after)
		if err != nil || is["A"] != value {
			t.Errorf("%q became %q: A=%q, %v", before, after, is["A"], err)
		}
		delete(was, "A")
		delete(is, "A")
		for name := range was {
			if _, kept := is[name]; !kept {
				t.Errorf("%q became %q, without %s", before, after, name)
			}
		}
	})
}
