package main

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/devonartis/medassist-go/agents"
	"github.com/devonartis/medassist-go/internal/boundedlog"
	"github.com/devonartis/medassist-go/preflight"
	"github.com/devonartis/medassist-go/setup"
)

// Config configures the demo. Flags take precedence over environment variables,
// and those over .env.
type Config struct {
	Addr       string `help:"Address of the web page (default 127.0.0.1:5000, or the next free port)." env:"MEDASSIST_ADDR" placeholder:"HOST:PORT"`
	BrokerAddr string `help:"Address of the embedded broker (default 127.0.0.1:8080, or the next free port)." env:"MEDASSIST_BROKER_ADDR" placeholder:"HOST:PORT"`
	Data       string `help:"Folder for the databases." env:"MEDASSIST_DATA" default:"data" type:"path"`
	Ephemeral  bool   `help:"Keep no data after the process ends." env:"MEDASSIST_EPHEMERAL"`

	Database       string `help:"PostgreSQL database that replicas share, instead of a data folder. Prefer the environment variable, since the URL can contain a password." env:"MEDASSIST_DATABASE_URL" placeholder:"URL"`
	DatabaseDirect string `help:"The same database without a pooler in between, if the URL leads to one in transaction mode." env:"MEDASSIST_DATABASE_DIRECT_URL" placeholder:"URL"`

	BrokerURL    string `help:"Use this broker instead of the embedded one." env:"AGENTWRIT_BROKER_URL" placeholder:"URL"`
	ClientID     string `help:"The app's client ID at that broker." env:"AGENTWRIT_CLIENT_ID" placeholder:"ID"`
	ClientSecret string `help:"The app's client secret. Prefer the environment variable." env:"AGENTWRIT_CLIENT_SECRET" placeholder:"SECRET"`
	AdminSecret  string `help:"The broker's admin secret. Prefer the environment variable." env:"AGENTWRIT_ADMIN_SECRET" placeholder:"SECRET"`
	brokerTLS    `embed:""`

	LLMBaseURL string `help:"Base URL of an OpenAI-compatible server." env:"LLM_BASE_URL" placeholder:"URL"`
	LLMAPIKey  string `name:"llm-api-key" help:"API key of that server; a key without a base URL means OpenAI. Prefer the environment variable." env:"LLM_API_KEY" placeholder:"KEY"`
	LLMModel   string `help:"Name of the model." env:"LLM_MODEL" placeholder:"NAME"`

	LLMAPI         string `name:"llm-api" help:"auto, chat (chat completions) or responses (the Responses API)." env:"LLM_API" placeholder:"API"`
	LLMTimeout     string `help:"Longest silence of the model, such as 90s (2m before its first word, 1m after it)." env:"LLM_TIMEOUT" placeholder:"DURATION"`
	LLMMaxTokens   string `help:"Most tokens of one reply; not sent unless set." env:"LLM_MAX_TOKENS" placeholder:"N"`
	LLMTemperature string `help:"Temperature, from 0 to 2; not sent unless set." env:"LLM_TEMPERATURE" placeholder:"T"`

	LLMRecord         string  `help:"Record the model's requests and responses, patient data included, in this file." env:"LLM_RECORD" placeholder:"FILE" type:"path"`
	LLMRecording      string  `help:"Play back a recording instead of calling a model." env:"LLM_RECORDING" placeholder:"FILE" type:"path"`
	LLMRecordingSpeed float64 `help:"Playback speed: 1 as recorded, 2 twice as fast, 0 without delays." env:"LLM_RECORDING_SPEED" default:"1"`

	PublicURL         string         `help:"URL at which viewers reach the page, for the link and QR code that phones use; a guess by default." env:"MEDASSIST_PUBLIC_URL" placeholder:"URL"`
	KeyMoment         time.Duration  `help:"How long a run that was started on a page pauses at each denial, delegation and revocation; 0 goes on at once." env:"MEDASSIST_KEY_MOMENT" default:"2s" placeholder:"DURATION"`
	PresenterKey      string         `help:"Key that the presenter needs to change anything. If it is empty, one is generated when the page listens beyond loopback." env:"MEDASSIST_PRESENTER_KEY" placeholder:"KEY"`
	TrustedProxy      []netip.Prefix `help:"Proxies whose X-Forwarded-For header names the client; none by default." env:"MEDASSIST_TRUSTED_PROXIES" placeholder:"CIDR"`
	Viewers           int            `help:"Streams that viewers may have open at once; a page has one or two." env:"MEDASSIST_VIEWERS" default:"2000" placeholder:"N"`
	ViewersPerAddress int            `help:"How many of them clients at one address may have open (default half of them)." env:"MEDASSIST_VIEWERS_PER_ADDRESS" placeholder:"N"`
	LogLevel          string         `help:"Log level: debug, info, warn or error." env:"MEDASSIST_LOG_LEVEL" default:"warn" enum:"debug,info,warn,error"`

	examined   *preflight.Database // what doctor checks; nil means the database that is used
	clock      func() time.Time    // nil means time.Now
	secretCost int                 // of the embedded broker; see broker.Config
	limits     agents.Limits       // zero fields have defaults
	stored     setup.Credentials   // of the app at the remote broker, for a demo in memory
	ready      func(Addresses)     // called when the demo accepts requests; for tests
}

// Addresses holds the URLs of a running demo.
type Addresses struct {
	Page   string // http://host:port
	Broker string
}

// Defaults.
const (
	defaultAddr       = "127.0.0.1:5000"
	defaultBrokerAddr = "127.0.0.1:8080"
	openAI            = "https://api.openai.com/v1"
	openAIModel       = "gpt-4o-mini"
	maxKeyMoment      = 30 * time.Second
)

// complete fills in defaults, rejects contradictory settings and creates the data
// folder.
func (c *Config) complete() error {
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
		return errors.New("LLM_RECORD records a model and LLM_RECORDING plays a recording back: set only one of them")
	case c.LLMRecord != "" && c.LLMBaseURL == "":
		return errors.New("LLM_RECORD needs a model to record: set LLM_BASE_URL and LLM_MODEL, or LLM_API_KEY")
	}
	if c.BrokerURL != "" && c.AdminSecret == "" && (c.ClientID == "" || c.ClientSecret == "") {
		return fmt.Errorf("no credentials for the broker at %s: set AGENTWRIT_CLIENT_ID and AGENTWRIT_CLIENT_SECRET, "+
			"or AGENTWRIT_ADMIN_SECRET to register the app at start; `medassist setup` registers it once and prints its credentials", c.BrokerURL)
	}
	if c.PublicURL != "" {
		u, err := url.Parse(c.PublicURL)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" {
			return errors.New("MEDASSIST_PUBLIC_URL must look like https://demo.example, without a path")
		}
		c.PublicURL = u.Scheme + "://" + u.Host
	}
	if c.KeyMoment < 0 || c.KeyMoment > maxKeyMoment {
		return fmt.Errorf("MEDASSIST_KEY_MOMENT must be 0 to %s", maxKeyMoment)
	}
	if c.Viewers < 0 || c.ViewersPerAddress < 0 {
		return errors.New("MEDASSIST_VIEWERS and MEDASSIST_VIEWERS_PER_ADDRESS must not be negative")
	}
	if c.Database == "" && c.DatabaseDirect != "" {
		return errors.New("MEDASSIST_DATABASE_DIRECT_URL goes with MEDASSIST_DATABASE_URL, which is not set")
	}
	if c.Database != "" {
		return c.completeReplica()
	}
	if c.Ephemeral {
		c.Data = ""
		return nil
	}
	if err := os.MkdirAll(c.Data, 0o700); err != nil {
		return fmt.Errorf("can't create the data folder: %w; choose another with --data, or use --ephemeral", err)
	}
	return nil
}

// completeReplica checks the settings of one of several replicas. It keeps nothing in
// a data folder.
func (c *Config) completeReplica() error {
	switch {
	case c.Ephemeral:
		return errors.New("MEDASSIST_EPHEMERAL keeps no data and MEDASSIST_DATABASE_URL keeps it in a database: set only one of them")
	case c.BrokerURL == "" && c.AdminSecret == "":
		return errors.New("replicas with an embedded broker need an admin secret in common: set AGENTWRIT_ADMIN_SECRET to the output of `openssl rand -hex 32`")
	}
	c.Data = ""
	return nil
}

// inMemory makes the demo keep no data after the process ends.
func (c *Config) inMemory() { c.Ephemeral, c.Database, c.DatabaseDirect = true, "", "" }

// database returns what the preflight checks of the database, nil if there is none.
func (c *Config) database() *preflight.Database {
	if c.examined != nil || c.Database == "" {
		return c.examined
	}
	return &preflight.Database{URL: c.Database, DirectURL: c.DatabaseDirect, Schemas: schemas()}
}

// file returns the path of a file in the data folder, or "" if all data is kept in
// memory.
func (c *Config) file(name string) string {
	if c.Data == "" {
		return ""
	}
	return filepath.Join(c.Data, name)
}

// logger returns a logger that writes to standard error.
func (c *Config) logger(std stdio) *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.LogLevel)); err != nil {
		level = slog.LevelWarn
	}
	return slog.New(boundedlog.New(slog.NewTextHandler(std.err, &slog.HandlerOptions{Level: level})))
}
