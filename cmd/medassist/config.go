package main

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"time"
)

// Config is what the demo runs with. Flags come before the environment, the
// environment before .env.
type Config struct {
	Addr       string `help:"Address of the page (127.0.0.1:5000, or the next free port)." env:"MEDASSIST_ADDR" placeholder:"HOST:PORT"`
	BrokerAddr string `help:"Address of the embedded broker (127.0.0.1:8080, or the next free port)." env:"MEDASSIST_BROKER_ADDR" placeholder:"HOST:PORT"`
	Data       string `help:"Folder for the databases." env:"MEDASSIST_DATA" default:"data" type:"path"`
	Ephemeral  bool   `help:"Keep everything in memory; nothing is left behind." env:"MEDASSIST_EPHEMERAL"`

	BrokerURL    string `help:"Use this broker instead of the embedded one." env:"AGENTWRIT_BROKER_URL" placeholder:"URL"`
	ClientID     string `help:"The app's client ID at that broker." env:"AGENTWRIT_CLIENT_ID" placeholder:"ID"`
	ClientSecret string `help:"The app's client secret; better set in the environment." env:"AGENTWRIT_CLIENT_SECRET" placeholder:"SECRET"`
	AdminSecret  string `help:"The broker's admin secret; better set in the environment." env:"AGENTWRIT_ADMIN_SECRET" placeholder:"SECRET"`

	LLMBaseURL string `help:"An OpenAI-compatible server." env:"LLM_BASE_URL" placeholder:"URL"`
	LLMAPIKey  string `help:"Its key; better set in the environment. A key alone means OpenAI." env:"LLM_API_KEY" placeholder:"KEY"`
	LLMModel   string `help:"The model's name." env:"LLM_MODEL" placeholder:"NAME"`

	LLMRecord         string  `help:"Record the model's exchanges to this file. It then holds what patients' records say." env:"LLM_RECORD" placeholder:"FILE" type:"path"`
	LLMRecording      string  `help:"Play a recording back instead of asking a model." env:"LLM_RECORDING" placeholder:"FILE" type:"path"`
	LLMRecordingSpeed float64 `help:"How fast it is played: 1 as recorded, 2 in half the time, 0 at once." env:"LLM_RECORDING_SPEED" default:"1"`

	PresenterKey string `help:"The key for pages that change anything, when listening beyond loopback; one is made if none is given." env:"MEDASSIST_PRESENTER_KEY" placeholder:"KEY"`
	LogLevel     string `help:"debug, info, warn or error." env:"MEDASSIST_LOG_LEVEL" default:"warn" enum:"debug,info,warn,error"`

	clock func() time.Time // nil means time.Now
	ready func(Addresses)  // called once everything answers; for tests
}

// Addresses are where a running demo answers.
type Addresses struct {
	Page   string // http://host:port
	Broker string
}

// Defaults of what may be left out.
const (
	defaultAddr       = "127.0.0.1:5000"
	defaultBrokerAddr = "127.0.0.1:8080"
	openAI            = "https://api.openai.com/v1"
	openAIModel       = "gpt-4o-mini"
)

func (c *Config) fill() error {
	if c.clock == nil {
		c.clock = time.Now
	}
	if c.LLMAPIKey != "" && c.LLMBaseURL == "" {
		c.LLMBaseURL = openAI
		if c.LLMModel == "" {
			c.LLMModel = openAIModel
		}
	}
	switch {
	case c.LLMRecord != "" && c.LLMRecording != "":
		return errors.New("LLM_RECORD records a model and LLM_RECORDING plays one back: set one of them")
	case c.LLMRecord != "" && c.LLMBaseURL == "":
		return errors.New("LLM_RECORD records a real model: name it with LLM_BASE_URL and LLM_MODEL, or with LLM_API_KEY")
	}
	if c.BrokerURL != "" && c.AdminSecret == "" && (c.ClientID == "" || c.ClientSecret == "") {
		return fmt.Errorf("a broker is named (%s) and nothing to log in with: set AGENTWRIT_CLIENT_ID and AGENTWRIT_CLIENT_SECRET, "+
			"or AGENTWRIT_ADMIN_SECRET to have the app registered; `medassist setup` does it once and prints both", c.BrokerURL)
	}
	if c.Ephemeral {
		c.Data = ""
		return nil
	}
	if err := os.MkdirAll(c.Data, 0o700); err != nil {
		return fmt.Errorf("the data folder can't be made: %w; name another with --data, or use --ephemeral", err)
	}
	return nil
}

// file is a path in the data folder, or "" when everything is in memory.
func (c *Config) file(name string) string {
	if c.Data == "" {
		return ""
	}
	return filepath.Join(c.Data, name)
}

func (c *Config) logger(w stdio) *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.LogLevel)); err != nil {
		level = slog.LevelWarn
	}
	return slog.New(slog.NewTextHandler(w.err, &slog.HandlerOptions{Level: level}))
}

// portsToTry is how many ports after a taken default one are tried.
const portsToTry = 20

// listen opens an address. One that was asked for must be free; the default
// gives way to the next free port, and the note says so.
func listen(asked, usual, flag string) (ln net.Listener, note string, err error) {
	if asked != "" {
		ln, err = net.Listen("tcp", asked)
		if err != nil {
			return nil, "", fmt.Errorf("can't listen on %s: %w; name another address with %s", asked, err, flag)
		}
		return ln, "", nil
	}
	host, port, err := net.SplitHostPort(usual)
	if err != nil {
		return nil, "", err
	}
	first, err := net.LookupPort("tcp", port)
	if err != nil {
		return nil, "", err
	}
	for p := first; p < first+portsToTry; p++ {
		ln, err = net.Listen("tcp", fmt.Sprintf("%s:%d", host, p))
		if err == nil {
			if p != first {
				note = fmt.Sprintf(" (port %d is taken)", first)
			}
			return ln, note, nil
		}
	}
	return nil, "", fmt.Errorf("no free port from %d to %d: %w; name an address with %s", first, first+portsToTry-1, err, flag)
}

// reachable is the URL at which this machine reaches a listener.
func reachable(addr net.Addr) string {
	host, port, err := net.SplitHostPort(addr.String())
	if err != nil {
		return "http://" + addr.String()
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, port)
}

// isLoopback reports whether only this machine can reach a listener.
func isLoopback(addr net.Addr) bool {
	tcp, ok := addr.(*net.TCPAddr)
	return ok && tcp.IP.IsLoopback()
}
