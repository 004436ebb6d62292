package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"os"

	"github.com/devonartis/medassist-go/agentwrit"
)

// brokerTLS configures TLS for calls to a remote broker.
type brokerTLS struct {
	BrokerCA   string `name:"broker-ca" help:"CA certificates (PEM) that the broker's certificate is verified with, instead of the system's." env:"AGENTWRIT_CA_CERT" type:"path" placeholder:"FILE"`
	ClientCert string `help:"Certificate (PEM) to present to a broker that requires one." env:"AGENTWRIT_CLIENT_CERT" type:"path" and:"client-cert" placeholder:"FILE"`
	ClientKey  string `help:"Private key of the certificate to present (PEM)." env:"AGENTWRIT_CLIENT_KEY" type:"path" and:"client-cert" placeholder:"FILE"`
}

// options returns the options of a client of the broker, none without settings.
func (b brokerTLS) options() ([]agentwrit.Option, error) {
	if b == (brokerTLS{}) {
		return nil, nil
	}
	cfg, err := b.config()
	if err != nil {
		return nil, err
	}
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.MaxIdleConnsPerHost = maxIdlePerHost
	t.TLSClientConfig = cfg
	return []agentwrit.Option{agentwrit.WithHTTPClient(&http.Client{Transport: t})}, nil
}

// config returns the TLS configuration of a client.
func (b brokerTLS) config() (*tls.Config, error) {
	cfg := &tls.Config{MinVersion: tls.VersionTLS12}
	if b.BrokerCA != "" {
		pem, err := os.ReadFile(b.BrokerCA)
		if err != nil {
			return nil, fmt.Errorf("CA of the broker: %w", err)
		}
		cfg.RootCAs = x509.NewCertPool()
		if !cfg.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("CA of the broker: %s contains no certificate", b.BrokerCA)
		}
	}
	if b.ClientCert != "" {
		pair, err := tls.LoadX509KeyPair(b.ClientCert, b.ClientKey)
		if err != nil {
			return nil, fmt.Errorf("client certificate: %w", err)
		}
		// Presented also if the broker's list of CAs does not name its issuer.
		cfg.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }
	}
	return cfg, nil
}
