package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/devonartis/medassist-go/llm"
)

// newModel returns the model that the configuration names. A recording takes
// precedence over a server, so that it plays back with the settings that it was
// recorded with still in place.
func newModel(cfg Config, closing *closers) (llm.Model, error) {
	if cfg.LLMRecording != "" {
		return llm.OpenRecording(cfg.LLMRecording, cfg.LLMRecordingSpeed)
	}
	if cfg.LLMBaseURL == "" {
		return llm.NewPlanner(), nil
	}
	server, err := cfg.server()
	if err != nil {
		return nil, err
	}
	if cfg.LLMRecord == "" {
		return llm.NewOpenAI(server)
	}
	r, err := llm.NewRecorder(server, cfg.LLMRecord)
	if err != nil {
		return nil, err
	}
	closing.add(r.Close)
	return r, nil
}

// server returns the configuration of the model's server. An empty setting is
// one that is not set.
func (c *Config) server() (llm.Config, error) {
	out := llm.Config{BaseURL: c.LLMBaseURL, APIKey: c.LLMAPIKey, Model: c.LLMModel, API: llm.API(strings.ToLower(c.LLMAPI))}
	if c.LLMTimeout != "" {
		d, err := time.ParseDuration(c.LLMTimeout)
		if seconds, numErr := strconv.Atoi(c.LLMTimeout); numErr == nil {
			d, err = time.Duration(seconds)*time.Second, nil
		}
		if err != nil || d <= 0 {
			return out, fmt.Errorf("LLM_TIMEOUT is %q: write it like 90s or 2m", c.LLMTimeout)
		}
		out.FirstWordTimeout, out.IdleTimeout = d, d
	}
	if c.LLMMaxTokens != "" {
		n, err := strconv.Atoi(c.LLMMaxTokens)
		if err != nil || n <= 0 {
			return out, fmt.Errorf("LLM_MAX_TOKENS is %q and not a positive number", c.LLMMaxTokens)
		}
		out.MaxTokens = n
	}
	if c.LLMTemperature != "" {
		t, err := strconv.ParseFloat(c.LLMTemperature, 32)
		if err != nil {
			return out, fmt.Errorf("LLM_TEMPERATURE is %q and not a number", c.LLMTemperature)
		}
		out.Temperature = new(float32(t))
	}
	return out, nil
}
