package agents

import (
	"context"
	"fmt"
	"log/slog"
	"strings"

	"github.com/devonartis/medassist-go/llm"
	"github.com/devonartis/medassist-go/trace"
)

// converse runs the encounter up to the model's answer: it looks up the patient,
// checks the broker's health, and lets the model call tools until it answers.
func (e *encounter) converse(ctx context.Context) error {
	if err := e.lookUpPatient(ctx); err != nil {
		return err
	}
	if err := e.checkHealth(ctx); err != nil {
		return err
	}
	e.messages = []llm.Message{
		{Role: llm.RoleSystem, Content: prompt(e.req.Patient)},
		{Role: llm.RoleUser, Content: e.req.Text},
	}
	for turn := 1; ; turn++ { // the last turn answers or fails
		next := len(e.messages)
		reply, again, err := e.ask(ctx, turn)
		switch {
		case e.asksAgain(ctx, turn, err):
			continue
		case err != nil:
			return modelFailure(err)
		case again:
			continue
		case len(reply.ToolCalls) == 0:
			return nil
		}
		for i, call := range reply.ToolCalls {
			result, err := e.call(ctx, call)
			if err != nil {
				return err
			}
			id := e.messages[next].ToolCalls[i].ID // the model's own
			e.messages = append(e.messages, llm.Message{Role: llm.RoleTool, ToolCallID: id, Content: result})
		}
	}
}

func (e *encounter) lookUpPatient(ctx context.Context) error {
	e.pace.wait(ctx, "look up the patient", false)
	id := e.req.Patient.String()
	done := e.rec.span(trace.LaneRecords, "find patient")
	entry, err := e.Directory(ctx, e.req.Patient)
	span := done()
	if err != nil {
		e.Logger.ErrorContext(ctx, "patient lookup", slog.String("run", e.id), slog.Any("error", err))
		return &failure{stage: "records", message: "The patient records can't be read.", hint: "Check the disk space and the database file."}
	}
	step := trace.PatientLookup{PatientID: id, Found: entry.Found, Name: entry.Name, DateOfBirth: entry.DateOfBirth, KnownPatients: entry.Others}
	if entry.Found {
		e.rec.add(ctx, trace.StatusSuccess, fmt.Sprintf("Patient %s: %s", id, entry.Name), step, span)
	} else {
		e.rec.add(ctx, trace.StatusWarning, fmt.Sprintf("Patient %s not found", id), step, span)
	}
	return nil
}

func (e *encounter) checkHealth(ctx context.Context) error {
	e.pace.wait(ctx, "check the broker's health", false)
	step := trace.BrokerHealth{URL: e.BrokerURL, Embedded: e.BrokerEmbedded}
	limited, cancel := context.WithTimeout(ctx, e.Limits.BrokerCall)
	defer cancel()
	done := e.rec.span(trace.LaneBroker, "health")
	health, err := e.Broker.Health(limited)
	span := done()
	if err != nil {
		step.Error = describeBrokerError(err).reason
		e.rec.add(ctx, trace.StatusError, "Broker not reachable", step, span)
		return e.brokerFailure(err)
	}
	step.Status, step.Version, step.Uptime = health.Status, health.Version, health.Uptime
	step.DBConnected, step.AuditEventsCount = health.DBConnected, health.AuditEventsCount
	step.Error = strings.Join(health.Problems, "; ")
	if health.Status != "ok" {
		e.rec.add(ctx, trace.StatusWarning, "Broker reports "+health.Status, step, span)
	} else {
		e.rec.add(ctx, trace.StatusSuccess, "Broker healthy", step, span)
	}
	return nil
}
