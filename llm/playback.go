package llm

import (
	"context"
	"errors"
	"strings"
	"time"
)

// notRecorded begins a reply, once in a conversation, that the offline planner
// gives because the recording has none.
const notRecorded = "**Not in the recording.** This request differs from what was recorded; the offline planner answers.\n\n"

// OpenRecording returns a Model that plays a file that a [Recorder] wrote. A
// request that was recorded (see fingerprint) gets the recorded reply or error,
// piece by piece: at speed 1 with its own timing, at 2 in half the time, at 0
// at once. Any other request goes to the offline planner, whose reply is marked as such
// and names it in [Reply.StandIn]. OpenRecording fails on a file that can't be
// read, is empty or holds anything but complete exchanges.
func OpenRecording(path string, speed float64) (Model, error) {
	if speed < 0 {
		return nil, errors.New("the speed of a recording can't be negative")
	}
	exchanges, model, err := readRecording(path)
	if err != nil {
		return nil, err
	}
	return &player{exchanges: exchanges, speed: speed, name: "RECORDED " + model, fallback: NewPlanner()}, nil
}

// player is a Model that plays a recording.
type player struct {
	exchanges map[string]exchange
	speed     float64
	name      string
	fallback  Model
}

var _ Model = (*player)(nil)

// Name implements [Model].
func (p *player) Name() string { return p.name }

// Mode implements [Model].
func (p *player) Mode() Mode { return ModeRecorded }

// Complete implements [Model].
func (p *player) Complete(ctx context.Context, req Request, onText func(string)) (Reply, error) {
	x, ok := p.exchanges[fingerprint(req)]
	if !ok {
		return p.standIn(ctx, req, onText)
	}
	start := time.Now()
	until := func(at int64) error {
		if p.speed <= 0 {
			return ctx.Err()
		}
		due := time.Duration(float64(at) / p.speed * float64(time.Millisecond))
		return sleep(ctx, due-time.Since(start))
	}
	for _, piece := range x.Pieces {
		if until(piece.At) != nil {
			return Reply{}, explainEnd(ctx, "the recorded model")
		}
		onText(piece.Text)
	}
	if until(x.Took) != nil {
		return Reply{}, explainEnd(ctx, "the recorded model")
	}
	if e := x.Error; e != nil {
		return Reply{}, &Error{Kind: e.Kind, Status: e.Status, Message: e.Message, Hint: e.Hint}
	}
	return *x.Reply, nil
}

// standIn has the offline planner reply.
func (p *player) standIn(ctx context.Context, req Request, onText func(string)) (Reply, error) {
	notice := notRecorded
	for _, m := range req.Messages {
		if m.Role == RoleAssistant && strings.HasPrefix(m.Content, notRecorded) {
			notice = ""
		}
	}
	if notice != "" {
		onText(notice)
	}
	reply, err := p.fallback.Complete(ctx, req, onText)
	reply.Content, reply.StandIn = notice+reply.Content, PlannerName
	return reply, err
}
