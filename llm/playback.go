package llm

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/sashabaranov/go-openai"
)

// notRecorded is what a reply begins with, once in a conversation, when the
// offline planner stands in for a recording that has no answer.
const notRecorded = "**Not in the recording.** This request differs from what was recorded; the offline planner answers.\n\n"

// standInHeader tells [client], in a response of [player], that the planner
// answers and not the recording.
const standInHeader = "Medassist-Stand-In"

// OpenRecording makes a Model of a file that a [Recorder] wrote. A request that
// was recorded (see fingerprint) gets the recorded reply, piece by piece: at
// speed 1 in its own time, at 2 in half of it, at 0 at once. Any other gets the
// offline planner's, which says so first, and whose [Reply] names it. It fails on a file that can't be
// read, is empty or holds anything but whole replies.
func OpenRecording(path string, speed float64) (Model, error) {
	if speed < 0 {
		return nil, errors.New("the speed of a recording can't be negative")
	}
	exchanges, model, err := readRecording(path)
	if err != nil {
		return nil, err
	}
	rt := &player{exchanges: exchanges, speed: speed, fallback: inProcess{PlannerHandler()}}
	return newClient(offline, rt, "RECORDED "+model, ModeRecorded, "the recorded model"), nil
}

// player is a transport that answers from a recording.
type player struct {
	exchanges map[string]exchange
	speed     float64
	fallback  http.RoundTripper
}

// RoundTrip implements [http.RoundTripper].
func (p *player) RoundTrip(req *http.Request) (*http.Response, error) {
	asked, err := readRequest(req)
	if err != nil {
		return nil, err
	}
	if x, ok := p.exchanges[fingerprint(asked)]; ok {
		req.Body.Close()
		return &http.Response{StatusCode: http.StatusOK, Status: "200 OK", Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
			Header: http.Header{"Content-Type": {"text/event-stream"}}, ContentLength: -1, Request: req,
			Body: newPlayback(req.Context(), x.Chunks, p.speed)}, nil
	}
	resp, err := p.fallback.RoundTrip(req)
	if err != nil || resp.StatusCode != http.StatusOK {
		return resp, err
	}
	resp.Header.Set(standInHeader, PlannerName)
	if wasSaid(asked, notRecorded) {
		return resp, nil
	}
	notice, err := json.Marshal(map[string]any{"choices": []any{map[string]any{"index": 0, "delta": map[string]string{"content": notRecorded}}}})
	if err != nil {
		return nil, fmt.Errorf("write the notice: %w", err)
	}
	resp.Body = readCloser{io.MultiReader(strings.NewReader("data: "+string(notice)+"\n\n"), resp.Body), resp.Body}
	return resp, nil
}

// wasSaid reports whether the model has begun a message like this before.
func wasSaid(req openai.ChatCompletionRequest, text string) bool {
	for _, m := range req.Messages {
		if m.Role == openai.ChatMessageRoleAssistant && strings.HasPrefix(m.Content, text) {
			return true
		}
	}
	return false
}

// playback is the body of a recorded stream. A read waits for the time of the
// next event.
type playback struct {
	ctx    context.Context
	cancel context.CancelFunc
	start  time.Time
	chunks []chunk
	speed  float64
	out    bytes.Buffer
	done   bool
}

func newPlayback(ctx context.Context, chunks []chunk, speed float64) *playback {
	ctx, cancel := context.WithCancel(ctx)
	return &playback{ctx: ctx, cancel: cancel, start: time.Now(), chunks: chunks, speed: speed}
}

// Read implements [io.Reader].
func (p *playback) Read(b []byte) (int, error) {
	if p.out.Len() == 0 {
		if p.done {
			return 0, io.EOF
		}
		if err := p.next(); err != nil {
			return 0, err
		}
	}
	return p.out.Read(b)
}

func (p *playback) next() error {
	if len(p.chunks) == 0 {
		p.done = true
		p.out.WriteString("data: [DONE]\n\n")
		return nil
	}
	c := p.chunks[0]
	p.chunks = p.chunks[1:]
	if p.speed > 0 {
		due := time.Duration(float64(c.At) / p.speed * float64(time.Millisecond))
		timer := time.NewTimer(due - time.Since(p.start))
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-p.ctx.Done():
			return p.ctx.Err()
		}
	}
	fmt.Fprintf(&p.out, "data: %s\n\n", c.Data)
	return nil
}

// Close implements [io.Closer]; a read that waits ends.
func (p *playback) Close() error {
	p.cancel()
	return nil
}
