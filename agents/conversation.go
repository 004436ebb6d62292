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
	for turn := range e.Limits.Turns {
		reply, err := e.ask(ctx, turn+1)
		if err != nil {
			return err
		}
		if len(reply.ToolCalls) == 0 {
			return nil
		}
		for _, call := range reply.ToolCalls {
			result, err := e.call(ctx, call)
			if err != nil {
				return err
			}
			e.messages = append(e.messages, llm.Message{Role: llm.RoleTool, ToolCallID: call.ID, Content: result})
		}
	}
	return &failure{stage: "limit", hint: "Try a narrower request.",
		message: fmt.Sprintf("The model still requested tools after %d turns.", e.Limits.Turns)}
}

func (e *encounter) lookUpPatient(ctx context.Context) error {
	e.pace.wait(ctx, "look up the patient", false)
	id := e.req.Patient.String()
	done := e.rec.span(trace.LaneRecords, "find patient")
	name, known, err := e.Directory(ctx, e.req.Patient)
	span := done()
	if err != nil {
		e.Logger.ErrorContext(ctx, "patient lookup", slog.String("run", e.id), slog.Any("error", err))
		return &failure{stage: "records", message: "The patient records can't be read.", hint: "Check the disk space and the database file."}
	}
	step := trace.PatientLookup{PatientID: id, Found: known, Name: name}
	if known {
		e.rec.add(ctx, trace.StatusSuccess, fmt.Sprintf("Patient %s: %s", id, name), step, span)
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
