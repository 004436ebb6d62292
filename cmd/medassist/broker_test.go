package main

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/devonartis/medassist-go/agentwrit"
)

const testSecret = "the admin secret of a test broker"

// runBroker runs `medassist broker` on a free port until the test ends, and
// returns its URL and its output.
func runBroker(t *testing.T, c brokerCmd) (url string, output *strings.Builder) {
	t.Helper()
	c.Addr, c.TrustDomain, c.LogLevel = "127.0.0.1:0", "agentwrit.local", "error"
	ctx, stop := context.WithCancel(t.Context())
	ready, ended := make(chan string, 1), make(chan error, 1)
	c.ready = func(url string) { ready <- url }
	output = new(strings.Builder)
	go func() { ended <- c.Run(ctx, stdio{output, io.Discard}) }()
	select {
	case url = <-ready:
	case err := <-ended:
		t.Fatalf("broker: %v", err)
	}
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("broker: %v", err)
		}
	})
	return url, output
}

func TestBrokerUsesTheDemosDataFolder(t *testing.T) {
	dir := t.TempDir()
	_, output := runBroker(t, brokerCmd{Data: dir})
	text, err := os.ReadFile(filepath.Join(dir, "broker", "admin-secret"))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(output.String(), strings.TrimSpace(string(text))) {
		t.Error("a stored secret is printed")
	}
	if !strings.Contains(output.String(), filepath.Join(dir, "broker", "admin-secret")) {
		t.Errorf("the output does not name the secret's file:\n%s", output)
	}
}

func TestEphemeralBroker(t *testing.T) {
	t.Chdir(t.TempDir())
	url, output := runBroker(t, brokerCmd{Data: "data", Ephemeral: true})
	_, secret, found := strings.Cut(strings.TrimSpace(output.String()), "secret ")
	if !found {
		t.Fatalf("no secret in:\n%s", output)
	}
	admin, err := agentwrit.NewAdmin(url, secret, agentwrit.WithTimeout(10*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	if err := admin.Login(t.Context()); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir("."); err != nil || len(left) != 0 {
		t.Errorf("files left behind: %v, %v", left, err)
	}
}

func TestBrokerRefusesToStart(t *testing.T) {
	dir := t.TempDir()
	runBroker(t, brokerCmd{Data: dir, AdminSecret: testSecret})
	for name, tt := range map[string]struct {
		cmd  brokerCmd
		want string
	}{
		"folder in use":         {brokerCmd{Data: dir}, "another broker is running"},
		"weak secret":           {brokerCmd{Ephemeral: true, AdminSecret: "hunter2"}, "weak admin secret"},
		"missing certificate":   {brokerCmd{Ephemeral: true, TLSCert: "no.pem", TLSKey: "no.pem"}, "TLS certificate"},
		"foreign address":       {brokerCmd{Ephemeral: true, Addr: "192.0.2.1:1"}, "192.0.2.1:1"},
		"client CA without TLS": {brokerCmd{Ephemeral: true, TLSClientCA: "no.pem"}, "need TLS"},
		"lifetime over one day": {brokerCmd{Ephemeral: true, AgentTTL: 48 * time.Hour}, "agent TTL"},
	} {
		tt.cmd.LogLevel = "error"
		if tt.cmd.Addr == "" {
			tt.cmd.Addr = "127.0.0.1:0"
		}
		err := tt.cmd.Run(t.Context(), stdio{io.Discard, io.Discard})
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
}

// With a client CA, the broker answers only clients that present a certificate
// signed by it.
func TestBrokerRequiresClientCertificates(t *testing.T) {
	dir := t.TempDir()
	server, ours, others := newCA(t), newCA(t), newCA(t)
	file := func(name string, pem []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, pem, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	cert, key := server.issue(t)
	url, _ := runBroker(t, brokerCmd{Ephemeral: true, AdminSecret: testSecret,
		TLSCert: file("cert.pem", cert), TLSKey: file("key.pem", key), TLSClientCA: file("ca.pem", ours.pem)})
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(server.pem)
	for name, tc := range map[string]struct {
		ca *testCA
		ok bool
	}{"none": {nil, false}, "of another CA": {others, false}, "of the CA": {ours, true}} {
		cfg := &tls.Config{RootCAs: roots}
		if tc.ca != nil {
			pair, err := tls.X509KeyPair(tc.ca.issue(t))
			if err != nil {
				t.Fatal(err)
			}
			cfg.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }
		}
		transport := &http.Transport{TLSClientConfig: cfg}
		resp, err := (&http.Client{Transport: transport}).Get(url + "/v1/health")
		if err == nil {
			resp.Body.Close()
		}
		transport.CloseIdleConnections()
		if (err == nil) != tc.ok {
			t.Errorf("certificate %s: %v", name, err)
		}
	}

	// The health check at the same address.
	clientCert, clientKey := ours.issue(t)
	client := [2]string{file("client.pem", clientCert), file("client-key.pem", clientKey)}
	for name, tc := range map[string]struct {
		cmd  healthcheckCmd
		want string // in the error
	}{
		"with a certificate":            {healthcheckCmd{brokerTLS: brokerTLS{ClientCert: client[0], ClientKey: client[1]}}, ""},
		"with the broker's own":         {healthcheckCmd{}, "certificate"}, // another CA signed it
		"of a URL, whose CA is unknown": {healthcheckCmd{URL: url, brokerTLS: brokerTLS{ClientCert: client[0], ClientKey: client[1]}}, "unknown authority"},
		"of a URL, with its CA":         {healthcheckCmd{URL: url, brokerTLS: brokerTLS{BrokerCA: file("server-ca.pem", server.pem), ClientCert: client[0], ClientKey: client[1]}}, ""},
		"with a missing certificate":    {healthcheckCmd{brokerTLS: brokerTLS{ClientCert: "no.pem", ClientKey: "no.pem"}}, "no.pem"},
	} {
		tc.cmd.Broker, tc.cmd.BrokerAddr = true, strings.TrimPrefix(url, "https://")
		tc.cmd.TLSCert, tc.cmd.TLSKey = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
		err := tc.cmd.Run(t.Context())
		if (err == nil) != (tc.want == "") || err != nil && !strings.Contains(err.Error(), tc.want) {
			t.Errorf("health check %s: %v, want %q", name, err, tc.want)
		}
	}
	plain, _ := runBroker(t, brokerCmd{Ephemeral: true, AdminSecret: testSecret, TLSCert: filepath.Join(dir, "cert.pem"), TLSKey: filepath.Join(dir, "key.pem")})
	c := healthcheckCmd{Broker: true, BrokerAddr: strings.TrimPrefix(plain, "https://"), TLSCert: filepath.Join(dir, "cert.pem"), TLSKey: filepath.Join(dir, "key.pem")}
	if err := c.Run(t.Context()); err != nil {
		t.Errorf("health check of a broker with TLS: %v", err)
	}
}

// A testCA signs certificates for 127.0.0.1.
type testCA struct {
	cert *x509.Certificate
	key  ed25519.PrivateKey
	pem  []byte
}

func newCA(t *testing.T) *testCA {
	t.Helper()
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	ca := &testCA{key: key}
	ca.cert = &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: rand.Text()},
		NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(nil, ca.cert, ca.cert, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	ca.pem = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	return ca
}

// issue returns a certificate that the CA signed, and its key.
func (ca *testCA) issue(t *testing.T) (certPEM, keyPEM []byte) {
	t.Helper()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	leaf := &x509.Certificate{SerialNumber: big.NewInt(2), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}
	der, err := x509.CreateCertificate(nil, leaf, ca.cert, public, ca.key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})
}
