package main

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// startOnDisk starts the demo with broker, records and runs on disk.
func startOnDisk(b *testing.B) string {
	ready := make(chan Addresses, 1)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	cfg := Config{Addr: "127.0.0.1:0", BrokerAddr: "127.0.0.1:0", Data: b.TempDir(), LogLevel: "error", ready: func(a Addresses) { ready <- a }}
	go func() { ended <- Run(ctx, cfg, stdio{io.Discard, io.Discard}) }()
	b.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			b.Error(err)
		}
	})
	return (<-ready).Page
}

// BenchmarkFullEncounter measures the standard request over HTTP with the offline
// planner, the embedded broker and all data on disk.
func BenchmarkFullEncounter(b *testing.B) {
	page := startOnDisk(b)
	for b.Loop() {
		resp, err := http.Post(page+"/api/request", "application/json", strings.NewReader(`{"patient_id":"P-1042","request":"`+fullRequest+`"}`))
		if err != nil {
			b.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || !strings.Contains(string(body), `"all_tokens_dead":true`) {
			b.Fatalf("%v %.200s", err, body)
		}
	}
}

// BenchmarkFirstStep measures the time from a request to its first streamed step.
func BenchmarkFirstStep(b *testing.B) {
	page := startOnDisk(b)
	var first time.Duration
	for b.Loop() {
		began := time.Now()
		resp, err := http.Post(page+"/api/runs", "application/json", strings.NewReader(`{"patient_id":"P-1042","request":"Show labs"}`))
		if err != nil {
			b.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		_, rest, _ := strings.Cut(string(body), `"run_id":"`)
		id, _, _ := strings.Cut(rest, `"`)
		stream, err := http.Get(page + "/api/runs/" + id + "/events")
		if err != nil {
			b.Fatal(err)
		}
		lines := bufio.NewScanner(stream.Body)
		for lines.Scan() && !strings.HasPrefix(lines.Text(), "data: ") {
		}
		first += time.Since(began)
		io.Copy(io.Discard, stream.Body)
		stream.Body.Close()
	}
	b.ReportMetric(float64(first.Microseconds())/1000/float64(b.N), "ms/first-step")
}
