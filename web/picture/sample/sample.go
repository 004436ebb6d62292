// Package sample holds prepared run histories: the trace events of runs worth
// looking at, with a fixed clock. The gallery and the tests of the views draw
// them; nothing that serves a page reads them.
package sample

import (
	"time"

	"github.com/devonartis/medassist-go/patient"
	"github.com/devonartis/medassist-go/tools"
	"github.com/devonartis/medassist-go/trace"
)

// History is a prepared run.
type History struct {
	Name   string
	Events []trace.Event
}

// Histories are all prepared runs, from the empty one on.
func Histories() []History {
	return []History{
		{"empty", nil},
		{"spawning", spawning()},
		{"midway", midway()},
		{"full", full()},
		{"cross-patient", crossPatient()},
		{"over-reach", overReach()},
		{"kill-switch", killSwitch().events},
		{"killed", killed()},
		{"stopped", stopped()},
		{"unknown-patient", unknownPatient()},
		{"no-broker", noBroker()},
		{"not-issued", notIssued()},
		{"records-refuse", recordsRefuse()},
		{"short-life", shortLife()},
		{"hostile", hostile()},
		{"step-by-step", stepByStep()},
	}
}

const (
	clinical     = string(tools.Clinical)
	prescription = string(tools.Prescription)
	billing      = string(tools.Billing)
	maria        = "P-1042"
)

func scopes(category, id string) []string {
	return tools.AgentScopes(tools.Category(category), patient.MustParseID(id))
}

func spawning() []trace.Event {
	r := begin(maria)
	r.turn(410*time.Millisecond, 812, 24, "get_patient_records")
	r.spawn(clinical, "get_patient_records")
	return r.events
}

// encounter is the first part of a full run: all three agents at work.
func encounter() *run {
	r := begin(maria)
	r.turn(1280*time.Millisecond, 812, 62, "get_patient_records", "get_lab_results", "get_billing_history")
	r.spawn(clinical, "get_patient_records")
	r.allow(clinical, "get_patient_records", maria, "read:records:"+maria)
	r.allow(clinical, "get_lab_results", maria, "read:labs:"+maria)
	r.spawn(billing, "get_billing_history")
	r.allow(billing, "get_billing_history", maria, "read:billing:"+maria)
	r.turn(1730*time.Millisecond, 2240, 71, "check_drug_interactions", "write_prescription")
	r.spawn(prescription, "check_drug_interactions")
	r.allow(prescription, "check_drug_interactions", maria, "read:formulary:*", "read:prescriptions:"+maria)
	return r
}

func midway() []trace.Event {
	r := encounter()
	r.lend("write:prescriptions:" + maria)
	return r.events
}

func full() []trace.Event {
	r := encounter()
	r.lend("write:prescriptions:" + maria)
	r.allowLent("write_prescription", maria, "write:prescriptions:"+maria)
	r.turn(2100*time.Millisecond, 3105, 188, "generate_billing_codes", "file_insurance_claim")
	r.allow(billing, "generate_billing_codes", maria, "write:billing:"+maria)
	r.allow(billing, "file_insurance_claim", maria, "write:billing:"+maria)
	r.answer(2600*time.Millisecond, 3410, 240)
	r.end(true)
	return r.events
}

func crossPatient() []trace.Event {
	r := begin(maria)
	r.turn(900*time.Millisecond, 840, 48, "get_patient_records", "get_patient_records", "get_billing_history")
	r.spawn(clinical, "get_patient_records")
	r.allow(clinical, "get_patient_records", maria, "read:records:"+maria)
	r.deny(clinical, "get_patient_records", "P-2187", trace.RefusedByGate, "read:records:P-2187")
	r.spawn(billing, "get_billing_history")
	r.allow(billing, "get_billing_history", maria, "read:billing:"+maria)
	r.deny(billing, "file_insurance_claim", "P-2187", trace.RefusedByGate, "write:billing:P-2187")
	return r.events
}

func overReach() []trace.Event {
	r := begin(maria)
	r.turn(1100*time.Millisecond, 840, 48, "check_drug_interactions", "write_prescription")
	r.spawn(clinical, "write_prescription")
	r.spawn(prescription, "check_drug_interactions")
	r.allow(prescription, "check_drug_interactions", maria, "read:formulary:*", "read:prescriptions:"+maria)
	r.refuseLoan("write:billing:" + maria)
	return r.events
}

func killSwitch() *run {
	r := encounter()
	r.lend("write:prescriptions:" + maria)
	r.reject(clinical, false, "write_clinical_notes", trace.RefusedByGate, "write:records:"+maria)
	r.reject(prescription, true, "write_prescription", trace.RefusedByGate, "write:prescriptions:"+maria)
	return r
}

func killed() []trace.Event {
	r := killSwitch()
	r.answer(1100*time.Millisecond, 2980, 96)
	r.end(true)
	return r.events
}

func stopped() []trace.Event {
	r := begin(maria)
	r.turn(1400*time.Millisecond, 912, 62, "get_patient_records", "check_drug_interactions")
	r.spawn(clinical, "get_patient_records")
	r.allow(clinical, "get_patient_records", maria, "read:records:"+maria)
	r.spawn(prescription, "check_drug_interactions")
	r.allow(prescription, "check_drug_interactions", maria, "read:formulary:*", "read:prescriptions:"+maria)
	r.answer(3200*time.Millisecond, 2980, 164)
	r.end(true)
	return r.events
}

func unknownPatient() []trace.Event {
	r := begin("P-9999")
	r.events[1].Step = trace.PatientLookup{PatientID: "P-9999"}
	r.turn(700*time.Millisecond, 812, 24, "get_patient_records")
	r.spawn(clinical, "get_patient_records")
	r.allow(clinical, "get_patient_records", "P-9999", "read:records:P-9999")
	r.answer(800*time.Millisecond, 1010, 44)
	r.end(true)
	return r.events
}

func noBroker() []trace.Event {
	r := begin(maria)
	r.events = r.events[:2]
	r.add(trace.StatusError, trace.BrokerHealth{URL: "http://broker.example:8080", Error: "connection refused"})
	r.add(trace.StatusError, trace.RunError{Stage: "broker", Message: "The broker does not answer."})
	r.end(false)
	return r.events
}

func notIssued() []trace.Event {
	r := begin(maria)
	r.turn(900*time.Millisecond, 812, 24, "get_patient_records", "get_billing_history")
	r.spawn(clinical, "get_patient_records")
	r.allow(clinical, "get_patient_records", maria, "read:records:"+maria)
	r.span(trace.LaneBroker, 6*time.Millisecond, "register")
	r.add(trace.StatusDenied, trace.AgentError{Credential: trace.Credential{Category: billing},
		Scope: scopes(billing, maria), Trigger: "get_billing_history",
		Error: "scope exceeds the app's ceiling", ErrorCode: "scope_violation"})
	return r.events
}

func recordsRefuse() []trace.Event {
	r := begin(maria)
	r.turn(900*time.Millisecond, 812, 24, "get_patient_records", "get_lab_results")
	r.spawn(clinical, "get_patient_records")
	r.allow(clinical, "get_patient_records", maria, "read:records:"+maria)
	r.deny(clinical, "get_lab_results", maria, trace.RefusedByRecords, "read:labs:"+maria)
	return r.events
}

func shortLife() []trace.Event {
	r := begin(maria)
	r.ttl = 5
	r.turn(900*time.Millisecond, 812, 24, "get_patient_records", "get_lab_results")
	r.spawn(clinical, "get_patient_records")
	r.allow(clinical, "get_patient_records", maria, "read:records:"+maria)
	r.spawn(billing, "get_billing_history")
	r.wait(4985 * time.Millisecond)
	r.reject(clinical, false, "get_lab_results", trace.RefusedByGate, "read:labs:"+maria)
	return r.events
}

// hostile has markup and oversized text wherever a name comes from outside.
func hostile() []trace.Event {
	const evil = `"><script>alert(1)</script>&amp;<!--`
	r := begin("P-very-long-identifier-00000001")
	r.turn(time.Second, 812, 24, evil)
	r.spawn(clinical, evil)
	r.allow(clinical, evil, evil, "read:records:"+evil)
	r.deny(clinical, "get_patient_records", evil, trace.RefusedByGate, "read:labs:P-another-long-identifier-00002")
	r.deny(clinical, "get_patient_records", evil, trace.RefusedBy(evil), "read:labs:"+evil)
	r.refuseLoan(evil)
	r.refuseLoan()
	r.add(trace.StatusWarning, trace.Cancelled{By: evil})
	return r.events
}

// stepByStep waits minutes for a presenter between steps that take milliseconds.
func stepByStep() []trace.Event {
	r := begin(maria)
	r.turn(1500*time.Millisecond, 812, 62, "get_patient_records", "get_lab_results")
	r.wait(95 * time.Second)
	r.spawn(clinical, "get_patient_records")
	r.wait(41 * time.Second)
	r.allow(clinical, "get_patient_records", maria, "read:records:"+maria)
	r.wait(3 * time.Minute)
	r.deny(clinical, "get_patient_records", "P-2187", trace.RefusedByGate, "read:records:P-2187")
	r.wait(12 * time.Second)
	r.answer(2400*time.Millisecond, 2980, 164)
	r.wait(2 * time.Minute)
	r.end(true)
	return r.events
}
