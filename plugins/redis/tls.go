package main

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"os"
)

// tlsFiles are the PEM files of a TLS connection; empty names: none.
type tlsFiles struct{ ca, cert, key string }

// load reads the files. They are read for each connection anew, since
// certificates are replaced while the plugin runs.
func (f tlsFiles) load() (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if f.ca != "" {
		pem, err := os.ReadFile(f.ca)
		if err != nil {
			return nil, wrongSetting("tls_ca: %v", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, wrongSetting("tls_ca: %s holds no certificate in PEM", f.ca)
		}
	}
	if f.cert != "" {
		pair, err := tls.LoadX509KeyPair(f.cert, f.key)
		if err != nil {
			return nil, wrongSetting("tls_cert, tls_key: %v", err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}

// serverName is the name that the certificate of the server at address must
// have. Nodes of a cluster and primaries that a sentinel names are mostly
// known by their IP address only; theirs must have the name that was given.
func serverName(address string, given []string) string {
	host := hostOf(address)
	if net.ParseIP(host) == nil {
		return host
	}
	for _, g := range given {
		if g == address {
			return host
		}
	}
	for _, g := range given {
		if h := hostOf(g); net.ParseIP(h) == nil {
			return h
		}
	}
	return host
}

func hostOf(address string) string {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return address
	}
	return host
}
