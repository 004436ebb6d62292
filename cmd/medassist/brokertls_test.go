package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// With a broker that requires client certificates and whose own CA is private, the
// demo runs and every command that calls the broker works. Without the certificate
// or the CA each fails and reports why.
func TestBrokerWithMutualTLS(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := func(name string, pem []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, pem, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	server, clients := newCA(t), newCA(t)
	cert, key := server.issue(t)
	url, _ := runBroker(t, brokerCmd{Ephemeral: true, AdminSecret: testSecret,
		TLSCert: file("cert.pem", cert), TLSKey: file("key.pem", key), TLSClientCA: file("ca.pem", clients.pem)})
	cert, key = clients.issue(t)
	good := brokerTLS{BrokerCA: file("server-ca.pem", server.pem), ClientCert: file("client.pem", cert), ClientKey: file("client-key.pem", key)}

	a := startApp(t, func(c *Config) { c.BrokerURL, c.AdminSecret, c.brokerTLS = url, testSecret, good })
	if c := a.run("P-1042", fullRequest).complete(t); c.Errors > 0 || !c.AllRevoked || c.Tokens != 4 {
		t.Errorf("a run: %+v", c)
	}
	for name, run := range map[string]func(b brokerTLS, std stdio) error{
		"setup": func(b brokerTLS, std stdio) error {
			return (&setupCmd{BrokerURL: url, AdminSecret: testSecret, brokerTLS: b}).Run(t.Context(), std)
		},
		"verify": func(b brokerTLS, std stdio) error {
			return (&verifyCmd{BrokerURL: url, AdminSecret: testSecret, brokerTLS: b}).Run(t.Context(), std)
		},
		"health check": func(b brokerTLS, _ stdio) error {
			return (&healthcheckCmd{URL: url, Broker: true, brokerTLS: b}).Run(t.Context())
		},
	} {
		for _, tc := range []struct {
			with string
			tls  brokerTLS
			want string // in what is printed or returned
		}{
			{"both", good, ""},
			{"no certificate", brokerTLS{BrokerCA: good.BrokerCA}, "certificate"},
			{"the system's CAs", brokerTLS{ClientCert: good.ClientCert, ClientKey: good.ClientKey}, "unknown authority"},
			{"a CA file without a certificate", brokerTLS{BrokerCA: good.ClientKey}, "contains no certificate"},
			{"a missing CA file", brokerTLS{BrokerCA: "no.pem"}, "no.pem"},
			{"a certificate without its key", brokerTLS{BrokerCA: good.BrokerCA, ClientCert: good.ClientCert, ClientKey: good.ClientCert}, "client certificate"},
		} {
			var out strings.Builder
			err := run(tc.tls, stdio{&out, &out})
			if (err == nil) != (tc.want == "") || err != nil && !strings.Contains(out.String()+err.Error(), tc.want) {
				t.Errorf("%s with %s: %v, want %q\n%s", name, tc.with, err, tc.want, out.String())
			}
		}
	}
}
